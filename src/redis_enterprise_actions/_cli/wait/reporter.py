"""Reporter of the events of waits to a display, and capture of our log for it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from redis_enterprise_actions._cli.output import print_error
from redis_enterprise_actions._client.http.request_log import REQUEST_LOGGER
from redis_enterprise_actions._client.pacing.schedules import TICK

from .events import OutageEvent, WarningEvent
from .progress import Progress


if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .displays import Display
    from .events import AnyEvent, EventTime


_LOGGER: Final = "redis_enterprise_actions"


class ProgressReporter:
    """Reporter of events to one display, between `async with` and its end.

    At least every `keep_alive` seconds an event is shown; 0 means never. If the display raises an
    error in a refresh, the task that entered the reporter is cancelled, and the error is raised at
    the end of `async with`.
    """

    def __init__(self, display: Display, log: LogCapture, *, keep_alive: float) -> None:
        self.progress = Progress()
        self._display = display
        self._log = log
        self._keep_alive = keep_alive * 0.97  # as timers are late, and CI runners strict
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
            self._log.on_record = _ignore
            try:
                self._report_log()
            finally:
                self._display.close(self.progress)

    @property
    def display_failed(self) -> bool:
        """True if the display has raised an error in a refresh."""
        return self._refresher is not None and self._refresher.done()

    @property
    def elapsed(self) -> float:
        """Seconds since the command began."""
        return self._clock() - self._began

    def event_time(self) -> EventTime:
        """Return the time of an event that happens now."""
        return {"time": datetime.now(UTC), "elapsed": round(self.elapsed, 3)}

    def report(self, event: AnyEvent) -> None:
        """Show what was logged before the event, and then the event."""
        self._report_log()
        self._show_event(event)

    def _report_log(self) -> None:
        for event in self._log.drain(self.event_time):
            if isinstance(event, str):
                self._display.note(event)
            else:
                self._show_event(event)

    def _show_event(self, event: AnyEvent) -> None:
        self.progress.apply(event)
        self._last_shown_at = self._clock()
        self._display.show(event, self.progress)

    async def _refresh(self) -> None:
        """Show log records as they arrive, and refresh the display at intervals, forever."""
        refresh = self._display.refresh
        while True:
            self._logged.clear()
            self._report_log()
            due: float | None = None
            if refresh is not None:
                due = self._clock() + refresh
            elif self._keep_alive:
                due = self._last_shown_at + self._keep_alive
            try:
                async with asyncio.timeout_at(due):
                    await self._logged.wait()
            except TimeoutError:
                if refresh is not None:
                    self._display.draw(self.elapsed, self.progress)
                elif self._clock() >= self._last_shown_at + self._keep_alive - TICK:
                    self._show_event(self.progress.keep_alive_event(self.event_time()))


def _ignore() -> None:
    pass


def _is_shown(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name == REQUEST_LOGGER


class LogCapture(logging.Handler):
    """Log handler that keeps the warnings of this package, between `with` and its end.

    It keeps the records of requests, too, if the command has switched these on. `on_record` is
    called for each record. Records that were not drained are printed as errors at the end.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._records: deque[logging.LogRecord] = deque()
        self.on_record: Callable[[], object] = _ignore

    def __enter__(self) -> Self:
        if logging.getLogger(REQUEST_LOGGER).level == logging.DEBUG:
            self.setLevel(logging.DEBUG)
            self.addFilter(_is_shown)
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
        """Keep a record. Print that of a request, as long as no display shows it."""
        if record.name == REQUEST_LOGGER and self.on_record is _ignore:
            print_error(record.getMessage())
            return
        self._records.append(record)
        self.on_record()

    def drain(self, event_time: Callable[[], EventTime]) -> list[OutageEvent | WarningEvent | str]:
        """Return events for the records since the last call, and forget these records.

        Of a request, return the line.
        """
        events: list[OutageEvent | WarningEvent | str] = []
        while self._records:
            record = self._records.popleft()
            fields, time = vars(record), event_time()
            kind = fields.get("event")
            if kind == "request":
                events.append(record.getMessage())
            elif kind in {"outage", "outage over"}:
                over, seconds = kind == "outage over", round(fields["seconds"], 3)
                reason, ref = fields["reason"], fields["ref"]
                event = OutageEvent(**time, over=over, seconds=seconds, reason=reason, ref=ref)
                events.append(event)
            else:
                events.append(WarningEvent(**time, message=record.getMessage()))
        return events
