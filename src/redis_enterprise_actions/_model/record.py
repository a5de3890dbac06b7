"""What a wait has been through: its flight record, from the first look to the end.

Knows how to keep one short: while a wait lasts, a few compact entries, and no more of them however
long it takes; the Structs are made when somebody reads. Reads no clock, and refuses to know when a
wait is over.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypeAlias, TypeVar

import msgspec

from .action import Action, Evidence, Phase
from .outcome import Outcome
from .text import one_line


if TYPE_CHECKING:
    from collections.abc import Iterable

_T = TypeVar("_T")

MAX_ENTRIES: Final = 100  # transitions kept, and as many outages: half the first, half the last
MAX_POINTS: Final = 120  # of the progress: enough to draw a line
_FIRST_ANSWER: Final = 5.0  # seconds within which the first look is usually answered
_CLOCK_TOLERANCE: Final = (
    5.0  # seconds of a difference between clocks, and of a creation time's rounding
)
_MAX_REASON: Final = 200  # characters of what an outage is put down to


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A change of status, phase or state, seen `at` seconds after the wait began.

    The first one is how the action stood when it was first seen. `progress` is that of this
    moment, in percent, or None.
    """

    at: float
    status: str
    phase: Phase
    state: str | None = None
    progress: float | None = None


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A time without usable answers, from the first request that got none to the next good answer.

    `began` and `ended` are seconds after the wait began; None means that it lasted to the end.
    `attempts` is how many requests failed, and `reason` what the last of them came to.
    """

    began: float
    ended: float | None
    attempts: int
    reason: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What one wait has been through.

    `ref` is the reference waited for (empty where a call had started nothing to wait for), `title`
    what was done to what. `began` is the wall clock as the wait began, in UTC; everything else is
    seconds of the event loop's clock since then. `elapsed` is how long the wait lasted, which says
    nothing of how long the work took. `polls` is how often the cluster was asked on behalf of this
    wait, alone or together with others, looks at a database included. `evidence` is what told of
    the action's end, None where that was not seen. `message` is what the error says, None for a
    wait that completed, was interrupted or is under way. `progress` holds pairs of seconds and
    percent, one for each change as long as there are few.

    The record is bounded: where a wait saw more than a hundred transitions, or as many outages,
    those in the middle are left out, and `omitted` says how many.

    The cluster does not tell when an action ended. `lag_bound` is how late that was seen at most:
    the time since the cluster was asked for the last answer in which the action went on. It is None
    where there was none, or where something else than the action itself told of its end.

    Immutable, hashable and picklable; `msgspec.json.encode(record)` makes JSON of it.
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

    @property
    def already_over(self) -> bool:
        """Whether the action had ended when it was first seen, and so at a time not known."""
        return bool(self.transitions) and self.transitions[0].phase.terminal


# Is told of a wait as it begins, and what it returns is told of it as it has ended.
Observer: TypeAlias = Callable[[Record], Callable[[Record], object]]


class FinishedAction(Action, frozen=True, kw_only=True):
    """An `Action` that was waited for until its end. `record` is what the wait has been through."""

    record: Record


def with_record(action: Action, record: Record) -> FinishedAction:
    """Return an action that has ended, together with the record of the wait for it."""
    return FinishedAction(**_fields(action), record=record)


def without_record(action: Action) -> Action:
    """Return an action without the record of a wait."""
    return Action(**_fields(action)) if isinstance(action, FinishedAction) else action


def immediate_record(
    action: Action, began: datetime, outcome: Outcome, message: str | None = None
) -> Record:
    """Return the record of a wait for a call that left nothing to wait for."""
    log = RecordBuilder(0.0, began)
    log.add_answer(action, 0.0)
    return log.record(0.0, ref="", action=action, polls=0, outcome=outcome, message=message)


def with_message(message: str, record: Record) -> Record:
    """Return a record with the message of the error that ended its wait."""
    return msgspec.structs.replace(record, message=message)


def already_text(outcome: str) -> str:
    """Return in words how an action had ended before it was first seen: `had already failed`."""
    been = "been " if outcome in {Outcome.CANCELLED, Outcome.ABORTED} else ""
    return f"had already {been}{outcome}"


def already_ended_text(record: Record) -> str | None:
    """Return the same, and when it was seen if that was late; None if it was seen to end."""
    if not record.already_over or record.outcome != record.transitions[0].phase.value:
        return None
    seen_at = record.transitions[0].at
    late = seen_at >= _FIRST_ANSWER
    seen = f" when first seen, after waiting {seen_at:.1f} s" if late else ""
    return f"{already_text(record.outcome)}{seen}"


def age_at_end(action: Action, record: Record) -> float | None:
    """Return about how many seconds after its creation an action was seen to end.

    None where the cluster names no such time, where nobody saw the action go on, and where that
    tells no more than `elapsed`: as the clocks of cluster and client differ, and the end is seen
    late by up to `lag_bound`, it is no exact number.
    """
    if action.creation_time is None or record.lag_bound is None:
        return None
    age = (record.began - action.creation_time).total_seconds() + record.elapsed
    return age if age > record.elapsed + _CLOCK_TOLERANCE else None


class Recorder:
    """Keeps the record of each wait that it is given to, as `recorder=`.

    One may be given to any number of waits. It has their records at any time: also of those that
    are under way, and of those that were cancelled, which neither return nor raise one.
    """

    def __init__(self) -> None:
        self._records: list[Callable[[], Record]] = []

    def records(self) -> list[Record]:
        """Return the records as they are now, in the order in which the waits began."""
        return [record() for record in self._records]

    def add(self, record: Callable[[], Record]) -> None:
        """Keep one record more: what `record` returns whenever it is called."""
        self._records.append(record)


class OutageSpan(NamedTuple):
    """An outage, in times of the loop; `ended` is None while it lasts."""

    began: float
    ended: float | None
    attempts: int
    reason: str


class RecordBuilder:
    """What a wait notes on the way. Times are the event loop's, in seconds."""

    __slots__ = ("_began", "_curve", "_omitted", "_outages", "_transitions", "_wall")

    def __init__(self, now: float, wall: datetime) -> None:
        self._began = now
        self._wall = wall
        self._transitions: list[tuple[float, str, Phase, str | None, float | None]] = []
        self._outages: list[OutageSpan] = []
        self._curve = ProgressCurve()
        self._omitted = 0

    def add_answer(self, action: Action, now: float) -> None:
        """Note how an action stands, if that is new."""
        status, phase, state, progress = action.status, action.phase, action.state, action.progress
        last = self._transitions[-1] if self._transitions else None
        if last is None or last[1] != status or last[2] is not phase or last[3] != state:
            self._omitted += _keep(self._transitions, (now, status, phase, state, progress))
        if progress is not None:
            self._curve.add(now, progress)

    def add_outage(self, trouble: OutageSpan) -> None:
        """Note an outage that is over."""
        if self._outages and _overlap(self._outages[-1], trouble):
            self._outages[-1] = _joined(self._outages[-1], trouble)
        else:
            self._omitted += _keep(self._outages, trouble)

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
    ) -> Record:
        """Return the record as it is now; `lasting` are the outages that are not over."""
        over = action is not None and action.phase.terminal
        return Record(
            ref=ref,
            title=one_line(ref) if action is None else action.title,
            began=self._wall,
            elapsed=self._since(now),
            polls=polls,
            outcome=outcome,
            evidence=action.evidence if action is not None and over else None,
            message=message,
            transitions=tuple(map(self._transition, self._transitions)),
            progress=tuple(
                [(round(at - self._began, 3), percent) for at, percent in self._curve.points()]
            ),
            outages=tuple(map(self._outage, _joining([*self._outages, *open_outages]))),
            omitted=self._omitted,
            lag_bound=None if lag_bound is None else round(lag_bound, 3),
        )

    def _transition(self, seen: tuple[float, str, Phase, str | None, float | None]) -> Transition:
        at, status, phase, state, progress = seen
        return Transition(
            at=self._since(at), status=status, phase=phase, state=state, progress=progress
        )

    def _outage(self, trouble: OutageSpan) -> Outage:
        return Outage(
            began=self._since(trouble.began),
            ended=None if trouble.ended is None else self._since(trouble.ended),
            attempts=trouble.attempts,
            reason=_cut(one_line(trouble.reason)),
        )

    def _since(self, now: float) -> float:
        return round(now - self._began, 3)


class ProgressCurve:
    """Progress over time, with fewer points for each hour the longer it gets."""

    __slots__ = ("_spacing", "_values")

    def __init__(self) -> None:
        self._values = array("d")  # times and percents, by turns
        self._spacing = 0.0  # that points have at least; the last one moves on

    def add(self, at: float, percent: float) -> None:
        values = self._values
        if values and values[-1] == percent:
            return
        if self._spacing and at - values[-4] < self._spacing:
            del values[-2:]
        values.append(at)
        values.append(percent)
        if len(values) > 2 * MAX_POINTS:
            self._thin()

    def points(self) -> list[tuple[float, float]]:
        return list(zip(self._values[::2], self._values[1::2], strict=True))

    def _thin(self) -> None:
        """Leave out every second point, but neither the first nor the last."""
        points = self.points()[::2]
        self._values = array("d", [value for point in points for value in point])
        self._spacing = (points[-1][0] - points[0][0]) / (MAX_POINTS / 2)


def _keep(entries: list[_T], entry: _T) -> int:
    """Add an entry, at the expense of one in the middle; return how many were left out."""
    entries.append(entry)
    if len(entries) <= MAX_ENTRIES:
        return 0
    del entries[MAX_ENTRIES // 2]
    return 1


def _joining(troubles: Iterable[OutageSpan]) -> list[OutageSpan]:
    """Return outages in order, those that overlap as one: for who waits they are."""
    joined: list[OutageSpan] = []
    for trouble in troubles:
        if joined and _overlap(joined[-1], trouble):
            joined[-1] = _joined(joined[-1], trouble)
        else:
            joined.append(trouble)
    return joined


def _overlap(one: OutageSpan, other: OutageSpan) -> bool:
    return one.ended is None or other.began < one.ended


def _joined(one: OutageSpan, other: OutageSpan) -> OutageSpan:
    return OutageSpan(
        began=min(one.began, other.began),
        ended=None if one.ended is None or other.ended is None else max(one.ended, other.ended),
        attempts=one.attempts + other.attempts,
        reason=other.reason,
    )


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_REASON else f"{text[: _MAX_REASON - 1]}…"


def _fields(action: Action) -> dict[str, Any]:
    fields = msgspec.structs.asdict(action)
    fields.pop("record", None)
    return fields
