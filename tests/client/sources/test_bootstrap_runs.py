"""Tests of `_client.sources.bootstrap_runs`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from redis_enterprise_actions import Action, Kind
from redis_enterprise_actions._client.sources.bootstrap_runs import (
    match_run,
    with_lost_call,
    with_state,
)
from redis_enterprise_actions._client.wire.bootstrap import BOOTSTRAP_PHASES
from redis_enterprise_actions._model.action import Ambiguity, AmbiguousAnswer, phase_of
from redis_enterprise_actions._model.reference import Reference, ReferenceKind, parse_reference


REF = Reference(ReferenceKind.BOOTSTRAP, "n2")
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = FIRST + timedelta(minutes=1)
SECOND, LATE = timedelta(seconds=1), timedelta(seconds=9)


def state_of(state: str, began: datetime | None = None, uid: str | None = None) -> Action:
    """Return the state of a node."""
    return Action(
        uid="bootstrap:n2",
        name="bootstrap",
        kind=Kind.BOOTSTRAP,
        status=state,
        phase=phase_of(state, BOOTSTRAP_PHASES),
        creation_time=began,
        node_uid=uid,
    )


@pytest.mark.parametrize(
    ("before", "run"),
    [
        (None, "after"),
        (state_of("idle"), "after,idle"),
        (state_of("error", FIRST), "after,error,1772366400"),
        (state_of("Error", FIRST + timedelta(milliseconds=250)), "after,error,1772366400.25"),
        (state_of("error,@"), "after,unknown"),
        (state_of("error_é"), "after,unknown"),
        (state_of(""), "after,unknown"),
    ],
)
def test_with_state(before: Action | None, run: str) -> None:
    """The reference of a call has the state before it, and outlives the process."""
    ref = with_state(REF, before)

    assert ref.run == run
    assert parse_reference(str(ref)) == ref
    lost = with_lost_call(ref)
    assert lost.run == run.replace("after", "lost", 1)
    assert parse_reference(str(lost)) == lost


Expected = Literal["it", "no"] | Ambiguity
SAME, OLD, IDLE = Ambiguity.SAME_RESULT, Ambiguity.OLD_RESULT, Ambiguity.IDLE


@pytest.mark.parametrize(
    ("run", "action", "expected", "if_lost"),
    [
        ("", state_of("idle"), IDLE, None),
        ("", state_of("error"), "it", None),
        ("", state_of("completed"), "it", None),
        ("after", state_of("idle"), IDLE, IDLE),
        ("after", state_of("initiated"), "it", "it"),
        ("after", state_of("error"), SAME, "no"),
        ("after", state_of("completed"), OLD, "no"),
        ("after,idle", state_of("idle"), IDLE, IDLE),
        ("after,idle", state_of("error"), "it", "it"),
        ("after,idle", state_of("completed", FIRST), "it", "it"),
        ("after,error", state_of("error"), SAME, "no"),
        ("after,error", state_of("error", FIRST), SAME, "no"),
        ("after,error", state_of("initiated"), "it", "it"),
        ("after,error", state_of("completed"), "it", "it"),
        ("after,error,1772366400", state_of("error", FIRST), SAME, "no"),
        ("after,error,1772366400", state_of("error"), SAME, "no"),
        ("after,error,1772366400", state_of("error", LATER), "it", "it"),
        ("after,error,1772366400", state_of("completed", LATER), "it", "it"),
        ("after,completed,1772366400", state_of("completed", FIRST), "no", "no"),
        ("after,completed,1772366400", state_of("completed", FIRST + SECOND), "no", "no"),
        ("after,completed,1772366400", state_of("completed"), OLD, "no"),
        ("after,completed", state_of("completed", FIRST), OLD, "no"),
        ("after,completed,1772366400", state_of("completed", LATER), "it", "it"),
        ("after,completed,1772366400", state_of("error", FIRST), "it", "it"),
        ("after,completed,1772366400", state_of("initiated", FIRST), "it", "it"),
        ("after,error,1772366400", state_of("creating_cluster", FIRST), "it", "it"),
        ("after,error,1772366400", state_of("completed", FIRST), "it", "it"),
        ("after,error,1772366400", state_of("completed", FIRST - SECOND), "no", "no"),
        ("after,error,1772366400", state_of("error", FIRST - SECOND), SAME, "no"),
        ("after,error,1772366400", state_of("error", FIRST + SECOND), SAME, "no"),
        ("after,idle,1772366400", state_of("initiated", FIRST), "it", "it"),
        ("after,idle,1772366400", state_of("completed", FIRST), "it", "it"),
        ("after,initiated,1772366400", state_of("completed", FIRST), "no", "no"),
        ("after,initiated,1772366400", state_of("completed", LATER), "it", "it"),
        ("after,initiated,1772366400", state_of("joining_cluster", FIRST), "no", "no"),
        ("after,initiated,1772366400", state_of("joining_cluster", LATER), "it", "it"),
        ("after,initiated", state_of("initiated"), "no", "no"),
    ],
)
def test_match(run: str, action: Action, expected: Expected, if_lost: Expected | None) -> None:
    """An end counts unless it is, or may be, that of the bootstrap before the call."""
    assert kind_of(action, run) == expected
    if if_lost is not None:
        assert kind_of(action, run.replace("after", "lost", 1)) == if_lost


def kind_of(
    action: Action, run: str, last: Action | None = None, idle_at: datetime | None = None
) -> Expected:
    """Return what an answer means for a reference."""
    found = match_run(action, Reference(ReferenceKind.BOOTSTRAP, "n2", run), last, idle_at)
    if isinstance(found, AmbiguousAnswer):
        assert found.action is action
        return found.ambiguity
    return "no" if found is None else "it"


def test_lost_and_seen() -> None:
    """A lost call whose work was seen running has an end like any other."""
    ref = Reference(ReferenceKind.BOOTSTRAP, "n2", "lost,error")
    found = match_run(state_of("error"), ref, state_of("initiated"))

    assert isinstance(found, AmbiguousAnswer)
    assert found.ambiguity is SAME


REPLACED = Ambiguity.REPLACED


@pytest.mark.parametrize("run", ["", "after,idle", "after,completed,1772366400", "lost,idle"])
@pytest.mark.parametrize(
    ("last", "action", "expected"),
    [
        (state_of("initiated", LATER), state_of("completed", LATER), "it"),
        (state_of("initiated", LATER), state_of("completed", LATER - SECOND), "it"),
        (state_of("initiated", LATER), state_of("completed", FIRST), REPLACED),
        (state_of("initiated", LATER), state_of("error", FIRST), REPLACED),
        (state_of("initiated", LATER), state_of("joining_cluster", FIRST), REPLACED),
        (state_of("initiated", LATER), state_of("completed", LATER + LATE), "it"),
        (state_of("initiated", LATER, "1"), state_of("completed", LATER + LATE, "7"), REPLACED),
        (state_of("initiated", LATER, "1"), state_of("completed", LATER, "7"), "it"),
        (state_of("initiated", LATER), state_of("completed", LATER + LATE, "7"), "it"),
        (state_of("initiated", None, "1"), state_of("error", None, "7"), REPLACED),
        (state_of("initiated", None, "1"), state_of("error", LATER, "1"), "it"),
        (state_of("initiated", LATER, "1"), state_of("idle", None, "7"), IDLE),
    ],
)
def test_other_run(run: str, last: Action, action: Action, expected: Expected) -> None:
    """A state that began before the one seen last, or is of another node, is no end of that."""
    assert kind_of(action, run, last) == expected


@pytest.mark.parametrize(
    ("run", "action", "last", "expected"),
    [
        ("after,idle", state_of("completed", FIRST), None, "no"),
        ("after,idle", state_of("error", FIRST), None, "no"),
        ("after,idle", state_of("initiated", FIRST), None, "it"),
        ("after,idle", state_of("completed", FIRST), state_of("initiated", FIRST), "it"),
        ("after,idle", state_of("completed", LATER), None, "it"),
        ("after,idle", state_of("completed"), None, "it"),
        ("", state_of("completed", FIRST), None, "it"),
    ],
)
def test_began_before_idle(
    run: str, action: Action, last: Action | None, expected: Expected
) -> None:
    """An end that began before the node was seen idle is that of another node."""
    assert kind_of(action, run, last, LATER + SECOND) == expected


def test_began_before_clock_was_set_back() -> None:
    """A new machine may set its clock back by some seconds."""
    action = state_of("completed", LATER)

    assert kind_of(action, "after,idle", None, LATER + 60 * SECOND) == "it"
    assert kind_of(action, "after,idle", None, LATER + 61 * SECOND) == "no"
