"""Arguments of the synchronous client, as the asynchronous one takes them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions import UsageError


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

_T = TypeVar("_T")
_NO_ERRORS: Final = (StopIteration, StopAsyncIteration)  # no future can hold them


def check_plain(function: Callable[..., object], argument: str) -> None:
    """Raise `UsageError` for a coroutine function, which nothing would await."""
    called = function
    while isinstance(called, partial):
        called = called.func
    if inspect.iscoroutinefunction(called) or inspect.iscoroutinefunction(
        getattr(called, "__call__", None)  # noqa: B004 - that of an instance's class
    ):
        raise _not_plain(argument, "is a coroutine function")


def plain_result(result: _T, argument: str) -> _T:
    """Return the result of a callback. Raises `UsageError` for one that nothing would await."""
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise _not_plain(argument, "returned an awaitable")
    return result


def plain_token(token: str | Callable[[], str] | None) -> str | Callable[[], Awaitable[str]] | None:
    """Return a token as it is, and instead of a function one that calls it in a thread."""
    if not callable(token):
        return token
    check_plain(token, "token")
    function = token

    def call() -> str:
        try:
            return plain_result(function(), "token")
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, _NO_ERRORS):
                raise
            problem = f"token= raised {type(error).__name__} instead of a token"
            raise UsageError(problem) from error

    async def in_thread() -> str:
        return await asyncio.to_thread(call)

    return in_thread


def kept(values: Iterable[_T]) -> Iterable[_T]:
    """Return values that can be read again in the child of a fork."""
    return tuple(values) if isinstance(values, Iterator) else values


def _not_plain(argument: str, problem: str) -> UsageError:
    return UsageError(
        f"{argument}= {problem}: the synchronous client takes plain functions. Use the "
        "ActionsClient of redis_enterprise_actions for asynchronous ones"
    )
