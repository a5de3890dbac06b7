"""Tests of `_client.submit.database_looks`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

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


def database(fields: dict[str, Any] | None) -> WireDatabase | None:
    """Return an idle database with other values of some fields; None for no database."""
    return None if fields is None else find_database(json.dumps(IDLE | fields).encode())


def action(uid: str, status: str, kind: Kind = Kind.STATE_MACHINE) -> Action:
    """Return an action on the database."""
    return Action(uid=uid, name="SMUpdateBDB", kind=kind, status=status, phase=phase_of(status))


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
        pytest.param(
            {}, {"action_uid": "a1"}, [], ("action:a1", "action:a1@bdb:7"), id="action_uid"
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
    look = DatabaseLook(database(after), actions)
    for ref, followed in zip((BDB, DELETION), expected, strict=True):
        known = with_state(ref, database(before))
        found = begun_work(known, database(before), None, look)
        text = "" if found is None else str(found).partition(",SM")[0].replace("busy", "after")

        assert text == followed


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
    found = begun_work(ref, idle, DatabaseLook(idle, first), DatabaseLook(idle, second))

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
