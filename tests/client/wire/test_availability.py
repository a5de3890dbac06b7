"""Tests of `_client.wire.availability`."""

from __future__ import annotations

import json

import msgspec
import pytest

from redis_enterprise_actions import UnreadableReply
from redis_enterprise_actions._client.wire.availability import (
    availability_findings,
    object_findings,
    status_findings,
    sync_findings,
)
from redis_enterprise_actions._client.wire.databases import WireDatabase


def raw(value: object) -> msgspec.Raw:
    """Return a value as JSON."""
    return msgspec.Raw(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("status", "body", "findings"),
    [
        (200, b"", []),
        (200, b" \r\n", []),
        (503, b'{"error_code": "bdb_endpoint_unavailable"}', ["bdb_endpoint_unavailable"]),
        (503, b'{"error_code": "a\\nb", "description": "x"}', ["a b"]),
        (503, b"{}", ["status 503"]),
        (503, b'{"error_code": "' + 500 * b"x" + b'"}', [59 * "x" + "\u2026"]),
    ],
)
def test_availability(status: int, body: bytes, findings: list[str]) -> None:
    """A success without a body is available; a failure names its code."""
    assert availability_findings(status, body, "/p") == findings


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *(
            (200, body)
            for body in (
                *(b"<html>Login</html>", b"OK", b'{"error_code', b"null", b"false", b"[]", b"{}"),
                *(b'{"message": "please log in"}', b'{"available": false}', b'{"status": "ok"}'),
                b'{"error_code": "no_quorum"}',
            )
        ),
        *((status, b"") for status in (201, 202, 204, 206)),
    ],
)
def test_other_success(status: int, body: bytes) -> None:
    """Any other success is that of another server, and no answer."""
    with pytest.raises(UnreadableReply, match=f"a {status} that is not the answer of a check"):
        availability_findings(status, body, "/p")


@pytest.mark.parametrize(
    ("status", "findings"),
    [
        ("pending", ["its status is pending"]),
        (" Recovery", ["its status is Recovery"]),
        ("creation-failed", ["its status is creation-failed"]),
        *((word, []) for word in ("active", "active-change-pending", "delete-pending", "new")),
    ],
)
def test_status(status: str, findings: list[str]) -> None:
    """The list alone tells that a database without an endpoint is not available."""
    assert status_findings(WireDatabase(status=status)) == findings


ENDPOINTS = [{"port": 12000}]
SHARDS = [{"uid": "1", "status": "active", "detailed_status": "ok"}]


@pytest.mark.parametrize(
    ("status", "busy", "endpoints", "shards", "findings"),
    [
        ("active", False, ENDPOINTS, SHARDS, []),
        ("active", True, ENDPOINTS, SHARDS, ["it is busy"]),
        ("pending", True, ENDPOINTS, SHARDS, ["its status is pending"]),
        ("odd", False, ENDPOINTS, SHARDS, ["its status is odd"]),
        ("active", False, [], SHARDS, ["it has no endpoint"]),
        ("active", False, None, SHARDS, ["it has no endpoint"]),
        ("active", False, "text", SHARDS, ["it has no endpoint"]),
        ("active", False, [{"port": None}, 5], SHARDS, ["it has no endpoint"]),
        ("active", False, ENDPOINTS, [], ["it has no shards"]),
        (
            "active",
            False,
            [],
            [*SHARDS, {"uid": 2, "status": "Active", "detailed_status": "Loading"}],
            ["it has no endpoint", "shard 2 is active, loading"],
        ),
        ("active", False, ENDPOINTS, [{"uid": 3}], ["shard 3 is without a status"]),
        ("active", False, ENDPOINTS, [{"status": "down"}], ["shard ? is down"]),
        ("active", False, ENDPOINTS, [5], ["shard ? is unreadable"]),
    ],
)
def test_objects(
    status: str, busy: bool, endpoints: object, shards: object, findings: list[str]
) -> None:
    """Without a check, anything that is not as it should be is a finding."""
    wire = WireDatabase(status=status, action_uid="a1" if busy else None)

    assert object_findings(wire, raw(endpoints), bytes(raw(shards))) == findings


def test_wrapped_shards() -> None:
    """The list of shards may be in an object."""
    wire, endpoints = WireDatabase(status="active"), raw(ENDPOINTS)

    assert object_findings(wire, endpoints, bytes(raw({"shards": SHARDS}))) == []
    assert object_findings(wire, endpoints, bytes(raw({"shards": []}))) == ["it has no shards"]


@pytest.mark.parametrize("shards", [{}, {"shards": {}}, {"shards": None}, "text", None])
def test_no_shards(shards: object) -> None:
    """Another answer than a list is unreadable."""
    with pytest.raises(ValueError, match=r"array|object|no list"):
        object_findings(WireDatabase(status="active"), raw(ENDPOINTS), bytes(raw(shards)))


SECRET = "redis://admin:s3cret@source:10000"


@pytest.mark.parametrize(
    ("sync", "sources", "findings"),
    [
        (None, None, None),
        ("enabled", [], None),
        (None, [{"uid": 7, "status": "in-sync", "uri": SECRET}], []),
        ("Enabled", [{"status": " In-Sync"}], []),
        ("paused", [{"status": "in-sync"}], ["Replica Of is paused"]),
        ("stopped", [{"status": "in-sync"}], ["Replica Of is stopped"]),
        ("disabled", [{"status": "in-sync"}], ["Replica Of is disabled"]),
        (
            "enabled",
            [
                {"uid": 7, "status": "syncing", "uri": SECRET},
                {"status": "out-of-sync", "uri": SECRET},
                {"uid": 9, "uri": SECRET},
                {"uid": 10, "status": "in-sync"},
                5,
            ],
            [
                "source 7 is syncing",
                "source 2 is out-of-sync",
                "source 9 is without a status",
                "source 5 is unreadable",
            ],
        ),
        ("enabled", "text", ["source 1 is unreadable"]),
    ],
)
def test_sync(sync: str | None, sources: object, findings: list[str] | None) -> None:
    """Each source that is not in sync is named by its uid or place, never by its URI."""
    wire = WireDatabase(status="active", replica_sync=sync, replica_sources=raw(sources))

    assert sync_findings(wire) == findings


def test_sync_without_the_field() -> None:
    """A database object without the field has no sources."""
    assert sync_findings(WireDatabase(status="active")) is None
