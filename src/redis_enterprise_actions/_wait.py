"""When one wait is over, and how: the rules, without the asking.

A `Wait` is told the time and what came back, and says until when a request may take, whether
there is news, how long to rest, or, by raising, that the wait has ended. It reads no clock and
awaits nothing, so every rule can be tested with a table of answers.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict

from ._action import Phase, has_moved, is_news, one_line
from ._errors import (
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionStalled,
    ActionVanished,
    ClusterUnreachable,
    RequestError,
    WaitTimeout,
)
from ._pace import PollState, RequestBackoff, is_transient


if TYPE_CHECKING:
    from tenacity.wait import WaitBaseT

    from ._action import Action
    from ._errors import WaitError

_log = logging.getLogger(__name__)

LAST_POLL: Final = 2.0  # seconds that a poll made at a limit may take, as nothing is left then
CLOSE: Final = 0.5  # a poll that would come this close before the deadline is made there instead
_TICK: Final = 1e-3  # a loop may wake a clock's tick early

_ENDS: Final[dict[Phase, type[WaitError]]] = {
    Phase.FAILED: ActionFailed,
    Phase.CANCELLED: ActionCancelled,
    Phase.ABORTED: ActionAborted,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long a wait may do without what it waits for, in seconds; `inf` is for ever."""

    timeout: float = math.inf
    stall_timeout: float = math.inf
    outage_timeout: float = 300.0
    not_found_grace: float = 10.0


class Wait:
    """One wait for one action. Times are the event loop's, in seconds."""

    def __init__(self, uid: str, *, limits: Limits, poll: WaitBaseT, now: float) -> None:
        self.uid = uid
        self.action: Action | None = None
        self.deadline = now + limits.timeout
        self._limits = limits
        self._poll = poll
        self._began = now
        self._polls = 0
        self._pace = PollState(now)
        self._asked = now  # the moment that the last answer, or the lack of one, speaks for
        self._moved_at = now
        self._missing_since: float | None = None
        self._outage: _Outage | None = None
        self._strange_words: set[str] = set()

    @property
    def over(self) -> bool:
        """Whether the action was seen to have ended."""
        return self.action is not None and self.action.phase.terminal

    def asking(self, now: float) -> float:
        """Note that a poll goes out; return the time at which it is to be cut short."""
        self._polls += 1
        self._asked = now
        end = min(self.deadline, self._outage.end if self._outage else math.inf)
        return end if now < end - _TICK else now + LAST_POLL

    def heard(self, found: Action | None, now: float) -> bool:
        """Take an answer, None for "not known"; return whether it is news for the user.

        Raises `ActionVanished` and `ActionStalled`, which are doubts: the database may know
        better. Until it has answered, an outage is not over.
        """
        if found is None:
            self._missed(now)
            return False
        news = is_news(self.action, found)
        if has_moved(self.action, found):
            self._moved_at = self._asked
        elif self._reached(self._moved_at + self._limits.stall_timeout):
            raise ActionStalled(**self._so_far(now), stall_timeout=self._limits.stall_timeout)
        self.action = found
        self._missing_since = None
        self._answers_again(now)
        self._wonder_at(found)
        return news

    def failed(self, error: RequestError, now: float) -> None:
        """Take the lack of an answer; raise `error` if asking again cannot help."""
        if not is_transient(error):
            raise self._told_of(error, now)
        if self._outage is None:
            self._outage = _Outage(self._asked, self._limits.outage_timeout)
            _log.warning("action %s: %s; asking again", one_line(self.uid), error)
        self._outage.took(error)
        self._asked = now

    def cut(self, now: float) -> None:
        """Take it that what was under way was cut short at a limit."""
        self._asked = now

    def rest(self, now: float) -> float:
        """Return the seconds to sleep before the next poll, or raise what ends the wait."""
        self._check_limits(now)
        if self._outage is not None:
            pause = self._outage.pace.pause_after(RequestBackoff(), self._outage.error, now)
        else:
            pause = self._pace.pause_after(self._poll, self.action, now)
        wake = now + pause
        if self.deadline - wake < min(pause, CLOSE):
            wake = self.deadline
        return max(0.0, min(wake, *self._limits_ahead()) - now)

    def result(self, now: float) -> Action:
        """Return the action if it ended well; raise the `WaitError` that says how it ended."""
        if self.action is None or not self.over:
            raise AssertionError("the wait is not over")
        end = _ENDS.get(self.action.phase)
        if end is None:
            return self.action
        raise end(**self._so_far(now))

    # --- the rules ------------------------------------------------------------------------------

    def _missed(self, now: float) -> None:
        if self.action is not None:
            raise ActionVanished(**self._so_far(now))
        self._answers_again(now)
        if self._missing_since is None:
            self._missing_since = self._asked

    def _check_limits(self, now: float) -> None:
        """Raise at a limit, once the cluster was asked there: sleeping late ends no wait."""
        if self._outage is not None:
            if self._reached(self._outage.end):
                raise self._told_of(self._outage.unreachable(), now) from self._outage.error
        elif self._missing_since is not None and self._reached(self._grace_end):
            raise ActionNotFound(**self._so_far(now))
        if self._reached(self.deadline):
            cause = self._outage.error if self._outage else None
            raise WaitTimeout(**self._so_far(now), timeout=self._limits.timeout) from cause

    def _limits_ahead(self) -> tuple[float, float]:
        if self._outage is not None:
            return self.deadline, self._outage.end
        if self.action is None:
            return self.deadline, self._grace_end
        return self.deadline, self._moved_at + self._limits.stall_timeout

    @property
    def _grace_end(self) -> float:
        since = self._began if self._missing_since is None else self._missing_since
        return since + self._limits.not_found_grace

    def _reached(self, limit: float) -> bool:
        return self._asked >= limit - _TICK

    def _answers_again(self, now: float) -> None:
        if self._outage is not None:
            length = now - self._outage.began
            _log.warning(
                "action %s: the cluster answers again after %.1f s", one_line(self.uid), length
            )
            self._outage = None

    def _wonder_at(self, action: Action) -> None:
        if action.phase is Phase.UNKNOWN and action.status not in self._strange_words:
            self._strange_words.add(action.status)
            _log.warning("unknown status, taken as not yet over: %s", action)

    def _so_far(self, now: float) -> _SoFar:
        return {
            "uid": self.uid,
            "action": self.action,
            "elapsed": now - self._began,
            "polls": self._polls,
        }

    def _told_of(self, error: RequestError, now: float) -> RequestError:
        """Add to an error of one request what the wait knows."""
        error.uid = self.uid
        error.action = self.action
        error.elapsed = now - self._began
        error.polls = self._polls
        return error


class _SoFar(TypedDict):
    uid: str
    action: Action | None
    elapsed: float
    polls: int


class _Outage:
    """A time without usable answers, from the first request that got none."""

    def __init__(self, began: float, budget: float) -> None:
        self.began = began
        self.end = began + budget
        self.pace = PollState(began)
        self._errors = 0

    def took(self, error: RequestError) -> None:
        self.error = error
        self._errors += 1

    def unreachable(self) -> ClusterUnreachable:
        """Return the error for an outage that outlasted the budget."""
        last = self.error
        known = last if isinstance(last, ClusterUnreachable) else None
        return ClusterUnreachable(
            last.method,
            last.path,
            reason=known.reason if known else last.said,
            attempts=self._errors,
            status=known.status if known else None,
            error_code=known.error_code if known else None,
            retry_after=last.retry_after,
        )
