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

from redis_enterprise_actions import Action, UnreadableReply
from redis_enterprise_actions._client.wire.database_status import (
    database_action,
)
from redis_enterprise_actions._client.wire.databases import (
    DATABASE_FIELDS,
    WireDatabase,
    failure_marks,
    read_database,
    read_databases,
)
from redis_enterprise_actions._client.wire.transfers import transfer_status
from redis_enterprise_actions._model.action import AmbiguousAnswer
from redis_enterprise_actions._model.reference import (
    GONE,
    Reference,
    ReferenceKind,
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
    """Return a `background_op` that holds one."""
    return [{"name": name, "status": status} | more]


def action_in(found: Action | AmbiguousAnswer | None) -> Action:
    """Return the action in an answer, whatever its doubt."""
    action = found.action if isinstance(found, AmbiguousAnswer) else found
    assert action is not None
    return action


def test_database() -> None:
    """Of a database only its status and its running action are read."""
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
        """A failure is told from another by its name and its error, in letters and digits."""
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
    """Several databases."""

    def test_by_uid(self) -> None:
        """Each is found by its uid, be it a number or a text."""
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
        """An entry that cannot be one is left out, without a word of it, and others are read."""
        good = {"uid": 3, "status": "active"}
        body = json.dumps([entry, good, {"authentication_admin_pass": DATABASE_SECRET}]).encode()
        with caplog.at_level(logging.DEBUG):
            found = read_databases(body, "/v1/bdbs")

        assert list(found) == [3]
        assert DATABASE_SECRET not in caplog.text
        assert "skipped a list entry" in caplog.text

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b"null", b'{"bdbs": []}', b"[", b"<html>", b"[" * 100_000]
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
    # Mostly what leads further than nonsense does.
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
    st.sampled_from([BDB, BDB_GONE, *(Reference(track, "3") for track in TRANSFERS)]),
)
def test_any_database(value: object, ref: Reference) -> None:
    """Whatever is said of databases is read as actions, or is unreadable, and nothing else."""
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
    """Whatever the bytes are, they are read, or raise `UnreadableReply` without a word of them."""
    for read, said in zip(READERS, ["not a database object", "not a list of"], strict=True):
        try:
            read(body)
        except UnreadableReply as error:
            assert said in str(error)
            assert (error.excerpt, error.__cause__, error.__context__) == ("", None, None)
