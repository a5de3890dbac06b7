"""Displays that print one line for each event: plain lines with the time, and JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.output import print_error
from redis_enterprise_actions._model.action import Evidence
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.text import duration_text, json_text, one_line, percent_text

from .events import (
    AbandonedEvent,
    ChangeEvent,
    KeepAliveEvent,
    OutageEvent,
    SubmittedEvent,
    SummaryEvent,
    WaitEndEvent,
    WaitsStartedEvent,
    WarningEvent,
)
from .progress import UNKNOWN_REASON
from .rows import HOW_WIDTH, TIME_WIDTH, end_row, summary_text


if TYPE_CHECKING:
    from collections.abc import Callable

    from .events import AnyEvent, Event
    from .progress import Progress


_MAX_TITLE: Final = 60  # characters to which rows of ends are aligned
_MAX_NAMED: Final = 3  # waits that a line names before "+n more"


class LineDisplay:
    """Base of the displays that only append lines: these are never redrawn."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def note(self, text: str) -> None:
        """Write a line to standard error."""
        print_error(text)

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Do nothing."""

    def close(self, progress: Progress) -> None:
        """Do nothing."""


class PlainDisplay(LineDisplay):
    """Lines for a log, with their time, and a row for each end as it comes.

    `write_result` gets the ends and the summary, or, if `names`, the references of what ended well
    and nothing else.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        write_result: Callable[[str], None],
        *,
        names: bool = False,
        unicode: bool = True,
        summary: Callable[[SummaryEvent, Progress], str] = summary_text,
    ) -> None:
        super().__init__(write)
        self._write_name = write_result if names else None
        self._write_end = write if names else write_result
        self._summary_text = summary
        self._unicode = unicode
        self._told: set[str] = set()

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Write the event as a line, unless it needs none."""
        if isinstance(event, SubmittedEvent) and event.ref is not None:
            if self._write_name is None:
                self._write_end(one_line(event.ref))
        elif isinstance(event, WaitEndEvent | AbandonedEvent):
            self._write_end(self._end_line(event, progress))
            if self._write_name is not None and not end_row(event).outcome.exit_code:
                self._write_name(one_line(event.ref or ""))
        elif isinstance(event, SummaryEvent):
            if event.why is not None or sum(event.ended.values()) + event.left != 1:
                self._write_end(one_line(self._summary_text(event, progress)))
        elif not says_the_end(event) and (text := event_text(event, progress)) is not None:
            self._write(f"{event.time:%Y-%m-%dT%H:%M:%SZ}  {text}")

    def _end_line(self, end: WaitEndEvent | AbandonedEvent, progress: Progress) -> str:
        """Return the row of an end. A cause that several waits share is told once."""
        row = end_row(end)
        note = row.note
        if row.outcome.exit_code == Outcome.UNREACHABLE.exit_code:
            note = "as above" if note in self._told else note
            self._told.add(row.note)
        width = max([len(row.title), *(len(wait.title) for wait in progress.waits.values())])
        mark = row.outcome.mark if self._unicode else row.outcome.ascii_mark
        how = f"{row.how:<{HOW_WIDTH}}  {row.duration:>{TIME_WIDTH}}"
        return f"{mark} {row.title:<{min(width, _MAX_TITLE)}}  {how}  {note}".rstrip()


def says_the_end(event: AnyEvent) -> bool:
    """Return True for the last change of an action, which the end of the wait says, too."""
    return (
        isinstance(event, ChangeEvent)
        and event.action.phase.terminal
        and event.action.evidence is Evidence.ACTION
    )


class JsonDisplay(LineDisplay):
    """JSON lines, one object for each event."""

    def show(self, event: AnyEvent, progress: Progress) -> None:  # noqa: ARG002 - not needed here
        """Write the event as a JSON object."""
        self._write(json_text(event))


def log_line(event: Event, text: str) -> str:
    """Return a line of a log: wall clock, time elapsed, text."""
    return f"{event.time:%Y-%m-%dT%H:%M:%SZ} {duration_text(event.elapsed):>7}  {text}"


def event_text(event: AnyEvent, progress: Progress) -> str | None:
    """Return an event as one printable line of text, or None if it needs none."""
    text: str | None
    match event:
        case SubmittedEvent(ref=None):  # the end of a wait tells the problem
            unfollowed = "the call was answered, and there is nothing to follow"
            text = unfollowed if event.problem is None else None
        case SubmittedEvent():
            text = f"started {event.ref}"
        case WaitsStartedEvent():
            text = None
        case ChangeEvent():
            text = str(event.action)
        case OutageEvent():
            text = _outage_text(event)
        case WarningEvent():
            text = f"warning: {event.message}"
        case KeepAliveEvent():
            text = _keep_alive_text(event, progress)
        case WaitEndEvent() | AbandonedEvent():
            text = event.message
        case _:
            said = event.why is None and sum(event.ended.values()) == 1  # by the end of the wait
            text = None if said else summary_text(event, progress)
    return None if text is None else one_line(text)


def _outage_text(event: OutageEvent) -> str:
    about = "" if event.ref is None else f" about {event.ref}"
    duration = duration_text(event.seconds)
    if event.over:
        return f"the cluster answers{about} again after {duration}"
    others = "" if event.ref is None else "; the other waits go on"
    reason = event.reason or UNKNOWN_REASON
    return f"no usable answer{about} for {duration}: {reason}; asking again{others}"


def _keep_alive_text(event: KeepAliveEvent, progress: Progress) -> str:
    if not event.waiting:
        text = "still asking the cluster to accept the call"
    else:
        total = len(progress.waits)
        count = f" for {len(event.waiting)} of {total}" if total > 1 else ""
        named: list[str] = []
        for wait in event.waiting[:_MAX_NAMED]:
            parts = [wait.status or "not seen yet"]
            parts += [] if wait.progress is None else [percent_text(wait.progress)]
            named.append(f"{wait.title}: {', '.join(parts)}")
        more = len(event.waiting) - _MAX_NAMED
        named += [f"+{more} more"] if more > 0 else []
        text = f"still waiting{count}: {'; '.join(named)}"
    if event.outage is None:
        return text
    return f"no usable answer for {duration_text(event.outage)}: {progress.outage_reason}; {text}"
