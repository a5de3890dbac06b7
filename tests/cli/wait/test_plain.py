"""Tests of `_cli.wait.plain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
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
from redis_enterprise_actions._cli.wait.plain import JsonDisplay, PlainDisplay, event_text
from redis_enterprise_actions._cli.wait.progress import Progress
from tests.conftest import examples
from tests.event_samples import (
    ENDED_BEFORE,
    REFS,
    REJECTED_CALL,
    RUNNING,
    THREE_WAITS,
    UPDATE,
    WAITING,
    end,
    golden_text,
    json_lines,
    show_events,
    time_at,
)


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.wait.events import AnyEvent

each_sample = pytest.mark.parametrize(
    ("name", "events"),
    [
        ("three-waits", THREE_WAITS),
        ("rejected-call", REJECTED_CALL),
        ("ended-before", ENDED_BEFORE),
    ],
)


@each_sample
def test_golden(name: str, events: list[AnyEvent]) -> None:
    """Each sample is printed as the golden file has it: lines with their time."""
    lines: list[str] = []
    show_events(PlainDisplay(lines.append, lines.append), events)
    text = "".join(f"{line}\n" for line in lines)

    assert text == golden_text(f"plain-{name}.txt", text)
    assert all(line.isprintable() for line in lines)


def test_summary_of_one_wait() -> None:
    """The summary of a single wait has no line, as the end of the wait says the same."""
    done = SummaryEvent(**time_at(1), exit_code=0, ended={"completed": 1}, left=0, why=None)

    assert event_text(done, Progress()) is None


def test_no_reason() -> None:
    """An outage without a reason says that the reason is unknown."""
    outage = OutageEvent(**time_at(1), over=False, seconds=1.0, reason=None, ref=None)

    expected = "no usable answer for 1.0s: reason unknown; asking again"
    assert event_text(outage, Progress()) == expected


def test_keep_alive_of_many_waits() -> None:
    """A keep-alive line names three of many waits."""
    alive = KeepAliveEvent(
        **time_at(60), waiting=(RUNNING, WAITING, RUNNING, RUNNING, RUNNING), outage=None
    )
    progress = Progress()
    progress.apply(WaitsStartedEvent(**time_at(0), refs=("a", "b", "c", "d", "e", "f")))

    runs = "SMUpdateBDB on bdb:1: active, 28 %"
    expected = f"still waiting for 5 of 6: {runs}; crdb:t2: not seen yet; {runs}; +2 more"
    assert event_text(alive, progress) == expected


def test_draws_nothing() -> None:
    """Lines are never redrawn."""
    lines: list[str] = []
    JsonDisplay(lines.append).draw(1.0, Progress())
    PlainDisplay(lines.append, lines.append).draw(1.0, Progress())

    assert lines == []


def test_shared_reason() -> None:
    """A cause for which several waits lost the cluster is told once."""
    lines: list[str] = []
    lost = [
        msgspec.structs.replace(end(9, ref, UPDATE, "unreachable", 5, "x"), reason="refused")
        for ref in REFS
    ]
    show_events(
        PlainDisplay(lines.append, lines.append),
        [WaitsStartedEvent(**time_at(0), refs=REFS), *lost],
    )

    assert [line.split("  ")[-1] for line in lines] == ["refused", "as above", "as above"]


@each_sample
def test_json_golden(name: str, events: list[AnyEvent]) -> None:
    """Each sample is printed as the golden file has it: an object for each event."""
    text = "".join(f"{line}\n" for line in json_lines(events))

    assert text == golden_text(f"json-{name}.txt", text)


def test_json_strange_characters() -> None:
    """Characters beyond ASCII are written unchanged, line breaks and controls are escaped."""
    (line,) = json_lines([WarningEvent(**time_at(0), message="日\n本\x1b")])

    assert '"message":"日\\n本\\u001b"' in line


@settings(max_examples=examples(50))
@given(st.text())
def test_strange_text(text: str) -> None:
    """No text of the cluster breaks a line or moves a cursor."""
    lines: list[str] = []
    PlainDisplay(lines.append, lines.append).show(
        WarningEvent(**time_at(0), message=text), Progress()
    )

    (line,) = lines
    assert line.isprintable()
