"""What a watcher sees: what the cluster does, how fresh that is, and what is in the way.

Pure: values, and functions from them to lines. What they are drawn on is not known here.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Final, Self

import msgspec

from redis_enterprise_actions._cli.output import escape_ci_commands, wrapping_output_errors
from redis_enterprise_actions._cli.terminal import NEEDS_RICH, with_valid_size
from redis_enterprise_actions._model.action import Action, is_visible_change
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import one_line

from .query import Selection, by_age, selected
from .table import Paper, age, cut, painted, watched


if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from rich.console import Console


_ALARM: Final = "31"  # SGR: red
_QUIET: Final = "2"
_NOTE_LINES: Final = 3
_LATE: Final = 3.0  # seconds that a look may take without a word


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known at one time. `lost_at` is when the cluster began not to answer.

    `where` is what is watched, `missing` which lists are missing, and why, and `problem` why
    there is no usable answer.
    """

    where: str
    selection: Selection
    interval: float  # seconds between two looks
    actions: tuple[Action, ...] = ()
    seen_at: datetime | None = None
    lost_at: datetime | None = None
    problem: str = ""
    missing: tuple[str, ...] = ()


def drawn(scene: Scene, paper: Paper, height: int) -> list[str]:
    """Return the scene as at most `height` lines, none of them wider than the paper."""
    shown = selected(scene.actions, scene.selection)
    top = [cut(_head(scene, shown, paper), paper.width, paper), *_notes(scene, paper), ""]
    room = max(0, height - len(top) - 1)  # below the headings
    if not shown:
        return top[:height]
    if len(shown) <= room:
        return top + watched(shown, paper)
    going_on_first = sorted(shown, key=lambda action: action.phase.terminal)
    some = by_age(going_on_first[: max(0, room - 1)])
    more = painted(cut(f"and {len(shown) - len(some)} more", paper.width, paper), _QUIET, paper)
    return [*top, *watched(some, paper), more][:height]


def _head(scene: Scene, shown: list[Action], paper: Paper) -> str:
    if scene.seen_at is None:
        return escape_ci_commands(one_line(f"{scene.where}: looking ..."))
    going = sum(not action.phase.terminal for action in shown)
    counted = f"{going} of {len(shown)} under way" if shown else "nothing to show"
    old = int((paper.now - scene.seen_at).total_seconds())
    late = scene.lost_at is None and old > scene.interval + _LATE
    then = "no answer since" if late else f"every {scene.interval:g}s at {scene.where}"
    return one_line(f"{counted}, seen {age(max(0, old))} ago, {then}")


def _notes(scene: Scene, paper: Paper) -> list[str]:
    """Return what is in the way, in whole words where they fit."""
    notes = list(scene.missing)
    if scene.lost_at is not None:
        lost = age(max(0, int((paper.now - scene.lost_at).total_seconds())))
        notes.insert(0, f"no usable answer for {lost}: {scene.problem}")
    lines = [line for note in notes for line in wrap(one_line(note), paper.width)[:_NOTE_LINES]]
    return [
        painted(cut(escape_ci_commands(line), paper.width, paper), _ALARM, paper) for line in lines
    ]


def told(before: Scene, after: Scene) -> list[str]:
    """Return a line for each thing that has changed between two looks."""
    lines: list[str] = []
    if after.lost_at is not None and before.lost_at is None:
        lines.append(f"no usable answer: {after.problem}")
    if before.lost_at is not None and after.lost_at is None and after.seen_at is not None:
        lost = int((after.seen_at - before.lost_at).total_seconds())
        lines.append(f"answers again, after {age(lost)}")
    lines += [line for line in after.missing if line not in before.missing]
    lines += _news(before.actions, after.actions, after.selection)
    return [one_line(line) for line in lines]


def _news(before: Iterable[Action], after: Iterable[Action], selection: Selection) -> list[str]:
    """Return a line for each change to what is, or was, selected; the oldest work first."""
    old = {(action.kind, action.uid): action for action in before}
    new = {(action.kind, action.uid): action for action in after}
    changes = [
        action
        for key, action in new.items()
        if is_visible_change(old.get(key), action)
        and (selection.has(action) or (key in old and selection.has(old[key])))
    ]
    gone = [
        f"{action.title}: not listed any more [{action.uid}]"
        for key, action in old.items()
        if key not in new and selection.has(action)
    ]
    return gone + [str(action) for action in reversed(by_age(changes))]


class Live:
    """A scene on the terminal, between `with` and its end, drawn anew whenever that is asked for.

    Raises `UsageError` where rich is missing.
    """

    refresh: float | None = 0.5

    def __init__(self, scene: Scene, console: Console | None = None) -> None:
        try:
            import rich.console  # noqa: PLC0415 - an extra, wanted only here
            import rich.live  # noqa: PLC0415 - ditto
        except ImportError:
            raise UsageError(f"a live view {NEEDS_RICH}") from None
        self._scene = scene
        self._turn = 0
        self._console = console or rich.console.Console(_environ=with_valid_size(os.environ))
        self._live = rich.live.Live(console=self._console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        with wrapping_output_errors():
            self._live.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with wrapping_output_errors():
            self._live.stop()

    def show(self, scene: Scene) -> None:
        """Draw another scene from now on."""
        self._scene = scene
        self.draw()

    def draw(self) -> None:
        """Draw the scene as it looks now, in the size that the terminal has now."""
        from rich.text import Text  # noqa: PLC0415 - as above

        width, height = self._console.size
        paper = Paper(
            width=width,
            now=datetime.now(UTC),
            colour=not self._console.no_color,
            letters=self._console.encoding.startswith("utf"),
            turn=self._turn,
        )
        lines = [Text.from_ansi(line) for line in drawn(self._scene, paper, height)]
        text = Text("\n", no_wrap=True, overflow="crop").join(lines)
        with wrapping_output_errors():
            self._live.update(text, refresh=True)
        self._turn += 1
