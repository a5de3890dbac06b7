"""How a signal ends the command: at once, whatever it is doing, and with its own exit code.

SIGINT and SIGTERM cancel what runs on the event loop, so that it can say what it has to and leave
nothing open. Whatever is not done with that within a second is not waited for.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING, Final, Self


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType, TracebackType

_SHUTDOWN_TIMEOUT: Final = 0.8  # seconds that ending may take
_FORCED_EXIT_TIMEOUT: Final = 0.1  # seconds that saying so may take
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class SignalHandler:
    """Hears signals between `with` and its end, in the main thread of a process.

    `give_up` is called, in a thread of its own, before the process is ended the hard way.
    """

    def __init__(self, give_up: Callable[[], object]) -> None:
        self.received: int | None = None
        self._on_forced_exit = give_up
        self._cancel: Callable[[], object] | None = None
        self._previous: dict[signal.Signals, object] = {}
        self._timer = threading.Timer(_SHUTDOWN_TIMEOUT, self._force_exit)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for each in _SIGNALS:
                before = signal.getsignal(each)
                if before is not signal.SIG_IGN:  # as of a job in the background
                    self._previous[each] = signal.signal(each, self._on_signal)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        for each, before in self._previous.items():
            signal.signal(each, before)  # type: ignore[arg-type] # what it has returned

    @property
    def exit_code(self) -> int:
        """The exit code for the signal that was heard."""
        return 128 + (self.received or signal.SIGINT)

    def run(self, work: Coroutine[object, object, int]) -> int:
        """Run what is to be done; raise `KeyboardInterrupt` if a signal has ended it."""
        try:
            code = asyncio.run(self._run(work))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        if self.received is not None:
            raise KeyboardInterrupt
        return code

    async def _run(self, work: Coroutine[object, object, int]) -> int:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel, self.exit_code)
        try:
            return await work
        finally:
            self._cancel = None

    def _on_signal(self, signum: int, _: FrameType | None) -> None:
        first = self.received is None
        if first:
            self.received = signum
            self._timer.start()
        if not first or self._cancel is None:
            raise KeyboardInterrupt
        self._cancel()

    def _force_exit(self) -> None:
        last_words = threading.Thread(target=self._on_forced_exit, daemon=True)
        last_words.start()
        last_words.join(_FORCED_EXIT_TIMEOUT)
        os._exit(self.exit_code)
