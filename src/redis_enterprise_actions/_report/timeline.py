"""Timeline of flight records: positions as fractions of its length, and the texts beside them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._model.action import Evidence, Phase
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.record import already_ended_text
from redis_enterprise_actions._model.text import (
    count_text,
    duration_text,
    one_line,
    percent_text,
    timestamp_text,
)


if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis_enterprise_actions._model.record import Outage, Record, Transition

_MAX_TICKS: Final = 6  # so that their labels have room on a telephone
_SHORTEST: Final = 0.001  # seconds that a timeline spans at least
_MAX_REASONS: Final = 3  # of an outage of several waits
_STEPS: Final = (  # seconds from tick to tick, and the unit of the labels
    *((step, 1, "s") for step in (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)),
    *((step * 60, 60, "m") for step in (1, 2, 5, 10, 15, 30)),
    *((step * 3600, 3600, "h") for step in (1, 2, 3, 6, 12)),
    *((step * 10**power * 86400, 86400, "d") for power in range(7) for step in (1, 2, 5)),
)

EVIDENCE_TEXT: Final = {
    Evidence.ACTION: "the action itself",
    Evidence.DATABASE: "its database",
    Evidence.LIST: "the list, without what it removed",
    Evidence.NOT_FOUND: '"not found", answered twice',
    Evidence.QUIET: "its database, which was never seen busy",
    Evidence.SAME_RESULT: "a result like the one before, which stayed",
    Evidence.CALL: "the answer to the call",
    None: "not seen",
}


class Tick(NamedTuple):
    """A mark on the time axis."""

    at: float
    label: str


class PhaseSpan(NamedTuple):
    """A part of a bar in which the action was in one state; `label` is the short form of `text`."""

    begin: float
    end: float
    phase: Phase
    label: str
    text: str


class OutageGap(NamedTuple):
    """A part of a bar in which the cluster gave no answer."""

    begin: float
    end: float
    label: str


class Row(NamedTuple):
    """The bar of one record. `progress` holds pairs of a position and a progress from 0 to 1."""

    record: Record
    begin: float
    end: float
    spans: tuple[PhaseSpan, ...]
    gaps: tuple[OutageGap, ...]
    progress: tuple[tuple[float, float], ...]


class SharedOutage(NamedTuple):
    """A time in which at least one wait got no answer, in seconds after the timeline's begin.

    `waits` are the numbers of the rows, and `reasons` the first few different reasons.
    """

    began: float
    ended: float
    waits: frozenset[int]
    reasons: tuple[str, ...]


class Timeline(NamedTuple):
    """The bars, ordered by their beginning. Positions are fractions of `seconds` after `began`."""

    rows: tuple[Row, ...]
    began: datetime | None
    seconds: float
    ticks: tuple[Tick, ...]
    outages: tuple[SharedOutage, ...]


def timeline(records: Sequence[Record]) -> Timeline:
    """Return the timeline of these records."""
    if not records:
        return Timeline((), None, _SHORTEST, (), ())
    began = min(record.began for record in records)
    starts = [((record.began - began).total_seconds(), record) for record in records]
    seconds = max(*(start + record.elapsed for start, record in starts), _SHORTEST)
    starts.sort(key=lambda each: each[0])
    rows = tuple([_row(record, start, seconds) for start, record in starts])
    step, unit, name = next((each for each in _STEPS if seconds / each[0] < _MAX_TICKS), _STEPS[-1])
    ticks = [
        Tick(round(n * step / seconds, 5), f"{n * step / unit:g}{name}")
        for n in range(int(seconds / step) + 1)
    ]
    return Timeline(rows, began, seconds, tuple(ticks), _shared_outages(starts))


def _row(record: Record, start: float, seconds: float) -> Row:
    def place(at: float) -> float:
        return round((start + min(max(at, 0.0), record.elapsed)) / seconds, 5)

    ends = [*(transition.at for transition in record.transitions[1:]), record.elapsed]
    return Row(
        record,
        place(0.0),
        place(record.elapsed),
        tuple([
            PhaseSpan(
                place(each.at),
                place(end),
                each.phase,
                one_line(each.state or each.status),
                status_text(each),
            )
            for each, end in zip(record.transitions, ends, strict=False)  # no transition, no span
            if not each.phase.terminal
        ]),
        tuple([
            OutageGap(place(each.began), place(_end(each, record)), outage_text(each, record))
            for each in record.outages
        ]),
        tuple([(place(at), min(max(value / 100, 0.0), 1.0)) for at, value in record.progress]),
    )  # fmt: skip


def _shared_outages(starts: Sequence[tuple[float, Record]]) -> tuple[SharedOutage, ...]:
    """Return the outages of all waits, of which those that overlap are one."""
    found = sorted(
        (start + outage.began, start + _end(outage, record), wait, outage.reason)
        for wait, (start, record) in enumerate(starts)
        for outage in record.outages
    )
    shared: list[SharedOutage] = []
    for began, ended, wait, reason in found:
        if not shared or began > shared[-1].ended:
            shared.append(SharedOutage(began, ended, frozenset({wait}), (reason,)))
            continue
        last = shared[-1]
        reasons = tuple(dict.fromkeys([*last.reasons, reason]))[:_MAX_REASONS]
        shared[-1] = SharedOutage(last.began, max(last.ended, ended), last.waits | {wait}, reasons)
    return tuple(shared)


def _end(outage: Outage, record: Record) -> float:
    return record.elapsed if outage.ended is None else outage.ended


# --- texts --------------------------------------------------------------------------------------


def outcome_text(record: Record) -> str:
    """Return the end of a wait: `completed after 1m 10s`."""
    waited = ", waited" if record.outcome is Outcome.UNDER_WAY else " after"
    text = f"{record.outcome}{waited} {duration_text(record.elapsed)}"
    return already_ended_text(record) or text


def status_text(transition: Transition) -> str:
    """Return the status and state of an action: `active, provision`."""
    return one_line(", ".join(filter(None, (transition.status, transition.state)))) or "no status"


def transition_text(transition: Transition) -> str:
    """Return a transition in one line: `active, provision, 14 %`."""
    if transition.progress is None:
        return status_text(transition)
    return f"{status_text(transition)}, {percent_text(transition.progress)}"


def outage_text(outage: Outage, record: Record) -> str:
    """Return an outage in one line: `no answer for 12s (3 attempts): connection refused`."""
    lasted = duration_text(_end(outage, record) - outage.began)
    to_the_end = ", to the end" if outage.ended is None else ""
    attempts = count_text(outage.attempts, "attempt")
    return one_line(f"no answer for {lasted}{to_the_end} ({attempts}): {outage.reason}")


def shared_outage_text(outage: SharedOutage, line: Timeline) -> tuple[str, str]:
    """Return the time of an outage, and the rest: `no answer for 12s (2 of 5 waits): refused`."""
    assert line.began is not None
    total = len(line.rows)
    waits = f" ({len(outage.waits)} of {total} waits)" if total > 1 else ""
    lasted, reasons = duration_text(outage.ended - outage.began), "; ".join(outage.reasons)
    began = timestamp_text(line.began + timedelta(seconds=outage.began))
    return began, one_line(f"no answer for {lasted}{waits}: {reasons}")


def outages_text(record: Record) -> str:
    """Return the number of outages of one wait, with their duration: `2 (12s)`, or `none`."""
    return _outages_text([_end(outage, record) - outage.began for outage in record.outages])


def _outages_text(durations: Sequence[float]) -> str:
    return f"{len(durations)} ({duration_text(sum(durations))})" if durations else "none"


def heading(line: Timeline) -> str:
    """Return the heading of a report: `3 waits: 2 completed, 1 failed`."""
    return (
        f"{count_text(len(line.rows), 'wait')}: {outcome_counts(line)}" if line.rows else "no waits"
    )


def outcome_counts(line: Timeline) -> str:
    """Return the number of waits for each outcome: `2 completed, 1 failed`."""
    counts = Counter(row.record.outcome for row in line.rows)
    return ", ".join(f"{counts[each]} {each}" for each in Outcome if each in counts)


def totals(line: Timeline) -> list[tuple[str, str]]:
    """Return names and values of the figures for all waits together."""
    if line.began is None:
        return []
    records = [row.record for row in line.rows]
    polls = sum(record.polls for record in records)
    return [
        ("began", timestamp_text(line.began)),
        ("ended", timestamp_text(line.began + timedelta(seconds=line.seconds))),
        ("waited", duration_text(line.seconds)),
        ("polls", f"{polls} (a shared one counts for each)" if len(records) > 1 else str(polls)),
        ("outages", _outages_text([outage.ended - outage.began for outage in line.outages])),
    ]
