"""Displays for the logs of GitHub Actions and GitLab CI.

Folded parts of these logs cannot overlap. So the progress between the ends of two waits is folded
into one part, and the ends stand between the parts.

Sources: docs.github.com, "Workflow commands for GitHub Actions"; the escapes of data are those of
actions/toolkit, command.ts; docs.gitlab.com, "Job logs", "Custom collapsible sections".
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.output import escape_ci_commands
from redis_enterprise_actions._model.text import duration_text, one_line, shortened
from redis_enterprise_actions._report.markdown import escaped, table

from .events import (
    AbandonedEvent,
    ChangeEvent,
    KeepAliveEvent,
    OutageEvent,
    SummaryEvent,
    WaitEndEvent,
    WarningEvent,
)
from .plain import LineDisplay, event_text, log_line, says_the_end
from .progress import end_text, end_text_with_duration, format_summary, title_of
from .rows import summary_text


if TYPE_CHECKING:
    from collections.abc import Callable

    from .events import AnyEvent
    from .progress import Progress


_FOLDED: Final = (ChangeEvent, KeepAliveEvent, OutageEvent, WarningEvent)
_MAX_ANNOTATIONS: Final = 10  # that GitHub accepts from one step, for each level
_MAX_ROWS: Final = 200  # of the table: GitHub accepts a megabyte from a step
_MAX_CELL: Final = 300  # characters


class GitHubDisplay(LineDisplay):
    """Groups, annotations, and a job summary in the file `$GITHUB_STEP_SUMMARY`."""

    def __init__(self, write: Callable[[str], None], summary_file: str | None) -> None:
        super().__init__(write)
        self._summary_file = summary_file
        self._open = False
        self._annotations: dict[str, int] = {}

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Write the event, in the group or after it."""
        text = _log_text(event, progress)
        if text is not None:
            self._fold(_heading(progress) if isinstance(event, _FOLDED) else None)
            level, title = _annotation(event)
            count = self._annotations[level] = self._annotations.get(level, 0) + 1
            if level and count <= _MAX_ANNOTATIONS:
                self._annotate(level, title, text)
            else:
                self._write(escape_ci_commands(log_line(event, text)))
        if isinstance(event, SummaryEvent):
            self._fold(None)
            if self._summary_file:
                try:
                    with Path(self._summary_file).open("a", encoding="utf-8") as file:
                        file.write(job_summary(progress, event))
                except (OSError, ValueError) as error:
                    text = f"the job summary cannot be written: {error}"
                    self._annotate("warning", "redis-actions", text)

    def close(self, progress: Progress) -> None:  # noqa: ARG002 - not needed to end a group
        """End the group that is open."""
        self._fold(None)

    def _fold(self, heading: str | None) -> None:
        """Begin a group, or, without a heading, end the group that is open."""
        if self._open != (heading is not None):
            self._write("::endgroup::" if heading is None else f"::group::{_escape_data(heading)}")
            self._open = heading is not None

    def _annotate(self, level: str, title: str, text: str) -> None:
        title = _escape_data(title).replace(":", "%3A").replace(",", "%2C")
        self._write(f"::{level} title={title}::{_escape_data(text)}")


class GitLabDisplay(LineDisplay):
    """Collapsible sections, and a summary at the end."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(write)
        self._sections = 0
        self._open = False

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Write the event, in the section or after it. The last event ends the section."""
        if isinstance(event, SummaryEvent):
            self._fold(None, event.time)
            self._write("\n".join(summary_lines(progress, event)))
            return
        text = _log_text(event, progress)
        if text is not None:
            self._fold(_heading(progress) if isinstance(event, _FOLDED) else None, event.time)
            self._write(log_line(event, text))

    def close(self, progress: Progress) -> None:  # noqa: ARG002 - not needed to end a section
        """End the section that is open."""
        self._fold(None, datetime.now(UTC))

    def _fold(self, heading: str | None, time: datetime) -> None:
        """Begin a section, or, without a heading, end the section that is open."""
        if self._open == (heading is not None):
            return
        self._open = heading is not None
        self._sections += self._open
        name = f"redis_actions_{self._sections}"
        when = int(time.timestamp())
        mark = f"start:{when}:{name}[collapsed=true]" if self._open else f"end:{when}:{name}"
        self._write(f"\x1b[0Ksection_{mark}\r\x1b[0K{heading or ''}")


def _log_text(event: AnyEvent, progress: Progress) -> str | None:
    """Return an event as text, or None if it needs none or the end of the wait says the same."""
    return None if says_the_end(event) else event_text(event, progress)


def _heading(progress: Progress) -> str:
    pending = progress.pending
    if len(pending) == 1:
        return f"Waiting for {pending[0].title}"
    return f"Waiting for {len(pending)} of {len(progress.waits)}" if pending else "Calling"


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


def job_summary(progress: Progress, summary: SummaryEvent) -> str:
    """Return the Markdown that is appended to the job summary."""
    ends = progress.all_ends
    parts = [f"### redis-actions: {escaped(format_summary(summary))}"]
    if ends:
        rows: list[tuple[str, ...]] = []
        for end in ends[:_MAX_ROWS]:
            bold = "**" if isinstance(end, WaitEndEvent) and end.exit_code else ""
            how = f"{bold}{end_text(end)}{bold}"
            rows.append((_cell(_title(end)), how, duration_text(end.elapsed), _cell(end.message)))
        parts.append(table(("what", "how it ended", "waited", "in words"), rows))
    if len(ends) > _MAX_ROWS:
        parts.append(f"+{len(ends) - _MAX_ROWS} more")
    parts += [
        f"- The cluster gave no usable answer for {duration_text(outage.seconds)}."
        for outage in progress.outages
    ]
    return "\n\n".join(parts) + "\n\n"


def summary_lines(progress: Progress, summary: SummaryEvent) -> list[str]:
    """Return the summary as lines of text. Bad ends come last, where readers see them."""
    ends = sorted(
        progress.all_ends,
        key=lambda end: isinstance(end, WaitEndEvent) and end.exit_code != 0,
    )
    outages = [
        f"  no usable answer for {duration_text(outage.seconds)}" for outage in progress.outages
    ]
    lines = [f"  {end_text_with_duration(end)}  {_title(end)}" for end in ends]
    return [f"redis-actions: {summary_text(summary, progress)}", *outages, *lines]


def _title(end: WaitEndEvent | AbandonedEvent) -> str:
    return one_line(title_of(end.ref, end.action))


def _cell(text: str) -> str:
    return escaped(shortened(one_line(text), _MAX_CELL))
