"""Facts about plain lines: what each event says, and that no text of the cluster breaks one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions._cli.wait.events import (
    KeepAliveEvent,
    OutageEvent,
    SummaryEvent,
    WaitsStartedEvent,
    WarningEvent,
)
from redis_enterprise_actions._cli.wait.plain import PlainDisplay, event_text
from redis_enterprise_actions._cli.wait.progress import Progress
from tests.conftest import examples
from tests.event_samples import (
    ENDED_BEFORE,
    REJECTED_CALL,
    RUNNING,
    THREE_WAITS,
    WAITING,
    golden_text,
    show_events,
    time_at,
)


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("three-waits", THREE_WAITS),
        ("rejected-call", REJECTED_CALL),
        ("ended-before", ENDED_BEFORE),
    ],
)
def test_golden(name: str, events: list[object]) -> None:
    """A events is told as it ever was: a line for each event, with its time."""
    lines: list[str] = []
    show_events(PlainDisplay(lines.append), events)  # type: ignore[arg-type]
    text = "".join(f"{line}\n" for line in lines)

    assert text == golden_text(f"plain-{name}.txt", text)
    assert all(line.isprintable() for line in lines)


def test_one_end_is_enough() -> None:
    """Where one wait has ended and nothing else is to be said, its end is the last line."""
    done = SummaryEvent(**time_at(1), exit_code=0, ended={"completed": 1}, left=0, why=None)

    assert event_text(done, Progress()) is None


def test_no_reason() -> None:
    """An outage without a reason has words, too."""
    outage = OutageEvent(**time_at(1), over=False, seconds=1.0, reason=None, ref=None)

    said = "no usable answer for 1.0 s: reason unknown; asking again"
    assert event_text(outage, Progress()) == said


def test_many() -> None:
    """Of many that are still waited for, three are named."""
    alive = KeepAliveEvent(
        **time_at(60), waiting=(RUNNING, WAITING, RUNNING, RUNNING, RUNNING), outage=None
    )
    progress = Progress()
    progress.apply(WaitsStartedEvent(**time_at(0), refs=("a", "b", "c", "d", "e", "f")))

    runs = "SMUpdateBDB on bdb:1: active, 28.57 %"
    said = f"still waiting for 5 of 6: {runs}; crdb:t2: not seen yet; {runs}; +2 more"
    assert event_text(alive, progress) == said


def test_nothing_is_drawn() -> None:
    """Lines stay as they are."""
    lines: list[str] = []
    PlainDisplay(lines.append).draw(1.0, Progress())

    assert lines == []


@settings(max_examples=examples(50))
@given(st.text())
def test_strange_text(text: str) -> None:
    """Whatever the cluster says, it breaks no line and moves no cursor."""
    lines: list[str] = []
    PlainDisplay(lines.append).show(WarningEvent(**time_at(0), message=text), Progress())

    (line,) = lines
    assert line.isprintable()
