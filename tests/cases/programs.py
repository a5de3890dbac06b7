"""Runner of the programs, and of the command in them; counts the faults."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import looptime


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import NoReturn

    from looptime import LoopTimeEventLoop

COMMAND: Final = (sys.executable, "-m", "redis_enterprise_actions")

# Runs its arguments as a command on a terminal, and prints the output.
_ON_TERMINAL: Final = (
    "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
)
# Settings of this machine that would change what the command does.
_NOT_INHERITED: Final = ("REDIS_", "GITHUB_", "GITLAB_", "NO_COLOR", "COLUMNS")

_results: Final[list[bool]] = []


def run(
    program: Callable[[], Coroutine[object, object, None]],
    *,
    limit: float = 60.0,
    virtual: bool = False,
) -> NoReturn:
    """Run a program and exit, with 0 if it checked something and found all of it right, else 1.

    `limit` is in seconds of real time. With `virtual`, the loop's clock jumps to the next timer
    whenever nothing else is to be done; programs that start processes need the real one.
    """
    faulthandler.dump_traceback_later(limit, exit=True)  # with exit code 1
    with asyncio.Runner(loop_factory=_virtual_loop if virtual else None) as runner:
        runner.run(program())
    sys.exit(0 if _results and all(_results) else 1)


def _virtual_loop() -> LoopTimeEventLoop:
    # For the number of cycles see tests/conftest.py.
    loop = asyncio.SelectorEventLoop()
    return looptime.patch_event_loop(loop, start=0, noop_cycles=12)


def check(right: bool, what: str) -> None:
    """Print what happened, and whether that is right."""
    print("right:" if right else "WRONG:", what, flush=True)
    _results.append(right)


def summary(end: object) -> str:
    """Return one short line that describes the end of a wait."""
    return f"{type(end).__name__}: {end}".partition("\n")[0][:200]


def now() -> float:
    """Return the time of the event loop."""
    return asyncio.get_running_loop().time()


@dataclass(frozen=True)
class Ended:
    """End of a process. The code is negative if a signal ended it."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        printed = (self.out + self.err).strip().splitlines() or ["nothing"]
        return f"exit code {self.code}; printed last: {printed[-1][:200]}"


async def command(
    *args: str,
    url: str = "http://127.0.0.1:1",
    stdin: str = "",
    terminal: bool = False,
    limit: float = 30.0,
    **environ: str,
) -> Ended:
    """Run `redis-actions` with a cluster's URL and credentials in its environment.

    A command that takes longer than `limit` seconds is killed.
    """
    line = (*COMMAND, *args)
    if terminal:
        line = (sys.executable, "-c", _ON_TERMINAL, *line)
    return await process(*line, environ=settings(url) | environ, stdin=stdin, limit=limit)


async def process(
    *line: str, environ: Mapping[str, str] | None = None, stdin: str = "", limit: float = 30.0
) -> Ended:
    """Run a process to its end, and kill it after `limit` seconds."""
    started = await asyncio.create_subprocess_exec(
        *line,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**inherited(), **(environ or {})},
    )
    killing = asyncio.get_running_loop().call_later(limit, started.kill)
    try:
        out, err = await started.communicate(stdin.encode())
    finally:
        killing.cancel()
    assert started.returncode is not None
    return Ended(started.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def settings(url: str) -> dict[str, str]:
    """Return the environment variables of a cluster."""
    return {
        "REDIS_ENTERPRISE_URL": url,
        "REDIS_ENTERPRISE_USER": "ops",
        "REDIS_ENTERPRISE_PASSWORD": "hunter2-hunter2",
    }


def inherited() -> dict[str, str]:
    """Return the environment without what would change the command's output."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)
    }
