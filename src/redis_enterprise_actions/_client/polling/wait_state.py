"""`WaitState`: the state and the rules of one wait.

A `WaitState` is given the time and each answer or failure, and says as a value what it means:
`Verdict` for an answer, an error or None for a limit. It reads no clock and awaits nothing.
"""

from __future__ import annotations

import enum
import logging
import math
from copy import copy
from typing import TYPE_CHECKING, Final, Protocol, TypedDict, TypeVar

from msgspec import structs

from redis_enterprise_actions._client.pacing.retry import NEVER_REACHED
from redis_enterprise_actions._client.pacing.schedules import (
    TICK,
    AimedSchedule,
    schedule_for,
)
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
    ClusterUnreachable,
    RequestError,
    UsageError,
    WaitError,
    WaitTimeout,
)
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.record import RecordBuilder, with_message, with_record
from redis_enterprise_actions._model.reference import ReferenceKind
from redis_enterprise_actions._model.text import duration_text, shortened

from .answer_history import GONE_CONFIRMATION, AnswerHistory
from .holding import Holding


if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._client.pacing.schedules import Schedule
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.record import FinishedAction, Record
    from redis_enterprise_actions._model.reference import Reference

    from .answer_history import Resolved
    from .limits import Goal, Limits
    from .outages import Outage

_log = logging.getLogger(__name__)

CLOSE_TO_LIMIT: Final = 0.5  # seconds; a poll due this shortly before a limit is made at it
_MAX_LOGGED: Final = 1000  # characters of an action with an unknown status

_ERRORS: Final[dict[Phase, type[WaitError]]] = {
    Phase.FAILED: ActionFailed,
    Phase.CANCELLED: ActionCancelled,
    Phase.ABORTED: ActionAborted,
}


class Verdict(enum.Enum):
    """Meaning of an answer for a wait."""

    NOTHING = enum.auto()  # nothing new for the user
    UPDATE = enum.auto()  # the first answer, or a visible change
    VERIFY = enum.auto()  # `WaitState.unverified` ends the wait, unless the database tells better
    DONE = enum.auto()  # the action has ended


class PollCounts(Protocol):
    """Polls that were made for one reference, as counted for all its waits together."""

    @property
    def polls(self) -> int:
        """The number of requests."""
        ...

    @property
    def asked_at(self) -> float:
        """The time of the last request."""
        ...

    @property
    def shown_at(self) -> float:
        """The time of the last request whose answer showed the action unfinished."""
        ...

    is_stale: bool  # the list shows a change that none of the waits needed

    def refresh(self) -> None:
        """Pass the action to the waits, if the list shows a change that none of them needed."""


class WaitState:
    """State of one wait for one action.

    Times are seconds on the event loop's clock; `wall` is the wall clock at the beginning. At a
    limit (`next_limit`) the cluster is asked once more, and `check` then returns the error that
    ends the wait. `error` is that error once the wait has ended by it.

    With a `goal` that has a condition, `begin_next` turns the wait to that condition once the work
    has completed: `ref` is then that of the condition, and `work` the completed action.
    """

    __slots__ = (
        *("_asked_at", "_builder", "_counts", "_finished", "_goal", "_gone", "_history"),
        *("_holding", "_joined_at", "_lag_bound", "_limits", "_missing_since", "_moved_at"),
        *("_poll", "_polls", "_record", "_shown_at", "_unknown_statuses", "asks_from", "began"),
        *("error", "is_done", "last_action", "outages", "ref", "schedule", "unverified", "work"),
        "_record_ref",
    )

    def __init__(
        self,
        ref: Reference,
        *,
        limits: Limits,
        poll: WaitBaseT | None = None,
        now: float,
        wall: datetime,
        goal: Goal | None = None,
    ) -> None:
        self.ref = ref
        self.schedule = schedule_for(poll, now)
        self.began = self.asks_from = now  # since when it is for `ref`
        self._record_ref = str(ref)
        self.work: Action | None = None  # the completed work, while the wait is for a condition
        self.outages: tuple[Outage, ...] = ()
        self.unverified: WaitError | None = None  # the error that the database has to confirm
        self.error: Exception | None = None
        self._limits = limits
        self.last_action: Action | None = None  # as it was last passed to the wait
        self.is_done = False  # the action was seen to have ended
        self._counts: PollCounts | None = None  # while the poller polls for the wait
        self._joined_at = 0  # their number of polls then
        self._polls = 0  # before that
        self._asked_at = now  # likewise: the last request
        self._shown_at: float | None = None  # likewise: the last that showed the action unfinished
        self._moved_at = now
        self._lag_bound: float | None = None  # see `Record.lag_bound`
        self._missing_since: float | None = None
        # Times of the first and the last answer "not found", if the last ones say so of an action
        # that was seen.
        self._gone: tuple[float, float] | None = None
        self._unknown_statuses: tuple[str, ...] = ()
        self._goal = goal
        self._poll = poll
        self._holding: Holding | None = None  # while the condition is true
        self._history: AnswerHistory | None = None
        if ref.kind is not ReferenceKind.ACTION:
            self._history = AnswerHistory(ref, limits.not_found_grace)
        self._builder = RecordBuilder(now, wall)
        self._record: Record | None = None
        self._finished: FinishedAction | None = None

    @property
    def action(self) -> Action | None:
        """The action as last seen."""
        if self._counts is not None and self._counts.is_stale:
            self._counts.refresh()
        return self.last_action

    @property
    def is_over(self) -> bool:
        """True once the wait has ended, by the end of the action or by an error."""
        return self.error is not None or self.is_done

    @property
    def is_steady(self) -> bool:
        """True if only a changed answer or a limit can mean anything for the wait."""
        return (
            self.last_action is not None
            and self._history is None
            and self._gone is None
            and not self.outages
            and self.unverified is None
            and type(self.schedule) is AimedSchedule
        )

    @property
    def active_schedule(self) -> Schedule:
        """The schedule of the next poll."""
        return self.schedule if self._holding is None else self._holding.schedule

    @property
    def has_stall_limit(self) -> bool:
        """True if the wait has to know when the action moves."""
        return self._limits.stall_timeout < math.inf

    @property
    def early_end(self) -> Callable[[Action], object] | None:
        """The function that ends the wait before the action ends, or None."""
        goal = None if self.is_done or self.work is not None else self._goal
        return None if goal is None else goal.is_reached

    @property
    def has_work_ended(self) -> bool:
        """True if the work was seen to have ended, and not only a goal of the wait."""
        last = self.last_action
        return self.work is not None or (self.is_done and last is not None and last.phase.terminal)

    # --- polls ----------------------------------------------------------------------------------

    def join(self, counts: PollCounts) -> None:
        """Begin to be polled for."""
        self._counts, self._joined_at = counts, counts.polls
        if self._holding is not None:
            self._holding.was_away = True

    def leave(self) -> None:
        """End to be polled for, and keep the counters."""
        assert self._counts is not None
        polls = self._counts.polls - self._joined_at
        if polls:
            self._asked_at = self._counts.asked_at
        self._polls += polls
        if self._shown_at is not None:
            self._shown_at = max(self._shown_at, self._counts.shown_at)
        self._counts = None

    @property
    def polls(self) -> int:
        """The number of requests so far."""
        counts = self._counts
        return self._polls + (0 if counts is None else counts.polls - self._joined_at)

    @property
    def asked_at(self) -> float:
        """The time of the last request, or of the beginning."""
        counts = self._counts
        if counts is None or counts.polls == self._joined_at:
            return self._asked_at
        return counts.asked_at

    @property
    def _running_at(self) -> float | None:
        """The time of the last request whose answer showed the action unfinished."""
        shown_at = self._shown_at
        if shown_at is None or self._counts is None:
            return shown_at
        return max(shown_at, self._counts.shown_at)

    def on_seen(self, action: Action) -> None:
        """Record a change of the action that was no update for any waiter."""
        if self.last_action is not None:
            self.last_action = action

    # --- answers --------------------------------------------------------------------------------

    def on_answer(
        self,
        found: Action | AmbiguousAnswer | None,
        asked_at: float,
        now: float,
        *,
        shared: bool = False,
    ) -> Verdict:
        """Record an answer, None for "not found", to a request made at `asked_at`.

        A `shared` answer is that of a request which was not made for this wait alone. An outage
        lasts on after `Verdict.VERIFY`, until the database has answered.
        """
        self.unverified = None
        resolved = self._resolved(found, asked_at, now)
        if resolved is Ambiguity.REPLACED:
            self._gone = None
            return self._verify(ActionVanished(**self._context(now)))
        found = resolved
        if found is None:
            if self.last_action is not None:
                self._gone = (asked_at if self._gone is None else self._gone[0], asked_at)
                return self._verify(ActionVanished(**self._context(now)))
            if self._missing_since is None:
                self._missing_since = asked_at
            verdict = Verdict.NOTHING
        else:
            self._gone = None
            verdict = self._on_action(found, asked_at, now)
            if verdict is Verdict.VERIFY:
                return verdict
        for outage in self.outages:
            self.leave_outage(outage, now)
        if not self.is_done:
            self.active_schedule.on_answer(found, asked_at, now, shared=shared)
            if self._holding is not None:
                self._holding.on_true(now)
        return verdict

    def _resolved(
        self, found: Action | AmbiguousAnswer | None, asked_at: float, now: float
    ) -> Resolved:
        """Return the state of the action that an answer shows, given the answers before."""
        if self._history is not None or isinstance(found, AmbiguousAnswer):
            if self._history is None:
                self._history = AnswerHistory(self.ref, self._limits.not_found_grace)
            resolved = self._history.resolve(
                found,
                requested_at=asked_at,
                last=self.last_action,
                missing_since=self._missing_since,
            )
            if resolved is Ambiguity.REPLACED:
                return resolved
            found = resolved
        if self._limits.hold and self.ref.condition is not None:
            return self._held(found, asked_at, now)
        return found

    def _on_action(self, found: Action, asked_at: float, now: float) -> Verdict:
        if not found.phase.terminal:
            self._shown_at = asked_at
        elif found.evidence is Evidence.ACTION and (running_at := self._running_at) is not None:
            self._lag_bound = now - running_at
        last, stall_timeout = self.last_action, self._limits.stall_timeout
        if self._goal is not None and self._goal.check is not None and self.work is None:
            self._goal.check(found)
        is_update = found is not last and is_visible_change(last, found)
        if is_update or (last is not None and has_moved(last, found)):
            self._moved_at = asked_at
            self._builder.add_answer(found, now)
        elif self._holding is not None or (
            self._history is not None and self._history.is_uncertain
        ):
            self._moved_at = asked_at
        elif asked_at >= self._moved_at + stall_timeout - TICK:
            return self._verify(ActionStalled(**self._context(now), stall_timeout=stall_timeout))
        self.last_action, self.is_done = found, found.phase.terminal
        self._missing_since = None
        if found.phase is Phase.UNKNOWN:
            self._warn_of_unknown(found)
        if found.phase.terminal:
            return Verdict.DONE
        return Verdict.UPDATE if is_update else Verdict.NOTHING

    def _held(self, found: Action | None, asked_at: float, now: float) -> Action | None:
        """Return the state of a condition, which is not completed before it was true for a time."""
        if found is None or found.phase is not Phase.COMPLETED:
            self._holding = None
            return found
        hold = self._limits.hold
        if self._holding is None or self._holding.has_gap_before(asked_at):
            self._holding = Holding(now, hold, self._poll, asked_at)
        if asked_at >= self._holding.until - TICK:
            return found
        state = f"to hold for {duration_text(hold)}"
        return structs.replace(found, phase=Phase.RUNNING, state=state)

    def _warn_of_unknown(self, found: Action) -> None:
        """Log an unknown status, once."""
        word = shortened(found.status)
        if word not in self._unknown_statuses:
            self._unknown_statuses += (word,)
            fields = {"event": "unknown status", "ref": str(self.ref), "status": word}
            message = "unknown status, treated as unfinished: %s"
            _log.warning(message, shortened(str(found), _MAX_LOGGED), extra=fields)

    def _verify(self, error: WaitError) -> Verdict:
        self.unverified = error
        return Verdict.VERIFY

    def on_unverified(self, now: float) -> bool:
        """End the wait by the error that the database did not refute, and return True.

        Return False if an action was not found for the first time: a node that has just taken over
        may not know it yet, so a second answer has to confirm that it is gone.
        """
        if self._gone is not None and self._gone[1] < self._gone_at - TICK:
            self.unverified = None
            for outage in self.outages:
                self.leave_outage(outage, now)
            return False
        self.error = self.unverified
        return True

    # --- outages --------------------------------------------------------------------------------

    def join_outage(self, outage: Outage) -> None:
        """Record that an outage concerns this wait. A condition has to hold from its end on."""
        self._holding = None
        if outage not in self.outages:
            self.outages = (*self.outages, outage)

    def join_cluster_outage(self, outage: Outage) -> None:
        """Record an outage of the cluster, of which its first failure of this action is a part."""
        self._holding = None
        earlier = [each for each in self.outages if each.began < outage.began]
        self.outages = (*earlier, outage)

    def leave_outage(self, outage: Outage, now: float) -> None:
        """Record that an outage is over."""
        if outage in self.outages:
            self.outages = tuple([each for each in self.outages if each is not outage])
            self._builder.add_outage(outage.to_span(now, since=self.began))

    def fail(self, error: Exception, now: float) -> None:
        """End the wait by an error, which gets the facts of the wait if it is a request's."""
        if isinstance(error, RequestError):
            self.error = self._with_context(copy(error), now)
            self.error.__cause__ = error.__cause__
        else:
            self.error = error

    # --- limits ---------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """The time at which the timeout of the wait is over."""
        return self.began + self._limits.timeout

    @property
    def next_limit(self) -> float:
        """The time at which the wait ends unless a request made there brings something new."""
        if self.outages or self.unverified is not None:
            return self.hard_limit
        if self.last_action is None:
            return (
                self.deadline
                if self._missing_since is None
                else min(self.deadline, self._grace_end)
            )
        limit = min(self.deadline, self._moved_at + self._limits.stall_timeout)
        if self._holding is not None:
            limit = min(limit, self._holding.until)
        return limit if self._history is None else min(limit, self._history.decided_at)

    @property
    def hard_limit(self) -> float:
        """The time at which the wait ends even if the cluster does not answer there."""
        if not self.outages:
            return self.deadline
        return min(self.deadline, *map(self._end_of, self.outages))

    def due(self, asked_at: float, heard_at: float) -> float:
        """Return the time of the next request, if no other wait shares it.

        `asked_at` is the time of the last request for the action, `heard_at` that of its answer, or
        failure. Both may have been for other waits, before this one.
        """
        if asked_at < self.asks_from or heard_at < self.asks_from:
            return self.asks_from
        if heard_at < self._gone_at < math.inf:
            return min(self._gone_at, self.deadline)
        due = self.active_schedule.due_after(heard_at)
        if self.deadline - due < min(due - asked_at, CLOSE_TO_LIMIT):
            return self.deadline
        return due

    def check(self, now: float, *, forced: bool = False) -> WaitError | RequestError | None:
        """Return the error of a limit that is reached, if the cluster was asked at or after it.

        If `forced`, it counts as asked now: no answer has come at the limit.
        """
        if self.last_action is not None and not self.outages and now < self.deadline - TICK:
            return None  # the usual case, for each of thousands of waits
        asked_at = now if forced else self.asked_at
        if self.outages:
            asked_at = max(asked_at, *[outage.failed_at for outage in self.outages])
            first = min(self.outages, key=self._end_of)
            if asked_at >= self._end_of(first) - TICK:
                return self._unreachable(first, now)
        elif (
            self.last_action is None
            and self._missing_since is not None
            and asked_at >= self._grace_end - TICK
        ):
            return ActionNotFound(**self._context(now))
        if asked_at < self.deadline - TICK:
            return None
        timed_out = WaitTimeout(**self._context(now), timeout=self._limits.timeout)
        timed_out.__cause__ = self.outages[0].error if self.outages else None
        return timed_out

    @property
    def _gone_at(self) -> float:
        """The time from which another answer "not found" confirms that the action is gone."""
        return math.inf if self._gone is None else self._gone[0] + GONE_CONFIRMATION

    @property
    def _grace_end(self) -> float:
        since = self.began if self._missing_since is None else self._missing_since
        return since + self._limits.not_found_grace

    def _end_of(self, outage: Outage) -> float:
        """Return the time at which an outage ends the wait."""
        budget = self._limits.outage_timeout
        if self._limits.ends_early and outage.is_unreached:
            budget = min(budget, NEVER_REACHED)
        return max(outage.began, self.began) + budget

    def _unreachable(self, outage: Outage, now: float) -> ClusterUnreachable:
        last = outage.error
        known = last if isinstance(last, ClusterUnreachable) else None
        unreachable = ClusterUnreachable(
            last.method,
            last.path,
            reason=outage.reason,
            attempts=sum(each.requests for each in self.outages),
            nodes=dict.fromkeys(node for each in self.outages for node in each.nodes),
            status=known.status if known else None,
            error_code=known.error_code if known else None,
            retry_after=last.retry_after,
            sent=last.sent,
            advice=last.advice,
            hint=last.advice if outage.is_unreached else None,
        )
        unreachable.__cause__ = last
        return self._with_context(unreachable, now)

    # --- other ends -----------------------------------------------------------------------------

    def end_early(self) -> None:
        """End the wait, whose goal is reached, before the action has ended."""
        self.is_done = True

    def begin_next(self, now: float) -> bool:
        """Go on with the condition that the goal names, if the work has completed; say whether so.

        The limits of the wait hold for both. The caller adds the wait to the poller again. Work
        that turns out to have no such condition ends the wait by an error.
        """
        goal, last = self._goal, self.last_action
        if goal is None or goal.next_reference is None or self.work is not None or last is None:
            return False
        if self.error is not None or not self.is_done or last.phase is not Phase.COMPLETED:
            return False
        try:
            self.ref = goal.next_reference(last)
        except UsageError as error:
            self.error = error
            return False
        self.work, self.last_action, self.is_done = last, None, False
        self.schedule = schedule_for(self._poll, now)
        self._asked_at = self._moved_at = self.asks_from = now
        self._lag_bound = self._shown_at = self._missing_since = None
        self._history = AnswerHistory(self.ref, self._limits.not_found_grace)
        return True

    # --- the end --------------------------------------------------------------------------------

    def close(self, now: float) -> FinishedAction:
        """Return the action if it completed. Raise the error of any other end."""
        self.final_record(now)
        if self.error is not None:
            raise self.error
        return self.finished_action(now)

    def finished_action(self, now: float) -> FinishedAction:
        """Return the action with its record, whether it completed or failed.

        It is that of the work, where the wait went on for a condition.
        """
        if self.last_action is None or not self.is_done:
            raise AssertionError("the wait is not over")
        if self._finished is None:
            ended = self.work or self.last_action
            self._finished = with_record(ended, self._record or self.final_record(now))
        return self._finished

    def last_item(self, now: float) -> FinishedAction:
        """Return what ended the wait, the condition or the work, with the record."""
        if self.work is None:
            return self.finished_action(now)
        assert self.last_action is not None
        return with_record(self.last_action, self._record or self.final_record(now))

    def final_record(self, now: float) -> Record:
        """Return the record of the wait, which ends now: by `error`, or as the action ended.

        Without an error or an end, the waiter left. Later calls return the same record.
        """
        if self._record is None:
            if self.error is None and self.is_done:
                self.error = self._failure(now)
            if isinstance(self.error, (WaitError, RequestError)):
                record = self._build_record(now, self.error.outcome)
                # The message depends on the record: an action may have ended before the wait.
                self.error.record = record
                self.error.record = self._record = with_message(str(self.error), record)
            elif isinstance(self.error, UsageError):
                record = self._build_record(now, self.error.outcome)
                self._record = with_message(str(self.error), record)
            else:
                outcome = Outcome.COMPLETED if self.has_work_ended else Outcome.REACHED
                self._record = self._build_record(
                    now, outcome if self.is_done else Outcome.INTERRUPTED
                )
        return self._record

    def current_record(self, now: float) -> Record:
        """Return the record of the wait so far."""
        return self._record or self._build_record(now, Outcome.UNDER_WAY)

    def _build_record(self, now: float, outcome: Outcome) -> Record:
        return self._builder.record(
            now,
            ref=self._record_ref,
            action=self.action,
            polls=self.polls,
            outcome=outcome,
            open_outages=[outage.to_span(since=self.began) for outage in self.outages],
            lag_bound=self._lag_bound,
            title=self._title,
            until=self._until,
            hold=self._limits.hold,
        )

    @property
    def _until(self) -> str | None:
        """The goal of the wait; None for the end of the work."""
        if self._goal is None:
            condition = self.ref.condition
            return None if condition is None else condition.value
        is_reached = self._goal.is_reached
        # Not its `repr`: that of a functools.partial shows arguments, which may be secrets.
        name = getattr(is_reached, "__qualname__", type(is_reached).__name__)
        return self._goal.name or name

    @property
    def _title(self) -> str | None:
        """The title of the record, with the goal of the wait; None for that of the action."""
        work = self.work or self.action
        if self._goal is None or not self._goal.name or work is None:
            return None
        return f"{work.title}, until {self._goal.name}"

    def _failure(self, now: float) -> WaitError | None:
        """Return the error for an action that ended otherwise than completed."""
        error = None if self.last_action is None else _ERRORS.get(self.last_action.phase)
        return None if error is None else error(**self._context(now))

    def _context(self, now: float) -> _Context:
        return {
            "ref": str(self.ref),
            "uid": self.ref.name,
            "action": self.action,
            "elapsed": now - self.began,
            "polls": self.polls,
        }

    def _with_context(self, error: _E, now: float) -> _E:
        """Return the error of a request with the attributes of this wait."""
        error.ref = str(self.ref)
        error.uid = self.ref.name
        error.action = self.action
        error.elapsed = now - self.began
        error.polls = self.polls
        return error


_E = TypeVar("_E", bound=RequestError)


class _Context(TypedDict):
    ref: str
    uid: str
    action: Action | None
    elapsed: float
    polls: int
