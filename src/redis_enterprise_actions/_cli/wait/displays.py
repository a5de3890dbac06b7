"""How the waits of one command are shown, and which way suits where the output goes."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol

from redis_enterprise_actions._cli.output import print_line, put
from redis_enterprise_actions._cli.terminal import NEEDS_RICH, can_draw
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import one_line

from .bars import Bars
from .ci import GitHub, GitLab
from .events import Submitted
from .plain import JsonLines, Plain, words


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .events import AnyEvent
    from .progress import Board

OUTPUTS: Final = ("auto", "plain", "rich", "json", "github", "gitlab")


class Display(Protocol):
    """Shows what is told of waits.

    `refresh` is after how many seconds it wants to `draw` anew, None for one whose lines stay:
    that one is told every now and then that all is still alive.
    """

    @property
    def refresh(self) -> float | None: ...

    def show(self, event: AnyEvent, board: Board) -> None:
        """Show what was told; the board has taken it already."""

    def draw(self, elapsed: float, board: Board) -> None:
        """Show how everything stands now, `elapsed` seconds after the command began."""

    def close(self, board: Board) -> None:
        """Leave the output as the next line expects it."""


class Bare:
    """What a script wants to read: what a call has started, and nothing else."""

    refresh: float | None = None

    def __init__(self, write: Callable[[str], None], complain: Callable[[str], None]) -> None:
        self._write = write
        self._complain = complain

    def show(self, event: AnyEvent, board: Board) -> None:
        """Write the reference; say beside the output that there is none."""
        if isinstance(event, Submitted) and event.ref is not None:
            self._write(one_line(event.ref))
        elif isinstance(event, Submitted) and event.problem is not None:
            self._complain(f"the call was answered, but cannot be followed: {event.problem}")
        elif (said := words(event, board)) is not None:
            self._complain(said)

    def draw(self, elapsed: float, board: Board) -> None:
        """Nothing: what is written stays."""

    def close(self, board: Board) -> None:
        """Nothing: what is written stays."""


def choice(
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


def display_of(wanted: str, say: Callable[[str], None]) -> Display:
    """Return the display that is wanted, or that suits; `say` is told why it is another one."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    rich = find_spec("rich") is not None
    name, why = choice(wanted, os.environ, terminal=terminal, rich=rich)
    if why is not None:
        say(f"redis-actions: {why}")
    return _DISPLAYS[name]()


def _command(line: str) -> None:
    """Print a line that may be a command, and holds no other."""
    put(f"{line}\n")


_DISPLAYS: Final[dict[str, Callable[[], Display]]] = {
    "plain": lambda: Plain(print_line),
    "json": lambda: JsonLines(print_line),
    "github": lambda: GitHub(_command, os.environ.get("GITHUB_STEP_SUMMARY")),
    "gitlab": lambda: GitLab(print_line),
    "rich": Bars,
}
