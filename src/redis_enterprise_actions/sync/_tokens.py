"""`TokenSource`: the function that gives tokens to a synchronous client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias


TokenSource: TypeAlias = Callable[[], str]
"""A function that returns a token. The client calls it in a thread of its own: it may block."""
