"""Tests of `_model.action`."""

from __future__ import annotations

import json
import pickle
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import msgspec
import pytest

from redis_enterprise_actions import Action, Evidence, Kind, PendingOp, Phase
from redis_enterprise_actions._model.action import (
    cancelled,
    completed,
    has_moved,
    is_visible_change,
    phase_of,
)


MACHINE = Action(
    uid="a10586b1",
    name="SMUpdateBDB",
    kind=Kind.STATE_MACHINE,
    status="active",
    phase=Phase.RUNNING,
    progress=14.29,
    state="restart",
    object_type="bdb",
    object_uid="1",
    heartbeat=datetime(2026, 1, 2, tzinfo=UTC),
    pending_ops=(PendingOp(shard_uid="3", op_name="flush", progress=40.0),),
)


def changed(**changes: object) -> Action:
    """Return `MACHINE` with some fields changed."""
    return msgspec.structs.replace(MACHINE, **changes)


@pytest.mark.parametrize(
    ("word", "phase", "terminal"),
    [
        ("queued", Phase.PENDING, False),
        ("pending", Phase.PENDING, False),
        ("starting", Phase.RUNNING, False),
        ("running", Phase.RUNNING, False),
        ("active", Phase.RUNNING, False),
        ("cancelling", Phase.CANCELLING, False),
        ("completed", Phase.COMPLETED, True),
        ("failed", Phase.FAILED, True),
        ("cancelled", Phase.CANCELLED, True),
        ("aborted", Phase.ABORTED, True),
        ("Completed", Phase.COMPLETED, True),
        (" FAILED ", Phase.FAILED, True),
        ("exploded", Phase.UNKNOWN, False),
        ("", Phase.UNKNOWN, False),
    ],
)
def test_words(word: str, phase: Phase, terminal: bool) -> None:
    """Each documented word has its phase, in any case; an unlisted word is not terminal."""
    assert phase_of(word) is phase
    assert phase.terminal is terminal


@pytest.mark.parametrize(
    ("new", "visible", "moved"),
    [
        pytest.param(MACHINE, False, False, id="nothing"),
        pytest.param(changed(status="pending"), True, True, id="status"),
        pytest.param(changed(progress=15.0), True, True, id="progress"),
        pytest.param(changed(progress=None), True, True, id="progress gone"),
        pytest.param(changed(state="flush"), True, True, id="state"),
        pytest.param(changed(error="disk full"), True, True, id="error"),
        pytest.param(changed(error_code="internal_error"), True, True, id="error code"),
        pytest.param(changed(pending_ops=()), True, True, id="an operation ended"),
        pytest.param(
            changed(heartbeat=datetime(2026, 1, 3, tzinfo=UTC)), False, True, id="heartbeat"
        ),
        pytest.param(
            changed(pending_ops=(PendingOp(shard_uid="3", op_name="flush", progress=41.0),)),
            True,
            True,
            id="an operation's progress",
        ),
        pytest.param(
            changed(
                pending_ops=(
                    PendingOp(
                        shard_uid="3",
                        op_name="flush",
                        progress=40.0,
                        heartbeat=datetime(2026, 1, 3, tzinfo=UTC),
                    ),
                )
            ),
            False,
            True,
            id="an operation's heartbeat",
        ),
        pytest.param(
            changed(
                pending_ops=(
                    PendingOp(
                        shard_uid="3",
                        op_name="flush",
                        progress=40.0,
                        last_sample_time=datetime(2026, 1, 3, tzinfo=UTC),
                    ),
                )
            ),
            False,
            False,
            id="the cluster looked",
        ),
    ],
)
def test_changes(new: Action, visible: bool, moved: bool) -> None:
    """Fields but time stamps are visible changes; a heartbeat is movement, a sample time is not."""
    assert is_visible_change(MACHINE, new) is visible
    assert (visible or has_moved(MACHINE, new)) is moved


def test_first_answer() -> None:
    """The first answer is a visible change."""
    assert is_visible_change(None, MACHINE)


@pytest.mark.parametrize(
    ("action", "line"),
    [
        (
            MACHINE,
            "SMUpdateBDB on bdb:1: active, 14 %, restart, shard 3 flush 40 % [a10586b1]",
        ),
        (
            Action(
                uid="b2",
                name="retry_bdb",
                kind=Kind.TASK,
                status="failed",
                phase=Phase.FAILED,
                node_uid="2",
                error_code="internal_error",
                error="node\n2 is\x1b[31m full",
            ),
            "retry_bdb on node:2: failed, internal_error: node 2 is [31m full [b2]",
        ),
        (
            Action(uid="c3", name="", kind=Kind.OTHER, status="", phase=Phase.UNKNOWN),
            "action: no status [c3]",
        ),
        (
            changed(pending_ops=tuple(PendingOp(shard_uid=str(n)) for n in range(5)), state=None),
            "SMUpdateBDB on bdb:1: active, 14 %, shard 0 working, shard 1 working, "
            "shard 2 working, +2 more [a10586b1]",
        ),
        (
            completed(MACHINE),
            "SMUpdateBDB on bdb:1: completed, as its database shows [a10586b1]",
        ),
    ],
    ids=["machine", "hostile text", "bare", "many shards", "settled"],
)
def test_str(action: Action, line: str) -> None:
    """An action is one printable line as text."""
    assert str(action) == line
    assert line.isprintable()


def test_completed_by_database() -> None:
    """An action that ended by the evidence of its database is completed, and names the evidence."""
    action = completed(MACHINE)

    assert (action.phase, action.evidence) == (Phase.COMPLETED, Evidence.DATABASE)
    assert (action.uid, action.object_uid, action.progress) == ("a10586b1", "1", None)


def test_cancelled() -> None:
    """An action that the answer to a cancelling call ended is cancelled, and names the evidence."""
    action = cancelled(MACHINE)

    assert (action.phase, action.evidence) == (Phase.CANCELLED, Evidence.CALL)
    assert (action.status, action.progress, action.pending_ops) == ("cancelled", None, ())


def test_value() -> None:
    """An action is immutable and hashable, and survives pickling and JSON."""
    with pytest.raises(AttributeError):
        MACHINE.status = "completed"  # type: ignore[misc]

    assert pickle.loads(pickle.dumps(MACHINE)) == MACHINE
    assert msgspec.json.decode(msgspec.json.encode(MACHINE), type=Action) == MACHINE
    assert len({MACHINE, changed(progress=14.29), changed(progress=15.0)}) == 2


HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e\n\"'&##[error]"
HOSTILE_ACTION = Action(
    uid=HOSTILE,
    name=HOSTILE,
    kind=Kind.TASK,
    status=HOSTILE,
    phase=Phase.UNKNOWN,
    state=HOSTILE,
    node_uid=HOSTILE,
    error=HOSTILE,
    pending_ops=(PendingOp(shard_uid=HOSTILE),),
)


@pytest.mark.parametrize("action", [MACHINE, HOSTILE_ACTION, completed(MACHINE)])
def test_to_dict(action: Action) -> None:
    """`to_dict` returns the fields as JSON has them, and nothing else but the version."""
    fields = action.to_dict()

    assert json.loads(json.dumps(fields)) == fields == json.loads(action.to_json())
    assert set(fields) == {"v", *Action.__struct_fields__}
    assert msgspec.convert(fields, Action) == action


def test_to_dict_values() -> None:
    """Times are text in ISO 8601, enums are their words, and tuples are lists."""
    fields = MACHINE.to_dict()

    assert fields["heartbeat"] == "2026-01-02T00:00:00Z"
    assert (fields["kind"], fields["phase"]) == ("state-machine", "running")
    assert type(fields["phase"]) is str
    assert isinstance(fields["pending_ops"], list)


def test_to_json() -> None:
    """`to_json` is one line of printable characters, whatever the cluster sends."""
    line = HOSTILE_ACTION.to_json()

    assert line.isprintable()
    assert "##" not in line
    assert msgspec.json.decode(line, type=Action) == HOSTILE_ACTION


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (MACHINE, "<Action 'a10586b1' SMUpdateBDB running 14 %>"),
        (changed(progress=None), "<Action 'a10586b1' SMUpdateBDB running>"),
        (changed(name="", uid="", phase=Phase.FAILED), "<Action '' action failed 14 %>"),
        (changed(uid="a\x1b\n'", name="x\n\x1by"), '<Action "a\\x1b\\n\'" x  y running 14 %>'),
    ],
)
def test_repr(action: Action, text: str) -> None:
    """The `repr` is short, and printable whatever the cluster sends."""
    assert repr(action) == text
    assert repr(HOSTILE_ACTION).isprintable()


def test_html() -> None:
    """In a notebook, an action is a table of the fields that have a value."""
    html = changed(creation_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))._repr_html_()
    table = ET.fromstring(html)

    assert [each.text for each in table.iter("caption")] == ["SMUpdateBDB on bdb:1"]
    assert [(row[0].text, row[1].text) for row in table.iter("tr")] == [
        ("uid", "a10586b1"),
        ("status", "active"),
        ("phase", "running"),
        ("progress", "14 %"),
        ("state", "restart"),
        ("pending", "shard 3 flush 40 %"),
        ("created", "2026-01-02 03:04:05 UTC"),
    ]


def test_html_of_another_source() -> None:
    """The table names the source of the state, where it is not the action itself."""
    assert "<td>as its database shows</td>" in completed(MACHINE)._repr_html_()


def test_hostile_html() -> None:
    """Text of the cluster is escaped in the table, and printable."""
    html = HOSTILE_ACTION._repr_html_()
    table = ET.fromstring(html)

    assert html.isprintable()
    assert {each.tag for each in table.iter()} == {"table", "caption", "tr", "th", "td"}
    assert "<script>alert(1)</script>" in "".join(table.itertext())
