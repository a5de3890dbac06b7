"""Live display of waits on a terminal: a bar for each, in the lowest lines of the window."""

from __future__ import annotations

import os
import sys
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._cli.output import (
    escape_ci_commands,
    print_error,
    with_valid_size,
    write_output,
)
from redis_enterprise_actions._model.action import Phase
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.text import duration_text, one_line, percent_text

from .events import (
    AbandonedEvent,
    OutageEvent,
    SubmittedEvent,
    SummaryEvent,
    WaitEndEvent,
    WarningEvent,
)
from .plain import event_text
from .progress import UNKNOWN_REASON, end_text_with_duration


if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

    from redis_enterprise_actions._model.action import Action, PendingOp

    from .events import AnyEvent
    from .progress import Progress, WaitProgress


_NARROW: Final = 60  # columns of a window in which the note stands under its bar, not beside it
_OPS: Final = 3  # pending operations shown under a bar
_FIXED: Final = 18  # columns of the sign, the percentage, the time and the gaps
_PERMANENT: Final = (SubmittedEvent, WarningEvent)  # written above the bars as lines that stay
_UNDER_WAY: Final = frozenset({Phase.RUNNING, Phase.CANCELLING, Phase.UNKNOWN})
_INDENT: Final = "  "  # in place of a sign
_DEEP_INDENT: Final = "    "
_MIN_TEXT: Final = 8  # cells that a text needs to be readable
_SWEEP_WIDTH: Final = 3  # cells of the moving block of a bar without progress
_SWEEP_SPEED: Final = 8.0  # cells that the block moves in a second
_HIDE_CURSOR: Final = "\x1b[?25l"
_SHOW_CURSOR: Final = "\x1b[?25h"
_NO_WRAP: Final = "\x1b[?7l"
_WRAP: Final = "\x1b[?7h"
_CLEAR_LINE: Final = "\x1b[K"
_CLEAR_BELOW: Final = "\x1b[J"


class Glyphs(NamedTuple):
    """Characters of bars and signs."""

    full: str
    half: str
    empty: str
    abandoned: str
    ellipsis: str


_UNICODE: Final = Glyphs("━", "╸", "─", "·", "…")
_ASCII: Final = Glyphs("#", "-", "-", "-", "~")


class ColumnWidths(NamedTuple):
    """Widths of the columns that have no fixed width. `note` is 0 if the note has no column."""

    title: int
    bar: int
    note: int


def column_widths(width: int) -> ColumnWidths:
    """Return the column widths for a window of `width` columns, of which the last stays empty."""
    free = max(12, width - _FIXED)
    if width < _NARROW:
        bar = max(4, free * 3 // 10)
        return ColumnWidths(free - bar, bar, 0)
    free -= 1
    title, bar = min(48, free * 2 // 5), min(40, free // 5)
    return ColumnWidths(title, bar, free - title - bar)


class BarsDisplay:
    """A bar for each wait, and a line for each wait that has ended.

    No text of the cluster is read as markup, and none reaches beyond its line.
    """

    refresh: float = 0.2

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - an extra that only this display needs

        self._console = Console(
            force_terminal=True,
            no_color=bool(os.environ.get("NO_COLOR")),
            legacy_windows=False,
            _environ=with_valid_size(os.environ),
        )
        self._screen = Screen()
        self._summary: SummaryEvent | None = None
        self._drawn_at = -self.refresh

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Draw the progress after an event; write the events whose lines stay."""
        if isinstance(event, SummaryEvent):
            self._summary = event
            return
        stays = isinstance(event, _PERMANENT) or (isinstance(event, OutageEvent) and event.over)
        if stays:
            self._write_line(
                "yellow" if isinstance(event, WarningEvent) else "",
                event_text(event, progress) or "",
            )
        if stays or event.elapsed - self._drawn_at >= self.refresh:
            self.draw(event.elapsed, progress)

    def note(self, text: str) -> None:
        """Write a line above the progress, or to standard error if that is no terminal."""
        if sys.stderr.isatty():
            self._write_line("dim", text)
        else:
            print_error(text)

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Draw the progress, no higher than the window."""
        self._drawn_at = elapsed
        width, height = self._console.size
        frame = Frame(self._console, elapsed, width)
        self._screen.draw(frame.render(progress, max(1, height - 1)), width)

    def close(self, progress: Progress) -> None:
        """Remove the bars; write the end of each wait, and the summary."""
        self._screen.close(self._console.width)
        for end in progress.all_ends:
            sign, style = _end_sign(end, _glyphs(self._console))
            self._write_line(style, f"{sign} {one_line(end.message)}")
        text = None if self._summary is None else event_text(self._summary, progress)
        if text is not None:
            self._write_line("", text)

    def _write_line(self, style: str, text: str) -> None:
        from rich.text import Text  # noqa: PLC0415 - ditto

        line = Text(_encodable(text, self._console), style=style)
        self._screen.write_above(_render_line(line, self._console).text, self._console.width)


class Frame:
    """One drawing of the progress, for a window of `width` columns."""

    def __init__(self, console: Console, elapsed: float, width: int) -> None:
        self._console = console
        self._elapsed = elapsed
        self._width = width
        self._columns = column_widths(width)
        self._glyphs = _glyphs(console)
        self._in_outage = False

    def render(self, progress: Progress, height: int) -> list[RenderedLine]:
        """Return the lines, no more than `height`."""
        seconds = progress.outage_duration(self._elapsed)
        self._in_outage = seconds is not None
        outage: list[Text] = []
        if seconds is not None:
            text = f"! no usable answer for {duration_text(seconds)}: {progress.outage_reason}"
            outage = [self._text(text, "yellow")]
        rows = [*self._rows(list(progress.waits.values()), height - len(outage)), *outage]
        return [_render_line(row, self._console) for row in rows[:height]]

    def _rows(self, waits: list[WaitProgress], max_rows: int) -> list[Text]:
        if len(waits) > max_rows:
            return self._prioritised_rows(waits, max_rows)
        blocks = [self._block(each) for each in waits]
        if sum(map(len, blocks)) > max_rows:
            return [block[0] for block in blocks]
        return list(chain.from_iterable(blocks))

    def _prioritised_rows(self, waits: list[WaitProgress], max_rows: int) -> list[Text]:
        """Return the rows that fit, those of failed and running waits first.

        The last row counts the waits that are not shown, by outcome.
        """

        def rank(wait: WaitProgress) -> int:
            if wait.end is not None:
                return 2
            return 0 if wait.action is not None and wait.action.phase in _UNDER_WAY else 1

        bad = [each for each in waits if isinstance(each.end, WaitEndEvent) and each.end.exit_code]
        bad = bad[: max(1, max_rows // 2)]
        taken = {each.ref for each in bad}
        ranked = bad + sorted((each for each in waits if each.ref not in taken), key=rank)
        shown, hidden = ranked[: max(0, max_rows - 1)], ranked[max(0, max_rows - 1) :]
        words: Counter[str] = Counter()
        for wait in hidden:
            if isinstance(wait.end, WaitEndEvent):
                words[wait.end.outcome] += 1
            else:
                words["waiting" if wait.end is None else "left"] += 1
        counts = ", ".join(f"{number} {word}" for word, number in words.items())
        text = f"+ {len(hidden)} more: {counts}"
        return [*map(self._row, shown), self._text(text, "dim", _INDENT)]

    def _block(self, wait: WaitProgress) -> list[Text]:
        """Return the row of a wait, and the rows under it."""
        rows = [self._row(wait)]
        if wait.end is not None:
            return rows
        if self._columns.note == 0:
            rows.append(self._text(self._note(wait), "dim", _DEEP_INDENT))
        ops = () if wait.action is None else wait.action.pending_ops
        rows += map(self._operation_row, ops[:_OPS])
        if len(ops) > _OPS:
            rows.append(self._text(f"+ {len(ops) - _OPS} more", "dim", _DEEP_INDENT))
        return rows

    def _row(self, wait: WaitProgress) -> Text:
        if wait.end is not None:
            return self._end_row(wait, wait.end)
        columns, action = self._columns, wait.action
        troubled = self._in_outage or wait.own_outage is not None
        row = self._cell(wait.title, columns.title + 2, lead=_INDENT)
        row.append(" ")
        row.append_text(self._bar(_progress(action), "yellow" if troubled else "cyan"))
        row.append(f" {_percent(_progress(action)):>5}")
        row.append(f" {duration_text(self._elapsed):>7}", "dim")
        if columns.note:
            row.append(" ")
            row.append_text(self._cell(self._note(wait), columns.note))
        return row

    def _end_row(self, wait: WaitProgress, end: WaitEndEvent | AbandonedEvent) -> Text:
        sign, style = _end_sign(end, self._glyphs)
        if isinstance(end, AbandonedEvent):
            how, reason = "no longer waited for", None
        else:
            how, reason = end_text_with_duration(end), end.action and end.action.reason
        how_and_why = f"{how}: {reason}" if reason else how
        title = max(_MIN_TEXT, min(self._columns.title, self._width - 4 - len(how)))
        available = self._width - 4 - title
        row = self._cell(f"{sign} {wait.title}", title + 2, style)
        row.append(" ")
        return row.append_text(
            self._cell(how_and_why if available > len(how) + _MIN_TEXT else how, available)
        )

    def _operation_row(self, op: PendingOp) -> Text:
        """Return the row of an operation on one shard that a state machine waits for."""
        name = op.op_name or op.status_code or "working"
        text = f"shard {op.shard_uid} {name}"
        row = self._cell(text, self._columns.title + 2, "dim", _DEEP_INDENT)
        row.append(" ")
        row.append_text(self._bar(op.progress, "dim"))
        return row.append(f" {_percent(op.progress):>5}", "dim")

    def _note(self, wait: WaitProgress) -> str:
        """Return the note of a bar: the remaining time and the state, or the outage."""
        if wait.own_outage is not None:
            now = wait.own_outage.seconds + self._elapsed - wait.own_outage.elapsed
            return f"no answer for {duration_text(now)}: {wait.own_outage.reason or UNKNOWN_REASON}"
        if wait.action is None:
            return "not seen yet"
        left = None if self._in_outage else wait.estimator.remaining(self._elapsed)
        how = wait.action.state or wait.action.status
        return (
            how if left is None else f"about {duration_text(max(10, round(left, -1)))} left, {how}"
        )

    def _bar(self, progress: float | None, style: str) -> Text:
        bar, width = self._cell("", 0), self._columns.bar
        if progress is None:
            span = width - _SWEEP_WIDTH  # in which the block moves to and fro
            at = int(self._elapsed * _SWEEP_SPEED) % (2 * span)
            at = min(at, 2 * span - at)
            bar.append(self._glyphs.empty * at, "dim")
            bar.append(self._glyphs.full * _SWEEP_WIDTH, style)
            return bar.append(self._glyphs.empty * (width - at - _SWEEP_WIDTH), "dim")
        halves = int(2 * width * progress / 100)
        bar.append(self._glyphs.full * (halves // 2) + self._glyphs.half * (halves % 2), style)
        return bar.append(self._glyphs.empty * (width - halves // 2 - halves % 2), "dim")

    def _text(self, text: str, style: str, lead: str = "") -> Text:
        return self._cell(text, self._width - 1, style, lead)

    def _cell(self, text: str, cells: int, style: str = "", lead: str = "") -> Text:
        """Return `lead` and a text, padded or cut to a number of cells."""
        from rich.text import Text  # noqa: PLC0415 - ditto

        cell = Text()
        cell.append(lead + _encodable(text, self._console), style)
        if cell.cell_len > cells:
            cell.truncate(cells - 1, overflow="crop")
            cell.append(self._glyphs.ellipsis, style)
        cell.pad_right(cells - cell.cell_len)
        return cell


def _render_line(text: Text, console: Console) -> RenderedLine:
    """Return a text as the terminal shows it, in the colours that the terminal has.

    Blanks at its end are removed: a shorter line is not wrapped when the window becomes narrower.
    """
    text.rstrip()
    with console.capture() as captured:
        console.print(text, end="", soft_wrap=True)
    return RenderedLine(captured.get(), text.cell_len)


def _encodable(text: str, console: Console) -> str:
    """Return a text as one line, in characters that the encoding of the terminal has."""
    line = escape_ci_commands(one_line(text))
    return line.encode(console.encoding, "replace").decode(console.encoding)


def _glyphs(console: Console) -> Glyphs:
    return _UNICODE if console.encoding.startswith("utf") else _ASCII


def _end_sign(end: WaitEndEvent | AbandonedEvent, glyphs: Glyphs) -> tuple[str, str]:
    """Return the sign and the colour of an end."""
    if isinstance(end, AbandonedEvent):
        return glyphs.abandoned, "dim"
    outcome, colour = (Outcome.FAILED, "red") if end.exit_code else (Outcome.COMPLETED, "green")
    return outcome.ascii_mark if glyphs is _ASCII else outcome.mark, colour


def _progress(action: Action | None) -> float | None:
    return None if action is None else action.progress


def _percent(progress: float | None) -> str:
    return "" if progress is None else percent_text(progress)


class RenderedLine(NamedTuple):
    """A line with its control sequences, and the number of cells that it takes."""

    text: str
    cells: int


class Screen:
    """The lowest lines of the terminal on standard output.

    The cursor stands below them. It is hidden from the first drawing to `close`.
    """

    def __init__(self) -> None:
        self._drawn: Sequence[RenderedLine] = ()
        self._width = 0
        self._hidden = False

    def draw(self, lines: Sequence[RenderedLine], width: int) -> None:
        """Draw lines over those drawn last, in a window of `width` columns."""
        hide = "" if self._hidden else _HIDE_CURSOR
        # Wrapped lines that were only overwritten would be joined in a wider window.
        clear = "" if width == self._width else _CLEAR_BELOW
        rows = "".join(f"{line.text}{_CLEAR_LINE}\n" for line in lines)
        write_output(
            f"{hide}{self._cursor_to_start(width)}{clear}{_NO_WRAP}{rows}{_WRAP}{_CLEAR_BELOW}"
        )
        self._drawn, self._width, self._hidden = lines, width, True

    def write_above(self, text: str, width: int) -> None:
        """Write a line that stays, in place of the lines drawn last."""
        write_output(f"{self._cursor_to_start(width)}{_CLEAR_BELOW}{text}\n")
        self._drawn = ()

    def close(self, width: int) -> None:
        """Remove the lines and show the cursor."""
        if self._hidden:
            write_output(f"{self._cursor_to_start(width)}{_CLEAR_BELOW}{_SHOW_CURSOR}")
        self._drawn, self._hidden = (), False

    def _cursor_to_start(self, width: int) -> str:
        """Return the control sequence that moves the cursor to the first line drawn last.

        A window that has become narrower wraps the lines that are too long for it.
        """
        rows = sum(max(1, -(-line.cells // width)) for line in self._drawn)
        return f"\r\x1b[{rows}A" if rows else "\r"
