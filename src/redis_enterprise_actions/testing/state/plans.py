"""How the work goes that calls start on the fake."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, get_args

from .actions import Outcome, Progress


if TYPE_CHECKING:
    from collections.abc import Iterable


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

    def __post_init__(self) -> None:
        if self.progress not in get_args(Progress):
            raise ValueError(
                f"progress={self.progress!r} is none of {', '.join(get_args(Progress))}"
            )
        if self.outcome is not None and self.outcome not in get_args(Outcome):
            raise ValueError(f"outcome={self.outcome!r} is none of {', '.join(get_args(Outcome))}")
        if self.duration < 0 or self.queued < 0:
            raise ValueError("duration and queued are seconds, 0 or more")


def next_plan(plans: Iterable[Plan], method: str, path: str) -> Plan:
    """Return how the work goes that a call starts, and count it."""
    for plan in plans:
        if plan.times > 0 and plan.method == method and path.startswith(plan.path):
            plan.times -= 1
            return plan
    return Plan()
