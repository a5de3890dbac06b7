"""Who is waiting: runs waits, each to its end.

Is given the asking as coroutine functions and never learns what they ask; all decisions are
`_wait.Wait`'s. A wait runs in the task of whoever awaits it, so nothing is left behind when
that task is cancelled.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from typing import TYPE_CHECKING

from ._errors import ActionStalled, ActionVanished, RequestError


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from ._action import Action
    from ._errors import WaitError
    from ._wait import Wait

    Ask = Callable[[Action | None], Awaitable[Action | None]]
    Settle = Callable[[WaitError], Awaitable[Action | None]]
    OnProgress = Callable[[Action], object]


async def watch(
    wait: Wait, *, ask: Ask, settle: Settle, on_progress: OnProgress | None
) -> AsyncGenerator[Action, None]:
    """Yield the first answer, each change and the terminal one, for as long as `wait` says.

    `ask` is given the action as last seen and returns it as it is now, or None if the cluster
    does not know it. `settle` is asked about a vanished or stalled action: it returns the
    action if that is known to have ended nevertheless, or None.
    """
    clock = asyncio.get_running_loop().time
    while True:
        news = await _look(wait, ask, settle, clock)
        if news is not None:
            if on_progress is not None:
                await _tell(on_progress, news, wait)
            yield news
        if wait.over:
            return
        await asyncio.sleep(wait.rest(clock()))


async def _look(wait: Wait, ask: Ask, settle: Settle, clock: Callable[[], float]) -> Action | None:
    """Ask once; return the action if it is news."""
    try:
        async with asyncio.timeout_at(_finite(wait.asking(clock()))):
            found = await ask(wait.action)
            try:
                news = wait.heard(found, clock())
            except (ActionVanished, ActionStalled) as doubt:
                ended = await settle(doubt)
                if ended is None:
                    raise
                news = wait.heard(ended, clock())
    except TimeoutError:
        wait.cut(clock())
        return None
    except RequestError as error:
        wait.failed(error, clock())
        return None
    return wait.action if news else None


async def _tell(on_progress: OnProgress, action: Action, wait: Wait) -> None:
    """Call back; awaiting is cut short at the deadline, unless the action has ended."""
    told = on_progress(action)
    if not inspect.isawaitable(told):
        return
    if wait.over:
        await told
        return
    limit = asyncio.timeout_at(_finite(wait.deadline))
    try:
        async with limit:
            await told
    except TimeoutError:
        if not limit.expired():
            raise


def _finite(when: float) -> float | None:
    return None if when == math.inf else when
