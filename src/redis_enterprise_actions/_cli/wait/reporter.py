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

from redis_enterprise_actions._cli.output import complain, complain_of
from redis_enterprise_actions._client.pacing.schedules import TICK

from .events import Outage, Warned
from .progress import Board


if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from .displays import Display
    from .events import AnyEvent, Stamp


_EARLY: Final = 0.97  # of the keep-alive, as timers are late and runners are strict
_LOGGER: Final = "redis_enterprise_actions"
_OUTAGES: Final = {"outage": False, "outage over": True}  # what `event` says: whether it is over


class Teller:
    """Tells one display, between `async with` and its end.

    `keep_alive` is for how many seconds at most nothing is told; 0 for ever. Must be entered in a
    task of its own making: where the output cannot be written any more, that task is cancelled,
    and `OSError` raised at the end.
    """

    def __init__(self, display: Display, overheard: Overheard, *, keep_alive: float) -> None:
        self.board = Board()
        self._display = display
        self._overheard = overheard
        self._keep_alive = keep_alive * _EARLY
        self._news = asyncio.Event()
        self._clock = asyncio.get_running_loop().time
        self._began = self._told_at = self._clock()
        self._group = asyncio.TaskGroup()
        self._pace: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._overheard.wake = self._news.set
        self._pace = self._group.create_task(self._keep_pace())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._pace is not None
        self._pace.cancel()
        try:
            await self._group.__aexit__(exc_type, exc, traceback)
        except ExceptionGroup as several:
            first = several.exceptions[0]
            raise first from first.__cause__
        finally:
            self._overheard.wake = _nobody
            try:
                self._pass_on()
            finally:
                self._display.close(self.board)

    @property
    def broken(self) -> bool:
        """Whether the display has failed between two events."""
        return self._pace is not None and self._pace.done()

    @property
    def elapsed(self) -> float:
        """Seconds since the command began."""
        return self._clock() - self._began

    def stamp(self) -> Stamp:
        """Return when this is."""
        return {"time": datetime.now(UTC), "elapsed": round(self.elapsed, 3)}

    def tell(self, event: AnyEvent) -> None:
        """Tell what has happened, after what was logged before it."""
        self._pass_on()
        self._show(event)

    def _pass_on(self) -> None:
        for event in self._overheard.take(self.stamp):
            self._show(event)

    def _show(self, event: AnyEvent) -> None:
        self.board.take(event)
        self._told_at = self._clock()
        self._display.show(event, self.board)

    async def _keep_pace(self) -> None:
        while True:
            self._news.clear()
            self._pass_on()
            try:
                async with asyncio.timeout_at(self._next()):
                    await self._news.wait()
            except TimeoutError:
                self._nothing_new()

    def _next(self) -> float | None:
        """Return when something is to be shown though nothing has happened."""
        if self._display.refresh is not None:
            return self._clock() + self._display.refresh
        return self._told_at + self._keep_alive if self._keep_alive else None

    def _nothing_new(self) -> None:
        if self._display.refresh is not None:
            self._display.draw(self.elapsed, self.board)
        elif self._clock() >= self._told_at + self._keep_alive - TICK:
            self._show(self.board.alive(self.stamp()))


def _nobody() -> None:
    pass


class Overheard(logging.Handler):
    """Keeps warnings of ours, between `with` and its end, until somebody takes them.

    What nobody has taken goes to standard error in the end.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._records: deque[logging.LogRecord] = deque()
        self.wake: Callable[[], object] = _nobody

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
            complain(self._records.popleft().getMessage())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, and wake who shows it."""
        self._records.append(record)
        self.wake()

    def take(self, stamp: Callable[[], Stamp]) -> list[Outage | Warned]:
        """Return what was said since it was last asked."""
        taken, self._records = self._records, deque()
        return [_event(record, stamp()) for record in taken]


class _Aside(logging.Handler):
    """Prints warnings, and what is worse, on standard error, each as one printable line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the first line of a message; asyncio's others show objects, and what is in them."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            complain_of(error)
        said, _, _ = record.getMessage().partition("\n")
        complain(said if error is None else f"{said}: {type(error).__name__}")


@contextlib.contextmanager
def last_resort() -> Generator[None]:
    """Print what is logged where no handler was set up, which logging would print as it is."""
    before, logging.lastResort = logging.lastResort, _Aside(logging.WARNING)
    try:
        yield
    finally:
        logging.lastResort = before


def _event(record: logging.LogRecord, stamp: Stamp) -> Outage | Warned:
    fields = vars(record)
    over = _OUTAGES.get(fields.get("event", ""))
    if over is None:
        return Warned(**stamp, message=record.getMessage())
    return Outage(
        **stamp,
        over=over,
        seconds=round(fields["seconds"], 3),
        reason=fields["reason"],
        ref=fields["ref"],
    )
