"""What waits look like when somebody watches: a bar for each, in colours that rich knows.

Decides what stands in which row and column. Refuses to know how it gets there, and when.
"""

from __future__ import annotations

import os
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._cli.output import harmless, put
from redis_enterprise_actions._cli.terminal import with_valid_size
from redis_enterprise_actions._model.action import Phase
from redis_enterprise_actions._model.text import one_line

from .events import Done, End, Left, Outage, Submitted, Warned
from .plain import words
from .progress import UNKNOWN, about, clock, how_long


if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

    from redis_enterprise_actions._model.action import Action, PendingOp

    from .events import AnyEvent
    from .progress import Board, Standing


_NARROW: Final = 60  # columns below which what does not fit beside a bar stands under it
_OPS: Final = 3  # pending operations shown under a bar
_FIXED: Final = 18  # columns for the sign, the percentage, the time and what is between them
_STAY: Final = (Submitted, Warned)  # what is written above the bars, and stays
_UNDER_WAY: Final = frozenset({Phase.RUNNING, Phase.CANCELLING, Phase.UNKNOWN})
_UNDER: Final = "  "  # where there is no sign
_FAR_UNDER: Final = "    "
_SHORT: Final = 8  # cells below which a text says nothing
_SWEEP: Final = 3  # cells of the block that moves where there is no progress
_SPEED: Final = 8.0  # cells that it moves in a second
_HIDE: Final = "\x1b[?25l"
_SHOW: Final = "\x1b[?25h"
_CUT: Final = "\x1b[?7l"
_FOLD: Final = "\x1b[?7h"
_TO_END_OF_LINE: Final = "\x1b[K"
_TO_END_OF_SCREEN: Final = "\x1b[J"


class Glyphs(NamedTuple):
    """What bars and signs are made of."""

    full: str
    half: str
    rest: str
    good: str
    bad: str
    left: str
    trouble: str
    more: str


_UNICODE: Final = Glyphs("━", "╸", "─", "✓", "✗", "·", "!", "…")
_ASCII: Final = Glyphs("#", "-", "-", "+", "x", "-", "!", "~")


class Columns(NamedTuple):
    """How wide the columns are that have no fixed width; without a note, `note` is 0."""

    title: int
    bar: int
    note: int


def columns_of(width: int) -> Columns:
    """Return the columns for a window of that width, of which the last cell stays empty."""
    free = max(12, width - _FIXED)
    if width < _NARROW:
        bar = max(4, free * 3 // 10)
        return Columns(free - bar, bar, 0)
    free -= 1
    title, bar = min(48, free * 2 // 5), min(40, free // 5)
    return Columns(title, bar, free - title - bar)


class Bars:
    """Draws a bar for each wait, and a line for each that has ended; all of it, when closed.

    No text of the cluster is read as markup, and none reaches beyond its line.
    """

    refresh: float = 0.2

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - an extra, wanted only here

        self._console = Console(
            force_terminal=True,
            no_color=bool(os.environ.get("NO_COLOR")),
            legacy_windows=False,
            _environ=with_valid_size(os.environ),
        )
        self._screen = Screen()
        self._done: Done | None = None
        self._drawn_at = -self.refresh

    def show(self, event: AnyEvent, board: Board) -> None:
        """Draw how it stands after an event; write what is to stay."""
        if isinstance(event, Done):
            self._done = event
            return
        stays = isinstance(event, _STAY) or (isinstance(event, Outage) and event.over)
        if stays:
            self._put("yellow" if isinstance(event, Warned) else "", words(event, board) or "")
        if stays or event.elapsed - self._drawn_at >= self.refresh:
            self.draw(event.elapsed, board)

    def draw(self, elapsed: float, board: Board) -> None:
        """Draw how everything stands, no higher than the window."""
        self._drawn_at = elapsed
        width, height = self._console.size
        picture = Picture(self._console, elapsed, width)
        self._screen.draw(picture.of(board, max(1, height - 1)), width)

    def close(self, board: Board) -> None:
        """Take the bars away; write how each wait ended, and all of them together."""
        self._screen.close(self._console.width)
        ends: list[End | Left] = [*board.ends, *board.left]
        for end in ends:
            sign, style = _sign(end, _glyphs(self._console))
            self._put(style, f"{sign} {one_line(end.message)}")
        if self._done is not None:
            said = words(self._done, board)
            if said is not None:
                self._put("", said)

    def _put(self, style: str, said: str) -> None:
        from rich.text import Text  # noqa: PLC0415 - ditto

        text = Text(_shown(said, self._console), style=style)
        self._screen.put(_line(text, self._console).text, self._console.width)


class Picture:
    """How a board looks at one moment, in a window of some width."""

    def __init__(self, console: Console, elapsed: float, width: int) -> None:
        self._console = console
        self._elapsed = elapsed
        self._width = width
        self._columns = columns_of(width)
        self._glyphs = _glyphs(console)
        self._in_outage = False

    def of(self, board: Board, height: int) -> list[Line]:
        """Return the lines, no more than `height`."""
        self._in_outage = board.outage_at(self._elapsed) is not None
        outage = self._outage(board)
        rows = [*self._rows(list(board.standings.values()), height - len(outage)), *outage]
        return [_line(row, self._console) for row in rows[:height]]

    def _rows(self, standings: list[Standing], room: int) -> list[Text]:
        if len(standings) > room:
            return self._most_pressing(standings, room)
        blocks = [self._block(each) for each in standings]
        if sum(map(len, blocks)) > room:
            return [block[0] for block in blocks]
        return list(chain.from_iterable(blocks))

    def _most_pressing(self, standings: list[Standing], room: int) -> list[Text]:
        """Return what is shown where there is no room for all: failed and running ones first."""
        bad = [each for each in standings if _is_bad(each)][: max(1, room // 2)]
        taken = {each.ref for each in bad}
        others = sorted((each for each in standings if each.ref not in taken), key=_urgency)
        ranked = [*bad, *others]
        shown, more = ranked[: max(0, room - 1)], ranked[max(0, room - 1) :]
        return [*map(self._row, shown), self._text(_rest(more), "dim", _UNDER)]

    def _block(self, standing: Standing) -> list[Text]:
        """Return what there is to see of a wait: its row, and what stands under it."""
        rows = [self._row(standing)]
        if standing.end is not None:
            return rows
        if self._columns.note == 0:
            rows.append(self._text(self._note(standing), "dim", _FAR_UNDER))
        ops = () if standing.action is None else standing.action.pending_ops
        rows += map(self._operation, ops[:_OPS])
        if len(ops) > _OPS:
            rows.append(self._text(f"+ {len(ops) - _OPS} more", "dim", _FAR_UNDER))
        return rows

    def _row(self, standing: Standing) -> Text:
        if standing.end is not None:
            return self._ended(standing, standing.end)
        columns, action = self._columns, standing.action
        troubled = self._in_outage or standing.trouble is not None
        row = self._cell(standing.title, columns.title + 2, lead=_UNDER)
        row.append(" ")
        row.append_text(self._bar(_progress(action), "yellow" if troubled else "cyan"))
        row.append(f" {_percent(_progress(action)):>5}")
        row.append(f" {clock(self._elapsed):>7}", "dim")
        if columns.note:
            row.append(" ")
            row.append_text(self._cell(self._note(standing), columns.note))
        return row

    def _ended(self, standing: Standing, end: End | Left) -> Text:
        sign, style = _sign(end, self._glyphs)
        how, reason = _how(end)
        title = max(_SHORT, min(self._columns.title, self._width - 4 - len(how)))
        room = self._width - 4 - title
        row = self._cell(f"{sign} {standing.title}", title + 2, style)
        row.append(" ")
        return row.append_text(self._cell(how + reason if room > len(how) + _SHORT else how, room))

    def _operation(self, op: PendingOp) -> Text:
        """Return the row of what a state machine waits for on one shard."""
        name = op.op_name or op.status_code or "working"
        said = f"shard {op.shard_uid} {name}"
        row = self._cell(said, self._columns.title + 2, "dim", _FAR_UNDER)
        row.append(" ")
        row.append_text(self._bar(op.progress, "dim"))
        return row.append(f" {_percent(op.progress):>5}", "dim")

    def _note(self, standing: Standing) -> str:
        """Return what stands beside a bar: what is left, and how it stands."""
        if standing.trouble is not None:
            now = standing.trouble.seconds + self._elapsed - standing.trouble.elapsed
            return f"no answer for {now:.0f} s: {standing.trouble.reason or UNKNOWN}"
        if standing.action is None:
            return "not seen yet"
        left = None if self._in_outage else standing.estimate.left(self._elapsed)
        how = standing.action.state or standing.action.status
        return how if left is None else f"{about(left)}, {how}"

    def _outage(self, board: Board) -> list[Text]:
        seconds = board.outage_at(self._elapsed)
        if seconds is None:
            return []
        said = f"{self._glyphs.trouble} no usable answer for {seconds:.0f} s: {board.reason}"
        return [self._text(said, "yellow")]

    def _bar(self, progress: float | None, style: str) -> Text:
        bar, width = self._cell("", 0), self._columns.bar
        if progress is None:
            at = _swing(self._elapsed, width - _SWEEP)
            bar.append(self._glyphs.rest * at, "dim")
            bar.append(self._glyphs.full * _SWEEP, style)
            return bar.append(self._glyphs.rest * (width - at - _SWEEP), "dim")
        halves = int(2 * width * progress / 100)
        bar.append(self._glyphs.full * (halves // 2) + self._glyphs.half * (halves % 2), style)
        return bar.append(self._glyphs.rest * (width - halves // 2 - halves % 2), "dim")

    def _text(self, said: str, style: str, lead: str = "") -> Text:
        return self._cell(said, self._width - 1, style, lead)

    def _cell(self, said: str, cells: int, style: str = "", lead: str = "") -> Text:
        """Return a text that takes so many cells, `lead` before it, cut if it is too long."""
        from rich.text import Text  # noqa: PLC0415 - ditto

        text = Text()
        text.append(lead + _shown(said, self._console), style)
        if text.cell_len > cells:
            text.truncate(cells - 1, overflow="crop")
            text.append(self._glyphs.more, style)
        text.pad_right(cells - text.cell_len)
        return text


def _line(text: Text, console: Console) -> Line:
    """Return a text as it is written, in the colours that the terminal has.

    It ends where it is blank: the shorter it is, the narrower a window can get without folding it.
    """
    text.rstrip()
    with console.capture() as captured:
        console.print(text, end="", soft_wrap=True)
    return Line(captured.get(), text.cell_len)


def _shown(said: str, console: Console) -> str:
    """Return a text as one line of what the terminal's encoding has."""
    said = harmless(one_line(said))
    return said.encode(console.encoding, "replace").decode(console.encoding)


def _glyphs(console: Console) -> Glyphs:
    return _UNICODE if console.encoding.startswith("utf") else _ASCII


def _sign(end: End | Left, glyphs: Glyphs) -> tuple[str, str]:
    """Return the sign and the colour of an end."""
    if isinstance(end, Left):
        return glyphs.left, "dim"
    return (glyphs.bad, "red") if end.exit_code else (glyphs.good, "green")


def _how(end: End | Left) -> tuple[str, str]:
    """Return in short how a wait ended, and what the cluster gives as the reason."""
    if isinstance(end, Left):
        return "no longer waited for", ""
    reason = None if end.action is None else end.action.reason
    return how_long(end), f": {reason}" if reason else ""


def _is_bad(standing: Standing) -> bool:
    return isinstance(standing.end, End) and standing.end.exit_code != 0


def _urgency(standing: Standing) -> int:
    """Return what sorts those first that run, and those last that have ended."""
    if standing.end is not None:
        return 2
    return 0 if standing.action is not None and standing.action.phase in _UNDER_WAY else 1


def _rest(standings: list[Standing]) -> str:
    """Return in words how many are not shown, and how they stand."""
    ends = Counter("waiting" if each.end is None else _outcome(each.end) for each in standings)
    counts = ", ".join(f"{number} {how}" for how, number in ends.items())
    return f"+ {len(standings)} more: {counts}"


def _outcome(end: End | Left) -> str:
    return "left" if isinstance(end, Left) else end.outcome


def _progress(action: Action | None) -> float | None:
    return None if action is None else action.progress


def _percent(progress: float | None) -> str:
    return "" if progress is None else f"{int(progress)} %"


def _swing(elapsed: float, span: int) -> int:
    """Return where between 0 and `span` something is that goes to and fro."""
    at = int(elapsed * _SPEED) % (2 * span)
    return min(at, 2 * span - at)


class Line(NamedTuple):
    """A line as it is written, and how many cells of the terminal it takes."""

    text: str
    cells: int


class Screen:
    """The lowest lines of a terminal, on standard output.

    The cursor stands below them, and is hidden from the first drawing to `close`.
    """

    def __init__(self) -> None:
        self._drawn: Sequence[Line] = ()
        self._width = 0
        self._hidden = False

    def draw(self, lines: Sequence[Line], width: int) -> None:
        """Draw lines over those drawn last, in a window of that many columns."""
        hide = "" if self._hidden else _HIDE
        # What was folded there would be joined again in a wider window, were it only overwritten.
        clear = "" if width == self._width else _TO_END_OF_SCREEN
        rows = "".join(f"{line.text}{_TO_END_OF_LINE}\n" for line in lines)
        _write(f"{hide}{self._back(width)}{clear}{_CUT}{rows}{_FOLD}{_TO_END_OF_SCREEN}")
        self._drawn, self._width, self._hidden = lines, width, True

    def put(self, text: str, width: int) -> None:
        """Write a line that stays, in place of those drawn last."""
        _write(f"{self._back(width)}{_TO_END_OF_SCREEN}{text}\n")
        self._drawn = ()

    def close(self, width: int) -> None:
        """Take the lines away and show the cursor again."""
        if self._hidden:
            _write(f"{self._back(width)}{_TO_END_OF_SCREEN}{_SHOW}")
        self._drawn, self._hidden = (), False

    def _back(self, width: int) -> str:
        """Return what moves the cursor to where the lines drawn last begin.

        In a window that has become narrower, terminals fold lines that are too long for it.
        """
        rows = sum(max(1, -(-line.cells // width)) for line in self._drawn)
        return f"\r\x1b[{rows}A" if rows else "\r"


def _write(text: str) -> None:
    put(text)
