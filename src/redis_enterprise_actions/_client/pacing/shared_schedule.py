"""`SharedSchedule`: the schedule of requests that serve many waits at once.

Such a request is due when the expected lag, summed over the waits, equals the cost of the request.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from .schedules import StrategySchedule, forecast_aimed


if TYPE_CHECKING:
    from collections.abc import Iterable

    from .schedules import AimedSchedule, Schedule


# Lag budget of a shared request, as a fraction of `price`. At 0.6, a hundred waits without progress
# have no more lag than if each polled every second (benchmarks/simulate.py).
_LAG_BUDGET: Final = 0.6
GAP: Final = 0.35  # seconds between two requests; on arrival it may be less
_SMALLEST_LAG_COST: Final = 1e-18  # avoids a division by zero
_LONGEST_USE: Final = 1.0  # seconds for which a sum over many waits is used
_MANY: Final = 64  # waits


class SharedSchedule:
    """Schedule of a group of waits that may share their requests.

    `made_at` is the time of the sum over the waits, and `cap` the longest pause of any of them. A
    cost is counted in requests for a single action.
    """

    __slots__ = (
        *("_aimed_cost", "_expected_ends", "_strategies", "_youngest", "cap", "count", "made_at"),
    )

    def __init__(self, schedules: Iterable[Schedule], now: float) -> None:
        self.made_at = now
        self._strategies: list[StrategySchedule] = []
        aimed: list[AimedSchedule] = []
        for schedule in schedules:
            if isinstance(schedule, StrategySchedule):
                self._strategies.append(schedule)
            else:
                aimed.append(schedule)
        self.count = len(aimed) + len(self._strategies)
        self._aimed_cost, self._expected_ends, self._youngest = forecast_aimed(aimed, now)
        self.cap = min([each.strategy.cap for each in aimed], default=math.inf)

    @property
    def is_of_many(self) -> bool:
        """True if the waits are so many that the sum over them is costly."""
        return self.count > _MANY

    def is_current(self, now: float) -> bool:
        """Return True if the sum over the waits is new enough."""
        return now - self.made_at < _LONGEST_USE if self.is_of_many else now == self.made_at

    def due(self, since: float, cost: float) -> float:
        """Return the time of the next request for all of them, if the last was at `since`."""
        budget = cost * _LAG_BUDGET
        interval = break_even_interval(budget, self._aimed_cost, self._expected_ends, since)
        # A strategy is due at its own time, and no earlier for being one of many.
        return min(since + interval, min([each.due for each in self._strategies], default=math.inf))

    def latest_due(self, since: float, cost: float) -> float:
        """Return a time at which the request is due even if no wait has progress by then.

        The expected lag of waits falls with their age; that of the youngest falls most.
        """
        left = 1 / (1 + max(0.0, since - self.made_at) / self._youngest)
        lag_cost = max(self._aimed_cost * left, _SMALLEST_LAG_COST)
        return since + math.sqrt(2 * cost * _LAG_BUDGET / lag_cost)

    def is_cheaper(self, cost: float, singles: int) -> bool:
        """Return True if one request of this cost is cheaper than single ones, lag included."""
        lag_cost = self._aimed_cost + sum([each.lag_cost for each in self._strategies])
        lag_cost = max(lag_cost, _SMALLEST_LAG_COST)
        return _loss(lag_cost, cost, GAP) <= _loss(lag_cost, singles, singles * GAP)


def _loss(lag_cost: float, cost: float, shortest: float) -> float:
    """Return the cost per second, of lag and requests, at the best interval."""
    interval = max(math.sqrt(2 * cost / lag_cost), shortest)
    return cost / interval + lag_cost * interval / 2


def break_even_interval(
    cost: float, lag_cost: float, expected_ends: Iterable[tuple[float, float]], since: float
) -> float:
    """Return the interval after which the expected lag has cost as much as a request.

    That is the d that solves lag_cost·d²/2 + Σ weight·(d - left)⁺ = cost, where `expected_ends`
    holds the pairs (end, weight), and left is what is left until the end, from `since` on.
    """
    interval = math.sqrt(2 * cost / lag_cost) if lag_cost else math.inf
    weight = moment = 0.0
    latest = since + interval
    near = [(max(0.0, end - since), each) for end, each in expected_ends if end < latest]
    for left, each in sorted(near):
        if interval <= left:
            break
        weight += each
        moment += each * left
        # The positive root of lag_cost/2·d² + weight·d = total, in a form exact for small lag_cost.
        total = cost + moment
        interval = 2 * total / (weight + math.sqrt(weight * weight + 2 * lag_cost * total))
    return interval
