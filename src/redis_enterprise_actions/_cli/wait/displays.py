"""How the waits of one command are shown, and which way suits where the output goes."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol

from redis_enterprise_actions._cli.output import print_line, write_output
from redis_enterprise_actions._cli.terminal import NEEDS_RICH, can_draw
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import one_line

from .bars import BarsDisplay
from .ci import GitHubDisplay, GitLabDisplay
from .events import SubmittedEvent
from .plain import JsonDisplay, PlainDisplay, event_text


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .events import AnyEvent
    from .progress import Progress

OUTPUTS: Final = ("auto", "plain", "rich", "json", "github", "gitlab")


class Display(Protocol):
    """Shows what is told of waits.

    `refresh` is after how many seconds it wants to `draw` anew, None for one whose lines stay:
    that one is told every now and then that all is still alive.
    """

    @property
    def refresh(self) -> float | None: ...

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Show what was told; the progress has taken it already."""

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Show how everything stands now, `elapsed` seconds after the command began."""

    def close(self, progress: Progress) -> None:
        """Leave the output as the next line expects it."""


class ReferenceDisplay:
    """What a script wants to read: what a call has started, and nothing else."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None], complain: Callable[[str], None]) -> None:
        self._write = write
        self._print_error = complain

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Write the reference; say beside the output that there is none."""
        if isinstance(event, SubmittedEvent) and event.ref is not None:
            self._write(one_line(event.ref))
        elif isinstance(event, SubmittedEvent) and event.problem is not None:
            self._print_error(f"the call was answered, but cannot be followed: {event.problem}")
        elif (said := event_text(event, progress)) is not None:
            self._print_error(said)

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Nothing: what is written stays."""

    def close(self, progress: Progress) -> None:
        """Nothing: what is written stays."""


def choose_output(
    wanted: str, environ: Mapping[str, str], *, terminal: bool, rich: bool
) -> tuple[str, str | None]:
    """Return the output that is meant, never `auto`, and what has to be said about it, if anything.

    `terminal` is whether standard output is one, and `rich` whether that can be imported.
    """
    if wanted == "auto" and environ.get("GITHUB_ACTIONS") == "true":
        return "github", None
    if wanted == "auto" and environ.get("GITLAB_CI") == "true":
        return "gitlab", None
    if wanted not in {"auto", "rich"}:
        return wanted, None
    if terminal and can_draw(environ):
        return _live(wanted, rich=rich)
    no_terminal = "plain lines, as the output is no terminal that can draw"
    return "plain", no_terminal if wanted == "rich" else None


def _live(wanted: str, *, rich: bool) -> tuple[str, str | None]:
    if rich:
        return "rich", None
    if wanted == "rich":
        raise UsageError(f"--output rich {NEEDS_RICH}")
    return "plain", f"plain lines, as a live view {NEEDS_RICH}"


def create_display(wanted: str, say: Callable[[str], None]) -> Display:
    """Return the display that is wanted, or that suits; `say` is told why it is another one."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    rich = find_spec("rich") is not None
    name, why = choose_output(wanted, os.environ, terminal=terminal, rich=rich)
    if why is not None:
        say(f"redis-actions: {why}")
    return _DISPLAYS[name]()


def _command(line: str) -> None:
    """Print a line that may be a command, and holds no other."""
    write_output(f"{line}\n")


_DISPLAYS: Final[dict[str, Callable[[], Display]]] = {
    "plain": lambda: PlainDisplay(print_line),
    "json": lambda: JsonDisplay(print_line),
    "github": lambda: GitHubDisplay(_command, os.environ.get("GITHUB_STEP_SUMMARY")),
    "gitlab": lambda: GitLabDisplay(print_line),
    "rich": BarsDisplay,
}
