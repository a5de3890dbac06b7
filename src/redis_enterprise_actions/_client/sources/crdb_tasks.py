"""Tasks of Active-Active databases. Vendor pages: requests/crdb_tasks, objects/crdb_task.

A task lives on the cluster that was asked to do it, and its result for 500 s unless told
otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.http.failover import failover
from redis_enterprise_actions._client.protocols import ListResult
from redis_enterprise_actions._client.wire.crdb_tasks import read_crdb_task, read_crdb_tasks
from redis_enterprise_actions._client.wire.error_body import is_api_error
from redis_enterprise_actions._model.errors import UnreadableReply

from .actions import BYTES_PER_REQUEST, FOREIGN_404
from .paths import quoted_uid


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions._client.http.transport import Reply, Transport
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference

_TASKS: Final = "/v1/crdb_tasks"


class CrdbTasksApi:
    """Asks for tasks of Active-Active databases."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @failover
    async def fetch(self, ref: Reference, _: Action | None) -> Action | None:
        """Return how a task stands, or None if there is none."""
        path = f"{_TASKS}/{quoted_uid(ref.uid)}"
        reply = await self._get(path, "view_crdb_task")
        return None if reply.status == 404 else read_crdb_task(reply.body, ref.uid, path)

    @failover
    async def fetch_many(self, wanted: Mapping[Reference, Action | None]) -> ListResult:
        """Return what the list holds of several: those that have not ended, at least."""
        reply = await self._get(_TASKS, "view_crdb_task_list")
        listed = [] if reply.status == 404 else read_crdb_tasks(reply.body, _TASKS)
        by_uid = {task.uid: task for task in listed}
        found = {ref: by_uid[ref.uid] for ref in wanted if ref.uid in by_uid}
        return ListResult(found, cost=max(1.0, len(reply.body) / BYTES_PER_REQUEST))

    async def verify(self, _: Reference, __: WaitError) -> None:
        """Return None: nothing else tells how a task has ended."""

    @failover
    async def list_tasks(self) -> list[Action]:
        """Return all tasks that the cluster lists."""
        reply = await self._get(_TASKS, "view_crdb_task_list")
        return [] if reply.status == 404 else read_crdb_tasks(reply.body, _TASKS)

    async def _get(self, path: str, permission: str) -> Reply:
        reply = await self.transport.get(path, permission=permission)
        if reply.status == 404 and not is_api_error(reply.body):
            raise UnreadableReply("GET", path, problem=FOREIGN_404)
        return reply
