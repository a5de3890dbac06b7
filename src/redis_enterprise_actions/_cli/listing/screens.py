"""Table of `list` and live screen of `watch`, which rich draws."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Final, Self

from rich.console import Group
from rich.text import Text

from redis_enterprise_actions._cli.screen import Screen, Title, grid
from redis_enterprise_actions._model.action import Kind, Phase
from redis_enterprise_actions._model.text import duration_text, one_line, percent_text

from .query import newest_first, select
from .table import age_of, reason_or_state


if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from rich.console import RenderableType

    from redis_enterprise_actions._cli.keys import Keyboard
    from redis_enterprise_actions._model.action import Action

    from .watch_view import WatchState

_LIST: Final = ("UID", "WHAT", "STATUS", "DONE", "STATE", "AGE")
_LIST_WIDTHS: Final = {"STATE": 95}  # columns of the least window that shows a column of the table
_MAX_STATUS: Final = 12  # cells; the cluster's words have at most 10
_STACKED: Final = 76  # columns of a window in which an action takes three lines of a list
_WATCH: Final = ("WHAT", "STATUS", "", "DONE", "STATE", "AGE", "UID")
_WATCH_WIDTHS: Final = {"": 60, "STATE": 60, "AGE": 60, "UID": 140}
_MAX_PROBLEM_LINES: Final = 3
_LATE: Final = 3.0  # seconds beyond the interval, before an answer counts as late
_STYLES: Final = {
    Phase.PENDING: "dim",
    Phase.RUNNING: "cyan",
    Phase.CANCELLING: "yellow",
    Phase.COMPLETED: "green",
    Phase.FAILED: "red",
    Phase.CANCELLED: "yellow",
    Phase.ABORTED: "yellow",
    Phase.UNKNOWN: "magenta",
}


class ActionTable:
    """Tables of actions for one screen at one time."""

    def __init__(self, screen: Screen, now: datetime) -> None:
        self._screen = screen
        self._width = screen.size[0]
        self._now = now

    def listed(self, actions: Iterable[Action]) -> RenderableType:
        """Return the table of `list`, with complete uids. In a narrow window it has no columns."""
        if self._width >= _STACKED:
            return self._table([name for name in _LIST if self._fits(name, _LIST_WIDTHS)], actions)
        return Group(*[line for action in actions for line in self._stacked(action)])

    def watched(self, actions: Iterable[Action]) -> RenderableType:
        """Return the table of `watch`, with bars where there is room."""
        return self._table([name for name in _WATCH if self._fits(name, _WATCH_WIDTHS)], actions)

    def _fits(self, name: str, widths: dict[str, int]) -> bool:
        return self._width >= widths.get(name, 0)

    def _table(self, names: list[str], actions: Iterable[Action]) -> RenderableType:
        table, actions = grid(), list(actions)
        names = [name for name in names if any(self._text(action, name) for action in actions)]
        for name in names:
            # rich makes those columns narrower first that it may wrap, which no text here is.
            whole = name != "STATE" and (name not in {"STATUS", "WHAT"} or "STATE" in names)
            widest = {"WHAT": self._width * 2 // 5, "STATUS": _MAX_STATUS}
            table.add_column(
                justify="right" if name in {"DONE", "AGE"} else "left",
                no_wrap=whole,
                max_width=widest.get(name) if "STATE" in names else None,
            )
        table.add_row(*[Text(name, "bold", no_wrap=True, overflow="crop") for name in names])
        for action in actions:
            table.add_row(*[self._cell(action, name) for name in names])
        return table

    def _stacked(self, action: Action) -> list[RenderableType]:
        line = grid()
        names = [name for name in _LIST[2:] if self._text(action, name)]
        for name in ("", *names):
            line.add_column(no_wrap=name in {"", "DONE", "AGE"})
        line.add_row("", *[self._cell(action, name) for name in names])
        return [Text(_reference(action)), Title(self._screen.text(action.title), "  "), line]

    def _cell(self, action: Action, name: str) -> RenderableType:
        style = _STYLES[action.phase]
        if name == "WHAT":
            return Title(self._screen.text(action.title))
        if name == "" and not action.phase.terminal and action.phase is not Phase.PENDING:
            cells = 20 if self._width >= 120 else 10
            return self._screen.bar(action.progress, style, self._now.timestamp(), cells)
        return self._screen.cut(self._text(action, name), style if name == "STATUS" else "")

    def _text(self, action: Action, name: str) -> str:
        age = age_of(action, self._now)
        texts = {
            "UID": _reference(action),
            "STATUS": action.status or "no status",
            "DONE": "" if action.progress is None else percent_text(action.progress),
            "STATE": reason_or_state(action),
            "AGE": "" if age is None else duration_text(age),
        }
        return texts.get(name, " ")  # the others are drawn


def _reference(action: Action) -> str:
    """Return the reference without its run, for which a window has no room."""
    return f"crdb:{action.uid}" if action.kind is Kind.CRDB_TASK else action.uid


def print_table(actions: Iterable[Action]) -> None:
    """Print the table of `list` on standard output."""
    screen = Screen(sys.stdout)
    screen.close(ActionTable(screen, datetime.now(UTC)).listed(actions))


class LiveView:
    """Table in the whole window, redrawn at intervals. A `keyboard` ends it with q."""

    redraw_interval: float | None = 0.5

    def __init__(self, state: WatchState, keyboard: Keyboard) -> None:
        self._state = state
        self._hint = ", q ends" if keyboard.listening else ""
        self._screen = Screen(sys.stdout, full=True, keyboard=keyboard)

    def __enter__(self) -> Self:
        self.redraw()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._screen.close()

    def show(self, state: WatchState) -> None:
        """Replace the state, and draw it."""
        self._state = state
        self.redraw()

    def redraw(self) -> None:
        """Draw the state with the current ages, in the current size of the terminal."""
        self._screen.draw(watched(self._state, self._screen, datetime.now(UTC), self._hint))


def watched(state: WatchState, screen: Screen, now: datetime, hint: str = "") -> RenderableType:
    """Return the screen of `watch`: a head line, problems, and the actions that fit."""
    (width, height), table = screen.size, ActionTable(screen, now)
    shown = select(state.actions, state.selection)
    problems = list(state.unavailable)
    if state.outage_since is not None:
        lasted = duration_text((now - state.outage_since).total_seconds())
        problems.insert(0, f"no usable answer for {lasted}: {state.problem}")
    lines = [each for text in problems for each in wrap(one_line(text), width)[:_MAX_PROBLEM_LINES]]
    top = [
        screen.cut(_head(state, shown, now) + hint),
        *(screen.cut(line, "red") for line in lines),
    ]
    if not shown:
        return Group(*top)
    room = max(1, height - len(top) - 2)  # below an empty line and the headings
    if len(shown) <= room:
        return Group(*top, "", table.watched(shown))
    running_first = sorted(shown, key=lambda action: action.phase.terminal)
    some = newest_first(running_first[: room - 1])
    more = screen.cut(f"and {len(shown) - len(some)} more", "dim")
    return Group(*top, "", table.watched(some), more)


def _head(state: WatchState, shown: list[Action], now: datetime) -> str:
    if state.answered_at is None:
        return f"{state.cluster}: waiting for the first answer"
    running = sum(not action.phase.terminal for action in shown)
    count = f"{running} of {len(shown)} under way" if shown else "no actions"
    age = (now - state.answered_at).total_seconds()
    is_late = state.outage_since is None and int(age) > state.interval + _LATE
    every = f"every {duration_text(state.interval)} at {state.cluster}"
    return f"{count}, seen {duration_text(age)} ago, {'no answer since' if is_late else every}"
