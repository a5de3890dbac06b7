"""What progress looks like when somebody watches: a bar for each action, drawn by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Self, TypedDict

from ._errors import UsageError


if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from rich.progress import TaskID

    from ._action import Action


class _Cut(TypedDict):
    no_wrap: bool
    overflow: Literal["ellipsis"]


_CUT: Final[_Cut] = {"no_wrap": True, "overflow": "ellipsis"}  # of texts, never of bar and time


class Bars:
    """Live bars between `with` and its end; an action without progress gets a pulsing one.

    They go to `console`, by default to standard output, and are gone at the end.
    """

    def __init__(self, console: Console | None = None) -> None:
        try:
            from rich.progress import (  # noqa: PLC0415 - an extra, wanted only here
                BarColumn,
                Progress,
                TextColumn,
                TimeElapsedColumn,
            )
            from rich.table import Column  # noqa: PLC0415 - ditto
        except ImportError:
            raise UsageError(
                "--bars needs rich: pip install 'redis-enterprise-actions[cli]'"
            ) from None
        # No markup: the texts are the cluster's.
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(ratio=2, **_CUT)),
            BarColumn(bar_width=None, table_column=Column(ratio=2, min_width=8)),
            TextColumn("{task.fields[step]}", markup=False, table_column=Column(ratio=2, **_CUT)),
            TimeElapsedColumn(table_column=Column(width=7, no_wrap=True)),
            console=console,
            expand=True,
            transient=True,
        )
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def changed(self, action: Action) -> None:
        """Draw an action as it is now."""
        if action.uid not in self._rows:
            self._rows[action.uid] = self._progress.add_task("", total=None, step="")
        ended = action.phase.terminal
        self._progress.update(
            self._rows[action.uid],
            description=action.title,
            total=None if action.progress is None and not ended else 100,
            completed=100 if ended else action.progress or 0,
            step=action.status if action.state is None else action.state,
        )
        if ended:
            self._progress.stop_task(self._rows[action.uid])
