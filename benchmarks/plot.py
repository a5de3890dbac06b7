"""Draws requests against lag as SVG text: a shape for each contender, a colour for each N.

Readable on white and on black, as lines and words take the reader's colour.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Iterable

_WIDTH, _HEIGHT = 900, 560
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 700, 40, 500
_COLOURS: Final = ("#2f7ed8", "#e07b00", "#2a9d55", "#c43c8a", "#8a63d2")
_SHAPES: Final = (
    "M0-7 2-2 7-2 3 1 5 6 0 3-5 6-3 1-7-2-2-2z",  # a star
    "M-5-5h10v10h-10z",  # a square
    "M0-6 6 5h-12z",  # a triangle
    "M0 6-6-5h12z",  # one upside down
    "M0-7 6 0 0 7-6 0z",  # a diamond
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",  # a circle
    "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",  # a plus
    "M-6-3h12v6h-12z",  # a bar
)
_STYLE: Final = (
    "svg{color:#222;background:#fff;font:13px sans-serif}"
    "@media(prefers-color-scheme:dark){svg{color:#ddd;background:#16181c}}"
    "text{fill:currentColor}.grid{stroke:currentColor;stroke-opacity:.18}"
    ".label{font-size:11px}.mark{stroke:currentColor;stroke-width:.6}"
)
_LABEL_HEIGHT, _LETTER = 12.0, 6.2  # pixels


class Box(NamedTuple):
    """A rectangle that is taken."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)


class Axis(NamedTuple):
    """A logarithmic axis over whole decades, from pixel `start` to pixel `end`."""

    low: int
    high: int
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def decades(self) -> Iterable[float]:
        """Return the values that get a line."""
        return (10.0**power for power in range(self.low, self.high + 1))


class Mark(NamedTuple):
    """One run in the plot."""

    contender: str
    waits: int
    requests: float
    lag: float


def plot(runs: list[dict[str, Any]]) -> str:
    """Return the plot as an SVG document."""
    marks = [
        Mark(run["contender"], run["waits"], run["server"]["requests"] / run["clusters"], lag)
        for run in runs
        if run.get("lag_s") and (lag := run["lag_s"]["mean"]) > 0
    ]
    shapes = dict(zip(dict.fromkeys(mark.contender for mark in marks), _SHAPES, strict=False))
    colours = dict(zip(sorted({mark.waits for mark in marks}), _COLOURS, strict=False))
    across = _axis([mark.requests for mark in marks], _LEFT, _RIGHT)
    up = _axis([mark.lag for mark in marks], _BOTTOM, _TOP)
    spots = {mark: (across.at(mark.requests), up.at(mark.lag)) for mark in marks}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        "<title>Requests against mean lag, by contender and number of waits</title>",
        f"<style>{_STYLE}</style>",
        *_grid(across, up),
        *(
            _mark(shapes[mark.contender], colours[mark.waits], *spot)
            for mark, spot in spots.items()
        ),
        *_labels(spots),
        *_legend(shapes, colours),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _axis(values: list[float], start: float, end: float) -> Axis:
    low = math.floor(math.log10(min(values, default=1)))
    high = math.ceil(math.log10(max(values, default=10)))
    return Axis(low, max(high, low + 1), start, end)


def _grid(across: Axis, up: Axis) -> Iterable[str]:
    for value in across.decades():
        x = across.at(value)
        yield f'<path class="grid" d="M{x:.1f} {_TOP}V{_BOTTOM}"/>'
        yield _text(x, _BOTTOM + 20, f"{value:,g}", anchor="middle")
    for value in up.decades():
        y = up.at(value)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
        yield _text(_LEFT - 8, y + 4, f"{value:g} s", anchor="end")
    yield _text((_LEFT + _RIGHT) / 2, _BOTTOM + 44, "requests of all waits", anchor="middle")
    yield _text(_LEFT, _TOP - 14, "mean lag from the end of an action to the end of its wait")


def _labels(spots: dict[Mark, tuple[float, float]]) -> Iterable[str]:
    """Name each mark beside it where there is room; the legend names it anyway."""
    taken = [Box(x - 7, y - 7, x + 7, y + 7) for x, y in spots.values()]
    for mark, (x, y) in spots.items():
        wide = len(mark.contender) * _LETTER
        for left, top in (
            (x + 9, y - 6),
            (x - 9 - wide, y - 6),
            (x - wide / 2, y - 21),
            (x - wide / 2, y + 9),
        ):
            box = Box(left, top, left + wide, top + _LABEL_HEIGHT)
            inside = box.left >= _LEFT and box.right <= _RIGHT + 20
            if inside and not any(box.meets(other) for other in taken):
                taken.append(box)
                yield _text(left, top + 10, mark.contender, kind="label")
                break


def _legend(shapes: dict[str, str], colours: dict[int, str]) -> Iterable[str]:
    x, y = _RIGHT + 50, _TOP + 10
    for contender, shape in shapes.items():
        yield _mark(shape, "currentColor", x, y - 4)
        yield _text(x + 16, y, contender)
        y += 22
    y += 14
    for waits, colour in colours.items():
        yield _mark(_SHAPES[5], colour, x, y - 4)
        yield _text(x + 16, y, f"{waits:,} {'waits' if waits > 1 else 'wait'}")
        y += 22


def _mark(shape: str, colour: str, x: float, y: float) -> str:
    return (
        f'<path class="mark" fill="{colour}" d="{shape}" transform="translate({x:.1f} {y:.1f})"/>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
