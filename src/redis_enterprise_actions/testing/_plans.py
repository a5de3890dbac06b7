"""How the work goes that calls start on the fake."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._script import Outcome, Progress


@dataclass(kw_only=True, slots=True)
class Plan:
    """How the work goes that the next `times` calls of a `method` start, on paths like `path`.

    Those are the paths that begin with it. `queued` and `duration` are in seconds of the loop's
    time; without an `outcome` the work ends as such work does when it ends well.
    """

    method: str = ""
    path: str = "/"
    times: float = inf
    duration: float = 10.0
    queued: float = 0.0
    progress: Progress = "steps"
    outcome: Outcome | None = None
    error_code: str = "internal_error"
    error: str = "the cluster could not finish the job"


def next_plan(plans: Iterable[Plan], method: str, path: str) -> Plan:
    """Return how the work goes that a call starts, and count it."""
    for plan in plans:
        if plan.times > 0 and plan.method == method and path.startswith(plan.path):
            plan.times -= 1
            return plan
    return Plan()
