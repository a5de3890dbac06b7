"""When one wait is over, and how: the rules, without the asking.

A `Wait` is told the time and what came back, and says until when a request may take, whether
there is news, when it would ask next, or, by raising, that the wait has ended. It reads no clock
and awaits nothing, so every rule can be tested with a table of answers.
"""

from __future__ import annotations

import logging
import math
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar

from msgspec import structs

from redis_enterprise_actions._client.pacing.retry import is_transient
from redis_enterprise_actions._client.pacing.schedules import TICK, pace_of
from redis_enterprise_actions._model.action import (
    Ambiguity,
    AmbiguousAnswer,
    Evidence,
    Kind,
    Phase,
    has_moved,
    is_visible_change,
)
from redis_enterprise_actions._model.errors import (
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionStalled,
    ActionVanished,
    RequestError,
    WaitTimeout,
)
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.record import RecordBuilder, with_message, with_record
from redis_enterprise_actions._model.reference import ReferenceKind

from .outages import Outages


if TYPE_CHECKING:
    from datetime import datetime

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.record import FinishedAction, Record
    from redis_enterprise_actions._model.reference import Reference

_log = logging.getLogger(__name__)

_E = TypeVar("_E", bound=RequestError)

LAST_POLL: Final = 2.0  # seconds that a poll made at a limit may take, as nothing is left then
CLOSE: Final = 0.5  # a poll that would come this close before the deadline is made there instead

_TWICE: Final = 5.0  # seconds between two answers "not found" that confirm each other
_UNCHANGED: Final = 1.0  # seconds in which a change begins that was answered with its database
_MISSING: Final = "not found"  # the status of what is gone, as long as that is not certain

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


class Seen:
    """What a wait remembers, to judge answers that do not tell all by themselves."""

    __slots__ = ("busy", "failure", "gone", "gone_since", "idle", "quiet_since", "rested")

    def __init__(self) -> None:
        self.busy = False  # something was seen to be done, which was not before the call
        self.rested = False  # nothing was seen to be done
        self.idle = False  # a status was seen that is no result
        self.failure: str | None = None  # the one that was there before; empty for none
        self.quiet_since: float | None = None  # nothing was seen to be done
        self.gone: str | None = None  # in which words it was said to be gone
        self.gone_since = math.inf

    @property
    def in_doubt(self) -> bool:
        """True while the last answers tell one thing or another."""
        return self.quiet_since is not None or self.gone is not None

    def certain(self, found: Action | None, *, busy_before: bool) -> None:
        """Note an answer that leaves no doubt."""
        self.quiet_since = self.gone = None
        if found is not None:
            self.failure = ""
            is_new = self.rested or not busy_before
            self.busy = self.busy or (found.phase.unfinished and is_new)


class Looks:
    """Looks that many waits have in common, as long as they hear nothing that they act on.

    They are noted once for all of them, and each wait takes them over when it needs them.
    """

    __slots__ = ("asked", "count", "heard", "ran_at")

    def __init__(self) -> None:
        self.count = 0
        self.asked = -math.inf  # the last moment that was asked about
        self.ran_at = -math.inf  # the last one that an answer speaks for
        self.heard = -math.inf  # when that came

    def ask(self, now: float) -> None:
        """Note that a poll goes out."""
        self.count += 1
        self.asked = now

    def hear(self, now: float) -> None:
        """Note that it was answered."""
        self.ran_at, self.heard = self.asked, now


class Wait:
    """One wait for one action. Times are the event loop's, in seconds; `wall` is the wall clock."""

    __slots__ = (
        *("_began", "_lag_bound", "_limits", "_log", "_missing_since", "_moved_at", "_outages"),
        *("_polls", "_ran_at"),
        *(
            "_counted",
            "_elsewhere",
            "_finished",
            "_looks",
            "_record",
            "_seen",
            "_strange_words",
            "action",
            "asked",
            "deadline",
            "end",
            "limit",
            "pace",
            "ref",
        ),
    )

    def __init__(
        self,
        ref: Reference,
        *,
        limits: Limits,
        poll: WaitBaseT | None = None,
        now: float,
        wall: datetime,
    ) -> None:
        self.ref = ref
        self.action: Action | None = None
        self.pace = pace_of(poll, now)
        self.deadline = now + limits.timeout
        self._limits = limits
        self._began = now
        self._polls = 0
        self.asked = now  # the moment that the last answer, or the lack of one, speaks for
        self._moved_at = now
        self._ran_at: float | None = None  # the last moment at which it is known to have gone on
        self._lag_bound: float | None = None  # how late its end was seen, at most
        self._missing_since: float | None = None
        self._outages = Outages()
        self._elsewhere = False  # whether there is another node to ask, limit or no limit
        self._strange_words: frozenset[str] = frozenset()
        self._seen = None if ref.kind is ReferenceKind.ACTION else Seen()
        self._log = RecordBuilder(now, wall)
        self._record: Record | None = None  # once it has ended
        self._finished: FinishedAction | None = None  # likewise
        self._looks: Looks | None = None  # those that it has in common with others
        self._counted = 0  # how many of them it has taken over
        self._look_ahead()

    @property
    def over(self) -> bool:
        """Whether the action was seen to have ended."""
        return self.action is not None and self.action.phase.terminal

    @property
    def fresh(self) -> bool:
        """Whether the cluster was never asked on behalf of this wait."""
        return self._polls == 0

    @property
    def due(self) -> float:
        """When this wait, were it alone, would ask next."""
        due = self.pace.due
        if self.deadline - due < min(due - self.asked, CLOSE):
            due = self.deadline
        return min(due, self.limit)

    def asking(self, now: float) -> float:
        """Note that a poll goes out; return the time at which it is to be cut short."""
        self._polls += 1
        self.asked = now
        return self.end if now < self.end - TICK else now + LAST_POLL

    def heard(
        self, found: Action | AmbiguousAnswer | None, now: float, *, shared: bool = False
    ) -> bool:
        """Take an answer, None for "not known"; return whether it is news for the user.

        A `shared` one answers a request that was not made for this wait alone.

        Raises `ActionVanished` and `ActionStalled`, which are doubts: the database may know
        better. Until it has answered, an outage is not over.
        """
        # Otherwise the limits are where they were.
        unsettled = self.action is None or self._outages or self._limits.stall_timeout < math.inf
        if self._seen is not None or isinstance(found, AmbiguousAnswer):
            unsettled = True
            found = self._judged(found, now)
        if found is None:
            if self.action is not None:
                raise ActionVanished(**self._so_far(now))
            if self._missing_since is None:
                self._missing_since = self.asked
            news = False
        else:
            news = self._saw(found, now)
        self._elsewhere = False
        if unsettled:
            for trouble in self._outages.are_over(now):
                self._log.add_outage(trouble)
            self._look_ahead()
        if not self.over:
            self.pace.heard(found, self.asked, now, shared=shared)
        return news

    def hears_no_more(self, now: float) -> bool:
        """Take an answer, to a request that is shared, which says what the last one said.

        Return whether that is all: False if it has to be `heard`, as something hangs on it. Of
        thousands of waits this is what most hear.
        """
        asked = self.asked
        if self._outages or self._reached(self.limit) or not self.pace.heard_again(asked, now):
            return False
        self._ran_at = asked
        return True

    @property
    def is_at_ease(self) -> bool:
        """Whether it acts on nothing but the end of the action, and its own deadline."""
        seen = self.action is not None and not self.action.phase.terminal
        return seen and not self._outages and self._limits.stall_timeout == math.inf

    def join(self, looks: Looks) -> None:
        """Have its looks in common with others from now on."""
        self._looks, self._counted = looks, looks.count

    def goes_on(self, found: Action, now: float) -> None:
        """Take an answer to a common look in which the action has changed, but not ended."""
        self.action = found
        self._log.add_answer(found, now)
        self.pace.heard(found, self.asked, now, shared=True)

    def catch_up(self) -> None:
        """Take over the common looks so far."""
        looks = self._looks
        if looks is not None:
            self._polls += looks.count - self._counted
            self._counted = looks.count
            self.asked, self._ran_at = looks.asked, looks.ran_at
            self.pace.heard_again(looks.ran_at, looks.heard)

    def part(self) -> None:
        """Have its looks alone again."""
        self.catch_up()
        self._looks = None

    def failed(
        self, error: RequestError, now: float, *, own: bool = True, since: float = math.inf
    ) -> None:
        """Take the lack of an answer; raise what `error` means if asking again cannot help.

        It is its `own` where this action alone was asked about; everybody's lasts `since` then,
        or since it was asked.
        """
        if not is_transient(error):
            raise self._told_of(copy(error), now) from error.__cause__
        began, budget = min(self.asked, since), self._limits.outage_timeout
        self._elsewhere = self._outages.took(error, own=own, began=began, budget=budget)
        self.asked = now
        self.pace.tried(now)
        self._look_ahead()

    def cluster_answers(self, now: float) -> None:
        """Take it that the cluster answers others: an outage that was everybody's is over."""
        trouble = self._outages.everybodys_is_over(now)
        if trouble is not None:
            self._log.add_outage(trouble)
            self._look_ahead()

    def cut(self, now: float) -> None:
        """Take it that what was under way was cut short at a limit."""
        self.asked = now
        self._elsewhere = False

    def check(self, now: float) -> None:
        """Raise at a limit, once the cluster was asked there: sleeping late ends no wait.

        A node that does not answer is not the cluster, as long as there is another one to ask.
        """
        if self.asked < self.limit - TICK or self._elsewhere:
            return
        outage = self._outages.first
        if outage is not None:
            if self._reached(outage.end):
                unreachable = self._outages.unreachable(outage.error)
                raise self._told_of(unreachable, now) from outage.error
        elif self._missing_since is not None and self._reached(self._grace_end):
            raise ActionNotFound(**self._so_far(now))
        if self._reached(self.deadline):
            cause = outage.error if outage else None
            raise WaitTimeout(**self._so_far(now), timeout=self._limits.timeout) from cause

    def ended(self, now: float, error: WaitError | RequestError | None = None) -> Record:
        """Return what it has been through, once and for all, as it ends: by `error`, if given.

        Without one it ends as its action did, or, where that is not over, as whoever waited left.
        """
        if self._record is None:
            if error is None:
                error = self._failure(now)
            elsewise = Outcome.COMPLETED if self.over else Outcome.INTERRUPTED
            self._record = self._recorded(now, error.outcome if error else elsewise, error)
        if error is not None:
            error.record = self._record
        return self._record

    def record(self, now: float) -> Record:
        """Return what it has been through so far."""
        self.catch_up()
        return self._record or self._recorded(now, Outcome.UNDER_WAY)

    def finished(self, now: float) -> FinishedAction:
        """Return the action as it has ended, however that is, with the record."""
        if self.action is None or not self.over:
            raise AssertionError("the wait is not over")
        if self._finished is None:
            self._finished = with_record(self.action, self.ended(now))
        return self._finished

    def result(self, now: float) -> FinishedAction:
        """Return the action if it ended well; raise the `WaitError` that says how it ended."""
        action = self.finished(now)
        failure = self._failure(now)
        if failure is None:
            return action
        failure.record = action.record
        raise failure

    # --- the rules ------------------------------------------------------------------------------

    @property
    def failing(self) -> bool:
        """Whether asking about this action alone has failed, and nothing has been heard since."""
        return self._outages.own

    def _judged(self, found: Action | AmbiguousAnswer | None, now: float) -> Action | None:
        """Return how the action stands, by what this wait has seen before; None for "not known"."""
        seen = self._seen = self._seen or Seen()
        if not isinstance(found, AmbiguousAnswer):
            seen.certain(found, busy_before=self.ref.busy_before)
            return found
        if found.ambiguity is Ambiguity.REPLACED:
            raise ActionVanished(**self._so_far(now))
        if found.ambiguity is Ambiguity.GONE:
            return self._judged_gone(found.action, found.mark, seen)
        if found.ambiguity is Ambiguity.QUIET:
            return self._judged_quiet(found.action, seen)
        if found.ambiguity is Ambiguity.KNOWN_FAILURE:
            return self._judged_failure(found, seen, now)
        return self._judged_result(found, seen)

    def _judged_result(self, found: AmbiguousAnswer, seen: Seen) -> Action | None:
        """Return a result if it is that of the run that is waited for, not of the one before."""
        action = found.action
        was_told = self.action is not None and self.action.kind is not Kind.OTHER
        if found.ambiguity is Ambiguity.IDLE:
            seen.idle = True
            return None
        if found.ambiguity is Ambiguity.OLD_RESULT:
            return action if seen.idle or was_told else None
        since = self.asked if self._missing_since is None else self._missing_since
        stayed = self._reached(since + self._limits.not_found_grace)
        if not was_told and stayed:
            return _told_by(Evidence.SAME_RESULT, action)
        return action if was_told else None

    def _judged_failure(self, found: AmbiguousAnswer, seen: Seen, now: float) -> Action | None:
        """Return a database's failure, unless it was there before the call, or the first look."""
        if seen.failure is None:
            seen.failure = found.mark if found.known_failure is None else found.known_failure
        failure = seen.failure
        if not set(found.mark.split("+")) <= set(failure.split("+")):
            if self.ref.busy_before and not seen.rested:  # it may be that of what went before
                raise ActionVanished(**self._so_far(now))
            return found.action
        stands = self._judged(found.otherwise, now)
        seen.failure = failure
        return stands

    def _judged_quiet(self, action: Action, seen: Seen) -> Action:
        """Return a database to which nothing is done, as settled or as about to be changed."""
        seen.failure, seen.gone, seen.rested = "", None, True
        if seen.busy:
            return action
        if seen.quiet_since is None:
            seen.quiet_since = self.asked
        if self._reached(seen.quiet_since + self._settling_time):
            return _told_by(Evidence.QUIET, action)
        return structs.replace(action, phase=Phase.PENDING)

    def _judged_gone(self, action: Action, words: str, seen: Seen) -> Action:
        """Return what was not found, as gone if that was said twice, in the same words."""
        if seen.gone != words:
            seen.gone, seen.gone_since = words, self.asked
        if self._reached(seen.gone_since + _TWICE):
            return _told_by(Evidence.NOT_FOUND, action)
        if self.action is not None:
            return self.action
        return structs.replace(
            action, status=_MISSING, phase=Phase.PENDING, evidence=Evidence.ACTION
        )

    @property
    def _settling_time(self) -> float:
        """Seconds for which a database that is never seen busy may be about to be changed."""
        grace = self._limits.not_found_grace
        return min(grace, _UNCHANGED) if self.ref.unchanged else grace

    def _saw(self, found: Action, now: float) -> bool:
        """Take an action that is there; return whether it is news."""
        if not found.phase.terminal:
            self._ran_at = self.asked
        elif self._ran_at is not None and found.evidence is Evidence.ACTION:
            self._lag_bound = now - self._ran_at
        last = self.action
        news = found is not last and is_visible_change(last, found)
        if news or (last is not None and has_moved(last, found)):
            self._moved_at = self.asked
            self._log.add_answer(found, now)
        elif self._in_doubt:
            self._moved_at = self.asked
        elif self._reached(self._moved_at + self._limits.stall_timeout):
            raise ActionStalled(**self._so_far(now), stall_timeout=self._limits.stall_timeout)
        self.action = found
        self._missing_since = None
        if news:
            self._wonder_at(found)
        return news

    def _look_ahead(self) -> None:
        """Find the next limit: `end` ends the wait in any case, `limit` unless asking helps."""
        self.end = self.deadline
        outage = self._outages.first
        if outage is not None:
            self.end = self.limit = min(self.deadline, outage.end)
        elif self.action is None:
            self.limit = min(self.deadline, self._grace_end)
        else:
            self.limit = min(self.deadline, self._moved_at + self._limits.stall_timeout)
            if self._seen is not None and self._seen.quiet_since is not None:
                self.limit = min(self.limit, self._seen.quiet_since + self._settling_time)
            if self._seen is not None and self._seen.gone is not None:
                self.limit = min(self.limit, self._seen.gone_since + _TWICE)

    @property
    def _in_doubt(self) -> bool:
        return self._seen is not None and self._seen.in_doubt

    @property
    def _grace_end(self) -> float:
        since = self._began if self._missing_since is None else self._missing_since
        return since + self._limits.not_found_grace

    def _reached(self, limit: float) -> bool:
        return self.asked >= limit - TICK

    def _wonder_at(self, action: Action) -> None:
        if action.phase is Phase.UNKNOWN and action.status not in self._strange_words:
            self._strange_words |= {action.status}
            fields = {"event": "unknown status", "ref": str(self.ref), "status": action.status}
            _log.warning("unknown status, taken as not yet over: %s", action, extra=fields)

    def _failure(self, now: float) -> WaitError | None:
        """Return the error for how the action has ended, None if it has not, or well."""
        end = None if self.action is None else _ENDS.get(self.action.phase)
        return None if end is None else end(**self._so_far(now))

    def _recorded(
        self, now: float, outcome: Outcome, error: WaitError | RequestError | None = None
    ) -> Record:
        record = self._log.record(
            now,
            ref=str(self.ref),
            action=self.action,
            polls=self._polls,
            outcome=outcome,
            open_outages=[outage.trouble() for outage in self._outages],
            lag_bound=self._lag_bound,
        )
        if error is None:
            return record
        error.record = record  # what it says depends on how the action was first seen
        return with_message(str(error), record)

    def _so_far(self, now: float) -> _SoFar:
        return {
            "uid": self.ref.name,
            "action": self.action,
            "elapsed": now - self._began,
            "polls": self._polls,
        }

    def _told_of(self, error: _E, now: float) -> _E:
        """Add to an error of one request what the wait knows."""
        error.uid = self.ref.name
        error.action = self.action
        error.elapsed = now - self._began
        error.polls = self._polls
        return error


def _told_by(evidence: Evidence, action: Action) -> Action:
    return structs.replace(action, evidence=evidence)


class _SoFar(TypedDict):
    uid: str
    action: Action | None
    elapsed: float
    polls: int
