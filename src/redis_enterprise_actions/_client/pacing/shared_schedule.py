"""When to ask for everybody: the shared tick, and what the cluster is spared.

One request that serves many waits comes when it pays: when the lag that is to be expected,
summed over the waits, has grown to what the request is worth. Knows numbers, and refuses to know
what is asked.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NamedTuple

from .schedules import TICK, outlook, outlook_of_courses


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from redis_enterprise_actions._model.action import Action, Uncertain
    from redis_enterprise_actions._model.reference import Reference

    from .schedules import Course, Pace

# What a shared request may lose, of what one for a lone wait may. At 0.6, a hundred waits that know
# nothing of their progress lag no more than loops of a second do (benchmarks/simulate.py).
_SHARED: Final = 0.6
GAP: Final = 0.35  # seconds between two requests, as a third of a second may arrive as less
_NEXT_TO_NOTHING: Final = 1e-18
_BEAT: Final = 0.05  # seconds
_WINDOW: Final = 1.05  # seconds in which three requests may be made, however pressing
_PER_WINDOW: Final = 3
_REST: Final = 9.0  # of the wall time, a tenth is spent in requests
_LONGEST_REST: Final = 60.0  # seconds


# What each request awaits before it is sent, where it is made for those who wait.
TURN: Final[ContextVar[Callable[[], Awaitable[None]] | None]] = ContextVar("TURN", default=None)


class Found(NamedTuple):
    """What a list held of the actions asked for, and what it costs.

    The cost is counted in requests for one action. `changed` are those that are not what they were
    in what was found before, None for one that is gone; it is None where that is not known.
    """

    actions: Mapping[Reference, Action | Uncertain]
    cost: float
    changed: Mapping[Reference, Action | None] | None = None


NO_LIST: Final = Found({}, cost=math.inf)  # where it may not be seen: it never pays


class Crowd:
    """Waits that may share their requests: what looking at them all would be worth.

    `since` is when they were last looked at. The cost of a request that serves them all is
    counted in requests that serve one. Those `in_common` have to look again by `latest`, all of
    them.
    """

    def __init__(
        self,
        paces: Iterable[Pace],
        since: float,
        in_common: Iterable[Course] = (),
        latest: float = math.inf,
    ) -> None:
        self._since = since
        pull, pull_of_rhythms, ahead, self._latest = outlook(paces, since)
        common_pull, common_ahead = outlook_of_courses(in_common, since)
        self._pull, self._ahead = pull + common_pull, ahead + common_ahead
        self._latest = min(self._latest, latest)
        # A `Rhythm` looks when it is due, no sooner for being one of many.
        self._pull_of_all = self._pull + pull_of_rhythms

    def due(self, cost: float) -> float:
        """Return when a look at them all, at that cost, pays."""
        wait = time_to_lose(cost * _SHARED, self._pull, self._ahead)
        return min(self._since + wait, self._latest)

    def shares(self, cost: float, singles: int) -> bool:
        """Return whether one request is cheaper than so many single ones, lag included."""
        return self._loss(cost, GAP) <= self._loss(singles, singles * GAP)

    def _loss(self, cost: float, shortest: float) -> float:
        """Return what is lost per second, lag and requests, at the best spacing there is."""
        pull = max(self._pull_of_all, _NEXT_TO_NOTHING)
        spacing = max(math.sqrt(2 * cost / pull), shortest)
        return cost / spacing + pull * spacing / 2


def time_to_lose(cost: float, pull: float, ahead: Iterable[tuple[float, float]]) -> float:
    """Return the d that solves pull·d²/2 + Σ weight·(d - left)⁺ = cost, over `ahead`."""
    lost = math.sqrt(2 * cost / pull) if pull else math.inf
    weight = moment = 0.0
    for left, each in sorted(pair for pair in ahead if pair[0] < lost):
        if lost <= left:
            break
        weight += each
        moment += each * left
        lost = _root(pull / 2, weight, cost + moment)
    return lost


def _root(a: float, b: float, c: float) -> float:
    """Return the positive x of a·x² + b·x = c, in a form that is exact for small a."""
    return 2 * c / (b + math.sqrt(b * b + 4 * a * c))


class Courtesy:
    """What a client spares its cluster: many requests, and hurry when it is slow."""

    def __init__(self) -> None:
        self._began: deque[float] = deque(maxlen=_PER_WINDOW)
        self._next = -math.inf
        self._noted = 0  # requests of what is under way that are among those begun
        self._waited = 0.0  # seconds that they have waited for their turn

    async def turn(self) -> None:
        """Wait until one request more is no fourth in a second, and note that it begins."""
        now = asyncio.get_running_loop().time
        pause = max(0.0, self.earliest(pressing=True) - now())
        if pause:
            self._waited += pause
            await asyncio.sleep(pause)
        self._began.append(now())
        self._noted += 1

    def took(self, began: float, ended: float, requests: int) -> None:
        """Note requests, one after the other, that are over."""
        self._began.extend([began] * (requests - self._noted))
        rest = min(_REST * max(0.0, ended - began - self._waited), _LONGEST_REST)
        # The next ones may be as many, and two times two are more than a window takes.
        gap = GAP if requests == 1 else max(GAP * requests, _WINDOW)
        self._next = max(self._next, began + gap, ended + rest)
        self._noted, self._waited = 0, 0.0

    def earliest(self, *, pressing: bool) -> float:
        """Return when the next request may be made; one at a limit does not wait its turn."""
        full = len(self._began) == _PER_WINDOW
        window = self._began[0] + _WINDOW if full else -math.inf
        return window if pressing else max(self._next, window)


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


class Alarm:
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
