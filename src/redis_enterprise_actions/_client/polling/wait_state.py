"""`WaitState`: the state and the rules of one wait.

A `WaitState` is given the time and each answer or error. It returns whether the answer is an update
for the user, until when a request may take and when the next one is due; it raises the error that
ends the wait. It reads no clock and awaits nothing.
"""

from __future__ import annotations

import logging
import math
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar

from redis_enterprise_actions._client.pacing.schedules import TICK, schedule_for
from redis_enterprise_actions._model.action import (
    Ambiguity,
    AmbiguousAnswer,
    Evidence,
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

from .answer_history import AnswerHistory
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

LAST_POLL_TIMEOUT: Final = 2.0  # seconds for a poll that is made at a limit
CLOSE_TO_DEADLINE: Final = 0.5  # seconds; a poll due this shortly before is made at the deadline

_ERRORS: Final[dict[Phase, type[WaitError]]] = {
    Phase.FAILED: ActionFailed,
    Phase.CANCELLED: ActionCancelled,
    Phase.ABORTED: ActionAborted,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Time limits of one wait, in seconds; `inf` for none."""

    timeout: float = math.inf
    stall_timeout: float = math.inf
    outage_timeout: float = 300.0
    not_found_grace: float = 10.0


class Looks:
    """Polls that many waits share as long as the answers change nothing for them.

    They are counted once for all these waits; `WaitState.catch_up` copies them into one wait.
    """

    __slots__ = ("asked", "count", "heard", "ran_at")

    def __init__(self) -> None:
        self.count = 0
        self.asked = -math.inf  # time of the last request
        self.ran_at = -math.inf  # time of the last request that was answered
        self.heard = -math.inf  # time of its answer

    def ask(self, now: float) -> None:
        """Record a request."""
        self.count += 1
        self.asked = now

    def hear(self, now: float) -> None:
        """Record its answer."""
        self.ran_at, self.heard = self.asked, now


class WaitState:
    """State of one wait for one action.

    Times are seconds on the event loop's clock; `wall` is the wall clock at the beginning. At
    `hard_limit` the wait ends even if a request is in flight; at `soft_limit` it ends unless a
    request made there brings something new.
    """

    __slots__ = (
        *("_began", "_builder", "_counted", "_finished", "_history", "_lag_bound"),
        *("_last_moved_at", "_last_running_at", "_limits", "_looks", "_missing_since"),
        *("_other_node_left", "_outages", "_polls", "_record", "_unknown_statuses", "action"),
        *("requested_at", "deadline", "hard_limit", "ref", "schedule", "soft_limit"),
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
        self.requested_at = now  # time of the last request, or of the last failure
        self._last_moved_at = now
        self._last_running_at: float | None = None
        self._lag_bound: float | None = None  # see `Record.lag_bound`
        self._missing_since: float | None = None
        self._outages = OngoingOutages()
        self._other_node_left = False  # a node failed, and another one has not been asked yet
        self._unknown_statuses: frozenset[str] = frozenset()
        self._history: AnswerHistory | None = None
        if ref.kind is not ReferenceKind.ACTION:
            self._history = AnswerHistory(ref, limits.not_found_grace)
        self._builder = RecordBuilder(now, wall)
        self._record: Record | None = None
        self._finished: FinishedAction | None = None
        self._looks: Looks | None = None  # polls that the wait shares
        self._counted = 0  # how many of them are in `_polls`
        self._update_limits()

    @property
    def is_done(self) -> bool:
        """True once the action was seen to have ended."""
        return self.action is not None and self.action.phase.terminal

    @property
    def is_new(self) -> bool:
        """True until the first request for this wait."""
        return self._polls == 0

    @property
    def is_failing(self) -> bool:
        """True if the last request for this action alone failed, with no answer since."""
        return self._outages.per_action

    @property
    def due(self) -> float:
        """The time of the next request, if no other wait shares it."""
        due = self.schedule.due
        if self.deadline - due < min(due - self.requested_at, CLOSE_TO_DEADLINE):
            due = self.deadline
        return min(due, self.soft_limit)

    # --- requests, answers, errors --------------------------------------------------------------

    def on_request(self, now: float) -> float:
        """Record a request. Return the time at which it must be cut short."""
        self._polls += 1
        self.requested_at = now
        return self.hard_limit if now < self.hard_limit - TICK else now + LAST_POLL_TIMEOUT

    def on_answer(
        self, found: Action | AmbiguousAnswer | None, now: float, *, shared: bool = False
    ) -> bool:
        """Record an answer, None for "not found". Return True if it is an update for the user.

        A `shared` answer is that of a request which was not made for this wait alone.

        Raises `ActionVanished` and `ActionStalled`. The caller verifies both by the database, and
        an outage lasts until the database has answered.
        """
        limits_change = (
            self.action is None or self._outages or self._limits.stall_timeout < math.inf
        )
        if self._history is not None or isinstance(found, AmbiguousAnswer):
            limits_change = True
            if self._history is None:
                self._history = AnswerHistory(self.ref, self._limits.not_found_grace)
            resolved = self._history.resolve(
                found,
                requested_at=self.requested_at,
                last=self.action,
                missing_since=self._missing_since,
            )
            if resolved is Ambiguity.REPLACED:
                raise ActionVanished(**self._error_context(now))
            found = resolved
        if found is None:
            if self.action is not None:
                raise ActionVanished(**self._error_context(now))
            if self._missing_since is None:
                self._missing_since = self.requested_at
            is_update = False
        else:
            is_update = self._on_action(found, now)
        self._other_node_left = False
        if limits_change:
            for outage in self._outages.end_all(now):
                self._builder.add_outage(outage)
            self._update_limits()
        if not self.is_done:
            self.schedule.on_answer(found, self.requested_at, now, shared=shared)
        return is_update

    def _on_action(self, found: Action, now: float) -> bool:
        if not found.phase.terminal:
            self._last_running_at = self.requested_at
        elif self._last_running_at is not None and found.evidence is Evidence.ACTION:
            self._lag_bound = now - self._last_running_at
        last, stall_timeout = self.action, self._limits.stall_timeout
        is_update = found is not last and is_visible_change(last, found)
        if is_update or (last is not None and has_moved(last, found)):
            self._last_moved_at = self.requested_at
            self._builder.add_answer(found, now)
        elif self._history is not None and self._history.is_uncertain:
            self._last_moved_at = self.requested_at
        elif self._reached(self._last_moved_at + stall_timeout):
            raise ActionStalled(**self._error_context(now), stall_timeout=stall_timeout)
        self.action = found
        self._missing_since = None
        if found.phase is Phase.UNKNOWN and found.status not in self._unknown_statuses:
            self._unknown_statuses |= {found.status}
            fields = {"event": "unknown status", "ref": str(self.ref), "status": found.status}
            _log.warning("unknown status, treated as unfinished: %s", found, extra=fields)
        return is_update

    def on_error(
        self, error: RequestError, now: float, *, per_action: bool = True, since: float = math.inf
    ) -> None:
        """Record a failed request. Raise `error` if it is not worth a retry.

        `per_action` says that the failure concerns this action only. Otherwise it belongs to a
        cluster-wide outage, which began at `since` or when the request was sent.
        """
        if not error.transient:
            raise self._with_context(copy(error), now) from error.__cause__
        self._other_node_left = self._outages.record(
            error,
            per_action=per_action,
            began=min(self.requested_at, since),
            budget=self._limits.outage_timeout,
        )
        self.requested_at = now
        self.schedule.on_no_answer(now)
        self._update_limits()

    def on_cluster_answered(self, now: float) -> None:
        """End the cluster-wide outage, as the cluster has answered another wait."""
        outage = self._outages.end_cluster_wide(now)
        if outage is not None:
            self._builder.add_outage(outage)
            self._update_limits()

    def on_timeout(self, now: float) -> None:
        """Record that the request in flight was cut short at a limit."""
        self.requested_at = now
        self._other_node_left = False

    # --- shared polls ---------------------------------------------------------------------------

    def hears_no_more(self, now: float) -> bool:
        """Record a shared answer that equals the last one. Return False if `on_answer` is needed.

        In a client with thousands of waits most answers take this short path.
        """
        requested_at = self.requested_at
        if self._outages or self._reached(self.soft_limit):
            return False
        if not self.schedule.on_unchanged(requested_at, now):
            return False
        self._last_running_at = requested_at
        return True

    @property
    def is_at_ease(self) -> bool:
        """True if only the end of the action or the deadline can end this wait."""
        seen = self.action is not None and not self.action.phase.terminal
        return seen and not self._outages and self._limits.stall_timeout == math.inf

    def join(self, looks: Looks) -> None:
        """Share polls with other waits from now on."""
        self._looks, self._counted = looks, looks.count

    def goes_on(self, found: Action, now: float) -> None:
        """Record an answer to a shared poll in which the action changed, but did not end."""
        self.action = found
        self._builder.add_answer(found, now)
        self.schedule.on_answer(found, self.requested_at, now, shared=True)

    def catch_up(self) -> None:
        """Copy the counters of the shared polls."""
        looks = self._looks
        if looks is not None:
            self._polls += looks.count - self._counted
            self._counted = looks.count
            self.requested_at, self._last_running_at = looks.asked, looks.ran_at
            self.schedule.on_unchanged(looks.ran_at, looks.heard)

    def part(self) -> None:
        """Stop sharing polls."""
        self.catch_up()
        self._looks = None

    # --- limits ---------------------------------------------------------------------------------

    def check_limits(self, now: float) -> None:
        """Raise the error of a limit that is reached, if the cluster was asked at or after it.

        While another node can be asked, a node that fails ends no wait.
        """
        if self.requested_at < self.soft_limit - TICK or self._other_node_left:
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

    def _update_limits(self) -> None:
        self.hard_limit = self.deadline
        outage = self._outages.first
        if outage is not None:
            self.hard_limit = self.soft_limit = min(self.deadline, outage.end)
        elif self.action is None:
            self.soft_limit = min(self.deadline, self._grace_end)
        else:
            self.soft_limit = min(self.deadline, self._last_moved_at + self._limits.stall_timeout)
            if self._history is not None:
                self.soft_limit = min(self.soft_limit, self._history.decided_at)

    @property
    def _grace_end(self) -> float:
        since = self._began if self._missing_since is None else self._missing_since
        return since + self._limits.not_found_grace

    def _reached(self, limit: float) -> bool:
        return self.requested_at >= limit - TICK

    # --- the end --------------------------------------------------------------------------------

    def result(self, now: float) -> FinishedAction:
        """Return the action if it completed. Raise the `WaitError` of any other end."""
        action = self.finished_action(now)
        failure = self._failure(now)
        if failure is None:
            return action
        failure.record = action.record
        raise failure

    def finished_action(self, now: float) -> FinishedAction:
        """Return the action with its record, whether it completed or failed."""
        if self.action is None or not self.is_done:
            raise AssertionError("the wait is not over")
        if self._finished is None:
            self._finished = with_record(self.action, self.final_record(now))
        return self._finished

    def final_record(self, now: float, error: WaitError | RequestError | None = None) -> Record:
        """Return the record of the wait, which ends now: by `error`, or as the action ended.

        Without an error or an end, the waiter left. Later calls return the same record.
        """
        if self._record is None:
            if error is None:
                error = self._failure(now)
            without_error = Outcome.COMPLETED if self.is_done else Outcome.INTERRUPTED
            outcome = error.outcome if error else without_error
            self._record = self._build_record(now, outcome)
            if error is not None:
                # The message depends on the record: an action may have ended before the wait.
                error.record = self._record
                self._record = with_message(str(error), self._record)
        if error is not None:
            error.record = self._record
        return self._record

    def current_record(self, now: float) -> Record:
        """Return the record of the wait so far."""
        self.catch_up()
        return self._record or self._build_record(now, Outcome.UNDER_WAY)

    def _build_record(self, now: float, outcome: Outcome) -> Record:
        return self._builder.record(
            now,
            ref=str(self.ref),
            action=self.action,
            polls=self._polls,
            outcome=outcome,
            open_outages=[outage.to_span() for outage in self._outages],
            lag_bound=self._lag_bound,
        )

    def _failure(self, now: float) -> WaitError | None:
        """Return the error for an action that ended otherwise than completed."""
        error = None if self.action is None else _ERRORS.get(self.action.phase)
        return None if error is None else error(**self._error_context(now))

    def _error_context(self, now: float) -> _ErrorContext:
        return {
            "ref": str(self.ref),
            "uid": self.ref.name,
            "action": self.action,
            "elapsed": now - self._began,
            "polls": self._polls,
        }

    def _with_context(self, error: _E, now: float) -> _E:
        """Return the error of a request with the attributes of this wait."""
        error.ref = str(self.ref)
        error.uid = self.ref.name
        error.action = self.action
        error.elapsed = now - self._began
        error.polls = self._polls
        return error


class _ErrorContext(TypedDict):
    ref: str
    uid: str
    action: Action | None
    elapsed: float
    polls: int
