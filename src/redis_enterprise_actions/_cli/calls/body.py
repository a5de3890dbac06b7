"""JSON of a call: the values of `--data` and its like."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import msgspec

from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis_enterprise_actions._model.secret import Secret

_MAX_DEPTH: Final = 100  # the bodies of the API are ten levels deep at most


def read_data(data: Secret | None, option: str = "--data") -> object:
    """Return the value that an option gives: JSON, or `@FILE`, or `@-` for standard input.

    Raises `UsageError`, whose message quotes nothing of the value, as that may hold passwords.
    """
    if data is None:
        return None
    text = data.reveal()
    body: str | bytes = text
    if text.startswith("@"):
        path = text.removeprefix("@")
        if path == "-" and sys.stdin is None:
            raise UsageError(f"{option} @- cannot be read: there is no standard input")
        try:
            body = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        except (OSError, ValueError) as error:
            raise UsageError(f"{option} @{path} cannot be read: {error}") from None
    problem = "is not JSON"  # raised below, as the decoder's error may quote the body
    try:
        value: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        pass
    else:
        if not _is_too_deep(value):
            return value
        problem = f"is nested more than {_MAX_DEPTH} levels deep"
    raise UsageError(f"{option} {problem}")


def _is_too_deep(value: object) -> bool:
    """Return True if a JSON value is too deep for recursive functions."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            each
            for outer in level
            if isinstance(outer, (dict, list))
            for each in cast(
                "Iterable[object]", outer.values() if isinstance(outer, dict) else outer
            )
        ]
    return any(isinstance(each, (dict, list)) for each in level)
