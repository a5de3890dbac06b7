"""How wide columns are, where they cannot all be as wide as they would.

Pure: a function from numbers to numbers. Refuses to know what stands in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_C = TypeVar("_C")

GAP: Final = "  "  # between two columns


def fitting(
    natural: Mapping[_C, int], squeeze: Sequence[tuple[_C, int]], width: int
) -> dict[_C, int] | None:
    """Return a width for each column that has one, so that they all fit, or None.

    `squeeze` is what gives way, in this order, and down to which width; at 0 a column is left out.
    What is left over in the end goes back to those that gave way, from the left.
    """
    widths = dict(natural)
    for column, least in squeeze:
        missing = -_spare(widths, width)
        if missing <= 0:
            break
        if least == 0:
            widths.pop(column, None)
        elif column in widths:
            widths[column] = max(widths[column] - missing, min(least, widths[column]))
    if _spare(widths, width) < 0:
        return None
    for column, least in widths.items():
        widths[column] = min(natural[column], least + _spare(widths, width))
    return widths


def _spare(widths: Mapping[_C, int], width: int) -> int:
    return width - sum(widths.values()) - len(GAP) * (len(widths) - 1)
