"""Capabilities of the terminal on standard output, as far as the environment tells them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Mapping

NEEDS_RICH: Final = "needs rich: pip install 'redis-enterprise-actions[cli]'"

_DUMB: Final = frozenset({"dumb", "unknown"})
_SIZE: Final = re.compile("[1-9][0-9]{0,3}")


def can_draw(environ: Mapping[str, str]) -> bool:
    """Return True unless `TERM` names a terminal that can neither move a cursor nor colour text."""
    return environ.get("TERM", "").casefold() not in _DUMB


def with_valid_size(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without a `COLUMNS` or `LINES` that no terminal can have.

    rich prefers these variables to the size of the terminal, whatever they hold.
    """
    invalid = [name for name in ("COLUMNS", "LINES") if not _SIZE.fullmatch(environ.get(name, ""))]
    return {name: value for name, value in environ.items() if name not in invalid}
