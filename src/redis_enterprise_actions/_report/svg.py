"""What a timeline looks like: an SVG drawing that is as wide as there is room.

Widths are per cent and heights are pixels, so that nothing is scaled, and texts stay as large as
they are. No colour tells what no word or pattern tells. Needs nothing from elsewhere.
"""

from __future__ import annotations

from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.action import Phase
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.text import count_text, one_line, timestamp_text

from .timeline import heading, outcome_counts, outcome_text


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .timeline import PhaseSpan, Row, Timeline

_LEFT, _WIDTH = 1.5, 97.0  # per cent: where time begins, and how much of the drawing it takes
_TITLE, _AXIS = 18, 26  # pixels
_LETTERS: Final = 48  # in a line above, so that it has room on a telephone
_MANY: Final = 8  # rows, from which on there is an axis below them, too
_ROW: Final = 84
_BAR_AT, _BAR, _LANE_AT, _LANE = 40, 20, 62, 12  # in a row; progress has a lane below the bar
_LEGEND: Final = 22  # a line of it
_COLUMNS: Final = 3
_LETTER: Final = 6.8  # pixels that a letter of a label takes at most, on average
# A label is shown where it fits: always, on drawings as wide as a tablet's, as a desk's.
_FITS: Final = ((330, ""), (680, " tablet"), (1060, " desk"))

_EDGE: Final = 0.05  # within which a tick's label would stand out
_SEEN_LATE: Final = 0.002  # from which on it shows that an action was not seen at once

_ALONE: Final = (
    'xmlns="http://www.w3.org/2000/svg" class="flight" role="img" width="960" '
    'style="max-width: 100%"'
)
_INSIDE: Final = 'class="flight" role="img" width="100%"'

STYLE: Final = """
.flight { --paper: #fff; --ink: #1f2328; --dim: #59636e; --line: #d1d9e0; --pending: #e3e8ee;
 --running: #b6dcff; --other: #cfe9ff; --cancelling: #ffdf9e; --unknown: #e4d8fa; --out: #b3261e;
 --good: #1a7f37; --bad: #b3261e; --open: #7d5b00; --dot: #8c959f; --lane: #f3f5f7;
 font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
@media (prefers-color-scheme: dark) { .flight { --paper: #0d1117; --ink: #e6edf3; --dim: #9ba6b2;
 --line: #30363d; --pending: #2a313a; --running: #1f4f82; --other: #173c63; --cancelling: #6b4c00;
 --unknown: #49356f; --out: #ff8a80; --good: #4ac26b; --bad: #ff8a80; --open: #e3b341;
 --dot: #6e7681; --lane: #171c23; } }
.flight .paper { fill: var(--paper); }
.flight text { fill: var(--ink); }
.flight .title { font-size: 13px; font-weight: 600; }
.flight .heading { font-size: 15px; font-weight: 600; }
.flight .dim { fill: var(--dim); }
.flight .good { fill: var(--good); }
.flight .bad { fill: var(--bad); }
.flight .open { fill: var(--open); }
.flight .grid { stroke: var(--line); }
.flight .unseen { stroke: var(--dim); stroke-dasharray: 2 3; }
.flight .pending { fill: url(#pending); }
.flight .running { fill: var(--running); }
.flight .other { fill: var(--other); }
.flight .cancelling { fill: url(#cancelling); }
.flight .unknown { fill: var(--unknown); }
.flight .outage { fill: url(#outage); stroke: var(--out); }
.flight .progress { fill: none; stroke: var(--ink); stroke-width: 1.5;
 vector-effect: non-scaling-stroke; }
.flight .label { paint-order: stroke; stroke: var(--paper); stroke-width: 3px;
 stroke-opacity: 0.7; pointer-events: none; }
.flight .lane { fill: var(--lane); }
.flight .edge { stroke: var(--paper); }
@media (max-width: 719px) { .flight .tablet { display: none; } }
@media (max-width: 1099px) { .flight .desk { display: none; } }
"""

_PATTERNS: Final = (
    '<pattern id="pending" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect width="6" height="6" style="fill: var(--pending)"/>'
    '<circle cx="3" cy="3" r="1" style="fill: var(--dot)"/></pattern>'
    '<pattern id="cancelling" width="8" height="8" patternUnits="userSpaceOnUse">'
    '<rect width="8" height="8" style="fill: var(--cancelling)"/>'
    '<path d="M0 1H8" style="stroke: var(--open)"/></pattern>'
    '<pattern id="outage" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><path d="M1 0V6" style="stroke: var(--out); stroke-width: 2"/>'
    "</pattern>"
)


def svg_file(line: Timeline) -> str:
    """Return the drawing as a file of its own, which says what it is about."""
    title = _title(line)
    height, body = _body(line, _TITLE * len(title) + 12)
    root = f'<svg {_ALONE} height="{height}"><title>{escaped(heading(line))}</title>'
    return "\n".join([root, *_titled(title), *body, "</svg>\n"])


def svg_element(line: Timeline) -> str:
    """Return the drawing for a page that says what it is about."""
    height, body = _body(line, 0)
    root = f'<svg {_INSIDE} height="{height}" aria-label="{escaped(heading(line))}">'
    return "\n".join([root, *body, "</svg>"])


def escaped(words: str) -> str:
    """Return words of the cluster's as they may stand in SVG and HTML."""
    return escape(one_line(words))


def css_class(outcome: Outcome) -> str:
    """Return the CSS class of an outcome: `good`, `bad` or `open`."""
    if outcome is Outcome.COMPLETED:
        return "good"
    return "bad" if outcome.is_error else "open"


# --- parts --------------------------------------------------------------------------------------


def _body(line: Timeline, top: int) -> tuple[int, list[str]]:
    """Return what is below `top`, and where that ends."""
    legend = list(_legend(line))
    rows_at = top + _AXIS
    rows_end = rows_at + _ROW * len(line.rows)
    legend_at = rows_end + (_AXIS if len(line.rows) > _MANY else 0) + 6
    parts = [
        f"<style>{STYLE}</style><defs>{_PATTERNS}</defs>",
        *_axis(line, rows_at, rows_end),
        *(_row(row, rows_at + _ROW * n) for n, row in enumerate(line.rows)),
        *_legend_below(legend, legend_at),
    ]
    return legend_at + _LEGEND * -(-len(legend) // _COLUMNS) + 8, parts


def _title(line: Timeline) -> list[str]:
    """Return the lines above a drawing that stands alone, none wider than a telephone."""
    if line.began is None:
        return [heading(line)]
    about = f"{count_text(len(line.rows), 'wait')} since {timestamp_text(line.began)}"
    return [about, *wrap(outcome_counts(line), _LETTERS)]


def _titled(lines: Iterable[str]) -> Iterator[str]:
    yield '<rect class="paper" width="100%" height="100%"/>'
    for n, words in enumerate(lines):
        sort = "dim" if n else "heading"
        yield f'<text class="{sort}" x="{_LEFT}%" y="{22 + _TITLE * n}">{escaped(words)}</text>'


def _axis(line: Timeline, top: int, bottom: int) -> Iterator[str]:
    heights = [top - 8, *([bottom + 14] if len(line.rows) > _MANY else [])]
    for tick in line.ticks:
        x = _x(tick.at)
        anchor = "start" if tick.at < _EDGE else "end" if tick.at > 1 - _EDGE else "middle"
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{top - 4}" y2="{bottom}"/>'
        for y in heights:
            yield f'<text class="dim" x="{x}" y="{y}" text-anchor="{anchor}">{tick.label}</text>'


def _row(row: Row, top: int) -> str:
    record = row.record
    sort, sign = css_class(record.outcome), record.outcome.mark
    x, bar = _x(row.begin), _BAR_AT
    parts = [
        f'<svg y="{top}" width="100%" height="{_ROW}">',
        f'<text class="title" x="{_LEFT}%" y="16">{escaped(record.title)}</text>',
        f'<text class="{sort}" x="{_LEFT}%" y="32">{sign} {escaped(outcome_text(record))}</text>',
        f'<line class="unseen" x1="{x}" x2="{_x(row.end)}" y1="{bar + 10}" y2="{bar + 10}"/>',
        *_spans(row.spans),
        *(
            f'<rect class="outage" x="{_x(gap.begin)}" y="{bar - 2}" width="{_w(gap)}" '
            f'height="{_BAR + 4}"><title>{escaped(gap.label)}</title></rect>'
            for gap in row.gaps
        ),
        *_labels(row.spans),
        f'<rect class="{sort}" x="{_x(row.end)}" y="{bar - 3}" width="3" height="{_BAR + 6}"/>',
        *_progress(row),
        "</svg>",
    ]
    return "".join(parts)


def _spans(spans: Iterable[PhaseSpan]) -> Iterator[str]:
    odd = False
    for span in spans:
        odd = not odd
        fill = "other" if span.phase is Phase.RUNNING and odd else span.phase.value
        yield (
            f"{_clipped(span)}<title>{escaped(span.text)}</title>"
            f'<rect class="{fill}" width="100%" height="100%"/>'
            '<line class="edge" x2="0" y2="100%"/></svg>'
        )


def _labels(spans: Iterable[PhaseSpan]) -> Iterator[str]:
    for span in spans:
        fits = _fits(span)
        if fits is not None:
            label = f'<text class="label{fits}" x="5" y="14">{escaped(span.label)}</text>'
            yield f"{_clipped(span)}{label}</svg>"


def _clipped(span: PhaseSpan) -> str:
    return f'<svg x="{_x(span.begin)}" y="{_BAR_AT}" width="{_w(span)}" height="{_BAR}">'


def _fits(span: PhaseSpan) -> str | None:
    """Return on what drawings a label has room, None for nowhere."""
    needed = _LETTER * len(span.label) + 8
    share = span.end - span.begin
    return next((name for width, name in _FITS if share * width >= needed), None)


def _progress(row: Row) -> Iterator[str]:
    """Draw progress as steps: between two looks nothing is known."""
    if not row.progress:
        return
    (first, far), *more = row.progress
    points = [f"M{first * 1000:.1f} {100 - far * 100:.0f}"]
    points += [f"H{at * 1000:.1f}V{100 - how_far * 100:.0f}" for at, how_far in more]
    points.append(f"H{row.end * 1000:.1f}")
    begin, end = row.begin * 1000, row.end * 1000
    yield (
        f'<svg x="{_LEFT}%" y="{_LANE_AT}" width="{_WIDTH}%" height="{_LANE}" '
        'viewBox="0 0 1000 100" preserveAspectRatio="none" overflow="visible">'
        f'<path class="lane" d="M{begin:.1f} 0H{end:.1f}V100H{begin:.1f}Z"/>'
        f'<path class="progress" d="{"".join(points)}"/></svg>'
    )


def _legend(line: Timeline) -> Iterator[tuple[str, str]]:
    """Return what needs to be explained: a drawing, and its name."""
    phases = {span.phase for row in line.rows for span in row.spans}
    for phase in Phase:
        if phase in phases:
            yield f'<rect class="{phase}" y="-10" width="14" height="12"/>', phase.value
    if any(not row.spans or row.spans[0].begin > row.begin + _SEEN_LATE for row in line.rows):
        yield '<line class="unseen" x2="14" y1="-4" y2="-4"/>', "not seen"
    if any(row.gaps for row in line.rows):
        yield '<rect class="outage" y="-10" width="14" height="12"/>', "no answer"
    if any(row.progress for row in line.rows):
        yield '<path class="progress" d="M0 1H5V-4H10V-9H14"/>', "progress"


def _legend_below(legend: list[tuple[str, str]], top: int) -> Iterator[str]:
    for n, (sample, name) in enumerate(legend):
        x, y = _LEFT + n % _COLUMNS * 33, top + _LEGEND * (n // _COLUMNS)
        yield (
            f'<svg x="{x}%" y="{y}" width="33%" height="{_LEGEND}" overflow="visible">'
            f'<svg y="14" overflow="visible">{sample}</svg>'
            f'<text class="dim" x="20" y="14">{name}</text></svg>'
        )


def _x(at: float) -> str:
    return f"{_LEFT + _WIDTH * at:.3f}%"


def _w(part: tuple[float, float, *tuple[object, ...]]) -> str:
    return f"{max(_WIDTH * (part[1] - part[0]), 0.15):.3f}%"
