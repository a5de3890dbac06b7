"""Clock of the fake cluster: follows that of the event loop, at a speed, and can jump forward."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from email.utils import formatdate
from math import inf, nextafter
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Coroutine

_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_TOLERANCE: Final = 1e-3  # seconds


class Clock:
    """Clock of a cluster, and its times in the formats of answers.

    `speed` is the number of seconds that pass for each second of the event loop's clock; at 0 the
    clock stands still. `starts_at` is the date that it shows at first, by default the wall clock's.
    At speed 1 and without jumps, `now()` is the loop's time.

    Raises `ValueError` for a speed below 0 and a date without a time zone.
    """

    def __init__(self, *, speed: float = 1.0, starts_at: datetime | None = None) -> None:
        self.started_at = 0.0
        self._first_speed = self._speed = _checked(speed)
        self._starts_at = None if starts_at is None else _aware("starts_at", starts_at)
        self._ahead = 0.0  # seconds, on top of the loop's time at this speed
        self._epoch = 0.0  # Unix time at 0
        self._changed = asyncio.Event()  # set when the speed or the time was changed
        self._tasks: set[asyncio.Task[None]] = set()
        self._sleeping: dict[asyncio.Task[object], float] = {}  # and until when

    def start(self) -> None:
        """Let the clock show its first date now, and run at its first speed."""
        self._ahead, self._speed = 0.0, self._first_speed
        self.started_at = self.now()
        first = time.time() if self._starts_at is None else self._starts_at.timestamp()
        self._epoch = first - self.started_at
        self._notify()

    def now(self) -> float:
        """Return the time in seconds; only differences of such times mean something."""
        return asyncio.get_running_loop().time() * self._speed + self._ahead

    @property
    def date(self) -> datetime:
        """Present date, in UTC."""
        return self.date_at(self.now())

    def date_at(self, at: float) -> datetime:
        """Return a time of this clock as a date, in UTC."""
        return datetime.fromtimestamp(self._epoch + at, UTC)

    @property
    def speed(self) -> float:
        """Seconds that pass for each second of the event loop's clock."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        now, self._speed = self.now(), _checked(speed)
        self._ahead += now - self.now()
        self._notify()

    async def advance(self, seconds: float) -> None:
        """Jump forward; whatever is due on the way happens at its own time, one after the other.

        Raises `ValueError` for less than 0 seconds, and beyond the year 9999.
        """
        if not 0 <= seconds < inf:
            raise ValueError("seconds must be 0 or more: the clock cannot go back")
        target = self.now() + seconds
        if not self._epoch + target <= _LAST:
            raise ValueError("the clock cannot go beyond the year 9999")
        await self._settle()  # so that tasks that were just started sleep
        while (at := min(self._sleeping.values(), default=inf)) <= target:
            self._jump(at)
            await self._settle()
        self._jump(target)

    async def advance_to(self, date: datetime) -> None:
        """Jump forward to a date. Raises `ValueError` for one without a time zone or in the past.

        As fractions of a second are not exact, a date less than a millisecond ago is no past one.
        """
        seconds = _aware("date", date).timestamp() - self._epoch - self.now()
        if seconds < -_TOLERANCE:
            raise ValueError(f"the clock cannot go back from {self.date} to {date}")
        await self.advance(max(0.0, seconds))

    def start_task(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Start a task whose steps are due at times of this clock; a jump waits for them."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def sleep(self, seconds: float) -> None:
        """Sleep for seconds of this clock."""
        await self.sleep_until(self.now() + seconds)

    async def sleep_until(self, at: float) -> None:
        """Sleep until a time of this clock; if it has passed, only give way to other tasks once."""
        task = asyncio.current_task()
        assert task is not None, "coroutines run in tasks"
        try:
            while (left := at - self.now()) > 0:
                self._sleeping[task] = at
                longest = left / self._speed if self._speed and left < inf else None
                async with asyncio.timeout(longest):
                    await self._changed.wait()
        except TimeoutError:  # it is time, if not to the last digit
            pass
        else:
            await asyncio.sleep(0)
        finally:
            self._sleeping.pop(task, None)

    def unix_time(self, at: float) -> int:
        """Return a time of this clock in seconds since 1970."""
        return int(self._epoch + at)

    def iso_time(self, at: float) -> str:
        """Return a time of this clock as the API writes it."""
        return f"{self.date_at(at):%Y-%m-%dT%H:%M:%SZ}"

    def http_date(self) -> str:
        """Return the current time in the format of a Date header."""
        return formatdate(self._epoch + self.now(), usegmt=True)

    def _jump(self, to: float) -> None:
        self._ahead += max(0.0, to - self.now())
        while self.now() < to:  # for rounding
            self._ahead = nextafter(self._ahead, inf)
        self._notify()

    async def _settle(self) -> None:
        """Wait until the tasks have done all that is due."""
        while any(  # noqa: ASYNC110 - each task decides anew whether it sleeps
            self._sleeping.get(task, -inf) <= self.now()
            for task in {*self._tasks, *self._sleeping} - {asyncio.current_task()}
        ):
            await asyncio.sleep(0)

    def _notify(self) -> None:
        """Wake all that sleep, so that they look at the clock again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _checked(speed: float) -> float:
    if not 0 <= speed < inf:
        raise ValueError("speed must be 0 or more")
    return speed


def _aware(name: str, date: datetime) -> datetime:
    if date.tzinfo is None:
        raise ValueError(f"{name} needs a time zone, such as UTC")
    return date
