"""Parsers of the values of options, for argparse."""

from __future__ import annotations

import argparse


def whole_number(text: str) -> int:
    """Return a number such as a uid."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r:.100} is not a whole number") from None
