"""`RateLimiter`: at most three polls a second, and pauses that grow with the cluster's answers."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Final

from .shared_schedule import GAP


_WINDOW: Final = 1.05  # seconds in which three requests may begin, even urgent ones
_PER_WINDOW: Final = 3
_REST_FACTOR: Final = 9.0  # pause after a request, in durations of the request
_MAX_REST: Final = 60.0  # seconds


class RateLimiter:
    """Limit on how often one client polls.

    At most three requests begin in a second. After a request the client rests nine times its
    duration, up to a minute, so that polling takes at most a tenth of the time.
    """

    def __init__(self) -> None:
        self._starts: deque[float] = deque(maxlen=_PER_WINDOW)
        self._rest_until = -math.inf
        self._acquired = 0  # requests since the last `record`
        self._waited = 0.0  # seconds that these requests waited in `admit`

    async def admit(self) -> None:
        """Wait until one more request stays within three a second, and count it."""
        now = asyncio.get_running_loop().time
        pause = max(0.0, self.earliest(urgent=True) - now())
        if pause:
            self._waited += pause
            await asyncio.sleep(pause)
        self._starts.append(now())
        self._acquired += 1

    def record(self, began: float, ended: float, requests: int) -> None:
        """Record a poll that is over and took so many requests, one after the other."""
        self._starts.extend([began] * (requests - self._acquired))
        rest = min(_REST_FACTOR * max(0.0, ended - began - self._waited), _MAX_REST)
        # The next poll may take as many requests, and two polls of two would exceed the limit.
        gap = GAP if requests == 1 else max(GAP * requests, _WINDOW)
        self._rest_until = max(self._rest_until, began + gap, ended + rest)
        self._acquired, self._waited = 0, 0.0

    def earliest(self, *, urgent: bool) -> float:
        """Return the earliest time of the next request. An urgent one ignores the pause."""
        full = len(self._starts) == _PER_WINDOW
        window = self._starts[0] + _WINDOW if full else -math.inf
        return window if urgent else max(self._rest_until, window)

    def start_between(self, due: float, limit: float) -> float:
        """Return the start of a request that is due at `due`, and becomes urgent at `limit`."""
        return min(max(due, self.earliest(urgent=False)), max(limit, self.earliest(urgent=True)))
