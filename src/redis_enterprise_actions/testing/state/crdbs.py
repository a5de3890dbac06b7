"""The fake's Active-Active databases (CRDBs), and the tasks that work on them."""

from __future__ import annotations

import asyncio
import uuid
from math import inf
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions.testing.routes.bodies import DATABASE_SECRET

from .crdb_tasks import CLUSTERS, FakeCrdbTask


if TYPE_CHECKING:
    from .plans import Plan

RESULT_TTL: Final = 500.0  # seconds, by default


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
