"""Calls of threads: a coroutine that runs on the loop, and the callbacks that run in the thread."""

from __future__ import annotations

import asyncio
import math
import sys
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar, cast

from redis_enterprise_actions import ClientClosed, RedisActionsError, UsageError

from ._arguments import check_plain, plain_result


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from redis_enterprise_actions import Action
    from redis_enterprise_actions._client.goals import Until

    from ._loop import LoopThread

    Answer = asyncio.Future[tuple[object, Exception | None]]

_T = TypeVar("_T")

_PATIENCE: Final = 5.0  # seconds in which a coroutine ends that was cancelled
# Windows does not interrupt a thread that waits for a lock.
_LONGEST_WAIT: Final = 0.1 if sys.platform == "win32" else math.inf


class _Post(NamedTuple):
    """Call of a callback, for the thread that waits."""

    function: Callable[[Action], object]
    action: Action
    argument: str
    answer: Answer


class Caller:
    """Thread that makes one call, or takes the steps of one iteration."""

    def __init__(self, thread: LoopThread) -> None:
        thread.check_thread()
        self.thread = thread
        self._run: _Run[object] | None = None

    def run(self, function: Callable[[], Awaitable[_T]], *, patience: float = _PATIENCE) -> _T:
        """Return what a coroutine on the loop returns, or raise its error.

        An exception that is raised in this thread meanwhile, such as `KeyboardInterrupt`, cancels
        the coroutine, and goes on when that has ended, or after `patience` seconds.
        """
        run = _Run(self.thread, function)
        self._run = cast("_Run[object]", run)
        return run.wait(patience)

    def finish(self, function: Callable[[], Awaitable[_T]], *, patience: float = _PATIENCE) -> _T:
        """Do as `run`, but let the coroutine run to its end after an interruption.

        It does so even where the interruption comes before it has begun.
        """
        return _Run(self.thread, function, is_cancellable=False).wait(patience)

    def end(self, function: Callable[[], Awaitable[object]]) -> None:
        """Let a coroutine on the loop end something, and wait for that a while.

        The garbage collector may do so, in a thread that holds locks that the loop needs.
        """
        with suppress(Empty):
            _Run(self.thread, function).wait(0.0, limit=_PATIENCE)

    def callback(
        self, function: Callable[[Action], object] | None, argument: str
    ) -> Callable[[Action], object] | None:
        """Return a coroutine function that calls a function of the user in the user's thread.

        Raises `UsageError` for a coroutine function. What cannot be called is returned as it is.
        """
        if not callable(function):
            return function
        check_plain(function, argument)
        called = function

        async def in_thread(action: Action) -> object:
            assert self._run is not None
            return await self._run.post(called, action, argument)

        in_thread.__qualname__ = getattr(function, "__qualname__", type(function).__name__)
        return in_thread

    def until(self, until: Until | None) -> Until | None:
        """Return a condition as it is, and a function as `callback` does."""
        return self.callback(until, "until") if callable(until) else until


class _Run(Generic[_T]):
    """One coroutine on the loop, and the thread that waits for it."""

    def __init__(
        self,
        thread: LoopThread,
        function: Callable[[], Awaitable[_T]],
        *,
        is_cancellable: bool = True,
    ) -> None:
        self._thread = thread
        self._function: Callable[[], Awaitable[_T]] | None = function
        self._is_cancellable = is_cancellable
        # An interruption may lose a message, so none of them is the only sign of anything.
        self._inbox: SimpleQueue[_Post | None] = SimpleQueue()  # None is the end
        self._has_ended = False
        self._answers: set[Answer] = set()  # those that the thread has not given yet
        self._task: asyncio.Task[None] | None = None
        self._is_interrupted = False
        self._results: list[_T] = []
        self._error: BaseException | None = None
        self._raised: list[tuple[Exception, TracebackType | None]] = []  # by callbacks

    # --- in the thread that waits ---------------------------------------------------------------

    def wait(self, patience: float, *, limit: float = math.inf) -> _T:
        """Begin, call the callbacks, and return the result. Raises `Empty` after `limit`."""
        ends_at = self._thread.loop.time() + limit
        try:
            self._thread.submit(self._begin)  # in a copy of this thread's context
            while (post := self._next(ends_at)) is not None:
                self._call(post)
        except BaseException:
            self._wait_for_end(patience)
            raise
        return self._result()

    def _call(self, post: _Post) -> None:
        """Call a callback, and tell the loop what it has returned or raised.

        What is no `Exception` ends the wait like an interruption.
        """
        if post.answer.done():  # the wait has ended by its time limit
            return
        answer: tuple[object, Exception | None]
        try:
            answer = plain_result(post.function(post.action), post.argument), None
        except Exception as error:  # noqa: BLE001 - the wait raises it
            self._raised.append((error, error.__traceback__))
            answer = None, error
        try:
            self._thread.submit(_answer, post.answer, *answer)
        finally:
            del post, answer  # a traceback in there refers to this frame

    def _wait_for_end(self, patience: float) -> None:
        """Call no callbacks any more, and return when the coroutine has ended."""
        with suppress(ClientClosed, UsageError, Empty):
            self._thread.submit(self._interrupt)
            ends_at = self._thread.loop.time() + patience
            while self._next(ends_at) is not None:
                continue  # the loop has cancelled its answer

    def _next(self, ends_at: float = math.inf) -> _Post | None:
        """Return the next message. Raises `Empty` if there is none until `ends_at`."""
        clock = self._thread.loop.time
        while not self._has_ended:
            limit = min(ends_at - clock(), _LONGEST_WAIT)
            try:
                return self._inbox.get(timeout=None if limit == math.inf else max(limit, 0.0))
            except Empty:
                if clock() >= ends_at:
                    raise
        return None

    def _result(self) -> _T:
        error, self._error = self._error, None
        if error is None:
            return self._results[0]
        error.__traceback__ = self._traceback_of(error)
        self._raised.clear()
        try:
            raise error
        finally:
            del error  # its traceback refers to this frame

    def _traceback_of(self, error: BaseException) -> TracebackType | None:
        """Return the frames to show: of a callback, or of what should not have been raised.

        Frames of the loop tell the caller nothing about errors of this package.
        """
        for raised, traceback in self._raised:
            if raised is error:
                return traceback
        return None if isinstance(error, RedisActionsError) else error.__traceback__

    # --- on the loop ----------------------------------------------------------------------------

    def _begin(self) -> None:
        function, self._function = self._function, None  # it refers to this object
        if function is not None:
            self._task = self._thread.create_task(self._follow(function))
            self._task.add_done_callback(self._end)

    async def _follow(self, function: Callable[[], Awaitable[_T]]) -> None:
        try:
            self._results.append(await function())
        except BaseException as error:  # noqa: BLE001 - a SystemExit would end the loop
            self._error = error

    def _end(self, _: object) -> None:
        # Freed here: an interruption in a finalizer, in the other thread, would be ignored.
        self._task = None
        if self._thread.is_serving:  # at the end of the process, the thread gets no message
            self._has_ended = True
            self._inbox.put(None)

    def _interrupt(self) -> None:
        self._is_interrupted = True
        for answer in self._answers:
            answer.cancel()
        if not self._is_cancellable:
            self._begin()
        elif self._task is not None:
            self._task.cancel()
        elif self._function is not None:
            self._function = None
            self._end(None)

    async def post(
        self, function: Callable[[Action], object], action: Action, argument: str
    ) -> object:
        """Let the thread call a function; return its result, or raise its error."""
        if self._is_interrupted:
            raise asyncio.CancelledError
        answer: Answer = self._thread.loop.create_future()
        self._answers.add(answer)
        self._inbox.put(_Post(function, action, argument, answer))
        try:
            result, error = await answer
        finally:
            self._answers.discard(answer)
        if error is not None:
            raise error
        return result


def _answer(answer: Answer, result: object, error: Exception | None) -> None:
    if not answer.done():
        answer.set_result((result, error))
