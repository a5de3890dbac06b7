"""Tests of `_cli.serving`: the end of `fake-cluster` by its standard input, or by a signal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli import serving
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.demo import run_fake_cluster
from redis_enterprise_actions._cli.execution import Execution


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.enable_socket

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-W", "error", "-m", "redis_enterprise_actions", "fake-cluster"]
MODES = {
    "plain": [],
    "json": ["--json"],
    "scenario": ["--scenario", str(ROOT / "examples" / "scenarios" / "upgrade.toml")],
    "replay": ["--replay", str(ROOT / "tests" / "captures" / "v1-calls.json")],
    "replay --json": ["--replay", str(ROOT / "tests" / "captures" / "v1-calls.json"), "--json"],
}


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Return a pipe whose first end is the standard input; the test closes the second end."""
    ends = os.pipe()
    monkeypatch.setattr(serving, "_STDIN", ends[0])
    yield ends
    os.close(ends[0])


@pytest.mark.prints_password
@pytest.mark.parametrize("options", MODES.values(), ids=MODES)
async def test_end_of_standard_input(
    options: Sequence[str], pipe: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The end of standard input ends the cluster with success, and what is written to it does not.

    An input that is non-blocking, as a parent may leave it, is no end.
    """
    os.set_blocking(pipe[0], False)
    args = parse_arguments(["fake-cluster", "--until-eof", *options])
    execution = Execution()
    task = asyncio.ensure_future(run_fake_cluster(args, execution))
    os.write(pipe[1], b"no end\n")
    printed = ""
    while not printed:
        await asyncio.sleep(0.01)
        printed = capsys.readouterr().out
    await asyncio.sleep(0.05)
    assert not task.done()
    os.close(pipe[1])

    assert await task == 0
    assert execution.is_service
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_without_the_option(pipe: tuple[int, int]) -> None:
    """Without the option, the end of standard input ends nothing."""
    os.close(pipe[1])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(serving.serve(until_eof=False), 0.1)


def test_the_loop_ends_first(pipe: tuple[int, int]) -> None:
    """An input that ends after the loop does no harm."""

    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(serving.serve(until_eof=True), 0.1)

    asyncio.run(cancelled())
    (thread,) = [each for each in threading.enumerate() if each.name == "standard input"]
    os.close(pipe[1])
    thread.join(30)

    assert not thread.is_alive()


@pytest.mark.parametrize("path", [os.devnull, __file__, None])
def test_no_pipe(path: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A standard input that is at its end at once is wrong usage, and not a cluster that ends."""
    args = parse_arguments(["fake-cluster", "--until-eof"])
    opened = os.open(path or os.devnull, os.O_RDONLY)
    monkeypatch.setattr(serving, "_STDIN", opened if path else 2**20)
    problem = {os.devnull: "this is /dev/null", __file__: "this is a file", None: "cannot be used"}
    try:
        with pytest.raises(UsageError, match=f"--until-eof.* {problem[path]}"):
            run_fake_cluster(args, Execution())
    finally:
        os.close(opened)


def started(*options: str, **streams: Any) -> subprocess.Popen[str]:  # noqa: ANN401 - of Popen
    """Start the command, and wait for its first line."""
    process = subprocess.Popen(
        [*COMMAND, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **streams,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


@pytest.mark.prints_password
@pytest.mark.skipif(sys.platform == "win32", reason="it has no SIGKILL")
@pytest.mark.parametrize("options", MODES.values(), ids=MODES)
def test_killed_parent(options: Sequence[str]) -> None:
    """The cluster does not outlive a parent that is killed, which holds its standard input."""
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=(ends := os.pipe())[1],
    )
    os.close(ends[1])
    with holder, started("--until-eof", *options, stdin=ends[0]) as process:
        os.close(ends[0])
        holder.send_signal(signal.SIGKILL)
        _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")


@pytest.mark.prints_password
@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("options", MODES.values(), ids=MODES)
def test_signal(options: Sequence[str], signum: int) -> None:
    """A signal ends it, also while its standard input is read, and nothing is said about it."""
    with started("--until-eof", *options, stdin=subprocess.PIPE) as process:
        process.send_signal(signum)
        process.wait(60)
        assert process.stderr is not None
        assert (process.returncode, process.stderr.read()) == (128 + signum, "")


@pytest.mark.prints_password
def test_fields_of_a_replay() -> None:
    """The addresses of a replay have the same fields as others: two of them are null."""
    lines = []
    for options in (MODES["json"], MODES["replay --json"]):
        with subprocess.Popen(
            [*COMMAND, "--until-eof", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            out, _ = process.communicate(timeout=60)
        lines.append(json.loads(out))

    assert list(lines[0]) == list(lines[1])
    assert (lines[1]["version"], lines[1]["control"]) == (None, None)
