"""JSON in which only printable characters stand as they are."""

from __future__ import annotations

import re
from typing import Final

import msgspec


_NOT_IN_JSON: Final = re.compile(r"[^\x00-\x7e]|#(?=#)")


def as_json(value: object) -> str:
    """Return a value as JSON in which only printable characters stand as they are.

    Controls (C0 and C1), marks that change the direction of text and the like are escaped, and so
    is the first of two `#`, with which commands of CI systems begin. The values are the same.
    """
    text = msgspec.json.encode(value).decode()
    return _NOT_IN_JSON.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    if char != "#" and char.isprintable():
        return char
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
