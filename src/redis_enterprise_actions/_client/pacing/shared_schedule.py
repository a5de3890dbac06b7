"""When to ask for everybody: the shared tick, and what the cluster is spared.

One request that serves many waits comes when it pays: when the lag that is to be expected,
summed over the waits, has grown to what the request is worth. Knows numbers, and refuses to know
what is asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from .schedules import forecast, forecast_aimed


if TYPE_CHECKING:
    from collections.abc import Iterable

    from .schedules import AimedSchedule, Schedule


# What a shared request may lose, of what one for a lone wait may. At 0.6, a hundred waits that know
# nothing of their progress lag no more than loops of a second do (benchmarks/simulate.py).
_LAG_BUDGET: Final = 0.6
GAP: Final = 0.35  # seconds between two requests, as a third of a second may arrive as less
_SMALLEST_LAG_COST: Final = 1e-18


class SharedSchedule:
    """Waits that may share their requests: what looking at them all would be worth.

    `since` is when they were last looked at. The cost of a request that serves them all is
    counted in requests that serve one. Those `in_common` have to look again by `latest`, all of
    them.
    """

    def __init__(
        self,
        paces: Iterable[Schedule],
        since: float,
        in_common: Iterable[AimedSchedule] = (),
        latest: float = math.inf,
    ) -> None:
        self._since = since
        pull, pull_of_rhythms, ahead, self._latest = forecast(paces, since)
        common_pull, common_ahead = forecast_aimed(in_common, since)
        self._lag_cost, self._expected_ends = pull + common_pull, ahead + common_ahead
        self._latest = min(self._latest, latest)
        # A `Rhythm` looks when it is due, no sooner for being one of many.
        self._total_lag_cost = self._lag_cost + pull_of_rhythms

    def due(self, cost: float) -> float:
        """Return when a look at them all, at that cost, pays."""
        wait = time_until_lag(cost * _LAG_BUDGET, self._lag_cost, self._expected_ends)
        return min(self._since + wait, self._latest)

    def is_cheaper(self, cost: float, singles: int) -> bool:
        """Return whether one request is cheaper than so many single ones, lag included."""
        return self._loss(cost, GAP) <= self._loss(singles, singles * GAP)

    def _loss(self, cost: float, shortest: float) -> float:
        """Return what is lost per second, lag and requests, at the best spacing there is."""
        pull = max(self._total_lag_cost, _SMALLEST_LAG_COST)
        spacing = max(math.sqrt(2 * cost / pull), shortest)
        return cost / spacing + pull * spacing / 2


def time_until_lag(cost: float, pull: float, ahead: Iterable[tuple[float, float]]) -> float:
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
