"""How a few lines are drawn on a terminal again and again in the same place.

Knows the control sequences for that, and what a window does to the lines in it when it is resized.
Refuses to know what the lines say.

Sequences: ECMA-48, CUU, ED and EL; DEC private modes 7, lines that are folded at the margin, and
25, the cursor.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._cli.output import put


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HIDE: Final = "\x1b[?25l"
_SHOW: Final = "\x1b[?25h"
_CUT: Final = "\x1b[?7l"
_FOLD: Final = "\x1b[?7h"
_TO_END_OF_LINE: Final = "\x1b[K"
_TO_END_OF_SCREEN: Final = "\x1b[J"


_SIZE: Final = re.compile("[1-9][0-9]{0,3}")


def sized(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without a `COLUMNS` and `LINES` that no terminal can have.

    rich believes them before it asks the terminal, whatever they are.
    """
    odd = [name for name in ("COLUMNS", "LINES") if not _SIZE.fullmatch(environ.get(name, ""))]
    return {name: value for name, value in environ.items() if name not in odd}


class Line(NamedTuple):
    """A line as it is written, and how many cells of the terminal it takes."""

    text: str
    cells: int


class Screen:
    """The lowest lines of a terminal, on standard output.

    The cursor stands below them, and is hidden from the first drawing to `close`.
    """

    def __init__(self) -> None:
        self._drawn: Sequence[Line] = ()
        self._width = 0
        self._hidden = False

    def draw(self, lines: Sequence[Line], width: int) -> None:
        """Draw lines over those drawn last, in a window of that many columns."""
        hide = "" if self._hidden else _HIDE
        # What was folded there would be joined again in a wider window, were it only overwritten.
        clear = "" if width == self._width else _TO_END_OF_SCREEN
        rows = "".join(f"{line.text}{_TO_END_OF_LINE}\n" for line in lines)
        _write(f"{hide}{self._back(width)}{clear}{_CUT}{rows}{_FOLD}{_TO_END_OF_SCREEN}")
        self._drawn, self._width, self._hidden = lines, width, True

    def put(self, text: str, width: int) -> None:
        """Write a line that stays, in place of those drawn last."""
        _write(f"{self._back(width)}{_TO_END_OF_SCREEN}{text}\n")
        self._drawn = ()

    def close(self, width: int) -> None:
        """Take the lines away and show the cursor again."""
        if self._hidden:
            _write(f"{self._back(width)}{_TO_END_OF_SCREEN}{_SHOW}")
        self._drawn, self._hidden = (), False

    def _back(self, width: int) -> str:
        """Return what moves the cursor to where the lines drawn last begin.

        In a window that has become narrower, terminals fold lines that are too long for it.
        """
        rows = sum(max(1, -(-line.cells // width)) for line in self._drawn)
        return f"\r\x1b[{rows}A" if rows else "\r"


def _write(text: str) -> None:
    put(text)
