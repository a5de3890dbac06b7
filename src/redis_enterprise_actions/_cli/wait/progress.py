"""How all waits stand: what the events told so far add up to.

Values only: it is told events, and displays draw from it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.record import already_text
from redis_enterprise_actions._model.text import one_line

from .events import Alive, Began, Change, End, Left, Outage, Waiting


if TYPE_CHECKING:
    from redis_enterprise_actions._model.action import Action

    from .events import AnyEvent, Stamp


UNKNOWN: Final = "why is not known"  # of an outage
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


@dataclass(slots=True)
class Estimate:
    """Follows the progress of one action. Times are in seconds, on any clock."""

    _seen: float | None = None  # the progress that was seen last, in percent
    _rises: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def saw(self, at: float, progress: float | None) -> None:
        """Take the progress of an answer, in percent."""
        if progress is None or self._seen is None or progress < self._seen:
            self._rises.clear()
        elif progress > self._seen:
            self._rises[1:] = [(at, progress)]
        self._seen = progress

    def left(self, now: float) -> float | None:
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
class Standing:
    """How one wait stands. `trouble` is its own outage, that the others do not have."""

    ref: str
    action: Action | None = None
    end: End | Left | None = None
    trouble: Outage | None = None
    estimate: Estimate = field(default_factory=Estimate)

    @property
    def title(self) -> str:
        """What is done to what, as far as that is known."""
        return one_line(self.ref) if self.action is None else self.action.title

    @property
    def told(self) -> str:
        """How it stands, in words."""
        if self.action is None:
            return f"{one_line(self.ref)}: not seen yet"
        return str(self.action)


class Board:
    """All waits of one command, in the order given."""

    def __init__(self) -> None:
        self.standings: dict[str, Standing] = {}
        self.unsubmitted: End | None = None  # of a call that was not taken
        self._outage: Outage | None = None
        self.outages: list[Outage] = []  # that are over

    def take(self, event: AnyEvent) -> None:
        """Take what was told."""
        if isinstance(event, Began):
            self.standings = {ref: Standing(ref) for ref in event.refs}
        elif isinstance(event, Change):
            standing = self.standings[event.ref]
            standing.action = event.action
            standing.estimate.saw(event.elapsed, event.action.progress)
        elif isinstance(event, Outage):
            self._take_outage(event)
        elif isinstance(event, End) and event.ref is None:
            self.unsubmitted = event
        elif isinstance(event, End | Left) and event.ref is not None:
            self._take_end(self.standings[event.ref], event)

    def _take_outage(self, event: Outage) -> None:
        now = None if event.over else event
        if event.ref is not None:
            if event.ref in self.standings:
                self.standings[event.ref].trouble = now
            return
        if event.over:
            self.outages.append(event)
        self._outage = now

    @staticmethod
    def _take_end(standing: Standing, event: End | Left) -> None:
        standing.end = event
        standing.action = event.action or standing.action

    @property
    def waiting(self) -> list[Standing]:
        """Those still waited for."""
        return [each for each in self.standings.values() if each.end is None]

    @property
    def ends(self) -> list[End]:
        """How waits ended, in the order given."""
        ends = [each.end for each in self.standings.values()]
        found = [end for end in ends if isinstance(end, End)]
        return found if self.unsubmitted is None else [self.unsubmitted, *found]

    @property
    def left(self) -> list[Left]:
        """Which waits were ended before their time."""
        ends = [each.end for each in self.standings.values()]
        return [end for end in ends if isinstance(end, Left)]

    @property
    def counts(self) -> dict[str, int]:
        """How many have ended how."""
        return dict(Counter(end.outcome for end in self.ends))

    @property
    def reason(self) -> str:
        """Why the cluster does not answer."""
        return (self._outage and self._outage.reason) or UNKNOWN

    def outage_at(self, elapsed: float) -> float | None:
        """Return for how many seconds the cluster has not answered, or None if it does."""
        if self._outage is None:
            return None
        return self._outage.seconds + elapsed - self._outage.elapsed

    def alive(self, stamp: Stamp) -> Alive:
        """Return what is to be said when nothing is new."""
        waiting = tuple(_waiting(each) for each in self.waiting)
        outage = self.outage_at(stamp["elapsed"])
        return Alive(**stamp, waiting=waiting, outage=outage)


def _waiting(standing: Standing) -> Waiting:
    action = standing.action
    return Waiting(
        ref=standing.ref,
        title=standing.title,
        status=None if action is None else action.status,
        phase=None if action is None else action.phase,
        progress=None if action is None else action.progress,
    )


def how(end: End | Left) -> str:
    """Return how a wait ended, in a word or a few: `completed`, `had already completed`."""
    if isinstance(end, Left):
        return "left"
    return already_text(end.outcome) if end.already_over else end.outcome


def how_long(end: End | Left) -> str:
    """Return the same with how long it was waited for: `completed, waited 0:03:30`."""
    at_once = isinstance(end, End) and end.already_over
    return how(end) if at_once else f"{how(end)}, waited {clock(end.elapsed)}"


def counted(counts: dict[str, int], left: int) -> str:
    """Return in words how many have ended how: `3 completed, 1 failed`."""
    words = [f"{number} {outcome}" for outcome, number in counts.items()]
    words += [f"{left} no longer waited for"] if left else []
    return ", ".join(words) or "nothing to wait for"


def about(seconds: float) -> str:
    """Return a guess no finer than it is good: `about 40 s left`, `about 3 min left`."""
    if seconds < _MINUTE - 5:
        return f"about {max(5, round(seconds / 5) * 5)} s left"
    if seconds < _HOUR - _MINUTE / 2:
        return f"about {max(1, round(seconds / _MINUTE))} min left"
    return f"about {round(seconds / _HOUR, 1):g} h left"


def clock(seconds: float) -> str:
    """Return a time that has passed: `0:02:05`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
