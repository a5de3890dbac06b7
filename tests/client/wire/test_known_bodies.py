"""Every body that is known of others is accepted, with the right meaning.

DOC: the example of a page of the vendor's reference (redis.io/docs,
operate/rs/references/rest-api). LIVE: as recorded on a real cluster by somebody. Uids
are shortened.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from redis_enterprise_actions import Action, Kind
from redis_enterprise_actions._client.submit.calls import find_rule
from redis_enterprise_actions._client.submit.handle import read_handle
from redis_enterprise_actions._client.wire.actions import read_action, read_actions
from redis_enterprise_actions._client.wire.crdb_tasks import read_crdb_task, read_crdb_tasks
from redis_enterprise_actions._client.wire.databases import (
    database_action,
    read_database,
    read_databases,
    transfer_status,
)
from redis_enterprise_actions._client.wire.node_actions import read_node_action, read_node_actions
from redis_enterprise_actions._client.wire.reasons import read_reason
from redis_enterprise_actions._client.wire.replies import read_uids
from redis_enterprise_actions._model.action import AmbiguousAnswer
from redis_enterprise_actions._model.reference import ReferenceKind, parse_reference


if TYPE_CHECKING:
    from collections.abc import Callable


class Known(NamedTuple):
    """A body, where it is known from, and its meaning as `meaning_of` writes it."""

    source: str
    path: str
    body: object
    meaning: list[str]


def meaning_of(action: Action) -> str:
    """Return what an action means, as one line."""
    facts = {
        "of": action.object_type and f"{action.object_type}:{action.object_uid}",
        "node": action.node_uid,
        "task": action.task_id,
        "state": action.state,
        "created": action.creation_time and int(action.creation_time.timestamp()),
        "beat": action.heartbeat and int(action.heartbeat.timestamp()),
        "ops": ", ".join(map(str, action.pending_ops)) or None,
        "error": action.reason,
    }
    words = [action.uid, action.name, action.kind, action.phase]
    if action.progress is not None:
        words.append(f"{action.progress:g}%")
    return " ".join([*words, *(f"{key}={value}" for key, value in facts.items() if value)])


TASK: Final = {
    "action_uid": "159ca2f8",
    "name": "retry_bdb",
    "node_uid": "2",
    "progress": "100",
    "status": "completed",
    "task_id": "159ca2f8",
}
RECORDED_TASK: Final = {**TASK, "creation_time": "1760400087"}
MODULE_TASK: Final = {
    "action_uid": "b2ca2f8b",
    "creation_time": "1760400090",
    "module_uid": "5c1f3ae0",
    "name": "module_installation",
    "progress": "100",
    "status": "completed",
    "task_id": "b2ca2f8b",
}
MACHINE: Final = {
    "action_uid": "a10586b1",
    "heartbeat": 1650378874,
    "name": "SMCreateBDB",
    "object_name": "bdb:1",
    "progress": 100,
    "status": "completed",
}
RUNNING: Final = {
    "action_uid": "c1",
    "heartbeat": 1760400121,
    "name": "SMDeleteBDB",
    "object_name": "bdb:2",
    "pending_ops": {},
    "progress": 14.29,
    "state": "init",
    "status": "active",
}
ENDED: Final = {
    "action_uid": "c2",
    "heartbeat": 1760400111,
    "name": "SMCreateBDB",
    "object_name": "bdb:2",
    "pending_ops": {},
    "status": "completed",
}
OPS: Final = {
    "3": {
        "heartbeat": 1703067908,
        "snapshot": {"x": 1},
        "last_sample_time": 1703067909,
        "op_name": "wait_for_sync",
        "status_code": "in_progress",
        "status_description": "syncing",
        "progress": 42.0,
    }
}
OF_A_DATABASE: Final = {
    "action_uid": "8afc7f70",
    "heartbeat": 1703067908,
    "name": "SMUpdateBDB",
    "object_name": "bdb:1",
    "pending_ops": {},
    "progress": 50.0,
    "state": "proxy_policy",
    "status": "active",
}
V2: Final = {
    "action_type": "task",
    "action_uid": "6155403f",
    "additional_info": {"object_type": "node", "object_uid": "1"},
    "creation_time": 1742595918,
    "name": "retry_bdb",
    "progress": 100.0,
    "status": "completed",
}
CRDB_TASK: Final = {
    "id": "88bd6e5a",
    "crdb_guid": "07e7cf3e",
    "ended": "2025-06-02T10:00:14Z",
    "errors": [],
    "operation": "create_crdb",
    "progress": {
        "clusters": [{"name": "c1.local", "progress": "create"}],
        "worker": "commit",
    },
    "started": "2025-06-02T10:00:00Z",
    "status": "finished",
    "worker_name": "crdb_worker:1:0",
}
BDB: Final = {
    "uid": 1,
    "name": "db",
    "status": "active",
    "background_op": [{"status": "idle"}],
    "export_status": "",
    "import_status": "",
    "backup_status": "",
    "authentication_admin_pass": "hidden",
}

TASK_MEANS: Final = "159ca2f8 retry_bdb task completed 100% node=2"
MACHINE_MEANS: Final = "a10586b1 SMCreateBDB state-machine completed 100% of=bdb:1 beat=1650378874"
CRDB_TASK_MEANS: Final = (
    "88bd6e5a create_crdb crdb-task completed of=crdb:07e7cf3e state=c1.local: create "
    "created=1748858400"
)

BODIES: Final = [
    Known(
        "DOC requests/actions",
        "/v1/actions",
        {"actions": [TASK], "state-machines": [MACHINE]},
        [TASK_MEANS, MACHINE_MEANS],
    ),
    Known("DOC requests/actions", "/v1/actions/159ca2f8", TASK, [TASK_MEANS]),
    Known("DOC objects/state-machine", "/v1/actions/a10586b1", MACHINE, [MACHINE_MEANS]),
    Known(
        "LIVE 7.4 to 8.2",
        "/v1/actions",
        {"actions": [RECORDED_TASK, MODULE_TASK], "state-machines": [ENDED, RUNNING]},
        [
            f"{TASK_MEANS} created=1760400087",
            "b2ca2f8b module_installation task completed 100% created=1760400090",
            "c2 SMCreateBDB state-machine completed of=bdb:2 beat=1760400111",
            "c1 SMDeleteBDB state-machine running 14.29% of=bdb:2 state=init beat=1760400121",
        ],
    ),
    Known(
        "LIVE 7.4 to 8.2, nothing to do", "/v1/actions", {"actions": [], "state-machines": []}, []
    ),
    Known(
        "DOC requests/actions, failed",
        "/v1/actions/a10586b1",
        {**MACHINE, "status": "failed", "error": "no room"},
        [MACHINE_MEANS.replace("completed", "failed") + " error=no room"],
    ),
    Known(
        "DOC objects/action, failed",
        "/v1/actions/159ca2f8",
        {**TASK, "status": "failed", "error_code": "internal_error", "error_message": "no room"},
        [TASK_MEANS.replace("completed", "failed") + " error=internal_error: no room"],
    ),
    Known(
        "DOC requests/actions/bdb",
        "/v1/actions/bdb/1",
        [OF_A_DATABASE],
        [
            "8afc7f70 SMUpdateBDB state-machine running 50% of=bdb:1 state=proxy_policy "
            "beat=1703067908"
        ],
    ),
    Known(
        "DOC pending_ops, and the shape of redis-enterprise-rs",
        "/v1/actions/bdb/1",
        {"state-machines": [{**OF_A_DATABASE, "pending_ops": OPS}]},
        [
            "8afc7f70 SMUpdateBDB state-machine running 50% of=bdb:1 state=proxy_policy "
            "beat=1703067908 ops=shard 3 wait_for_sync 42 %"
        ],
    ),
    Known(
        "DOC requests/actions",
        "/v2/actions",
        [V2],
        ["6155403f retry_bdb task completed 100% of=node:1 created=1742595918"],
    ),
    Known(
        "DOC requests/actions",
        "/v2/actions/6155403f",
        V2,
        ["6155403f retry_bdb task completed 100% of=node:1 created=1742595918"],
    ),
    Known(
        "DOC requests/actions, other",
        "/v2/actions",
        [
            {
                **V2,
                "action_type": "other",
                "name": "export",
                "status": "failed",
                "additional_info": {"error": "no access", "object_type": "bdb", "object_uid": "3"},
            }
        ],
        ["6155403f export other failed 100% of=bdb:3 created=1742595918 error=no access"],
    ),
    Known(
        "a list of v1 in answer to v2",
        "/v2/actions",
        {"actions": [TASK], "state-machines": [MACHINE]},
        [TASK_MEANS, MACHINE_MEANS],
    ),
    Known(
        "DOC requests/nodes/actions",
        "/v1/nodes/1/actions",
        {
            "actions": [
                {"name": "remove_node", "node_uid": "1", "status": "running", "progress": 10}
            ]
        },
        ["node:1/remove remove node-action running 10% node=1"],
    ),
    Known(
        "DOC requests/nodes/actions, a list",
        "/v1/nodes/actions",
        [{"name": "maintenance_on", "node_uid": 1, "status": "queued", "progress": 0.0}],
        ["node:1/maintenance_on maintenance_on node-action pending 0% node=1"],
    ),
    Known(
        "LIVE",
        "/v1/nodes/1/actions/maintenance_on",
        {"status": "queued", "task_id": "f3"},
        ["node:1/maintenance_on maintenance_on node-action pending node=1 task=f3"],
    ),
    Known(
        "DOC requests/cluster/actions",
        "/v1/cluster/actions",
        {"actions": [{"name": "change_master", "status": "queued", "progress": 0.0}]},
        ["cluster:change_master change_master cluster-action pending 0%"],
    ),
    Known(
        "DOC requests/cluster/actions",
        "/v1/cluster/actions/change_master",
        {"name": "change_master", "status": "queued", "progress": 0.0},
        ["cluster:change_master change_master cluster-action pending 0%"],
    ),
    Known("DOC objects/crdb_task", "/v1/crdb_tasks/88bd6e5a", CRDB_TASK, [CRDB_TASK_MEANS]),
    Known("DOC requests/crdb_tasks", "/v1/crdb_tasks", [CRDB_TASK], [CRDB_TASK_MEANS]),
    Known(
        "in the manner of /v1/crdbs, LIVE",
        "/v1/crdb_tasks",
        {"crdb_tasks": [CRDB_TASK]},
        [CRDB_TASK_MEANS],
    ),
    Known(
        "LIVE, before it has a guid",
        "/v1/crdb_tasks/88bd6e5a",
        {"id": "88bd6e5a", "status": "queued"},
        ["88bd6e5a crdb_task crdb-task pending"],
    ),
    Known(
        "LIVE, failed",
        "/v1/crdb_tasks/88bd6e5a",
        {
            "crdb_guid": "",
            "errors": [{"cluster_name": "", "description": "no room", "error_code": "full"}],
            "id": "88bd6e5a",
            "status": "failed",
        },
        ["88bd6e5a crdb_task crdb-task failed error=full: no room"],
    ),
    Known(
        "LIVE",
        "/v1/bdbs/1",
        {**BDB, "background_op": [{"name": "SMDeleteBDB", "progress": 0, "status": "pending"}]},
        ["bdb:1 db database running 0% of=bdb:1 state=SMDeleteBDB"],
    ),
    Known("LIVE", "/v1/bdbs", [BDB], ["bdb:1 db database completed of=bdb:1"]),
    Known(
        "DOC objects/bdb/status",
        "/v1/bdbs/1",
        {**BDB, "status": "creation-failed"},
        ["bdb:1 db database failed of=bdb:1"],
    ),
]


def certain(wire: object, ref: str) -> Action:
    """Return the state of a database if nothing was known before."""
    found = database_action(wire, parse_reference(ref))  # type: ignore[arg-type]
    while isinstance(found, AmbiguousAnswer):
        found = found.action
    return found


def read(path: str, body: bytes) -> list[Action]:
    """Decode an answer as the client does that asks for `path`."""
    *_, collection, last = path.split("/")
    lists: dict[str, Callable[[], list[Action]]] = {
        "/v1/actions": lambda: read_actions(body, path),
        "/v2/actions": lambda: read_actions(body, path, Kind.OTHER),
        "/v1/actions/bdb/1": lambda: read_actions(body, path),
        "/v1/nodes/actions": lambda: read_node_actions(body, ReferenceKind.NODE, path),
        "/v1/nodes/1/actions": lambda: read_node_actions(body, ReferenceKind.NODE, path),
        "/v1/cluster/actions": lambda: read_node_actions(body, ReferenceKind.CLUSTER, path),
        "/v1/crdb_tasks": lambda: read_crdb_tasks(body, path),
        "/v1/bdbs": lambda: [
            certain(wire, f"bdb:{uid}") for uid, wire in read_databases(body, path).items()
        ],
    }
    if path in lists:
        return lists[path]()
    if path.startswith("/v1/nodes/"):
        return [read_node_action(body, parse_reference(f"node:1/{last}"), path)]
    if path.startswith("/v1/cluster/"):
        return [read_node_action(body, parse_reference(f"cluster:{last}"), path)]
    if collection == "crdb_tasks":
        return [read_crdb_task(body, last, path)]
    if collection == "bdbs":
        return [certain(read_database(body, path), f"bdb:{last}")]
    return [read_action(body, last, path, Kind.OTHER if path.startswith("/v2") else None)]


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"], ids=["", "byte-order mark"])
@pytest.mark.parametrize("known", BODIES, ids=lambda known: f"{known.path} {known.source}")
def test_answers(known: Known, before: bytes) -> None:
    """A known answer about work is accepted, with the right meaning."""
    found = read(known.path, before + json.dumps(known.body).encode())

    assert [meaning_of(action) for action in found] == known.meaning


LISTS: Final = [
    known
    for known in BODIES
    if known.meaning and (known.path.count("/") == 2 or known.path.endswith("actions"))
]
SHAPES: Final[dict[str, Callable[[list[object]], object]]] = {
    "array": lambda entries: entries,
    "actions": lambda entries: {"actions": entries, "state-machines": []},
    "state-machines": lambda entries: {"actions": [], "state-machines": entries},
    "state_machines": lambda entries: {"state_machines": entries},
    "crdb_tasks": lambda entries: {"crdb_tasks": entries},
    "tasks": lambda entries: {"tasks": entries},
    "one object": lambda entries: entries[0],
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("known", LISTS, ids=lambda known: f"{known.path} {known.source}")
def test_any_shape(known: Known, shape: Callable[[list[object]], object]) -> None:
    """Every list route takes every list shape; the entries are found in each."""
    body = known.body
    entries: list[object] = body if isinstance(body, list) else []
    if isinstance(body, dict):
        entries = [entry for each in body.values() for entry in each]

    found = read(known.path, json.dumps(shape(entries)).encode())

    uids = [meaning.partition(" ")[0] for meaning in known.meaning]
    assert [action.uid for action in found] == (uids[:1] if shape(entries) == entries[0] else uids)


@pytest.mark.parametrize(
    ("body", "uids"),
    [
        ([{"uid": 1}, {"uid": 2}], {1, 2}),
        ({"bdbs": [{"uid": "1"}]}, {1}),
        ([], set()),
    ],
)
def test_uids(body: object, uids: set[int]) -> None:
    """A list of databases tells which there are."""
    assert read_uids(json.dumps(body).encode(), "bdbs") == uids


@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        ("export", {}, ("", None, None)),
        ("import", {}, ("", None, None)),
        (
            "export",
            {"export_status": "exporting", "export_progress": 30.5},
            ("exporting", 30.5, None),
        ),
        ("import", {"import_status": "initializing"}, ("initializing", None, None)),
        (
            "export",
            {"export_status": "failed", "export_failure_reason": "no-space"},
            ("failed", None, "no-space"),
        ),
        (
            "backup",
            {"backup_status": "failed", "backup_failure_reason": {"error_code": "no-space"}},
            ("failed", None, "no-space"),
        ),
    ],
)
def test_transfers(kind: str, fields: dict[str, object], status: tuple[object, ...]) -> None:
    """A database tells the state of its exports, imports and backups."""
    wire = read_database(json.dumps({**BDB, **fields}).encode(), "/v1/bdbs/1")
    found = transfer_status(wire, ReferenceKind(kind))

    assert (found.status, found.progress, found.error) == status


@pytest.mark.parametrize(
    ("call", "answer", "ref"),
    [
        ("POST /v1/bdbs", {**BDB, "action_uid": "a1"}, "action:a1"),  # LIVE
        ("POST /v1/bdbs", {**BDB, "status": "pending"}, "bdb:1@after"),  # DOC
        ("PUT /v1/bdbs/1", BDB, "bdb:1@unchanged"),
        ("DELETE /v1/bdbs/1", {**BDB, "action_uid": "a1"}, "action:a1@bdb:1"),  # LIVE
        ("POST /v1/bdbs/1/upgrade", {**BDB, "action_uid": "a1"}, "action:a1"),  # LIVE
        ("PUT /v1/bdbs/1/actions/rebalance", {"action_uid": "a1"}, "action:a1"),  # DOC
        (
            "POST /v1/shards/actions/migrate",
            {"action_uid": "a1", "description": "Migrate was triggered"},
            "action:a1",
        ),  # DOC
        (
            "POST /v1/nodes/1/actions/maintenance_on",
            {"status": "queued", "task_id": "t1"},
            "node:1/maintenance_on@t1",
        ),  # LIVE
        ("POST /v1/crdbs", {"id": "c1", "status": "queued"}, "crdb:c1"),  # LIVE
        ("DELETE /v1/users/1", {"action_uid": "a1"}, "action:a1"),  # OpenAPI
        ("POST /v2/modules", {"uid": "m", "action_uid": "a1"}, "action:a1"),  # LIVE
    ],
)
def test_answers_to_calls(call: str, answer: object, ref: str) -> None:
    """A known answer to a call names the work to follow."""
    method, path = call.split()
    rule, before = find_rule(method, path)
    if before is not None and before.kind is ReferenceKind.BDB and not before.is_deletion:
        before = parse_reference(f"{before}@after")

    assert str(read_handle(rule.follow, before, 200, answer, dry_run=False).ref) == ref


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (  # LIVE
            {"description": "Action a1 does not exist", "error_code": "action_not_found"},
            ("action_not_found", "Action a1 does not exist"),
        ),
        ({"error_code": "db_busy", "message": "wait"}, ("db_busy", "wait")),  # DOC
        (  # LIVE, of crdbs
            {"detail": "None is not of type 'object'", "status": 400, "title": "Bad Request",
             "type": "about:blank"},
            (None, "None is not of type 'object'"),
        ),
        ({"message": "no Route matched with those values"},  # Kong
         (None, "no Route matched with those values")),
        ({"error": "not found"}, (None, "not found")),
    ],
)  # fmt: skip
def test_error_bodies(body: object, reason: tuple[str | None, str | None]) -> None:
    """A known error body has the cluster's words."""
    assert read_reason(json.dumps(body).encode()) == reason
