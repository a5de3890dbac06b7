"""Draws what the cluster's status words mean, from the tables in `_action` and `_wait`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions import _action, _wait
from redis_enterprise_actions._action import Phase

from .svg import BLUE, GREEN, RED, box, document, path, text


if TYPE_CHECKING:
    from collections.abc import Mapping

_WIDTH: Final = 480
_COLUMN: Final = 225
_LINE: Final = 18
_GAP: Final = 12
_LETTERS: Final = 30  # that fit on a line of a box
_TABLES: Final[tuple[tuple[str, Mapping[str, Phase]], ...]] = (
    ("actions, tasks, exports, imports, backups", _action.PHASES),
    ("a database that is to settle", _action.DATABASE_PHASES),
)


def draw() -> str:
    """Return the figure: the words in boxes by phase, those that end a wait on the right."""
    shapes: list[str] = []
    top = 0.0
    for title, table in _TABLES:
        shapes.append(text(8, top + 24, title, "bold"))
        shapes.append(text(8, top + 46, "the wait goes on", "small soft"))
        shapes.append(text(_WIDTH - _COLUMN, top + 46, "the wait is over", "small soft"))
        below = _boxes(shapes, table, top + 58)
        shapes.append(path(f"M{_WIDTH / 2} {top + 34}V{below - _GAP}", "faint"))
        top = below + 8
    return document("What each status word means", _WIDTH, top, shapes)


def _boxes(shapes: list[str], table: Mapping[str, Phase], top: float) -> float:
    """Draw a box for each phase that has words; return where they end."""
    tops = {False: top, True: top}
    for phase in Phase:
        lines = _lines([word for word, meant in table.items() if meant is phase])
        if phase is Phase.UNKNOWN:
            lines = ["any other word: shown, logged,", "and waited on"]
        if not lines:
            continue
        over = phase.terminal
        x = _WIDTH - _COLUMN - 8 if over else 8
        height = _LINE * (len(lines) + 2) + 8 if over else _LINE * (len(lines) + 1) + 8
        shapes.append(box(x, tops[over], _COLUMN, height, _colour(phase)))
        y = tops[over] + _LINE
        shapes.append(text(x + 10, y, f"Phase.{phase.name}", "bold"))
        if over:
            y += _LINE
            shapes.append(text(x + 10, y, _end(phase), "small soft"))
        for line in lines:
            y += _LINE
            shapes.append(text(x + 10, y, line))
        tops[over] += height + _GAP
    return max(tops.values())


def _lines(words: list[str]) -> list[str]:
    """Return words as lines that fit into a box."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 2 <= _LETTERS:
            lines[-1] += f", {word}"
        else:
            lines.append(word)
    return lines


def _end(phase: Phase) -> str:
    """Return what a wait does when it sees such a word."""
    error = _wait._ENDS.get(phase)
    return "returns the Action" if error is None else f"raises {error.__name__}"


def _colour(phase: Phase) -> str:
    """Return the colour of a phase: good, bad, or neither yet."""
    if not phase.terminal:
        return BLUE if phase is not Phase.UNKNOWN else "currentColor"
    return RED if phase in _wait._ENDS else GREEN
