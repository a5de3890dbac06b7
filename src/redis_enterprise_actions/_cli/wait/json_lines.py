"""What is told to programs: each event as a JSON object, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._report.json import as_json


if TYPE_CHECKING:
    from collections.abc import Callable

    from .events import AnyEvent
    from .progress import Board


class JsonLines:
    """Writes what is told as it is."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def show(self, event: AnyEvent, board: Board) -> None:  # noqa: ARG002 - it is all in the event
        """Write an event."""
        self._write(as_json(event))

    def draw(self, elapsed: float, board: Board) -> None:
        """Nothing: what is written stays."""

    def close(self, board: Board) -> None:
        """Nothing: what is written stays."""
