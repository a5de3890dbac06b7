"""Draws which room knows which, from the imports, and lists what each is for, from its docstring.

The order of the rooms is that of `tests/test_architecture.py`, which enforces it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from tests import test_architecture as house

from .svg import BLUE, document, path, text


if TYPE_CHECKING:
    from pathlib import Path

_CELL: Final = 14
_LABELS: Final = 118
_PROSE: Final = """\
# The rooms

<!-- Made by `python -m press` from the package itself: change that, not this. -->

The package is one flat house. Each module is a room that answers one question, and knows only rooms
that are listed below it, so that it can be read, and tested, without the rest. A test reads the
imports and fails where one points up. Half of the rooms are the client's; the others, above them,
are those of the command `redis-actions`, and the leaves for other libraries.

## The client

An answer comes in through `_transport`, which knows HTTP and nothing of actions. `_wire` and
`_wire_work` make `Action`s of its bytes. `_hub` compares them with what was seen before and hands
them to whoever waits; `_wait` decides, without a clock or a socket, whether that wait is over.
`_client` is the desk at which you stand. `_hub` and `_transport` never meet: the hub is handed
functions to ask with, so that it can be tested with a list of answers.

[![Which of these rooms imports which](rooms.svg)](rooms.svg)

A mark means that the room on its left imports another one: go down from the mark to the diagonal,
where the lines end, and from there to the left, to that one's name. No mark is on the other side.

"""
_HEAD: Final = "| room | in its own words | imports |\n|---|---|---|\n"
_FRONT: Final = house.ROOMS.index("__init__")  # where the client begins


def known() -> dict[str, set[str]]:
    """Return, for each room, the rooms that it imports, types included."""
    knows: dict[str, set[str]] = {room: set() for room in house.ROOMS}
    for file in house.files():
        room = house.room_of(file)
        names = house.imports_of(file, for_types=True)
        ours = {name for name in names if name.split(".")[0] == house.NAME}
        knows[room] |= {[*name.split("."), "__init__"][1] for name in ours} - {room}
    return knows


def draw() -> str:
    """Return the figure: a row and a column for each room, a mark where the row imports it.

    What stands before the front door is left out, or nobody could read the names.
    """
    knows = known()
    rooms = house.ROOMS[_FRONT:]
    size = _CELL * len(rooms)
    lines, marks = [], []
    for at, room in enumerate(rooms):
        y = _CELL * at + _CELL / 2
        lines.append(text(_LABELS - 6, y + 4, room, "small", "end"))
        # From the room's name to the right, and up from where it meets the diagonal.
        lines.append(path(f"M{_LABELS} {y}H{_LABELS + size}M{_LABELS + y} {y}V0", "faint"))
        for other in sorted(knows[room], key=rooms.index):
            x = _LABELS + _CELL * rooms.index(other)
            marks.append(
                f'<rect x="{x + 2}" y="{y - 5}" width="10" height="10" rx="2" fill="{BLUE}">'
                f"<title>{room} imports {other}</title></rect>"
            )
    title = "Which room imports which: all marks are right of the diagonal"
    return document(title, _LABELS + size + 8, size + 8, [*lines, *marks])


def page() -> str:
    """Return the page of the rooms."""
    knows = known()
    rows = [
        f"| `{room}` | {_opening(room)} | {_names(sorted(knows[room], key=house.ROOMS.index))} |\n"
        for room in house.ROOMS
    ]
    client, others = "".join(rows[_FRONT:]), "".join(rows[:_FRONT])
    return f"{_PROSE}{_HEAD}{client}\n## The command, and the leaves\n\n{_HEAD}{others}"


def _opening(room: str) -> str:
    """Return the first paragraph of a room's docstring, as a cell of a table."""
    said = ast.get_docstring(ast.parse(_file(room).read_text("utf-8"))) or ""
    return " ".join(said.split("\n\n")[0].split()).replace("|", "\\|")


def _file(room: str) -> Path:
    file = house.HOUSE / f"{room}.py"
    return file if file.exists() else house.HOUSE / room / "__init__.py"


def _names(rooms: list[str]) -> str:
    return ", ".join(f"`{room}`" for room in rooms)
