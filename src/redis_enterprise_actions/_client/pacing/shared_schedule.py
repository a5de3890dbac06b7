"""`SharedSchedule`: the schedule of requests that serve many waits at once.

Such a request is due when the expected lag, summed over the waits, equals the cost of the request.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from .schedules import forecast, forecast_aimed


if TYPE_CHECKING:
    from collections.abc import Iterable

    from .schedules import AimedSchedule, Schedule


# Lag budget of a shared request, as a fraction of `price`. At 0.6, a hundred waits without progress
# have no more lag than if each polled every second (benchmarks/simulate.py).
_LAG_BUDGET: Final = 0.6
GAP: Final = 0.35  # seconds between two requests; on arrival it may be less
_SMALLEST_LAG_COST: Final = 1e-18  # avoids a division by zero


class SharedSchedule:
    """Schedule of a group of waits that may share their requests.

    `since` is the time of the last request for them. The members of a chorus (`in_common`) need
    the next one by `latest`. A cost is counted in requests for a single action.
    """

    def __init__(
        self,
        schedules: Iterable[Schedule],
        since: float,
        in_common: Iterable[AimedSchedule] = (),
        latest: float = math.inf,
    ) -> None:
        self._since = since
        expected = forecast(schedules, since)
        lag_cost, expected_ends = forecast_aimed(in_common, since)
        self._latest = min(expected.latest, latest)
        self._lag_cost = expected.lag_cost + lag_cost
        self._expected_ends = expected.expected_ends + expected_ends
        # A `StrategySchedule` is due at its own time, and no earlier for being one of many.
        self._total_lag_cost = self._lag_cost + expected.strategies_lag_cost

    def due(self, cost: float) -> float:
        """Return the time of the next request for all of them, if it has this cost."""
        wait = break_even_interval(cost * _LAG_BUDGET, self._lag_cost, self._expected_ends)
        return min(self._since + wait, self._latest)

    def is_cheaper(self, cost: float, singles: int) -> bool:
        """Return True if one request of this cost is cheaper than single ones, lag included."""
        return self._loss(cost, GAP) <= self._loss(singles, singles * GAP)

    def _loss(self, cost: float, shortest: float) -> float:
        """Return the cost per second, of lag and requests, at the best interval."""
        lag_cost = max(self._total_lag_cost, _SMALLEST_LAG_COST)
        interval = max(math.sqrt(2 * cost / lag_cost), shortest)
        return cost / interval + lag_cost * interval / 2


def break_even_interval(
    cost: float, lag_cost: float, expected_ends: Iterable[tuple[float, float]]
) -> float:
    """Return the interval after which the expected lag has cost as much as a request.

    That is the d that solves lag_cost·d²/2 + Σ weight·(d - left)⁺ = cost, where `expected_ends`
    holds the pairs (left, weight).
    """
    interval = math.sqrt(2 * cost / lag_cost) if lag_cost else math.inf
    weight = moment = 0.0
    for left, each in sorted(pair for pair in expected_ends if pair[0] < interval):
        if interval <= left:
            break
        weight += each
        moment += each * left
        # The positive root of lag_cost/2·d² + weight·d = total, in a form exact for small lag_cost.
        total = cost + moment
        interval = 2 * total / (weight + math.sqrt(weight * weight + 2 * lag_cost * total))
    return interval
