"""Actions as text: a table that fits a width, or tab-separated fields for programs."""

from __future__ import annotations

import enum
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from redis_enterprise_actions._cli.output import escape_ci_commands
from redis_enterprise_actions._model.action import Kind, Phase
from redis_enterprise_actions._model.text import duration_text, one_line, percent_text


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from redis_enterprise_actions._model.action import Action

    _ShrinkOrder: TypeAlias = tuple[tuple["Column", int], ...]

_BAR_WIDTH: Final = 20  # where there is room
_C = TypeVar("_C")
GAP: Final = "  "  # between two columns


class Column(enum.Enum):
    """Column of a table of actions. The value is its heading."""

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

_RIGHT_ALIGNED: Final = frozenset({Column.DONE, Column.AGE})


# Columns that shrink if the table is too wide, in this order, and their least width: 0 is removal.
_LIST_SHRINK_ORDER: Final[_ShrinkOrder] = (
    (Column.STATE, 8),
    (Column.STATE, 0),
    (Column.WHAT, 16),
    (Column.STATUS, 10),
)

_WATCH_SHRINK_ORDER: Final[_ShrinkOrder] = (
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


class RenderContext(msgspec.Struct, frozen=True, kw_only=True):
    """Width, time, and capabilities of the terminal that a table is rendered for.

    `unicode` is False if only ASCII can be shown. `frame` counts the renderings, for animations.
    """

    width: int
    now: datetime
    colour: bool = False
    unicode: bool = True
    frame: int = 0


def tab_separated(actions: Sequence[Action], now: datetime) -> list[str]:
    """Return a line for each action, for programs: fields between tabs, `-` for an empty one.

    Progress is in percent, and the age in seconds.
    """
    lines: list[str] = []
    for action in actions:
        age = _age(action, now)
        fields = (
            reference_of(action),
            action.title,
            action.status,
            "" if action.progress is None else f"{action.progress:g}",
            _reason_or_state(action),
            "" if age is None else str(int(age)),
        )
        lines.append("\t".join(one_line(field) or "-" for field in fields))
    return lines


def render_list(actions: Sequence[Action], context: RenderContext) -> list[str]:
    """Return a table with complete uids. If that is too wide, an action takes three lines."""
    widths = fit_widths(
        _natural_widths(_LIST_COLUMNS, actions, context), _LIST_SHRINK_ORDER, context.width
    )
    if widths is not None:
        return _render_rows(widths, actions, context)
    return [line for action in actions for line in _render_stacked(action, context)]


def render_watch(actions: Sequence[Action], context: RenderContext) -> list[str]:
    """Return a table with progress bars. If that is too wide, columns shrink or are removed."""
    widths = fit_widths(
        _natural_widths(_WATCH_COLUMNS, actions, context), _WATCH_SHRINK_ORDER, context.width
    )
    if widths is None:
        half = max(1, context.width // 2 - 1)
        widths = {Column.WHAT: half, Column.STATUS: half}
    return _render_rows(widths, actions, context)


def reference_of(action: Action) -> str:
    """Return the reference to an action for `wait`: its uid, with a prefix for CRDB tasks."""
    return f"crdb:{action.uid}" if action.kind is Kind.CRDB_TASK else action.uid


def truncate(text: str, width: int, context: RenderContext) -> str:
    """Return a text that is at most `width` columns wide, with a mark at the end if it was cut."""
    if display_width(text) <= width:
        return text
    mark = "…" if context.unicode else "~"
    while text and display_width(text) > width - 1:
        text = text[:-1]
    return text + mark


def display_width(text: str) -> int:
    """Return the number of columns that a text takes on a terminal."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def progress_bar(action: Action, width: int, context: RenderContext) -> str:
    """Return the progress bar of a running action; animated if the progress is not known."""
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
        seconds = _age(action, now)
        return "" if seconds is None else duration_text(seconds)
    return escape_ci_commands(one_line(_CELL_TEXTS[column](action)))


def _age(action: Action, now: datetime) -> float | None:
    """Return the age in seconds: 0 if the cluster's clock is ahead of this machine's."""
    created = action.creation_time
    return None if created is None else max(0.0, (now - created).total_seconds())


def _reason_or_state(action: Action) -> str:
    """Return the reason of a failure, or else the current step."""
    return action.reason or action.state or ""


_CELL_TEXTS: Final[Mapping[Column, Callable[[Action], str]]] = {
    Column.UID: reference_of,
    Column.WHAT: lambda action: action.title,
    Column.STATUS: lambda action: action.status or "no status",
    Column.DONE: lambda action: "" if action.progress is None else percent_text(action.progress),
    Column.STATE: _reason_or_state,
}


def _cell(action: Action, column: Column, width: int, context: RenderContext) -> str:
    """Return the text of a cell, padded to the width of its column."""
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
    """Truncate the name in a title, and keep the object unless that is too long."""
    name, on, what = title.rpartition(" on ")
    available = width - display_width(on + what)
    return (
        truncate(title, width, context)
        if available < 4
        else truncate(name, available, context) + on + what
    )


def coloured(text: str, colour: str, context: RenderContext) -> str:
    """Return a text in a colour, given as SGR parameters, if the terminal has colours."""
    return f"\x1b[{colour}m{text}\x1b[0m" if context.colour and text else text


# --- lines --------------------------------------------------------------------------------------


def _natural_widths(
    columns: Sequence[Column], actions: Sequence[Action], context: RenderContext
) -> dict[Column, int]:
    """Return the width that each column takes without shrinking. Empty columns are left out."""

    def content_width(column: Column) -> int:
        if column is Column.BAR:
            return _BAR_WIDTH
        texts = (_cell_text(action, column, context.now) for action in actions)
        return max(map(display_width, texts), default=0)

    widths = {column: content_width(column) for column in columns}
    return {column: max(width, len(column.value)) for column, width in widths.items() if width}


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
    return [coloured(headings.rstrip(), "1", context), *(row.rstrip() for row in rows)]


def _render_stacked(action: Action, context: RenderContext) -> list[str]:
    """Return an action as three lines."""
    uid, title, status, done, state, age = (
        _cell_text(action, column, context.now)
        for column in (*_LIST_COLUMNS[:3], Column.DONE, Column.STATE, Column.AGE)
    )
    status = truncate(status, context.width // 2, context)
    available = (
        context.width - display_width(GAP.join(filter(None, (status, done, age)))) - 2 * len(GAP)
    )
    state = truncate(state, available, context) if available > 3 else ""
    parts = (coloured(status, _COLOURS[action.phase], context), done, state, age)
    return [
        uid,
        GAP + _truncate_title(title, context.width - len(GAP), context),
        GAP + GAP.join(filter(None, parts)),
    ]


def fit_widths(
    natural: Mapping[_C, int], shrink_order: Sequence[tuple[_C, int]], width: int
) -> dict[_C, int] | None:
    """Return widths with which all columns fit, or None if they cannot.

    `shrink_order` has the columns that shrink, in this order, and their least widths: 0 removes the
    column. The space that is left goes back to the columns that shrank, from the left.
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
