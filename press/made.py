"""What is made, and by what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import commands, life, rooms, schemas, states


if TYPE_CHECKING:
    from collections.abc import Callable

MADE: Final[dict[str, Callable[[], str]]] = {
    "states.svg": states.draw,
    "rooms.svg": rooms.draw,
    "rooms.md": rooms.page,
    "life-of-a-wait.svg": life.draw,
    "command-line.md": commands.page,
    "action.schema.json": schemas.action,
}
