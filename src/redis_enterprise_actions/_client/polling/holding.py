"""`Holding`: the time for which a condition has been true, and how often it is looked at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.pacing.schedules import AimedWait, every, schedule_for


if TYPE_CHECKING:
    from tenacity.wait import WaitBaseT

_LOOKS: Final = 10  # polls, about, while a condition has to hold
_SHORTEST_LOOK: Final = 1.0  # seconds between them, at least
_LONGEST_LOOK: Final = 15.0  # and at most
_LATE: Final = 1.0  # seconds; a poll that is later than that has left a gap


class Holding:
    """Time for which a condition has been true, from the answer that first showed it on.

    The cluster is asked ten times within `hold`, but no more than once a second and no less than
    every 15 s; or by `poll`, if not less than ten times. `due` is the time of the next poll, as
    long as the wait is polled for.
    """

    __slots__ = ("due", "schedule", "until", "was_away")

    def __init__(self, since: float, hold: float, poll: WaitBaseT | None, asked_at: float) -> None:
        self.until = since + hold
        self.was_away = False  # no answer has come since the waiter was busy in a callback
        self.due = math.inf
        longest = max(_SHORTEST_LOOK, hold / _LOOKS)
        if poll is None or type(poll) is AimedWait:  # which aims at an end
            poll = every(min(longest, _LONGEST_LOOK))
        self.schedule = schedule_for(poll, asked_at, longest)

    def has_gap_before(self, asked_at: float) -> bool:
        """Return True if the waiter was away for so long that a poll was missed."""
        return self.was_away and asked_at > min(self.due, self.until) + _LATE

    def on_true(self, now: float) -> None:
        """Record that an answer has shown the condition true."""
        self.was_away, self.due = False, self.schedule.due_after(now)
