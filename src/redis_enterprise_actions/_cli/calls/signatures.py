"""Types of the table of named calls: a call, its arguments, and the kinds of these."""

from __future__ import annotations

import enum
from typing import NamedTuple


class ArgumentKind(enum.Enum):
    """Type of an argument on the command line."""

    NUMBER = enum.auto()
    DATABASE = enum.auto()  # a uid, or `name:NAME`
    TEXT = enum.auto()
    TEXTS = enum.auto()
    OBJECT = enum.auto()  # JSON
    OBJECTS = enum.auto()
    DURATION = enum.auto()
    FILE = enum.auto()  # a path
    EACH = enum.auto()  # a text for each of several calls
    SWITCH = enum.auto()
    CHOICE = enum.auto()


class CallArgument(NamedTuple):
    """Argument of a call. `option` is None for a positional one; `choices` are those of a CHOICE.

    `is_on` is the default of a SWITCH.
    """

    name: str
    kind: ArgumentKind
    option: str | None
    required: bool
    choices: tuple[str, ...] = ()
    is_on: bool = False


class NamedCall(NamedTuple):
    """Call of a resource.

    `method` is the name in Python, `summary` the first sentence of its docstring. `verb` says what
    the call destroys, as in "deletes"; None for other calls.
    """

    name: str
    method: str
    summary: str
    arguments: tuple[CallArgument, ...]
    verb: str | None = None
