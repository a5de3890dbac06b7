"""Tests of `_client.wire.database_status`."""

from __future__ import annotations

import json

import pytest

from redis_enterprise_actions import Action, Kind, Phase
from redis_enterprise_actions._client.wire.database_status import (
    database_action,
    deleted_database_action,
)
from redis_enterprise_actions._client.wire.databases import (
    failure_marks,
    read_database,
)
from redis_enterprise_actions._model.action import AmbiguousAnswer
from redis_enterprise_actions._model.reference import (
    Reference,
    ReferenceKind,
    parse_reference,
)
from tests.client.wire.test_databases import BDB, BDB_GONE, DELETED, action_in, bdb, op


def said_of(found: Action | AmbiguousAnswer | None) -> str:
    """Return the phase in an answer, after the doubt about it, if there is one."""
    said = action_in(found).phase.value
    if not isinstance(found, AmbiguousAnswer):
        return said
    otherwise = "" if found.otherwise is None else f" or {action_in(found.otherwise).phase.value}"
    return f"{found.ambiguity.name.lower().replace('_', ' ')}: {said}{otherwise}"


class TestDatabaseAction:
    """The state of a database that changes or is being deleted."""

    def test_recorded(self) -> None:
        """A database that is being deleted, as recorded."""
        wire = read_database(json.dumps(DELETED).encode(), "/v1/bdbs/3")

        assert database_action(wire, BDB_GONE) == Action(
            uid="bdb:3",
            name="shop",
            kind=Kind.DATABASE,
            status="delete-pending",
            phase=Phase.RUNNING,
            progress=0.0,
            state="SMDeleteBDB",
            object_type="bdb",
            object_uid="3",
        )

    @pytest.mark.parametrize(
        ("wire", "settles", "goes"),
        [
            ({}, "quiet: completed", "pending"),
            ({"status": "Active "}, "quiet: completed", "pending"),
            ({"background_op": None}, "quiet: completed", "pending"),
            ({"background_op": []}, "quiet: completed", "pending"),
            ({"background_op": ["?"]}, "running", "running"),
            ({"background_op": "?"}, "running", "running"),
            ({"background_op": 5}, "running", "running"),
            ({"background_op": [{"status": 5}]}, "running", "running"),
            ({"background_op": [{"status": None}]}, "quiet: completed", "pending"),
            ({"background_op": {"status": "active"}}, "running", "running"),
            ({"background_op": {"status": "idle"}}, "quiet: completed", "pending"),
            ({"action_uid": 12}, "running", "running"),
            ({"background_op": op("completed")}, "quiet: completed", "pending"),
            ({"background_op": op("pending")}, "running", "running"),
            ({"background_op": op("Active")}, "running", "running"),
            ({"background_op": op("melting")}, "running", "running"),
            ({"background_op": [*op("idle"), *op("active")]}, "running", "running"),
            ({"action_uid": "a1"}, "running", "running"),
            ({"action_uid": ""}, "quiet: completed", "pending"),
            ({"status": "pending"}, "pending", "pending"),
            ({"status": "active-change-pending"}, "running", "running"),
            ({"status": "import-pending"}, "running", "running"),
            ({"status": "delete-pending"}, "running", "running"),
            ({"status": "recovery"}, "running", "running"),
            ({"status": "melting"}, "unknown", "unknown"),
            ({"status": ""}, "unknown", "unknown"),
            ({"status": "creation-failed"}, "failed", "pending"),
            ({"status": "creation-failed", "action_uid": "a1"}, "failed", "running"),
            (
                {"status": "active-change-pending", "background_op": op("failed")},
                "known failure: failed or running",
                "running",
            ),
            ({"background_op": op("Failed")}, "known failure: failed or completed", "pending"),
            (
                {"background_op": [*op("failed"), *op("active")]},
                "known failure: failed or running",
                "running",
            ),
            (
                {"status": "delete-pending", "background_op": op("failed", "SMDeleteBDB")},
                "known failure: failed or running",
                "known failure: failed or running",
            ),
        ],
        ids=str,
    )
    def test_phases(self, wire: dict[str, object], settles: str, goes: str) -> None:
        """Active and idle is the end, or a failure; of one that is to go only the delete's."""
        assert said_of(database_action(bdb(**wire), BDB)) == settles
        assert said_of(database_action(bdb(**wire), BDB_GONE)) == goes

    @pytest.mark.parametrize("known", ["", "creation-failed"])
    def test_creation_failed_before(self, known: str) -> None:
        """Of a call it is known whether the database was without success before."""
        ref = Reference(ReferenceKind.BDB, "3", f"after,{known}".rstrip(","))
        found = database_action(bdb(status="creation-failed"), ref)

        assert isinstance(found, AmbiguousAnswer)
        assert said_of(found) == "known failure: failed or failed"
        assert (found.discriminator, found.known_failure) == ("creation-failed", known)

    @pytest.mark.parametrize(
        ("ref", "said"),
        [
            ("bdb:3@gone,after", "idle: pending"),
            ("bdb:3@gone", "pending"),
            ("bdb:3@after", "quiet: completed"),
            ("bdb:3@busy", "quiet: completed"),
        ],
    )
    def test_never_begun(self, ref: str, said: str) -> None:
        """A delete that was called for, and of which nothing is seen, need never have begun."""
        assert said_of(database_action(bdb(), parse_reference(ref))) == said

    def test_another_failure(self) -> None:
        """Beside a failure that was there before, a new one is told as that."""
        old, new = op("failed", "SMUpdateBDB"), op("failed", "SMUpgradeBDB", error="boom")
        known = failure_marks(bdb(background_op=old))
        found = database_action(
            bdb(background_op=[*old, *new]), parse_reference(f"bdb:3@after,{known}")
        )

        assert isinstance(found, AmbiguousAnswer)
        assert found.action.error == "boom"

    @pytest.mark.parametrize(
        ("ref", "last", "ended"),
        [
            (BDB, None, False),
            (BDB, {"status": "active-change-pending"}, False),
            (BDB, {"status": "Delete-Pending"}, True),
            (BDB_GONE, None, True),
            (BDB_GONE, {}, True),
            (BDB_GONE, DELETED, True),
        ],
        ids=str,
    )
    def test_not_there(self, ref: Reference, last: dict[str, object] | None, ended: bool) -> None:
        """One that is not there has ended well if that was wanted, or was seen coming."""
        seen = None if last is None else action_in(database_action(bdb(**last), ref))
        found = deleted_database_action(ref, seen)

        assert isinstance(found, Action) is ended
        if isinstance(found, Action):
            assert (found.status, found.phase) == ("deleted", Phase.COMPLETED)
            assert (found.progress, found.state, found.title) == (None, None, "database 3")

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            ("disk full", "disk full"),
            ({"description": "disk full", "error_code": "x"}, "disk full"),
            (None, None),
        ],
        ids=str,
    )
    def test_error(self, error: object, said: str | None) -> None:
        """A failure is told in the cluster's words, be they a text or an object."""
        wire = bdb(status="active-change-pending", background_op=op("failed", error=error))
        found = action_in(database_action(wire, BDB))

        assert said is None or said in (found.error or "")
        assert (found.error is None) is (said is None)

    def test_no_error_without_failure(self) -> None:
        """The error of an operation in progress is not a failure."""
        wire = bdb(action_uid="a", background_op=op("pending", error="x"))
        found = action_in(database_action(wire, BDB))

        assert (found.phase, found.error) == (Phase.RUNNING, None)

    @pytest.mark.parametrize(
        ("wire", "progress"),
        [
            ({"action_uid": "a", "background_op": op("pending", progress="14.29")}, 14.29),
            ({"action_uid": "a", "background_op": op("pending", progress=300)}, None),
            ({"action_uid": "a", "background_op": op("idle", None, progress=14)}, None),
            ({"background_op": op("idle", progress=14)}, None),
            ({"background_op": [*op("idle"), *op("active", progress=14)]}, 14.0),
        ],
        ids=str,
    )
    def test_progress(self, wire: dict[str, object], progress: float | None) -> None:
        """Progress is that of a named operation, as long as there is something to come."""
        found = action_in(database_action(bdb(**wire), BDB))

        assert found.progress == progress
