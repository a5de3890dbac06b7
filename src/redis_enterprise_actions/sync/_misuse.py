"""Errors for code that treats what is synchronous as if it were not.

The methods are hidden from type checkers, which report such code themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions import UsageError


if TYPE_CHECKING:
    from typing import NoReturn

_ASYNC: Final = "or for asynchronous code the package redis_enterprise_actions"


class NotSynchronous(UsageError, TypeError):
    """An `async with` or an `async for` where there is nothing asynchronous."""


class NoAsyncWith:
    """Base of context managers: `async with` raises an error that names `with`."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __aenter__(self) -> NoReturn:
            raise NotSynchronous(f"use `with` instead of `async with`, {_ASYNC}")

        def __aexit__(self, *_: object) -> None:
            """Never called."""


class NoAsyncFor:
    """Base of iterables: `async for` raises an error that names `for`."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __aiter__(self) -> NoReturn:
            raise NotSynchronous(f"use `for` instead of `async for`, {_ASYNC}")
