"""Endpoints of tasks of Active-Active databases.

The cluster that accepted a task keeps its result for 500 s by default. Vendor pages:
requests/crdb_tasks, objects/crdb_task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.http.failover import failover
from redis_enterprise_actions._client.protocols import ListResult, list_cost
from redis_enterprise_actions._client.wire.crdb_tasks import read_crdb_task, read_crdb_tasks

from .not_found import get
from .paths import quoted_uid


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference

_PATH: Final = "/v1/crdb_tasks"


class CrdbTasksApi:
    """Status source for tasks of Active-Active databases."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @failover
    async def fetch(self, ref: Reference, _: Action | None) -> Action | None:
        """Return a task, or None if the cluster does not know it."""
        path = f"{_PATH}/{quoted_uid(ref.uid)}"
        reply = await get(self.transport, path, permission="view_crdb_task")
        return None if reply.status == 404 else read_crdb_task(reply.body, ref.uid, path)

    @failover
    async def fetch_many(self, wanted: Mapping[Reference, Action | None]) -> ListResult:
        """Return the tasks that the list shows; it may leave out tasks that have ended."""
        listed, cost = await self._list()
        by_uid = {task.uid: task for task in listed}
        return ListResult({ref: by_uid[ref.uid] for ref in wanted if ref.uid in by_uid}, cost)

    async def verify(self, _: Reference, __: WaitError) -> None:
        """Return None: nothing but its record shows that a task has ended."""

    @failover
    async def list_tasks(self) -> list[Action]:
        """Return all tasks that the list shows."""
        listed, _ = await self._list()
        return listed

    async def _list(self) -> tuple[list[Action], float]:
        """Return the tasks of the list, and the cost of the request."""
        reply = await get(self.transport, _PATH, permission="view_crdb_task_list")
        listed = [] if reply.status == 404 else read_crdb_tasks(reply.body, _PATH)
        return listed, list_cost(reply.body)
