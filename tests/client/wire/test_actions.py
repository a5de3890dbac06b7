"""Tests of `_client.wire.actions`."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions import Action, Kind, PendingOp, Phase, UnreadableReply
from redis_enterprise_actions._client.wire.actions import (
    read_action,
    read_actions,
    split_families,
)


TASK = {
    "action_uid": "159ca2f8",
    "name": "retry_bdb",
    "node_uid": "2",
    "progress": "100",
    "status": "completed",
    "task_id": "159ca2f8",
    "creation_time": "1760400087",
}
MACHINE = {
    "action_uid": "a10586b1",
    "heartbeat": 1650378874,
    "name": "SMCreateBDB",
    "object_name": "bdb:1",
    "progress": 14.29,
    "state": "provision",
    "status": "active",
    "pending_ops": {},
}
V2 = {
    "action_uid": "159ca2f8",
    "action_type": "task",
    "creation_time": 1742595918,
    "name": "retry_bdb",
    "progress": 100.0,
    "status": "completed",
    "additional_info": {"description": "x", "object_type": "bdb", "object_uid": "3"},
}


def one(**wire: object) -> Action:
    """Decode a single answer of /v1."""
    body = {"action_uid": "x", "status": "active"} | wire
    return read_action(json.dumps(body).encode(), "x", "/v1/actions/x")


def one_v2(**wire: object) -> Action:
    """Decode a single answer of /v2."""
    body = {"action_uid": "x", "status": "running"} | wire
    return read_action(json.dumps(body).encode(), "x", "/v2/actions/x", Kind.OTHER)


def test_task() -> None:
    """A task of /v1 as recorded: numbers are strings."""
    assert read_action(json.dumps(TASK).encode(), "159ca2f8", "/v1/actions/159ca2f8") == Action(
        uid="159ca2f8",
        name="retry_bdb",
        kind=Kind.TASK,
        status="completed",
        phase=Phase.COMPLETED,
        progress=100.0,
        node_uid="2",
        creation_time=datetime(2025, 10, 14, 0, 1, 27, tzinfo=UTC),
    )


def test_machine() -> None:
    """A state machine of /v1 as recorded: numbers are numbers, and there is an object."""
    assert read_action(json.dumps(MACHINE).encode(), "a10586b1", "/v1/actions/a10586b1") == Action(
        uid="a10586b1",
        name="SMCreateBDB",
        kind=Kind.STATE_MACHINE,
        status="active",
        phase=Phase.RUNNING,
        progress=14.29,
        state="provision",
        object_type="bdb",
        object_uid="1",
        heartbeat=datetime(2022, 4, 19, 14, 34, 34, tzinfo=UTC),
    )


def test_v1_list() -> None:
    """The list of /v1 is an object with two arrays, one of them hyphenated."""
    body = json.dumps({"actions": [TASK], "state-machines": [MACHINE]}).encode()
    task, machine = read_actions(body, "/v1/actions")

    assert (task.uid, task.kind) == ("159ca2f8", Kind.TASK)
    assert (machine.uid, machine.kind) == ("a10586b1", Kind.STATE_MACHINE)


@pytest.mark.parametrize(
    "body",
    [
        [MACHINE],
        {"state-machines": [MACHINE]},
        {"actions": [], "state-machines": [MACHINE]},
        {"actions": None, "state-machines": [MACHINE], "new": 1},
    ],
    ids=["array", "wrapper", "wrapper with both", "null and unknown"],
)
def test_database_list(body: object) -> None:
    """/v1/actions/bdb/{uid} may come as a bare array or in a wrapper."""
    (machine,) = read_actions(b" " + json.dumps(body).encode(), "/v1/actions/bdb/1")

    assert (machine.uid, machine.kind) == ("a10586b1", Kind.STATE_MACHINE)


@pytest.mark.parametrize(("length", "same"), [(10, True), (5000, False)], ids=["short", "long"])
def test_same_answer(length: int, *, same: bool) -> None:
    """The same answer about one action is the same object, and a long one is not remembered."""
    body = json.dumps(TASK | {"error": "x" * length})
    first, second = (read_action(body.encode(), TASK["task_id"], "/v1/actions/x") for _ in "12")

    assert first == second
    assert (first is second) is same


def test_v2_list() -> None:
    """The list of /v2 is an array, and each entry names its kind."""
    kinds = ["task", "state-machine", "other", "brand-new"]
    body = json.dumps([V2 | {"action_uid": kind, "action_type": kind} for kind in kinds]).encode()

    assert [
        (action.uid, action.kind.value) for action in read_actions(body, "/v2/actions", Kind.OTHER)
    ] == [
        ("task", "task"),
        ("state-machine", "state-machine"),
        ("other", "other"),
        ("brand-new", "other"),
    ]


def test_v2_single() -> None:
    """An answer of /v2 has its object in `additional_info`."""
    action = read_action(json.dumps(V2).encode(), "159ca2f8", "/v2/actions/159ca2f8", Kind.OTHER)

    assert action == Action(
        uid="159ca2f8",
        name="retry_bdb",
        kind=Kind.TASK,
        status="completed",
        phase=Phase.COMPLETED,
        progress=100.0,
        object_type="bdb",
        object_uid="3",
        creation_time=datetime(2025, 3, 21, 22, 25, 18, tzinfo=UTC),
    )


PROGRESS = [
    ("100", 100.0),
    (100, 100.0),
    (14.29, 14.29),
    ("14.29", 14.29),
    (0, 0.0),
    (None, None),
    ("", None),
    ("soon", None),
    ("NaN", None),
    ("inf", None),
    (-1, None),
    (100.5, None),
    (10**400, None),
    (True, None),
    ([50], None),
    ({"a": 50}, None),
]


@pytest.mark.parametrize(("wire", "progress"), PROGRESS, ids=[repr(w)[:12] for w, _ in PROGRESS])
def test_progress(wire: object, progress: float | None) -> None:
    """Progress is a string, an int or a float; any other value counts as missing."""
    assert one(progress=wire).progress == progress
    assert one_v2(progress=wire).progress == progress


def test_progress_missing() -> None:
    """Progress may be missing, as on the recorded completed state machine."""
    assert one().progress is None
    assert one_v2().progress is None


def test_number_beyond_floats() -> None:
    """A number that no float can hold counts as missing, and the rest of the answer stays."""
    body = b'{"action_uid": "x", "status": "active", "progress": 1e999, "state": "prepare"}'
    action = read_action(body, "x", "/v1/actions/x")

    assert (action.progress, action.state) == (None, "prepare")


@pytest.mark.parametrize(
    ("wire", "when"),
    [
        ("1760400087", datetime(2025, 10, 14, 0, 1, 27, tzinfo=UTC)),
        (1760400087, datetime(2025, 10, 14, 0, 1, 27, tzinfo=UTC)),
        (1760400087.5, datetime(2025, 10, 14, 0, 1, 27, 500000, tzinfo=UTC)),
        (None, None),
        (0, None),
        (-5, None),
        ("yesterday", None),
        (10**30, None),
        ([], None),
    ],
)
def test_times(wire: object, when: datetime | None) -> None:
    """Times are seconds since the epoch, as a number or a string; other values count as missing."""
    assert one(creation_time=wire).creation_time == when
    assert one(heartbeat=wire).heartbeat == when
    assert one_v2(creation_time=wire).creation_time == when


@pytest.mark.parametrize(
    ("wire", "node_uid"), [("1", "1"), (1, "1"), ("", None), (None, None), ([1], None)]
)
def test_node(wire: object, node_uid: str | None) -> None:
    """A node's uid is a string or a number."""
    assert one(node_uid=wire).node_uid == node_uid


@pytest.mark.parametrize(
    ("wire", "object_type", "object_uid"),
    [
        ("bdb:1", "bdb", "1"),
        ("crdb:a:b", "crdb", "a:b"),
        ("bdb", "bdb", None),
        ("", None, None),
        (None, None, None),
        (7, None, None),
    ],
)
def test_object(wire: object, object_type: str | None, object_uid: str | None) -> None:
    """`object_name` has the type and the uid of the object."""
    action = one(object_name=wire)

    assert (action.object_type, action.object_uid) == (object_type, object_uid)


def test_pending_ops() -> None:
    """Pending operations come as a map from shards, in order of the shards, all fields optional."""
    action = one(
        pending_ops={
            "10": {},
            "3": {
                "heartbeat": 1650378874,
                "snapshot": {"any": ["thing"]},
                "last_sample_time": "1650378875",
                "op_name": "flush",
                "status_code": 3,
                "status_description": "flushing",
                "progress": "40",
            },
            "4": "nonsense",
        }
    )

    assert action.pending_ops == (
        PendingOp(
            shard_uid="3",
            op_name="flush",
            status_code="3",
            status_description="flushing",
            progress=40.0,
            heartbeat=datetime(2022, 4, 19, 14, 34, 34, tzinfo=UTC),
            last_sample_time=datetime(2022, 4, 19, 14, 34, 35, tzinfo=UTC),
        ),
        PendingOp(shard_uid="4"),
        PendingOp(shard_uid="10"),
    )


@pytest.mark.parametrize("wire", [{}, None, [], "none"], ids=repr)
def test_no_pending_ops(wire: object) -> None:
    """Pending operations may be empty, missing or invalid."""
    assert one(pending_ops=wire).pending_ops == ()
    assert one_v2(additional_info={"pending_ops": wire}).pending_ops == ()


def test_pending_ops_of_v2() -> None:
    """In /v2 the pending operations are in `additional_info`."""
    action = one_v2(additional_info={"pending_ops": {"1": {"op_name": "reshard"}}})

    assert action.pending_ops == (PendingOp(shard_uid="1", op_name="reshard"),)


@pytest.mark.parametrize(
    ("wire", "code", "text"),
    [
        (
            {"error_code": "internal_error", "error_message": "no room"},
            "internal_error",
            "no room",
        ),
        ({"error": "no room"}, None, "no room"),
        ({"error": {"error_code": "e1", "description": "no room"}}, None, "e1: no room"),
        ({"error": {"message": "no room"}}, None, "no room"),
        ({"error": {}}, None, None),
        ({"error": None}, None, None),
        ({"error": ""}, None, None),
        ({"error_code": 12}, "12", None),
        ({"error_message": {"msg": "no room"}}, None, "no room"),
        ({"errors": [{"description": "no room"}, "no luck"]}, None, "no room; no luck"),
        (
            {"error_code": {"code": "x", "description": "no room"}},
            None,
            "no room",
        ),
        ({"error_id": "no room"}, None, '{"error_id":"no room"}'),
        ({"message": "no room"}, None, "no room"),
        ({"description": "no room"}, None, "no room"),
        (
            {"pending_ops": {"1": {"status_description": "no room"}, "2": {"op_name": "x"}}},
            None,
            "no room",
        ),
        ({}, None, None),
    ],
)
def test_failure_text(wire: dict[str, object], code: str | None, text: str | None) -> None:
    """The reason of a failure is in one of several fields, as a string or an object."""
    action = one(status="failed", **wire)

    assert (action.error_code, action.error) == (code, text)


@pytest.mark.parametrize(
    ("error", "text"), [("no room", "no room"), ({"description": "no room"}, "no room"), (5, "5")]
)
def test_failure_text_of_v2(error: object, text: str) -> None:
    """In /v2 the reason is in `additional_info`."""
    assert one_v2(status="failed", additional_info={"error": error}).error == text
    assert one_v2(status="failed", additional_info={"description": error}).error == text


def test_description_of_work() -> None:
    """A description is a reason only where the action has failed."""
    wire = {"description": "restarts the shards", "message": "soon"}

    assert one(status="active", **wire).error is None
    assert one(status="completed", **wire).error is None
    assert one_v2(status="running", additional_info=wire).error is None
    assert one_v2(status="completed", additional_info=wire).error is None


@pytest.mark.parametrize("info", [None, [], "x", {"object_type": 5, "object_uid": None}])
def test_additional_info_nonsense(info: object) -> None:
    """An unreadable `additional_info` counts as missing."""
    action = one_v2(additional_info=info)

    assert (action.uid, action.object_type, action.object_uid) == ("x", None, None)


def test_unknown_status() -> None:
    """A status word never seen is kept and means unknown."""
    action = one(status="Defragmenting")

    assert (action.status, action.phase) == ("Defragmenting", Phase.UNKNOWN)


@pytest.mark.parametrize(
    ("wire", "v1", "v2"),
    [
        ({"task_id": "x"}, Kind.TASK, Kind.TASK),
        ({"task_id": "x", "action_uid": None}, Kind.TASK, Kind.TASK),
        ({"object_name": "bdb:1"}, Kind.STATE_MACHINE, Kind.STATE_MACHINE),
        ({}, Kind.STATE_MACHINE, Kind.OTHER),
        ({"action_type": "task"}, Kind.TASK, Kind.TASK),
        ({"action_type": "State-Machine "}, Kind.STATE_MACHINE, Kind.STATE_MACHINE),
        ({"action_type": "other", "task_id": "x"}, Kind.OTHER, Kind.OTHER),
        ({"action_type": "database"}, Kind.OTHER, Kind.OTHER),
    ],
)
def test_kind(wire: dict[str, object], v1: Kind, v2: Kind) -> None:
    """An answer says of which kind it is; only a task of v1 has a `task_id`, whatever the route."""
    assert (one(**wire).kind, one_v2(**wire).kind) == (v1, v2)


@pytest.mark.parametrize("kind", [None, Kind.OTHER])
def test_kinds_in_a_list(kind: Kind | None) -> None:
    """In a list of v1 the key says of which kind an entry is."""
    entries = [{"action_uid": uid, "status": "active"} for uid in "ab"]
    body = json.dumps({"actions": entries[:1], "state-machines": entries[1:]}).encode()

    kinds = [action.kind for action in read_actions(body, "/v1/actions", kind)]
    assert kinds == [Kind.TASK, Kind.STATE_MACHINE]


def test_families_of_an_array() -> None:
    """An array in answer to /v1/actions has tasks and state machines, told by their `task_id`."""
    entries = [TASK, MACHINE, 5, {**MACHINE, "action_uid": "m2"}]
    families = split_families(json.dumps(entries).encode(), "/v1/actions")

    uids = {kind: [json.loads(bytes(raw)) for raw in raws] for kind, raws in families.items()}
    assert uids == {Kind.TASK: entries[:1], Kind.STATE_MACHINE: entries[1:]}


def test_requested_by_task_id() -> None:
    """An action that is requested by `task_id`, or in another case, has the requested uid."""
    body = b'{"action_uid": "A1", "task_id": "T1", "status": "queued"}'

    assert read_action(body, "T1", "/v1/actions/T1").uid == "T1"
    assert read_action(body, "a1", "/v1/actions/a1").uid == "a1"


def test_answer_without_uid() -> None:
    """An answer without a uid is about the requested action."""
    assert read_action(b'{"status": "queued"}', "x", "/v1/actions/x").uid == "x"
    assert read_action(b'{"status": "queued"}', "x", "/v2/actions/x", Kind.OTHER).uid == "x"


def test_answer_about_another() -> None:
    """An answer about another action than the requested one is unreadable."""
    with pytest.raises(UnreadableReply, match="another action"):
        read_action(b'{"action_uid": "y", "status": "completed"}', "x", "/v1/actions/x")


BAD_ENTRIES = [5, None, "x", [], {}, {"status": "active"}, {"action_uid": "y"}, {"status": 5}]


@pytest.mark.parametrize("bad", BAD_ENTRIES, ids=repr)
def test_bad_entry(bad: object) -> None:
    """An entry that is no action does not affect the others."""
    v1 = read_actions(json.dumps({"actions": [bad, TASK, bad]}).encode(), "/v1/actions")
    v2 = read_actions(json.dumps([bad, V2, bad]).encode(), "/v2/actions", Kind.OTHER)

    assert [action.uid for action in v1] == ["159ca2f8"]
    assert [action.uid for action in v2] == ["159ca2f8"]


BAD_BODIES = [
    b"",
    b"null",
    b"5",
    b'"text"',
    b"<html>busy</html>",
    b'{"action_uid": "x", "status": "act',
    b'{"status": NaN}',
    b'{"action_uid": "x"}',
    b'{"action_uid": "x", "status": 5}',
    b'{"status": ' + b"[" * 100_000,
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: repr(body[:20]))
def test_unreadable(body: bytes) -> None:
    """A body that is no answer is an error that shows how it begins."""
    readers = [
        lambda: read_action(body, "x", "/v1/actions/x"),
        lambda: read_action(body, "x", "/v2/actions/x", Kind.OTHER),
        lambda: read_actions(body, "/v1/actions"),
        lambda: read_actions(body, "/v2/actions", Kind.OTHER),
    ]
    for read in readers:
        with pytest.raises(UnreadableReply) as caught:
            read()
        assert caught.value.path.startswith("/v")
        assert len(caught.value.excerpt) <= 200
        assert str(caught.value).isprintable()


KEYS = sorted(
    {*TASK, *MACHINE, *V2, "actions", "state-machines", "error", "error_code", "error_message"}
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(ANYTHING.map(lambda value: json.dumps(value).encode()) | st.binary())
def test_any_body(body: bytes) -> None:
    """Any body decodes or raises `UnreadableReply`."""
    for read in (
        lambda: [read_action(body, "x", "/v1/actions/x")],
        lambda: [read_action(body, "x", "/v2/actions/x", Kind.OTHER)],
        lambda: read_actions(body, "/v1/actions"),
        lambda: read_actions(body, "/v2/actions", Kind.OTHER),
    ):
        try:
            actions = read()
        except UnreadableReply as error:
            assert str(error).isprintable()
            continue
        for action in actions:
            assert action.uid
            assert str(action).isprintable()
            assert action.progress is None or 0 <= action.progress <= 100
