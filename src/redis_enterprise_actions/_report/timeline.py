"""What a timeline of flight records shows, and in which words: values, to be drawn anywhere.

Knows where on the way from the first begin to the last end everything lies, as fractions, and how
durations, moments and ends are called. Refuses to know what it is drawn with.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._model.action import Evidence, Phase
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.record import already_ended_text
from redis_enterprise_actions._model.text import count_text, duration_text, one_line, percent_text


if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis_enterprise_actions._model.record import Outage, Record, Transition

_TICKS: Final = 6  # at most, so that their labels have room on a telephone
_SHORTEST: Final = 0.001  # seconds that a timeline spans at least
_S, _MIN, _H, _D = 1, 60, 3600, 86400
_STEPS: Final = (  # seconds from tick to tick, and in which unit they are told
    *((step, _S, "s") for step in (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)),
    *((step * _MIN, _MIN, "min") for step in (1, 2, 5, 10, 15, 30)),
    *((step * _H, _H, "h") for step in (1, 2, 3, 6, 12)),
    *((step * 10**power * _D, _D, "d") for power in range(7) for step in (1, 2, 5)),
)

EVIDENCE_TEXT: Final = {
    Evidence.ACTION: "the action itself",
    Evidence.DATABASE: "its database",
    Evidence.LIST: "the list, without what it removed",
    Evidence.NOT_FOUND: '"not found", answered twice',
    Evidence.QUIET: "its database, which was never seen busy",
    Evidence.SAME_RESULT: "a result like the one before, which stayed",
    Evidence.CALL: "the answer to the call",
    None: "nothing",
}


class Tick(NamedTuple):
    """A mark on the axis of time."""

    at: float
    label: str


class PhaseSpan(NamedTuple):
    """A part of a bar in which an action stood in one way; `label` is all that in short."""

    begin: float
    end: float
    phase: Phase
    label: str
    text: str


class OutageGap(NamedTuple):
    """A part of a bar in which there was no answer."""

    begin: float
    end: float
    label: str


class Row(NamedTuple):
    """One bar, and what it is the bar of. `progress` holds where, and how far, from 0 to 1."""

    record: Record
    begin: float
    end: float
    spans: tuple[PhaseSpan, ...]
    gaps: tuple[OutageGap, ...]
    progress: tuple[tuple[float, float], ...]


class Timeline(NamedTuple):
    """All of them, by their begin. Places are fractions of `seconds`, from the first begin on."""

    rows: tuple[Row, ...]
    began: datetime | None
    seconds: float
    ticks: tuple[Tick, ...]


def timeline(records: Sequence[Record]) -> Timeline:
    """Return where everything in these records lies."""
    if not records:
        return Timeline((), None, _SHORTEST, ())
    ordered = sorted(records, key=lambda record: record.began)
    began = ordered[0].began
    seconds = max(*(_since(began, each) + each.elapsed for each in ordered), _SHORTEST)
    rows = tuple(_row(record, _since(began, record), seconds) for record in ordered)
    return Timeline(rows, began, seconds, _ticks(seconds))


def _since(began: datetime, record: Record) -> float:
    return (record.began - began).total_seconds()


def _row(record: Record, begin: float, seconds: float) -> Row:
    def place(at: float) -> float:
        return round((begin + min(max(at, 0.0), record.elapsed)) / seconds, 5)

    ends = [*(transition.at for transition in record.transitions[1:]), record.elapsed]
    return Row(
        record,
        place(0.0),
        place(record.elapsed),
        tuple(
            PhaseSpan(place(each.at), place(end), each.phase, _short(each), status_text(each))
            for each, end in zip(record.transitions, ends, strict=False)  # no transition, no span
            if not each.phase.terminal
        ),
        tuple(
            OutageGap(place(each.began), place(_end(each, record)), outage_text(each, record))
            for each in record.outages
        ),
        tuple((place(at), min(max(value / 100, 0.0), 1.0)) for at, value in record.progress),
    )


def _end(outage: Outage, record: Record) -> float:
    return record.elapsed if outage.ended is None else outage.ended


def _ticks(seconds: float) -> tuple[Tick, ...]:
    """Return marks at round times, as many as have room."""
    fitting = (each for each in _STEPS if seconds / each[0] < _TICKS)
    step, unit, name = next(fitting, _STEPS[-1])
    count = int(seconds / step)
    return tuple(
        Tick(round(n * step / seconds, 5), f"{n * step / unit:g} {name}") for n in range(count + 1)
    )


# --- words --------------------------------------------------------------------------------------


def timestamp_text(when: datetime) -> str:
    """Return a moment as people read it, in UTC."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def outcome_text(record: Record) -> str:
    """Return how a wait has ended: `completed after waiting 1 min 10 s`."""
    how = ", waited" if record.outcome is Outcome.UNDER_WAY else " after waiting"
    return already_ended_text(record) or f"{record.outcome}{how} {duration_text(record.elapsed)}"


def status_text(transition: Transition) -> str:
    """Return how an action stood, in one line: `active, provision`."""
    return one_line(", ".join(filter(None, (transition.status, transition.state)))) or "no status"


def _short(transition: Transition) -> str:
    return one_line(transition.state or transition.status)


def outage_text(outage: Outage, record: Record) -> str:
    """Return what an outage was: `no answer for 12.0 s (3 attempts): connection refused`."""
    lasted = duration_text(_end(outage, record) - outage.began)
    to_the_end = ", to the end" if outage.ended is None else ""
    return one_line(
        f"no answer for {lasted}{to_the_end} ({count_text(outage.attempts, 'attempt')}): "
        f"{outage.reason}"
    )


def heading(line: Timeline) -> str:
    """Return what it is all about, in one line: `3 waits: 2 completed, 1 failed`."""
    return (
        f"{count_text(len(line.rows), 'wait')}: {outcome_counts(line)}" if line.rows else "no waits"
    )


def outcome_counts(line: Timeline) -> str:
    """Return how many waits have ended in which way: `2 completed, 1 failed`."""
    counts = Counter(row.record.outcome for row in line.rows)
    return ", ".join(f"{counts[each]} {each}" for each in Outcome if each in counts)


def totals(line: Timeline) -> list[tuple[str, str]]:
    """Return what it all came to: names and values."""
    if line.began is None:
        return []
    records = [row.record for row in line.rows]
    polls = sum(record.polls for record in records)
    lost = sum(_outage_seconds(record) for record in records)
    outages = count_text(sum(len(record.outages) for record in records), "outage")
    return [
        ("began", timestamp_text(line.began)),
        ("ended", timestamp_text(line.began + timedelta(seconds=line.seconds))),
        ("waited", duration_text(line.seconds)),
        ("polls", f"{polls} (a shared one counts for each)" if len(records) > 1 else str(polls)),
        ("without answers", f"{outages}, {duration_text(lost)}" if lost else outages),
    ]


def outages_text(record: Record) -> str:
    """Return what there was of outages in one wait: `2 outages, 12.0 s`, or `none`."""
    if not record.outages:
        return "none"
    return f"{count_text(len(record.outages), 'outage')}, {duration_text(_outage_seconds(record))}"


def _outage_seconds(record: Record) -> float:
    return sum(_end(outage, record) - outage.began for outage in record.outages)


def transition_text(transition: Transition) -> str:
    """Return one change, in one line: `active, provision, 14.29 %`."""
    if transition.progress is None:
        return status_text(transition)
    return f"{status_text(transition)}, {percent_text(transition.progress)}"
