"""Displays of waits, and the choice of one that suits the output."""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol

from redis_enterprise_actions._cli.output import (
    NEEDS_RICH,
    can_draw,
    has_unicode,
    print_error,
    print_line,
    write_output,
)
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import one_line

from .ci import GitHubDisplay, GitLabDisplay
from .events import SubmittedEvent
from .plain import JsonDisplay, LineDisplay, PlainDisplay, event_text
from .rows import summary_text


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .events import AnyEvent, SummaryEvent
    from .progress import Progress


_CI_SYSTEMS: Final = {"GITHUB_ACTIONS": "github", "GITLAB_CI": "gitlab"}


class Display(Protocol):
    """Display of the events of waits.

    `refresh` is the number of seconds between two calls of `draw`. A display that only appends
    lines has None, and is shown a `KeepAliveEvent` now and then instead.
    """

    @property
    def refresh(self) -> float | None: ...

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Show an event, which `progress` includes already."""

    def note(self, text: str) -> None:
        """Write a line that is no event to standard error, without damage to what is drawn."""

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Draw the progress, `elapsed` seconds after the command began."""

    def close(self, progress: Progress) -> None:
        """Leave the output ready for another line."""


class ReferenceDisplay(LineDisplay):
    """Display for scripts: the reference to the work that a call started, and nothing else.

    All other events are printed as errors.
    """

    def __init__(self, write: Callable[[str], None], print_error: Callable[[str], None]) -> None:
        super().__init__(write)
        self._print_error = print_error

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Write the reference, or print an error if there is none."""
        if isinstance(event, SubmittedEvent) and event.ref is not None:
            self._write(one_line(event.ref))
        elif isinstance(event, SubmittedEvent) and event.problem is not None:
            self._print_error(f"the call was answered, but cannot be followed: {event.problem}")
        elif (text := event_text(event, progress)) is not None:
            self._print_error(text)


def ci_output(environ: Mapping[str, str]) -> str | None:
    """Return the name of the output for the CI system that runs the command, or None."""
    return next((name for key, name in _CI_SYSTEMS.items() if environ.get(key) == "true"), None)


def choose_output(
    wanted: str, environ: Mapping[str, str], *, terminal: bool, rich: bool
) -> tuple[str, str | None]:
    """Return the name of an output, never `auto` or `name`, and a warning if it is another one.

    `terminal` is True if progress goes to a terminal, `rich` if the package can be imported.
    """
    ci = ci_output(environ)
    if wanted == "auto" and ci is not None:
        return ci, None
    if wanted not in {"auto", "rich", "name"}:
        return wanted, None
    if not terminal or not can_draw(environ):
        no_terminal = "plain lines, as the output is not a terminal that can draw"
        return "plain", no_terminal if wanted == "rich" else None
    if rich:
        return "rich", None
    if wanted == "rich":
        raise UsageError(f"--output rich {NEEDS_RICH}")
    return "plain", f"plain lines, as a live view {NEEDS_RICH}"


def create_display(
    wanted: str,
    warn: Callable[[str], None],
    cluster: str,
    summary: Callable[[SummaryEvent, Progress], str] = summary_text,
) -> Display:
    """Return the display that is wanted, or one that the output allows; warn about the latter.

    Progress goes to standard output if that is a terminal, else to standard error, and results to
    standard output. With `name` the results are references. `cluster` is its URL, and `summary`
    returns the last line of a live view and of plain lines.
    """
    names = wanted == "name"
    on_stdout = sys.stdout.isatty() and not names
    stream = sys.stdout if on_stdout else sys.stderr
    rich = find_spec("rich") is not None
    name, warning = choose_output(wanted, os.environ, terminal=stream.isatty(), rich=rich)
    if warning is not None:
        warn(f"redis-actions: {warning}")
    plain = partial(
        PlainDisplay,
        write_result=print_line,
        names=names,
        unicode=has_unicode(sys.stdout),
        summary=summary,
    )
    if name == "rich":
        from .live import LiveDisplay  # noqa: PLC0415 - needs rich, an extra

        results = plain(_discard)
        return LiveDisplay(
            stream,
            cluster,
            results=None if on_stdout else results,
            keep=on_stdout or names,
            summary=summary,
        )
    if name == "plain":
        write = print_line if on_stdout else print_error
        return plain(write)
    return _FOR_PROGRAMS[name]()


def _discard(_: str) -> None:
    pass


_FOR_PROGRAMS: Final[dict[str, Callable[[], Display]]] = {
    "json": lambda: JsonDisplay(print_line),
    # This display escapes what it prints itself, because its own lines are commands.
    "github": lambda: GitHubDisplay(
        lambda line: write_output(f"{line}\n"), os.environ.get("GITHUB_STEP_SUMMARY")
    ),
    "gitlab": lambda: GitLabDisplay(print_line),
}
