"""Active-Active databases (CRDBs) of the fake cluster, and tasks on them, as functions of time."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions.testing.wrong_argument import WrongArgument

from .actions import SUCCESSES


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.identifiers import Identifiers

    from .actions import Outcome, Plan


RESULT_TTL: Final = 500.0  # seconds, by default
CLUSTERS: Final = ("cluster1.local", "cluster2.local")  # members of each CRDB
_STEPS: Final = ("prepare", "execute", "execute", "commit")
_COMMITS_AT: Final = 0.75  # share of the work after which a cancel has to be forced
_CANCELLING: Final = 2.0  # seconds until a cancelled task has ended


@dataclass(kw_only=True, slots=True)
class FakeCrdbTask:
    """A task on a CRDB, from which the fake cluster's answers are made.

    The task is queued at `began_at`, runs from `runs_at` on and ends at `ends_at` (`inf` if
    never), by the cluster's clock, unless it was cancelled at `cancelled_at`. The cluster keeps its
    result for `result_ttl` seconds. A `dry` run changes nothing. `guid` is empty for a dry run of
    a creation.
    """

    id: str
    operation: str
    guid: str
    outcome: Outcome
    began_at: float
    runs_at: float
    ends_at: float
    result_ttl: float
    error_code: str
    error: str
    cancelled_at: float = inf
    dry: bool = False

    @property
    def over_at(self) -> float:
        """End of the task as its status shows it, by the cluster's clock."""
        if self.cancelled_at < inf:
            return self.cancelled_at + _CANCELLING
        return inf if self.outcome == "stuck" else self.ends_at

    def status(self, now: float) -> str:
        """Return the status at `now`: "queued", "started", "finished" or "failed"."""
        if now >= self.over_at:
            return "finished" if self.has_succeeded(now) else "failed"
        return "started" if self.has_started(now) else "queued"

    def has_started(self, now: float) -> bool:
        """Return True if a worker has taken the task by `now`."""
        return self.runs_at <= min(now, self.cancelled_at)

    def has_succeeded(self, now: float) -> bool:
        """Return True if the work of the task is done by `now`."""
        return self.outcome in SUCCESSES and self.ends_at <= min(now, self.cancelled_at)

    def is_committing(self, now: float) -> bool:
        """Return True if a cancel of the task has to be forced at `now`."""
        now = min(now, self.cancelled_at)
        return self.has_started(now) and self._share(now) >= _COMMITS_AT

    def is_known(self, now: float) -> bool:
        """Return True if the cluster still has the task, or its result, at `now`."""
        return now < self.over_at + self.result_ttl

    def to_json(self, now: float, clock: Clock) -> dict[str, object]:
        """Return the task as its own route shows it."""
        status = self.status(now)
        shown: dict[str, object] = {"id": self.id, "status": status, "operation": self.operation}
        if self.has_started(now):
            share = self._share(min(now, self.cancelled_at))
            step = _STEPS[min(int(share * len(_STEPS)), len(_STEPS) - 1)]
            if self.guid:
                shown["crdb_guid"] = self.guid
            shown |= {
                "started": clock.iso_time(self.runs_at),
                "worker_name": "crdb_worker:1:0",
                "progress": {
                    "clusters": [{"name": name, "progress": step} for name in CLUSTERS],
                    "worker": step,
                },
            }
        if now >= self.over_at:
            shown["ended"] = clock.iso_time(self.over_at)
        if status == "failed":
            code, description = self.error_code, self.error
            if self.cancelled_at < inf:
                code, description = "cancelled", "the task was cancelled"
            shown["errors"] = [
                {"cluster_name": name, "description": description, "error_code": code}
                for name in (CLUSTERS[0], "")
            ]
        return shown

    def _share(self, now: float) -> float:
        """Return the share of the work that is done at `now`, 0 to 1; 0 if the task never ends."""
        whole = self.ends_at - self.runs_at
        return min(1.0, (now - self.runs_at) / whole) if whole else 1.0


class CrdbRegistry:
    """Registry of the CRDBs of a cluster, and of the latest task of each id (`tasks`)."""

    def __init__(self, clock: Clock, identifiers: Identifiers) -> None:
        self._clock = clock
        self._identifiers = identifiers
        self.tasks: dict[str, FakeCrdbTask] = {}
        self._all_tasks: list[FakeCrdbTask] = []  # the oldest first
        self._names: dict[str, str] = {}  # by guid, those of deleted CRDBs, too

    def add(self, guid: str | None, name: str) -> str:
        """Add a CRDB and return its guid. Raises `ValueError` if there is, or was, one of it."""
        guid = guid or self._identifiers.uuid()
        if guid in self._names:
            raise WrongArgument("guid", f"there is, or was, a CRDB {guid}")
        self._names[guid] = name
        return guid

    def start(
        self,
        operation: str,
        guid: str,
        plan: Plan,
        *,
        task_id: str | None = None,
        result_ttl: float = RESULT_TTL,
        dry: bool = False,
    ) -> FakeCrdbTask:
        """Start a task on a CRDB, which goes as planned; a `dry` run changes nothing."""
        began_at = self._clock.now()
        runs_at = began_at + plan.queued
        task = FakeCrdbTask(
            id=task_id or self._identifiers.uuid(),
            operation=operation,
            guid=guid,
            outcome=plan.outcome or "completed",
            began_at=began_at,
            runs_at=runs_at,
            ends_at=inf if plan.outcome == "never" else runs_at + plan.duration,
            result_ttl=0.0 if plan.outcome == "vanishes" else result_ttl,
            error_code=plan.error_code,
            error=plan.error,
            dry=dry,
        )
        self._all_tasks.append(task)
        self.tasks[task.id] = task
        return task

    def find_task(self, task_id: str | None) -> FakeCrdbTask | None:
        """Return the task of an id, or None if the cluster has none."""
        task = self.tasks.get(task_id or "")
        return task if task is not None and task.is_known(self._clock.now()) else None

    def running_tasks(self) -> list[FakeCrdbTask]:
        """Return the tasks that have not ended."""
        at = self._clock.now()
        return [task for task in self.tasks.values() if at < task.over_at]

    def has_had(self, guid: str) -> bool:
        """Return True if there is, or was, a CRDB of a guid."""
        return guid in self._names

    def name(self, guid: str) -> str:
        return self._names[guid]

    def guids(self) -> list[str]:
        """Return the guids of the CRDBs that exist: whose creation is done, and no deletion."""
        at = self._clock.now()
        tasks = [task for task in self._all_tasks if not task.dry]
        created = {task.guid for task in tasks if task.operation == "create_crdb"}
        done = {(task.operation, task.guid) for task in tasks if task.has_succeeded(at)}
        return [
            guid
            for guid in self._names
            if (guid not in created or ("create_crdb", guid) in done)
            and ("delete_crdb", guid) not in done
        ]
