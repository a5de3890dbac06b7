"""What is told in a log: a line for each change, with the time, and never a control character.

`words` are what the other displays of text say, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.text import one_line, percent_text
from redis_enterprise_actions._report.json import as_json

from .events import Alive, Began, Change, Done, End, Left, Outage, Submitted, Warned
from .progress import UNKNOWN, clock, counted


if TYPE_CHECKING:
    from collections.abc import Callable

    from .events import AnyEvent, Event, Waiting
    from .progress import Board


_SHOWN: Final = 3  # waits that a line names before "+n more"


def words(event: AnyEvent, board: Board) -> str | None:
    """Return an event in words, as one printable line, or None if it needs none."""
    if isinstance(event, Alive):
        return one_line(_alive(event, board))
    if isinstance(event, Done):
        return one_line(_done(event)) if event.why or sum(event.ended.values()) != 1 else None
    said = _WORDS[type(event)](event)
    return None if said is None else one_line(said)


def stamped(event: Event, said: str) -> str:
    """Return a line of a log: wall clock, time elapsed, what there is to tell."""
    return f"{event.time:%Y-%m-%dT%H:%M:%SZ} +{clock(event.elapsed)}  {said}"


class Plain:
    """Lines, each of them with its time."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def show(self, event: AnyEvent, board: Board) -> None:
        """Write what was told."""
        said = words(event, board)
        if said is not None:
            self._write(stamped(event, said))

    def draw(self, elapsed: float, board: Board) -> None:
        """Nothing: what is written stays."""

    def close(self, board: Board) -> None:
        """Nothing: what is written stays."""


def _submitted(event: Submitted) -> str | None:
    if event.ref is not None:
        return f"started {event.ref}"
    # Otherwise the end says why, where it is waited for.
    return (
        "the call was answered, and there is nothing to follow" if event.problem is None else None
    )


def _nothing(_: Began) -> None:
    return None


def _change(event: Change) -> str:
    return str(event.action)


def _outage(event: Outage) -> str:
    if event.over and event.ref is None:
        return f"the cluster answers again after {event.seconds:.1f} s"
    if event.over:
        return f"{event.ref} is answered for again after {event.seconds:.1f} s"
    about = "" if event.ref is None else f" about {event.ref}"
    meanwhile = "" if event.ref is None else ", while others are answered for"
    reason = event.reason or UNKNOWN
    return f"no usable answer{about} for {event.seconds:.1f} s: {reason}; asking again{meanwhile}"


def _warned(event: Warned) -> str:
    return f"warning: {event.message}"


def _end(event: End | Left) -> str:
    return event.message


def _alive(event: Alive, board: Board) -> str:
    if not event.waiting:
        still = "still asking the cluster to take the call"
    else:
        several = len(board.standings) > 1
        many = f" for {len(event.waiting)} of {len(board.standings)}" if several else ""
        shown = [_brief(each) for each in event.waiting[:_SHOWN]]
        more = len(event.waiting) - _SHOWN
        shown += [f"+{more} more"] if more > 0 else []
        still = f"still waiting{many}: {'; '.join(shown)}"
    if event.outage is None:
        return still
    return f"no usable answer for {event.outage:.1f} s: {board.reason}; {still}"


def _brief(waiting: Waiting) -> str:
    parts = [waiting.status or "not seen yet"]
    parts += [] if waiting.progress is None else [percent_text(waiting.progress)]
    return f"{waiting.title}: {', '.join(parts)}"


def _done(event: Done) -> str:
    why = "" if event.why is None else f"{event.why}: "
    return f"{why}{counted(event.ended, event.left)}; exit code {event.exit_code}"


_WORDS: Final[dict[type[Event], Callable[..., str | None]]] = {
    Submitted: _submitted,
    Began: _nothing,
    Change: _change,
    Outage: _outage,
    Warned: _warned,
    End: _end,
    Left: _end,
}


class JsonLines:
    """Writes what is told as it is."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def show(self, event: AnyEvent, board: Board) -> None:  # noqa: ARG002 - it is all in the event
        """Write an event."""
        self._write(as_json(event))

    def draw(self, elapsed: float, board: Board) -> None:
        """Nothing: what is written stays."""

    def close(self, board: Board) -> None:
        """Nothing: what is written stays."""
