"""Text for people: durations, percentages, counts, and untrusted text as one printable line."""

from __future__ import annotations

from itertools import pairwise
from typing import Final


_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def duration_text(seconds: float) -> str:
    """Return a duration as `0.4 s`, `12 min 3 s`, `1 h 2 min` or `3 d 4 h`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    (large, name), (small, lesser) = next(two for two in pairwise(_UNITS) if whole >= two[0][0])
    rest = whole % large // small
    return f"{whole // large} {name}" + (f" {rest} {lesser}" if rest else "")


def percent_text(percent: float) -> str:
    """Return a percentage as `14.29 %` or `100 %`."""
    return f"{round(percent, 2):g} %"


def count_text(count: int, noun: str) -> str:
    """Return a count with its noun: `1 poll`, `2 polls`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def one_line(text: str) -> str:
    """Return text of the cluster as one printable line, without control characters."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join([char if char.isprintable() else " " for char in line])
