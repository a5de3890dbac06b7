"""Links from the synchronous classes to the asynchronous ones."""

from __future__ import annotations

import math
import warnings
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from redis_enterprise_actions import ActionsClient, ClientClosed, UsageError
from redis_enterprise_actions._client.client import moved_operation
from redis_enterprise_actions._client.resources.resource import as_list

from ._arguments import check_plain
from ._caller import Caller
from ._loop import has_process_ended, loop_thread, present_thread, process_lock, refuse_at_exit
from ._misuse import NoAsyncWith
from ._observer import unforked


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
    from contextlib import AbstractAsyncContextManager
    from contextvars import Context
    from types import TracebackType

    from redis_enterprise_actions import Action, Observer, Operation, OperationResult

    from ._loop import LoopThread

_T = TypeVar("_T")
_R_co = TypeVar("_R_co", covariant=True)


class Link:
    """Link from a synchronous client to an asynchronous one, which each process has its own of.

    `make` makes an asynchronous client.
    """

    def __init__(self, make: Callable[[], ActionsClient]) -> None:
        self._thread: LoopThread | None = None  # the one that has used the client
        self._is_closed = False
        self._make = make
        self._observers: list[Observer] = []
        self._client = make()

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of the cluster's nodes."""
        return self._client.urls

    @property
    def poll_context(self) -> Context:
        """The context variables that polls see."""
        return self._client.poll_context

    def use(self) -> tuple[LoopThread, ActionsClient]:
        """Return the thread and the asynchronous client of this process. Raises `ClientClosed`."""
        if self._is_closed:
            raise ClientClosed
        if has_process_ended():
            refuse_at_exit()
        thread = self._thread
        if thread is not None and thread is present_thread():
            return thread, self._client
        with process_lock():
            thread = loop_thread()
            if self._thread is not thread:
                if self._thread is not None:  # in the child of a fork
                    self._client = self._made_again()
                thread.keep(self._client, self._client.aclose)
                self._thread = thread
            return thread, self._client

    def call(self, function: Callable[[ActionsClient, Caller], Awaitable[_T]]) -> _T:
        """Return what a coroutine of the client returns, or raise its error."""
        thread, client = self.use()
        caller = Caller(thread)
        return caller.run(lambda: function(client, caller))

    def start(
        self, function: Callable[[ActionsClient, Caller], Awaitable[Operation[_T]]]
    ) -> Work[_T]:
        """Return the work that a call of the client has started."""
        thread, client = self.use()
        caller = Caller(thread)
        return Work(self, client, caller.run(lambda: function(client, caller)))

    def make(self, function: Callable[[ActionsClient], Operation[_T]]) -> Work[_T]:
        """Return the work that a function of the client returns, called on the loop."""

        async def on_loop(client: ActionsClient, _: Caller) -> Operation[_T]:
            return function(client)

        return self.start(on_loop)

    def work(self, function: Callable[[ActionsClient], Operation[_T]]) -> Work[_T]:
        """Return the work that a function of the client returns at once."""
        return Work(self, self._client, function(self._client))

    def iterate(
        self, function: Callable[[ActionsClient, Caller], AsyncGenerator[Action, None]]
    ) -> Generator[Action, None, None]:
        """Return an iterator over what an asynchronous one yields."""
        thread, client = self.use()
        caller = Caller(thread)

        async def begin() -> AsyncGenerator[Action, None]:
            return function(client, caller)

        return _steps(self, caller, caller.run(begin))

    def enter(
        self, function: Callable[[ActionsClient, Caller], AbstractAsyncContextManager[_T]]
    ) -> AbstractContextManager[_T]:
        """Return a context manager that enters and leaves an asynchronous one."""
        thread, client = self.use()
        caller = Caller(thread)

        async def begin() -> AbstractAsyncContextManager[_T]:
            return function(client, caller)

        return _Context(self, caller, caller.run(begin))

    def observe(self, observer: Observer) -> None:
        """Call an observer for each wait from now on, also in children of this process."""
        check_plain(observer, "observer")
        observer = unforked(observer)
        self._client.observe(observer)
        self._observers.append(observer)

    def close(self) -> None:
        """Close the client of this process, and all that are made later."""
        thread, client = self._thread, self._client
        if thread is None or not thread.is_serving:
            self._is_closed = True
            return

        async def close() -> None:
            self._is_closed = True  # not before the rest is certain to follow
            try:
                await client.aclose()
            finally:
                thread.drop(client)

        Caller(thread).finish(close)

    def _made_again(self) -> ActionsClient:
        client = self._make()
        for variable, value in self._client.poll_context.items():
            client.poll_context.run(variable.set, value)
        for observer in self._observers:
            client.observe(observer)
        return client

    def __del__(self) -> None:
        thread = self._thread
        if thread is None or self._is_closed or not thread.is_serving:
            return
        client = self._client
        thread.run_soon(client.aclose)
        thread.drop(client)
        warnings.warn(f"unclosed {client!r}", ResourceWarning, source=self, stacklevel=2)


class Work(Generic[_R_co]):
    """Link from a synchronous `Operation` to an asynchronous one."""

    def __init__(self, link: Link, client: ActionsClient, operation: Operation[_R_co]) -> None:
        self._link = link
        self._client = client
        self.operation = operation

    def on(self, client: ActionsClient) -> Operation[_R_co]:
        """Return the operation on the client of this process."""
        if self._client is not client:
            self.operation = moved_operation(self.operation, client)
            self._client = client
        return self.operation

    def call(self, function: Callable[[Operation[_R_co], Caller], Awaitable[_T]]) -> _T:
        """Return what a coroutine of the operation returns, or raise its error."""
        return self._link.call(lambda client, caller: function(self.on(client), caller))

    def iterate(
        self, function: Callable[[Operation[_R_co], Caller], AsyncGenerator[Action, None]]
    ) -> Generator[Action, None, None]:
        """Return an iterator over what an asynchronous one yields."""
        return self._link.iterate(lambda client, caller: function(self.on(client), caller))


def _steps(
    link: Link,  # noqa: ARG001 - the client stays open during the iteration
    caller: Caller,
    updates: AsyncGenerator[Action, None],
) -> Generator[Action, None, None]:
    """Yield what an asynchronous generator yields; close it at the end."""
    thread = caller.thread
    thread.keep(updates, updates.aclose)

    async def step() -> Action | None:
        return await anext(updates, None)

    try:
        while (action := caller.run(step)) is not None:
            yield action
    finally:
        if thread.is_own:  # the garbage collector has found this, and may run in any thread
            thread.run_soon(updates.aclose)
        elif thread.is_serving:
            caller.end(updates.aclose)
        if not thread.is_of_parent:
            thread.drop(updates)


class _Context(NoAsyncWith, AbstractContextManager[_T]):
    """Context manager that enters and leaves an asynchronous one.

    What it has to undo is not cut short by an interruption, but for a second one.
    """

    def __init__(
        self, link: Link, caller: Caller, manager: AbstractAsyncContextManager[_T]
    ) -> None:
        self._link = link  # which stays open
        self._caller = caller
        self._manager = manager
        self._is_entered = False  # belongs to the loop, as long as that works on the manager

    def __enter__(self) -> _T:
        thread = self._caller.thread
        thread.keep(self, self._leave)
        try:
            return self._caller.run(self._enter, patience=math.inf)
        except BaseException as error:
            if self._is_entered:  # an interruption came when the loop had entered
                leave = partial(self._leave, type(error), error, error.__traceback__)
                self._caller.finish(leave, patience=0.0)
            thread.drop(self)
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if self._caller.thread.is_of_parent:  # which leaves it
            return None
        leave = partial(self._leave, exc_type, exc, traceback)
        try:
            return self._caller.finish(leave, patience=math.inf)
        except BaseException:
            if self._is_entered:  # an interruption came before the loop was told to leave
                self._caller.finish(leave, patience=0.0)
            raise

    async def _enter(self) -> _T:
        entered = await self._manager.__aenter__()
        self._is_entered = True
        return entered

    async def _leave(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> bool | None:
        """Leave the manager, once, if it was entered."""
        if not self._is_entered:
            return None
        self._is_entered = False
        try:
            return await self._manager.__aexit__(exc_type, exc, traceback)
        finally:
            self._caller.thread.drop(self)


def operations_on(client: ActionsClient, operations: Iterable[object]) -> list[Operation | str]:
    """Return operations as a client of this process takes them, and references as they are.

    Raises `UsageError` for an `Operation` of the asynchronous client.
    """
    found: list[Operation | str] = []
    for each in operations:
        work = getattr(each, "_work", None)
        if isinstance(work, Work):
            found.append(cast("Work[OperationResult]", work).on(client))
        elif isinstance(each, str):
            found.append(each)
        else:
            raise UsageError(
                f"{each!r:.100} is neither a reference nor an Operation of the synchronous client: "
                "take it from a client of redis_enterprise_actions.sync"
            )
    return found


def clients_of(others: Iterable[object]) -> list[ActionsClient]:
    """Return the asynchronous clients of synchronous ones. Raises `UsageError` for other things."""
    links: list[Link] = []
    for each in as_list(others, "others"):
        link = getattr(getattr(each, "crdbs", None), "_link", None)
        if not isinstance(link, Link):
            raise UsageError(
                "others= is not a list of synchronous clients: take them from "
                "redis_enterprise_actions.sync"
            )
        links.append(link)
    return [link.use()[1] for link in links]
