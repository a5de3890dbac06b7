"""`RateLimiter`: at most three polls a second, and rests that grow with the cluster's answers."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Final

from .schedules import TICK
from .shared_schedule import GAP


_WINDOW: Final = 1.05  # seconds in which three requests may begin, even urgent ones
_PER_WINDOW: Final = 3
_REST_FACTOR: Final = 9.0  # rest after an answered request, in durations of the request
_MAX_REST: Final = 60.0  # seconds
_CREDIT: Final = 6.0  # seconds of failed requests without a rest
_REFILL: Final = 0.1  # seconds of credit for each second


class RateLimiter:
    """Limit on how often one client polls.

    At most three requests begin in a second. After an answered request the client rests nine times
    its duration, up to a minute. All requests draw on a credit of six seconds, which grows by a
    tenth of the time; after a failed one the client rests until none of it is owed, up to a minute.
    So polling takes at most a tenth of any time, and six seconds, as long as answers take up to
    6.7 s. Urgent requests, those at the limits of waits, are bound by the three a second only.

    `urgent_from` is the earliest time of the next request, and `earliest` that of one which is not
    urgent.
    """

    __slots__ = ("_credit", "_credit_at", "_rest_until", "_starts", "urgent_from")

    def __init__(self) -> None:
        self.urgent_from = -math.inf
        self._starts: deque[float] = deque(maxlen=_PER_WINDOW)
        self._rest_until = -math.inf
        self._credit = _CREDIT
        self._credit_at = -math.inf

    @property
    def earliest(self) -> float:
        """The earliest time of the next request that is not urgent."""
        return max(self._rest_until, self.urgent_from)

    def record_start(self, now: float) -> None:
        """Record that a request begins."""
        self._starts.append(now)
        if len(self._starts) == _PER_WINDOW:
            self.urgent_from = self._starts[0] + _WINDOW

    def record_end(
        self, poll: PollGate, ended: float, duration: float, *, is_answered: bool
    ) -> None:
        """Record a poll that took the cluster `duration` seconds, and was answered or failed."""
        grown = min(_CREDIT, self._credit + _REFILL * (ended - self._credit_at))
        self._credit, self._credit_at = max(-_CREDIT, grown - duration), ended
        if is_answered:
            rest = min(_REST_FACTOR * duration, _MAX_REST)
        else:
            rest = max(0.0, -self._credit / _REFILL)
        self._rest_until = max(self._rest_until, ended + rest, poll.began + poll.gap)

    def record_urgent_end(self, poll: PollGate) -> None:
        """Record an urgent poll that failed, or was cut short: it is no reason for a rest."""
        self._rest_until = max(self._rest_until, poll.began + poll.gap)


class PollGate:
    """Rate limit of one poll: counts its HTTP requests, and the seconds they waited here."""

    __slots__ = ("_limiter", "began", "requests", "waited")

    def __init__(self, limiter: RateLimiter, began: float) -> None:
        self._limiter = limiter
        self.began = began
        self.requests = 0
        self.waited = 0.0

    @property
    def gap(self) -> float:
        """Seconds from the beginning of the poll to that of the next one, at least."""
        # The next poll may take as many requests, and two polls of two would exceed the limit.
        return GAP if self.requests <= 1 else max(GAP * self.requests, _WINDOW)

    async def admit(self) -> None:
        """Wait until one more request stays within three a second, and count it."""
        limiter, clock = self._limiter, asyncio.get_running_loop().time
        while (pause := limiter.urgent_from - clock()) > TICK:
            self.waited += pause
            await asyncio.sleep(pause)
        limiter.record_start(clock())
        self.requests += 1
