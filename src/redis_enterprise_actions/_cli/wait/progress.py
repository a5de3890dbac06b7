"""How all waits stand: what the events told so far add up to.

Values only: it is told events, and displays draw from it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.record import already_text
from redis_enterprise_actions._model.text import one_line

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
    from redis_enterprise_actions._model.action import Action

    from .events import AnyEvent, EventTime


UNKNOWN_REASON: Final = "why is not known"  # of an outage
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


@dataclass(slots=True)
class RemainingTimeEstimator:
    """Follows the progress of one action. Times are in seconds, on any clock."""

    _last: float | None = None  # the progress that was seen last, in percent
    _rises: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def add(self, at: float, progress: float | None) -> None:
        """Take the progress of an answer, in percent."""
        if progress is None or self._last is None or progress < self._last:
            self._rises.clear()
        elif progress > self._last:
            self._rises[1:] = [(at, progress)]
        self._last = progress

    def remaining(self, now: float) -> float | None:
        """Return about how many seconds are left, or None where that is anybody's guess.

        It takes two rises, as nobody knows how old the progress was that was seen first, and is
        said only while the end that they predict lies ahead.
        """
        if len(self._rises) < 2:
            return None
        (began, risen), (at, progress) = self._rises
        if at <= began:
            return None
        left = (100.0 - progress) * (at - began) / (progress - risen) - (now - at)
        return left if left > 0 else None


@dataclass(slots=True)
class WaitProgress:
    """How one wait stands. `trouble` is its own outage, that the others do not have."""

    ref: str
    action: Action | None = None
    end: WaitEndEvent | AbandonedEvent | None = None
    own_outage: OutageEvent | None = None
    estimator: RemainingTimeEstimator = field(default_factory=RemainingTimeEstimator)

    @property
    def title(self) -> str:
        """What is done to what, as far as that is known."""
        return one_line(self.ref) if self.action is None else self.action.title

    @property
    def summary(self) -> str:
        """How it stands, in words."""
        if self.action is None:
            return f"{one_line(self.ref)}: not seen yet"
        return str(self.action)


class Progress:
    """All waits of one command, in the order given."""

    def __init__(self) -> None:
        self.waits: dict[str, WaitProgress] = {}
        self.failed_call: WaitEndEvent | None = None  # of a call that was not taken
        self._outage: OutageEvent | None = None
        self.outages: list[OutageEvent] = []  # that are over

    def apply(self, event: AnyEvent) -> None:
        """Take what was told."""
        if isinstance(event, WaitsStartedEvent):
            self.waits = {ref: WaitProgress(ref) for ref in event.refs}
        elif isinstance(event, ChangeEvent):
            wait = self.waits[event.ref]
            wait.action = event.action
            wait.estimator.add(event.elapsed, event.action.progress)
        elif isinstance(event, OutageEvent):
            self._apply_outage(event)
        elif isinstance(event, WaitEndEvent) and event.ref is None:
            self.failed_call = event
        elif isinstance(event, WaitEndEvent | AbandonedEvent) and event.ref is not None:
            self._apply_end(self.waits[event.ref], event)

    def _apply_outage(self, event: OutageEvent) -> None:
        now = None if event.over else event
        if event.ref is not None:
            if event.ref in self.waits:
                self.waits[event.ref].own_outage = now
            return
        if event.over:
            self.outages.append(event)
        self._outage = now

    @staticmethod
    def _apply_end(wait: WaitProgress, event: WaitEndEvent | AbandonedEvent) -> None:
        wait.end = event
        wait.action = event.action or wait.action

    @property
    def pending(self) -> list[WaitProgress]:
        """Those still waited for."""
        return [each for each in self.waits.values() if each.end is None]

    @property
    def ends(self) -> list[WaitEndEvent]:
        """How waits ended, in the order given."""
        ends = [each.end for each in self.waits.values()]
        found = [end for end in ends if isinstance(end, WaitEndEvent)]
        return found if self.failed_call is None else [self.failed_call, *found]

    @property
    def abandoned(self) -> list[AbandonedEvent]:
        """Which waits were ended before their time."""
        ends = [each.end for each in self.waits.values()]
        return [end for end in ends if isinstance(end, AbandonedEvent)]

    @property
    def outcome_counts(self) -> dict[str, int]:
        """How many have ended how."""
        return dict(Counter(end.outcome for end in self.ends))

    @property
    def outage_reason(self) -> str:
        """Why the cluster does not answer."""
        return (self._outage and self._outage.reason) or UNKNOWN_REASON

    def outage_duration(self, elapsed: float) -> float | None:
        """Return for how many seconds the cluster has not answered, or None if it does."""
        if self._outage is None:
            return None
        return self._outage.seconds + elapsed - self._outage.elapsed

    def keep_alive_event(self, stamp: EventTime) -> KeepAliveEvent:
        """Return what is to be said when nothing is new."""
        waiting = tuple(_pending_wait(each) for each in self.pending)
        outage = self.outage_duration(stamp["elapsed"])
        return KeepAliveEvent(**stamp, waiting=waiting, outage=outage)


def _pending_wait(wait: WaitProgress) -> PendingWait:
    action = wait.action
    return PendingWait(
        ref=wait.ref,
        title=wait.title,
        status=None if action is None else action.status,
        phase=None if action is None else action.phase,
        progress=None if action is None else action.progress,
    )


def end_text(end: WaitEndEvent | AbandonedEvent) -> str:
    """Return how a wait ended, in a word or a few: `completed`, `had already completed`."""
    if isinstance(end, AbandonedEvent):
        return "left"
    return already_text(end.outcome) if end.already_over else end.outcome


def end_text_with_duration(end: WaitEndEvent | AbandonedEvent) -> str:
    """Return the same with how long it was waited for: `completed, waited 0:03:30`."""
    at_once = isinstance(end, WaitEndEvent) and end.already_over
    return end_text(end) if at_once else f"{end_text(end)}, waited {format_clock(end.elapsed)}"


def format_counts(counts: dict[str, int], left: int) -> str:
    """Return in words how many have ended how: `3 completed, 1 failed`."""
    words = [f"{number} {outcome}" for outcome, number in counts.items()]
    words += [f"{left} no longer waited for"] if left else []
    return ", ".join(words) or "nothing to wait for"


def format_remaining(seconds: float) -> str:
    """Return a guess no finer than it is good: `about 40 s left`, `about 3 min left`."""
    if seconds < _MINUTE - 5:
        return f"about {max(5, round(seconds / 5) * 5)} s left"
    if seconds < _HOUR - _MINUTE / 2:
        return f"about {max(1, round(seconds / _MINUTE))} min left"
    return f"about {round(seconds / _HOUR, 1):g} h left"


def format_clock(seconds: float) -> str:
    """Return a time that has passed: `0:02:05`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
