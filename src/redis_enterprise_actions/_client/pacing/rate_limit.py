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
    """

    def __init__(self) -> None:
        self._starts: deque[float] = deque(maxlen=_PER_WINDOW)
        self._rest_until = -math.inf
        self._credit = _CREDIT
        self._credit_at = -math.inf

    def earliest(self, *, urgent: bool) -> float:
        """Return the earliest time of the next request. An urgent one ignores the rest."""
        full = len(self._starts) == _PER_WINDOW
        window = self._starts[0] + _WINDOW if full else -math.inf
        return window if urgent else max(self._rest_until, window)

    def record_start(self, now: float) -> None:
        """Record that a request begins."""
        self._starts.append(now)

    def record_answer(self, poll: PollGate, ended: float, duration: float) -> None:
        """Record a poll that was answered after `duration` seconds of the cluster's time."""
        self._draw(ended, duration)
        self._rest(poll, ended + min(_REST_FACTOR * duration, _MAX_REST))

    def record_failure(self, poll: PollGate, ended: float, duration: float) -> None:
        """Record a poll that failed, or was cut short, after `duration` seconds."""
        self._draw(ended, duration)
        self._rest(poll, ended + max(0.0, -self._credit / _REFILL))

    def _draw(self, now: float, duration: float) -> None:
        """Take the duration of a request from the credit, which has grown meanwhile."""
        grown = min(_CREDIT, self._credit + _REFILL * (now - self._credit_at))
        self._credit, self._credit_at = max(-_CREDIT, grown - duration), now

    def record_urgent(self, poll: PollGate) -> None:
        """Record an urgent poll that is over, whatever became of it."""
        self._rest(poll, -math.inf)

    def _rest(self, poll: PollGate, until: float) -> None:
        # The next poll may take as many requests, and two polls of two would exceed the limit.
        gap = GAP if poll.requests <= 1 else max(GAP * poll.requests, _WINDOW)
        self._rest_until = max(self._rest_until, poll.began + gap, until)


class PollGate:
    """Rate limit of one poll: counts its HTTP requests, and the seconds they waited here."""

    __slots__ = ("_limiter", "began", "requests", "waited")

    def __init__(self, limiter: RateLimiter, began: float) -> None:
        self._limiter = limiter
        self.began = began
        self.requests = 0
        self.waited = 0.0

    async def admit(self) -> None:
        """Wait until one more request stays within three a second, and count it."""
        clock = asyncio.get_running_loop().time
        while (pause := self._limiter.earliest(urgent=True) - clock()) > TICK:
            self.waited += pause
            await asyncio.sleep(pause)
        self._limiter.record_start(clock())
        self.requests += 1
