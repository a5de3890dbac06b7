"""Tests of the calls that tasks make."""

from __future__ import annotations

import pytest
from ansible_collections.redis_enterprise.actions.plugins.module_utils.calls import (
    Call,
    call_names,
    named_call,
)
from ansible_collections.redis_enterprise.actions.plugins.module_utils.targets import (
    request_of,
    target_of,
    task_id_of,
    with_task_id,
)

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli.calls.table import CALLS


def test_names() -> None:
    """The named calls are those of the command."""
    names = [
        f"{resource}.{call.method.strip('_')}"
        for resource, calls in CALLS.items()
        for call in calls
    ]

    assert call_names() == names


def test_requests() -> None:
    """The request of each named call is known."""
    for name in call_names():
        resource, _, method = name.partition(".")
        call = Call(resource=resource, name=method + "_" * (method == "import"), arguments={"x": 1})
        assert all(request_of(call, None)), name


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("databases.upgrade", {"uid": "1"}, ("upgrade", {"bdb_uid": 1})),
        ("databases.upgrade", {"bdb_uid": "name:a"}, ("upgrade", {"bdb_uid": "name:a"})),
        ("databases.import", {"uid": 1, "sources": []}, ("import_", {"bdb_uid": 1, "sources": []})),
        ("crdbs.create", {"config": {}, "dry_run": "no"}, ("create", {"config": {}, "dry_run": 0})),
        ("nodes.remove", {"uid": 2, "settings": None}, ("remove", {"node_uid": 2})),
        ("crdbs.flush", {"uid": "a-b"}, ("flush", {"guid": "a-b"})),
    ],
)  # fmt: skip
def test_named(name: str, arguments: dict[str, object], expected: tuple[str, object]) -> None:
    """`uid` stands for the uid of the call; numbers and switches may be text."""
    call = named_call(name, arguments)

    assert (call.name, call.arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("databases.wait", {}, "is none of databases.create, databases.update"),
        ("databases", {}, "is none of"),
        ("nodes.nope", {}, "is none of"),
        ("databases.upgrade", {}, "databases.upgrade needs the argument bdb_uid"),
        ("databases.upgrade", {"uid": 1, "foo": 2}, "has no argument foo: it takes bdb_uid, sett"),
        ("databases.upgrade", {"uid": 1, "bdb_uid": 2}, "has two arguments for one uid: uid and b"),
        ("databases.update", {"uid": 1, "changes": "x"}, "changes has to be a dictionary"),
        ("databases.create", {"config": ["a"]}, "config has to be a dictionary"),
        ("shards.fail_over", {"shard_uids": "12"}, "shard_uids has to be a list"),
        ("databases.create", {"config": {}, "dry_run": "x"}, "dry_run='x' is neither true nor"),
    ],
)
def test_wrong(name: str, arguments: dict[str, object], message: str) -> None:
    """A wrong name or argument is an error that lists the right ones."""
    with pytest.raises(UsageError, match=message):
        named_call(name, arguments)


@pytest.mark.parametrize(
    ("call", "kind", "ref"),
    [
        (Call(method="POST", path="/v1/bdbs"), "created", ""),
        (Call(method="PUT", path="/v1/bdbs/1"), "changed", "bdb:1"),
        (Call(method="DELETE", path="/v1/bdbs/1"), "deleted", "bdb:1"),
        (Call(method="POST", path="/v1/bdbs/1/actions/export"), "transfer", "export:1"),
        (Call(method="POST", path="/v1/nodes/3/actions/remove"), "action", "node:3/remove"),
        (
            *(Call(method="POST", path="/v1/cluster/actions/change_master"), "action"),
            "cluster:change_master",
        ),
        (Call(method="POST", path="/v1/bootstrap/join_cluster"), "bootstrap", "bootstrap"),
        (Call(method="PUT", path="/v1/crdbs/g/purge"), "other", ""),
        (with_task_id(Call(method="POST", path="/v1/crdbs"), "t"), "crdb", "crdb:t"),
        (Call(method="POST", path="/v1/crdbs"), "crdb", ""),
        (Call(method="POST", path="/v1/users"), "other", ""),
        (Call(method="GET", path="/v1/bdbs"), "other", ""),
        (named_call("databases.upgrade", {"uid": 4}), "changed", "bdb:4"),
        (named_call("databases.import", {"uid": 4, "sources": []}), "transfer", "import:4"),
        (named_call("nodes.maintenance_off", {"uid": 4}), "action", "node:4/maintenance_off"),
        (named_call("cluster.join", {"config": {}, "node": "h:1"}), "bootstrap", "bootstrap:h:1"),
        (named_call("crdbs.delete", {"guid": "g", "task_id": "t"}), "crdb", "crdb:t"),
        (named_call("shards.migrate", {"shard_uids": [1], "target_node_uid": 2}), "other", ""),
    ],
)
def test_targets(call: Call, kind: str, ref: str) -> None:
    """The target of a call follows from its path, or from the named call."""
    target = target_of(call)

    assert (target.kind, target.ref) == (kind, ref)


def test_named_database() -> None:
    """The target of a call for a database by its name has the uid that was found."""
    call = named_call("databases.upgrade", {"uid": "name:a"})

    assert target_of(call).kind == "other"
    assert target_of(call, 7).ref == "bdb:7"


@pytest.mark.parametrize(
    ("call", "dry"),
    [
        (named_call("databases.create", {"config": {}}), {"config": {}, "dry_run": True}),
        (named_call("databases.upgrade", {"uid": 1}), None),
        (Call(method="PUT", path="/v1/bdbs/1", params={"a": 1}), {"a": 1, "dry_run": True}),
        (Call(method="POST", path="/v1/shards/actions/failover"), {"dry_run": True}),
        (Call(method="POST", path="/v1/bdbs/1/upgrade"), None),
    ],
)
def test_dry_runs(call: Call, dry: dict[str, object] | None) -> None:
    """A dry run is where the API takes it from; calls without one have none."""
    found = call.dry

    assert not call.is_dry
    if dry is None:
        assert found is None
    else:
        assert found is not None
        assert dry in (found.arguments, found.params, found.json)
        assert found.is_dry


def test_titles() -> None:
    """The title of a call has no body."""
    create = named_call("databases.create", {"config": {"password": "a"}})
    upgrade = named_call("databases.upgrade", {"uid": 1})
    join = named_call("cluster.join", {"config": {}, "node": "h"})

    assert [each.title for each in (create, upgrade, join)] == [
        *("databases.create", "databases.upgrade of 1", "cluster.join of h"),
    ]
    assert Call(method="POST", path="/v1/bdbs").title == "POST /v1/bdbs"


def test_task_ids() -> None:
    """The id of a task is in a header, or an argument."""
    assert task_id_of(Call(headers={"x-task-id": " a%20b "})) == "a b"
    assert task_id_of(Call()) is None
