"""SVG drawing of a timeline, as wide as there is room.

Widths are percentages and heights are pixels, so that nothing is scaled and texts keep their size.
Each colour has a word or a pattern beside it. The drawing loads nothing.
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
    from collections.abc import Sequence

    from .timeline import PhaseSpan, Row, Timeline

_LEFT, _WIDTH = 1.5, 97.0  # the time axis, in percent of the drawing's width
_TITLE_LETTERS: Final = 48  # letters in a line of the title, which fit on a telephone
_TITLE_HEIGHT, _AXIS_HEIGHT, _ROW_HEIGHT, _LEGEND_HEIGHT = 18, 26, 84, 22  # pixels
_BAR_TOP, _BAR_HEIGHT = 40, 20  # pixels, in a row
_LANE_TOP, _LANE_HEIGHT = 62, 12  # of the progress, below the bar
_LEGEND_COLUMNS: Final = 3
_MANY_ROWS: Final = 8  # with more rows, there is an axis below them, too
_EDGE: Final = 0.05  # closer to an end of the axis, a centred label would stick out
_SEEN_LATE: Final = 0.002  # a later first answer is drawn as a time not seen
_LETTER: Final = 6.8  # pixels; upper bound of the average width of a letter in labels
# Least widths of a drawing in pixels, and the CSS class of a label that fits from there on.
_LABEL_CLASSES: Final = ((330, ""), (680, " tablet"), (1060, " desk"))

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
    """Return the drawing as a file, with a title."""
    title = [heading(line)]
    if line.began is not None:
        waits = f"{count_text(len(line.rows), 'wait')} since {timestamp_text(line.began)}"
        title = [waits, *wrap(outcome_counts(line), _TITLE_LETTERS)]
    height, body = _body(line, _TITLE_HEIGHT * len(title) + 12)
    root = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flight" role="img" width="960" '
        f'style="max-width: 100%" height="{height}"><title>{escaped(heading(line))}</title>'
    )
    parts = [root, '<rect class="paper" width="100%" height="100%"/>']
    for n, text in enumerate(title):
        css, y = "dim" if n else "heading", 22 + _TITLE_HEIGHT * n
        parts.append(f'<text class="{css}" x="{_LEFT}%" y="{y}">{escaped(text)}</text>')
    return "\n".join([*parts, *body, "</svg>\n"])


def svg_element(line: Timeline) -> str:
    """Return the drawing as an element of an HTML page, without a title."""
    height, body = _body(line, 0)
    root = (
        f'<svg class="flight" role="img" width="100%" height="{height}" '
        f'aria-label="{escaped(heading(line))}">'
    )
    return "\n".join([root, *body, "</svg>"])


def escaped(text: str) -> str:
    """Return text of the cluster as one line of text for SVG and HTML."""
    return escape(one_line(text))


def css_class(outcome: Outcome) -> str:
    """Return the CSS class of an outcome: `good`, `bad` or `open`."""
    if outcome in {Outcome.COMPLETED, Outcome.REACHED}:
        return "good"
    gave_up = outcome in {Outcome.TIMED_OUT, Outcome.STALLED}  # the work may go on
    return "bad" if outcome.is_error and not gave_up else "open"


# --- parts --------------------------------------------------------------------------------------


def _body(line: Timeline, top: int) -> tuple[int, list[str]]:
    """Return the height of the drawing, and its parts below `top`."""
    rows_top = top + _AXIS_HEIGHT
    rows_end = rows_top + _ROW_HEIGHT * len(line.rows)
    axis_below = len(line.rows) > _MANY_ROWS
    legend_top = rows_end + (_AXIS_HEIGHT if axis_below else 0) + 6
    legend = _legend(line)
    parts = [f"<style>{STYLE}</style><defs>{_PATTERNS}</defs>"]
    for tick in line.ticks:
        x = _x(tick.at)
        anchor = "start" if tick.at < _EDGE else "end" if tick.at > 1 - _EDGE else "middle"
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{rows_top - 4}" y2="{rows_end}"/>')
        parts += [
            f'<text class="dim" x="{x}" y="{y}" text-anchor="{anchor}">{tick.label}</text>'
            for y in ([rows_top - 8, rows_end + 14] if axis_below else [rows_top - 8])
        ]
    parts += [_row(row, rows_top + _ROW_HEIGHT * n) for n, row in enumerate(line.rows)]
    for n, (sample, name) in enumerate(legend):
        x = f"{_LEFT + n % _LEGEND_COLUMNS * 33}%"
        y = legend_top + _LEGEND_HEIGHT * (n // _LEGEND_COLUMNS)
        parts.append(
            f'<svg x="{x}" y="{y}" width="33%" height="{_LEGEND_HEIGHT}" overflow="visible">'
            f'<svg y="14" overflow="visible">{sample}</svg>'
            f'<text class="dim" x="20" y="14">{name}</text></svg>'
        )
    return legend_top + _LEGEND_HEIGHT * -(-len(legend) // _LEGEND_COLUMNS) + 8, parts


def _row(row: Row, top: int) -> str:
    record = row.record
    css = css_class(record.outcome)
    outcome = f"{record.outcome.mark} {escaped(outcome_text(record))}"
    begin, end, middle = _x(row.begin), _x(row.end), _BAR_TOP + _BAR_HEIGHT // 2
    gaps = [
        f'<rect class="outage" x="{_x(gap.begin)}" y="{_BAR_TOP - 2}" width="{_w(gap)}" '
        f'height="{_BAR_HEIGHT + 4}"><title>{escaped(gap.label)}</title></rect>'
        for gap in row.gaps
    ]
    parts = [
        f'<svg y="{top}" width="100%" height="{_ROW_HEIGHT}">',
        f'<text class="title" x="{_LEFT}%" y="16">{escaped(record.title)}</text>',
        f'<text class="{css}" x="{_LEFT}%" y="32">{outcome}</text>',
        f'<line class="unseen" x1="{begin}" x2="{end}" y1="{middle}" y2="{middle}"/>',
        *_spans(row.spans),
        *gaps,
        *_labels(row),
        f'<rect class="{css}" x="{end}" y="{_BAR_TOP - 3}" width="3" height="{_BAR_HEIGHT + 6}"/>',
        _progress(row) if row.progress else "",
        "</svg>",
    ]
    return "".join(parts)


def _spans(spans: Sequence[PhaseSpan]) -> list[str]:
    """Return the parts of a bar. Of neighbours that run, every second one has another colour."""
    return [
        f"{_clipped(span)}<title>{escaped(span.text)}</title>"
        f'<rect class="{_fill(span.phase, n)}" width="100%" height="100%"/>'
        '<line class="edge" x2="0" y2="100%"/></svg>'
        for n, span in enumerate(spans)
    ]


def _fill(phase: Phase, n: int) -> str:
    return "other" if phase is Phase.RUNNING and n % 2 == 0 else phase.value


def _labels(row: Row) -> list[str]:
    """Return the labels that fit into their part of the bar, at least on wide drawings.

    A label ends before the first outage in its part.
    """
    labels: list[str] = []
    for span in row.spans:
        needed = _LETTER * len(span.label) + 8
        gaps = [gap.begin for gap in row.gaps if gap.end > span.begin]
        share = min([span.end, *gaps]) - span.begin
        css = next((css for width, css in _LABEL_CLASSES if share * width >= needed), None)
        if css is not None:
            label = f'<text class="label{css}" x="5" y="14">{escaped(span.label)}</text>'
            labels.append(f"{_clipped(span)}{label}</svg>")
    return labels


def _clipped(span: PhaseSpan) -> str:
    return f'<svg x="{_x(span.begin)}" y="{_BAR_TOP}" width="{_w(span)}" height="{_BAR_HEIGHT}">'


def _progress(row: Row) -> str:
    """Return the progress as steps, since it is not known between two answers."""
    (at, value), *more = row.progress
    path = [f"M{at * 1000:.1f} {100 - value * 100:.0f}"]
    path += [f"H{at * 1000:.1f}V{100 - value * 100:.0f}" for at, value in more]
    begin, end = f"{row.begin * 1000:.1f}", f"{row.end * 1000:.1f}"
    return (
        f'<svg x="{_LEFT}%" y="{_LANE_TOP}" width="{_WIDTH}%" height="{_LANE_HEIGHT}" '
        'viewBox="0 0 1000 100" preserveAspectRatio="none" overflow="visible">'
        f'<path class="lane" d="M{begin} 0H{end}V100H{begin}Z"/>'
        f'<path class="progress" d="{"".join(path)}H{end}"/></svg>'
    )


def _legend(line: Timeline) -> list[tuple[str, str]]:
    """Return a sample and a name for each sign in the drawing."""
    phases = {span.phase for row in line.rows for span in row.spans}
    legend = [
        (f'<rect class="{phase}" y="-10" width="14" height="12"/>', phase.value)
        for phase in Phase
        if phase in phases
    ]
    if any(not row.spans or row.spans[0].begin > row.begin + _SEEN_LATE for row in line.rows):
        legend.append(('<line class="unseen" x2="14" y1="-4" y2="-4"/>', "not seen"))
    if any(row.gaps for row in line.rows):
        legend.append(('<rect class="outage" y="-10" width="14" height="12"/>', "outage"))
    if any(row.progress for row in line.rows):
        legend.append(('<path class="progress" d="M0 1H5V-4H10V-9H14"/>', "progress"))
    return legend


def _x(at: float) -> str:
    return f"{_LEFT + _WIDTH * at:.3f}%"


def _w(part: tuple[float, float, *tuple[object, ...]]) -> str:
    return f"{max(_WIDTH * (part[1] - part[0]), 0.15):.3f}%"
