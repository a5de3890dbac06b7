"""Tests of `_cli.wait.progress`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions._cli.wait.events import (
    OutageEvent,
    SummaryEvent,
    WaitsStartedEvent,
)
from redis_enterprise_actions._cli.wait.progress import (
    Progress,
    RemainingTimeEstimator,
    format_counts,
    format_summary,
)
from tests.event_samples import REFS, REJECTED_CALL, THREE_WAITS, time_at


def after(number: int) -> Progress:
    """Return the progress after the first events of `THREE_WAITS`."""
    progress = Progress()
    for event in THREE_WAITS[:number]:
        progress.apply(event)
    return progress


def test_beginning() -> None:
    """At the beginning all waits are pending, titled by their references."""
    progress = after(2)

    assert [each.ref for each in progress.pending] == list(REFS)
    assert [each.title for each in progress.pending] == ["a1", *REFS[1:]]
    assert progress.pending[0].summary == "action:a1: not seen yet"


def test_changes() -> None:
    """A wait is titled by its action after the first answer."""
    progress = after(6)

    titles = [each.title for each in progress.pending]
    assert titles == ["SMUpdateBDB on bdb:1", "maintenance_on on node:1", "crdb:t2"]


def test_outage_duration() -> None:
    """The duration of an outage includes the time since its event."""
    progress = after(7)

    assert progress.outage_duration(50) == 4 + 8
    assert progress.outage_reason == "it answered 503"
    assert progress.keep_alive_event(time_at(50)).outage == 12


def test_outage_is_over() -> None:
    """Outages that are over are kept."""
    progress = after(9)

    assert progress.outage_duration(140) is None
    assert [outage.seconds for outage in progress.outages] == [92]


def test_own_outage() -> None:
    """An outage of one action is not the cluster's; one of an unknown reference is ignored."""
    progress = after(10)
    progress.apply(
        OutageEvent(**time_at(131), over=False, seconds=1.0, reason="x", ref="crdb:other")
    )

    affected = [each.ref for each in progress.pending if each.own_outage is not None]
    assert affected == ["crdb:t2"]
    assert progress.outage_duration(131) is None


def test_end() -> None:
    """At the end no wait is pending, and all ends are counted."""
    progress = after(len(THREE_WAITS))

    assert progress.pending == []
    assert [end.outcome for end in progress.ends] == ["completed", "failed"]
    assert [left.ref for left in progress.abandoned] == ["crdb:t2"]
    assert (
        format_counts(progress.outcome_counts, 1) == "1 completed, 1 failed, 1 no longer waited for"
    )


def test_failed_call() -> None:
    """The end of a call that the cluster refused is counted."""
    progress = Progress()
    for event in REJECTED_CALL:
        progress.apply(event)

    assert progress.outcome_counts == {"rejected": 1}


def test_no_waits() -> None:
    """Without waits the counts say so."""
    progress = Progress()
    progress.apply(WaitsStartedEvent(**time_at(0), refs=()))

    assert format_counts(progress.outcome_counts, 0) == "nothing to wait for"


@pytest.mark.parametrize(
    ("ended", "left", "why", "expected"),
    [
        ({}, 0, None, "nothing to wait for"),
        ({"completed": 1}, 0, None, "1 completed"),
        ({"completed": 1}, 1, "x", "x: 1 completed, 1 no longer waited for"),
        ({}, 1, "interrupted", "interrupted: 1 no longer waited for"),
        ({}, 0, "interrupted", "interrupted"),
    ],
)
def test_format_summary(ended: dict[str, int], left: int, why: str | None, expected: str) -> None:
    """A summary says what ended the waits early; without any wait, this alone."""
    done = SummaryEvent(**time_at(1), exit_code=1, ended=ended, left=left, why=why)

    assert format_summary(done) == expected


@pytest.mark.parametrize(
    ("seen", "now", "left"),
    [
        ([], 10, None),
        ([(0, None)], 10, None),
        ([(0, 40)], 10, None),
        ([(0, 0), (10, 50)], 10, None),
        ([(0, 0), (10, 20), (20, 40)], 20, 30),
        ([(0, 0), (10, 20), (20, 40)], 35, 15),
        ([(0, 0), (10, 20), (20, 40)], 50, None),
        ([(0, 0), (10, 20), (20, 40), (25, 40)], 25, 25),
        ([(0, 0), (10, 20), (20, 40), (30, 50)], 30, 100 / 3),
        ([(0, 0), (10, 20), (20, 40), (30, 10)], 30, None),
        ([(0, 0), (10, 20), (20, 40), (30, None)], 30, None),
        ([(0, 50), (10, 10), (20, 20), (30, 30)], 30, 70),
        ([(0, 0), (10, 20), (10, 40)], 10, None),
        ([(0, 0), (10, 90), (20, 100)], 20, None),
    ],
    ids=[
        *("nothing", "no-progress", "one", "one-rise", "two-rises", "later", "too-late", "still"),
        *("slower", "fell", "lost", "fell-first", "at-once", "complete"),
    ],
)
def test_remaining(seen: list[tuple[float, float | None]], now: float, left: float | None) -> None:
    """An estimate needs two rises; it ends when progress falls or the end is overdue."""
    estimate = RemainingTimeEstimator()
    for at, progress in seen:
        estimate.add(at, progress)

    assert estimate.remaining(now) == (None if left is None else pytest.approx(left))
