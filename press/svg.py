"""SVG text: a few shapes, readable on white and on black.

Lines and words take the reader's colour, as in the plot of the benchmarks.
"""

from __future__ import annotations

from html import escape
from typing import Final


RED: Final = "#d3402f"
BLUE: Final = "#2f7ed8"
GREEN: Final = "#2a9d55"
_STYLE: Final = (
    "svg{color:#222;background:#fff;font:14px sans-serif}"
    "@media(prefers-color-scheme:dark){svg{color:#ddd;background:#16181c}}"
    "text{fill:currentColor}.faint{stroke:currentColor;stroke-opacity:.2;fill:none}"
    ".line{stroke:currentColor;fill:none}.small{font-size:12px}.bold{font-weight:bold}"
    ".soft{fill-opacity:.65}"
)


def document(title: str, width: float, height: float, shapes: list[str]) -> str:
    """Return an SVG document of shapes, which screen readers know by its title."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        *shapes,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def text(x: float, y: float, words: str, look: str = "", anchor: str = "start") -> str:
    """Return words whose line begins, ends (`end`) or has its middle (`middle`) at a point."""
    kind = f' class="{look}"' if look else ""
    side = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}"{side}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, colour: str = "currentColor") -> str:
    """Return a rectangle with round corners, drawn in a colour and lightly filled with it."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" '
        f'fill="{colour}" fill-opacity=".08" stroke="{colour}"/>'
    )


def path(data: str, look: str = "line", colour: str | None = None) -> str:
    """Return a line, by the data of an SVG path; in a colour, if there is one."""
    paint = f' style="stroke:{colour}"' if colour else ""
    return f'<path class="{look}" d="{data}"{paint}/>'


def dot(x: float, y: float, radius: float, colour: str, *, hollow: bool = False) -> str:
    """Return a disc, or a ring."""
    fill = "none" if hollow else colour
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}" stroke="{colour}"/>'
