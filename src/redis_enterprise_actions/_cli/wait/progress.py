"""Progress of all waits of a command, built from its events."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._model.action import Kind
from redis_enterprise_actions._model.record import already_text
from redis_enterprise_actions._model.text import duration_text, one_line

from .events import (
    AbandonedEvent,
    ChangeEvent,
    KeepAliveEvent,
    OutageEvent,
    PendingWait,
    WaitEndEvent,
    WaitsStartedEvent,
)


if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis_enterprise_actions._model.action import Action

    from .events import AnyEvent, EventTime, SummaryEvent


UNKNOWN_REASON: Final = "reason unknown"  # of an outage


@dataclass(slots=True)
class RemainingTimeEstimator:
    """Estimator of the time that one action still takes. Times are in seconds, on any clock."""

    _last: float | None = None  # progress in percent
    _rises: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def add(self, at: float, progress: float | None) -> None:
        """Add the progress that an answer reported, in percent."""
        if progress is None or self._last is None or progress < self._last:
            self._rises.clear()
        elif progress > self._last:
            self._rises[1:] = [(at, progress)]
        self._last = progress

    def remaining(self, now: float) -> float | None:
        """Return about how many seconds are left, or None if that cannot be estimated.

        An estimate needs two rises, because the first reported progress has an unknown age. It is
        given only while the predicted end lies ahead.
        """
        if len(self._rises) < 2:
            return None
        (first_at, first), (last_at, last) = self._rises
        if last_at <= first_at:
            return None
        left = (100.0 - last) * (last_at - first_at) / (last - first) - (now - last_at)
        return left if left > 0 else None


@dataclass(slots=True)
class WaitProgress:
    """Progress of one wait. `own_outage` is an outage that the other waits do not have."""

    ref: str
    action: Action | None = None
    end: WaitEndEvent | AbandonedEvent | None = None
    own_outage: OutageEvent | None = None
    estimator: RemainingTimeEstimator = field(default_factory=RemainingTimeEstimator)

    @property
    def title(self) -> str:
        """Title of the action, or the reference until the first answer."""
        return title_of(self.ref, self.action)

    @property
    def open_reference(self) -> str:
        """The reference of what has not ended: of the condition, once the work has completed."""
        is_condition = self.action is not None and self.action.kind is Kind.CONDITION
        return self.action.uid if self.action is not None and is_condition else self.ref

    @property
    def summary(self) -> str:
        """State of the action in one line."""
        if self.action is None:
            return f"{one_line(self.ref)}: not seen yet"
        return str(self.action)


class WaitGoal(NamedTuple):
    """Options that say what a command waits for: `--until`, `--hold` and `--with`."""

    until: str | None = None
    hold: float = 0.0
    others: Sequence[str] = ()


def title_of(ref: str | None, action: Action | None) -> str:
    """Return the title of an action, or its reference until the first answer."""
    if action is not None:
        return action.title
    return "the call" if ref is None else one_line(ref).removeprefix("action:")


class Progress:
    """Progress of all waits of one command, in the order given, and their common goal.

    `failed_call` is the end of a call that failed before any wait began; `outages` are those of
    the whole cluster that are over.
    """

    def __init__(self) -> None:
        self.waits: dict[str, WaitProgress] = {}
        self.goal = WaitGoal()
        self.failed_call: WaitEndEvent | None = None
        self.outages: list[OutageEvent] = []
        self._outage: OutageEvent | None = None

    def apply(self, event: AnyEvent) -> None:
        """Update the progress with an event."""
        if isinstance(event, WaitsStartedEvent):
            self.waits = {ref: WaitProgress(ref) for ref in event.refs}
        elif isinstance(event, ChangeEvent):
            wait = self.waits[event.ref]
            wait.action = event.action
            wait.estimator.add(event.elapsed, event.action.progress)
        elif isinstance(event, OutageEvent):
            current = None if event.over else event
            if event.ref is None:
                self._outage = current
                self.outages += [event] if event.over else []
            elif event.ref in self.waits:
                self.waits[event.ref].own_outage = current
        elif isinstance(event, WaitEndEvent) and event.ref is None:
            self.failed_call = event
        elif isinstance(event, WaitEndEvent | AbandonedEvent) and event.ref is not None:
            wait = self.waits[event.ref]
            wait.end = event
            wait.action = event.action or wait.action

    @property
    def work_goes_on(self) -> bool:
        """True if work was seen that had not ended when it was last seen."""
        actions = [wait.action for wait in self.waits.values()]
        return any(
            action is not None and not action.phase.terminal and action.kind is not Kind.CONDITION
            for action in actions
        )

    @property
    def pending(self) -> list[WaitProgress]:
        """Waits that have not ended."""
        return [wait for wait in self.waits.values() if wait.end is None]

    @property
    def ends(self) -> list[WaitEndEvent]:
        """Ends of the waits that were not abandoned, in the order given."""
        ends = [wait.end for wait in self.waits.values() if isinstance(wait.end, WaitEndEvent)]
        return ends if self.failed_call is None else [self.failed_call, *ends]

    @property
    def abandoned(self) -> list[AbandonedEvent]:
        """Ends of the waits that were abandoned, in the order given."""
        return [wait.end for wait in self.waits.values() if isinstance(wait.end, AbandonedEvent)]

    @property
    def all_ends(self) -> list[WaitEndEvent | AbandonedEvent]:
        """Ends of all waits, those of abandoned waits last."""
        return [*self.ends, *self.abandoned]

    @property
    def outcome_counts(self) -> dict[str, int]:
        """Number of waits by outcome."""
        return dict(Counter(end.outcome for end in self.ends))

    @property
    def outage_reason(self) -> str:
        """Reason of the current outage of the whole cluster."""
        return (self._outage and self._outage.reason) or UNKNOWN_REASON

    def outage_duration(self, elapsed: float) -> float | None:
        """Return for how many seconds the cluster has not answered, or None if it does."""
        if self._outage is None:
            return None
        return self._outage.seconds + elapsed - self._outage.elapsed

    def keep_alive_event(self, now: EventTime) -> KeepAliveEvent:
        """Return the event for a time at which nothing has changed."""
        waiting = tuple(
            PendingWait(
                ref=wait.ref,
                title=wait.title,
                status=None if wait.action is None else wait.action.status,
                phase=None if wait.action is None else wait.action.phase,
                progress=None if wait.action is None else wait.action.progress,
            )
            for wait in self.pending
        )
        return KeepAliveEvent(**now, waiting=waiting, outage=self.outage_duration(now["elapsed"]))


def end_text(end: WaitEndEvent | AbandonedEvent) -> str:
    """Return the end of a wait in a few words: `completed`, `had already completed`."""
    if isinstance(end, AbandonedEvent):
        return "left"
    return already_text(end.outcome) if end.already_over else end.outcome


def end_text_with_duration(end: WaitEndEvent | AbandonedEvent) -> str:
    """Return the end of a wait with its duration: `completed, waited 3m 30s`."""
    if isinstance(end, WaitEndEvent) and end.already_over:
        return end_text(end)
    return f"{end_text(end)}, waited {duration_text(end.elapsed)}"


def format_summary(summary: SummaryEvent) -> str:
    """Return why the waits ended early, if they did, and their number by outcome."""
    counts = format_counts(summary.ended, summary.left)
    if summary.why is None:
        return counts
    return f"{summary.why}: {counts}" if summary.ended or summary.left else summary.why


def format_counts(counts: dict[str, int], abandoned: int) -> str:
    """Return the number of waits by outcome in words: `3 completed, 1 failed`."""
    words = [f"{number} {outcome}" for outcome, number in counts.items()]
    words += [f"{abandoned} no longer waited for"] if abandoned else []
    return ", ".join(words) or "nothing to wait for"
