"""End of a served fake cluster: a signal, or with `--until-eof` the end of standard input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import stat
import threading
from pathlib import Path
from typing import Final

from redis_enterprise_actions._model.errors import UsageError


_STDIN: Final = 0
_PIECE: Final = 65_536  # bytes


def check_standard_input() -> None:
    """Raise `UsageError` for a standard input that has ended before anything was written to it."""
    try:
        status = os.fstat(_STDIN)
        is_null = os.path.samestat(status, Path(os.devnull).stat())
    except OSError as error:
        raise UsageError(f"--until-eof: standard input cannot be used: {error}") from error
    if is_null or stat.S_ISREG(status.st_mode):
        what = "/dev/null" if is_null else "a file"
        raise UsageError(
            f"--until-eof needs a standard input that stays open, such as a pipe: this is {what}"
        )


async def serve(*, until_eof: bool) -> int:
    """Wait for the end of standard input, and return 0; or else for ever, until cancelled."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def watch() -> None:
        _read_to_the_end()
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(ended.set)

    if until_eof:
        # A thread, as the loop would make a terminal non-blocking for the shell, too, and cannot
        # wait for every kind of input on every system. It ends with the process.
        threading.Thread(target=watch, daemon=True, name="standard input").start()
    await ended.wait()
    return 0


def _read_to_the_end() -> None:
    """Read standard input, and discard it. An input that cannot be read has ended."""
    with contextlib.suppress(OSError):
        while True:
            try:
                if not os.read(_STDIN, _PIECE):
                    return
            except BlockingIOError:  # set by another program that has it open
                select.select([_STDIN], [], [])
