"""One look at a cluster, by its lists: the work that is under way, and what is not healthy.

A list that the release lacks is left out; one that the user may not see is an error, as what it
shows may be what the look is for. The lists are read one after the other, so that a look is no
snapshot: a wait with `hold=` looks again.

Vendor pages: requests/nodes, requests/nodes/status, requests/node_master_healthcheck,
requests/cluster/check, requests/shards, requests/bdbs/availability, monitoring/health-report.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeVar, cast

import msgspec

from redis_enterprise_actions._client.wire.cluster_findings import (
    availability_finding,
    busy_databases,
    check_findings,
    database_findings,
    node_findings,
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
    has_error_code,
)
from redis_enterprise_actions._model.cluster_check import ClusterCheck, Finding, FindingKind
from redis_enterprise_actions._model.errors import UnreadableReply

from .actions_v2 import PATH as V2_PATH
from .actions_v2 import VIEW_ACTIONS
from .databases import DATABASES, VIEW_DATABASE
from .not_found import is_missing


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate
    from redis_enterprise_actions._client.wire.cluster_lists import Database, Work

    from .actions_v2 import ActionsV2Api
    from .databases import DatabasesApi

_T = TypeVar("_T")
_S = TypeVar("_S", bound=msgspec.Struct)
_HEALTH: Final = "/v4/cluster/health"
_CHECK: Final = "/v1/cluster/check"
_VIEW_CLUSTER: Final = "view_cluster_info"
_DATABASE_NOT_FOUND: Final = "db_not_found"
_CRDB_TASKS: Final = "/v1/crdb_tasks"
# Actions of /v1, with the permissions that their pages name
_ACTIONS: Final = {
    "/v1/actions": VIEW_ACTIONS,
    "/v1/nodes/actions": "view_status_of_all_node_actions",
    "/v1/cluster/actions": VIEW_ACTIONS,
}


class ClusterRoutes:
    """Access to the lists of one cluster. `lacks_report` is True once a report was missing."""

    def __init__(
        self, transport: Transport, databases: DatabasesApi, actions_v2: ActionsV2Api
    ) -> None:
        self.transport = transport
        self.databases = databases
        self.actions_v2 = actions_v2
        self.lacks_report = False


class ClusterLook:
    """One look at a cluster, for one or several conditions: it asks for each list once."""

    def __init__(self, routes: ClusterRoutes, gate: Gate | None) -> None:
        self._routes = routes
        self._gate = gate
        self._answers: dict[str, object] = {}  # by path
        self._lacks_availability = False

    async def find_work(self) -> tuple[Finding, ...]:
        """Return the work that is under way on the cluster."""
        works = await self._actions()
        tasks = await self._get(_CRDB_TASKS, "view_crdb_task_list", _work_list(read_crdb_tasks))
        known = {work.uid for work in works if work.uid}
        others = [work for work in await self._actions_of_v2() if work.uid not in known]
        found = work_findings([*works, *tasks, *others])
        return _distinct([*found, *busy_databases(await self._databases())])

    async def check(self, ignored: Collection[int]) -> ClusterCheck:
        """Return all findings against a healthy cluster, but for the maintenance of some nodes.

        Exports, imports and backups, and tasks of Active-Active databases, are none.
        """
        source: Literal["v4", "v1"] = "v4"
        found = await self._find_by_report(ignored)
        if found is None:
            source, found = "v1", await self._find_by_lists(ignored)
        found += work_findings(await self._actions(), ignored)
        databases = await self._databases()
        told = {each.object for each in found if each.kind is FindingKind.DATABASE}
        found += [
            each
            for each in database_findings(databases)
            if each.kind is not FindingKind.DATABASE or each.object not in told
        ]
        # A wait that is not over anyway need not know.
        if source == "v1" and not (found and self._gate is not None):
            for database in databases:
                found += availability_finding(database, await self._availability(database))
        return ClusterCheck(findings=_distinct(found), source=source)

    async def _find_by_report(self, ignored: Collection[int]) -> list[Finding] | None:
        """Return the findings of the health report; None without one in the documented form."""
        if self._routes.lacks_report:
            return None
        try:
            report = await self._get(
                _HEALTH, _VIEW_CLUSTER, _read_report, is_answer=is_health_report
            )
            if report is not None:
                return list(report_findings(report, ignored))
        except UnreadableReply:
            return None
        self._routes.lacks_report = True
        return None

    async def _find_by_lists(self, ignored: Collection[int]) -> list[Finding]:
        """Return the findings of the lists of /v1, but for those about databases and actions."""
        nodes = await self._get("/v1/nodes", "view_all_nodes_info", _array_of(Node))
        statuses = await self._get(
            "/v1/nodes/status", "view_node_info", _existing(read_node_statuses)
        )
        primary = await self._get(
            "/v1/local/node/master_healthcheck", _VIEW_CLUSTER, _object_of(MasterCheck)
        )
        report = await self._get(_CHECK, "view_all_nodes_checks", _object_of(CheckReport))
        shards = await self._get("/v1/shards", None, _array_of(Shard))
        return [
            *node_findings(nodes, statuses, ignored),
            *primary_finding(primary),
            *check_findings(report, read_array(report.nodes, NodeCheck, _CHECK)),
            *shard_findings(shards),
        ]

    # --- lists ----------------------------------------------------------------------------------

    async def _actions(self) -> list[Work]:
        """Return the actions of /v1: also those of nodes, and of the cluster."""
        return [
            work
            for path, permission in _ACTIONS.items()
            for work in await self._get(path, permission, _work_list(read_actions))
        ]

    async def _actions_of_v2(self) -> list[Work]:
        """Return the actions of /v2, if the release has it, and its list is not broken."""
        read = partial(read_actions, path=V2_PATH)
        return await self._routes.actions_v2.read_list(read, self._gate) or []

    async def _databases(self) -> list[Database]:
        if DATABASES not in self._answers:
            decode = partial(_existing(read_databases), DATABASES)
            found = await self._routes.databases.read_list(decode, self._gate)
            self._answers[DATABASES] = found
        return cast("list[Database]", self._answers[DATABASES])

    async def _availability(self, database: Database) -> str | None:
        """Return why a database is not available; None if it is, or the release cannot tell."""
        uid = name_of(database.uid)
        if self._lacks_availability or not (uid.isascii() and uid.isdecimal()):
            return None  # one without a uid is a finding of its own
        path = f"{DATABASES}/{uid}/availability"
        error = await self._get(path, VIEW_DATABASE, _read_availability, is_answer=has_error_code)
        self._lacks_availability = error is None
        return error or None

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


def _read_report(path: str, reply: Reply) -> HealthReport | None:
    """Decode the health report; None if the release has none."""
    return None if reply.status == 404 else read_object(reply.body, HealthReport, path)


def _read_availability(_: str, reply: Reply) -> str | None:
    """Return why a database is not available, and an empty text if it is.

    Return None if the release has no such route.
    """
    if reply.status == 200:
        return ""
    code = error_code_of(reply.body)
    return None if reply.status == 404 and code != _DATABASE_NOT_FOUND else code


def _distinct(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))
