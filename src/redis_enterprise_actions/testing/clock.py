"""Clock of the fake cluster: follows that of the event loop, at a speed, and can jump forward."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left, bisect_right, insort
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from math import inf, nextafter
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

MAX_SPEED: Final = 1e6
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)
_TOLERANCE: Final = 1e-3  # seconds


class _Sleeper(NamedTuple):
    """A task that sleeps until a time; the numbers keep those of one time in their order."""

    at: float
    number: int
    task: asyncio.Task[Any]
    woken: asyncio.Future[None]


class Clock:
    """Clock of a cluster, and its times in the formats of answers.

    `speed` is the number of seconds that pass for each second of the event loop's clock; at 0 the
    clock stands still. `starts_at` is the date that it shows at first, by default the wall clock's.
    At speed 1 and without jumps, `now()` is the loop's time. The clock
    stops at the beginning of 9999-12-31.

    Raises `ValueError` for a speed that is not from 0 to 1,000,000, and for a date without a time
    zone, or one before the year 1 or after the beginning of 9999-12-31, in UTC.
    """

    def __init__(self, *, speed: float = 1.0, starts_at: datetime | None = None) -> None:
        self.started_at = 0.0
        self._first_speed = self._speed = _checked(speed)
        self._starts_at = None if starts_at is None else _first(starts_at)
        self._ahead = 0.0  # seconds, on top of the loop's time at this speed
        self._epoch = 0.0  # Unix time at 0
        self._end = inf  # the last time
        self._starts = 0  # number of calls of `start`
        self._tasks: set[asyncio.Task[Any]] = set()
        self._awake: set[asyncio.Task[Any]] = set()  # those of `_tasks`, and woken sleepers
        self._sleepers: list[_Sleeper] = []  # in the order of their times
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None  # for the first sleeper

    def start(self) -> None:
        """Let the clock show its first date now, and run at its first speed."""
        self._ahead, self._speed, self._end = 0.0, self._first_speed, inf
        self._starts += 1
        self.started_at = self.now()
        first = time.time() if self._starts_at is None else self._starts_at.timestamp()
        self._epoch = first - self.started_at
        self._end = max(self.started_at, _LAST.timestamp() - self._epoch)
        self._wake()

    def now(self) -> float:
        """Return the time in seconds; only differences of such times mean something."""
        return min(self._end, asyncio.get_running_loop().time() * self._speed + self._ahead)

    @property
    def date(self) -> datetime:
        """Present date, in UTC."""
        return self.date_at(self.now())

    def date_at(self, at: float) -> datetime:
        """Return a time of this clock as a date, in UTC; beyond the first and last, it is that."""
        seconds = min(max(_FIRST.timestamp(), self._epoch + at), _LAST.timestamp())
        return _UNIX_EPOCH + timedelta(seconds=seconds)

    @property
    def speed(self) -> float:
        """Seconds that pass for each second of the event loop's clock."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        now, self._speed = self.now(), _checked(speed)
        self._ahead = now - asyncio.get_running_loop().time() * self._speed
        self._wake()

    async def advance(self, seconds: float) -> None:
        """Jump forward; whatever is due on the way happens at its own time, one after the other.

        A new start of the clock ends the jump. Raises `ValueError` for less than 0 seconds, and
        beyond the year 9999.
        """
        if not 0 <= seconds < inf:
            raise ValueError("seconds must be 0 or more: the clock cannot go back")
        target, starts = self.now() + seconds, self._starts
        if target > self._end:
            raise ValueError("the clock cannot go beyond the year 9999")
        await asyncio.sleep(0)  # tasks that the caller has just created begin
        await self._settle()
        while self._starts == starts and self._sleepers and self._sleepers[0].at <= target:
            self._jump(self._sleepers[0].at)
            await self._settle()
        if self._starts == starts:
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
        # The work may wait for this clock and for locks of nodes only: while it waits for anything
        # else, a jump goes round and round.
        task = asyncio.create_task(work)
        self._tasks.add(task)
        self._awake.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._awake.discard)
        return task

    @contextmanager
    def joined(self) -> Generator[None]:
        """Let jumps wait for the current task inside `with`, as for one of `start_task`."""
        task = asyncio.current_task()
        assert task is not None, "coroutines run in tasks"
        is_new = task not in self._tasks
        self._tasks.add(task)
        self._awake.add(task)
        try:
            yield
        finally:
            if is_new:
                self._tasks.discard(task)
                self._awake.discard(task)

    async def sleep(self, seconds: float) -> None:
        """Sleep for seconds of this clock."""
        await self.sleep_until(self.now() + seconds)

    async def sleep_until(self, at: float) -> None:
        """Sleep until a time of this clock; if it has passed, only give way to other tasks once."""
        if not at > self.now():
            await asyncio.sleep(0)
            return
        task = asyncio.current_task()
        assert task is not None, "coroutines run in tasks"
        woken = asyncio.get_running_loop().create_future()
        sleeper = _Sleeper(at, next(self._numbers), task, woken)
        insort(self._sleepers, sleeper)
        self._awake.discard(task)
        self._wake()
        try:
            await woken
        finally:
            place = bisect_left(self._sleepers, sleeper)
            if self._sleepers[place : place + 1] == [sleeper]:  # the task was cancelled
                del self._sleepers[place]
                self._wake()
            (self._awake.add if task in self._tasks else self._awake.discard)(task)

    def unix_time(self, at: float) -> int:
        """Return a time of this clock in seconds since 1970."""
        return int(self._epoch + at)

    def iso_time(self, at: float) -> str:
        """Return a time of this clock as the API writes it."""
        return f"{self.date_at(at).replace(tzinfo=None).isoformat(timespec='seconds')}Z"

    def http_date(self) -> str:
        """Return the current time in the format of a Date header."""
        return format_datetime(self.date, usegmt=True)

    def _jump(self, to: float) -> None:
        self._ahead += max(0.0, to - self.now())
        while self.now() < to:  # for rounding
            self._ahead = nextafter(self._ahead, inf)
        self._wake()

    async def _settle(self) -> None:
        """Wait until the tasks have done all that is due."""
        while len(self._awake) > (asyncio.current_task() in self._awake):  # noqa: ASYNC110 - cheap
            await asyncio.sleep(0)

    def _wake(self, until: float = -inf) -> None:
        """Wake the tasks that sleep until now, or `until`, and set the timer for the next one."""
        due = bisect_right(self._sleepers, max(until, self.now()), key=attrgetter("at"))
        for sleeper in self._sleepers[:due]:
            self._awake.add(sleeper.task)
            if not sleeper.woken.done():  # a cancelled task wakes by itself
                sleeper.woken.set_result(None)
        del self._sleepers[:due]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._speed and self._sleepers and (at := self._sleepers[0].at) <= self._end:
            seconds = (at - self.now()) / self._speed
            # The time is then over, if not to the last digit.
            self._timer = asyncio.get_running_loop().call_later(seconds, self._wake, at)


def _checked(speed: float) -> float:
    if not 0 <= speed <= MAX_SPEED:
        raise ValueError(f"speed must be 0 or more, and {MAX_SPEED:,.0f} or less")
    return abs(float(speed))  # -0.0 is 0.0


def _first(date: datetime) -> datetime:
    if not _FIRST <= _aware("starts_at", date) <= _LAST:
        raise ValueError(f"starts_at must be from {_FIRST.date()} to {_LAST.date()}, in UTC")
    return date


def _aware(name: str, date: datetime) -> datetime:
    if date.tzinfo is None:
        raise ValueError(f"{name} needs a time zone, such as UTC")
    return date
