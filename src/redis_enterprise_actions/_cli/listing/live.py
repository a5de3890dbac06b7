"""What a live view is drawn on: the whole terminal, by rich. At the end it is as it was before."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from redis_enterprise_actions._cli.output import writing
from redis_enterprise_actions._cli.wait.screen import sized
from redis_enterprise_actions._model.errors import UsageError

from .table import Paper
from .watch_view import Scene, drawn


if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console


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
            raise UsageError(
                "a live view needs rich: pip install 'redis-enterprise-actions[cli]'"
            ) from None
        self._scene = scene
        self._turn = 0
        self._console = console or rich.console.Console(_environ=sized(os.environ))
        self._live = rich.live.Live(console=self._console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        with writing():
            self._live.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with writing():
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
        with writing():
            self._live.update(text, refresh=True)
        self._turn += 1
