"""Facts about `_action`: the vocabulary, what counts as a change, and how an action reads."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import msgspec
import pytest

from redis_enterprise_actions import Action, Evidence, Kind, PendingOp, Phase
from redis_enterprise_actions._model.action import completed, has_moved, is_visible_change, phase_of
from redis_enterprise_actions._model.text import one_line


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


def but(**changes: object) -> Action:
    """Return the machine above with some fields changed."""
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
    """Each documented word has its phase, in any case; a word never seen ends nothing."""
    assert phase_of(word) is phase
    assert phase.terminal is terminal


@pytest.mark.parametrize(
    ("new", "news", "moved"),
    [
        pytest.param(MACHINE, False, False, id="nothing"),
        pytest.param(but(status="pending"), True, True, id="status"),
        pytest.param(but(progress=15.0), True, True, id="progress"),
        pytest.param(but(progress=None), True, True, id="progress gone"),
        pytest.param(but(state="flush"), True, True, id="state"),
        pytest.param(but(error="disk full"), True, True, id="error"),
        pytest.param(but(error_code="internal_error"), True, True, id="error code"),
        pytest.param(but(pending_ops=()), True, True, id="an operation ended"),
        pytest.param(but(heartbeat=datetime(2026, 1, 3, tzinfo=UTC)), False, True, id="heartbeat"),
        pytest.param(
            but(pending_ops=(PendingOp(shard_uid="3", op_name="flush", progress=41.0),)),
            True,
            True,
            id="an operation's progress",
        ),
        pytest.param(
            but(
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
            but(
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
def test_changes(new: Action, news: bool, moved: bool) -> None:
    """Users see what differs to the eye; a heartbeat is movement, a sample time is nothing."""
    assert is_visible_change(MACHINE, new) is news
    assert (news or has_moved(MACHINE, new)) is moved


def test_first_answer_is_news() -> None:
    """The first answer counts as a change."""
    assert is_visible_change(None, MACHINE)


@pytest.mark.parametrize(
    ("action", "line"),
    [
        (
            MACHINE,
            "SMUpdateBDB on bdb:1: active, 14.29 %, restart, shard 3 flush 40 % [a10586b1]",
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
            but(pending_ops=tuple(PendingOp(shard_uid=str(n)) for n in range(5)), state=None),
            "SMUpdateBDB on bdb:1: active, 14.29 %, shard 0 working, shard 1 working, "
            "shard 2 working, +2 more [a10586b1]",
        ),
        (
            completed(MACHINE),
            "SMUpdateBDB on bdb:1: completed, as its database shows [a10586b1]",
        ),
    ],
    ids=["machine", "hostile text", "bare", "many shards", "settled"],
)
def test_one_line(action: Action, line: str) -> None:
    """An action reads as one printable line."""
    assert str(action) == line
    assert line.isprintable()


def test_settled_by_the_database() -> None:
    """What only the database shows is completed, and says where that is known from."""
    action = completed(MACHINE)

    assert (action.phase, action.evidence) == (Phase.COMPLETED, Evidence.DATABASE)
    assert (action.uid, action.object_uid, action.progress) == ("a10586b1", "1", None)


def test_value() -> None:
    """An action is immutable and hashable, and survives pickling and JSON."""
    with pytest.raises(AttributeError):
        MACHINE.status = "completed"  # type: ignore[misc]

    assert pickle.loads(pickle.dumps(MACHINE)) == MACHINE
    assert msgspec.json.decode(msgspec.json.encode(MACHINE), type=Action) == MACHINE
    assert len({MACHINE, but(progress=14.29), but(progress=15.0)}) == 2


def test_one_line_keeps_letters() -> None:
    """Letters of any script stay; what moves the cursor does not."""
    assert one_line("täglich  \r\n\t日\x07本\u202e") == "täglich 日 本 "
