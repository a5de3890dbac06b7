"""Markdown: reports with bars of characters, and the parts that job summaries of GitHub share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.action import Phase
from redis_enterprise_actions._model.text import one_line

from .timeline import (
    EVIDENCE_TEXT,
    heading,
    outages_text,
    outcome_text,
    shared_outage_text,
    timeline,
    totals,
)


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from redis_enterprise_actions._model.record import Record

    from .timeline import Row

_WIDTH: Final = 20  # characters of a bar that a table has room for
_BLANK: Final = "\u00a0"
_UNSEEN: Final = "·"
_OUTAGE: Final = "X"
_PHASE_LETTERS: Final = {
    Phase.PENDING: "░",
    Phase.RUNNING: "█",
    Phase.CANCELLING: "▓",
    Phase.UNKNOWN: "▒",
}
_LEGEND: Final = {
    **{letter: phase.value for phase, letter in _PHASE_LETTERS.items()},
    _UNSEEN: "not seen",
    _OUTAGE: "outage",
}
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]#+!|~@$])|(://)|(\bwww\.)")


def markdown_report(records: Sequence[Record]) -> str:
    """Return a report: totals, a table with bars, its legend, outages, and messages of errors."""
    line = timeline(records)
    if not records:
        return f"### {escaped(heading(line))}\n"
    figures = "; ".join([f"{name} {escaped(value)}" for name, value in totals(line)])
    bars = [_bar(row) for row in line.rows]
    rows = [_cells(row.record, bar) for row, bar in zip(line.rows, bars, strict=True)]
    headings = ("Action", "Timeline", "Result", "Polls", "Outages", "Source")
    used = set("".join(bars))
    outages = [": ".join(shared_outage_text(outage, line)) for outage in line.outages]
    messages = [
        f"- {escaped(row.record.message)}" for row in line.rows if row.record.message is not None
    ]
    parts = [
        f"### {escaped(heading(line))}",
        f"{figures[0].upper()}{figures[1:]}.",
        "#### Timeline",
        table(headings, rows, numeric="Polls"),
        ", ".join([f"`{letter}` {name}" for letter, name in _LEGEND.items() if letter in used]),
    ]
    if outages:
        parts += ["#### Outages", "\n".join([f"- {escaped(outage)}" for outage in outages])]
    if messages:
        parts += ["#### Details", "\n".join(messages)]
    return "\n\n".join(filter(None, parts)) + "\n"


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: str | None = None
) -> str:
    """Return a table of cells that hold Markdown; the column `numeric` is aligned to the right."""
    rules = ["--:" if heading == numeric else "---" for heading in headings]
    lines = [f"| {' | '.join(headings)} |", f"|{'|'.join(rules)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def escaped(text: str) -> str:
    """Return text of the cluster as one line of Markdown without markup, links or mentions."""
    safe = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(_escape, safe)


def _escape(match: re.Match[str]) -> str:
    if match[1]:
        return f"\\{match[1]}"
    return ":\\//" if match[2] else "www\\."


def _cells(record: Record, bar: str) -> tuple[str, ...]:
    title = f"**{escaped(record.title)}**" + (f"<br>{escaped(record.ref)}" if record.ref else "")
    outcome = f"{record.outcome.mark} {escaped(outcome_text(record))}"
    source = EVIDENCE_TEXT[record.evidence]
    return title, f"`{bar}`", outcome, str(record.polls), outages_text(record), source


def _bar(row: Row) -> str:
    """Return a bar of characters, each for the state in the middle of its time span."""
    letters = [_letter(row, (n + 0.5) / _WIDTH) for n in range(_WIDTH)]
    if set(letters) == {_BLANK}:  # the wait was shorter than the time span of a character
        letter = _PHASE_LETTERS[row.spans[-1].phase] if row.spans else _UNSEEN
        letters[min(int(row.begin * _WIDTH), _WIDTH - 1)] = letter
    return "".join(letters)


def _letter(row: Row, at: float) -> str:
    if not row.begin <= at <= row.end:
        return _BLANK
    half = 0.5 / _WIDTH  # an outage is shown however short it is
    if any(gap.begin <= at + half and at - half <= gap.end for gap in row.gaps):
        return _OUTAGE
    phase = next((span.phase for span in row.spans if span.begin <= at <= span.end), None)
    return _UNSEEN if phase is None else _PHASE_LETTERS[phase]
