"""Tests of `_client.wire.replies`."""

from __future__ import annotations

import json

import msgspec
import pytest

from redis_enterprise_actions import UnreadableReply
from redis_enterprise_actions._client.wire.replies import (
    ListReply,
    Lone,
    decode_each,
    decode_list,
    read_uids,
)


A: dict[str, object] = {"id": "a", "status": "queued"}
B: dict[str, object] = {"id": "b", "status": "queued"}


class Entry(msgspec.Struct):
    """An entry with one required field."""

    id: str


def uids(raws: list[msgspec.Raw]) -> list[str]:
    """Return the ids of the entries that can be read."""
    return [entry.id for _, entry in decode_each(raws, Entry)]


def names_of(listed: ListReply) -> list[list[str]]:
    """Return the ids of each family of a list."""
    return [uids(list(each)) for each in listed]


SHAPES = {
    "array": ([A, B], [[], [], ["a", "b"]]),
    "empty array": ([], [[], [], []]),
    "both families": ({"actions": [A], "state-machines": [B]}, [["a"], ["b"], []]),
    "both empty": ({"actions": [], "state-machines": []}, [[], [], []]),
    "with an underscore": ({"actions": [A], "state_machines": [B]}, [["a"], ["b"], []]),
    "actions": ({"actions": [A]}, [["a"], [], []]),
    "one family is null": ({"actions": None, "state-machines": [B]}, [[], ["b"], []]),
    "CRDB tasks": ({"crdb_tasks": [A]}, [[], [], ["a"]]),
    "tasks": ({"tasks": [A, B]}, [[], [], ["a", "b"]]),
    "databases": ({"bdbs": [A]}, [[], [], ["a"]]),
    "one object": (A, [[], [], ["a"]]),
    "other fields": ({"total": 1, "actions": [A]}, [["a"], [], []]),
    "other keys": ({"actions": [A], "tasks": 5, "bdbs": {}}, [["a"], [], []]),
    "null beside": ({"tasks": None, "crdb_tasks": [A]}, [[], [], ["a"]]),
    "bad entries": ([5, None, {}, {"id": 5}, A], [[], [], ["a"]]),
}


@pytest.mark.parametrize("before", [b"", b" \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
@pytest.mark.parametrize(("body", "ids"), SHAPES.values(), ids=SHAPES)
def test_shapes_of_lists(body: object, ids: list[list[str]], before: bytes) -> None:
    """Each list may come in each shape, also after a byte-order mark; bad entries are skipped."""
    listed = decode_list(before + json.dumps(body).encode(), "/v1/actions", Lone(("id",)))

    assert names_of(listed) == ids
    assert uids(listed.entries) == [uid for family in ids for uid in family]


LONE = Lone(("action_uid", "task_id"))


@pytest.mark.parametrize(
    ("body", "is_entry"),
    [
        ({"action_uid": "x", "status": "queued"}, True),
        ({"task_id": "x", "status": " Completed "}, True),
        ({"action_uid": 5, "status": "queued"}, True),
        ({"action_uid": "x", "status": "done"}, True),
        ({"action_uid": "x", "status": 200}, False),
        ({"action_uid": "x"}, False),
        ({"action_uid": "", "status": "queued"}, False),
        ({"action_uid": None, "status": "queued"}, False),
        ({"uid": "lb-1", "status": "running"}, False),
        ({"status": "queued"}, False),
    ],
)
def test_one_object(body: dict[str, object], is_entry: bool) -> None:
    """An object alone is an entry if it has a known status and a uid of the route's own."""
    text = json.dumps(body).encode()
    if is_entry:
        assert decode_list(text, "/v1/actions", LONE).others == [msgspec.Raw(text)]
    else:
        with pytest.raises(UnreadableReply, match="no list in it"):
            decode_list(text, "/v1/actions", LONE)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{}", "no list in it"),
        (b'{"error": "x"}', "no list in it"),
        (b'{"actions": 5}', "array"),
        (b'{"actions": "none", "tasks": []}', "array"),
        (b'{"crdb_tasks": 5}', "array"),
        (b'{"tasks": {}}', "array"),
        (b'{"actions": [], "state-machines": {}}', "array"),
        (b'{"actions": null}', "no list in it"),
        (b"5", "object"),
        (b"[", "trunc"),
        (b"", "trunc"),
        (b"<html>", "malformed"),
    ],
)
def test_no_list(body: bytes, problem: str) -> None:
    """A body without a list is an unreadable answer."""
    with pytest.raises(UnreadableReply, match=problem):
        decode_list(body, "/v1/tasks", LONE)


@pytest.mark.parametrize(
    ("body", "uids"),
    [
        (b"[]", set()),
        (b'[{"uid": 1}, {"uid": "2"}, {"uid": 3.0}]', {1, 2, 3}),
        (b'{"bdbs": [{"uid": 1}]}', {1}),
        (b'\xef\xbb\xbf[{"uid": 1}]', {1}),
        (b'{"nodes": [{"uid": 1}]}', None),
        (b'{"actions": []}', None),
        (b'{"uid": 1, "status": "active"}', None),
        (b'[{"uid": 1}, {}]', None),
        (b'[{"uid": 1.5}]', None),
        (b'[{"uid": 1}, 5]', None),
        (b"<html>", None),
    ],
)
def test_read_uids(body: bytes, uids: set[int] | None) -> None:
    """The uids of a list count only if all of the list can be read, and is the one asked for."""
    assert read_uids(body, "bdbs") == uids
