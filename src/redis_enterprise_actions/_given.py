"""What is to be waited for, as it is given: references, and what stands in standard input.

Knows what a person writes into a file, and what `list --json`, `submit --json` and jq make.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from ._action import Kind
from ._errors import UsageError
from ._reference import parse


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._reference import Reference

_JSON: Final = ("{", "[", '"')  # how a line of it begins, and no reference does
_NOTHING: Final = "- holds what names nothing to wait for"
_RUNS: Final = frozenset({Kind.NODE_ACTION, Kind.CLUSTER_ACTION})  # whose uid has a run besides
_OWN: Final = _RUNS | {Kind.EXPORT, Kind.IMPORT, Kind.BACKUP, Kind.DATABASE}  # whose uid says all


def references(given: Iterable[str]) -> list[Reference]:
    """Return what is to be waited for; `-` stands for what standard input holds."""
    return [ref for text in given for ref in (_stdin() if text == "-" else [parse(text)])]


def _stdin() -> list[Reference]:
    if sys.stdin is None:
        raise UsageError("- cannot be read: there is no standard input")
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(f"- cannot be read: {error}") from None
    return list(read(text))


def read(text: str) -> Iterator[Reference]:
    """Read references, one a line, or JSON; blank lines and those that begin with # say nothing."""
    rest = text.lstrip()
    while rest:
        if rest.startswith(_JSON):
            value, end = _decoded(rest)
            yield from _named(value)
        else:
            line, _, _ = rest.partition("\n")
            end = len(line)
            if not line.startswith("#"):
                yield parse(line.rstrip())
        rest = rest[end:].lstrip()


def _decoded(text: str) -> tuple[object, int]:
    """Return the JSON value that a text begins with, and its length."""
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        raise UsageError(f"- holds what is no JSON: {text.splitlines()[0][:60]!r}") from None
    return value, end


def _named(value: object) -> Iterator[Reference]:
    """Return what a JSON value names: a reference, an action, an event, or a list of these."""
    try:
        given = msgspec.convert(value, str | _Object | list[object] | None)
    except msgspec.ValidationError:
        raise UsageError(f"{_NOTHING}: {json.dumps(value)[:60]}") from None
    if isinstance(given, str):
        yield parse(given)
    elif isinstance(given, _Object):
        yield from given.references()
    elif given is not None:
        for each in given:
            yield from _named(each)


class _Object(msgspec.Struct):
    """What an action or an event says of what it is about."""

    ref: str | msgspec.UnsetType | None = msgspec.UNSET
    uid: str | None = None
    kind: str | None = None
    task_id: str | None = None
    event: str | None = None

    def references(self) -> Iterator[Reference]:
        """Return the reference that is meant; of a call that started nothing there is none."""
        if isinstance(self.ref, str):
            yield parse(self.ref)
        elif self.ref is msgspec.UNSET and self.uid is not None:
            yield parse(self._of_action(self.uid))
        elif self.ref is msgspec.UNSET and self.event is None:
            raise UsageError(f"{_NOTHING}: an object without ref and uid")

    def _of_action(self, uid: str) -> str:
        if self.kind == Kind.CRDB_TASK:
            return f"crdb:{uid}"
        if self.kind not in _OWN:
            return f"action:{uid}"
        return f"{uid}@{self.task_id}" if self.kind in _RUNS and self.task_id else uid
