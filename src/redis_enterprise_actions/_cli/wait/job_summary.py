"""What a finished job says of its waits: a table in Markdown, or lines.

Values only. All text of the cluster is escaped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.action import one_line

from .estimate import clock
from .events import Left
from .progress import counted, how, how_long


if TYPE_CHECKING:
    from .events import Done, End
    from .progress import Board

_ROWS: Final = 200  # of the table: GitHub takes a megabyte of a step
_CUT: Final = 300  # characters of a cell
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@:-])")


def markdown(board: Board, done: Done) -> str:
    """Return what is appended to the summary of a job."""
    ends = _ends(board)
    rows = [_row(end) for end in ends[:_ROWS]]
    more = [f"\n+{len(ends) - _ROWS} more"] if len(ends) > _ROWS else []
    head = ["| what | how it ended | waited | in words |", "|---|---|---|---|"] if rows else []
    outages = [
        f"\n- The cluster gave no usable answer for {each.seconds:.1f} s." for each in board.outages
    ]
    why = f"{_escaped(done.why)}: " if done.why else ""
    title = f"### redis-actions: {why}{counted(done.ended, done.left)}\n"
    return "\n".join([title, *head, *rows, *more, *outages]) + "\n\n"


def summary(board: Board, done: Done) -> list[str]:
    """Return the same as lines of text, bad ends last, where they are seen."""
    ends = sorted(_ends(board), key=lambda end: not isinstance(end, Left) and end.exit_code != 0)
    outages = [f"  no usable answer for {each.seconds:.1f} s" for each in board.outages]
    lines = [f"  {how_long(end)}  {_title(end)}" for end in ends]
    said = counted(done.ended, done.left)
    said = f"{done.why}: {said}" if done.why else said
    return [f"redis-actions: {said}; exit code {done.exit_code}", *outages, *lines]


def _ends(board: Board) -> list[End | Left]:
    return [*board.ends, *board.left]


def _title(end: End | Left) -> str:
    return one_line((end.ref or "the call") if end.action is None else end.action.title)


def _row(end: End | Left) -> str:
    bold = "**" if not isinstance(end, Left) and end.exit_code else ""
    said = f"{bold}{how(end)}{bold}"
    return f"| {_escaped(_title(end))} | {said} | {clock(end.elapsed)} | {_escaped(end.message)} |"


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, in one cell of a table."""
    line = one_line(text)
    cut = line if len(line) <= _CUT else f"{line[:_CUT]}…"
    return _MARKUP.sub(r"\\\1", cut)
