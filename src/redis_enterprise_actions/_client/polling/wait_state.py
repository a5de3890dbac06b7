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
from redis_enterprise_actions._client.pacing.schedules import TICK, schedule_for
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

from .outages import OngoingOutages


if TYPE_CHECKING:
    from datetime import datetime

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.record import FinishedAction, Record
    from redis_enterprise_actions._model.reference import Reference

_log = logging.getLogger(__name__)

_E = TypeVar("_E", bound=RequestError)

LAST_POLL_TIMEOUT: Final = (
    2.0  # seconds that a poll made at a limit may take, as nothing is left then
)
CLOSE_TO_DEADLINE: Final = (
    0.5  # a poll that would come this close before the deadline is made there instead
)

_GONE_CONFIRMATION: Final = 5.0  # seconds between two answers "not found" that confirm each other
_UNCHANGED_GRACE: Final = (
    1.0  # seconds in which a change begins that was answered with its database
)
_NOT_FOUND: Final = "not found"  # the status of what is gone, as long as that is not certain

_ERRORS: Final[dict[Phase, type[WaitError]]] = {
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


class AnswerHistory:
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
    def is_uncertain(self) -> bool:
        """True while the last answers tell one thing or another."""
        return self.quiet_since is not None or self.gone is not None

    def record_certain(self, found: Action | None, *, busy_before: bool) -> None:
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


class WaitState:
    """One wait for one action. Times are the event loop's, in seconds; `wall` is the wall clock."""

    __slots__ = (
        *("_began", "_builder", "_counted", "_finished", "_history", "_lag_bound"),
        *("_last_moved_at", "_last_running_at", "_limits", "_looks", "_missing_since"),
        *("_other_node_left", "_outages", "_polls", "_record", "_unknown_statuses", "action"),
        *("asked_at", "deadline", "hard_limit", "ref", "schedule", "soft_limit"),
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
        self.schedule = schedule_for(poll, now)
        self.deadline = now + limits.timeout
        self._limits = limits
        self._began = now
        self._polls = 0
        self.asked_at = now  # the moment that the last answer, or the lack of one, speaks for
        self._last_moved_at = now
        self._last_running_at: float | None = (
            None  # the last moment at which it is known to have gone on
        )
        self._lag_bound: float | None = None  # how late its end was seen, at most
        self._missing_since: float | None = None
        self._outages = OngoingOutages()
        self._other_node_left = False  # whether there is another node to ask, limit or no limit
        self._unknown_statuses: frozenset[str] = frozenset()
        self._history = None if ref.kind is ReferenceKind.ACTION else AnswerHistory()
        self._builder = RecordBuilder(now, wall)
        self._record: Record | None = None  # once it has ended
        self._finished: FinishedAction | None = None  # likewise
        self._looks: Looks | None = None  # those that it has in common with others
        self._counted = 0  # how many of them it has taken over
        self._update_limits()

    @property
    def is_done(self) -> bool:
        """Whether the action was seen to have ended."""
        return self.action is not None and self.action.phase.terminal

    @property
    def is_new(self) -> bool:
        """Whether the cluster was never asked on behalf of this wait."""
        return self._polls == 0

    @property
    def due(self) -> float:
        """When this wait, were it alone, would ask next."""
        due = self.schedule.due
        if self.deadline - due < min(due - self.asked_at, CLOSE_TO_DEADLINE):
            due = self.deadline
        return min(due, self.soft_limit)

    def on_request(self, now: float) -> float:
        """Note that a poll goes out; return the time at which it is to be cut short."""
        self._polls += 1
        self.asked_at = now
        return self.hard_limit if now < self.hard_limit - TICK else now + LAST_POLL_TIMEOUT

    def on_answer(
        self, found: Action | AmbiguousAnswer | None, now: float, *, shared: bool = False
    ) -> bool:
        """Take an answer, None for "not known"; return whether it is news for the user.

        A `shared` one answers a request that was not made for this wait alone.

        Raises `ActionVanished` and `ActionStalled`, which are doubts: the database may know
        better. Until it has answered, an outage is not over.
        """
        # Otherwise the limits are where they were.
        unsettled = self.action is None or self._outages or self._limits.stall_timeout < math.inf
        if self._history is not None or isinstance(found, AmbiguousAnswer):
            unsettled = True
            found = self._resolve(found, now)
        if found is None:
            if self.action is not None:
                raise ActionVanished(**self._error_context(now))
            if self._missing_since is None:
                self._missing_since = self.asked_at
            news = False
        else:
            news = self._on_action(found, now)
        self._other_node_left = False
        if unsettled:
            for trouble in self._outages.end_all(now):
                self._builder.add_outage(trouble)
            self._update_limits()
        if not self.is_done:
            self.schedule.on_answer(found, self.asked_at, now, shared=shared)
        return news

    def hears_no_more(self, now: float) -> bool:
        """Take an answer, to a request that is shared, which says what the last one said.

        Return whether that is all: False if it has to be `heard`, as something hangs on it. Of
        thousands of waits this is what most hear.
        """
        asked = self.asked_at
        if (
            self._outages
            or self._reached(self.soft_limit)
            or not self.schedule.on_unchanged(asked, now)
        ):
            return False
        self._last_running_at = asked
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
        self._builder.add_answer(found, now)
        self.schedule.on_answer(found, self.asked_at, now, shared=True)

    def catch_up(self) -> None:
        """Take over the common looks so far."""
        looks = self._looks
        if looks is not None:
            self._polls += looks.count - self._counted
            self._counted = looks.count
            self.asked_at, self._last_running_at = looks.asked, looks.ran_at
            self.schedule.on_unchanged(looks.ran_at, looks.heard)

    def part(self) -> None:
        """Have its looks alone again."""
        self.catch_up()
        self._looks = None

    def on_error(
        self, error: RequestError, now: float, *, per_action: bool = True, since: float = math.inf
    ) -> None:
        """Take the lack of an answer; raise what `error` means if asking again cannot help.

        It is its `own` where this action alone was asked about; everybody's lasts `since` then,
        or since it was asked.
        """
        if not is_transient(error):
            raise self._with_context(copy(error), now) from error.__cause__
        began, budget = min(self.asked_at, since), self._limits.outage_timeout
        self._other_node_left = self._outages.record(
            error, per_action=per_action, began=began, budget=budget
        )
        self.asked_at = now
        self.schedule.on_no_answer(now)
        self._update_limits()

    def on_cluster_answered(self, now: float) -> None:
        """Take it that the cluster answers others: an outage that was everybody's is over."""
        trouble = self._outages.end_cluster_wide(now)
        if trouble is not None:
            self._builder.add_outage(trouble)
            self._update_limits()

    def on_timeout(self, now: float) -> None:
        """Take it that what was under way was cut short at a limit."""
        self.asked_at = now
        self._other_node_left = False

    def check_limits(self, now: float) -> None:
        """Raise at a limit, once the cluster was asked there: sleeping late ends no wait.

        A node that does not answer is not the cluster, as long as there is another one to ask.
        """
        if self.asked_at < self.soft_limit - TICK or self._other_node_left:
            return
        outage = self._outages.first
        if outage is not None:
            if self._reached(outage.end):
                unreachable = self._outages.unreachable_error(outage.error)
                raise self._with_context(unreachable, now) from outage.error
        elif self._missing_since is not None and self._reached(self._grace_end):
            raise ActionNotFound(**self._error_context(now))
        if self._reached(self.deadline):
            cause = outage.error if outage else None
            raise WaitTimeout(**self._error_context(now), timeout=self._limits.timeout) from cause

    def final_record(self, now: float, error: WaitError | RequestError | None = None) -> Record:
        """Return what it has been through, once and for all, as it ends: by `error`, if given.

        Without one it ends as its action did, or, where that is not over, as whoever waited left.
        """
        if self._record is None:
            if error is None:
                error = self._failure(now)
            elsewise = Outcome.COMPLETED if self.is_done else Outcome.INTERRUPTED
            self._record = self._build_record(now, error.outcome if error else elsewise, error)
        if error is not None:
            error.record = self._record
        return self._record

    def current_record(self, now: float) -> Record:
        """Return what it has been through so far."""
        self.catch_up()
        return self._record or self._build_record(now, Outcome.UNDER_WAY)

    def finished_action(self, now: float) -> FinishedAction:
        """Return the action as it has ended, however that is, with the record."""
        if self.action is None or not self.is_done:
            raise AssertionError("the wait is not over")
        if self._finished is None:
            self._finished = with_record(self.action, self.final_record(now))
        return self._finished

    def result(self, now: float) -> FinishedAction:
        """Return the action if it ended well; raise the `WaitError` that says how it ended."""
        action = self.finished_action(now)
        failure = self._failure(now)
        if failure is None:
            return action
        failure.record = action.record
        raise failure

    # --- the rules ------------------------------------------------------------------------------

    @property
    def is_failing(self) -> bool:
        """Whether asking about this action alone has failed, and nothing has been heard since."""
        return self._outages.per_action

    def _resolve(self, found: Action | AmbiguousAnswer | None, now: float) -> Action | None:
        """Return how the action stands, by what this wait has seen before; None for "not known"."""
        seen = self._history = self._history or AnswerHistory()
        if not isinstance(found, AmbiguousAnswer):
            seen.record_certain(found, busy_before=self.ref.busy_before)
            return found
        if found.ambiguity is Ambiguity.REPLACED:
            raise ActionVanished(**self._error_context(now))
        if found.ambiguity is Ambiguity.GONE:
            return self._resolve_gone(found.action, found.mark, seen)
        if found.ambiguity is Ambiguity.QUIET:
            return self._resolve_quiet(found.action, seen)
        if found.ambiguity is Ambiguity.KNOWN_FAILURE:
            return self._resolve_failure(found, seen, now)
        return self._resolve_result(found, seen)

    def _resolve_result(self, found: AmbiguousAnswer, seen: AnswerHistory) -> Action | None:
        """Return a result if it is that of the run that is waited for, not of the one before."""
        action = found.action
        was_told = self.action is not None and self.action.kind is not Kind.OTHER
        if found.ambiguity is Ambiguity.IDLE:
            seen.idle = True
            return None
        if found.ambiguity is Ambiguity.OLD_RESULT:
            return action if seen.idle or was_told else None
        since = self.asked_at if self._missing_since is None else self._missing_since
        stayed = self._reached(since + self._limits.not_found_grace)
        if not was_told and stayed:
            return _with_evidence(Evidence.SAME_RESULT, action)
        return action if was_told else None

    def _resolve_failure(
        self, found: AmbiguousAnswer, seen: AnswerHistory, now: float
    ) -> Action | None:
        """Return a database's failure, unless it was there before the call, or the first look."""
        if seen.failure is None:
            seen.failure = found.mark if found.known_failure is None else found.known_failure
        failure = seen.failure
        if not set(found.mark.split("+")) <= set(failure.split("+")):
            if self.ref.busy_before and not seen.rested:  # it may be that of what went before
                raise ActionVanished(**self._error_context(now))
            return found.action
        stands = self._resolve(found.otherwise, now)
        seen.failure = failure
        return stands

    def _resolve_quiet(self, action: Action, seen: AnswerHistory) -> Action:
        """Return a database to which nothing is done, as settled or as about to be changed."""
        seen.failure, seen.gone, seen.rested = "", None, True
        if seen.busy:
            return action
        if seen.quiet_since is None:
            seen.quiet_since = self.asked_at
        if self._reached(seen.quiet_since + self._settling_time):
            return _with_evidence(Evidence.QUIET, action)
        return structs.replace(action, phase=Phase.PENDING)

    def _resolve_gone(self, action: Action, words: str, seen: AnswerHistory) -> Action:
        """Return what was not found, as gone if that was said twice, in the same words."""
        if seen.gone != words:
            seen.gone, seen.gone_since = words, self.asked_at
        if self._reached(seen.gone_since + _GONE_CONFIRMATION):
            return _with_evidence(Evidence.NOT_FOUND, action)
        if self.action is not None:
            return self.action
        return structs.replace(
            action, status=_NOT_FOUND, phase=Phase.PENDING, evidence=Evidence.ACTION
        )

    @property
    def _settling_time(self) -> float:
        """Seconds for which a database that is never seen busy may be about to be changed."""
        grace = self._limits.not_found_grace
        return min(grace, _UNCHANGED_GRACE) if self.ref.unchanged else grace

    def _on_action(self, found: Action, now: float) -> bool:
        """Take an action that is there; return whether it is news."""
        if not found.phase.terminal:
            self._last_running_at = self.asked_at
        elif self._last_running_at is not None and found.evidence is Evidence.ACTION:
            self._lag_bound = now - self._last_running_at
        last = self.action
        news = found is not last and is_visible_change(last, found)
        if news or (last is not None and has_moved(last, found)):
            self._last_moved_at = self.asked_at
            self._builder.add_answer(found, now)
        elif self._is_uncertain:
            self._last_moved_at = self.asked_at
        elif self._reached(self._last_moved_at + self._limits.stall_timeout):
            raise ActionStalled(
                **self._error_context(now), stall_timeout=self._limits.stall_timeout
            )
        self.action = found
        self._missing_since = None
        if news:
            self._log_unknown_status(found)
        return news

    def _update_limits(self) -> None:
        """Find the next limit: `end` ends the wait in any case, `limit` unless asking helps."""
        self.hard_limit = self.deadline
        outage = self._outages.first
        if outage is not None:
            self.hard_limit = self.soft_limit = min(self.deadline, outage.end)
        elif self.action is None:
            self.soft_limit = min(self.deadline, self._grace_end)
        else:
            self.soft_limit = min(self.deadline, self._last_moved_at + self._limits.stall_timeout)
            if self._history is not None and self._history.quiet_since is not None:
                self.soft_limit = min(
                    self.soft_limit, self._history.quiet_since + self._settling_time
                )
            if self._history is not None and self._history.gone is not None:
                self.soft_limit = min(
                    self.soft_limit, self._history.gone_since + _GONE_CONFIRMATION
                )

    @property
    def _is_uncertain(self) -> bool:
        return self._history is not None and self._history.is_uncertain

    @property
    def _grace_end(self) -> float:
        since = self._began if self._missing_since is None else self._missing_since
        return since + self._limits.not_found_grace

    def _reached(self, limit: float) -> bool:
        return self.asked_at >= limit - TICK

    def _log_unknown_status(self, action: Action) -> None:
        if action.phase is Phase.UNKNOWN and action.status not in self._unknown_statuses:
            self._unknown_statuses |= {action.status}
            fields = {"event": "unknown status", "ref": str(self.ref), "status": action.status}
            _log.warning("unknown status, taken as not yet over: %s", action, extra=fields)

    def _failure(self, now: float) -> WaitError | None:
        """Return the error for how the action has ended, None if it has not, or well."""
        end = None if self.action is None else _ERRORS.get(self.action.phase)
        return None if end is None else end(**self._error_context(now))

    def _build_record(
        self, now: float, outcome: Outcome, error: WaitError | RequestError | None = None
    ) -> Record:
        record = self._builder.record(
            now,
            ref=str(self.ref),
            action=self.action,
            polls=self._polls,
            outcome=outcome,
            open_outages=[outage.to_span() for outage in self._outages],
            lag_bound=self._lag_bound,
        )
        if error is None:
            return record
        error.record = record  # what it says depends on how the action was first seen
        return with_message(str(error), record)

    def _error_context(self, now: float) -> _ErrorContext:
        return {
            "uid": self.ref.name,
            "action": self.action,
            "elapsed": now - self._began,
            "polls": self._polls,
        }

    def _with_context(self, error: _E, now: float) -> _E:
        """Add to an error of one request what the wait knows."""
        error.uid = self.ref.name
        error.action = self.action
        error.elapsed = now - self._began
        error.polls = self._polls
        return error


def _with_evidence(evidence: Evidence, action: Action) -> Action:
    return structs.replace(action, evidence=evidence)


class _ErrorContext(TypedDict):
    uid: str
    action: Action | None
    elapsed: float
    polls: int
