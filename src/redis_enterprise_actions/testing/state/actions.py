"""What the fake's actions do: the truth, as a function of time."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


Kind: TypeAlias = Literal["task", "state-machine", "other"]
Outcome: TypeAlias = Literal[
    "completed", "failed", "cancelled", "aborted", "vanishes", "never", "stuck"
]
Progress: TypeAlias = Literal["steps", "linear", "stalling", "none"]
_HALF_WAY: Final = 0.5  # how far an action gets that does not complete
_HALF_DONE: Final = frozenset({"failed", "cancelled", "aborted"})
_STALLS_AT: Final = 0.6  # how far a stalling one gets, or one that never ends
_EPSILON: Final = 1e-9

# Step names as seen on clusters.
_STEPS: Final[Mapping[str, str]] = {
    "SMCreateBDB": (
        "init provision create_redis bind_endpoint update_dmc config_redis_acl created"
    ),
    "SMDeleteBDB": (
        "config_security init undo_stuck_sm stop_syncer unbind_endpoints delete_redis delete_bdb"
    ),
    "SMUpdateBDB": (
        "prepare restart flush pause_persistence replication update_redis shards_placement "
        "proxy_policy reshard bind_endpoint update_dmc config_redis_acl resume_persistence updated"
    ),
}

# The words of each family for "not yet running" and "running" (objects/action,
# objects/state-machine); state machines know neither cancelled nor aborted.
_WORDS: Final[Mapping[Kind, tuple[str, str]]] = {
    "task": ("queued", "running"),
    "state-machine": ("pending", "active"),
    "other": ("queued", "running"),
}
TASKS_ONLY: Final = frozenset({"cancelled", "aborted"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeAction:
    """An action that the cluster runs: the truth that its answers are made from.

    It runs from `runs_at` on and ends at `ends_at` (`inf` if never), in the loop's time.
    """

    uid: str
    name: str
    kind: Kind
    outcome: Outcome
    progress: Progress
    began_at: float
    runs_at: float
    ends_at: float
    duration: float
    bdb_uid: int | None
    node_uid: int | None
    shards: tuple[int, ...]
    error_code: str
    error: str

    def status(self, now: float) -> str:
        """Return the word that its family has for how it stands at `now`."""
        queued, running = _WORDS[self.kind]
        if now < self.runs_at:
            return queued
        return running if now < self.ends_at or self.outcome == "stuck" else self.outcome

    def percent(self, now: float) -> float | None:
        """Return the progress to report at `now`, 0 to 100, or None where there is none."""
        return None if self.progress == "none" else round(100 * self._shown_share(now), 2)

    def state(self, now: float) -> str:
        """Return the name of the step under way at `now`."""
        steps = self._steps
        return steps[min(int(self._share(now) * len(steps) + _EPSILON), len(steps) - 1)]

    def moved_at(self, now: float) -> float:
        """Return when its progress last changed, in the loop's time."""
        return min(now, self.runs_at + self._shown_share(now) * self.duration)

    @property
    def _steps(self) -> list[str]:
        return _STEPS.get(self.name, "prepare run finish").split()

    def _shown_share(self, now: float) -> float:
        if self.progress == "steps":
            count = len(self._steps)
            return int(self._share(now) * count + _EPSILON) / count
        return 0.0 if self.progress == "none" else self._share(now)

    def _share(self, now: float) -> float:
        """Return the share of the work done at `now`, 0 to 1."""
        reach = 1.0
        if self.outcome == "never" or self.progress == "stalling":
            reach = _STALLS_AT
        elif self.outcome in _HALF_DONE:
            reach = _HALF_WAY
        ran = max(0.0, now - self.runs_at)
        return min(reach, ran / self.duration) if ran < self.duration else reach


def kind_of(name: str) -> Kind:
    if name.startswith("SM"):
        return "state-machine"
    return "other" if name in {"import", "export", "backup"} else "task"


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
