"""Tests of `_client.submit.database_looks`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from redis_enterprise_actions._client.submit.calls import find_rule
from redis_enterprise_actions._client.submit.database_looks import (
    DatabaseLook,
    begun_work,
    with_state,
)
from redis_enterprise_actions._client.wire.databases import find_database
from redis_enterprise_actions._model.action import Action, Kind, phase_of
from redis_enterprise_actions._model.reference import GONE, Reference, ReferenceKind


if TYPE_CHECKING:
    from redis_enterprise_actions._client.wire.databases import WireDatabase

pytestmark = pytest.mark.core

IDLE: Final[dict[str, Any]] = {"uid": 7, "status": "active", "background_op": [{"status": "idle"}]}
UPDATING: Final = {"status": "active-change-pending"}
OP: Final = {"background_op": [{"name": "SMUpdateBDB", "status": "active", "progress": 10}]}
LATER: Final = {"background_op": [{"name": "SMUpdateBDB", "status": "active", "progress": 90}]}
FAILED: Final = {"background_op": [{"name": "SMUpdateBDB", "status": "failed", "error": "e"}]}
FAILED_AGAIN: Final = {"background_op": [{"name": "SMUpdateBDB", "status": "failed", "error": "f"}]}
BDB: Final = Reference(ReferenceKind.BDB, "7")
DELETION: Final = Reference(ReferenceKind.BDB, "7", GONE)
PUT: Final = find_rule("PUT", "/v1/bdbs/7")[0]
DELETE: Final = find_rule("DELETE", "/v1/bdbs/7")[0]


def database(fields: dict[str, Any] | None) -> WireDatabase | None:
    """Return an idle database with other values of some fields; None for no database."""
    return None if fields is None else find_database(json.dumps(IDLE | fields).encode())


def action(
    uid: str, status: str, kind: Kind = Kind.STATE_MACHINE, name: str = "SMUpdateBDB"
) -> Action:
    """Return an action on the database."""
    return Action(uid=uid, name=name, kind=kind, status=status, phase=phase_of(status))


def busy_with(name: str) -> dict[str, Any]:
    """Return the fields of a database with a background operation."""
    return {"background_op": [{"name": name, "status": "active"}]}


def deletion_of(look: DatabaseLook) -> DatabaseLook:
    """Return a look that shows a deletion where this one shows an update."""
    wire = look.database
    if wire is not None and b"failed" not in bytes(wire.background_op):
        wire = msgspec.structs.replace(
            wire,
            background_op=msgspec.Raw(
                bytes(wire.background_op).replace(b"SMUpdateBDB", b"SMDeleteBDB")
            ),
        )
    renamed = [msgspec.structs.replace(each, name="SMDeleteBDB") for each in look.actions]
    return DatabaseLook(wire, renamed)


NOTHING: Final = ("", "")
FOLLOWED: Final = ("bdb:7@after", "bdb:7@gone,after")


@pytest.mark.parametrize(
    ("before", "after", "actions", "expected"),
    [
        pytest.param({}, {}, [], NOTHING, id="idle"),
        pytest.param({}, {}, [action("a0", "completed")], NOTHING, id="old result"),
        pytest.param({}, {}, [action("x", "running", Kind.OTHER)], NOTHING, id="backup"),
        pytest.param({}, UPDATING, [], FOLLOWED, id="status"),
        pytest.param({}, OP, [], FOLLOWED, id="background_op"),
        pytest.param({}, FAILED, [], ("bdb:7@after", ""), id="failure"),
        pytest.param({}, {"status": "creation-failed"}, [], FOLLOWED, id="failed status"),
        pytest.param({}, {"action_uid": "a1"}, [], FOLLOWED, id="action_uid without a name"),
        pytest.param(
            {},
            {"action_uid": "a1", **OP},
            [],
            ("action:a1", "action:a1@bdb:7"),
            id="action_uid",
        ),
        pytest.param(
            {},
            {},
            [action("a1", "pending")],
            ("action:a1", "action:a1@bdb:7"),
            id="listed action",
        ),
        pytest.param(
            {}, {}, [action("a1", "what")], ("action:a1", "action:a1@bdb:7"), id="unknown status"
        ),
        pytest.param(
            {},
            {"action_uid": "a1"},
            [action("a1", "running"), action("a2", "running")],
            FOLLOWED,
            id="two actions",
        ),
        pytest.param(UPDATING, UPDATING, [], NOTHING, id="as before: status"),
        pytest.param(OP, LATER, [], NOTHING, id="as before: progress alone"),
        pytest.param(UPDATING, {}, [], NOTHING, id="the other work has ended"),
        pytest.param(
            {"action_uid": "a0"},
            {"action_uid": "a0"},
            [action("a0", "running")],
            NOTHING,
            id="as before: action",
        ),
        pytest.param(
            {"action_uid": "a0"},
            {"action_uid": "a1"},
            [action("a0", "running"), action("a1", "running")],
            ("action:a1", "action:a1@bdb:7"),
            id="next action",
        ),
        pytest.param(FAILED, FAILED, [], NOTHING, id="as before: failure"),
        pytest.param(FAILED, FAILED_AGAIN, [], ("bdb:7@after", ""), id="next failure"),
        pytest.param(None, None, [], ("", "bdb:7@gone,after"), id="never there"),
        pytest.param(
            None,
            {},
            [action("a1", "running")],
            ("action:a1", "action:a1@bdb:7"),
            id="there since the call",
        ),
        pytest.param({}, None, [], FOLLOWED, id="gone"),
    ],
)
def test_begun_work(
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    actions: list[Action],
    expected: tuple[str, str],
) -> None:
    """What has begun since the call is followed: by its action, or else by the database.

    What was under way before the call is not counted.
    """
    for rule, ref, followed in zip((PUT, DELETE), (BDB, DELETION), expected, strict=True):
        old, look = database(before), DatabaseLook(database(after), actions)
        if rule is DELETE:
            old, look = deletion_of(DatabaseLook(old)).database, deletion_of(look)
        found = begun_work(rule, with_state(ref, old), old, None, look)
        text = "" if found is None else str(found).partition(",SM")[0].replace("busy", "after")

        assert text == followed


def ops(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return the fields of a database with background operations."""
    return {"background_op": [{"name": name, "status": status} for name, status in pairs]}


@pytest.mark.parametrize(
    ("after", "actions", "expected"),
    [
        (UPDATING | OP, [action("r", "running", name="retry_bdb")], "bdb:7@after"),
        (
            {"action_uid": "a1"} | ops(("SMRedisFailover", "active"), ("SMUpdateBDB", "active")),
            [],
            "action:a1",
        ),
        (FAILED, [action("r", "running", name="SMRedisFailover")], "bdb:7@after"),
        (ops(("SMRedisFailover", "failed")), [], "bdb:7@after"),
    ],
    ids=["operation beside a task", "second operation", "failure beside a failover", "a failure"],
)
def test_work_beside_that_of_others(
    after: dict[str, Any], actions: list[Action], expected: str
) -> None:
    """A state machine of the call is seen beside one that it does not start."""
    idle = database({})
    look = DatabaseLook(database(after), actions)

    assert str(begun_work(PUT, with_state(BDB, idle), idle, None, look)) == expected


OTHERS: Final = [
    ("PUT", "/v1/bdbs/7", "SMUpgradeBDB"),
    ("PUT", "/v1/bdbs/7", "retry_bdb"),
    ("DELETE", "/v1/bdbs/7", "SMUpdateBDB"),
    ("POST", "/v1/bdbs/7/upgrade", "SMUpdateBDB"),
    ("POST", "/v1/bdbs/7/modules/upgrade", "SMRecoverBDB"),
    ("PUT", "/v1/bdbs/7/actions/rebalance", "SMDeleteBDB"),
    ("POST", "/v1/bdbs/7/actions/recover", "SMUpdateBDB"),
    ("PUT", "/v1/bdbs/7/flush", "SMUpgradeBDB"),
]


@pytest.mark.parametrize(("method", "path", "name"), OTHERS)
@pytest.mark.parametrize(
    "shown", ["listed", "action_uid", "background_op", "all", "with a failure"]
)
def test_work_of_others(method: str, path: str, name: str, shown: str) -> None:
    """Work that the call cannot have started is not followed, nor what it changes."""
    rule, ref = find_rule(method, path)
    assert ref is not None
    idle = database({})
    op = {} if shown == "listed" else busy_with(name)
    uid = {} if shown in {"listed", "background_op"} else {"action_uid": "a1"}
    failed = ops((name, "failed")) | {"status": "creation-failed"}
    failed = failed if shown == "with a failure" else {}
    actions = (
        [] if shown in {"action_uid", "background_op"} else [action("a1", "running", name=name)]
    )
    look = DatabaseLook(database(UPDATING | op | uid | failed), actions)

    assert begun_work(rule, with_state(ref, idle), idle, None, look) is None


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([], [action("a1", "completed")], "action:a1"),
        ([], [action("a1", "failed")], "action:a1"),
        ([action("a0", "completed")], [action("a0", "completed")], None),
        ([action("a0", "completed")], [action("a0", "completed"), action("a1", "failed")],
         "action:a1"),
    ],
)  # fmt: skip
def test_ended_between_looks(
    first: list[Action], second: list[Action], expected: str | None
) -> None:
    """An action that has begun and ended between two looks counts as begun."""
    idle = database({})
    ref = with_state(BDB, idle)
    found = begun_work(PUT, ref, idle, DatabaseLook(idle, first), DatabaseLook(idle, second))

    assert (found and str(found)) == expected


@pytest.mark.parametrize(
    ("before", "run"),
    [
        (None, "after"),
        ({}, "after"),
        (UPDATING, "busy"),
        ({"action_uid": "a0"}, "busy"),
        (OP, "busy"),
        (FAILED, "after,SMUpdateBDB."),
    ],
)
def test_with_state(before: dict[str, Any] | None, run: str) -> None:
    """A reference has whether the database was busy before the call, and its failures."""
    assert with_state(BDB, database(before)).run.startswith(run)
    assert with_state(DELETION, database(before)).run.startswith("gone,after")
