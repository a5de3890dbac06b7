"""Parsers of the values of options, for argparse."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable


def deferred(name: str) -> Callable[[str], Any]:
    """Return a function that imports the parser `module:function` when a value is there."""

    def parse(text: str) -> object:
        module, _, function = name.partition(":")
        return getattr(importlib.import_module(f"redis_enterprise_actions.{module}"), function)(
            text
        )

    return parse


def whole_number(text: str) -> int:
    """Return a number such as a uid."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r:.100} is not a whole number") from None
