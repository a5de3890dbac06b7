"""Skip of tests whose tools are missing, unless the run needs these tools."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NoReturn

import pytest


if TYPE_CHECKING:
    from collections.abc import Iterable

NEEDED: Final = "ANY_LANGUAGE_NEEDS"  # names of tools, with blanks between: `nox -s any_language`


def skip(reason: str, tools: Iterable[str]) -> NoReturn:
    """Skip a test that needs some tools, or let it fail if this run needs one of them."""
    needed = os.environ.get(NEEDED, "").split()
    if any(tool in needed for tool in tools):
        pytest.fail(f"{reason}, and {NEEDED} is {' '.join(needed)}")
    pytest.skip(reason)
