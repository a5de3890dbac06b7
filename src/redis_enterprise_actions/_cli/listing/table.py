"""What a list of actions looks like as text: columns that fit a width, or fields for programs.

Pure: functions from actions to lines. Refuses to know a terminal and a clock.
"""

from __future__ import annotations

import enum
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from redis_enterprise_actions._cli.output import escape_ci_commands
from redis_enterprise_actions._model.action import Kind, Phase
from redis_enterprise_actions._model.text import one_line


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from redis_enterprise_actions._model.action import Action

    _Squeeze: TypeAlias = tuple[tuple["Column", int], ...]

_BAR_WIDTH: Final = 20  # as wide as a bar is where there is room
_C = TypeVar("_C")
GAP: Final = "  "  # between two columns


class Column(enum.Enum):
    """What is said of each action; the values are the headings."""

    UID = "UID"
    WHAT = "WHAT"
    STATUS = "STATUS"
    BAR = ""
    DONE = "DONE"
    STATE = "STATE"
    AGE = "AGE"


_LIST_COLUMNS: Final = (
    Column.UID,
    Column.WHAT,
    Column.STATUS,
    Column.DONE,
    Column.STATE,
    Column.AGE,
)


_WATCH_COLUMNS: Final = (
    Column.WHAT,
    Column.STATUS,
    Column.BAR,
    Column.DONE,
    Column.STATE,
    Column.AGE,
    Column.UID,
)


_RIGHT_ALIGNED: Final = frozenset({Column.DONE, Column.AGE})  # numbers, which end where others end


# What gives way where it is narrow, in this order, and down to which width; at 0 it is left out.
_LIST_SHRINK_ORDER: Final[_Squeeze] = (
    (Column.STATE, 8),
    (Column.STATE, 0),
    (Column.WHAT, 16),
    (Column.STATUS, 10),
)


_WATCH_SHRINK_ORDER: Final[_Squeeze] = (
    (Column.BAR, 10),
    (Column.UID, 0),
    (Column.STATE, 12),
    (Column.STATUS, 10),
    (Column.WHAT, 20),
    (Column.STATE, 0),
    (Column.BAR, 0),
    (Column.AGE, 0),
    (Column.WHAT, 8),
)


_COLOURS: Final = {  # SGR parameters
    Phase.PENDING: "2",
    Phase.RUNNING: "36",
    Phase.CANCELLING: "33",
    Phase.COMPLETED: "32",
    Phase.FAILED: "31",
    Phase.CANCELLED: "33",
    Phase.ABORTED: "33",
    Phase.UNKNOWN: "35",
}


_BOLD: Final = "1"


class RenderContext(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn on: `width` characters, at the time `now`.

    `colour` is whether there are colours, `letters` whether there are letters besides ASCII, and
    `turn` counts how often it was drawn, for what moves.
    """

    width: int
    now: datetime
    colour: bool = False
    unicode: bool = True
    frame: int = 0


def tab_separated(actions: Sequence[Action], now: datetime) -> list[str]:
    """Return a line for each action, for programs: fields between tabs, `-` where there is none.

    Progress is a number of percent, and the age one of seconds.
    """
    return [
        "\t".join(
            one_line(field) or "-"
            for field in (
                reference_of(action),
                action.title,
                action.status,
                "" if action.progress is None else f"{action.progress:g}",
                _reason_or_state(action),
                "" if action.creation_time is None else str(_age_seconds(action, now)),
            )
        )
        for action in actions
    ]


def render_list(actions: Sequence[Action], context: RenderContext) -> list[str]:
    """Return a table of actions, whose uids are whole: if need be, an action has three lines."""
    widths = fit_widths(
        _natural_widths(_LIST_COLUMNS, actions, context), _LIST_SHRINK_ORDER, context.width
    )
    if widths is not None:
        return _render_rows(widths, actions, context)
    return [line for action in actions for line in _render_stacked(action, context)]


def render_watch(actions: Sequence[Action], context: RenderContext) -> list[str]:
    """Return a table of actions with bars, where what is less important gives way."""
    widths = fit_widths(
        _natural_widths(_WATCH_COLUMNS, actions, context), _WATCH_SHRINK_ORDER, context.width
    )
    if widths is None:
        half = max(1, context.width // 2 - 1)
        widths = {Column.WHAT: half, Column.STATUS: half}
    return _render_rows(widths, actions, context)


def reference_of(action: Action) -> str:
    """Return what `wait` takes for an action: its uid, which of CRDBs' tasks needs a word."""
    return f"crdb:{action.uid}" if action.kind is Kind.CRDB_TASK else action.uid


def format_age(seconds: int) -> str:
    """Return an age as people say it: `59s`, `59m`, `47h`, `3d`."""
    for size, unit, limit in ((1, "s", 60), (60, "m", 3600), (3600, "h", 172800)):
        if seconds < limit:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86400}d"


def truncate(text: str, width: int, context: RenderContext) -> str:
    """Return a text that is no wider than that, with a mark where something is missing."""
    if display_width(text) <= width:
        return text
    mark = "…" if context.unicode else "~"
    while text and display_width(text) > width - 1:
        text = text[:-1]
    return text + mark


def display_width(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def progress_bar(action: Action, width: int, context: RenderContext) -> str:
    """Return a bar for what goes on: full to its progress, or moving where that is not known."""
    if action.phase.terminal or action.phase is Phase.PENDING:
        return ""
    full, empty = "━─" if context.unicode else "#-"
    if action.progress is None:
        at = context.frame % width
        return empty * at + full + empty * (width - at - 1)
    done = int(width * action.progress / 100)
    return full * done + empty * (width - done)


# --- cells --------------------------------------------------------------------------------------


def _cell_text(action: Action, column: Column, now: datetime) -> str:
    if column is Column.AGE:
        return "" if action.creation_time is None else format_age(_age_seconds(action, now))
    return escape_ci_commands(one_line(_CELL_TEXTS[column](action)))


def _age_seconds(action: Action, now: datetime) -> int:
    """Return an age in whole seconds; clocks that differ make nobody younger than nothing."""
    assert action.creation_time is not None
    return max(0, int((now - action.creation_time).total_seconds()))


def _reason_or_state(action: Action) -> str:
    """Return the step that it is in, or why it failed."""
    return action.reason or action.state or ""


_CELL_TEXTS: Final[Mapping[Column, Callable[[Action], str]]] = {
    Column.UID: reference_of,
    Column.WHAT: lambda action: action.title,
    Column.STATUS: lambda action: action.status or "no status",
    Column.DONE: lambda action: "" if action.progress is None else f"{int(action.progress)}%",
    Column.STATE: _reason_or_state,
}


def _cell(action: Action, column: Column, width: int, context: RenderContext) -> str:
    """Return what stands in a cell, as wide as its column."""
    if column is Column.BAR:
        text = progress_bar(action, width, context)
    elif column is Column.WHAT:
        text = _truncate_title(_cell_text(action, column, context.now), width, context)
    else:
        text = truncate(_cell_text(action, column, context.now), width, context)
    padding = " " * (width - display_width(text))
    if column in {Column.STATUS, Column.BAR}:
        text = coloured(text, _COLOURS[action.phase], context)
    return padding + text if column in _RIGHT_ALIGNED else text + padding


def _truncate_title(title: str, width: int, context: RenderContext) -> str:
    """Cut a title where it hurts least: what is worked on is kept, if that is short."""
    name, on, what = title.rpartition(" on ")
    room = width - display_width(on + what)
    return (
        truncate(title, width, context) if room < 4 else truncate(name, room, context) + on + what
    )


def coloured(text: str, colour: str, context: RenderContext) -> str:
    """Return a text in a colour, given as SGR parameters, if there are colours."""
    return f"\x1b[{colour}m{text}\x1b[0m" if context.colour and text else text


# --- lines --------------------------------------------------------------------------------------


def _natural_widths(
    columns: Sequence[Column], actions: Sequence[Action], context: RenderContext
) -> dict[Column, int]:
    """Return how wide each column would be; one in which nothing stands is none."""
    wanted = {column: _wanted(column, actions, context) for column in columns}
    return {column: max(width, len(column.value)) for column, width in wanted.items() if width}


def _wanted(column: Column, actions: Sequence[Action], context: RenderContext) -> int:
    if column is Column.BAR:
        return _BAR_WIDTH
    return max(
        (display_width(_cell_text(action, column, context.now)) for action in actions), default=0
    )


def _render_rows(
    widths: dict[Column, int], actions: Sequence[Action], context: RenderContext
) -> list[str]:
    headings = GAP.join(
        (column.value.rjust(width) if column in _RIGHT_ALIGNED else column.value.ljust(width))[
            :width
        ]
        for column, width in widths.items()
    )
    rows = [
        GAP.join(_cell(action, column, width, context) for column, width in widths.items())
        for action in actions
    ]
    return [coloured(headings.rstrip(), _BOLD, context), *(row.rstrip() for row in rows)]


def _render_stacked(action: Action, context: RenderContext) -> list[str]:
    """Return an action as three lines, for where it is narrow."""
    uid, title, status, done, state, old = (
        _cell_text(action, column, context.now)
        for column in (*_LIST_COLUMNS[:3], Column.DONE, Column.STATE, Column.AGE)
    )
    status = truncate(status, context.width // 2, context)
    room = context.width - display_width(GAP.join(filter(None, (status, done, old)))) - 2 * len(GAP)
    state = truncate(state, room, context) if room > 3 else ""
    parts = (coloured(status, _COLOURS[action.phase], context), done, state, old)
    return [
        uid,
        GAP + _truncate_title(title, context.width - len(GAP), context),
        GAP + GAP.join(filter(None, parts)),
    ]


def fit_widths(
    natural: Mapping[_C, int], shrink_order: Sequence[tuple[_C, int]], width: int
) -> dict[_C, int] | None:
    """Return a width for each column that has one, so that they all fit, or None.

    `squeeze` is what gives way, in this order, and down to which width; at 0 a column is left out.
    What is left over in the end goes back to those that gave way, from the left.
    """
    widths = dict(natural)
    for column, least in shrink_order:
        missing = -_spare_width(widths, width)
        if missing <= 0:
            break
        if least == 0:
            widths.pop(column, None)
        elif column in widths:
            widths[column] = max(widths[column] - missing, min(least, widths[column]))
    if _spare_width(widths, width) < 0:
        return None
    for column, least in widths.items():
        widths[column] = min(natural[column], least + _spare_width(widths, width))
    return widths


def _spare_width(widths: Mapping[_C, int], width: int) -> int:
    return width - sum(widths.values()) - len(GAP) * (len(widths) - 1)
