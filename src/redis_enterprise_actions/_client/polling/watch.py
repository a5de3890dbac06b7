"""`watch`: the updates of one wait as an async iterator, with its callbacks and observers.

It runs in the task that awaits it, so that a slow or failing callback concerns this task only.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions._model.text import one_line

from .waiters import Waiter


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence

    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.record import Observer, Record, Recorder

    from .poller import Poller
    from .wait_state import WaitState

    OnProgress = Callable[[Action], object]

_T = TypeVar("_T")

_log = logging.getLogger(__name__)
_ON_PROGRESS: Final = "on_progress"  # the argument of a wait
# Beginnings of the messages with which Python replaces StopIteration and StopAsyncIteration.
_BY_PYTHON = tuple(f"{kind} raised Stop" for kind in ("coroutine", "generator", "async generator"))


async def watch(
    poller: Poller, state: WaitState, *, on_progress: OnProgress | None, every_update: bool = True
) -> AsyncGenerator[Action, None]:
    """Yield the first answer, each change, and the end: of the work, or of the condition after it.

    Without `every_update`, only the end is yielded.
    """
    clock = asyncio.get_running_loop().time
    listens = every_update or on_progress is not None or state.early_end is not None
    waiter = Waiter(state, every_update=listens)
    while not state.is_done:
        try:
            poller.add(waiter)
            await waiter.future
        finally:
            poller.remove(waiter)
            await poller.drain()
        if state.error is not None:
            state.close(clock())
        action = state.action
        assert action is not None
        if state.early_end is not None and await _is_reached(state.early_end, action, state):
            state.end_early()
        if state.begin_next(clock()):
            waiter = Waiter(state, every_update=listens)
        if on_progress is not None:
            await _run_callback(on_progress, action, state)
        if state.error is not None:
            state.close(clock())
        yield state.last_item(clock()) if state.is_done else action


@contextmanager
def observed(
    state: WaitState, recorder: Recorder | None, observers: Sequence[Observer]
) -> Generator[None]:
    """Give the record of a wait to its recorder and its observers, as it begins and as it ends."""
    clock = asyncio.get_running_loop().time
    if recorder is not None:
        recorder.add(lambda: state.current_record(clock()))
    on_ended = _notify(observers, state.current_record(clock())) if observers else []
    try:
        yield
    finally:
        _notify(on_ended, state.final_record(clock()))


def _notify(observers: Iterable[Callable[[Record], _T]], record: Record) -> list[_T]:
    """Call the observers and return their results. An error of theirs is logged."""
    returned: list[_T] = []
    for observer in observers:
        try:
            returned.append(observer(record))
        except Exception:  # noqa: BLE001 - an observer can raise anything, and the wait continues
            fields = {"event": "observer failed", "ref": record.ref}
            message = "an observer of the wait for %s failed"
            _log.exception(message, one_line(record.ref), extra=fields)
    return returned


async def _is_reached(
    early_end: Callable[[Action], object], action: Action, state: WaitState
) -> bool:
    """Return True if the goal of a wait is reached, unless that takes until the deadline."""
    return bool(await _run_callback(early_end, action, state, name="until"))


async def _run_callback(
    callback: Callable[[Action], object], action: Action, state: WaitState, name: str = _ON_PROGRESS
) -> object:
    """Call a function of the user, and await it at most until the deadline unless it is the end."""
    is_limited = not state.is_done and state.deadline < math.inf
    limit = asyncio.timeout_at(state.deadline if is_limited else None)
    try:
        async with limit:
            return await call_back(callback, action, name)
    except TimeoutError:
        if not limit.expired():
            raise
    return None


async def call_back(
    callback: Callable[[Action], object], action: Action, argument: str = _ON_PROGRESS
) -> object:
    """Call a function of the user, and return its result, awaited if it has to be.

    Its error is raised unchanged. But StopIteration and StopAsyncIteration would end an iterator
    that awaits this: they are the cause of a `RuntimeError`.
    """
    try:
        result = callback(action)
        return await result if inspect.isawaitable(result) else result
    except (StopIteration, StopAsyncIteration, RuntimeError) as error:
        # Of a coroutine that raises StopIteration, Python itself makes a RuntimeError.
        is_converted = isinstance(error, RuntimeError) and str(error).startswith(_BY_PYTHON)
        stop = error.__cause__ if is_converted else error
        if not isinstance(stop, StopIteration | StopAsyncIteration):
            raise
        # Not its `repr`: that of a functools.partial shows arguments, which may be secrets.
        name = getattr(callback, "__qualname__", type(callback).__name__)
        raise RuntimeError(f"{argument}={name} raised {type(stop).__name__}") from stop
