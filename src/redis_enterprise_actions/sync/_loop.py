"""The thread with an event loop that serves all synchronous clients of a process."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions import ClientClosed, UsageError


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import NoReturn, ParamSpec, TypeVarTuple

    _P = ParamSpec("_P")
    _Args = TypeVarTuple("_Args")
    _End = Callable[[], Coroutine[object, object, object]]

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

_EXIT_LIMIT: Final = 2.0  # seconds in which waits end when the process does
_OWN_THREAD: Final = (
    "this function runs in the thread that serves all synchronous clients, as observers do, and "
    "must not wait there: call the client in another thread"
)
_FORKED: Final = "this was begun before a fork, in the parent process: begin it anew in the child"


class LoopThread:
    """Daemon thread with an event loop.

    It keeps what belongs to the loop: clients, tasks and generators. In the child of a fork, none
    of that may be finalized, as finalizers write to sockets and to an epoll object that the child
    shares with its parent. There the frame of the thread, which never ends, holds this object.
    """

    def __init__(self) -> None:
        self.loop = _new_loop()
        self.is_serving = True  # False once the process ends, and in the child of a fork
        self.is_of_parent = False  # True in the child of a fork
        self._kept: dict[object, _End] = {}
        self._tasks: set[asyncio.Task[object]] = set()
        self._is_stopping = False
        name = "redis-enterprise-actions"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread. Raises `ClientClosed` if the process is about to end."""
        try:
            self._thread.start()
        except RuntimeError as error:
            raise ClientClosed from error

    def discard(self) -> None:
        """End the thread, whose start has failed or was interrupted."""
        self._is_stopping = True
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
        else:
            self.loop.close()

    def keep(self, thing: object, end: _End) -> None:
        """Keep an object of the loop until `drop`; `end` ends it at the end of the process."""
        self._kept[thing] = end

    def drop(self, thing: object) -> None:
        """Forget an object that has ended."""
        self._kept.pop(thing, None)

    def create_task(self, coroutine: Coroutine[object, object, _T]) -> asyncio.Task[_T]:
        """Return a task for a coroutine, on the loop."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)  # the loop has weak references only
        task.add_done_callback(self._tasks.discard)
        return task

    def check_thread(self) -> None:
        """Raise `UsageError` in the thread of the loop, which must not wait for itself."""
        if self.is_own:
            raise UsageError(_OWN_THREAD)

    @property
    def is_own(self) -> bool:
        """True in the thread of the loop."""
        return threading.get_ident() == self._thread.ident and not self.is_of_parent

    def submit(self, function: Callable[[*_Args], object], *args: *_Args) -> None:
        """Call a function on the loop, soon, in a copy of the context of this thread.

        Raises `ClientClosed` if there is no loop any more, and `UsageError` in the child of a fork.
        """
        if self.is_of_parent:
            raise UsageError(_FORKED)
        if not self.is_serving:
            refuse_at_exit()
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the process has ended the loop meanwhile
            refuse_at_exit()

    def run_soon(self, coroutine: _End) -> None:
        """Run a coroutine on the loop, without waiting for it, as long as the loop serves."""
        if self.is_serving:
            self.loop.call_soon_threadsafe(lambda: self.create_task(coroutine()))

    def stop(self) -> None:
        """End the thread. Calls of other threads get no answer any more, nor an error."""
        self.is_serving = False
        self.loop.call_soon_threadsafe(lambda: self.create_task(self._end()))
        self._thread.join(2 * _EXIT_LIMIT)

    async def _end(self) -> None:
        """Cancel all tasks, and end what is kept, the latest first; then stop the loop."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_EXIT_LIMIT)
        for end in [*reversed(self._kept.values())]:
            ending = asyncio.create_task(_quietly(end))
            tasks.add(ending)
            await asyncio.wait([ending], timeout=_EXIT_LIMIT)
        if all(task.done() for task in tasks):  # others are left alone, until the process has ended
            self._is_stopping = True
            self.loop.stop()

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                self.loop.run_forever()
            except BaseException:  # noqa: BLE001 - a SystemExit of a function of the caller; all others go on
                problem = "a function that was called on the event loop has failed"
                _log.exception(problem, extra={"event": "function failed"})
        self.loop.close()


async def _quietly(end: _End) -> None:
    """End something. Its error has no caller any more; what matters of it is in the log."""
    with suppress(Exception):
        await end()


class _DaemonThreads(ThreadPoolExecutor):
    """Executor that runs each function in a daemon thread, which cannot delay the process's end.

    It works until the process ends, while those of `concurrent.futures` stop when the main thread
    ends.
    """

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        future: Future[_T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - whoever awaits the future gets it
                future.set_exception(error)

        threading.Thread(target=run, name="redis-enterprise-actions-call", daemon=True).start()
        return future


class _Process:
    """State of this process: its thread, once there is one."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a signal handler may come while its thread has it
        self.thread: LoopThread | None = None
        self.has_ended = False


_process = _Process()
_of_parents: Final[list[LoopThread]] = []


def process_lock() -> threading.RLock:
    """Return the lock of the state that all threads of this process share."""
    return _process.lock


def loop_thread() -> LoopThread:
    """Return the thread of this process; start it if there is none. The caller has the lock.

    Raises `ClientClosed` at the end of the process.
    """
    if _process.has_ended:
        raise ClientClosed
    if _process.thread is not None:
        return _process.thread
    thread = LoopThread()
    try:
        thread.start()
        if _process.thread is None:  # else a signal handler has started one meanwhile
            _process.thread = thread
        return _process.thread
    finally:
        if _process.thread is not thread:
            thread.discard()


def has_process_ended() -> bool:
    """Return True at the end of the process, when threads other than the main one are daemons."""
    return _process.has_ended


def refuse_at_exit() -> NoReturn:
    """Raise `ClientClosed`, or let a daemon thread wait until the process has ended.

    An error would only show as the traceback of a thread that ends with the process anyway.
    """
    if threading.current_thread().daemon:
        threading.Event().wait()
    raise ClientClosed


def present_thread() -> LoopThread | None:
    """Return the thread of this process, if there is one that serves."""
    return _process.thread


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of asyncio's own, whatever loop the program uses elsewhere."""
    loop = asyncio.new_event_loop() if sys.platform == "win32" else asyncio.SelectorEventLoop()
    loop.set_default_executor(_DaemonThreads())
    return loop


def _forget_parent() -> None:
    """Begin anew in the child of a fork, which has neither the thread nor the holders of locks."""
    global _process  # noqa: PLW0603 - the state of the process is one
    thread = _process.thread
    if thread is not None:
        thread.is_serving, thread.is_of_parent = False, True
        _of_parents.append(thread)
    _process = _Process()


def _stop() -> None:
    """End the thread at the end of the process."""
    with _process.lock:
        thread, _process.thread, _process.has_ended = _process.thread, None, True
    if thread is not None:
        thread.stop()


def _register_at_fork() -> None:
    register = getattr(os, "register_at_fork", None)
    if register is not None:  # Windows has no fork
        register(after_in_child=_forget_parent)


atexit.register(_stop)
_register_at_fork()
