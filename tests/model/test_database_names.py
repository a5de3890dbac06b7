"""Tests of `_model.database_names`."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from redis_enterprise_actions import DatabaseNotFound, UsageError
from redis_enterprise_actions._model.database_names import (
    NamedReference,
    name_in,
    parse_any_reference,
    uid_of,
)
from redis_enterprise_actions._model.reference import Reference, ReferenceKind, parse_reference


BDB, EXPORT = ReferenceKind.BDB, ReferenceKind.EXPORT


@pytest.mark.parametrize(
    ("text", "named", "with_uid"),
    [
        ("bdb:name:cache-prod", NamedReference(BDB, "cache-prod"), "bdb:7"),
        ("bdb:name:cache@gone", NamedReference(BDB, "cache", "gone"), "bdb:7@gone"),
        (" bdb : name: cache ", NamedReference(BDB, "cache"), "bdb:7"),
        ("bdb:name:a b", NamedReference(BDB, "a b"), "bdb:7"),
        ("bdb:name:a:b", NamedReference(BDB, "a:b"), "bdb:7"),
        ("bdb:name:name:a", NamedReference(BDB, "name:a"), "bdb:7"),
        ("bdb:name:7", NamedReference(BDB, "7"), "bdb:7"),
        ("bdb:name:a@b", NamedReference(BDB, "a@b"), "bdb:7"),
        ("bdb:name:a@b@gone", NamedReference(BDB, "a@b", "gone"), "bdb:7@gone"),
        ("bdb:name:a@gone@b", NamedReference(BDB, "a@gone@b"), "bdb:7"),
        ("bdb:name:a@after,x.1", NamedReference(BDB, "a", "after,x.1"), "bdb:7@after,x.1"),
        ("bdb:name:a@", NamedReference(BDB, "a@"), "bdb:7"),
        ("export:name:cache", NamedReference(EXPORT, "cache"), "export:7"),
        ("export:name:a@gone", NamedReference(EXPORT, "a@gone"), "export:7"),
        ("import:name:a", NamedReference(ReferenceKind.IMPORT, "a"), "import:7"),
        ("backup:name:a", NamedReference(ReferenceKind.BACKUP, "a"), "backup:7"),
    ],
)
def test_named(text: str, named: NamedReference, with_uid: str) -> None:
    """A reference may give a database by its name, and has a uid once that is known."""
    assert parse_any_reference(text) == named
    assert str(named.with_uid(7)) == with_uid
    assert parse_any_reference(str(named)) == named


@pytest.mark.parametrize(
    "text",
    ["bdb:1", "bdb:1@gone", "export:1", "node:1/remove", "crdb:name:x", "action:name:x"],
)
def test_others(text: str) -> None:
    """All other references are what they were: a task, or an action, may have such an id."""
    assert parse_any_reference(text) == parse_reference(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bdb:name:", "'name:' is not the uid of a database, such as 1, nor its name, as name:"),
        ("bdb:name: @gone", "is not the uid of a database"),
        ("bdb:cache", "'bdb:cache' is not a reference"),
        ("node:name:x", "'node:name:x' is not a reference"),
        (5, "5 is not a reference"),
    ],
)
def test_wrong(text: str, message: str) -> None:
    """A text that is no reference is refused."""
    with pytest.raises(UsageError, match=message):
        parse_any_reference(text)


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1
    ).filter(lambda text: text == text.strip()),
    st.sampled_from(["", "gone", "after", "busy,creation-failed"]),
)
def test_round_trip(name: str, run: str) -> None:
    """With a run, any name comes back; without one, any without an `@`."""
    named = NamedReference(BDB, name, run)
    assume(bool(run) or "@" not in name)

    found = parse_any_reference(str(named))
    assert found == named
    assert isinstance(found.with_uid(1) if isinstance(found, NamedReference) else found, Reference)


@pytest.mark.parametrize(
    ("uid", "name"), [(1, None), (-1, None), ("name:a", "a"), (" name: a b ", "a b")]
)
def test_name_in(uid: int | str, name: str | None) -> None:
    """A text is a name after `name:`, and a number is a uid."""
    assert name_in(uid) == name


@pytest.mark.parametrize("uid", ["1", "", "cache", "name", "name:", "name: ", "bdb:1", "NAME:a"])
def test_no_name(uid: str) -> None:
    """A text without `name:` may be a name or a number by mistake, and is refused."""
    with pytest.raises(UsageError, match="is not the uid of a database, such as 1, nor its name"):
        name_in(uid)


NAMES = {3: "cache", 1: "orders", 2: "cache", 4: "Orders", **dict.fromkeys(range(10, 22), "many")}


def test_uid_of() -> None:
    """The uid is that of the only database with the name; case matters."""
    assert uid_of("orders", NAMES) == 1


def test_not_found() -> None:
    """A name that no database has is an error that says so."""
    with pytest.raises(DatabaseNotFound) as raised:
        uid_of("ORDERS", NAMES)

    assert str(raised.value) == "no database of the cluster has the name 'ORDERS'"
    assert raised.value.name == "ORDERS"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cache", "2 databases have the name 'cache': give the uid of one, 2, 3"),
        (
            "many",
            "12 databases have the name 'many': give the uid of one, "
            "10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 2 more",
        ),
    ],
)
def test_ambiguous(name: str, message: str) -> None:
    """A name that several databases have is refused, with their uids."""
    with pytest.raises(UsageError) as raised:
        uid_of(name, NAMES)

    assert str(raised.value) == message
    assert not isinstance(raised.value, DatabaseNotFound)
