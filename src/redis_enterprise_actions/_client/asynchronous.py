"""Errors for code that treats what is asynchronous as if it were not.

The methods that only raise are hidden from type checkers, which report such code themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import AsyncGeneratorType, TracebackType
    from typing import Self

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

_SYNC: Final = "or use redis_enterprise_actions.sync"
_OTHER_LOOP: Final = (
    "the iteration began in another event loop and cannot go on in this one: make the client and "
    f"iterate inside one coroutine that asyncio.run() runs, {_SYNC}"
)


class NotAsynchronous(UsageError, TypeError):
    """A `with`, a `for` or a `next()` without what makes it asynchronous."""


class NoWith:
    """Base of asynchronous context managers: `with` raises an error that names `async with`."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __enter__(self) -> NoReturn:
            raise NotAsynchronous(f"use `async with` instead of `with`, {_SYNC}")

        def __exit__(self, *_: object) -> None:
            """Never called."""


class NoFor:
    """Base of asynchronous iterables: `for` and `next` raise errors that name `async for`."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise NotAsynchronous(f"use `async for` instead of `for`, {_SYNC}")

        def __next__(self) -> NoReturn:
            raise NotAsynchronous(
                f"use `async for` or `await anext()` instead of `next()`, {_SYNC}"
            )


class AsyncContext(NoWith, AbstractAsyncContextManager[_T_co]):
    """Asynchronous context manager around another one, which can be entered once."""

    __slots__ = ("_context", "_is_used")

    def __init__(self, context: AbstractAsyncContextManager[_T_co]) -> None:
        self._context = context
        self._is_used = False

    async def __aenter__(self) -> _T_co:
        if self._is_used:
            raise UsageError("this context was entered before; call the method again for another")
        self._is_used = True
        return await self._context.__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._context.__aexit__(exc_type, exc, traceback)

    if not TYPE_CHECKING:

        def __await__(self) -> NoReturn:
            raise NotAsynchronous(f"use `async with` instead of `await`, {_SYNC}")


class AsyncItems(NoFor, AsyncGenerator[_T, None]):
    """Asynchronous generator around another one, whose steps are awaited directly.

    The end of an event loop closes the inner generator, which then looks as if it had come to its
    end: a step in another loop raises `UsageError` instead.
    """

    __slots__ = ("_items", "_loop")

    def __init__(self, items: AsyncGenerator[_T, None]) -> None:
        self._items = cast("AsyncGeneratorType[_T, None]", items)
        self._loop: asyncio.AbstractEventLoop | None = None  # that of the last step

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[object, object, _T]:
        self._enter()
        return self._items.__anext__()

    def asend(self, value: None, /) -> Coroutine[object, object, _T]:
        self._enter()
        return self._items.asend(value)

    def athrow(self, *error: Any) -> Coroutine[object, object, _T]:  # noqa: ANN401 - two forms
        return self._items.athrow(*error)

    def aclose(self) -> Coroutine[object, object, None]:
        return self._items.aclose()

    def _enter(self) -> None:
        """Note the loop of a step. Raises `UsageError` if the items ended in another loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # the caller awaits the step later
            loop = None
        began = self._loop
        if self._items.ag_frame is not None:  # not closed
            self._loop = loop or began
        elif began is not None and began is not loop and (loop is not None or began.is_closed()):
            raise UsageError(_OTHER_LOOP)
