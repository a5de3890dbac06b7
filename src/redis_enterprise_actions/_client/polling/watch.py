"""What one who waits gets to see: the news of an action, and callbacks about them.

Runs in the task of whoever awaits it, so that a slow or failing callback is that task's own
trouble. Refuses to know who else waits.
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
    """Yield the first answer, each change and the terminal one, for as long as `wait` says.

    Unless `every` one is wanted, only the terminal one is yielded. Meanwhile it is in the context
    that `following` returns.
    """
    clock = asyncio.get_running_loop().time
    if recorder is not None:
        recorder.add(lambda: state.current_record(clock()))
    ends = _notify(observers, state.current_record(clock())) if observers else []
    waiter = Waiter(state, every_update=every_update or on_progress is not None)
    try:
        with following(state.ref):
            while not state.is_done:
                action = await _next_update(poller, waiter, clock)
                if on_progress is not None:
                    await _run_callback(on_progress, action, state)
                yield state.finished_action(clock()) if state.is_done else action
    finally:
        _notify(ends, state.final_record(clock()))


def _notify(observers: Iterable[Callable[[Record], _T]], record: Record) -> list[_T]:
    """Tell who observes the wait, and return what they return; their errors are nobody's end."""
    returned: list[_T] = []
    for observer in observers:
        try:
            returned.append(observer(record))
        except Exception:  # noqa: BLE001 - whatever it is, the wait goes on
            fields = {"event": "observer failed", "ref": record.ref}
            _log.exception("an observer of the wait for %s failed", record.ref, extra=fields)
    return returned


async def _next_update(poller: Poller, waiter: Waiter, clock: Callable[[], float]) -> Action:
    """Return the next news; what ends the wait instead tells what it has been through."""
    try:
        return await poller.next_update(waiter)
    except (WaitError, RequestError) as error:
        waiter.state.final_record(clock(), error)
        raise


async def _run_callback(on_progress: OnProgress, action: Action, state: WaitState) -> None:
    """Call back; awaiting is cut short at the deadline, unless the action has ended."""
    told = on_progress(action)
    if not inspect.isawaitable(told):
        return
    if state.is_done:
        await told
        return
    limit = asyncio.timeout_at(None if state.deadline == math.inf else state.deadline)
    try:
        async with limit:
            await told
    except TimeoutError:
        if not limit.expired():
            raise
