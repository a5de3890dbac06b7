"""What is said of waits under way and of how they ended, on standard output."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from ._action import Action, one_line
from ._errors import (
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionStalled,
    ActionVanished,
    RedisActionsError,
    RequestError,
    WaitError,
    WaitTimeout,
)
from ._record import plain


if TYPE_CHECKING:
    from ._bars import Bars

# How a wait can end otherwise than well: the error, the word for it, the exit code.
_ENDS: Final[tuple[tuple[type[RedisActionsError], str, int], ...]] = (
    (ActionFailed, "failed", 1),
    (ActionCancelled, "cancelled", 1),
    (ActionAborted, "aborted", 1),
    (WaitTimeout, "timed out", 3),
    (ActionStalled, "stalled", 3),
    (ActionNotFound, "not found", 4),
    (ActionVanished, "vanished", 4),
    (RequestError, "unreachable", 5),
    (RedisActionsError, "wrong usage", 2),
)


def end_of(result: Action | RedisActionsError) -> tuple[str, int]:
    """Return the word and the exit code for how a wait ended."""
    if isinstance(result, Action):
        return "completed", 0
    return next((word, code) for kind, word, code in _ENDS if isinstance(result, kind))


class Report:
    """Tells of waits under way, a line for each change and one for each end."""

    def __init__(self, *, as_json: bool, bars: Bars | None) -> None:
        self._as_json = as_json
        self._bars = bars
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()

    def changed(self, action: Action) -> None:
        """Tell how an action stands."""
        elapsed = self._clock() - self._began
        if self._bars is not None:
            self._bars.changed(action)
        elif self._as_json:
            print_json({"event": "change", "elapsed": round(elapsed, 3), "action": action})
        else:
            print_line(f"{elapsed:8.1f} s  {action}")

    def ended(self, uid: str, result: Action | WaitError | RequestError) -> int:
        """Tell how a wait ended; return its exit code."""
        elapsed = self._clock() - self._began
        outcome, code = end_of(result)
        if isinstance(result, Action):
            said = f"{result.title} [{one_line(uid)}] completed after {elapsed:.1f} s"
        else:
            said = str(result)
        if self._as_json:
            print_json({
                "event": "end",
                "uid": uid,
                "outcome": outcome,
                "exit_code": code,
                "elapsed": round(elapsed, 3),
                "message": said,
                "action": plain(result) if isinstance(result, Action) else result.action,
            })  # fmt: skip
        else:
            print_line(said)
        return code


def show(action: Action, *, as_json: bool) -> None:
    if as_json:
        print_json(action)
    else:
        print_line(str(action))


def print_json(value: object) -> None:
    print_line(msgspec.json.encode(value).decode())


def print_line(line: str) -> None:
    print(line, flush=True)
