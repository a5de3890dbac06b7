"""HTML page of a report: well-formed XML, without scripts, and forbidden to load anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.text import count_text, duration_text, timestamp_text

from .svg import css_class, escaped, svg_element
from .timeline import (
    EVIDENCE_TEXT,
    heading,
    outage_text,
    outages_text,
    outcome_text,
    timeline,
    totals,
    transition_text,
)


if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis_enterprise_actions._model.record import Record

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)

_STYLE: Final = """
:root { --paper: #fff; --ink: #1f2328; --dim: #59636e; --line: #d1d9e0;
 --good: #1a7f37; --bad: #b3261e; --open: #7d5b00; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --dim: #9ba6b2;
 --line: #30363d; --good: #4ac26b; --bad: #ff8a80; --open: #e3b341; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 16px; max-width: 1280px; background: var(--paper);
 color: var(--ink); font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans",
 sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 20px; margin: 0 0 8px; }
h2 { font-size: 16px; margin: 24px 0 8px; }
.totals { display: flex; flex-wrap: wrap; gap: 4px 24px; margin: 0 0 16px; }
.totals dt, .dim, th { color: var(--dim); font-weight: normal; }
.totals dd { margin: 0; font-variant-numeric: tabular-nums; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.open { color: var(--open); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 6px 16px 6px 0; }
tr { border-top: 1px solid var(--line); }
thead tr { border: 0; }
tr.more { border: 0; }
tr.more td { padding: 0 0 8px; }
td p { margin: 0; }
td span { display: inline-block; white-space: nowrap; }
summary { cursor: pointer; color: var(--dim); }
ol { margin: 4px 0; padding-left: 24px; }
li span { color: var(--dim); font-variant-numeric: tabular-nums; }
@media (min-width: 720px) { th, td:nth-child(n+3) { white-space: nowrap; }
 td:first-child { min-width: 240px; } }
@media (max-width: 719px) {
 thead { position: absolute; left: -9999px; }
 table, tbody, tr, td { display: block; }
 td { padding: 2px 0; }
 td[data-name]::before { content: attr(data-name) ": "; color: var(--dim); }
 tr { padding-top: 8px; }
}
"""
_COLUMNS: Final = ("action", "how it ended", "began", "polls", "without answers", "end told by")
_TABLE_HEAD: Final = "".join([f'<th scope="col">{name}</th>' for name in _COLUMNS])


def html_page(records: Sequence[Record]) -> str:
    """Return a page: totals, the drawing, and a table of the waits with their events."""
    line = timeline(records)
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>',
        '<meta name="color-scheme" content="light dark"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        f"<title>{escaped(heading(line))}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escaped(heading(line))}</h1>",
    ]
    if records:
        figures = [
            f"<div><dt>{name}</dt><dd>{escaped(value)}</dd></div>" for name, value in totals(line)
        ]
        parts += [
            f'<dl class="totals">{"".join(figures)}</dl>',
            f"<h2>When</h2>\n{svg_element(line)}",
            f"<h2>What</h2>\n<table><thead><tr>{_TABLE_HEAD}</tr></thead><tbody>",
            *[_rows(row.record) for row in line.rows],
            "</tbody></table>",
        ]
    return "\n".join([*parts, "</body></html>\n"])


def _rows(record: Record) -> str:
    """Return the row of a wait, and a row below it with the list of its events."""
    message = "" if record.message is None else f"<p>{escaped(record.message)}</p>"
    outcome = f"{record.outcome.mark} {escaped(outcome_text(record))}"
    named = zip(
        _COLUMNS[2:],
        (
            timestamp_text(record.began),
            str(record.polls),
            outages_text(record),
            EVIDENCE_TEXT[record.evidence],
        ),
        strict=True,
    )
    title = f'<strong>{escaped(record.title)}</strong><p class="dim">{escaped(record.ref)}</p>'
    cells = [
        f"<td>{title}</td>",
        f'<td><span class="{css_class(record.outcome)}">{outcome}</span>{message}</td>',
        *[f'<td data-name="{name}">{value}</td>' for name, value in named],
    ]
    more = f'<tr class="more"><td colspan="{len(_COLUMNS)}">{_event_list(record)}</td></tr>'
    return f"<tr>{''.join(cells)}</tr>\n{more}"


def _event_list(record: Record) -> str:
    """Return a list, to be unfolded, of all transitions and outages in order."""
    events = [(each.at, transition_text(each)) for each in record.transitions]
    events += [(each.began, outage_text(each, record)) for each in record.outages]
    items = [
        f"<li><span>{duration_text(at)}</span> {escaped(text)}</li>" for at, text in sorted(events)
    ]
    omitted = f", {record.omitted} more left out" if record.omitted else ""
    changes = count_text(len(record.transitions), "change")
    return f"<details><summary>{changes}{omitted}</summary><ol>{''.join(items)}</ol></details>"
