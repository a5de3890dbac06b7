"""Tests of `_client.wire.cluster_lists`: nothing that cannot be read is taken for a good state."""

from __future__ import annotations

import json

import pytest

from redis_enterprise_actions import Phase, UnreadableReply
from redis_enterprise_actions._client.wire.cluster_lists import (
    CheckReport,
    Node,
    Shard,
    Work,
    is_health_report,
    name_of,
    read_actions,
    read_array,
    read_crdb_tasks,
    read_databases,
    read_node_statuses,
    read_object,
    word_of,
)


PATH = "/v1/path"


@pytest.mark.parametrize(
    ("value", "word"),
    [(None, ""), (" Active ", "active"), ("a\nb", "a b"), (5, "unreadable"), ([], "unreadable")],
)
def test_word(value: object, word: str) -> None:
    """A status is a word in lower case; what is no text is a word that no table has."""
    assert word_of(value) == word


@pytest.mark.parametrize(
    ("value", "name"), [(1, "1"), (" 1 ", "1"), (None, ""), (True, ""), ([], ""), ("a\x1bb", "a b")]
)
def test_name(value: object, name: str) -> None:
    """A uid is text or a number."""
    assert name_of(value) == name


@pytest.mark.parametrize(
    "body",
    [b'[{"uid": 1}, 5, null]', b' \n[{"uid": 1}, 5, null]', b'{"nodes": [{"uid": 1}, 5, 0]}'],
)
def test_array(body: bytes) -> None:
    """An array may stand under a key. An entry that cannot be read has no fields."""
    assert read_array(body, Node, PATH, "nodes") == [Node(uid=1), Node(), Node()]


@pytest.mark.parametrize("body", [b"", b"{}", b"5", b'{"nodes": 5}', b"<html>", b"[", b'"secret"'])
def test_no_array(body: bytes) -> None:
    """Anything else is unreadable, and the error quotes nothing of it."""
    with pytest.raises(UnreadableReply, match="not a list") as caught:
        read_array(body, Node, PATH, "nodes")

    assert "secret" not in str(caught.value)


def test_fields_of_any_type() -> None:
    """A field of an unexpected type is kept, so that it counts as unknown."""
    (shard,) = read_array(b'[{"uid": "7", "status": ["active"]}]', Shard, PATH)

    assert (name_of(shard.uid), word_of(shard.status)) == ("7", "unreadable")


def test_objects() -> None:
    """Objects are decoded; anything else is unreadable."""
    assert read_object(b'{"cluster_test_result": true}', CheckReport, PATH).cluster_test_result
    assert list(read_node_statuses(b'{"1": {"role": "master"}, "2": 5}', PATH)) == ["1", "2"]
    for read in (
        lambda body: read_object(body, CheckReport, PATH),
        lambda body: read_node_statuses(body, PATH),
    ):
        with pytest.raises(UnreadableReply, match="not an object"):
            read(b"[]")


def test_databases() -> None:
    """The list of databases may be in an object; an operation that cannot be read is busy."""
    first, second, third = read_databases(
        b'{"bdbs": [{"uid": 1, "background_op": [{"status": "idle"}]}, {"background_op": 5}, {}]}',
        "/v1/bdbs",
    )

    assert [[op.busy for op in each.ops] for each in (first, second, third)] == [
        [False],
        [True],
        [],
    ]


@pytest.mark.parametrize(
    ("entry", "work"),
    [
        (
            {"action_uid": "a", "name": "SMX", "object_name": "bdb:1", "status": "active"},
            Work("SMX on bdb:1", "active", Phase.RUNNING, "SMX", "a"),
        ),
        (
            {"task_id": "a", "name": "retry_bdb", "status": "completed", "node_uid": "1"},
            Work("retry_bdb on node 1", "completed", Phase.COMPLETED, "retry_bdb", "a", "1"),
        ),
        (
            {
                "action_uid": "a",
                "name": "export",
                "status": "running",
                "additional_info": {"object_type": "bdb", "object_uid": "2"},
            },
            Work("export on bdb:2", "running", Phase.RUNNING, "export", "a"),
        ),
        (
            {"name": "x", "status": "odd", "additional_info": 5, "object_name": "bdb:1"},
            Work("x on bdb:1", "odd", Phase.UNKNOWN, "x"),
        ),
        ({"action_uid": "a"}, Work("an action a", "", Phase.UNKNOWN, "", "a")),
        (5, Work("an action", "", Phase.UNKNOWN)),
        ({"status": 5}, Work("an action", "unreadable", Phase.UNKNOWN)),
    ],
)
def test_actions(entry: object, work: Work) -> None:
    """An action of any list has a title; an unknown or missing status is not an end."""
    assert read_actions(json.dumps({"actions": [entry]}).encode(), PATH) == [work]


def test_crdb_tasks() -> None:
    """Tasks of Active-Active databases have words of their own."""
    body = b'[{"id": "t", "status": "finished"}, {"operation": "create_crdb", "status": "started"}]'

    assert read_crdb_tasks(body, PATH) == [
        Work("CRDB task t", "finished", Phase.COMPLETED, "", "t"),
        Work("create_crdb", "started", Phase.RUNNING, "create_crdb"),
    ]


@pytest.mark.parametrize(
    ("body", "is_report"),
    [
        (b'{"status": "error", "nodes": [], "database_infos": []}', True),
        (b'{"status": 503, "title": "down"}', False),
        (b'{"error_code": "no_quorum"}', False),
        (b"<html>", False),
        (b"[]", False),
    ],
)
def test_health_report(body: bytes, is_report: bool) -> None:
    """A 503 with a report is an answer; with an error, it is an outage."""
    assert is_health_report(body) is is_report
