"""Findings against a quiet or a healthy cluster, as functions of what its lists show.

A cluster is quiet if no work is under way on it. It is healthy if the next node may be worked on,
as the vendor's pages on upgrades and maintenance have it: every node, shard and endpoint is OK, no
node is in maintenance mode, and no work is active. A word that is not known is a finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.cluster_check import Finding, FindingKind

from .cluster_lists import (
    HealthDatabase,
    HealthNode,
    NodeStatus,
    Shard,
    error_text,
    is_uid,
    name_of,
    read_array,
    word_of,
)


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from .cluster_lists import (
        CheckReport,
        Database,
        HealthReport,
        MasterCheck,
        Node,
        NodeCheck,
        Work,
    )

_CLUSTER: Final = "cluster"
_NO_STATUS: Final = "its status is not known"
_ACTIVE: Final = "active"
_OK: Final = "ok"
# monitoring/health-report has no words for the status of a node. It is that of /v1/nodes in the
# answers that are known of; `ok` is the word of the report as a whole.
_NODE_OK: Final = frozenset({_ACTIVE, _OK})
_NO_TRANSFER: Final = frozenset({"", "idle", "succeeded", "failed"})  # objects/bdb
_MAINTENANCE: Final = frozenset({"maintenance_on", "maintenance_off"})
_HEALTH_PATH: Final = "/v4/cluster/health"
_NOT_REPORTED: Final = "the health report does not have it"
_SUCCESS: Final = 200


# --- work ----------------------------------------------------------------------------------------


def work_findings(works: Iterable[Work], ignored: Collection[int] = ()) -> Iterator[Finding]:
    """Find the actions and tasks that have not ended, but for the maintenance of ignored nodes."""
    for work in works:
        if work.phase.terminal:
            continue
        status = work.status or _NO_STATUS
        if work.name not in _MAINTENANCE or not work.node_uid:
            yield Finding(FindingKind.WORK, work.title, status)
        elif not _is_in(work.node_uid, ignored):
            text = f"{work.name}: {status}"
            yield Finding(FindingKind.MAINTENANCE, _node(work.node_uid), text)


def busy_databases(databases: Iterable[Database]) -> Iterator[Finding]:
    """Find the databases that are not active, or on which an operation or a transfer runs."""
    for database in databases:
        name = _database(database.uid)
        yield from _unless(word_of(database.status), {_ACTIVE}, FindingKind.DATABASE, name)
        yield from _operations(database, name)
        for transfer in ("export", "import", "backup"):
            status = word_of(getattr(database, f"{transfer}_status"))
            if status not in _NO_TRANSFER:
                yield Finding(FindingKind.WORK, f"{transfer} of {name}", status)


def _operations(database: Database, name: str) -> Iterator[Finding]:
    busy = [op for op in database.ops if op.busy]
    for op in busy:
        yield Finding(FindingKind.WORK, f"{op.name or 'operation'} on {name}", op.status)
    if database.action_uid and not busy:
        yield Finding(FindingKind.WORK, name, "an action is under way")


# --- health, by the lists of /v1 -----------------------------------------------------------------


def database_findings(databases: Iterable[Database]) -> Iterator[Finding]:
    """Find the databases that are not active, on which an operation runs, or one has failed."""
    for database in databases:
        name = _database(database.uid)
        yield from _unless(word_of(database.status), {_ACTIVE}, FindingKind.DATABASE, name)
        if not is_uid(name_of(database.uid)):
            yield Finding(FindingKind.DATABASE, name, "its uid cannot be read")
        yield from _operations(database, name)
        for op in database.ops:
            if op.status == "failed":
                text = f"failed: {op.error}" if op.error else "failed"
                yield Finding(FindingKind.WORK, f"{op.name or 'operation'} on {name}", text)


def availability_findings(database: Database, problems: Iterable[str]) -> Iterator[Finding]:
    """Find a database that is not available, for each of these reasons."""
    for problem in problems:
        name = _database(database.uid)
        yield Finding(FindingKind.DATABASE, name, f"not available: {problem}")


def node_findings(
    nodes: Iterable[Node], statuses: Mapping[str, NodeStatus], ignored: Collection[int]
) -> Iterator[Finding]:
    """Find the nodes that are not active, or in maintenance; and that the primary is not known.

    A snapshot of maintenance is there while a node is in maintenance, and if that was stopped
    improperly (requests/nodes/status).
    """
    by_uid: dict[str, list[str]] = {}
    for node in nodes:
        by_uid.setdefault(name_of(node.uid), []).append(word_of(node.status))
    if not by_uid:
        yield Finding(FindingKind.CLUSTER, _CLUSTER, "it lists no nodes")
    else:
        yield from _missing_nodes(statuses, by_uid, "the list of nodes does not have it")
    for uid in dict.fromkeys([*statuses, *by_uid]):
        status = statuses.get(uid, NodeStatus())
        for word in dict.fromkeys([*by_uid.get(uid, ()), word_of(status.node_status)]):
            yield from _unless(word, {_ACTIVE}, FindingKind.NODE, _node(uid))
        yield from _snapshot(uid, status, ignored)
    roles = {uid: word_of(status.role) for uid, status in statuses.items()}
    yield from _primary([uid for uid, role in roles.items() if role == "master"])


def primary_finding(check: MasterCheck) -> Iterator[Finding]:
    """Find that the node that was asked is not connected to the primary."""
    status = word_of(check.status)
    if status != _ACTIVE:
        text = f"the node that was asked has no connection to it ({status or 'no status'})"
        yield Finding(FindingKind.PRIMARY, "primary node", text)


def check_findings(
    report: CheckReport, nodes: Collection[NodeCheck], uids: Iterable[str]
) -> Iterator[Finding]:
    """Find the nodes that fail the cluster's own check, and those of `uids` that it lacks."""
    checked = {name_of(each.node_uid) for each in nodes}
    yield from _missing_nodes(uids, checked, "the check of the cluster does not have it")
    failed = [each for each in nodes if each.result is not True]
    for node in failed:
        text = ": ".join(filter(None, ["it fails its check", error_text(node)]))
        yield Finding(FindingKind.NODE, _node(name_of(node.node_uid)), text)
    if report.cluster_test_result is not True and not failed:
        yield Finding(FindingKind.CLUSTER, _CLUSTER, "it fails its check")


def shard_findings(shards: Iterable[Shard]) -> Iterator[Finding]:
    """Find the shards that are not active and ok."""
    for shard in shards:
        status, detail = word_of(shard.status), word_of(shard.detailed_status)
        if (status, detail) != (_ACTIVE, _OK):
            yield Finding(FindingKind.SHARD, _shard(shard), _words(status, detail, _ACTIVE))


def placement_findings(
    databases: Collection[Database], shards: Collection[Shard]
) -> Iterator[Finding]:
    """Find the active databases without a shard, and the shards without a database."""
    owners = {shard.owner for shard in shards}
    uids = {name_of(database.uid) for database in databases} - {""}
    for database in databases:
        if word_of(database.status) == _ACTIVE and name_of(database.uid) not in owners:
            text = "no shard of it is listed"
            yield Finding(FindingKind.DATABASE, _database(database.uid), text)
    for shard in shards:
        if shard.owner not in uids:
            yield Finding(FindingKind.SHARD, _shard(shard), "its database is not listed")


# --- health, by the report of /v4 ----------------------------------------------------------------


def report_findings(
    status: int,
    report: HealthReport,
    statuses: Mapping[str, NodeStatus],
    databases: Collection[Database],
    ignored: Collection[int],
) -> Iterator[Finding]:
    """Find what the health report of a cluster shows, or should show. Raises `UnreadableReply`.

    It was answered with the HTTP status `status`. It has to have each node of /v1/nodes/status, and
    each database of /v1/bdbs, with its shards.

    The status of the report as a whole is a finding if it is `error` and no part of it tells why,
    or an unknown word. A `warning` also stands for an alert, and for a node in maintenance that is
    ignored, so that its parts decide.
    """
    nodes = read_array(report.nodes, HealthNode, _HEALTH_PATH)
    infos = read_array(report.database_infos, HealthDatabase, _HEALTH_PATH)
    shards = [each for node in nodes for each in read_array(node.shards, Shard, _HEALTH_PATH)]
    found = [
        *_reported_nodes(nodes, ignored),
        *shard_findings(shards),
        *_reported_databases(infos),
    ]
    has_failed = status != _SUCCESS or report.error_code is not None
    if has_failed and not found:
        text = f"its health report was answered {status}"
        code = name_of(report.error_code)
        yield Finding(FindingKind.CLUSTER, _CLUSTER, f"{text}: {code}" if code else text)
    yield from found
    allowed = {_OK, "warning"} | ({"error"} if found else set[str]())
    yield from _unless(word_of(report.status), allowed, FindingKind.CLUSTER, _CLUSTER)
    yield from _not_reported(nodes, statuses, found, ignored)
    listed = {name_of(each.id) for each in infos}
    for database in databases:
        if name_of(database.uid) not in listed:
            yield Finding(FindingKind.DATABASE, _database(database.uid), _NOT_REPORTED)
    yield from placement_findings(databases, shards)


def _not_reported(
    nodes: Iterable[HealthNode],
    statuses: Mapping[str, NodeStatus],
    found: Iterable[Finding],
    ignored: Collection[int],
) -> Iterator[Finding]:
    """Find what /v1/nodes/status shows of nodes, and the report does not."""
    reported = {name_of(node.id) for node in nodes}
    told = {each.object for each in found if each.kind is FindingKind.MAINTENANCE}
    yield from _missing_nodes(statuses, reported, _NOT_REPORTED)
    for uid in dict.fromkeys([*statuses, *reported]):
        status = statuses.get(uid, NodeStatus())
        yield from _unless(word_of(status.node_status), {_ACTIVE}, FindingKind.NODE, _node(uid))
        if _node(uid) not in told:
            yield from _snapshot(uid, status, ignored)


def _reported_nodes(nodes: list[HealthNode], ignored: Collection[int]) -> Iterator[Finding]:
    if not nodes:
        yield Finding(FindingKind.CLUSTER, _CLUSTER, "it lists no nodes")
    for node in nodes:
        uid, status, detail = name_of(node.id), word_of(node.status), word_of(node.detailed_status)
        name = _node(uid)
        if status not in _NODE_OK or detail not in {"", *_NODE_OK}:
            yield Finding(FindingKind.NODE, name, _words(status, detail, *_NODE_OK))
        if node.in_maintenance is not False and not _is_in(uid, ignored):
            is_known = node.in_maintenance is True
            text = "in maintenance" if is_known else "it is not known whether it is in maintenance"
            yield Finding(FindingKind.MAINTENANCE, name, text)
    yield from _primary([name_of(each.id) for each in nodes if word_of(each.role) == "leader"])


def _reported_databases(databases: Iterable[HealthDatabase]) -> Iterator[Finding]:
    for database in databases:
        status, detail = word_of(database.status), word_of(database.detailed_status)
        if status != _ACTIVE or detail not in {"", _ACTIVE}:
            name = _database(database.id)
            yield Finding(FindingKind.DATABASE, name, _words(status, detail, _ACTIVE))
        elif (word := database.high_availability_word) != _OK:
            text = f"high availability: {word or _NO_STATUS}"
            yield Finding(FindingKind.DATABASE, _database(database.id), text)


# --- texts ---------------------------------------------------------------------------------------


def _missing_nodes(uids: Iterable[str], listed: Collection[str], problem: str) -> Iterator[Finding]:
    for uid in uids:
        if uid not in listed:
            yield Finding(FindingKind.NODE, _node(uid), problem)


def _snapshot(uid: str, status: NodeStatus, ignored: Collection[int]) -> Iterator[Finding]:
    if status.maintenance_snapshot and not _is_in(uid, ignored):
        text = "in maintenance, or not taken out of it properly"
        yield Finding(FindingKind.MAINTENANCE, _node(uid), text)


def _primary(uids: list[str]) -> Iterator[Finding]:
    if len(uids) != 1:
        text = f"several nodes say that they are it: {', '.join(uids)}" if uids else "not known"
        yield Finding(FindingKind.PRIMARY, "primary node", text)


def _unless(word: str, allowed: Collection[str], kind: FindingKind, name: str) -> Iterator[Finding]:
    if word not in allowed:
        yield Finding(kind, name, word or _NO_STATUS)


def _words(status: str, detail: str, *good: str) -> str:
    """Return the words that tell what is wrong: both, or the one that is not good."""
    if status in good:
        return detail or _NO_STATUS
    return (
        f"{status or _NO_STATUS} ({detail})"
        if detail not in {"", status}
        else (status or _NO_STATUS)
    )


def _node(uid: str) -> str:
    return f"node {uid}" if uid else "a node without a uid"


def _database(uid: object) -> str:
    name = name_of(uid)
    return f"database {name}" if name else "a database without a uid"


def _shard(shard: Shard) -> str:
    name = f"shard {name_of(shard.uid) or name_of(shard.id)}".strip()
    return f"{name} of {_database(shard.owner)}" if shard.owner else name


def _is_in(uid: str, ignored: Collection[int]) -> bool:
    return is_uid(uid) and int(uid) in ignored
