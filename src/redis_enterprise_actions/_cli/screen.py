"""Screens that rich draws, for `wait`, `list` and `watch`, and what rich itself cannot do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.live import Live
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.segment import Segment, SegmentLines
from rich.table import Table
from rich.text import Text

from redis_enterprise_actions._model.text import one_line

from .keys import StopHandler
from .output import escape_ci_commands, has_unicode, with_valid_size, wrapping_output_errors


if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from rich.console import ConsoleOptions, RenderableType

    from .keys import Keyboard


class Screen:
    """Live part of a terminal: the whole window if `full`, else its lowest lines.

    Ours, as rich has neither: the screen is left and drawn anew around a stop by Ctrl-Z, and a
    drawing replaces the last one completely in a window that has become narrower, where the
    terminal has wrapped the lines that rich counts. Raises `OutputError`.
    """

    def __init__(
        self, file: TextIO, *, full: bool = False, keyboard: Keyboard | None = None
    ) -> None:
        self.console = Console(
            file=file,
            force_terminal=True,
            force_interactive=True,
            color_system=None if os.environ.get("NO_COLOR") else "auto",
            legacy_windows=False,
            _environ=with_valid_size(os.environ),
        )
        self.unicode = has_unicode(file)
        self._full = full
        self._keyboard = keyboard
        self._live: Live | None = None
        self._drawn: RenderableType = ""
        self._cells: list[int] = []  # of each line of the last drawing
        self._width = 0  # of the window, when the last drawing was made
        self._stop_handler = StopHandler(self._before_stop, self._after_stop)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows to draw in. Beside them is room for `^C`, so that nothing is wrapped."""
        return max(1, self.console.width - 3), max(1, self.console.height - 1)

    def draw(self, content: RenderableType) -> None:
        """Draw in place of the last drawing, no higher than the window."""
        self._drawn = content
        lines = self._render(content)[: self.size[1]]
        with wrapping_output_errors():
            if self._live is None:
                self._live = Live(
                    console=self.console,
                    screen=self._full,
                    auto_refresh=False,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start()
                self._stop_handler.install()
            self._erase_wrapped()
            self._live.update(SegmentLines(lines, new_lines=True), refresh=True)
        self._cells = [sum(segment.cell_length for segment in line) for line in lines]

    def write_above(self, text: str, style: str = "") -> None:
        """Write a line that stays, above the drawing."""
        with wrapping_output_errors():
            self._erase_wrapped()
            self.console.print(self.text(text, style), soft_wrap=True)

    def close(self, final: RenderableType | None = None) -> None:
        """Leave `final` in place of the drawing, at any height, or nothing; show the cursor."""
        lines = None if final is None else SegmentLines(self._render(final), new_lines=True)
        if self._live is None and lines is not None:
            with wrapping_output_errors():
                self.console.print(lines, end="")
        self._stop(lines)

    def text(self, text: str, style: str = "") -> Text:
        """Return untrusted text as one line of plain text, in the encoding of the terminal."""
        line = escape_ci_commands(one_line(text))
        return Text(
            line.encode(self.console.encoding, "replace").decode(self.console.encoding), style
        )

    def cut(self, text: str, style: str = "") -> Text:
        """Return untrusted text that is cut where its column ends."""
        cell = self.text(text, style)
        cell.no_wrap, cell.overflow = True, "ellipsis" if self.unicode else "crop"
        return cell

    def bar(self, progress: float | None, style: str, now: float, width: int) -> ProgressBar:
        """Return a bar for a progress in percent, or one that moves with `now`, in seconds."""
        styles = dict.fromkeys(("complete_style", "finished_style", "pulse_style"), style)
        moving = progress is None
        return ProgressBar(100, progress or 0, width, moving, animation_time=now, **styles)

    def _render(self, content: RenderableType) -> list[list[Segment]]:
        """Return lines without blanks at their ends, which a narrower window would wrap."""
        options = self.console.options.update(width=self.size[0], height=None)
        lines = self.console.render_lines(content, options, pad=False)
        for line in lines:
            while line and not line[-1].text.strip():
                line.pop()
            line[-1:] = [last._replace(text=last.text.rstrip()) for last in line[-1:]]
            text = "".join(segment.text for segment in line)
            escaped = escape_ci_commands(text)
            if escaped != text:  # where rich has folded a text
                line[:] = [Segment(escaped)]
        return lines

    def _erase_wrapped(self) -> None:
        """Erase a drawing that the terminal has wrapped; put the cursor where rich expects it."""
        width = self.console.width
        if self._cells and width < self._width and not self._full:
            rows = sum(max(1, -(-cells // width)) for cells in self._cells)
            up = f"\x1b[{rows - 1}A" if rows > 1 else ""
            self.console.file.write(f"\r{up}\x1b[J" + "\n" * (len(self._cells) - 1))
        self._width = width

    def _stop(self, lines: SegmentLines | None = None) -> None:
        """End the live part with these lines or, without any, remove it."""
        self._stop_handler.remove()
        live, self._live = self._live, None
        if live is not None:
            with wrapping_output_errors():
                self._erase_wrapped()
                live.transient = lines is None
                live.update(lines or "")
                live.stop()
        self._cells = []

    def _before_stop(self) -> None:
        self._stop(SegmentLines(self._render(self._drawn), new_lines=True))
        if self._keyboard is not None:
            self._keyboard.release()

    def _after_stop(self) -> None:
        if self._keyboard is not None:
            self._keyboard.listen()
        self.draw(self._drawn)


class Title:
    """Cell with a title such as `NAME on OBJECT`, of which rich would cut the object first."""

    def __init__(self, title: Text, lead: str = "") -> None:
        self._title = title
        self._lead = lead

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = cell_len(self._lead) + self._title.cell_len
        return Measurement(min(width, 12), width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Text]:
        mark = "…" if console.encoding.startswith("utf") else "~"
        room = options.max_width - cell_len(self._lead)
        text = self._title.plain
        name, on, what = text.rpartition(" on ")
        if cell_len(text) > room > cell_len(on + what) + 1:
            text = set_cell_size(name, room - cell_len(on + what) - 1).rstrip() + mark + on + what
        elif cell_len(text) > room:
            text = set_cell_size(text, max(0, room - 1)).rstrip() + mark
        yield Text(self._lead + text, self._title.style, no_wrap=True, overflow="crop")


def grid() -> Table:
    """Return a table without lines, with two blanks between its columns."""
    return Table.grid(padding=(0, 2, 0, 0))
