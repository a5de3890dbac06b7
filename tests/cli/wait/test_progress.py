"""Facts about the progress: what events add up to."""

from __future__ import annotations

from redis_enterprise_actions._cli.wait.events import OutageEvent, WaitsStartedEvent
from redis_enterprise_actions._cli.wait.progress import Progress, format_counts
from tests.event_samples import REFS, REJECTED_CALL, THREE_WAITS, time_at


def after(number: int) -> Progress:
    """Return how everything stands after some events of the story."""
    progress = Progress()
    for event in THREE_WAITS[:number]:
        progress.apply(event)
    return progress


def test_beginning() -> None:
    """In the beginning all are waited for, by the names that were given."""
    progress = after(2)

    assert [each.ref for each in progress.pending] == list(REFS)
    assert [each.title for each in progress.pending] == list(REFS)
    assert progress.pending[0].summary == "action:a1: not seen yet"


def test_changes() -> None:
    """An action is known by what is done to what as soon as it was seen."""
    progress = after(6)

    titles = [each.title for each in progress.pending]
    assert titles == ["SMUpdateBDB on bdb:1", "maintenance_on on node:1", "crdb:t2"]


def test_outage() -> None:
    """An outage is as long as it was when it was told, and what has passed since then."""
    progress = after(7)

    assert progress.outage_duration(50) == 4 + 8
    assert progress.outage_reason == "it answered 503"
    assert progress.keep_alive_event(time_at(50)).outage == 12


def test_outage_is_over() -> None:
    """Those that are over are kept."""
    progress = after(9)

    assert progress.outage_duration(140) is None
    assert [outage.seconds for outage in progress.outages] == [92]


def test_own_trouble() -> None:
    """What cannot be asked about alone is no outage of all; nor is what nobody waits for."""
    progress = after(10)
    progress.apply(
        OutageEvent(**time_at(131), over=False, seconds=1.0, reason="x", ref="crdb:other")
    )

    troubled = [each.ref for each in progress.pending if each.own_outage is not None]
    assert troubled == ["crdb:t2"]
    assert progress.outage_duration(131) is None


def test_end() -> None:
    """In the end nothing is waited for, and all ends are counted."""
    progress = after(len(THREE_WAITS))

    assert progress.pending == []
    assert [end.outcome for end in progress.ends] == ["completed", "failed"]
    assert [left.ref for left in progress.abandoned] == ["crdb:t2"]
    assert (
        format_counts(progress.outcome_counts, 1) == "1 completed, 1 failed, 1 no longer waited for"
    )


def test_call() -> None:
    """A call that was not taken is the only end that there is."""
    progress = Progress()
    for event in REJECTED_CALL:
        progress.apply(event)

    assert progress.outcome_counts == {"rejected": 1}


def test_nothing() -> None:
    """Where there is nothing, that is said."""
    progress = Progress()
    progress.apply(WaitsStartedEvent(**time_at(0), refs=()))

    assert format_counts(progress.outcome_counts, 0) == "nothing to wait for"
