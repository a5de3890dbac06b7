"""Timers of the poll loop."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from redis_enterprise_actions._client.pacing.schedules import TICK


if TYPE_CHECKING:
    from collections.abc import Callable


class InterruptibleSleep:
    """Sleep of a task that others can end. `until` is its end, or `-inf` while awake."""

    def __init__(self) -> None:
        self.until = -math.inf
        self._sleep: asyncio.Future[None] | None = None

    async def was_ended_before(self, when: float) -> bool:
        """Sleep until `when`. Return True if the sleep was interrupted."""
        loop = asyncio.get_running_loop()
        if when <= loop.time():
            return False
        self._sleep = loop.create_future()
        self.until = when
        timer = None if when == math.inf else loop.call_at(when, self.end)
        try:
            await self._sleep
            return loop.time() < when - TICK
        finally:
            if timer is not None:
                timer.cancel()
            self._sleep = None
            self.until = -math.inf

    def end(self) -> None:
        """Interrupt the sleep, if there is one."""
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)


class Timer:
    """Timer that calls a function at one time, which can be moved."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._handle: asyncio.TimerHandle | None = None

    @property
    def when(self) -> float:
        """The time of the call; `inf` if none is planned."""
        return math.inf if self._handle is None else self._handle.when()

    def set(self, when: float) -> None:
        """Move the call to another time; `inf` cancels it."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None
        if when < math.inf:
            self._handle = asyncio.get_running_loop().call_at(when, self._call)
