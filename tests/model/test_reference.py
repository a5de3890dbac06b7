"""Tests of `_model.reference`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._model.errors import _CONDITIONS
from redis_enterprise_actions._model.reference import (
    GONE,
    Condition,
    ListKind,
    Reference,
    ReferenceKind,
    is_reference,
    parse_reference,
)
from tests.conftest import examples


if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = st.integers(0, 10**18 - 1).map(str)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1)
RUNS = st.text(st.characters(exclude_categories=["Cs"])).map(str.strip)
WHOLE = RUNS.filter(lambda uid: uid not in {"", ".", ".."})

REFERENCES: st.SearchStrategy[Reference] = st.one_of(
    st.builds(
        Reference, st.just(ReferenceKind.ACTION), WHOLE, st.sampled_from(["", "bdb:1", "bdb:23"])
    ),
    st.builds(Reference, st.just(ReferenceKind.CRDB), WHOLE),
    st.builds(
        Reference, st.just(ReferenceKind.NODE), st.builds("{}/{}".format, NUMBERS, NAMES), RUNS
    ),
    st.builds(Reference, st.just(ReferenceKind.CLUSTER), NAMES, RUNS),
    st.builds(
        Reference,
        st.sampled_from([ReferenceKind.EXPORT, ReferenceKind.IMPORT, ReferenceKind.BACKUP]),
        NUMBERS,
        RUNS,
    ),
    st.builds(
        Reference,
        st.just(ReferenceKind.BDB),
        NUMBERS,
        st.sampled_from(["", GONE, "available", "available,lag=5", "in-sync"]),
    ),
    st.builds(
        Reference,
        st.just(ReferenceKind.CLUSTER),
        st.just(""),
        st.sampled_from(["quiet", "healthy", "healthy,ignore=1+2"]),
    ),
    st.builds(
        Reference,
        st.just(ReferenceKind.BOOTSTRAP),
        st.sampled_from(["", "n1", "10.0.0.1:9443"]),
        st.sampled_from(["", "idle", "after,completed"]),
    ),
)


@settings(max_examples=examples(100))
@given(REFERENCES)
def test_text(ref: Reference) -> None:
    """A reference is the same after formatting and parsing."""
    assert parse_reference(str(ref)) == ref


@settings(max_examples=examples(50))
@given(REFERENCES)
def test_json(ref: Reference) -> None:
    """A reference is the same after encoding and decoding as JSON."""
    assert msgspec.json.decode(msgspec.json.encode(ref), type=Reference) == ref


@settings(max_examples=examples(100))
@given(REFERENCES, REFERENCES)
def test_distinct_texts(one: Reference, other: Reference) -> None:
    """Two different references have different texts."""
    assert (str(one) == str(other)) is (one == other)


@settings(max_examples=examples(100))
@given(st.text() | st.builds("{}:{}".format, st.sampled_from(list(ReferenceKind)), st.text()))
def test_any_text(text: str) -> None:
    """Any text parses to a reference with the same text, or raises a `UsageError`."""
    try:
        ref = parse_reference(text)
    except UsageError as error:
        assert repr(text) in str(error)
    else:
        assert parse_reference(str(ref)) == ref
        word, colon, rest = text.partition(":")
        assert f"{word.strip()}:{rest.strip()}" == str(ref) or (
            not colon and text.strip() == ref.uid
        )


BOOTSTRAP = ("bootstrap:n1", ListKind.BOOTSTRAPS)


@pytest.mark.parametrize(
    ("text", "ref", "name", "list_kind"),
    [
        ("a1", Reference(ReferenceKind.ACTION, "a1"), "a1", ListKind.ACTIONS),
        ("action:a1", Reference(ReferenceKind.ACTION, "a1"), "a1", ListKind.ACTIONS),
        ("action:a1@bdb:7", Reference(ReferenceKind.ACTION, "a1", "bdb:7"), "a1", ListKind.ACTIONS),
        ("action:a:1@x", Reference(ReferenceKind.ACTION, "a:1@x"), "a:1@x", ListKind.ACTIONS),
        ("action:a1@bdb:3", Reference(ReferenceKind.ACTION, "a1", "bdb:3"), "a1", ListKind.ACTIONS),
        ("crdb:t1", Reference(ReferenceKind.CRDB, "t1"), "t1", ListKind.CRDBS),
        ("crdb:t1@bdb:3", Reference(ReferenceKind.CRDB, "t1@bdb:3"), "t1@bdb:3", ListKind.CRDBS),
        (
            "node:1/maintenance_on",
            Reference(ReferenceKind.NODE, "1/maintenance_on"),
            "node:1/maintenance_on",
            ListKind.NODES,
        ),
        (
            "node:12/remove@after,t0",
            Reference(ReferenceKind.NODE, "12/remove", "after,t0"),
            "node:12/remove",
            ListKind.NODES,
        ),
        (
            "cluster:change_master@t1",
            Reference(ReferenceKind.CLUSTER, "change_master", "t1"),
            "cluster:change_master",
            ListKind.CLUSTER,
        ),
        (
            "export:3@idle,2026-08-04T10:00:00Z,1786",
            Reference(ReferenceKind.EXPORT, "3", "idle,2026-08-04T10:00:00Z,1786"),
            "export:3",
            ListKind.BDBS,
        ),
        ("import:3", Reference(ReferenceKind.IMPORT, "3"), "import:3", ListKind.BDBS),
        ("backup:3", Reference(ReferenceKind.BACKUP, "3"), "backup:3", ListKind.BDBS),
        ("bdb:3", Reference(ReferenceKind.BDB, "3"), "bdb:3", ListKind.BDBS),
        ("bdb:3@gone", Reference(ReferenceKind.BDB, "3", GONE), "bdb:3", ListKind.BDBS),
        ("bootstrap:n1", Reference(ReferenceKind.BOOTSTRAP, "n1"), *BOOTSTRAP),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_shapes(text: str, ref: Reference, name: str, list_kind: ListKind) -> None:
    """Each kind has its shape, its name in errors, and its list."""
    read = parse_reference(text)

    assert (read, read.name, read.list_kind) == (ref, name, list_kind)
    assert str(read) == (text if ":" in text else f"action:{text}")


@pytest.mark.parametrize(
    ("text", "condition", "settings", "uid", "list_kind"),
    [
        ("bdb:3@available", Condition.AVAILABLE, "", "3", ListKind.BDBS),
        ("bdb:3@available,lag", Condition.AVAILABLE, "lag", "3", ListKind.BDBS),
        ("bdb:3@available,lag=100", Condition.AVAILABLE, "lag=100", "3", ListKind.BDBS),
        ("bdb:3@in-sync", Condition.IN_SYNC, "", "3", ListKind.BDBS),
        ("crdb:g-1@replicating", Condition.REPLICATING, "", "g-1", ListKind.CRDB_HEALTH),
        (
            "crdb:g@replicating,with=a.b:9443+[::1]:1+c",
            Condition.REPLICATING,
            "with=a.b:9443+[::1]:1+c",
            "g",
            ListKind.CRDB_HEALTH,
        ),
        (
            "crdb:g@replicating,with=c:9443~2",
            Condition.REPLICATING,
            "with=c:9443~2",
            "g",
            ListKind.CRDB_HEALTH,
        ),
        ("cluster@quiet", Condition.QUIET, "", "", ListKind.CLUSTER_STATE),
        ("cluster@healthy,ignore=2+3", Condition.HEALTHY, "ignore=2+3", "", ListKind.CLUSTER_STATE),
        ("bootstrap@idle", Condition.IDLE, "", "", ListKind.BOOTSTRAPS),
        ("bootstrap:n1:8080@idle", Condition.IDLE, "", "n1:8080", ListKind.BOOTSTRAPS),
    ],
)
def test_conditions(
    text: str, condition: Condition, settings: str, uid: str, list_kind: ListKind
) -> None:
    """The reference of a condition has its settings and its list, and is its name in errors."""
    ref = parse_reference(f" {text}\n")

    assert (ref.condition, ref.settings, ref.uid, ref.list_kind) == (
        *(condition, settings, uid, list_kind),
    )
    assert (str(ref), ref.name) == (text, text)
    assert ref.asks_others is settings.startswith("with=")
    assert parse_reference(text) == ref
    assert is_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        *("action:a1@available", "crdb:t1@available", "crdb:t1@replicating,x", "cluster:quiet@t1"),
        *("cluster:change_master@quiet", "bdb:1", "bdb:1@gone", "node:1/remove@available", "a1"),
        *("export:1@available", "bootstrap", "bootstrap@after"),
    ],
)
def test_no_condition(text: str) -> None:
    """The same words elsewhere are a part of a uid, or a run."""
    assert parse_reference(text).condition is None


@pytest.mark.parametrize("text", ["a1", "cluster-1", "http://localhost", "bootstraps"])
def test_no_kind(text: str) -> None:
    """A text without a kind does not begin like a reference."""
    assert not is_reference(text)


def test_bootstrap_of_the_url() -> None:
    """The bootstrap of the node that the client's URL names has no uid."""
    ref = parse_reference("bootstrap")

    assert (ref.uid, ref.name, str(ref), ref.list_kind) == (
        *("", "bootstrap", "bootstrap", ListKind.BOOTSTRAPS),
    )


def test_names_of_conditions() -> None:
    """The messages of errors know all conditions."""
    assert {condition.value for condition in Condition} == _CONDITIONS


UUID = "6F3C0C1E-0A4B-4F43-9B1C-5D7E2A90C0DE"


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (" a1\n", "action:a1"),
        ("action: a1 ", "action:a1"),
        (" action:a1", "action:a1"),
        ("\texport: 1\r\n", "export:1"),
        (" node:1/remove ", "node:1/remove"),
        (UUID, f"action:{UUID.lower()}"),
        (f" action:{UUID}@bdb:3\n", f"action:{UUID.lower()}@bdb:3"),
        ("Task-A1", "action:Task-A1"),
        (UUID[:-1], f"action:{UUID[:-1]}"),
        (f"crdb: {UUID}\n", f"crdb:{UUID}"),  # X-Task-ID is the caller's choice
        ("crdb:Task-A1", "crdb:Task-A1"),
    ],
)
def test_spelling(text: str, ref: str) -> None:
    """Blanks are dropped; the UUID of an action is written as the cluster does, nothing else is."""
    assert str(parse_reference(text)) == ref


def test_parts() -> None:
    """A node's action has its node's uid and its name; a database has its uid."""
    assert (
        parse_reference("node:12/remove@t").numeric_uid,
        parse_reference("node:12/remove@t").action_name,
    ) == (12, "remove")
    assert parse_reference("cluster:change_master").action_name == "change_master"
    assert parse_reference("export:3").numeric_uid == 3


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ":",
            "action:",
            "crdb:",
            " ",
            "action: ",
            "crdb: \n",
            "..",
            ".",
            "action:..",
            "crdb:.",
            "action:\ud800",
        ),
        *("node:", "node:1", "node:1/", "node:/remove", "node:x/remove", "node:1/Remove"),
        *("node:1/remove@", "node:1/remove/x", "node:-1/remove", "node:\u0661/remove"),
        *("cluster:", "cluster:1", "cluster:change-master", "cluster:change_master@"),
        *(
            "export:",
            "export:x",
            "export:1.5",
            "import:-1",
            "backup:1@",
        ),
        *("bdb:1@", "bdb:1@soon", "bdb:x", f"bdb:{'9' * 5000}"),
        *("task:1", "ACTION:a1", "http://localhost"),
        *("bdb:1@available,", "bdb:1@available,lag=", "bdb:1@available,lag=0.1", "bdb:1@quiet"),
        *("bdb:1@in-sync,lag", "bdb:@available", "cluster@available", "cluster@healthy,ignore="),
        *("cluster@", "cluster", "cluster:@quiet", "cluster@healthy,ignore=x", "bootstrap@quiet"),
        *("bootstrap:a/b", "bootstrap@", "cluster@quiet,now", "cluster@healthy,ignore=2+0"),
    ],
    ids=lambda text: f"{text!r:.30}",
)
def test_invalid_text(text: str) -> None:
    """Other text is a `UsageError`, which lists the shapes of references."""
    with pytest.raises(UsageError) as caught:
        parse_reference(text)

    assert str(caught.value) == (
        f"{text!r} is not a reference: there are action:UID, node:UID/ACTION, cluster:ACTION, "
        "crdb:ID, export:BDB, import:BDB, backup:BDB, bdb:UID, bdb:UID@gone and bootstrap; "
        "bdb:UID@available, bdb:UID@in-sync, crdb:GUID@replicating, cluster@quiet, cluster@healthy "
        "and bootstrap@idle"
    )


@pytest.mark.parametrize("value", [None, 5, b"a1", ["a1"]], ids=repr)
def test_invalid_type(value: object) -> None:
    """Another type than text is a `UsageError`."""
    read: Callable[[object], Reference] = parse_reference  # type: ignore[assignment]
    with pytest.raises(UsageError, match="is not a reference such as action:UID or crdb:ID"):
        read(value)
