"""Tests of `_client.wire.cluster_findings`: tables of what is good, and of what is a finding."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from redis_enterprise_actions import UnreadableReply
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
    from collections.abc import Iterable

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
            ["a database without a uid: unreadable"],
        ),
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

    assert texts(availability_finding(database, None)) == []
    assert texts(availability_finding(database, "no_quorum")) == [
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
        ([NODES[0]], {}, (), []),
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
    assert texts(check_findings(CheckReport(result), nodes)) == expected


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
        ({}, {"shards": [5]}, {}, {}, ["shard: its status is not known"]),
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
            ["cluster: it lists no nodes", "primary node: not known"],
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

    assert texts(report_findings(report, ())) == expected


def test_report_ignores_maintenance() -> None:
    """Nodes that are ignored may be in maintenance, and nothing else."""
    nodes = [LEADER, {**FOLLOWER, "in_maintenance": True}]
    report = HealthReport("warning", raw(nodes), raw([]))

    assert texts(report_findings(report, {2})) == []
    assert texts(report_findings(report, {1})) == ["node 2: in maintenance"]


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
        list(report_findings(report, ()))
