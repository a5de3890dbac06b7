"""State of `watch`, and a line for each change of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import msgspec

from redis_enterprise_actions._cli.output import print_line
from redis_enterprise_actions._model.action import Action, is_visible_change
from redis_enterprise_actions._model.text import duration_text, one_line

from .query import Selection, newest_first


if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType


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
