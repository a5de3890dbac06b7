"""`Outcome`: the ways in which a wait can end, with the word, exit code and mark of each."""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from .action import Action, Phase


if TYPE_CHECKING:
    from collections.abc import Mapping

    from .errors import RedisActionsError


class Outcome(enum.StrEnum):
    """End of a wait. The value is the word for it.

    `exit_code` is the exit code of `redis-actions wait`. `mark` is the sign of the outcome in
    reports and on terminals, `ascii_mark` the sign where only ASCII can be shown.

    `REACHED` is a wait that ended, as it was to, before the work did: at a state or a progress.
    `INTERRUPTED` is a wait that was cancelled, whose client was closed, or whose callback failed.
    `UNDER_WAY` is a wait that has not ended. `WRONG_USAGE` is an argument that cannot work, which
    may show in an answer only. `NOT_FOLLOWED` is a call whose answer named nothing to follow.
    `UNHEALTHY` is a cluster that a check has found to be not healthy.
    """

    _value_: str
    exit_code: int
    mark: str
    ascii_mark: str

    def __new__(cls, word: str, exit_code: int, mark: str = "✗", ascii_mark: str = "x") -> Self:
        """Create a member from its word, exit code and marks."""
        outcome = str.__new__(cls, word)
        outcome._value_ = word
        outcome.exit_code = exit_code
        outcome.mark = mark
        outcome.ascii_mark = ascii_mark
        return outcome

    COMPLETED = "completed", 0, "✓", "+"
    REACHED = "reached", 0, "✓", "+"
    FAILED = "failed", 1
    CANCELLED = "cancelled", 1
    ABORTED = "aborted", 1
    TIMED_OUT = "timed out", 3, "…", "~"
    STALLED = "stalled", 3, "…", "~"
    NOT_FOUND = "not found", 4
    VANISHED = "vanished", 4
    UNREACHABLE = "unreachable", 5
    REJECTED = "rejected", 5
    UNHEALTHY = "not healthy", 7
    NOT_FOLLOWED = "not followed", 8
    WRONG_USAGE = "wrong usage", 2
    INTERRUPTED = "interrupted", 130, "■", "-"  # 128 + SIGINT, as shells have it
    UNDER_WAY = "under way", 0, "…", "~"

    @property
    def is_error(self) -> bool:
        """Return True if the wait ended with an error of this package."""
        return self not in _NO_ERRORS

    @classmethod
    def of(cls, result: Action | RedisActionsError) -> Outcome:
        """Return the outcome of a wait that returned or raised `result`.

        The outcome of an action that has not ended is `UNDER_WAY`.
        """
        if isinstance(result, Action):
            return _BY_PHASE.get(result.phase, cls.UNDER_WAY)
        return result.outcome


_NO_ERRORS: Final = (
    Outcome.COMPLETED,
    Outcome.REACHED,
    Outcome.INTERRUPTED,
    Outcome.UNDER_WAY,
)
_BY_PHASE: Final[Mapping[Phase, Outcome]] = MappingProxyType({
    Phase.COMPLETED: Outcome.COMPLETED,
    Phase.FAILED: Outcome.FAILED,
    Phase.CANCELLED: Outcome.CANCELLED,
    Phase.ABORTED: Outcome.ABORTED,
})  # fmt: skip
