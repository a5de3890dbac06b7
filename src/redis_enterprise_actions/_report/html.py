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
    shared_outage_text,
    timeline,
    totals,
    transition_text,
)


if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis_enterprise_actions._model.record import Record

    from .timeline import Timeline

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
td p { margin: 0; max-width: 100ch; }
td { font-variant-numeric: tabular-nums; }
summary { cursor: pointer; color: var(--dim); }
ul { margin: 0; padding: 0; list-style: none; }
li span { display: inline-block; min-width: 64px; margin-right: 8px; color: var(--dim);
 font-variant-numeric: tabular-nums; }
li { margin-bottom: 4px; }
details ul { margin: 4px 0 0 16px; }
@media (min-width: 720px) { th, td:nth-child(n+2):not(:last-child) { white-space: nowrap; } }
@media (max-width: 719px) {
 thead { position: absolute; left: -9999px; }
 table, tbody, td { display: block; }
 tr { display: flex; flex-wrap: wrap; gap: 0 16px; padding-top: 8px; }
 td { padding: 0; }
 td:nth-child(-n+2) { width: 100%; }
 td[data-name]::before { content: attr(data-name) " "; color: var(--dim); }
}
"""
_COLUMNS: Final = ("Action", "Result", "Began", "Polls", "Outages", "Source")
_TABLE_HEAD: Final = "".join([f'<th scope="col">{name}</th>' for name in _COLUMNS])


def html_page(records: Sequence[Record]) -> str:
    """Return a page: totals, the drawing, the outages, and a table of the waits with events."""
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
            f"<div><dt>{name.capitalize()}</dt><dd>{escaped(value)}</dd></div>"
            for name, value in totals(line)
        ]
        parts += [
            f'<dl class="totals">{"".join(figures)}</dl>',
            f"<h2>Timeline</h2>\n{svg_element(line)}",
            _outage_list(line),
            f"<h2>Details</h2>\n<table><thead><tr>{_TABLE_HEAD}</tr></thead><tbody>",
            *[_rows(row.record) for row in line.rows],
            "</tbody></table>",
        ]
    return "\n".join([*parts, "</body></html>\n"])


def _outage_list(line: Timeline) -> str:
    """Return the section with the outages of all waits, or nothing if there are none."""
    if not line.outages:
        return ""
    texts = [shared_outage_text(outage, line) for outage in line.outages]
    items = [f"<li><span>{began}</span> {escaped(text)}</li>" for began, text in texts]
    return f"<h2>Outages</h2>\n<ul>{''.join(items)}</ul>"


def _rows(record: Record) -> str:
    """Return the row of a wait, and a row below it with its reference, its error and its events."""
    message = "" if record.message is None else f"<p>{escaped(record.message)}</p>"
    ref = f'<p class="dim">{escaped(record.ref)}</p>' if record.ref else ""
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
    cells = [
        f"<td><strong>{escaped(record.title)}</strong></td>",
        f'<td class="{css_class(record.outcome)}">{outcome}</td>',
        *[f'<td data-name="{name}">{value}</td>' for name, value in named],
    ]
    below = f"{ref}{message}{_event_list(record)}"
    more = f'<tr class="more"><td colspan="{len(_COLUMNS)}">{below}</td></tr>'
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
    return f"<details><summary>{changes}{omitted}</summary><ul>{''.join(items)}</ul></details>"
