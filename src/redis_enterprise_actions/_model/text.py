"""Text: durations, percentages and counts for people; untrusted text and JSON for any display."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import msgspec


SHORT: Final = 200  # characters: no word of the API is as long
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_ESCAPED_IN_JSON: Final = re.compile(r"[^\x00-\x7e]|#(?=#)")


def duration_text(seconds: float) -> str:
    """Return a duration as `0.4s`, `29s`, `1m 05s`, `1h 02m` or `3d 04h`."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for (large, name), (small, lesser) in pairwise(_UNITS):
        if whole >= large:
            return f"{whole // large}{name} {whole % large // small:02}{lesser}"
    return f"{whole}s"


def timestamp_text(when: datetime) -> str:
    """Return a time in UTC as `2026-03-01 22:00:00 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def percent_text(percent: float) -> str:
    """Return a percentage as `14 %`, rounded down: `100 %` is said only of 100."""
    return f"{int(percent)} %"


def count_text(count: int, noun: str) -> str:
    """Return a count with its noun: `1 poll`, `2 polls`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def one_line(text: str) -> str:
    """Return text of the cluster as one printable line, without control characters."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join([char if char.isprintable() else " " for char in line])


def shortened(text: str, length: int = SHORT) -> str:
    """Return text of at most `length` characters, the last of which is `…` if any were left out."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def json_text(value: object) -> str:
    """Return a value as JSON in which only printable characters stand unescaped.

    Controls (C0 and C1), marks that change the direction of text and the like are escaped, and so
    is the first of two `#`, with which commands of CI systems begin. The decoded values are the
    same.
    """
    return _ESCAPED_IN_JSON.sub(_json_escape, msgspec.json.encode(value).decode())


def _json_escape(match: re.Match[str]) -> str:
    char = match[0]
    if char != "#" and char.isprintable():
        return char
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
