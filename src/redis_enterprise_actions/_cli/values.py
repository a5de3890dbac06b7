"""Parsers of the values of options, for argparse."""

from __future__ import annotations

import argparse
import math
from typing import Final


_MAX_SPEED: Final = 1_000_000


def whole_number(text: str) -> int:
    """Return a number such as a uid."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r:.100} is not a whole number") from None


def speed(text: str) -> float:
    """Return the speed of a clock, within the limits of scenarios."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= _MAX_SPEED:
        raise argparse.ArgumentTypeError(f"{text!r:.100} is not a number from 0 to {_MAX_SPEED}")
    return number


def database(text: str) -> int | str:
    """Return the uid of a database, or `name:NAME` unchanged."""
    word, colon, name = text.strip().partition(":")
    if word == "name" and colon and name.strip():
        return text
    try:
        return int(text)
    except ValueError:
        problem = f"{text!r:.100} is neither the uid of a database nor name:NAME"
        raise argparse.ArgumentTypeError(problem) from None
