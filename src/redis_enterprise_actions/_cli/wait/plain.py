"""What is told in a log: a line for each change, with the time, and never a control character.

`words` are what the other displays of text say, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.text import one_line, percent_text
from redis_enterprise_actions._report.json import as_json

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
from .progress import UNKNOWN_REASON, format_clock, format_counts


if TYPE_CHECKING:
    from collections.abc import Callable

    from .events import AnyEvent, Event, PendingWait
    from .progress import Progress


_MAX_NAMED: Final = 3  # waits that a line names before "+n more"


def event_text(event: AnyEvent, progress: Progress) -> str | None:
    """Return an event in words, as one printable line, or None if it needs none."""
    if isinstance(event, KeepAliveEvent):
        return one_line(_keep_alive_text(event, progress))
    if isinstance(event, SummaryEvent):
        return (
            one_line(_summary_text(event)) if event.why or sum(event.ended.values()) != 1 else None
        )
    said = _TEXTS[type(event)](event)
    return None if said is None else one_line(said)


def log_line(event: Event, said: str) -> str:
    """Return a line of a log: wall clock, time elapsed, what there is to tell."""
    return f"{event.time:%Y-%m-%dT%H:%M:%SZ} +{format_clock(event.elapsed)}  {said}"


class PlainDisplay:
    """Lines, each of them with its time."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Write what was told."""
        said = event_text(event, progress)
        if said is not None:
            self._write(log_line(event, said))

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Nothing: what is written stays."""

    def close(self, progress: Progress) -> None:
        """Nothing: what is written stays."""


def _submitted_text(event: SubmittedEvent) -> str | None:
    if event.ref is not None:
        return f"started {event.ref}"
    # Otherwise the end says why, where it is waited for.
    return (
        "the call was answered, and there is nothing to follow" if event.problem is None else None
    )


def _no_text(_: WaitsStartedEvent) -> None:
    return None


def _change_text(event: ChangeEvent) -> str:
    return str(event.action)


def _outage_text(event: OutageEvent) -> str:
    if event.over and event.ref is None:
        return f"the cluster answers again after {event.seconds:.1f} s"
    if event.over:
        return f"{event.ref} is answered for again after {event.seconds:.1f} s"
    about = "" if event.ref is None else f" about {event.ref}"
    meanwhile = "" if event.ref is None else ", while others are answered for"
    reason = event.reason or UNKNOWN_REASON
    return f"no usable answer{about} for {event.seconds:.1f} s: {reason}; asking again{meanwhile}"


def _warning_text(event: WarningEvent) -> str:
    return f"warning: {event.message}"


def _end_text(event: WaitEndEvent | AbandonedEvent) -> str:
    return event.message


def _keep_alive_text(event: KeepAliveEvent, progress: Progress) -> str:
    if not event.waiting:
        still = "still asking the cluster to take the call"
    else:
        several = len(progress.waits) > 1
        many = f" for {len(event.waiting)} of {len(progress.waits)}" if several else ""
        shown = [_pending_text(each) for each in event.waiting[:_MAX_NAMED]]
        more = len(event.waiting) - _MAX_NAMED
        shown += [f"+{more} more"] if more > 0 else []
        still = f"still waiting{many}: {'; '.join(shown)}"
    if event.outage is None:
        return still
    return f"no usable answer for {event.outage:.1f} s: {progress.outage_reason}; {still}"


def _pending_text(waiting: PendingWait) -> str:
    parts = [waiting.status or "not seen yet"]
    parts += [] if waiting.progress is None else [percent_text(waiting.progress)]
    return f"{waiting.title}: {', '.join(parts)}"


def _summary_text(event: SummaryEvent) -> str:
    why = "" if event.why is None else f"{event.why}: "
    return f"{why}{format_counts(event.ended, event.left)}; exit code {event.exit_code}"


_TEXTS: Final[dict[type[Event], Callable[..., str | None]]] = {
    SubmittedEvent: _submitted_text,
    WaitsStartedEvent: _no_text,
    ChangeEvent: _change_text,
    OutageEvent: _outage_text,
    WarningEvent: _warning_text,
    WaitEndEvent: _end_text,
    AbandonedEvent: _end_text,
}


class JsonDisplay:
    """Writes what is told as it is."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def show(self, event: AnyEvent, progress: Progress) -> None:  # noqa: ARG002 - it is all in the event
        """Write an event."""
        self._write(as_json(event))

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Nothing: what is written stays."""

    def close(self, progress: Progress) -> None:
        """Nothing: what is written stays."""
