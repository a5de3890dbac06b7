"""Which word and which exit code each end of a wait has, and how a line is printed."""

from __future__ import annotations

import contextlib
import sys
from typing import Final

import msgspec

from ._action import Action
from ._errors import (
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionStalled,
    ActionVanished,
    NothingToFollow,
    RedisActionsError,
    RequestError,
    RequestRejected,
    WaitTimeout,
)


# How a wait can end otherwise than well: the error, the word for it, the exit code.
_ENDS: Final[tuple[tuple[type[RedisActionsError], str, int], ...]] = (
    (ActionFailed, "failed", 1),
    (ActionCancelled, "cancelled", 1),
    (ActionAborted, "aborted", 1),
    (WaitTimeout, "timed out", 3),
    (ActionStalled, "stalled", 3),
    (ActionNotFound, "not found", 4),
    (ActionVanished, "vanished", 4),
    (NothingToFollow, "not followed", 8),
    (RequestRejected, "rejected", 5),
    (RequestError, "unreachable", 5),
    (RedisActionsError, "wrong usage", 2),
)


def end_of(result: Action | RedisActionsError) -> tuple[str, int]:
    """Return the word and the exit code for how a wait ended."""
    if isinstance(result, Action):
        return "completed", 0
    return next((word, code) for kind, word, code in _ENDS if isinstance(result, kind))


def show(action: Action, *, as_json: bool) -> None:
    if as_json:
        print_json(action)
    else:
        print_line(str(action))


def print_json(value: object) -> None:
    print_line(msgspec.json.encode(value).decode())


def print_line(line: str) -> None:
    print(line, flush=True)


def complain(line: str) -> None:
    """Say something beside the output."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr)
