"""Rate limit of polls: three a second, and rest for a cluster that is slow."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from .shared_schedule import GAP


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


_WINDOW: Final = 1.05  # seconds in which three requests may be made, however pressing
_PER_WINDOW: Final = 3
_REST_FACTOR: Final = 9.0  # of the wall time, a tenth is spent in requests
_MAX_REST: Final = 60.0  # seconds

# What each request awaits before it is sent, where it is made for those who wait.
TURN: Final[ContextVar[Callable[[], Awaitable[None]] | None]] = ContextVar("TURN", default=None)


class RateLimiter:
    """What a client spares its cluster: many requests, and hurry when it is slow."""

    def __init__(self) -> None:
        self._starts: deque[float] = deque(maxlen=_PER_WINDOW)
        self._rest_until = -math.inf
        self._acquired = 0  # requests of what is under way that are among those begun
        self._waited = 0.0  # seconds that they have waited for their turn

    async def acquire(self) -> None:
        """Wait until one request more is no fourth in a second, and note that it begins."""
        now = asyncio.get_running_loop().time
        pause = max(0.0, self.earliest(urgent=True) - now())
        if pause:
            self._waited += pause
            await asyncio.sleep(pause)
        self._starts.append(now())
        self._acquired += 1

    def record(self, began: float, ended: float, requests: int) -> None:
        """Note requests, one after the other, that are over."""
        self._starts.extend([began] * (requests - self._acquired))
        rest = min(_REST_FACTOR * max(0.0, ended - began - self._waited), _MAX_REST)
        # The next ones may be as many, and two times two are more than a window takes.
        gap = GAP if requests == 1 else max(GAP * requests, _WINDOW)
        self._rest_until = max(self._rest_until, began + gap, ended + rest)
        self._acquired, self._waited = 0, 0.0

    def earliest(self, *, urgent: bool) -> float:
        """Return when the next request may be made; one at a limit does not wait its turn."""
        full = len(self._starts) == _PER_WINDOW
        window = self._starts[0] + _WINDOW if full else -math.inf
        return window if urgent else max(self._rest_until, window)
