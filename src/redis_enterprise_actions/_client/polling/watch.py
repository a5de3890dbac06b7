"""`watch`: the updates of one wait as an async iterator, with its callbacks and observers.

It runs in the task that awaits it, so that a slow or failing callback concerns this task only.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

from redis_enterprise_actions._model.errors import RequestError, WaitError

from .waiters import Waiter


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.record import Observer, Record, Recorder
    from redis_enterprise_actions._model.reference import Reference

    from .poller import Poller
    from .wait_state import WaitState

    OnProgress = Callable[[Action], object]

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


async def watch(
    poller: Poller,
    state: WaitState,
    *,
    on_progress: OnProgress | None,
    every_update: bool = True,
    recorder: Recorder | None = None,
    observers: Sequence[Observer] = (),
    following: Callable[[Reference], AbstractContextManager[object]] = nullcontext,
) -> AsyncGenerator[Action, None]:
    """Yield the first answer, each change, and the end.

    Without `every_update`, only the end is yielded. `following` is entered for as long as the wait
    lasts.
    """
    clock = asyncio.get_running_loop().time
    if recorder is not None:
        recorder.add(lambda: state.current_record(clock()))
    on_ended = _notify(observers, state.current_record(clock())) if observers else []
    waiter = Waiter(state, every_update=every_update or on_progress is not None)
    try:
        with following(state.ref):
            while not state.is_done:
                try:
                    action = await poller.next_update(waiter)
                except (WaitError, RequestError) as error:
                    state.final_record(clock(), error)
                    raise
                if on_progress is not None:
                    await _run_callback(on_progress, action, state)
                yield state.finished_action(clock()) if state.is_done else action
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
            _log.exception("an observer of the wait for %s failed", record.ref, extra=fields)
    return returned


async def _run_callback(on_progress: OnProgress, action: Action, state: WaitState) -> None:
    """Call `on_progress` and await its result, at most until the deadline unless it is the end."""
    result = on_progress(action)
    if not inspect.isawaitable(result):
        return
    if state.is_done:
        await result
        return
    limit = asyncio.timeout_at(None if state.deadline == math.inf else state.deadline)
    try:
        async with limit:
            await result
    except TimeoutError:
        if not limit.expired():
            raise
