"""Tests of `_client.wire.bootstrap`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions import Kind, Phase, UnreadableReply
from redis_enterprise_actions._client.wire.bootstrap import read_bootstrap
from redis_enterprise_actions._model.reference import Reference, ReferenceKind


PATH = "/v1/bootstrap"
REF = Reference(ReferenceKind.BOOTSTRAP, "n2")
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def body_of(state: object, **fields: object) -> bytes:
    """Return the body for a state."""
    status = {"state": state, **fields}
    return json.dumps({"bootstrap_status": status, "local_node_info": {"uid": "4"}}).encode()


def error_of(details: object, **fields: object) -> str | None:
    """Return the text of an error with these details."""
    return read_bootstrap(body_of("error", error_details=details, **fields), REF, PATH).error


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("idle", Phase.PENDING),
        ("initiated", Phase.RUNNING),
        ("creating_cluster", Phase.RUNNING),
        ("joining_cluster", Phase.RUNNING),
        ("recovering_cluster", Phase.RUNNING),
        ("completed", Phase.COMPLETED),
        (" Completed", Phase.COMPLETED),
        ("error", Phase.FAILED),
        ("failed", Phase.UNKNOWN),  # of other work
        ("", Phase.UNKNOWN),
    ],
)
def test_states(state: str, phase: Phase) -> None:
    """Each documented state has its phase; another one is unknown, and no end."""
    action = read_bootstrap(body_of(state), REF, PATH)

    assert (action.status, action.phase) == (state, phase)
    assert (action.uid, action.title, action.kind) == (
        "bootstrap:n2",
        "bootstrap:n2",
        Kind.BOOTSTRAP,
    )
    assert (action.node_uid, action.error_code, action.error) == ("4", None, None)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-03-01T12:00:00Z", BEGAN),
        ("2026-03-01T14:00:00+02:00", BEGAN),
        ("2026-03-01 12:00:00", BEGAN),
        (BEGAN.timestamp(), BEGAN),
        (str(int(BEGAN.timestamp())), BEGAN),
        ("yesterday", None),
        ("", None),
        (None, None),
        ([], None),
    ],
)
def test_start_time(value: object, time: datetime | None) -> None:
    """The time at which a bootstrap began comes in ISO 8601, or in seconds."""
    assert read_bootstrap(body_of("initiated", start_time=value), REF, PATH).creation_time == time


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({"message": "no"}, "no"),
        ("no", "no"),
        (["no", "never"], "no; never"),
        ({}, None),
        (None, None),
        (
            {"failed_nodes": [{"uid": 2, "rack_id": "r1"}, {"uid": "3"}], "replace_candidate": 2},
            "failed nodes: 2 (rack r1), 3; the node to replace is 2",
        ),
        ({"failed_nodes": [4, {}, [], None]}, "failed nodes: 4"),
        ({"failed_nodes": [4, ["x"]]}, '{"failed_nodes":[4,["x"]]}'),
        (
            {"failed_nodes": [{"uid": 4, "addr": "10.0.0.4"}, 5]},
            'failed nodes: {"uid":4,"addr":"10.0.0.4"}, 5',
        ),
        ({"failed_nodes": [{"rack_id": "r1"}]}, 'failed nodes: {"rack_id":"r1"}'),
        ({"failed_nodes": []}, None),
        ({"failed_nodes": "2, 3"}, "failed nodes: 2, 3"),
        ({"replace_candidate": {"uid": 2}}, "the node to replace is 2"),
        ({"replace_candidate": {"name": "x"}}, 'the node to replace is {"name":"x"}'),
        ({"replace_candidate": True}, '{"replace_candidate":true}'),
        ({"replace_candidate": [2, 3]}, '{"replace_candidate":[2,3]}'),
        ({"violation": ["expired", "shards"]}, '{"violation":["expired","shards"]}'),
        ({"required_memory": {"min": 5}}, '{"required_memory":{"min":5}}'),
        (
            {"message": "no", "reason": "never", "violation": ["x"], "hint": "yes"},
            'no; never; {"violation":["x"],"hint":"yes"}',
        ),
        ({"field": "password", "value": "hunter2"}, '{"field":"password","value":"***"}'),
        ({"violation": "expired"}, "violation: expired"),
        ({"violation": {"message": "expired"}}, "violation: expired"),
        ({"required_memory": 4 * 2**30}, "required memory: 4 GiB"),
        ({"required_memory": "1536"}, "required memory: 1.5 KiB"),
        ({"required_flash": "1 TB"}, "required flash: 1 TB"),
        ({"required_flash": 2**59}, "required flash: 512 PiB"),
        ({"required_flash": 10**20}, "required flash: 100000000000000000000"),
        ({"message": "no", "hint": "yes"}, 'no; {"hint":"yes"}'),
        ({"message": "no", "password": "hunter2-hunter2"}, 'no; {"password":"***"}'),
        ({"message": "redis://u:hunter2-hunter2@n1"}, "redis://u:***@n1"),
    ],
)
def test_details(details: object, text: str | None) -> None:
    """The details of an error are said in words, without secrets."""
    assert error_of(details) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"message": "the disk is full"}, "no; the disk is full"),
        ({"error_code": {"name": "disk"}}, 'no; {"name":"disk"}'),
        ({"error_code": ["disk", "memory"]}, "no; disk; memory"),
        ({"error_code": "disk", "end_time": "2026-03-01T12:00:00Z"}, "no"),
    ],
)
def test_beside_details(fields: dict[str, object], text: str) -> None:
    """What an error says beside its details is said, too."""
    assert error_of({"message": "no"}, **fields) == text


def test_code() -> None:
    """An error has its code; that of any other state is an old one."""
    body = body_of("error", error_code="access_denied", error_details={"message": "no"})
    action = read_bootstrap(body, REF, PATH)

    assert action.reason == "access_denied: no"
    body = body_of("initiated", error_code="access_denied", error_details={"message": "no"})
    assert read_bootstrap(body, REF, PATH).reason is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b'{"bootstrap_status": 1}',
        b'{"bootstrap_status": {}}',
        b"\xff",
    ],
)
def test_unreadable(body: bytes) -> None:
    """A body without a state is unreadable; the error does not quote it."""
    with pytest.raises(UnreadableReply) as caught:
        read_bootstrap(body, REF, PATH)

    assert not caught.value.excerpt
    has_advice = "REST API itself" in (caught.value.advice or "")
    assert has_advice is (body == b"<html>")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
DETAILS = st.dictionaries(
    st.sampled_from(["message", "failed_nodes", "replace_candidate", "required_memory", "x"]), JSON
)


@given(JSON | DETAILS, JSON, JSON)
def test_anything(details: Any, start_time: Any, code: Any) -> None:  # noqa: ANN401 - JSON
    """Whatever the fields hold, an error is a failure."""
    body = body_of("error", error_details=details, start_time=start_time, error_code=code)

    assert read_bootstrap(body, REF, PATH).phase is Phase.FAILED
