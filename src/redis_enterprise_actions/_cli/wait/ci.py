"""What is told in the logs of GitHub Actions and GitLab CI, in the ways these have.

Neither can interleave what it folds, so progress is folded from one end of a wait to the next, and
the ends stand between.

Sources: docs.github.com, "Workflow commands for GitHub Actions"; the escapes of data are those of
actions/toolkit, command.ts; docs.gitlab.com, "Job logs", "Custom collapsible sections".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.output import harmless
from redis_enterprise_actions._model.action import Evidence
from redis_enterprise_actions._model.text import one_line

from .events import Alive, Change, Done, End, Left, Outage, Warned
from .plain import stamped, words
from .progress import clock, counted, how, how_long


if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from .events import AnyEvent
    from .progress import Board


_FOLDED: Final = (Change, Alive, Outage, Warned)
_MOST: Final = 10  # annotations of a kind that GitHub takes from one step
_SECTION: Final = "redis_actions_{}"
_ROWS: Final = 200  # of the table: GitHub takes a megabyte of a step
_CUT: Final = 300  # characters of a cell
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@:-])")


class GitHub:
    """Groups, annotations, and a summary of the job at the path `$GITHUB_STEP_SUMMARY`."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None], summary_file: str | None) -> None:
        self._write = write
        self._file = summary_file
        self._open = False
        self._annotated: dict[str, int] = {}

    def show(self, event: AnyEvent, board: Board) -> None:
        """Write what was told, in the group or after it."""
        said = None if _is_told_by_its_end(event) else words(event, board)
        if said is not None:
            self._fold(_heading(board) if isinstance(event, _FOLDED) else None)
            self._write(self._line(event, said))
        if isinstance(event, Done):
            self._fold(None)
            self._summarize(event, board)

    def draw(self, elapsed: float, board: Board) -> None:
        """Nothing: what is written stays."""

    def close(self, board: Board) -> None:  # noqa: ARG002 - the group is whose it is
        """End the group that is open."""
        self._fold(None)

    def _fold(self, heading: str | None) -> None:
        """Be in a group, or, without a heading, in none."""
        if self._open != (heading is not None):
            self._write("::endgroup::" if heading is None else f"::group::{_data(heading)}")
            self._open = heading is not None

    def _line(self, event: AnyEvent, said: str) -> str:
        level, title = _annotation(event)
        count = self._annotated[level] = self._annotated.get(level, 0) + 1
        if level and count <= _MOST:
            return f"::{level} title={_property(title)}::{_data(said)}"
        return harmless(stamped(event, said))

    def _summarize(self, done: Done, board: Board) -> None:
        if not self._file:
            return
        try:
            with Path(self._file).open("a", encoding="utf-8") as file:
                file.write(markdown(board, done))
        except (OSError, ValueError) as error:
            said = f"the job summary cannot be written: {error}"
            self._write(f"::warning title=redis-actions::{_data(said)}")


class GitLab:
    """Collapsible sections, and a summary at the end."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._sections = 0
        self._open = False

    def show(self, event: AnyEvent, board: Board) -> None:
        """Write what was told, in the section or after it."""
        if isinstance(event, Done):
            self._fold(None, event.time)
            self._write("\n".join(summary(board, event)))
            return
        said = None if _is_told_by_its_end(event) else words(event, board)
        if said is not None:
            self._fold(_heading(board) if isinstance(event, _FOLDED) else None, event.time)
            self._write(stamped(event, said))

    def draw(self, elapsed: float, board: Board) -> None:
        """Nothing: what is written stays."""

    def close(self, board: Board) -> None:
        """Nothing: the last event has ended the section."""

    def _fold(self, heading: str | None, time: datetime) -> None:
        """Be in a section, or, without a heading, in none."""
        if self._open == (heading is not None):
            return
        self._open = heading is not None
        self._sections += self._open
        name = _SECTION.format(self._sections)
        when = int(time.timestamp())
        mark = f"start:{when}:{name}[collapsed=true]" if self._open else f"end:{when}:{name}"
        self._write(f"\x1b[0Ksection_{mark}\r\x1b[0K{heading or ''}")


def _is_told_by_its_end(event: AnyEvent) -> bool:
    """Whether the end of the wait, which comes next, says the same."""
    if not isinstance(event, Change):
        return False
    return event.action.phase.terminal and event.action.evidence is Evidence.ACTION


def _heading(board: Board) -> str:
    waiting = board.waiting
    if len(waiting) == 1:
        return f"Waiting for {waiting[0].title}"
    return f"Waiting for {len(waiting)} of {len(board.standings)}" if waiting else "Calling"


def _annotation(event: AnyEvent) -> tuple[str, str]:
    """Return the level of an annotation, empty for none, and its title."""
    if isinstance(event, End):
        title = event.uid or "submit" if event.action is None else event.action.title
        return ("error" if event.exit_code else "notice"), f"{title}: {event.outcome}"
    if isinstance(event, Left):
        return "warning", "no longer waited for"
    if isinstance(event, Warned):
        return "warning", "redis-actions"
    if isinstance(event, Outage) and not event.over:
        return "warning", "no usable answer"
    return "", ""


def _data(text: str) -> str:
    return harmless(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def markdown(board: Board, done: Done) -> str:
    """Return what is appended to the summary of a job."""
    ends = _ends(board)
    rows = [_row(end) for end in ends[:_ROWS]]
    more = [f"\n+{len(ends) - _ROWS} more"] if len(ends) > _ROWS else []
    head = ["| what | how it ended | waited | in words |", "|---|---|---|---|"] if rows else []
    outages = [
        f"\n- The cluster gave no usable answer for {each.seconds:.1f} s." for each in board.outages
    ]
    why = f"{_escaped(done.why)}: " if done.why else ""
    title = f"### redis-actions: {why}{counted(done.ended, done.left)}\n"
    return "\n".join([title, *head, *rows, *more, *outages]) + "\n\n"


def summary(board: Board, done: Done) -> list[str]:
    """Return the same as lines of text, bad ends last, where they are seen."""
    ends = sorted(_ends(board), key=lambda end: not isinstance(end, Left) and end.exit_code != 0)
    outages = [f"  no usable answer for {each.seconds:.1f} s" for each in board.outages]
    lines = [f"  {how_long(end)}  {_title(end)}" for end in ends]
    said = counted(done.ended, done.left)
    said = f"{done.why}: {said}" if done.why else said
    return [f"redis-actions: {said}; exit code {done.exit_code}", *outages, *lines]


def _ends(board: Board) -> list[End | Left]:
    return [*board.ends, *board.left]


def _title(end: End | Left) -> str:
    return one_line((end.ref or "the call") if end.action is None else end.action.title)


def _row(end: End | Left) -> str:
    bold = "**" if not isinstance(end, Left) and end.exit_code else ""
    said = f"{bold}{how(end)}{bold}"
    return f"| {_escaped(_title(end))} | {said} | {clock(end.elapsed)} | {_escaped(end.message)} |"


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, in one cell of a table."""
    line = one_line(text)
    cut = line if len(line) <= _CUT else f"{line[:_CUT]}…"
    return _MARKUP.sub(r"\\\1", cut)
