"""Endpoints of tasks of Active-Active databases.

The cluster that accepted a task keeps its result for 500 s by default. Vendor pages:
requests/crdb_tasks, objects/crdb_task.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.protocols import ListResult, list_cost
from redis_enterprise_actions._client.wire.crdb_tasks import read_crdb_task, read_crdb_tasks

from .not_found import is_missing
from .paths import quoted_uid
from .refused_lists import refusable


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate, Wanted
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference

_PATH: Final = "/v1/crdb_tasks"
_VIEW_TASK: Final = "view_crdb_task"
_VIEW_TASKS: Final = "view_crdb_task_list"


class CrdbTasksApi:
    """Status source for tasks of Active-Active databases."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def path(self, ref: Reference) -> str:
        """Return the path of a task."""
        return _task_route(ref.uid)[0]

    async def fetch(self, ref: Reference, _: Action | None, gate: Gate | None) -> Action | None:
        """Return a task, or None if the cluster does not know it."""
        path, decode = _task_route(ref.uid)
        return await self.transport.get(path, permission=_VIEW_TASK, decode=decode, gate=gate)

    @refusable
    async def fetch_many(self, wanted: Wanted, gate: Gate | None) -> ListResult:
        """Return the tasks that the list shows; it may leave out tasks that have ended."""
        listed, cost = await self._list(gate)
        by_uid = {task.uid: task for task in listed}
        return ListResult({ref: by_uid[ref.uid] for ref in wanted if ref.uid in by_uid}, cost)

    async def verify(self, _: Reference, __: WaitError, ___: Gate | None) -> None:
        """Return None: nothing but its record shows that a task has ended."""

    async def list_tasks(self) -> list[Action]:
        """Return all tasks that the list shows."""
        listed, _ = await self._list(None)
        return listed

    async def _list(self, gate: Gate | None) -> tuple[list[Action], float]:
        """Return the tasks of the list, and the cost of the request."""
        return await self.transport.get(
            _PATH, permission=_VIEW_TASKS, decode=_decode_list, gate=gate
        )


@lru_cache(1024)  # a wait asks for the same task again and again
def _task_route(uid: str) -> tuple[str, Callable[[Reply], Action | None]]:
    path = f"{_PATH}/{quoted_uid(uid)}"
    return path, partial(_decode_task, uid, path)


def _decode_task(uid: str, path: str, reply: Reply) -> Action | None:
    return None if is_missing(reply, path) else read_crdb_task(reply.body, uid, path)


def _decode_list(reply: Reply) -> tuple[list[Action], float]:
    listed = [] if is_missing(reply, _PATH) else read_crdb_tasks(reply.body, _PATH)
    return listed, list_cost(reply.body)
