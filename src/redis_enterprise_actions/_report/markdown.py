"""What a report looks like in Markdown, such as GitHub shows as the summary of a job.

The bars are made of letters, as wide as a table has room for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.action import Phase
from redis_enterprise_actions._model.text import count_text, duration_text, one_line

from .timeline import heading, outage_text, outages_text, outcome_text, timeline, totals


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from redis_enterprise_actions._model.record import Record

    from .timeline import Row

_WIDTH: Final = 20  # letters of a bar
_NOTHING, _UNSEEN, _OUTAGE = "\u00a0", "·", "X"
_LETTERS: Final = {
    Phase.PENDING: "░",
    Phase.RUNNING: "█",
    Phase.CANCELLING: "▓",
    Phase.UNKNOWN: "▒",
}
_NAMES: Final = ((_UNSEEN, "not seen"), (_OUTAGE, "no answer"))
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]#+!|~@$])|(://)|(\bwww\.)")


def markdown_report(records: Sequence[Record]) -> str:
    """Return the report about these records."""
    line = timeline(records)
    parts = [f"### {escaped(heading(line))}"]
    if records:
        told = "; ".join(f"{name} {escaped(value)}" for name, value in totals(line))
        bars = [(row, _bar(row)) for row in line.rows]
        headings = ("action", "when", "how it ended", "polls", "without answers")
        rows = [_row(row.record, bar) for row, bar in bars]
        parts += [f"{told[0].upper()}{told[1:]}.", table(headings, rows, numeric="polls")]
        parts += [_legend(bars), *_notes(line.rows)]
    return "\n\n".join(filter(None, parts)) + "\n"


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: str | None = None
) -> str:
    """Return a table of cells that hold Markdown; the column `numeric` is aligned to the right."""
    rules = ["--:" if heading == numeric else "---" for heading in headings]
    lines = [f"| {' | '.join(headings)} |", f"|{'|'.join(rules)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _row(record: Record, bar: str) -> tuple[str, ...]:
    what = f"**{escaped(record.title)}**" + (f"<br>{escaped(record.ref)}" if record.ref else "")
    how = f"{record.outcome.mark} {escaped(outcome_text(record))}"
    return what, f"`{bar}`", how, str(record.polls), outages_text(record)


def _bar(row: Row) -> str:
    """Return a bar of letters; each shows what the middle of its time was like."""
    letters = [_letter(row, (n + 0.5) / _WIDTH) for n in range(_WIDTH)]
    if set(letters) == {_NOTHING}:  # shorter than a letter
        letters[min(int(row.begin * _WIDTH), _WIDTH - 1)] = _shortest(row)
    return "".join(letters)


def _letter(row: Row, at: float) -> str:
    if not row.begin <= at <= row.end:
        return _NOTHING
    half = 0.5 / _WIDTH  # an outage is shown however short it is
    if any(gap.begin <= at + half and at - half <= gap.end for gap in row.gaps):
        return _OUTAGE
    phase = next((span.phase for span in row.spans if span.begin <= at <= span.end), None)
    return _UNSEEN if phase is None else _LETTERS[phase]


def _shortest(row: Row) -> str:
    return _LETTERS[row.spans[-1].phase] if row.spans else _UNSEEN


def _legend(bars: Sequence[tuple[Row, str]]) -> str:
    used = {letter for _, bar in bars for letter in bar}
    named = [(letter, phase.value) for phase, letter in _LETTERS.items()]
    return ", ".join(f"`{letter}` {name}" for letter, name in (*named, *_NAMES) if letter in used)


def _notes(rows: Sequence[Row]) -> Iterator[str]:
    """Tell, to be unfolded, what there is to say in sentences."""
    notes = [note for row in rows for note in _notes_on(row.record)]
    if notes:
        items = "\n".join(f"- {note}" for note in notes)
        summary = count_text(len(notes), "remark")
        yield f"<details><summary>{summary}</summary>\n\n{items}\n\n</details>"


def _notes_on(record: Record) -> Iterator[str]:
    name = f"**{escaped(record.title)}**"
    if record.message is not None:
        yield f"{name}: {escaped(record.message)}"
    for outage in record.outages:
        yield f"{name}, after {duration_text(outage.began)}: {escaped(outage_text(outage, record))}"


def escaped(words: str) -> str:
    """Return words of the cluster's so that they stand for themselves in Markdown."""
    safe = one_line(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(_escaped, safe)


def _escaped(found: re.Match[str]) -> str:
    if found[1]:
        return f"\\{found[1]}"
    return ":\\//" if found[2] else "www\\."
