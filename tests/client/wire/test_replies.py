"""Tests of `_client.wire.replies`."""

from __future__ import annotations

import msgspec
import pytest

from redis_enterprise_actions import UnreadableReply
from redis_enterprise_actions._client.wire.replies import decode_entries, read_uids


class Entry(msgspec.Struct):
    """An entry with one required field."""

    id: str


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b'[{"id": "a"}, {"id": "b"}]', ["a", "b"]),
        (b' \n[{"id": "a"}]', ["a"]),
        (b'{"tasks": [{"id": "a"}]}', ["a"]),
        (b'{"old_tasks": [{"id": "a"}]}', ["a"]),
        (b'{"old_tasks": [{"id": "a"}], "tasks": []}', []),
        (b'[5, null, {}, {"id": 5}, {"id": "a"}]', ["a"]),
    ],
)
def test_decode_entries(body: bytes, ids: list[str]) -> None:
    """A list is an array, or in an object under the first known key; bad entries are skipped."""
    entries = decode_entries(body, ("tasks", "old_tasks"), Entry, "/v1/tasks")

    assert [entry.id for entry in entries] == ids


@pytest.mark.parametrize(
    ("body", "problem"),
    [(b"{}", 'no "tasks" in it'), (b'{"tasks": 5}', "array"), (b"5", "object"), (b"[", "trunc")],
)
def test_no_list(body: bytes, problem: str) -> None:
    """A body without a list is an unreadable answer."""
    with pytest.raises(UnreadableReply, match=problem):
        list(decode_entries(body, ("tasks", "old_tasks"), Entry, "/v1/tasks"))


@pytest.mark.parametrize(
    ("body", "uids"),
    [
        (b"[]", set()),
        (b'[{"uid": 1}, {"uid": "2"}, {"uid": 3.0}]', {1, 2, 3}),
        (b'{"bdbs": [{"uid": 1}]}', {1}),
        (b'{"nodes": [{"uid": 1}]}', None),
        (b'[{"uid": 1}, {}]', None),
        (b'[{"uid": 1.5}]', None),
        (b'[{"uid": 1}, 5]', None),
        (b"<html>", None),
    ],
)
def test_read_uids(body: bytes, uids: set[int] | None) -> None:
    """The uids of a list count only if all of the list can be read."""
    assert read_uids(body, "bdbs") == uids
