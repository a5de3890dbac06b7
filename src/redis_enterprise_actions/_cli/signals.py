"""Signal handler of the command: SIGINT, SIGTERM and SIGHUP end it within a second.

A signal cancels the task on the event loop, so that it can report how the waits stood and close
what is open. A process that has not ended after `_SHUTDOWN_TIMEOUT` is ended by `os._exit`.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Final, Self


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType, TracebackType

_SHUTDOWN_TIMEOUT: Final = 0.8  # seconds
_FORCED_EXIT_TIMEOUT: Final = 0.1  # seconds for `on_forced_exit`
_HANGUP: Final = "SIGHUP"  # which Windows does not have
_SIGNALS: Final = [each for each in signal.Signals if each.name in {"SIGINT", "SIGTERM", _HANGUP}]


class SignalHandler:
    """Context manager that handles the signals, if entered in the main thread.

    A second signal ends the work at once; but SIGHUP does not, as a closed terminal sends it more
    than once. `received` is the first signal, or None. `on_forced_exit` is called in a thread of
    its own before the process is ended by `os._exit`.

    Until `interrupt_from_now_on` the first signal is only noted: modules are imported then, and an
    exception in the middle of an import may be lost, or crash the interpreter.
    """

    def __init__(self, on_forced_exit: Callable[[], object]) -> None:
        self.received: int | None = None
        self._on_forced_exit = on_forced_exit
        self._cancel: Callable[[], object] | None = None
        self._interrupts = False
        self._previous: dict[signal.Signals, object] = {}
        self._timer = threading.Timer(_SHUTDOWN_TIMEOUT, self._force_exit)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for signum in _SIGNALS:
                previous = signal.getsignal(signum)
                if previous is not signal.SIG_IGN:  # as in a background job, or under nohup
                    self._previous[signum] = signal.signal(signum, self._on_signal)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        for signum, previous in self._previous.items():
            if self.received is not None and signum.name == _HANGUP:
                previous = signal.SIG_IGN  # noqa: PLW2901 - it may come again as the process exits
            signal.signal(signum, previous)  # type: ignore[arg-type] # `previous` is what it returned

    def interrupt_from_now_on(self) -> None:
        """Let a signal raise `KeyboardInterrupt`, as soon as now if there was one."""
        self._interrupts = True
        if self.received is not None:
            raise KeyboardInterrupt

    @property
    def exit_code(self) -> int:
        """Exit code for the received signal."""
        return 128 + (self.received or signal.SIGINT)

    def run(self, work: Coroutine[object, object, int]) -> int:
        """Run a coroutine and return its exit code.

        Raises `KeyboardInterrupt` if a signal was received.
        """
        import asyncio  # noqa: PLC0415 - `help` and `version` do not need it

        try:
            code = asyncio.run(self._run(work))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        if self.received is not None:
            raise KeyboardInterrupt
        return code

    async def _run(self, work: Coroutine[object, object, int]) -> int:
        import asyncio  # noqa: PLC0415 - as above

        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel, self.exit_code)
        try:
            return await work
        finally:
            self._cancel = None

    def _on_signal(self, signum: int, _: FrameType | None) -> None:
        if self.received is not None:
            if signal.Signals(signum).name == _HANGUP:
                return
            raise KeyboardInterrupt
        self.received = signum
        self._timer.start()
        if self._cancel is not None:
            self._cancel()
        elif self._interrupts:
            raise KeyboardInterrupt

    def _force_exit(self) -> None:
        callback = threading.Thread(target=self._on_forced_exit, daemon=True)
        callback.start()
        callback.join(_FORCED_EXIT_TIMEOUT)
        os._exit(self.exit_code)
