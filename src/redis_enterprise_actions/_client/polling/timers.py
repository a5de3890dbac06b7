"""Timers of the poll loop."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.pacing.schedules import TICK


if TYPE_CHECKING:
    from collections.abc import Callable


_BEAT: Final = 0.05  # seconds


class Stopwatch:
    """Duration of a request, without the time in which the event loop itself was blocked."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._began = loop.time()
        self._held_up = 0.0
        self._beat = loop.call_later(_BEAT, self._late)

    def took(self) -> float:
        """Return the duration so far, in seconds."""
        now = self._loop.time()
        return now - self._began - self._held_up - max(0.0, now - self._beat.when())

    def stop(self) -> None:
        self._beat.cancel()

    def _late(self) -> None:
        self._held_up += max(0.0, self._loop.time() - self._beat.when())
        self._beat = self._loop.call_later(_BEAT, self._late)


class Nap:
    """Interruptible sleep of the poll loop. `until` is its end, or `-inf` while awake."""

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
        timer = loop.call_at(when, self.end)
        try:
            await self._sleep
            return loop.time() < when - TICK
        finally:
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
