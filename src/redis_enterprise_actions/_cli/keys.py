"""Keys of a terminal: one that ends a command, and Ctrl-Z."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Self


if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class StopHandler:
    """Handler of Ctrl-Z (SIGTSTP): calls `before` the process stops, and `after` when it goes on.

    It is installed on the running event loop, if that can handle signals.
    """

    def __init__(self, before: Callable[[], object], after: Callable[[], object]) -> None:
        self._before = before
        self._after = after
        self._loop: asyncio.AbstractEventLoop | None = None

    def install(self) -> None:
        """Handle the signal, unless it is ignored, as in a shell without job control."""
        with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):
            if signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN:
                loop = asyncio.get_running_loop()
                loop.add_signal_handler(signal.SIGTSTP, self._stop)
                self._loop = loop

    def remove(self) -> None:
        """Restore the default action."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.remove_signal_handler(signal.SIGTSTP)

    def _stop(self) -> None:
        self._before()
        self.remove()
        os.kill(os.getpid(), signal.SIGTSTP)  # returns when the process goes on
        self._after()
        self.install()


class Keyboard:
    """Context manager that calls `call` when a key is pressed, and restores the terminal.

    It does nothing unless standard input is a terminal, and this process in its foreground. Ctrl-C
    and Ctrl-Z work as before. `release` and `listen` are called around a stop of the process.
    """

    def __init__(self, key: str, call: Callable[[], object]) -> None:
        self._key = key.encode()
        self._call = call
        # Those of the terminal, while this listens.
        self._settings: list[int | list[bytes | int]] | None = None

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    @property
    def listening(self) -> bool:
        """True while the key has an effect."""
        return self._settings is not None

    def listen(self) -> None:
        """Let the terminal pass on each key at once."""
        if not _is_in_foreground():
            return
        import termios  # noqa: PLC0415 - not on Windows
        import tty  # noqa: PLC0415 - as above

        keyboard = sys.stdin.fileno()
        self._settings = termios.tcgetattr(keyboard)
        tty.setcbreak(keyboard)
        asyncio.get_running_loop().add_reader(keyboard, self._read, keyboard)

    def release(self) -> None:
        """Give the terminal back."""
        settings, self._settings = self._settings, None
        if settings is None:
            return
        import termios  # noqa: PLC0415 - as above

        keyboard = sys.stdin.fileno()
        asyncio.get_running_loop().remove_reader(keyboard)
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(keyboard, termios.TCSADRAIN, settings)

    def _read(self, keyboard: int) -> None:
        try:
            typed = os.read(keyboard, 1024)
        except OSError:
            typed = b""
        if not typed:  # the terminal is gone
            asyncio.get_running_loop().remove_reader(keyboard)
        elif self._key in typed:
            self._call()


def _is_in_foreground() -> bool:
    """Return True if standard input is a terminal that this process may read."""
    try:
        return sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (AttributeError, OSError, ValueError):  # closed, not controlling, or on Windows
        return False
