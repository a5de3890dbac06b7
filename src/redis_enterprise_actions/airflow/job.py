"""Coroutines on a worker: each runs in a loop and a thread of its own.

Airflow's signal handlers (`on_kill`, the alarm of `execution_timeout`) run in the main thread of a
task. There they can end a wait, which they could not do from inside its event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, Generic, TypeVar


if TYPE_CHECKING:
    from collections.abc import Coroutine

_T = TypeVar("_T")

_END: Final = 5.0  # seconds for what the loop may still do, such as a lookup of a name


class Job(Generic[_T]):
    """A coroutine that runs in a thread of its own, from now on."""

    def __init__(self, coroutine: Coroutine[object, object, _T]) -> None:
        self._ended: Future[_T] = Future()
        self._has_begun = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=lambda: context.run(self._main, coroutine),
            name="redis-enterprise-actions",
            daemon=True,
        )
        self._thread.start()
        self._has_begun.wait()

    def _main(self, coroutine: Coroutine[object, object, _T]) -> None:
        running = self._run(coroutine)
        try:
            asyncio.run(running)
        except Exception as error:  # noqa: BLE001 - raised by `result`: there is no loop
            running.close()
            coroutine.close()
            self._ended.set_exception(error)
            self._has_begun.set()

    async def _run(self, coroutine: Coroutine[object, object, _T]) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._has_begun.set()
        try:
            result = await coroutine
        except BaseException as error:  # noqa: BLE001 - raised by `result`
            self._ended.set_exception(error)
        else:
            self._ended.set_result(result)

    def result(self) -> _T:
        """Return the result of the coroutine, or raise its exception.

        An exception of a signal handler cancels the coroutine first.
        """
        try:
            return self._ended.result()
        except BaseException:
            self.cancel()
            raise
        finally:
            self._thread.join(_END)

    def cancel(self) -> None:
        """Cancel the coroutine, unless it has ended."""
        if not self._ended.done() and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)


def run(coroutine: Coroutine[object, object, _T]) -> _T:
    """Run a coroutine to its end; return its result, or raise its exception."""
    return Job(coroutine).result()
