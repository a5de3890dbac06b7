"""Timers of the poll loop: a sleep that can be ended early, an alarm, a stopwatch."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.pacing.schedules import TICK


if TYPE_CHECKING:
    from collections.abc import Callable


_BEAT: Final = 0.05  # seconds


class Stopwatch:
    """How long a request takes, without the time for which our own loop was held up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._began = loop.time()
        self._held_up = 0.0
        self._beat = loop.call_later(_BEAT, self._late)

    def took(self) -> float:
        """Return the seconds so far."""
        now = self._loop.time()
        return now - self._began - self._held_up - max(0.0, now - self._beat.when())

    def stop(self) -> None:
        self._beat.cancel()

    def _late(self) -> None:
        self._held_up += max(0.0, self._loop.time() - self._beat.when())
        self._beat = self._loop.call_later(_BEAT, self._late)


class Nap:
    """A sleep that may be ended sooner. `until` is when it ends at the latest."""

    def __init__(self) -> None:
        self.until = -math.inf
        self._sleep: asyncio.Future[None] | None = None

    async def was_ended_before(self, when: float) -> bool:
        """Sleep until `when`; return whether somebody has ended it sooner."""
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
        """End it, if there is one."""
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)


class Timer:
    """Calls at a moment, if there is one: `when`."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._timer: asyncio.TimerHandle | None = None

    @property
    def when(self) -> float:
        """When it calls."""
        return math.inf if self._timer is None else self._timer.when()

    def set(self, when: float) -> None:
        """Let it call at another moment; at none, if that is endless."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if when < math.inf:
            self._timer = asyncio.get_running_loop().call_at(when, self._call)
