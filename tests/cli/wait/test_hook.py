"""Tests of `_cli.wait.hook`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.wait import hook as _hook
from redis_enterprise_actions._cli.wait.progress import Progress
from tests.event_samples import REJECTED_CALL, THREE_WAITS
from tests.pace import soon


if TYPE_CHECKING:
    from pathlib import Path

    from redis_enterprise_actions._cli.wait.events import AnyEvent

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="the commands are those of a POSIX shell"
)


def progress_of(events: list[AnyEvent]) -> Progress:
    """Return the progress after events."""
    progress = Progress()
    for event in events:
        progress.apply(event)
    return progress


def run(command: str, variables: dict[str, str] | None = None) -> str | None:
    """Run a hook, in real time."""
    return asyncio.run(_hook.run_hook(command, variables or {}))


def test_hook_variables() -> None:
    """The variables describe the end that decided the exit code, and count all ends."""
    variables = _hook.hook_variables(
        progress_of(THREE_WAITS), 1, elapsed=211.04, reports=["a.html", "b.md"]
    )

    assert variables == {
        "REDIS_ACTIONS_OUTCOME": "failed",
        "REDIS_ACTIONS_EXIT_CODE": "1",
        "REDIS_ACTIONS_REF": "node:1/maintenance_on@t1",
        "REDIS_ACTIONS_TITLE": "maintenance_on on node:1",
        "REDIS_ACTIONS_MESSAGE": "action node:1/maintenance_on failed: e17: 100%\nfull",
        "REDIS_ACTIONS_SUMMARY": "1 completed, 1 failed, 1 no longer waited for",
        "REDIS_ACTIONS_ELAPSED": "211.0",
        "REDIS_ACTIONS_REPORT": "a.html",
    }


def test_hook_variables_of_another_code() -> None:
    """If no end has the exit code, the variables describe the first end."""
    variables = _hook.hook_variables(progress_of(THREE_WAITS), 6, elapsed=1, reports=[])

    assert variables["REDIS_ACTIONS_OUTCOME"] == "completed"
    assert variables["REDIS_ACTIONS_EXIT_CODE"] == "6"
    assert "REDIS_ACTIONS_REPORT" not in variables


def test_hook_variables_of_a_rejected_call() -> None:
    """A call that the cluster refused has a message, and no reference."""
    variables = _hook.hook_variables(progress_of(REJECTED_CALL), 5, elapsed=1, reports=[])

    assert variables["REDIS_ACTIONS_OUTCOME"] == "rejected"
    assert variables["REDIS_ACTIONS_REF"] == variables["REDIS_ACTIONS_TITLE"] == ""
    assert "406" in variables["REDIS_ACTIONS_MESSAGE"]


def test_hook_variables_of_no_wait() -> None:
    """With nothing to wait for the outcome is `completed`."""
    variables = _hook.hook_variables(Progress(), 0, elapsed=0, reports=[])

    assert variables["REDIS_ACTIONS_OUTCOME"] == "completed"
    assert variables["REDIS_ACTIONS_SUMMARY"] == "nothing to wait for"


def test_hook_environment() -> None:
    """Our settings are not passed on, and no value holds a NUL."""
    environ = {"PATH": "/bin", "REDIS_ENTERPRISE_PASSWORD": "hunter2", "redis_enterprise_x": "1"}

    environment = _hook.hook_environment(environ, {"REDIS_ACTIONS_MESSAGE": "a\0b"})
    assert environment == {"PATH": "/bin", "REDIS_ACTIONS_MESSAGE": "a b"} | (
        {} if sys.platform == "win32" else {"redis_enterprise_x": "1"}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 4000, "a" * 4000),
        ("a" * 4001, "a" * 3999 + "…"),
        ("\U0001f512" * 200_000, "\U0001f512" * 3999 + "…"),
        ("\0" * 5000, " " * 3999 + "…"),
        ("a\udcffb", "a\udcffb"),  # an undecodable byte of a file name
        ("a\ud800b\udcffc", "a?b?c"),  # half of a pair, which no encoding has
    ],
    ids=["short", "long", "four bytes each", "NUL", "undecodable", "surrogate"],
)
def test_length_of_variables(text: str, expected: str) -> None:
    """A variable holds at most 4,000 characters, and what cannot be encoded is replaced."""
    assert _hook.hook_environment({}, {"X": text}) == {"X": expected}


def test_another_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable is in UTF-8 if the system's encoding lacks one of its characters."""
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode("latin-1"))
    monkeypatch.setattr(os, "fsdecode", lambda data: data.decode("latin-1"))

    variables = _hook.hook_environment({}, {"A": "\xe4", "B": "\u20ac"})
    assert variables == {"A": "\xe4", "B": "\u20ac".encode().decode("latin-1")}


@pytest.mark.enable_socket
@posix
class TestRun:
    """`run_hook`."""

    def test_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The hook runs in the shell, with the variables in its environment, and no input."""
        monkeypatch.setenv("REDIS_ENTERPRISE_TOKEN", "hunter2-hunter2")
        command = f"cat; env > {tmp_path}/env; echo done && true"

        assert run(command, {"REDIS_ACTIONS_TITLE": "$(rm x) 'y'"}) is None
        variables = (tmp_path / "env").read_text().splitlines()
        assert "REDIS_ACTIONS_TITLE=$(rm x) 'y'" in variables
        assert not any("hunter2" in line for line in variables)

    def test_output(self, capfd: pytest.CaptureFixture[str]) -> None:
        """The output of the hook goes to standard error."""
        assert run("echo out; echo err >&2") is None
        assert capfd.readouterr() == ("", "out\nerr\n")

    @pytest.mark.parametrize(
        "text",
        ["y" * 140_000, "\u20ac" * 100_000, "a\ud800" * 9000, "\udcff" * 140_000, "\0" * 9000],
    )
    def test_long_texts(self, tmp_path: Path, text: str) -> None:
        """The hook runs however long the texts of the cluster are, and whatever they hold."""
        names = [f"REDIS_ACTIONS_{name}" for name in ("REF", "TITLE", "MESSAGE", "REPORT")]

        assert run(f"env > {tmp_path}/env", dict.fromkeys(names, text)) is None
        environment = (tmp_path / "env").read_bytes()
        assert all(f"{name}=".encode() in environment for name in names)

    def test_environment_at_the_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An inherited environment that leaves no room for a program is told in words."""
        for number in range(60):
            monkeypatch.setenv(f"LARGE_{number}", "x" * 130_000)

        too_large = "its environment or its command is larger than the system allows"
        assert run("true") == f"the hook cannot be run: {too_large}"

    def test_long_command(self) -> None:
        """So is a command that is too long."""
        assert "larger than the system allows" in (run("true " + "x" * 140_000) or "")

    def test_any_signal(self) -> None:
        """Each signal that ends the hook is in the error, with its name if it has one."""
        for number in range(1, signal.NSIG):
            if number in {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}:
                continue  # they end nothing
            if number in {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, 32, 33}:
                continue  # nor do these, and two are of the C library
            if signal.getsignal(number) is signal.SIG_IGN:
                continue  # as in a background job; the hook inherits that
            name = signal.Signals(number).name if number in set(signal.Signals) else number
            expected = (
                f"the hook was ended by {name if isinstance(name, str) else f'signal {name}'}"
            )

            assert run(f"ulimit -c 0; exec kill -{number} $$") == expected

    @pytest.mark.parametrize(
        ("command", "error"),
        [
            ("exit 3", "the hook ended with 3"),
            ("no-such-command 2>/dev/null", "the hook ended with 127"),
            ("kill -TERM $$", "the hook was ended by SIGTERM"),
            ("a\0b", "the hook cannot be run: embedded null byte"),
        ],
    )
    def test_fails(self, command: str, error: str) -> None:
        """The error says how the hook failed."""
        assert run(command) == error

    def test_too_slow(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """The hook is killed after the timeout, with all processes that it started."""
        monkeypatch.setattr(_hook, "HOOK_TIMEOUT", 0.3)
        began = time.monotonic()

        error = run(f"(sleep 0.6; touch {tmp_path}/late) & sleep 60")
        assert error == "the hook had not ended after 0.3s, and was killed"
        assert time.monotonic() - began < soon()
        time.sleep(0.5)  # the shell's own time cannot be moved
        assert not (tmp_path / "late").exists()

    def test_cancelled(self, tmp_path: Path) -> None:
        """A cancelled `run_hook` kills the hook."""

        async def cancelled() -> None:
            task = asyncio.create_task(_hook.run_hook(f"touch {tmp_path}/up; sleep 60", {}))
            while not (tmp_path / "up").exists():  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.01)
            task.cancel()
            await task

        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(cancelled())
        assert time.monotonic() - began < soon()

    def test_without_groups(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without process groups the hook alone is killed."""
        monkeypatch.setattr(_hook, "HOOK_TIMEOUT", 0.1)
        monkeypatch.delattr("os.killpg")

        assert "was killed" in (run("exec sleep 60") or "")
