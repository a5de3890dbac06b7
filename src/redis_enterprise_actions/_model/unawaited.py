"""Coroutines that were passed in place of their results."""

from __future__ import annotations

from types import CoroutineType

from .errors import UsageError


def refuse_unawaited(*values: object, argument: str | None = None) -> None:
    """Raise `UsageError` if a value is a coroutine, and close all coroutines among the values.

    A closed one makes no warning that it was never awaited. `argument` is that of a callback.
    """
    coroutines: list[CoroutineType[object, object, object]] = [
        each for each in values if isinstance(each, CoroutineType)
    ]
    for coroutine in coroutines:
        coroutine.close()
    if not coroutines:
        return
    call = f"{coroutines[0].__qualname__}(...)"
    if argument is None:
        raise UsageError(f"{call} was not awaited: write `await` before the call")
    raise UsageError(f"{argument}={call} was not awaited: pass the function itself, not its call")
