"""Live display of waits on a terminal: a table with a row for each, which stays at the end."""

from __future__ import annotations

import sys
from collections import Counter
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from redis_enterprise_actions._cli.output import print_error
from redis_enterprise_actions._cli.screen import Screen, Title, grid
from redis_enterprise_actions._model.action import Phase
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.text import duration_text, percent_text

from .events import (
    AbandonedEvent,
    OutageEvent,
    SubmittedEvent,
    SummaryEvent,
    WaitEndEvent,
    WarningEvent,
)
from .plain import event_text
from .progress import UNKNOWN_REASON
from .rows import RESUME, end_row, shared_reasons, summary_text


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from rich.console import RenderableType
    from rich.table import Table

    from .events import AnyEvent
    from .plain import PlainDisplay
    from .progress import Progress, WaitProgress

_NARROW: Final = 60  # columns of a window in which reasons stand below the table, not in it
_MAX_LINES: Final = 3  # of a text above or below the live table
_UNDER_WAY: Final = frozenset({Phase.RUNNING, Phase.CANCELLING, Phase.UNKNOWN})
_HINT: Final = "Ctrl-C stops waiting, not the work"


class LiveDisplay:
    """Table with a bar for each wait, and its end in the same row.

    `results` gets what is for standard output, if the table is drawn elsewhere: the reference of a
    call at once, and the ends when the table is complete. The table stays if `keep`.
    """

    refresh: float = 0.2

    def __init__(
        self,
        file: TextIO,
        cluster: str,
        *,
        results: PlainDisplay | None = None,
        keep: bool = True,
        summary: Callable[[SummaryEvent, Progress], str] = summary_text,
    ) -> None:
        self._screen = Screen(file)
        self._cluster = cluster
        self._results = results
        self._keep = keep
        self._summary_text = summary
        self._summary: SummaryEvent | None = None
        self._ends: list[AnyEvent] = []
        self._drawn_at = -self.refresh

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Draw the progress after an event; write the events whose lines stay."""
        above: str | None = None
        match event:
            case SummaryEvent():
                self._summary = event
                self._ends.append(event)
                return
            case WaitEndEvent() | AbandonedEvent():
                self._ends.append(event)
            case SubmittedEvent() if self._results is not None:
                self._results.show(event, progress)
            case SubmittedEvent():
                above = event.ref or event_text(event, progress)
            case WarningEvent() | OutageEvent(over=True):
                above = event_text(event, progress)
            case _:
                pass
        if above is not None:
            self._screen.write_above(above, "yellow" if isinstance(event, WarningEvent) else "")
        if above is not None or event.elapsed - self._drawn_at >= self.refresh:
            self.draw(event.elapsed, progress)

    def note(self, text: str) -> None:
        """Write a line above the table, or to standard error if that is no terminal."""
        if sys.stderr.isatty():
            self._screen.write_above(text, "dim")
        else:
            print_error(text)

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Draw the progress, no higher than the window."""
        self._drawn_at = elapsed
        frame = Frame(self._screen, progress, elapsed)
        self._screen.draw(frame.live(self._cluster))

    def close(self, progress: Progress) -> None:
        """Leave the table with the ends, or write these as results."""
        final: RenderableType | None = None
        resume = ""
        try:
            if self._keep and self._summary is not None:
                frame = Frame(self._screen, progress, self._summary.elapsed)
                text = self._summary_text(self._summary, progress)
                if cell_len(text) > self._screen.size[0]:  # a wrapped command cannot be copied
                    text, *rest = text.partition(RESUME)
                    resume = "".join(rest)
                final = frame.final(text.rstrip())
        finally:
            self._screen.close(final)
        if resume:
            self._screen.write_above(resume)
        if self._results is not None:
            for event in self._ends:
                self._results.show(event, progress)


class Frame:
    """One drawing of the progress, `elapsed` seconds after the command began."""

    def __init__(self, screen: Screen, progress: Progress, elapsed: float) -> None:
        self._screen = screen
        self._progress = progress
        self._elapsed = elapsed
        self._width, self._height = screen.size
        self._in_outage = progress.outage_duration(elapsed)
        own = Counter(wait.own_outage.reason for wait in progress.pending if wait.own_outage)
        self._own = {reason: count for reason, count in own.items() if count > 1}
        self._told = shared_reasons(progress.all_ends)

    def live(self, cluster: str) -> Group:
        """Return a head line, the table and the causes, no higher than the window."""
        waits, pending = list(self._progress.waits.values()), self._progress.pending
        done = f"{len(waits) - len(pending)} of {len(waits)} done" if waits else "calling"
        head = self._lines(f"{done}, {duration_text(self._elapsed)}, {cluster}, {_HINT}", "bold")
        causes = [line for text in self._causes() for line in self._lines(text, "yellow")]
        room = max(1, self._height - len(head) - len(causes))
        table = self._table(cut=True)
        if len(waits) <= room:
            for wait in waits:
                self._add(table, wait)
            return Group(*head, table, *causes)
        shown, hidden = self._by_importance(waits, room - 1)
        for wait in shown:
            self._add(table, wait)
        words = Counter("waiting" if each.end is None else end_row(each.end).how for each in hidden)
        counts = ", ".join(f"{number} {word}" for word, number in words.items())
        more = self._screen.cut(f"+ {len(hidden)} more: {counts}", "dim")
        return Group(*head, table, more, *causes)

    def final(self, summary: str) -> Group:
        """Return the table of all ends, the reasons in full, and the summary.

        In a table that is higher than the window, what did not complete comes last.
        """
        table, ends = self._table(cut=False), self._progress.all_ends
        if len(ends) > self._height:
            ends = sorted(ends, key=lambda end: end_row(end).outcome is not Outcome.COMPLETED)
        for end in ends:
            self._add_end(table, end, cut=False)
        texts = [self._screen.text(text, "yellow") for text in self._causes()]
        rows = [end_row(end) for end in ends]
        if self._width < _NARROW:
            untold = [row for row in rows if row.note and row.note not in self._told]
            texts += [self._screen.text(f"{row.title}: {row.note}") for row in untold]
        return Group(*([table] if rows else []), *texts, self._screen.text(summary))

    def _table(self, *, cut: bool) -> Table:
        """Return an empty table, whose last column rich makes as narrow as needed."""
        table, wide = grid(), self._width >= _NARROW
        table.add_column(no_wrap=wide, max_width=self._width * 2 // 5 if wide else None)
        table.add_column(no_wrap=True)
        if cut and wide:
            table.add_column(justify="right", no_wrap=True, min_width=5)
        table.add_column(justify="right", no_wrap=True, min_width=6)
        if wide:
            table.add_column(overflow="fold")
        return table

    def _add(self, table: Table, wait: WaitProgress) -> None:
        """Add the row of a wait."""
        if wait.end is not None:
            self._add_end(table, wait.end, cut=True)
            return
        troubled = self._in_outage is not None or wait.own_outage is not None
        progress = None if wait.action is None else wait.action.progress
        style, width = "yellow" if troubled else "cyan", 20 if self._width > 110 else 10
        cells: list[RenderableType] = [
            Title(self._screen.text(wait.title), "  "),
            self._screen.bar(progress, style, self._elapsed, width),
            Text(duration_text(self._elapsed), "dim"),
        ]
        if self._width >= _NARROW:
            cells.insert(2, "" if progress is None else percent_text(progress))
            cells.append(self._screen.cut(self._note(wait), "dim"))
        table.add_row(*cells)

    def _add_end(self, table: Table, end: WaitEndEvent | AbandonedEvent, *, cut: bool) -> None:
        row, screen = end_row(end), self._screen
        mark = row.outcome.mark if screen.unicode else row.outcome.ascii_mark
        note = "" if row.note in self._told else row.note
        cells: list[RenderableType] = [
            Title(screen.text(row.title, row.style), f"{mark} "),
            screen.text(row.how, row.style),
            Text(row.duration, "dim"),
        ]
        if self._width >= _NARROW:
            cells[2:2] = [""] if cut else []
            cells.append(screen.cut(note) if cut else screen.text(note))
        table.add_row(*cells)

    def _lines(self, text: str, style: str) -> list[Text]:
        lines = wrap(text, self._width, break_on_hyphens=False)[:_MAX_LINES]
        return [self._screen.cut(line, style) for line in lines]

    def _causes(self) -> list[str]:
        """Return the causes that several waits share, each of which is said once."""
        texts = [f"! {count} waits: {reason}" for reason, count in self._told.items()]
        for reason, count in self._own.items():
            texts.append(f"! no usable answer about {count} waits: {reason or UNKNOWN_REASON}")
        if self._in_outage is not None and self._progress.pending:
            lasted = duration_text(self._in_outage)
            texts.append(f"! no usable answer for {lasted}: {self._progress.outage_reason}")
        return texts

    @staticmethod
    def _by_importance(
        waits: list[WaitProgress], room: int
    ) -> tuple[list[WaitProgress], list[WaitProgress]]:
        """Return the waits that fit, some failed ones and then running ones first, and the rest."""

        def rank(wait: WaitProgress) -> int:
            if wait.end is not None:
                return 2
            return 0 if wait.action is not None and wait.action.phase in _UNDER_WAY else 1

        bad = [each for each in waits if isinstance(each.end, WaitEndEvent) and each.end.exit_code]
        first = bad[: max(1, (room + 1) // 2)]
        ranked = first + sorted((each for each in waits if each not in first), key=rank)
        return ranked[:room], ranked[room:]

    def _note(self, wait: WaitProgress) -> str:
        """Return the remaining time and the state of a wait, or its outage."""
        if wait.own_outage is not None:
            if wait.own_outage.reason in self._own:
                return "no answer"
            lasted = wait.own_outage.seconds + self._elapsed - wait.own_outage.elapsed
            reason = wait.own_outage.reason or UNKNOWN_REASON
            return f"no answer for {duration_text(lasted)}: {reason}"
        if wait.action is None:
            return "not seen yet"
        left = None if self._in_outage is not None else wait.estimator.remaining(self._elapsed)
        parts = [wait.action.state or wait.action.status, *map(str, wait.action.pending_ops[:1])]
        if left is not None and left >= 10:
            parts.insert(0, f"about {duration_text(round(left, -1))} left")
        return ", ".join(parts)
