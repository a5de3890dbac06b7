"""`ScenarioError`, and the fields that messages of msgspec and of `FakeCluster` are about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions.testing.wrong_argument import WrongArgument


if TYPE_CHECKING:
    from collections.abc import Collection

    import msgspec

_PLACE: Final = re.compile(r"(?s)(.*) - at (?:`key` in )?`(\$[^`]*)`")
_MEMBER: Final = re.compile(r"Object (?:contains unknown|missing required) field `(.*)`", re.DOTALL)
_WORD: Final = re.compile(r"[a-z][a-z_]*")


class ScenarioError(ValueError):
    """A scenario cannot be read, or the cluster refuses a part of it.

    `source` names the file, `field` the field in it, such as "$.actions[0].plan.duration", or None
    if there is none, and `problem` says what is wrong.
    """

    def __init__(self, source: str, field: str | None, problem: str) -> None:
        super().__init__(": ".join(filter(None, [source, field, problem])))
        self.source = source
        self.field = field
        self.problem = problem

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[str, str | None, str]]:
        return ScenarioError, (self.source, self.field, self.problem)


def place_of(error: msgspec.MsgspecError) -> tuple[str, str]:
    """Return the field that an error of msgspec is about, such as `$.seed`, and its text.

    An error of `__post_init__` is the cause of msgspec's, and may be about one argument.
    """
    text, field = str(error), "$"
    placed = _PLACE.fullmatch(text)
    if placed is not None:
        text, field = placed.groups()
    if isinstance(error.__cause__, WrongArgument):
        return f"{field}.{error.__cause__.argument}", text
    member = _MEMBER.fullmatch(text)
    return (field if member is None else f"{field}.{member[1]}"), text


def field_of(refusal: Exception, fields: Collection[str]) -> str | None:
    """Return the field that an error of the cluster is about, or None if it is none of `fields`.

    Errors that name no argument are about the word that their message begins with, or the node.
    """
    if isinstance(refusal, WrongArgument):
        name = refusal.argument
        return name if name.partition(".")[0] in fields else None
    if str(refusal).startswith("there is no node"):
        return next((name for name in ("node", "node_uid") if name in fields), None)
    word = _WORD.match(str(refusal))
    return word[0] if word is not None and word[0] in fields else None
