"""What progress looks like when somebody watches: a bar for each action, drawn by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ._errors import UsageError


if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import TaskID

    from ._action import Action


class Bars:
    """Live bars between `with` and its end; an action without progress gets a pulsing one."""

    def __init__(self) -> None:
        try:
            from rich.progress import (  # noqa: PLC0415 - an extra, wanted only here
                BarColumn,
                Progress,
                TextColumn,
                TimeElapsedColumn,
            )
        except ImportError:
            raise UsageError(
                "--bars needs rich: pip install 'redis-enterprise-actions[cli]'"
            ) from None
        # No markup: the texts are the cluster's.
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            TimeElapsedColumn(),
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
            self._rows[action.uid] = self._progress.add_task("", total=None, status="")
        ended = action.phase.terminal
        self._progress.update(
            self._rows[action.uid],
            description=action.title,
            total=None if action.progress is None and not ended else 100,
            completed=100 if ended else action.progress or 0,
            status=action.brief,
        )
        if ended:
            self._progress.stop_task(self._rows[action.uid])
