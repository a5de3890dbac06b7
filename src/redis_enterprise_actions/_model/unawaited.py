"""Coroutines that were passed in place of their results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import CoroutineType
from typing import Any, Final, cast

from .errors import UsageError


_DEPTH: Final = 4  # of containers in one another that are searched


def refuse_unawaited(*values: object, argument: str | None = None) -> None:
    """Raise `UsageError` if a value is or holds a coroutine, and close all such coroutines.

    Lists, tuples, sets and mappings are searched. A closed one makes no warning that it was never
    awaited. `argument` is that of a callback.
    """
    coroutines = list(_coroutines_in(values, _DEPTH))
    for coroutine in coroutines:
        coroutine.close()
    if not coroutines:
        return
    call = f"{coroutines[0].__qualname__}(...)"
    if argument is None:
        raise UsageError(f"{call} was not awaited: write `await` before the call")
    raise UsageError(f"{argument}={call} was not awaited: pass the function itself, not its call")


def _coroutines_in(values: Iterable[object], depth: int) -> Iterator[CoroutineType[Any, Any, Any]]:
    for value in values:
        if isinstance(value, CoroutineType):
            yield value
        elif depth and isinstance(value, Mapping):
            yield from _coroutines_in(cast("Mapping[object, object]", value).values(), depth - 1)
        elif depth and isinstance(value, list | tuple | set | frozenset):
            yield from _coroutines_in(cast("Iterable[object]", value), depth - 1)
