"""Tests of `_cli.signals`: the command ends within a second, and reports what it left."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.signals import SignalHandler
from redis_enterprise_actions.testing import Plan
from tests.pace import soon


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.threaded_cluster import ThreadedCluster


pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(
        sys.platform == "win32", reason="Windows has no such signals for one process"
    ),
]

COMMAND = [sys.executable, "-W", "error", "-m", "redis_enterprise_actions"]
# A signal that comes during an import leaves the module's file to the garbage collector.
EARLY = [*COMMAND[:3], "-W", "ignore::ResourceWarning", *COMMAND[3:]]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
each_signal = pytest.mark.parametrize(("signum", "code"), SIGNALS, ids=["int", "term", "hup"])
HANGING_RESOLVER = """
import socket, sys, time
def hang(*_, **__):
    print("started", flush=True)
    time.sleep(30)
socket.getaddrinfo = hang
from redis_enterprise_actions._cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@contextmanager
def started(*line: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    """Start a command, and kill it at the end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(line, text=True, **{**pipes, **options}) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def wait_for_handler(process: subprocess.Popen[str]) -> None:
    """Wait until a process has a handler for SIGTERM, as /proc shows."""
    status = Path(f"/proc/{process.pid}/status")
    while status.exists():
        caught = re.search(r"^SigCgt:\s*(\w+)$", status.read_text(), re.MULTILINE)
        if caught is not None and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.01)
    time.sleep(2)  # no such kernel


def unread(pipe: int) -> int:
    """Return the number of bytes in a pipe."""
    import fcntl  # noqa: PLC0415 - not on Windows
    import termios  # noqa: PLC0415 - ditto

    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def stop(process: subprocess.Popen[str], signum: signal.Signals) -> tuple[float, str, str]:
    """Send a signal; return the time until the process ended, and its further output."""
    began = time.monotonic()
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    return time.monotonic() - began, out, err


@each_signal
@pytest.mark.parametrize("mode", ["plain", "json", "github", "gitlab"])
def test_while_waiting(
    threaded: ThreadedCluster, tmp_path: Path, signum: signal.Signals, code: int, mode: str
) -> None:
    """During a wait: the report is written, abandoned waits are reported, no hook runs."""
    uid = threaded.add(plan=Plan(outcome="never"))
    report, hooked = tmp_path / "report.json", tmp_path / "hooked"
    line = ["wait", uid, "--output", mode, "--report", str(report), "--hook", f"touch {hooked}"]
    with started(*COMMAND, *line) as process:
        progress = process.stderr if mode == "plain" else process.stdout
        assert progress is not None
        progress.readline()
        if mode != "plain":
            progress.readline()
        took, out, err = stop(process, signum)

    assert process.returncode == code
    assert err.splitlines()[-1] == "interrupted; what runs on the cluster goes on running"
    assert "no longer waited for" in out
    assert f"exit code {code}" in out or f'"exit_code":{code}' in out
    assert '"outcome": "interrupted"' in report.read_text()
    assert not hooked.exists()
    assert took < soon()


@each_signal
def test_in_an_outage(threaded: ThreadedCluster, signum: signal.Signals, code: int) -> None:
    """During an outage the command ends as quickly."""
    threaded.cluster.inject(times=None, delay=60)
    with started(*COMMAND, "wait", "x", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        took, _, err = stop(process, signum)

    assert process.returncode == code
    assert err == "interrupted\n"  # nothing was seen, so nothing is said to go on
    assert took < soon()


@each_signal
def test_while_calling(
    threaded: ThreadedCluster, tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    """During a call the command ends as quickly, and writes an empty report."""
    threaded.cluster.inject(times=None, delay=60)
    report = tmp_path / "report.json"
    line = ["submit", "POST", "/v1/bdbs/1/upgrade", "--wait", "--outage-timeout", "60"]
    options = ["--keep-alive", "0.3", "--report", str(report)]
    with started(*COMMAND, *line, *options) as process:
        assert process.stderr is not None
        assert "still asking" in process.stderr.readline()
        took, out, err = stop(process, signum)

    assert process.returncode == code
    assert out == f"interrupted (exit code {code})\n"
    assert err.splitlines()[-1] == "interrupted; the call may have been carried out"
    assert '"records": []' in report.read_text()
    assert took < soon()


@each_signal
def test_while_reading(threaded: ThreadedCluster, signum: signal.Signals, code: int) -> None:
    """While standard input is read the command ends as quickly."""
    with started(*EARLY, "wait", "-") as process:
        wait_for_handler(process)
        took, out, err = stop(process, signum)

    assert process.returncode == code
    assert (out, err) == ("", "interrupted\n")
    assert took < soon()


@each_signal
def test_while_hooking(
    threaded: ThreadedCluster, tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    """While the hook runs the command ends as quickly, and so does the hook."""
    uid = threaded.add(plan=Plan(duration=0))
    with started(*COMMAND, "wait", uid, "--hook", "echo up; exec sleep 60") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "up\n"
        took, out, err = stop(process, signum)

    assert process.returncode == code
    assert "had ended before" in out
    assert err == "interrupted\n"
    assert took < soon()


@each_signal
def test_hanging_thread(monkeypatch: pytest.MonkeyPatch, signum: signal.Signals, code: int) -> None:
    """A thread that cannot be cancelled, such as a DNS lookup, does not delay the end."""
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", "x")
    line = ["wait", "x", "--url", "http://cluster.invalid:1", "--user", "x"]
    with started(sys.executable, "-c", HANGING_RESOLVER, *line) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "started\n":
            pass
        took, _, err = stop(process, signum)

    assert process.returncode == code
    assert err.splitlines()[-1] == "interrupted"
    assert took < soon()


def test_output_not_read(threaded: ThreadedCluster) -> None:
    """An output that is not read does not delay the end."""
    uids = [threaded.add("n" * 500, Plan(outcome="never")) for _ in range(300)]
    with started(*COMMAND, "wait", "--json", *uids) as process:
        assert process.stdout is not None
        before, now = -1, 0
        while now < 30_000 or now != before:  # until the pipe is full; how much that is varies
            time.sleep(0.1)
            before, now = now, unread(process.stdout.fileno())
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        assert time.monotonic() - began < soon()


@pytest.mark.parametrize("name", ["INT", "HUP"])
def test_ignored(threaded: ThreadedCluster, name: str) -> None:
    """A background job that ignores Ctrl-C, or `nohup`, still does; SIGTERM ends it."""
    uid = threaded.add(plan=Plan(outcome="never"))
    shell = f'trap "" {name}; exec "$0" "$@"'
    with started("sh", "-c", shell, *COMMAND, "wait", uid) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.Signals[f"SIG{name}"])
        took, *_ = stop(process, signal.SIGTERM)

    assert process.returncode == 143
    assert took < soon()


@pytest.mark.parametrize("mode", ["auto", "plain", "json"])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_terminal_closed(threaded: ThreadedCluster, tmp_path: Path, mode: str, times: int) -> None:
    """A terminal that is closed sends SIGHUP, perhaps several times: the report is written."""
    from tests.terminal_process import TerminalProcess  # noqa: PLC0415 - not on Windows

    uid = threaded.add(plan=Plan(outcome="never"))
    report = tmp_path / "report.json"
    line = ["wait", uid, "--output", mode, "--report", str(report)]
    with TerminalProcess([*COMMAND, *line]) as terminal:
        terminal.read_until("SMUpdateBDB")
        terminal.process.send_signal(signal.SIGHUP)
        terminal.hang_up()
        for _ in range(times - 1):
            time.sleep(0.02)
            terminal.process.send_signal(signal.SIGHUP)
        assert terminal.process.wait(60) == 129

    assert '"outcome": "interrupted"' in report.read_text()


class TestSignalHandler:
    """`SignalHandler` in this process."""

    @pytest.fixture(autouse=True)
    def _put_back(self) -> Iterator[None]:
        before = signal.getsignal(signal.SIGHUP)
        yield
        signal.signal(signal.SIGHUP, before)

    def test_handlers_are_put_back(self) -> None:
        """The previous handlers are restored."""
        before = [signal.getsignal(signum) for signum, _ in SIGNALS]
        with SignalHandler(lambda: None):
            assert signal.getsignal(signal.SIGTERM) not in before

        assert [signal.getsignal(signum) for signum, _ in SIGNALS] == before

    @each_signal
    def test_while_importing(self, signum: signal.Signals, code: int) -> None:
        """A signal in the middle of an import raises only after it."""
        with SignalHandler(lambda: None) as signals:
            os.kill(os.getpid(), signum)
            with pytest.raises(KeyboardInterrupt):
                signals.interrupt_from_now_on()
        assert signals.exit_code == code

    def test_another_thread(self) -> None:
        """In another thread than the main one work runs without handlers."""
        codes: list[int] = []

        async def work() -> int:
            return 3

        def run() -> None:
            with SignalHandler(lambda: None) as signals:
                codes.append(signals.run(work()))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(60)
        assert codes == [3]

    @each_signal
    def test_cancels(self, signum: signal.Signals, code: int) -> None:
        """A signal cancels the task with the exit code as the message, and wakes the loop."""
        args: list[object] = []

        async def work() -> int:
            asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signum)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError as error:
                args.extend(error.args)
                raise
            return 0

        with SignalHandler(lambda: None) as signals, pytest.raises(KeyboardInterrupt):
            signals.run(work())
        assert args == [code]
        assert signals.exit_code == code

    def test_signal_at_the_end(self) -> None:
        """Work that returned in spite of a signal was interrupted."""

        async def work() -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            return 0

        with SignalHandler(lambda: None) as signals, pytest.raises(KeyboardInterrupt):
            signals.run(work())
        assert signals.exit_code == 143

    def test_twice(self) -> None:
        """A second signal ends the process without waiting for the cancellation."""

        async def work() -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                os.kill(os.getpid(), signal.SIGINT)
                raise AssertionError("it goes on") from None
            return 0

        with SignalHandler(lambda: None) as signals, pytest.raises(KeyboardInterrupt):
            signals.run(work())
        assert signals.exit_code == 143

    def test_hangup_after_a_signal(self) -> None:
        """SIGHUP after another signal changes nothing, as systemd sends it after SIGTERM."""

        async def work() -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                for _ in range(3):
                    os.kill(os.getpid(), signal.SIGHUP)
                return 0
            return 1

        with SignalHandler(lambda: None) as signals, pytest.raises(KeyboardInterrupt):
            signals.run(work())
        assert signals.exit_code == 143

    def test_forced_exit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that does not end is ended after the timeout, after `on_forced_exit`."""
        ended: list[int] = []
        called = threading.Event()
        monkeypatch.setattr("redis_enterprise_actions._cli.signals._SHUTDOWN_TIMEOUT", 0.05)
        monkeypatch.setattr("os._exit", ended.append)

        with SignalHandler(called.set) as signals:
            signals.interrupt_from_now_on()
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
                called.wait(60)
            assert called.wait(60)
            signals._timer.join(60)
        assert ended == [143]
