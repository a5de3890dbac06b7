"""Tests of `_client.wire.cluster_findings`: tables of what is good, and of what is a finding."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from redis_enterprise_actions import UnreadableReply
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
    Database,
    HealthReport,
    MasterCheck,
    Node,
    NodeCheck,
    NodeStatus,
    Shard,
    read_actions,
)


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from redis_enterprise_actions import Finding


def texts(findings: Iterable[Finding]) -> list[str]:
    """Return findings as the command prints them."""
    return [str(each) for each in findings]


def raw(value: object) -> msgspec.Raw:
    """Return a value as it stands in a body."""
    return msgspec.Raw(json.dumps(value).encode())


# --- work and databases --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "ignored", "expected"),
    [
        ({"name": "x", "status": "completed"}, (), []),
        ({"name": "x", "status": "failed"}, (), []),
        ({"name": "x", "status": "queued"}, (), ["x: queued"]),
        ({"name": "x", "status": "cancelling"}, (), ["x: cancelling"]),
        ({"name": "x", "status": "odd"}, (), ["x: odd"]),
        ({"name": "x"}, (), ["x: its status is not known"]),
        (5, (), ["an action: its status is not known"]),
        (
            {"name": "maintenance_on", "node_uid": "2", "status": "running"},
            (),
            ["node 2: maintenance_on: running"],
        ),
        ({"name": "maintenance_on", "node_uid": 2, "status": "running"}, (2,), []),
        (
            {"name": "maintenance_off", "node_uid": "2", "status": "running"},
            (1,),
            ["node 2: maintenance_off: running"],
        ),
        (
            {"name": "remove_node", "node_uid": "2", "status": "running"},
            (2,),
            ["remove_node on node 2: running"],
        ),
        ({"name": "maintenance_on", "status": "running"}, (), ["maintenance_on: running"]),
        (
            {
                "name": "maintenance_on",
                "status": "running",
                "additional_info": {"object_type": "node", "object_uid": "2"},
            },
            (2,),
            [],
        ),
    ],
)
def test_work(entry: object, ignored: tuple[int, ...], expected: list[str]) -> None:
    """Whatever has not ended is work, but for the maintenance of a node that is ignored."""
    works = read_actions(json.dumps({"actions": [entry]}).encode(), "/v1/actions")

    assert texts(work_findings(works, ignored)) == expected


IDLE = {"uid": 1, "status": "active", "background_op": [{"status": "idle"}]}
FAILED = [{"name": "SMX", "status": "failed", "error": {"reason": "full"}}]


@pytest.mark.parametrize(
    ("fields", "work", "unhealthy"),
    [
        ({}, [], []),
        ({"action_uid": ""}, [], []),
        ({"background_op": None}, [], []),
        *(
            ({"status": word}, [f"database 1: {word}"], [f"database 1: {word}"])
            for word in ("pending", "active-change-pending", "recovery", "creation-failed", "odd")
        ),
        (
            {"status": None},
            ["database 1: its status is not known"],
            ["database 1: its status is not known"],
        ),
        (
            {"uid": None, "status": 5},
            ["a database without a uid: unreadable"],
            [
                "a database without a uid: unreadable",
                "a database without a uid: its uid cannot be read",
            ],
        ),
        ({"uid": 1.0}, [], ["a database without a uid: its uid cannot be read"]),
        ({"uid": "x"}, [], ["database x: its uid cannot be read"]),
        *(({"action_uid": value}, [], []) for value in ([], {}, 0, False)),
        (
            {"action_uid": "a"},
            ["database 1: an action is under way"],
            ["database 1: an action is under way"],
        ),
        (
            {"action_uid": "a", "background_op": [{"name": "SMX", "status": "active"}]},
            ["SMX on database 1: active"],
            ["SMX on database 1: active"],
        ),
        (
            {"background_op": [{"status": "odd"}]},
            ["operation on database 1: odd"],
            ["operation on database 1: odd"],
        ),
        ({"background_op": FAILED}, [], ["SMX on database 1: failed: full"]),
        ({"background_op": [{"status": "failed"}]}, [], ["operation on database 1: failed"]),
        ({"export_status": "exporting"}, ["export of database 1: exporting"], []),
        ({"import_status": "initializing"}, ["import of database 1: initializing"], []),
        ({"backup_status": "odd"}, ["backup of database 1: odd"], []),
        ({"backup_status": 5}, ["backup of database 1: unreadable"], []),
        *(({"export_status": word}, [], []) for word in ("", "idle", "succeeded", "failed")),
    ],
)
def test_databases(fields: dict[str, Any], work: list[str], unhealthy: list[str]) -> None:
    """A quiet cluster has no transfer, a healthy one no failed operation; both only active ones."""
    database = msgspec.json.decode(json.dumps({**IDLE, **fields}), type=Database)

    assert texts(busy_databases([database])) == work
    assert texts(database_findings([database])) == unhealthy


def test_availability() -> None:
    """The reason of the cluster is named."""
    database = Database(uid=1)

    assert texts(availability_findings(database, [])) == []
    assert texts(availability_findings(database, ["no_quorum"])) == [
        "database 1: not available: no_quorum"
    ]


# --- lists of /v1 --------------------------------------------------------------------------------

NODES = [Node(1, "active"), Node("2", "active")]
STATUSES = {"1": NodeStatus("active", "master"), "2": NodeStatus("active", "slave")}
UNCLEAR = "not taken out of it properly"


@pytest.mark.parametrize(
    ("nodes", "statuses", "ignored", "expected"),
    [
        (NODES, {}, (), []),
        ([NODES[0], Node(2, "down")], {}, (), ["node 2: down"]),
        (NODES, {"2": NodeStatus("down", "slave")}, (), ["node 2: down"]),
        ([NODES[0], Node(2, "down")], {"2": NodeStatus("down", "slave")}, (), ["node 2: down"]),
        (
            [NODES[0], Node(2, "decommissioning")],
            {"2": NodeStatus("odd", "slave")},
            (),
            ["node 2: decommissioning", "node 2: odd"],
        ),
        ([*NODES, Node(3, "active")], {}, (), ["node 3: its status is not known"]),
        ([NODES[0]], {}, (), ["node 2: the list of nodes does not have it"]),
        ([], {}, (), ["cluster: it lists no nodes"]),
        ([*NODES, Node()], {}, (), ["a node without a uid: its status is not known"]),
        (
            NODES,
            {"2": NodeStatus("active", "slave", {"name": "x"})},
            (),
            [f"node 2: in maintenance, or {UNCLEAR}"],
        ),
        (NODES, {"2": NodeStatus("active", "slave", {"name": "x"})}, (1, 2), []),
        (
            NODES,
            {"2": NodeStatus("down", "slave", {"name": "x"})},
            (2,),
            ["node 2: down"],
        ),
        (NODES, {"1": NodeStatus("active", "slave")}, (), ["primary node: not known"]),
        (
            NODES,
            {"2": NodeStatus("active", "master")},
            (),
            ["primary node: several nodes say that they are it: 1, 2"],
        ),
    ],
)
def test_nodes(
    nodes: list[Node],
    statuses: dict[str, NodeStatus],
    ignored: tuple[int, ...],
    expected: list[str],
) -> None:
    """Each node is active in both lists and out of maintenance, and one is the primary."""
    assert texts(node_findings(nodes, {**STATUSES, **statuses}, ignored)) == expected


def test_no_nodes() -> None:
    """A cluster without nodes is none that is healthy."""
    assert texts(node_findings([], {}, ())) == [
        "cluster: it lists no nodes",
        "primary node: not known",
    ]


@pytest.mark.parametrize(("status", "word"), [("inactive", "inactive"), (None, "no status")])
def test_primary(status: object, word: str) -> None:
    """The node that is asked has to be connected to the primary."""
    assert texts(primary_finding(MasterCheck("active"))) == []
    assert texts(primary_finding(MasterCheck(status))) == [
        f"primary node: the node that was asked has no connection to it ({word})"
    ]


@pytest.mark.parametrize(
    ("result", "nodes", "expected"),
    [
        (True, [NodeCheck("1", result=True)], []),
        (False, [NodeCheck("1", result=True)], ["cluster: it fails its check"]),
        ("true", [], ["cluster: it fails its check"]),
        (None, [], ["cluster: it fails its check"]),
        (
            False,
            [NodeCheck("1", result=True), NodeCheck("2", result=False, error=raw("no pid file"))],
            ["node 2: it fails its check: no pid file"],
        ),
        (True, [NodeCheck("2", result=False)], ["node 2: it fails its check"]),
        (True, [NodeCheck()], ["a node without a uid: it fails its check"]),
    ],
)
def test_checks(result: object, nodes: list[NodeCheck], expected: list[str]) -> None:
    """The cluster's own check has to succeed, on each node."""
    uids = [str(each.node_uid or "") for each in nodes]

    assert texts(check_findings(CheckReport(result), nodes, uids)) == expected


def test_check_lacks_a_node() -> None:
    """A node that the check does not list has not passed it."""
    report, nodes = CheckReport(cluster_test_result=True), [NodeCheck("1", result=True)]

    assert texts(check_findings(report, nodes, ["1", "2"])) == [
        "node 2: the check of the cluster does not have it"
    ]
    assert len(texts(check_findings(report, [], ["1", "2"]))) == 2


@pytest.mark.parametrize(
    ("databases", "shards", "expected"),
    [
        ([1], [1, 1], []),
        ([1, 2], [1], ["database 2: no shard of it is listed"]),
        ([1], [1, 2], ["shard 7 of database 2: its database is not listed"]),
        ([], [1], ["shard 7 of database 1: its database is not listed"]),
        ([1], [1, None], ["shard 7: its database is not listed"]),
    ],
)
def test_placement(databases: list[int], shards: list[int | None], expected: list[str]) -> None:
    """Each active database has shards, and each shard has a database."""
    listed = [Database(uid, "active") for uid in databases]

    found = placement_findings(listed, [Shard(7, bdb_uid=uid) for uid in shards])

    assert texts(found) == expected
    assert texts(placement_findings([Database(3, "pending")], [])) == []


@pytest.mark.parametrize(
    ("shard", "expected"),
    [
        (Shard("7", None, 2, None, "active", "ok"), []),
        (Shard(None, 7, None, 2, "Active", "OK"), []),
        (Shard("7", None, 2, None, "active", "loading"), ["shard 7 of database 2: loading"]),
        (
            Shard(None, 7, None, 2, "inactive", "down"),
            ["shard 7 of database 2: inactive (down)"],
        ),
        (Shard("7", None, 2, None, "inactive", "ok"), ["shard 7 of database 2: inactive (ok)"]),
        (
            Shard("7", None, 2, None, "trimming", "trimming"),
            ["shard 7 of database 2: trimming"],
        ),
        (Shard("7", None, None, None, "active"), ["shard 7: its status is not known"]),
        (Shard(), ["shard: its status is not known"]),
        (Shard("7", detailed_status="ok"), ["shard 7: its status is not known (ok)"]),
    ],
)
def test_shards(shard: Shard, expected: list[str]) -> None:
    """A shard has to be active and ok."""
    assert texts(shard_findings([shard])) == expected


# --- report of /v4 -------------------------------------------------------------------------------

LEADER: dict[str, object] = {
    "id": 1,
    "status": "active",
    "detailed_status": "active",
    "role": "leader",
    "in_maintenance": False,
    "shards": [{"id": 7, "db_id": 1, "status": "active", "detailed_status": "ok"}],
}
FOLLOWER = {**LEADER, "id": 2, "role": "follower", "shards": []}
INFO: dict[str, object] = {"id": 1, "status": "active", "detailed_status": "active"}
STATUS_OF_ALL = {"1": NodeStatus("active"), "2": NodeStatus("active")}
ONE = [Database(1, "active")]


def of_report(
    report: HealthReport,
    *,
    status: int = 200,
    statuses: dict[str, NodeStatus] | None = None,
    databases: Sequence[Database] = ONE,
    ignored: set[int] | None = None,
) -> list[str]:
    """Return the findings of a report about two nodes and a database."""
    statuses = STATUS_OF_ALL | (statuses or {})
    return texts(report_findings(status, report, statuses, databases, ignored or set()))


@pytest.mark.parametrize(
    ("fields", "leader", "follower", "info", "expected"),
    [
        ({}, {}, {}, {}, []),
        ({"status": "warning"}, {}, {}, {}, []),
        ({}, {"status": "ok", "detailed_status": ""}, {}, {"detailed_status": None}, []),
        ({"status": "error"}, {}, {}, {}, ["cluster: error"]),
        ({"status": "odd"}, {}, {}, {}, ["cluster: odd"]),
        ({"status": None}, {}, {}, {}, ["cluster: its status is not known"]),
        ({"status": "error"}, {}, {"status": "down"}, {}, ["node 2: down (active)"]),
        ({"status": "odd"}, {}, {"status": "down"}, {}, ["node 2: down (active)", "cluster: odd"]),
        ({}, {}, {"detailed_status": "no pid file"}, {}, ["node 2: no pid file"]),
        (
            {},
            {},
            {"status": None, "detailed_status": None},
            {},
            ["node 2: its status is not known"],
        ),
        ({}, {}, {"in_maintenance": True}, {}, ["node 2: in maintenance"]),
        (
            {},
            {},
            {"in_maintenance": None},
            {},
            ["node 2: it is not known whether it is in maintenance"],
        ),
        ({}, {"role": "follower"}, {}, {}, ["primary node: not known"]),
        (
            {},
            {},
            {"role": "leader"},
            {},
            ["primary node: several nodes say that they are it: 1, 2"],
        ),
        (
            {},
            {"shards": [{"id": 7, "db_id": 1, "status": "active", "detailed_status": "busy"}]},
            {},
            {},
            ["shard 7 of database 1: busy"],
        ),
        (
            {},
            {},
            {"shards": [5]},
            {},
            ["shard: its status is not known", "shard: its database is not listed"],
        ),
        ({}, {"shards": []}, {}, {}, ["database 1: no shard of it is listed"]),
        ({}, {}, {}, {"high_availability": {"status": "OK"}}, []),
        (
            {"status": "warning"},
            {},
            {},
            {"high_availability": {"status": "warning"}},
            ["database 1: high availability: warning"],
        ),
        (
            {},
            {},
            {},
            {"high_availability": 5},
            ["database 1: high availability: its status is not known"],
        ),
        ({"error_code": "odd"}, {}, {}, {}, ["cluster: its health report was answered 200: odd"]),
        ({"error_code": []}, {}, {}, {}, ["cluster: its health report was answered 200"]),
        ({"error_code": "odd"}, {}, {"status": "down"}, {}, ["node 2: down (active)"]),
        (
            {},
            {},
            {"id": 3},
            {},
            ["node 2: the health report does not have it", "node 3: its status is not known"],
        ),
        ({}, {}, {}, {"status": "down"}, ["database 1: down (active)"]),
        ({}, {}, {}, {"status": "warning", "detailed_status": "pending"},
         ["database 1: warning (pending)"]),
        ({}, {}, {}, {"detailed_status": "recovery"}, ["database 1: recovery"]),
        ({}, {}, {}, {"status": None}, ["database 1: its status is not known (active)"]),
        (
            {"nodes": []},
            {},
            {},
            {},
            [
                *("cluster: it lists no nodes", "primary node: not known"),
                *(f"node {uid}: the health report does not have it" for uid in (1, 2)),
                "database 1: no shard of it is listed",
            ],
        ),
    ],
)  # fmt: skip
def test_report(
    fields: dict[str, object],
    leader: dict[str, object],
    follower: dict[str, object],
    info: dict[str, object],
    expected: list[str],
) -> None:
    """Each part of the report has to be good, and a word that is not known is a finding."""
    body = {
        "status": "ok",
        "nodes": [{**LEADER, **leader}, {**FOLLOWER, **follower}],
        "database_infos": [{**INFO, **info}],
        **fields,
    }
    report = msgspec.json.decode(json.dumps(body), type=HealthReport)

    assert of_report(report) == expected


REPORT = HealthReport("ok", raw([LEADER, FOLLOWER]), raw([INFO]))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (NodeStatus("decommissioning"), ["node 2: decommissioning"]),
        (NodeStatus(), ["node 2: its status is not known"]),
        (NodeStatus("active", None, {"name": "x"}), [f"node 2: in maintenance, or {UNCLEAR}"]),
    ],
)
def test_report_and_statuses(status: NodeStatus, expected: list[str]) -> None:
    """The statuses of nodes tell what the report does not."""
    assert of_report(REPORT, statuses={"2": status}) == expected


def test_report_lacks_a_database() -> None:
    """A report is not believed for a database that it does not list."""
    assert of_report(REPORT, databases=[*ONE, Database(2, "pending")]) == [
        "database 2: the health report does not have it"
    ]


def test_report_answered_503() -> None:
    """A 503 is a finding, also if the body has none."""
    assert of_report(REPORT, status=503) == ["cluster: its health report was answered 503"]


def test_report_ignores_maintenance() -> None:
    """Nodes that are ignored may be in maintenance, and nothing else."""
    nodes = [LEADER, {**FOLLOWER, "in_maintenance": True}]
    report = HealthReport("warning", raw(nodes), raw([INFO]))
    statuses = {"2": NodeStatus("active", None, {"name": "x"})}

    assert of_report(report, statuses=statuses, ignored={2}) == []
    assert of_report(report, statuses=statuses, ignored={1}) == ["node 2: in maintenance"]


@pytest.mark.parametrize(
    "report",
    [
        HealthReport("ok"),
        HealthReport("ok", raw([]), raw(5)),
        HealthReport("ok", raw([{**LEADER, "shards": None}]), raw([])),
    ],
)
def test_unreadable_report(report: HealthReport) -> None:
    """A report in another form than the documented one is unreadable."""
    with pytest.raises(UnreadableReply):
        of_report(report)
