"""Tests of `_client.wire.databases`."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import Action, Kind, Phase, UnreadableReply
from redis_enterprise_actions._client.wire.databases import (
    DATABASE_FIELDS,
    TransferStatus,
    WireDatabase,
    database_action,
    deleted_database_action,
    failure_marks,
    read_database,
    read_databases,
    transfer_status,
)
from redis_enterprise_actions._model.action import AmbiguousAnswer
from redis_enterprise_actions._model.reference import (
    GONE,
    Reference,
    ReferenceKind,
    parse_reference,
)
from redis_enterprise_actions.testing.state.databases import DATABASE_SECRET
from tests.conftest import examples
from tests.secrecy import leaks_of


if TYPE_CHECKING:
    from collections.abc import Callable

BDB = Reference(ReferenceKind.BDB, "3")
BDB_GONE = Reference(ReferenceKind.BDB, "3", GONE)
TRANSFERS = [ReferenceKind.EXPORT, ReferenceKind.IMPORT, ReferenceKind.BACKUP]

# As it was recorded after a delete, with some of what is not ours to show.
DELETED = {
    "uid": 3,
    "name": "shop",
    "status": "delete-pending",
    "action_uid": "a1",
    "background_op": [{"name": "SMDeleteBDB", "progress": 0, "status": "pending"}],
    "authentication_admin_pass": DATABASE_SECRET,
    "export_status": "",
    "import_status": "",
    "backup_status": "",
}


def bdb(**wire: object) -> WireDatabase:
    """Return a database that is idle unless `wire` says otherwise."""
    body = {"uid": 3, "status": "active", "background_op": [{"status": "idle"}]} | wire
    return read_database(json.dumps(body).encode(), "/v1/bdbs/3")


def op(status: str, name: str | None = "SMUpdateBDB", **more: object) -> list[object]:
    """Return a `background_op` with one operation."""
    return [{"name": name, "status": status} | more]


def action_in(found: Action | AmbiguousAnswer | None) -> Action:
    """Return the action in an answer, ambiguous or not."""
    action = found.action if isinstance(found, AmbiguousAnswer) else found
    assert action is not None
    return action


def test_database() -> None:
    """The status and the running action of a database are read."""
    database = read_database(b'{"uid": 1, "status": "active", "port": 12}', "/v1/bdbs/1")

    assert (database.status, database.action_uid) == ("active", None)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"authentication_admin_pass": "hunter2"'])
def test_unreadable_database(body: bytes) -> None:
    """An unreadable database answer is not quoted, as it may hold secrets."""
    with pytest.raises(UnreadableReply) as caught:
        read_database(body, "/v1/bdbs/1")

    assert caught.value.excerpt == ""
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None


class TestFailureMarks:
    """Marks that distinguish failures in references."""

    def test_marks(self) -> None:
        """The mark of a failure distinguishes its name and its error, in a few ASCII characters."""
        wires = [
            bdb(background_op=op("failed", name, error=error))
            for name in ("SMUpdateBDB", "SM,Up@date", None)
            for error in (None, "disk full", {"error_code": "x"}, "\ud800")
        ]
        marks = [failure_marks(wire) for wire in wires]

        assert len(set(marks)) == len(marks)
        assert all(re.fullmatch(r"[\w.-]{14,60}", mark, re.ASCII) for mark in marks)
        assert marks == [failure_marks(wire) for wire in wires]
        assert failure_marks(bdb()) == ""
        both = bdb(background_op=[*op("failed"), *op("failed", "SMUpgradeBDB")])
        assert failure_marks(both).count("+") == 1
        assert failure_marks(bdb(background_op=op("failed")), deletes=True) == ""


class TestList:
    """Lists of databases."""

    def test_by_uid(self) -> None:
        """Databases are found by uid, which is a number or a text."""
        body = json.dumps([{"uid": 3, "status": "active"}, {"uid": "12", "status": "pending"}])

        found = read_databases(body.encode(), "/v1/bdbs")
        assert {uid: wire.status for uid, wire in found.items()} == {3: "active", 12: "pending"}

    @pytest.mark.parametrize(
        "entry",
        [
            {"status": "active"},
            {"uid": None, "status": "active"},
            {"uid": "", "status": "active"},
            {"uid": -4, "status": "active"},
            {"uid": "4.0", "status": "active"},
            {"uid": "\u0664", "status": "active"},
            {"uid": "9" * 5000, "status": "active"},
            {"uid": 10**30, "status": "active"},
            {"uid": 4, "status": 42},
            {"uid": 4},
            4,
            None,
        ],
        ids=lambda entry: str(entry)[:40],
    )
    def test_bad_entries(self, entry: object, caplog: pytest.LogCaptureFixture) -> None:
        """An invalid entry is skipped, logged without its content, and the others are read."""
        good = {"uid": 3, "status": "active"}
        body = json.dumps([entry, good, {"authentication_admin_pass": DATABASE_SECRET}]).encode()
        with caplog.at_level(logging.DEBUG):
            found = read_databases(body, "/v1/bdbs")

        assert list(found) == [3]
        assert DATABASE_SECRET not in caplog.text
        assert "skipped a list entry" in caplog.text

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b"null", b'{"bdbs": 5}', b"[", b"<html>", b"[" * 100_000]
    )
    def test_no_list(self, body: bytes) -> None:
        """A body without a list is unreadable."""
        with pytest.raises(UnreadableReply, match="not a list of databases"):
            read_databases(body, "/v1/bdbs")

    def test_fields(self) -> None:
        """The requested fields are those that are read, and none is secret."""
        fields = DATABASE_FIELDS.split(",")

        assert {"uid", "status", "action_uid", "import_status", "last_backup_time"} < set(fields)
        assert [name for name in fields if "pass" in name or "secret" in name] == []


READERS: list[Callable[[bytes], object]] = [
    lambda body: read_database(body, "/v1/bdbs/3"),
    lambda body: read_databases(body, "/v1/bdbs"),
]


@pytest.mark.parametrize("read", READERS, ids=["one", "list"])
@pytest.mark.parametrize(
    "body",
    [
        '{"authentication_admin_pass": "%s"}',
        '{"status": 5, "authentication_admin_pass": "%s"}',
        '{"status": "active", "authentication_admin_pass": "%s"',
        '"%s"',
        "<html>%s</html>",
        '{"status": NaN, "x": "\ud800%s"}',
    ],
)
def test_secrets(read: Callable[[bytes], object], body: str) -> None:
    """The error for an unreadable database has no secret in its message, attributes or causes."""
    with pytest.raises(UnreadableReply) as caught:
        read((body % DATABASE_SECRET).encode("utf-8", "surrogatepass"))

    assert caught.value.excerpt == ""
    assert leaks_of(caught.value) == []


# --- hostile bodies -----------------------------------------------------------------------------

WORDS = ["active", "delete-pending", "failed", "succeeded", "exporting", "SMDeleteBDB", "3", 3, ""]
KEYS = [*DATABASE_FIELDS.split(","), "error", "progress", "description"]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    # Mostly words that are read further than random values are.
    | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=8)
    ),
    max_leaves=20,
)
DATABASES = st.fixed_dictionaries(
    {"status": st.sampled_from(WORDS) | ANYTHING},
    optional={name: ANYTHING for name in KEYS if name != "status"},
)


@settings(max_examples=examples(60))
@given(
    DATABASES | ANYTHING | st.lists(DATABASES, max_size=4),
    st.sampled_from([BDB, BDB_GONE, *(Reference(kind, "3") for kind in TRANSFERS)]),
)
def test_any_database(value: object, ref: Reference) -> None:
    """Any JSON is read as actions or is unreadable, without another error."""
    body = json.dumps(value).encode()
    wires: list[WireDatabase] = []
    try:
        wires.append(read_database(body, "/v1/bdbs/3"))
    except UnreadableReply as error:
        assert str(error) == "GET /v1/bdbs/3: the answer cannot be read: not a database object"
    try:
        wires += read_databases(body, "/v1/bdbs").values()
    except UnreadableReply as error:
        assert str(error) == "GET /v1/bdbs: the answer cannot be read: not a list of databases"
    for wire in wires:
        action = (
            action_in(database_action(wire, ref))
            if ref.kind is ReferenceKind.BDB
            else transfer_status(wire, ref.kind).to_action(ref)
        )
        assert (action.uid, action.object_uid) == (ref.name, "3")
        assert str(action).isprintable()
        assert action.progress is None or 0 <= action.progress <= 100
        assert msgspec.json.decode(msgspec.json.encode(action))["uid"] == ref.name


@settings(max_examples=examples(60))
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes(body: bytes) -> None:
    """Any bytes are read, or raise `UnreadableReply` without quoting them."""
    for read, expected in zip(READERS, ["not a database object", "not a list of"], strict=True):
        try:
            read(body)
        except UnreadableReply as error:
            assert expected in str(error)
            assert (error.excerpt, error.__cause__, error.__context__) == ("", None, None)


def summary(found: Action | AmbiguousAnswer | None) -> str:
    """Return the phase in an answer, after the doubt about it, if there is one."""
    text = action_in(found).phase.value
    if not isinstance(found, AmbiguousAnswer):
        return text
    otherwise = "" if found.otherwise is None else f" or {action_in(found.otherwise).phase.value}"
    return f"{found.ambiguity.name.lower().replace('_', ' ')}: {text}{otherwise}"


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
        """An active, idle database has settled; if it is to be deleted, it is pending."""
        assert summary(database_action(bdb(**wire), BDB)) == settles
        assert summary(database_action(bdb(**wire), BDB_GONE)) == goes

    @pytest.mark.parametrize("known", ["", "creation-failed"])
    def test_creation_failed_before(self, known: str) -> None:
        """A failed creation is ambiguous: the reference may name the failure before the call."""
        ref = Reference(ReferenceKind.BDB, "3", f"after,{known}".rstrip(","))
        found = database_action(bdb(status="creation-failed"), ref)

        assert isinstance(found, AmbiguousAnswer)
        assert summary(found) == "known failure: failed or failed"
        assert (found.discriminator, found.known_failure) == ("creation-failed", known)

    @pytest.mark.parametrize(
        ("ref", "expected"),
        [
            ("bdb:3@gone,after", "idle: pending"),
            ("bdb:3@gone", "pending"),
            ("bdb:3@after", "quiet: completed"),
            ("bdb:3@busy", "quiet: completed"),
        ],
    )
    def test_never_begun(self, ref: str, expected: str) -> None:
        """A delete that does not show may not have begun; a change has settled."""
        assert summary(database_action(bdb(), parse_reference(ref))) == expected

    def test_another_failure(self) -> None:
        """A new failure beside an older one is a new failure."""
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
        """A missing database has ended well if it was to be deleted, or was seen being deleted."""
        seen = None if last is None else action_in(database_action(bdb(**last), ref))
        found = deleted_database_action(ref, seen)

        assert isinstance(found, Action) is ended
        if isinstance(found, Action):
            assert (found.status, found.phase) == ("deleted", Phase.COMPLETED)
            assert (found.progress, found.state, found.title) == (None, None, "database 3")

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            ("disk full", "disk full"),
            ({"description": "disk full", "error_code": "x"}, "disk full"),
            (None, None),
        ],
        ids=str,
    )
    def test_error(self, error: object, expected: str | None) -> None:
        """A failure has the cluster's message, from a text or an object."""
        wire = bdb(status="active-change-pending", background_op=op("failed", error=error))
        found = action_in(database_action(wire, BDB))

        assert expected is None or expected in (found.error or "")
        assert (found.error is None) is (expected is None)

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
        """Progress is that of a named operation in progress."""
        found = action_in(database_action(bdb(**wire), BDB))

        assert found.progress == progress


class TestTransferStatus:
    """The status of an export, import or backup."""

    @pytest.mark.parametrize("kind", TRANSFERS)
    @pytest.mark.parametrize(
        ("status", "phase", "idle", "over"),
        [
            (None, Phase.UNKNOWN, True, False),
            ("", Phase.UNKNOWN, True, False),
            ("idle", Phase.UNKNOWN, True, False),
            ("Idle", Phase.UNKNOWN, True, False),
            ("initializing", Phase.PENDING, False, False),
            ("exporting", Phase.RUNNING, False, False),
            ("importing", Phase.RUNNING, False, False),
            ("succeeded", Phase.COMPLETED, False, True),
            ("SUCCEEDED", Phase.COMPLETED, False, True),
            ("failed", Phase.FAILED, False, True),
            ("pondering", Phase.UNKNOWN, False, False),
        ],
    )
    def test_words(
        self, kind: ReferenceKind, status: str | None, phase: Phase, idle: bool, over: bool
    ) -> None:
        """An empty or the documented word is idle; an unknown one is neither idle nor a result."""
        now = transfer_status(bdb(**{f"{kind}_status": status}), kind)
        action = now.to_action(Reference(kind, "3"))

        assert (now.is_idle, now.is_result, action.phase) == (idle, over, phase)
        assert (action.status, action.kind) == (status or "", Kind(kind.value))
        assert (action.uid, action.title) == (f"{kind}:3", f"{kind} on bdb:3")

    @pytest.mark.parametrize("kind", TRANSFERS)
    def test_own_fields(self, kind: ReferenceKind) -> None:
        """Each kind of transfer is read from its own fields."""
        fields = {
            f"{each}_{name}": value
            for number, each in enumerate(TRANSFERS)
            for name, value in {
                "status": f"s{number}",
                "progress": f"{number}",
                "failure_reason": f"r{number}",
            }.items()
        }
        times = {"last_export_time": "T0", "last_import_time": "T1", "last_backup_time": "T2"}
        number = TRANSFERS.index(kind)

        assert transfer_status(bdb(**fields, **times), kind) == TransferStatus(
            status=f"s{number}",
            progress=float(number),
            error=f"r{number}",
            last_time="" if kind is ReferenceKind.IMPORT else f"T{number}",
        )

    @pytest.mark.parametrize("kind", TRANSFERS)
    def test_failure(self, kind: ReferenceKind) -> None:
        """Only a failed transfer has the cluster's reason; it has no progress."""
        fields = {f"{kind}_failure_reason": "no-space", f"{kind}_progress": 40}
        ref = Reference(kind, "3")
        failed = transfer_status(bdb(**fields, **{f"{kind}_status": "failed"}), kind).to_action(ref)
        runs = transfer_status(bdb(**fields, **{f"{kind}_status": "exporting"}), kind).to_action(
            ref
        )

        assert (failed.error, failed.progress) == ("no-space", None)
        assert (runs.error, runs.progress) == (None, 40.0)
