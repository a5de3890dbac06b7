"""Views of `watch`: a live table, or a line for each change."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Final, Self

import msgspec

from redis_enterprise_actions._cli.output import (
    NEEDS_RICH,
    escape_ci_commands,
    print_line,
    with_valid_size,
    wrapping_output_errors,
)
from redis_enterprise_actions._model.action import Action, is_visible_change
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import duration_text, one_line

from .query import Selection, newest_first, select
from .table import RenderContext, coloured, render_watch, truncate


if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from rich.console import Console


_RED: Final = "31"  # SGR: red
_DIM: Final = "2"
_MAX_PROBLEM_LINES: Final = 3
_LATE: Final = 3.0  # seconds beyond the interval, before an answer counts as late


class WatchState(msgspec.Struct, frozen=True, kw_only=True):
    """Last known actions of a cluster, and the problems of the last request.

    `cluster` is its URLs. `outage_since` is the time of the first request without a usable answer,
    and `problem` the reason. `unavailable` has messages on lists that could not be read.
    """

    cluster: str
    selection: Selection
    interval: float  # seconds
    actions: tuple[Action, ...] = ()
    answered_at: datetime | None = None
    outage_since: datetime | None = None
    problem: str = ""
    unavailable: tuple[str, ...] = ()


def render(state: WatchState, context: RenderContext, height: int) -> list[str]:
    """Return at most `height` lines, which are at most `context.width` wide."""
    shown = select(state.actions, state.selection)
    top = [
        truncate(_header(state, shown, context), context.width, context),
        *_problem_lines(state, context),
        "",
    ]
    max_rows = max(0, height - len(top) - 1)  # below the line of headings
    if not shown:
        return top[:height]
    if len(shown) <= max_rows:
        return top + render_watch(shown, context)
    running_first = sorted(shown, key=lambda action: action.phase.terminal)
    some = newest_first(running_first[: max(0, max_rows - 1)])
    more = coloured(
        truncate(f"and {len(shown) - len(some)} more", context.width, context), _DIM, context
    )
    return [*top, *render_watch(some, context), more][:height]


def _header(state: WatchState, shown: list[Action], context: RenderContext) -> str:
    if state.answered_at is None:
        return escape_ci_commands(one_line(f"{state.cluster}: waiting for the first answer"))
    running = sum(not action.phase.terminal for action in shown)
    count = f"{running} of {len(shown)} under way" if shown else "no actions"
    age = (context.now - state.answered_at).total_seconds()
    is_late = state.outage_since is None and int(age) > state.interval + _LATE
    then = "no answer since" if is_late else f"every {state.interval:g}s at {state.cluster}"
    return one_line(f"{count}, seen {duration_text(age)} ago, {then}")


def _problem_lines(state: WatchState, context: RenderContext) -> list[str]:
    """Return the outage and the missing lists, each on at most three lines."""
    problems = list(state.unavailable)
    if state.outage_since is not None:
        lasted = duration_text((context.now - state.outage_since).total_seconds())
        problems.insert(0, f"no usable answer for {lasted}: {state.problem}")
    lines = [
        line
        for problem in problems
        for line in wrap(one_line(problem), context.width)[:_MAX_PROBLEM_LINES]
    ]
    return [
        coloured(truncate(escape_ci_commands(line), context.width, context), _RED, context)
        for line in lines
    ]


def describe_changes(before: WatchState, after: WatchState) -> list[str]:
    """Return a line for each change between two states."""
    lines: list[str] = []
    if after.outage_since is not None and before.outage_since is None:
        lines.append(f"no usable answer: {after.problem}")
    if (
        before.outage_since is not None
        and after.outage_since is None
        and after.answered_at is not None
    ):
        lasted = duration_text((after.answered_at - before.outage_since).total_seconds())
        lines.append(f"answers again, after {lasted}")
    lines += [line for line in after.unavailable if line not in before.unavailable]
    lines += _describe_action_changes(before.actions, after.actions, after.selection)
    return [one_line(line) for line in lines]


def _describe_action_changes(
    before: Iterable[Action], after: Iterable[Action], selection: Selection
) -> list[str]:
    """Return a line for each changed action that matches, or did, oldest first."""
    old = {(action.kind, action.uid): action for action in before}
    new = {(action.kind, action.uid): action for action in after}
    changes = [
        action
        for key, action in new.items()
        if is_visible_change(old.get(key), action)
        and (selection.matches(action) or (key in old and selection.matches(old[key])))
    ]
    gone = [
        f"{action.title}: not listed any more [{action.uid}]"
        for key, action in old.items()
        if key not in new and selection.matches(action)
    ]
    return gone + [str(action) for action in reversed(newest_first(changes))]


class LineView:
    """Printer of a line for each change, with its time."""

    redraw_interval: float | None = None

    def __init__(self, state: WatchState) -> None:
        self._state = state

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing: printed lines stay."""

    def show(self, state: WatchState) -> None:
        """Print the changes since the last state."""
        for line in describe_changes(self._state, state):
            print_line(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  {line}")
        self._state = state

    def redraw(self) -> None:
        """Do nothing: printed lines stay."""


class LiveView:
    """Full-screen table, redrawn at intervals. Raises `UsageError` if rich is not installed."""

    redraw_interval: float | None = 0.5

    def __init__(self, state: WatchState, console: Console | None = None) -> None:
        try:
            import rich.console  # noqa: PLC0415 - an extra, needed only here
            import rich.live  # noqa: PLC0415 - as above
        except ImportError:
            raise UsageError(f"a live view {NEEDS_RICH}") from None
        self._state = state
        self._frame = 0
        self._console = console or rich.console.Console(_environ=with_valid_size(os.environ))
        self._live = rich.live.Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stderr=sys.stderr.isatty(),  # a file gets its lines
        )

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

    def show(self, state: WatchState) -> None:
        """Replace the state, and draw it."""
        self._state = state
        self.redraw()

    def redraw(self) -> None:
        """Draw the state with the current ages, in the current size of the terminal."""
        from rich.text import Text  # noqa: PLC0415 - as above

        width, height = self._console.size
        context = RenderContext(
            width=width,
            now=datetime.now(UTC),
            colour=not self._console.no_color,
            unicode=self._console.encoding.startswith("utf"),
            frame=self._frame,
        )
        lines = [Text.from_ansi(line) for line in render(self._state, context, height)]
        text = Text("\n", no_wrap=True, overflow="crop").join(lines)
        with wrapping_output_errors():
            self._live.update(text, refresh=True)
        self._frame += 1
