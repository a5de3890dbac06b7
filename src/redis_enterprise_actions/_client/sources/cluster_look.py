"""One look at a cluster, by its lists: the work that is under way, and what is not healthy.

A list that the release lacks is left out; one that the user may not see is an error, as what it
shows may be what the look is for. The lists are read one after the other, so that a look is no
snapshot: a wait with `hold=` looks again.

Vendor pages: requests/nodes, requests/nodes/status, requests/node_master_healthcheck,
requests/cluster/check, requests/shards, requests/bdbs/availability, monitoring/health-report.
"""

from __future__ import annotations

import asyncio
import logging
import math
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeVar, cast

import msgspec

from redis_enterprise_actions._client.wire.cluster_findings import (
    availability_findings,
    busy_databases,
    check_findings,
    database_findings,
    node_findings,
    placement_findings,
    primary_finding,
    report_findings,
    shard_findings,
    work_findings,
)
from redis_enterprise_actions._client.wire.cluster_lists import (
    CheckReport,
    HealthReport,
    MasterCheck,
    Node,
    NodeCheck,
    Shard,
    is_health_report,
    is_uid,
    name_of,
    read_actions,
    read_array,
    read_crdb_tasks,
    read_databases,
    read_node_statuses,
    read_object,
)
from redis_enterprise_actions._client.wire.error_body import (
    error_code_of,
    foreign_404,
)
from redis_enterprise_actions._model.cluster_check import ClusterCheck, Finding, FindingKind
from redis_enterprise_actions._model.errors import UnreadableReply

from .actions_v2 import PATH as V2_PATH
from .actions_v2 import VIEW_ACTIONS
from .databases import DATABASES
from .not_found import is_missing


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate
    from redis_enterprise_actions._client.wire.cluster_lists import Database, NodeStatus, Work

    from .actions_v2 import ActionsV2Api
    from .databases import DatabasesApi

_T = TypeVar("_T")
_S = TypeVar("_S", bound=msgspec.Struct)
_log = logging.getLogger(__name__)
_HEALTH: Final = "/v4/cluster/health"
_CHECK: Final = "/v1/cluster/check"
_VIEW_CLUSTER: Final = "view_cluster_info"
_GONE: Final = "it does not exist"
_CRDB_TASKS: Final = "/v1/crdb_tasks"
_NO_ACTIONS: Final = "action_not_found"
_FRESH: Final = 5.0  # seconds for which the lists of one look count as read at the same time
_NO_REPORT: Final = 300.0  # seconds for which a 404 in place of a health report is believed
# Actions of /v1, with the permissions that their pages name
_ACTIONS: Final = {
    "/v1/actions": VIEW_ACTIONS,
    "/v1/nodes/actions": "view_status_of_all_node_actions",
    "/v1/cluster/actions": VIEW_ACTIONS,
}


class ClusterRoutes:
    """Access to the lists of one cluster. It is asked for no report until `no_report_until`."""

    def __init__(
        self, transport: Transport, databases: DatabasesApi, actions_v2: ActionsV2Api
    ) -> None:
        self.transport = transport
        self.databases = databases
        self.actions_v2 = actions_v2
        self.no_report_until = -math.inf


class ClusterLook:
    """One look at a cluster, for one or several conditions: it asks for each list once.

    With a `gate`, the look is that of a poll.
    """

    def __init__(self, routes: ClusterRoutes, gate: Gate | None) -> None:
        self._gate = gate
        self._routes = routes
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._answers: dict[str, object] = {}  # by path
        self._availability: dict[str, Sequence[str]] = {}  # findings, by the uid of the database

    async def find_work(self) -> tuple[Finding, ...]:
        """Return the work that is under way on the cluster."""
        found = await self._find_work()
        if not found and self._forget_old():
            found = await self._find_work()
        return found

    async def check(self, ignored: Collection[int]) -> ClusterCheck:
        """Return all findings against a healthy cluster, but for the maintenance of some nodes.

        Exports, imports and backups, and tasks of Active-Active databases, are none.
        """
        check = await self._check(ignored)
        if check.is_healthy and self._forget_old():
            check = await self._check(ignored)
        return check

    def _forget_old(self) -> bool:
        """Forget lists that may be out of date; return True if so.

        The availability of each database, of which there may be many, is not asked for again.
        """
        now = self._clock()
        if now - self._began <= _FRESH:
            return False
        self._began = now
        self._answers.clear()
        return True

    async def _find_work(self) -> tuple[Finding, ...]:
        works = await self._actions()
        tasks = await self._get(_CRDB_TASKS, "view_crdb_task_list", _work_list(read_crdb_tasks))
        found = work_findings([*works, *tasks, *await self._only_in_v2(works)])
        return _distinct([*found, *busy_databases(await self._databases())])

    async def _check(self, ignored: Collection[int]) -> ClusterCheck:
        databases = await self._databases()
        source: Literal["v4", "v1"] = "v4"
        found = await self._find_by_report(databases, ignored)
        if found is None:
            source, found = "v1", await self._find_by_lists(databases, ignored)
        works = await self._actions()
        others = [work for work in await self._only_in_v2(works) if not work.is_other]
        found += work_findings([*works, *others], ignored)
        told = {each.object for each in found if each.kind is FindingKind.DATABASE}
        found += [
            each
            for each in database_findings(databases)
            if each.kind is not FindingKind.DATABASE or each.object not in told
        ]
        if source == "v1":
            for database in databases:
                if found and self._gate is not None:
                    break  # a wait that is not over anyway need not know
                texts = await self._find_unavailable(name_of(database.uid))
                found += availability_findings(database, texts)
        return ClusterCheck(findings=_distinct(found), source=source)

    async def _find_by_report(
        self, databases: list[Database], ignored: Collection[int]
    ) -> list[Finding] | None:
        """Return the findings of the health report; None without one in the documented form."""
        if self._clock() < self._routes.no_report_until:
            return None
        try:
            answer = await self._get(
                _HEALTH, _VIEW_CLUSTER, _read_report, is_answer=is_health_report
            )
            if answer is None:
                self._routes.no_report_until = self._clock() + _NO_REPORT
                return None
            statuses = await self._node_statuses()
            return list(report_findings(*answer, statuses, databases, ignored))
        except UnreadableReply as error:
            if error.path != _HEALTH:
                raise
            _log.debug("%s; the client asks for lists instead", str(error))
            return None

    async def _find_by_lists(
        self, databases: list[Database], ignored: Collection[int]
    ) -> list[Finding]:
        """Return the findings of the lists of /v1, but for those about actions."""
        nodes = await self._get("/v1/nodes", "view_all_nodes_info", _array_of(Node))
        statuses = await self._node_statuses()
        primary = await self._get(
            "/v1/local/node/master_healthcheck", _VIEW_CLUSTER, _object_of(MasterCheck)
        )
        report = await self._get(_CHECK, "view_all_nodes_checks", _object_of(CheckReport))
        shards = await self._get("/v1/shards", None, _array_of(Shard))
        return [
            *node_findings(nodes, statuses, ignored),
            *primary_finding(primary),
            *check_findings(report, read_array(report.nodes, NodeCheck, _CHECK), statuses),
            *shard_findings(shards),
            *placement_findings(databases, shards),
        ]

    # --- lists ----------------------------------------------------------------------------------

    async def _node_statuses(self) -> dict[str, NodeStatus]:
        return await self._get("/v1/nodes/status", "view_node_info", _existing(read_node_statuses))

    async def _actions(self) -> list[Work]:
        """Return the actions of /v1: also those of nodes, and of the cluster."""
        return [
            work
            for path, permission in _ACTIONS.items()
            for work in await self._get(path, permission, _read_actions)
        ]

    async def _only_in_v2(self, works: Iterable[Work]) -> list[Work]:
        """Return the actions of /v2, without those that `works` shows as under way.

        There are none if the release has no /v2, or its list is broken.
        """
        if V2_PATH not in self._answers:
            read = partial(read_actions, path=V2_PATH)
            listed = await self._routes.actions_v2.read_list(read, self._gate) or []
            self._answers[V2_PATH] = listed
        known = {work.uid for work in works if not work.phase.terminal} - {""}
        listed = cast("list[Work]", self._answers[V2_PATH])
        return [work for work in listed if work.uid not in known]

    async def _databases(self) -> list[Database]:
        if DATABASES not in self._answers:
            decode = partial(_existing(read_databases), DATABASES)
            found = await self._routes.databases.read_list(decode, self._gate)
            self._answers[DATABASES] = found
        return cast("list[Database]", self._answers[DATABASES])

    async def _find_unavailable(self, uid: str) -> Sequence[str]:
        """Return why a database is not available; one without a uid is a finding of its own."""
        if uid not in self._availability and is_uid(uid):
            look = await self._routes.databases.availability.look(int(uid), self._gate)
            self._availability[uid] = [_GONE] if look is None else look.findings
        return self._availability.get(uid, ())

    async def _get(
        self,
        path: str,
        permission: str | None,
        read: Callable[[str, Reply], _T],
        *,
        is_answer: Callable[[bytes], bool] | None = None,
    ) -> _T:
        """Return what `read` makes of an answer, which is asked for once."""
        if path not in self._answers:
            self._answers[path] = await self._routes.transport.get(
                path,
                permission=permission,
                decode=partial(read, path),
                gate=self._gate,
                is_answer=is_answer,
            )
        return cast("_T", self._answers[path])


def _existing(read: Callable[[bytes, str], _T]) -> Callable[[str, Reply], _T]:
    """Return a decoder of a route that every release has, so that a 404 is not the API's."""

    def decode(path: str, reply: Reply) -> _T:
        if reply.status == 404:
            raise foreign_404(path, reply.body)
        return read(reply.body, path)

    return decode


def _work_list(
    read: Callable[[bytes, str], list[Work]],
) -> Callable[[str, Reply], list[Work]]:
    """Return a decoder of a list of work, for which the pages document 404 as well: none."""
    return lambda path, reply: [] if is_missing(reply, path) else read(reply.body, path)


def _array_of(shape: type[_S]) -> Callable[[str, Reply], list[_S]]:
    return _existing(lambda body, path: read_array(body, shape, path, path.rpartition("/")[2]))


def _object_of(shape: type[_S]) -> Callable[[str, Reply], _S]:
    return _existing(lambda body, path: read_object(body, shape, path))


def _read_actions(path: str, reply: Reply) -> list[Work]:
    """Decode a list of actions. Its pages document that a 404 stands for none."""
    if reply.status != 404:
        return read_actions(reply.body, path)
    if error_code_of(reply.body) != _NO_ACTIONS:
        raise foreign_404(path, reply.body)
    return []


def _read_report(path: str, reply: Reply) -> tuple[int, HealthReport] | None:
    """Decode the health report; None if the release has none, or a proxy says so."""
    if reply.status == 404:
        return None
    return reply.status, read_object(reply.body, HealthReport, path)


def _distinct(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))
