"""Commands on a pseudo-terminal of any size."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Self

from tests.secrecy import search_output


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType


class TerminalProcess:
    """Process on a new terminal, which is killed at the end of `with`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        lines: int = 24,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(columns, lines)
        env = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
        for name in ("COLUMNS", "LINES", *(["NO_COLOR"] if not env.get("NO_COLOR") else [])):
            env.pop(name, None)
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
        )
        os.close(theirs)
        self.written = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait(60)
        self.hang_up()

    def hang_up(self) -> None:
        """Close the terminal. The process gets no signal, as it is not its controlling one."""
        if self._ours >= 0:
            os.close(self._ours)
        self._ours = -1

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the window."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)

    def type(self, text: str) -> None:
        """Send keys."""
        os.write(self._ours, text.encode())

    def read_until(self, text: str, *, seconds: float = 60) -> str:
        """Wait for `text` in the output since the last call, and return that output."""
        fresh, end = "", time.monotonic() + seconds
        while text not in fresh:
            more = self._read(end - time.monotonic())
            if not more:
                raise AssertionError(f"no {text!r} in {fresh!r}")
            fresh += more
        return fresh

    def read_to_end(self, seconds: float = 60) -> tuple[int, str]:
        """Wait for the end; return the exit code and the output since the last call."""
        fresh, end = "", time.monotonic() + seconds
        while more := self._read(end - time.monotonic()):
            fresh += more
        return self.process.wait(60), fresh.replace("\r\n", "\n")

    def _read(self, seconds: float) -> str:
        ready, _, _ = select.select([self._ours], [], [], max(0, seconds))
        try:
            return search_output(os.read(self._ours, 65536).decode()) if ready else ""
        except OSError:  # as Linux has it at the end
            return ""
