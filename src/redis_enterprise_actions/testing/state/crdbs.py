"""The fake's Active-Active databases (CRDBs), and the tasks that work on them."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Final

from .databases import DATABASE_SECRET


if TYPE_CHECKING:
    from .actions import Outcome, Plan


RESULT_TTL: Final = 500.0  # seconds, by default
CLUSTERS: Final = ("cluster1.local", "cluster2.local")  # those that take part in a CRDB
_DONE: Final = frozenset({"completed", "vanishes", "stuck"})  # outcomes of work that was done
_STEPS: Final = ("prepare", "execute", "execute", "commit")
_COMMITS_AT: Final = 0.75  # the share of its time from which on it can only be forced to stop
_CANCELLING: Final = 2.0  # how many seconds it takes to stop a task


class Crdbs:
    """The CRDBs of a cluster, the same on every node.

    `tasks` holds the latest task of each id.
    """

    def __init__(self) -> None:
        self.tasks: dict[str, FakeCrdbTask] = {}
        self._every: list[FakeCrdbTask] = []  # the oldest first
        self._names: dict[str, str] = {}  # by guid, of all that ever were

    def add(self, guid: str | None, name: str) -> str:
        """Take a CRDB that is there from now on. Raises `ValueError` if it was there before."""
        guid = guid or str(uuid.uuid4())
        if guid in self._names:
            raise ValueError(f"there is, or was, a CRDB {guid}")
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
        """Start a task on a CRDB, which goes as planned; one that is `dry` changes nothing."""
        now = _now()
        runs_at = now + plan.queued
        task = FakeCrdbTask(
            id=task_id or str(uuid.uuid4()),
            operation=operation,
            guid=guid,
            outcome=plan.outcome or "completed",
            began_at=now,
            runs_at=runs_at,
            ends_at=inf if plan.outcome == "never" else runs_at + plan.duration,
            result_ttl=0.0 if plan.outcome == "vanishes" else result_ttl,
            error_code=plan.error_code,
            error=plan.error,
            dry=dry,
        )
        self._every.append(task)
        self.tasks[task.id] = task
        return task

    def known(self, task_id: str | None) -> FakeCrdbTask | None:
        """Return the task of an id if the cluster knows of it."""
        task = self.tasks.get(task_id or "")
        return task if task is not None and task.kept(_now()) else None

    def running(self) -> list[FakeCrdbTask]:
        """Return the tasks that have not ended."""
        now = _now()
        return [task for task in self.tasks.values() if now < task.over_at]

    def ever_had(self, guid: str) -> bool:
        return guid in self._names

    def guids(self) -> list[str]:
        """Return the guids of the CRDBs that are there: made, and not deleted."""
        now = _now()
        wet = [task for task in self._every if not task.dry]
        done = {(task.operation, task.guid) for task in wet if task.done(now)}
        to_make = {task.guid for task in wet if task.operation == "create_crdb"}
        return [
            guid
            for guid in self._names
            if (guid not in to_make or ("create_crdb", guid) in done)
            and ("delete_crdb", guid) not in done
        ]

    def wire(self, guid: str) -> dict[str, object]:
        """Return a CRDB as it is shown. It holds a secret, as those of clusters do."""
        return {
            "guid": guid,
            "name": self._names[guid],
            "instances": [
                {"id": number, "cluster": {"name": name}}
                for number, name in enumerate(CLUSTERS, start=1)
            ],
            "default_db_config": {"authentication_redis_pass": DATABASE_SECRET},
        }


def _now() -> float:
    return asyncio.get_running_loop().time()


@dataclass(kw_only=True, slots=True)
class FakeCrdbTask:
    """A task that works on a CRDB: the truth that the cluster's answers are made from.

    It runs from `runs_at` on and ends at `ends_at` (`inf` if never), in the loop's time, unless it
    was told to stop, at `cancelled_at`. What became of it is kept for `result_ttl` seconds. One
    that is `dry` only tells whether it could be done, and changes nothing; `guid` is empty if it
    is to make a CRDB.
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
        """When it is seen to have ended, in the loop's time."""
        if self.cancelled_at < inf:
            return self.cancelled_at + _CANCELLING
        return inf if self.outcome == "stuck" else self.ends_at

    def status(self, now: float) -> str:
        """Return how it stands at `now`: "queued", "started", "finished" or "failed"."""
        if now >= self.over_at:
            return "finished" if self.done(now) else "failed"
        return "started" if self.started(now) else "queued"

    def started(self, now: float) -> bool:
        """Whether a worker has taken it by `now`."""
        return self.runs_at <= min(now, self.cancelled_at)

    def done(self, now: float) -> bool:
        """Whether it has done by `now` what it was to do."""
        return self.outcome in _DONE and self.ends_at <= min(now, self.cancelled_at)

    def commits(self, now: float) -> bool:
        """Whether it has come so far by `now` that it can only be forced to stop."""
        now = min(now, self.cancelled_at)
        return self.started(now) and self._share(now) >= _COMMITS_AT

    def kept(self, now: float) -> bool:
        """Whether the cluster knows of it at `now`."""
        return now < self.over_at + self.result_ttl

    def wire(self, now: float, epoch: float) -> dict[str, object]:
        """Return the task as the route of that task shows it; `epoch` is as in `Routes`."""
        status = self.status(now)
        shown: dict[str, object] = {"id": self.id, "status": status, "operation": self.operation}
        if self.started(now):
            share = self._share(min(now, self.cancelled_at))
            step = _STEPS[min(int(share * len(_STEPS)), len(_STEPS) - 1)]
            if self.guid:
                shown["crdb_guid"] = self.guid
            shown |= {
                "started": _stamp(epoch + self.runs_at),
                "worker_name": "crdb_worker:1:0",
                "progress": {
                    "clusters": [{"name": name, "progress": step} for name in CLUSTERS],
                    "worker": step,
                },
            }
        if now >= self.over_at:
            shown["ended"] = _stamp(epoch + self.over_at)
        if status == "failed":
            shown["errors"] = self._errors()
        return shown

    def _errors(self) -> list[dict[str, str]]:
        code, said = self.error_code, self.error
        if self.cancelled_at < inf:
            code, said = "cancelled", "the task was cancelled"
        return [
            {"cluster_name": name, "description": said, "error_code": code}
            for name in (CLUSTERS[0], "")
        ]

    def _share(self, now: float) -> float:
        """Return the share of its time that has gone by `now`, 0 to 1; 0 if it never ends."""
        whole = self.ends_at - self.runs_at
        return min(1.0, (now - self.runs_at) / whole) if whole else 1.0


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
