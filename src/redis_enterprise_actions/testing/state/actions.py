"""Actions of the fake cluster as functions of time, and plans for them."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from redis_enterprise_actions.testing.wrong_argument import WrongArgument


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web


Kind: TypeAlias = Literal["task", "state-machine", "other"]
Outcome: TypeAlias = Literal[
    "completed", "failed", "cancelled", "aborted", "vanishes", "never", "stuck"
]
Progress: TypeAlias = Literal["steps", "linear", "stalling", "none"]
# Outcomes of work that was done, whatever the lists show of it.
SUCCESSES: Final = frozenset({"completed", "vanishes", "stuck"})
_FAILURES: Final = frozenset({"failed", "cancelled", "aborted"})
_FAILS_AT: Final = 0.5  # share of the work that is done when it fails
_STALLS_AT: Final = 0.6  # share of the work that is done when it stalls, or if it never ends
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
# objects/state-machine). State machines are neither cancelled nor aborted.
_WORDS: Final[Mapping[Kind, tuple[str, str]]] = {
    "task": ("queued", "running"),
    "state-machine": ("pending", "active"),
    "other": ("queued", "running"),
}
_TASKS_ONLY: Final = frozenset({"cancelled", "aborted"})


def check_choice(choices: object, name: str, value: object) -> None:
    """Raise `ValueError` if a value is none of those of a `Literal`."""
    if value not in get_args(choices):
        raise WrongArgument(name, f"{name}={value!r} is none of {', '.join(get_args(choices))}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Course and outcome of one piece of work on the fake cluster.

    The work is queued for `queued` seconds of the cluster's clock, then runs for `duration`.

    - `progress`: "steps" rises with the steps of the state machine, "linear" with time;
      "stalling" stops at 60 %; "none" reports none.
    - `outcome`: "completed"; "failed" with `error_code` and `error`; "cancelled" and "aborted",
      which only tasks can be; "vanishes", as a delete does when it succeeds, and nothing else
      should; "never" ends; "stuck", which is done but still listed as running, a bug of clusters
      up to 8.0.2. By default a delete vanishes and all other work completes.

    Raises `ValueError` for negative times and unknown words.
    """

    duration: float = 10.0
    queued: float = 0.0
    progress: Progress = "steps"
    outcome: Outcome | None = None
    error_code: str = "internal_error"
    error: str = "the cluster could not finish the job"

    def __post_init__(self) -> None:
        check_choice(Progress, "progress", self.progress)
        if self.outcome is not None:
            check_choice(Outcome, "outcome", self.outcome)
        if self.duration < 0 or self.queued < 0:
            raise ValueError("duration and queued are seconds, 0 or more")


DEFAULT_PLAN: Final = Plan()


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeAction:
    """An action that the fake cluster runs, from which its answers are made.

    The action is queued at `began_at`, runs from `runs_at` on and ends at `ends_at` (`inf` if
    never), by the cluster's clock.
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
    module_uid: str | None = None

    @property
    def revision(self) -> int:
        """Number of changes: an action changes with time alone."""
        return 0

    def has_vanished(self, now: float) -> bool:
        """Return True if the cluster does not show the action any more."""
        return self.outcome == "vanishes" and now >= self.ends_at

    def steady_until(self, now: float) -> float:
        """Return until when answers stay as they are at `now`, or `now` if time changes them."""
        if now >= self.ends_at:
            return inf
        if now < self.runs_at or self.shards:
            return now
        if now - self.runs_at >= self._reach * self.duration:
            return self.ends_at
        if self.progress not in {"steps", "none"}:
            return now
        done = int(self._share(now) * len(self._steps) + _EPSILON)
        next_step = (done + 1 - 2 * _EPSILON) / len(self._steps)
        return min(self.runs_at + next_step * self.duration, self.ends_at)

    def status(self, now: float) -> str:
        """Return the status at `now`, in the words of the action's family."""
        queued, running = _WORDS[self.kind]
        if now < self.runs_at:
            return queued
        return running if now < self.ends_at or self.outcome == "stuck" else self.outcome

    def is_under_way(self, now: float) -> bool:
        """Return True if the cluster shows the action as begun, and not ended, at `now`."""
        return self.began_at <= now and (now < self.ends_at or self.outcome == "stuck")

    def has_ended(self, now: float) -> bool:
        """Return True if the cluster shows the action as ended at `now`, or no more."""
        return now >= self.ends_at and self.outcome != "stuck"

    def is_stuck(self, now: float) -> bool:
        """Return True if the action is done, or makes no more progress, and is listed as running.

        An action that only stalls for a while is not stuck.
        """
        if self.outcome == "stuck":
            return now >= self.ends_at
        return self.outcome == "never" and now - self.runs_at >= self._reach * self.duration

    def percent(self, now: float) -> float | None:
        """Return the progress to report at `now`, 0 to 100, or None if none is reported."""
        return None if self.progress == "none" else round(100 * self._shown_share(now), 2)

    def state(self, now: float) -> str:
        """Return the name of the step under way at `now`."""
        steps = self._steps
        return steps[min(int(self._share(now) * len(steps) + _EPSILON), len(steps) - 1)]

    def moved_at(self, now: float) -> float:
        """Return the time of the last change of progress, by the cluster's clock."""
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
        ran = max(0.0, now - self.runs_at)
        return min(self._reach, ran / self.duration) if ran < self.duration else self._reach

    @property
    def _reach(self) -> float:
        """The share of the work that is ever done."""
        if self.outcome == "never" or self.progress == "stalling":
            return _STALLS_AT
        return _FAILS_AT if self.outcome in _FAILURES else 1.0


def kind_of(name: str) -> Kind:
    """Return the kind that actions of a name are."""
    if name.startswith("SM"):
        return "state-machine"
    return "other" if name in {"import", "export", "backup"} else "task"


def start_action(
    name: str,
    plan: Plan,
    *,
    uid: str,
    now: float,
    kind: Kind | None = None,
    bdb_uid: int | None = None,
    node_uid: int | None = None,
    shards: Sequence[int] = (),
) -> FakeAction:
    """Return an action that begins at `now` and goes as planned.

    Raises `ValueError` if an action of another kind is planned to end as only tasks do.
    """
    kind = kind or kind_of(name)
    outcome = plan.outcome or ("vanishes" if name == "SMDeleteBDB" else "completed")
    if outcome in _TASKS_ONLY and kind != "task":
        problem = f"a {kind} cannot be {outcome}: its family has no such status"
        raise WrongArgument("plan.outcome", problem)
    runs_at = now + plan.queued
    return FakeAction(
        uid=uid,
        name=name,
        kind=kind,
        outcome=outcome,
        progress=plan.progress,
        began_at=now,
        runs_at=runs_at,
        ends_at=inf if outcome == "never" else runs_at + plan.duration,
        duration=plan.duration,
        bdb_uid=bdb_uid,
        node_uid=node_uid,
        shards=tuple(shards),
        error_code=plan.error_code,
        error=plan.error,
    )


class PlannedCalls:
    """Plans for work that is started by requests, the oldest first."""

    def __init__(self) -> None:
        self._planned: list[_PlannedCall] = []

    def add(self, method: str, path: str, plan: Plan, *, times: int | None) -> None:
        """Add a plan for the next `times` requests, or for all, whose path begins with `path`.

        Raises `ValueError` for less than one request.
        """
        if times is not None and times < 1:
            raise WrongArgument("times", "times is 1 or more, or None for ever")
        left = inf if times is None else times
        self._planned.append(_PlannedCall(method=method, path=path, plan=plan, left=left))

    def take(self, request: web.Request) -> Plan:
        """Return the plan for the work that a request starts, and count the request."""
        for call in self._planned:
            on_path = request.path.startswith(call.path)
            if call.left > 0 and call.method == request.method and on_path:
                call.left -= 1
                return call.plan
        return DEFAULT_PLAN


@dataclass(kw_only=True, slots=True)
class _PlannedCall:
    """A plan, and the number of requests that it is left for."""

    method: str
    path: str
    plan: Plan
    left: float  # inf for all
