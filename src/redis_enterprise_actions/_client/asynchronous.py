"""Errors for code that treats what is asynchronous as if it were not.

The methods that only raise are hidden from type checkers, which report such code themselves.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from types import TracebackType

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

_SYNC: Final = "or use redis_enterprise_actions.sync"


class NotAsynchronous(UsageError, TypeError):
    """A `with` or a `for` without `async`."""


class NoWith:
    """Base of asynchronous context managers: `with` raises an error that names `async with`."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __enter__(self) -> NoReturn:
            raise NotAsynchronous(f"use `async with` instead of `with`, {_SYNC}")

        def __exit__(self, *_: object) -> None:
            """Never called."""


class NoFor:
    """Base of asynchronous iterables: `for` raises an error that names `async for`."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise NotAsynchronous(f"use `async for` instead of `for`, {_SYNC}")


class AsyncContext(NoWith, AbstractAsyncContextManager[_T_co]):
    """Asynchronous context manager around another one."""

    __slots__ = ("_context",)

    def __init__(self, context: AbstractAsyncContextManager[_T_co]) -> None:
        self._context = context

    async def __aenter__(self) -> _T_co:
        return await self._context.__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._context.__aexit__(exc_type, exc, traceback)


class AsyncItems(NoFor, AsyncGenerator[_T, None]):
    """Asynchronous generator around another one, which `async for` iterates over directly."""

    __slots__ = ("_items",)

    def __init__(self, items: AsyncGenerator[_T, None]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[_T]:
        return self._items

    def __anext__(self) -> Coroutine[object, object, _T]:
        return self._items.__anext__()

    def asend(self, value: None, /) -> Coroutine[object, object, _T]:
        return self._items.asend(value)

    def athrow(self, *error: Any) -> Coroutine[object, object, _T]:  # noqa: ANN401 - two forms
        return self._items.athrow(*error)

    def aclose(self) -> Coroutine[object, object, None]:
        return self._items.aclose()
