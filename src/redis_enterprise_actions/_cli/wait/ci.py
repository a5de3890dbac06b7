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

from redis_enterprise_actions._cli.output import escape_ci_commands
from redis_enterprise_actions._model.action import Evidence
from redis_enterprise_actions._model.text import one_line

from .events import (
    AbandonedEvent,
    ChangeEvent,
    KeepAliveEvent,
    OutageEvent,
    SummaryEvent,
    WaitEndEvent,
    WarningEvent,
)
from .plain import event_text, log_line
from .progress import end_text, end_text_with_duration, format_clock, format_counts


if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from .events import AnyEvent
    from .progress import Progress


_FOLDED: Final = (ChangeEvent, KeepAliveEvent, OutageEvent, WarningEvent)
_MAX_ANNOTATIONS: Final = 10  # annotations of a kind that GitHub takes from one step
_SECTION: Final = "redis_actions_{}"
_MAX_ROWS: Final = 200  # of the table: GitHub takes a megabyte of a step
_MAX_CELL: Final = 300  # characters of a cell
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@:-])")


class GitHubDisplay:
    """Groups, annotations, and a summary of the job at the path `$GITHUB_STEP_SUMMARY`."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None], summary_file: str | None) -> None:
        self._write = write
        self._summary_file = summary_file
        self._open = False
        self._annotated: dict[str, int] = {}

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Write what was told, in the group or after it."""
        said = None if _is_repeated_by_end(event) else event_text(event, progress)
        if said is not None:
            self._fold(_heading(progress) if isinstance(event, _FOLDED) else None)
            self._write(self._format_line(event, said))
        if isinstance(event, SummaryEvent):
            self._fold(None)
            self._append_summary(event, progress)

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Nothing: what is written stays."""

    def close(self, progress: Progress) -> None:  # noqa: ARG002 - the group is whose it is
        """End the group that is open."""
        self._fold(None)

    def _fold(self, heading: str | None) -> None:
        """Be in a group, or, without a heading, in none."""
        if self._open != (heading is not None):
            self._write("::endgroup::" if heading is None else f"::group::{_escape_data(heading)}")
            self._open = heading is not None

    def _format_line(self, event: AnyEvent, said: str) -> str:
        level, title = _annotation(event)
        count = self._annotated[level] = self._annotated.get(level, 0) + 1
        if level and count <= _MAX_ANNOTATIONS:
            return f"::{level} title={_escape_property(title)}::{_escape_data(said)}"
        return escape_ci_commands(log_line(event, said))

    def _append_summary(self, done: SummaryEvent, progress: Progress) -> None:
        if not self._summary_file:
            return
        try:
            with Path(self._summary_file).open("a", encoding="utf-8") as file:
                file.write(job_summary(progress, done))
        except (OSError, ValueError) as error:
            said = f"the job summary cannot be written: {error}"
            self._write(f"::warning title=redis-actions::{_escape_data(said)}")


class GitLabDisplay:
    """Collapsible sections, and a summary at the end."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._sections = 0
        self._open = False

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Write what was told, in the section or after it."""
        if isinstance(event, SummaryEvent):
            self._fold(None, event.time)
            self._write("\n".join(summary_lines(progress, event)))
            return
        said = None if _is_repeated_by_end(event) else event_text(event, progress)
        if said is not None:
            self._fold(_heading(progress) if isinstance(event, _FOLDED) else None, event.time)
            self._write(log_line(event, said))

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Nothing: what is written stays."""

    def close(self, progress: Progress) -> None:
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


def _is_repeated_by_end(event: AnyEvent) -> bool:
    """Whether the end of the wait, which comes next, says the same."""
    if not isinstance(event, ChangeEvent):
        return False
    return event.action.phase.terminal and event.action.evidence is Evidence.ACTION


def _heading(progress: Progress) -> str:
    waiting = progress.pending
    if len(waiting) == 1:
        return f"Waiting for {waiting[0].title}"
    return f"Waiting for {len(waiting)} of {len(progress.waits)}" if waiting else "Calling"


def _annotation(event: AnyEvent) -> tuple[str, str]:
    """Return the level of an annotation, empty for none, and its title."""
    if isinstance(event, WaitEndEvent):
        title = event.uid or "submit" if event.action is None else event.action.title
        return ("error" if event.exit_code else "notice"), f"{title}: {event.outcome}"
    if isinstance(event, AbandonedEvent):
        return "warning", "no longer waited for"
    if isinstance(event, WarningEvent):
        return "warning", "redis-actions"
    if isinstance(event, OutageEvent) and not event.over:
        return "warning", "no usable answer"
    return "", ""


def _escape_data(text: str) -> str:
    return escape_ci_commands(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")


def job_summary(progress: Progress, done: SummaryEvent) -> str:
    """Return what is appended to the summary of a job."""
    ends = _ends(progress)
    rows = [_row(end) for end in ends[:_MAX_ROWS]]
    more = [f"\n+{len(ends) - _MAX_ROWS} more"] if len(ends) > _MAX_ROWS else []
    head = ["| what | how it ended | waited | in words |", "|---|---|---|---|"] if rows else []
    outages = [
        f"\n- The cluster gave no usable answer for {each.seconds:.1f} s."
        for each in progress.outages
    ]
    why = f"{_escape_markdown(done.why)}: " if done.why else ""
    title = f"### redis-actions: {why}{format_counts(done.ended, done.left)}\n"
    return "\n".join([title, *head, *rows, *more, *outages]) + "\n\n"


def summary_lines(progress: Progress, done: SummaryEvent) -> list[str]:
    """Return the same as lines of text, bad ends last, where they are seen."""
    ends = sorted(
        _ends(progress), key=lambda end: not isinstance(end, AbandonedEvent) and end.exit_code != 0
    )
    outages = [f"  no usable answer for {each.seconds:.1f} s" for each in progress.outages]
    lines = [f"  {end_text_with_duration(end)}  {_title(end)}" for end in ends]
    said = format_counts(done.ended, done.left)
    said = f"{done.why}: {said}" if done.why else said
    return [f"redis-actions: {said}; exit code {done.exit_code}", *outages, *lines]


def _ends(progress: Progress) -> list[WaitEndEvent | AbandonedEvent]:
    return [*progress.ends, *progress.abandoned]


def _title(end: WaitEndEvent | AbandonedEvent) -> str:
    return one_line((end.ref or "the call") if end.action is None else end.action.title)


def _row(end: WaitEndEvent | AbandonedEvent) -> str:
    bold = "**" if not isinstance(end, AbandonedEvent) and end.exit_code else ""
    cells = (
        _escape_markdown(_title(end)),
        f"{bold}{end_text(end)}{bold}",
        format_clock(end.elapsed),
        _escape_markdown(end.message),
    )
    return f"| {' | '.join(cells)} |"


def _escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is, in one cell of a table."""
    line = one_line(text)
    cut = line if len(line) <= _MAX_CELL else f"{line[:_MAX_CELL]}…"
    return _MARKUP.sub(r"\\\1", cut)
