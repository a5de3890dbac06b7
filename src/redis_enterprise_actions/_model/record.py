"""Flight record of a wait, from the first request to the end, and the builder that collects it.

A builder holds a bounded number of compact entries, however long the wait. It reads no clock.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypeAlias, TypeVar

import msgspec

from .action import Action, Evidence, Phase
from .outcome import Outcome
from .text import duration_text, one_line, shortened


if TYPE_CHECKING:
    from collections.abc import Iterable

_T = TypeVar("_T")

MAX_ENTRIES: Final = 100  # transitions kept, and as many outages: half the first, half the last
MAX_POINTS: Final = 120  # of the progress: enough to draw a line
_FIRST_ANSWER: Final = 5.0  # seconds within which the first answer usually arrives
_CLOCK_TOLERANCE: Final = 5.0  # seconds: clocks differ, and creation times are rounded
_MAX_MESSAGE: Final = 4000  # characters


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A change of status, phase or state, seen `at` seconds after the wait began.

    The first transition is the state in which the action was first seen. `progress` is the progress
    at that moment, in percent, or None.
    """

    at: float
    status: str
    phase: Phase
    state: str | None = None
    progress: float | None = None


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A time without usable answers, from the first failed request to the next good answer.

    `began` and `ended` are seconds after the wait began; `ended` is None if the outage lasted to
    the end. `attempts` is the number of failed requests, and `reason` the error of the last one.
    """

    began: float
    ended: float | None
    attempts: int
    reason: str


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="v", tag=1):
    """History of one wait.

    `ref` is the reference waited for (empty where a call had started nothing to wait for), `title`
    the kind of work and its object. `until` is the goal of the wait, None for the end of the work:
    `available` or another condition, `state=NAME`, `progress=PERCENT`, or the name of a function;
    `hold` is the seconds for which a condition had to stay true. `began` is the wall clock as the
    wait began, in UTC; all other times are seconds of the event loop's clock since then. `elapsed`
    is the duration of the wait, not of the work. `polls` counts the requests on behalf of this
    wait, alone or together with others, requests for a database included. `evidence` is the source
    that the action's end is known from, None where the end was not seen. `message` is the message
    of the error, None for a wait that completed, was interrupted or is under way. `progress` holds
    pairs of seconds and percent, one for each change as long as there are few.

    The record is bounded: of more than a hundred transitions, or outages, those in the middle are
    left out, and `omitted` counts them. A text of more than 200 characters (the message: 4,000) is
    cut off, and ends with `…`.

    The cluster does not tell when an action ended. `lag_bound` is the longest possible delay until
    the end was seen: the time since the request whose answer last showed the action as not ended.
    It is None where there was no such answer, or where the end is known from another source.

    Immutable, hashable and picklable; `msgspec.json.encode(record)` makes JSON of it, with
    `"v": 1`.
    """

    ref: str
    title: str
    began: Annotated[datetime, msgspec.Meta(tz=True)]
    elapsed: float
    polls: int
    outcome: Outcome
    evidence: Evidence | None = None
    message: str | None = None
    transitions: tuple[Transition, ...] = ()
    progress: tuple[tuple[float, float], ...] = ()
    outages: tuple[Outage, ...] = ()
    omitted: int = 0
    lag_bound: float | None = None
    until: str | None = None
    hold: float = 0.0

    @property
    def already_over(self) -> bool:
        """Return True if the action had ended when it was first seen, so at an unknown time."""
        return len(self.transitions) == 1 and self.transitions[0].phase.terminal


# Called with the record of each wait as the wait begins; returns a callback for the final record.
Observer: TypeAlias = Callable[[Record], Callable[[Record], object]]


class FinishedAction(Action, frozen=True, kw_only=True):
    """An `Action` at the end of a wait. `record` is the history of the wait."""

    record: Record

    def _repr_html_(self) -> str:
        # The one import upwards that the layers allow, made only when a notebook shows the value.
        from redis_enterprise_actions._report.svg import svg_element  # noqa: PLC0415
        from redis_enterprise_actions._report.timeline import timeline  # noqa: PLC0415

        return svg_element(timeline([self.record]))


def with_record(action: Action, record: Record) -> FinishedAction:
    """Return an action that has ended, together with the record of the wait for it."""
    return FinishedAction(**_fields(action), record=record)


def without_record(action: Action) -> Action:
    """Return an action without the record of a wait."""
    return Action(**_fields(action)) if isinstance(action, FinishedAction) else action


def _fields(action: Action) -> dict[str, Any]:
    fields = msgspec.structs.asdict(action)
    fields.pop("record", None)
    return fields


def immediate_record(
    action: Action, began: datetime, outcome: Outcome, message: str | None = None
) -> Record:
    """Return the record of a call that left nothing to wait for."""
    builder = RecordBuilder(0.0, began)
    builder.add_answer(action, 0.0)
    return builder.record(0.0, ref="", action=action, polls=0, outcome=outcome, message=message)


def with_message(message: str, record: Record) -> Record:
    """Return a record with the message of the error that ended its wait."""
    return msgspec.structs.replace(record, message=shortened(message, _MAX_MESSAGE))


def already_text(outcome: str) -> str:
    """Return the end of an action that had ended before: `had already failed`."""
    been = "been " if outcome in {Outcome.CANCELLED, Outcome.ABORTED} else ""
    return f"had already {been}{outcome}"


def already_ended_text(record: Record) -> str | None:
    """Return the same for a record, with the time of the first answer if that was late.

    Return None if the wait saw the action end, or ended otherwise than the action.
    """
    if not record.already_over or str(record.outcome) != record.transitions[0].phase.value:
        return None
    seen_at = record.transitions[0].at
    late = f" when first seen, after {duration_text(seen_at)}"
    return already_text(record.outcome) + (late if seen_at >= _FIRST_ANSWER else "")


def age_at_end(action: Action, record: Record) -> float | None:
    """Return the approximate seconds from an action's creation until it was seen to end.

    Return None where the cluster names no creation time, where no answer showed the action before
    its end, and where the age says no more than `elapsed`. The age is inexact: the clocks of
    cluster and client differ, and the end is seen late by up to `lag_bound`.
    """
    if action.creation_time is None or record.lag_bound is None:
        return None
    age = (record.began - action.creation_time).total_seconds() + record.elapsed
    return age if age > record.elapsed + _CLOCK_TOLERANCE else None


class Recorder:
    """Collector of the records of waits, given to each of them as `recorder=`.

    One recorder may be given to any number of waits. It has their records at any time: also of the
    waits that are under way, and of those that were cancelled, which neither return nor raise one.
    """

    def __init__(self) -> None:
        self._records: list[Callable[[], Record]] = []

    def records(self) -> list[Record]:
        """Return the present records, in the order in which the waits began."""
        return [record() for record in self._records]

    def add(self, record: Callable[[], Record]) -> None:
        """Add a wait. `record` is called for its present record."""
        self._records.append(record)


class OutageSpan(NamedTuple):
    """An outage in times of the event loop's clock; `ended` is None while it lasts."""

    began: float
    ended: float | None
    attempts: int
    reason: str

    def overlaps(self, later: OutageSpan) -> bool:
        """Return True if `later` began before this outage ended."""
        return self.ended is None or later.began < self.ended

    def merged(self, later: OutageSpan) -> OutageSpan:
        """Return both outages as one."""
        return OutageSpan(
            began=min(self.began, later.began),
            ended=(
                None if self.ended is None or later.ended is None else max(self.ended, later.ended)
            ),
            attempts=self.attempts + later.attempts,
            reason=later.reason,
        )


class SeenState(msgspec.Struct, frozen=True, gc=False):
    """A transition in times of the event loop's clock. A wait holds few bytes for each."""

    at: float
    status: str
    phase: Phase
    state: str | None
    progress: float | None


class RecordBuilder:
    """Builder of the record of one wait. Times are seconds of the event loop's clock."""

    __slots__ = ("_began", "_curve", "_omitted", "_outages", "_transitions", "_wall")

    def __init__(self, now: float, wall: datetime) -> None:
        self._began = now
        self._wall = wall
        self._transitions: tuple[SeenState, ...] = ()
        self._outages: tuple[OutageSpan, ...] = ()
        self._curve: ProgressCurve | None = None
        self._omitted = 0

    def add_answer(self, action: Action, now: float) -> None:
        """Record the state of the action, if it is new."""
        status, phase, progress = shortened(action.status), action.phase, action.progress
        state = action.state and shortened(action.state)
        last = self._transitions[-1] if self._transitions else None
        if last is None or last.status != status or last.phase is not phase or last.state != state:
            seen = SeenState(now, status, phase, state, progress)
            self._transitions = self._appended(self._transitions, seen)
        if progress is not None:
            if self._curve is None:
                self._curve = ProgressCurve()
            self._curve.add(now, progress)

    def add_outage(self, outage: OutageSpan) -> None:
        """Record an outage that is over."""
        outages = self._outages
        if outages and outages[-1].overlaps(outage):
            self._outages = (*outages[:-1], outages[-1].merged(outage))
        else:
            self._outages = self._appended(outages, outage)

    def record(
        self,
        now: float,
        *,
        ref: str,
        action: Action | None,
        polls: int,
        outcome: Outcome,
        message: str | None = None,
        open_outages: Iterable[OutageSpan] = (),
        lag_bound: float | None = None,
        title: str | None = None,
        until: str | None = None,
        hold: float = 0.0,
    ) -> Record:
        """Return the present record; `open_outages` are those that last.

        The default of `title` is that of the action.
        """
        outages: list[OutageSpan] = []
        for outage in (*self._outages, *open_outages):
            if outages and outages[-1].overlaps(outage):
                outages[-1] = outages[-1].merged(outage)
            else:
                outages.append(outage)
        points = () if self._curve is None else self._curve.points()
        return Record(
            ref=ref,
            title=shortened(title or (one_line(ref) if action is None else action.title)),
            began=self._wall,
            elapsed=self._since(now),
            polls=polls,
            outcome=outcome,
            evidence=action.evidence if action is not None and action.phase.terminal else None,
            message=message and shortened(message, _MAX_MESSAGE),
            transitions=tuple([
                Transition(
                    at=self._since(seen.at),
                    status=seen.status,
                    phase=seen.phase,
                    state=seen.state,
                    progress=seen.progress,
                )
                for seen in self._transitions
            ]),
            progress=tuple([(self._since(at), percent) for at, percent in points]),
            outages=tuple([
                Outage(
                    began=self._since(outage.began),
                    ended=None if outage.ended is None else self._since(outage.ended),
                    attempts=outage.attempts,
                    reason=shortened(one_line(outage.reason)),
                )
                for outage in outages
            ]),
            omitted=self._omitted,
            lag_bound=None if lag_bound is None else round(lag_bound, 3),
            until=until and shortened(until),
            hold=hold,
        )  # fmt: skip

    def _appended(self, entries: tuple[_T, ...], entry: _T) -> tuple[_T, ...]:
        """Return the entries with another one; of too many, one in the middle is left out."""
        if len(entries) < MAX_ENTRIES:
            return (*entries, entry)
        self._omitted += 1
        half = MAX_ENTRIES // 2
        return (*entries[:half], *entries[half + 1 :], entry)

    def _since(self, now: float) -> float:
        return round(now - self._began, 3)


class ProgressCurve:
    """Progress over time in a bounded number of points, which get sparser as the wait lasts."""

    __slots__ = ("_spacing", "_values")

    def __init__(self) -> None:
        self._values = array("d")  # times and percentages, alternating
        self._spacing = 0.0  # least distance between points; the last point moves on

    def add(self, at: float, percent: float) -> None:
        """Add a point if the progress has changed."""
        values = self._values
        if values and values[-1] == percent:
            return
        if self._spacing and at - values[-4] < self._spacing:
            del values[-2:]
        values.append(at)
        values.append(percent)
        if len(values) > 2 * MAX_POINTS:  # keep every second point, the first and last included
            points = self.points()[::2]
            self._values = array("d", [value for point in points for value in point])
            self._spacing = (points[-1][0] - points[0][0]) / (MAX_POINTS / 2)

    def points(self) -> list[tuple[float, float]]:
        """Return pairs of time and percentage."""
        return list(zip(self._values[::2], self._values[1::2], strict=True))
