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
    Shard,
    error_text,
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
        NodeStatus,
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
    if database.action_uid not in {None, ""} and not busy:
        yield Finding(FindingKind.WORK, name, "an action is under way")


# --- health, by the lists of /v1 -----------------------------------------------------------------


def database_findings(databases: Iterable[Database]) -> Iterator[Finding]:
    """Find the databases that are not active, on which an operation runs, or one has failed."""
    for database in databases:
        name = _database(database.uid)
        yield from _unless(word_of(database.status), {_ACTIVE}, FindingKind.DATABASE, name)
        yield from _operations(database, name)
        for op in database.ops:
            if op.status == "failed":
                text = f"failed: {op.error}" if op.error else "failed"
                yield Finding(FindingKind.WORK, f"{op.name or 'operation'} on {name}", text)


def availability_finding(database: Database, error: str | None) -> Iterator[Finding]:
    """Find a database whose endpoints are not available, for the reason `error`."""
    if error is not None:
        name = _database(database.uid)
        yield Finding(FindingKind.DATABASE, name, f"not available: {error}")


def node_findings(
    nodes: Iterable[Node], statuses: Mapping[str, NodeStatus], ignored: Collection[int]
) -> Iterator[Finding]:
    """Find the nodes that are not active, or in maintenance; and that the primary is not known.

    A snapshot of maintenance is there while a node is in maintenance, and if that was stopped
    improperly (requests/nodes/status).
    """
    by_uid: dict[str, list[str]] = {uid: [] for uid in statuses}
    for node in nodes:
        by_uid.setdefault(name_of(node.uid), []).append(word_of(node.status))
    if not by_uid:
        yield Finding(FindingKind.CLUSTER, _CLUSTER, "it lists no nodes")
    for uid, words in by_uid.items():
        status = statuses.get(uid)
        words.append("" if status is None else word_of(status.node_status))
        for word in dict.fromkeys(words):
            yield from _unless(word, {_ACTIVE}, FindingKind.NODE, _node(uid))
        if status is not None and status.maintenance_snapshot and not _is_in(uid, ignored):
            text = "in maintenance, or not taken out of it properly"
            yield Finding(FindingKind.MAINTENANCE, _node(uid), text)
    roles = {uid: word_of(status.role) for uid, status in statuses.items()}
    yield from _primary([uid for uid, role in roles.items() if role == "master"])


def primary_finding(check: MasterCheck) -> Iterator[Finding]:
    """Find that the node that was asked is not connected to the primary."""
    status = word_of(check.status)
    if status != _ACTIVE:
        text = f"the node that was asked has no connection to it ({status or 'no status'})"
        yield Finding(FindingKind.PRIMARY, "primary node", text)


def check_findings(report: CheckReport, nodes: Iterable[NodeCheck]) -> Iterator[Finding]:
    """Find the nodes that fail the cluster's own check."""
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
        uid = name_of(shard.uid) or name_of(shard.id)
        bdb_uid = name_of(shard.bdb_uid) or name_of(shard.db_id)
        name = f"shard {uid}".strip() + (f" of {_database(bdb_uid)}" if bdb_uid else "")
        if (status, detail) != (_ACTIVE, _OK):
            yield Finding(FindingKind.SHARD, name, _words(status, detail, _ACTIVE))


# --- health, by the report of /v4 ----------------------------------------------------------------


def report_findings(report: HealthReport, ignored: Collection[int]) -> Iterator[Finding]:
    """Find what the health report of a cluster shows. Raises `UnreadableReply`.

    The status of the report as a whole is a finding if it is `error` and no part of it tells why,
    or an unknown word. A `warning` also stands for an alert, and for a node in maintenance that is
    ignored, so that its parts decide.
    """
    nodes = read_array(report.nodes, HealthNode, _HEALTH_PATH)
    found = [
        *_reported_nodes(nodes, ignored),
        *_reported_databases(read_array(report.database_infos, HealthDatabase, _HEALTH_PATH)),
    ]
    yield from found
    allowed = {_OK, "warning"} | ({"error"} if found else set[str]())
    yield from _unless(word_of(report.status), allowed, FindingKind.CLUSTER, _CLUSTER)


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
        yield from shard_findings(read_array(node.shards, Shard, _HEALTH_PATH))
    yield from _primary([name_of(each.id) for each in nodes if word_of(each.role) == "leader"])


def _reported_databases(databases: Iterable[HealthDatabase]) -> Iterator[Finding]:
    for database in databases:
        status, detail = word_of(database.status), word_of(database.detailed_status)
        if status != _ACTIVE or detail not in {"", _ACTIVE}:
            name = _database(database.id)
            yield Finding(FindingKind.DATABASE, name, _words(status, detail, _ACTIVE))


# --- texts ---------------------------------------------------------------------------------------


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


def _is_in(uid: str, ignored: Collection[int]) -> bool:
    return uid.isascii() and uid.isdecimal() and int(uid) in ignored
