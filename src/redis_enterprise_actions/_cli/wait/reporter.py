"""Who tells the display what happens, when it happens, and that nothing does.

Reads the clocks. Refuses to know what the display makes of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from redis_enterprise_actions._cli.output import print_error, print_traceback
from redis_enterprise_actions._client.pacing.schedules import TICK

from .events import OutageEvent, WarningEvent
from .progress import Progress


if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from .displays import Display
    from .events import AnyEvent, EventTime


_EARLY: Final = 0.97  # of the keep-alive, as timers are late and runners are strict
_LOGGER: Final = "redis_enterprise_actions"
_OUTAGES: Final = {"outage": False, "outage over": True}  # what `event` says: whether it is over


class ProgressReporter:
    """Tells one display, between `async with` and its end.

    `keep_alive` is for how many seconds at most nothing is told; 0 for ever. Must be entered in a
    task of its own making: where the output cannot be written any more, that task is cancelled,
    and `OSError` raised at the end.
    """

    def __init__(self, display: Display, log_capture: LogCapture, *, keep_alive: float) -> None:
        self.progress = Progress()
        self._display = display
        self._log = log_capture
        self._keep_alive = keep_alive * _EARLY
        self._logged = asyncio.Event()
        self._clock = asyncio.get_running_loop().time
        self._began = self._last_shown_at = self._clock()
        self._group = asyncio.TaskGroup()
        self._refresher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._log.on_record = self._logged.set
        self._refresher = self._group.create_task(self._refresh())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._refresher is not None
        self._refresher.cancel()
        try:
            await self._group.__aexit__(exc_type, exc, traceback)
        except ExceptionGroup as several:
            first = several.exceptions[0]
            raise first from first.__cause__
        finally:
            self._log.on_record = _nobody
            try:
                self._report_log()
            finally:
                self._display.close(self.progress)

    @property
    def display_failed(self) -> bool:
        """Whether the display has failed between two events."""
        return self._refresher is not None and self._refresher.done()

    @property
    def elapsed(self) -> float:
        """Seconds since the command began."""
        return self._clock() - self._began

    def event_time(self) -> EventTime:
        """Return when this is."""
        return {"time": datetime.now(UTC), "elapsed": round(self.elapsed, 3)}

    def report(self, event: AnyEvent) -> None:
        """Tell what has happened, after what was logged before it."""
        self._report_log()
        self._show_event(event)

    def _report_log(self) -> None:
        for event in self._log.drain(self.event_time):
            self._show_event(event)

    def _show_event(self, event: AnyEvent) -> None:
        self.progress.apply(event)
        self._last_shown_at = self._clock()
        self._display.show(event, self.progress)

    async def _refresh(self) -> None:
        while True:
            self._logged.clear()
            self._report_log()
            try:
                async with asyncio.timeout_at(self._next_refresh()):
                    await self._logged.wait()
            except TimeoutError:
                self._on_idle()

    def _next_refresh(self) -> float | None:
        """Return when something is to be shown though nothing has happened."""
        if self._display.refresh is not None:
            return self._clock() + self._display.refresh
        return self._last_shown_at + self._keep_alive if self._keep_alive else None

    def _on_idle(self) -> None:
        if self._display.refresh is not None:
            self._display.draw(self.elapsed, self.progress)
        elif self._clock() >= self._last_shown_at + self._keep_alive - TICK:
            self._show_event(self.progress.keep_alive_event(self.event_time()))


def _nobody() -> None:
    pass


class LogCapture(logging.Handler):
    """Keeps warnings of ours, between `with` and its end, until somebody takes them.

    What nobody has taken goes to standard error in the end.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._records: deque[logging.LogRecord] = deque()
        self.on_record: Callable[[], object] = _nobody

    def __enter__(self) -> Self:
        logging.getLogger(_LOGGER).addHandler(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        logging.getLogger(_LOGGER).removeHandler(self)
        while self._records:
            print_error(self._records.popleft().getMessage())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, and wake who shows it."""
        self._records.append(record)
        self.on_record()

    def drain(self, stamp: Callable[[], EventTime]) -> list[OutageEvent | WarningEvent]:
        """Return what was said since it was last asked."""
        taken, self._records = self._records, deque()
        return [_event_from(record, stamp()) for record in taken]


class _StderrHandler(logging.Handler):
    """Prints warnings, and what is worse, on standard error, each as one printable line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the first line of a message; asyncio's others show objects, and what is in them."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            print_traceback(error)
        said, _, _ = record.getMessage().partition("\n")
        print_error(said if error is None else f"{said}: {type(error).__name__}")


@contextlib.contextmanager
def unhandled_logs_to_stderr() -> Generator[None]:
    """Print what is logged where no handler was set up, which logging would print as it is."""
    before, logging.lastResort = logging.lastResort, _StderrHandler(logging.WARNING)
    try:
        yield
    finally:
        logging.lastResort = before


def _event_from(record: logging.LogRecord, stamp: EventTime) -> OutageEvent | WarningEvent:
    fields = vars(record)
    over = _OUTAGES.get(fields.get("event", ""))
    if over is None:
        return WarningEvent(**stamp, message=record.getMessage())
    return OutageEvent(
        **stamp,
        over=over,
        seconds=round(fields["seconds"], 3),
        reason=fields["reason"],
        ref=fields["ref"],
    )
