"""When to ask again: poll schedules and the policy for repeating a request.

A schedule is a tenacity wait strategy, so any of tenacity's will do for `poll=`. Tenacity's
own state reads the machine's clock; `PollState` is the same state on the event loop's clock,
which tests can move by hours in milliseconds.

Knows durations. Refuses to know what is asked and to whom.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

from tenacity import AsyncRetrying, Future, RetryCallState, wait_fixed
from tenacity.wait import wait_base

from redis_enterprise_actions._model.errors import UsageError

from .durations import is_duration


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tenacity.wait import WaitBaseT


TICK: Final = 1e-3  # seconds; a loop may wake a clock's tick early
SHORTEST_PAUSE: Final = 0.1  # seconds between two polls, whatever a schedule says


class AimedWait(wait_base):
    """The default schedule: look when the end is due.

    `price` is what one request is worth, in seconds of noticing the end late; `cap` is the
    longest pause, in seconds. Without progress the k-th poll comes about `price` * k * (k + 9)
    seconds after the wait began. With progress each pause aims at the end that it predicts, by the
    quicker of the average and the latest pace: far from it we look again at three quarters of
    the way, near it just after it.

    Whatever progress says, a wait of T seconds takes at most 2·√(T/price) + T/cap + 6 polls, and
    its end is noticed at most max(2·price, 5·√(price·T)) seconds late, never more than `cap`.
    A client that is waiting for several actions looks at all of them when the lag that is to be
    expected, summed over them, equals the price. It spares the cluster besides: it asks at most
    three times a second, and a slow cluster less often.

    One strategy serves many waits, as what it knows of each is kept for each.
    """

    def __init__(self, price: float = 0.1, *, cap: float = 15.0) -> None:
        if not (is_duration(price) and is_duration(cap) and 0 < 2 * price <= cap < math.inf):
            raise UsageError(f"price={price!r} and cap={cap!r}: seconds, and 2 * price <= cap")
        self.price = price
        self.cap = cap
        self._schedules: WeakKeyDictionary[RetryCallState, AimedSchedule] = WeakKeyDictionary()

    def __call__(self, retry_state: RetryCallState) -> float:
        course = self._schedules.get(retry_state)
        if course is None:
            course = self._schedules[retry_state] = AimedSchedule(self, 0.0)
        age = retry_state.seconds_since_start or 0.0
        outcome = retry_state.outcome
        came = None if outcome is None or outcome.failed else outcome.result()
        course.on_answer(came, age, age)
        return course.due - age


class AimedSchedule:
    """One aimed wait: when its action was last looked at, and when its end is due.

    Times are in seconds on the clock that `began` is from.
    """

    __slots__ = (
        *("_last_poll_at", "_polls", "_progress", "_progress_at"),
        *("aim", "assumed_start", "began", "cap", "latest", "price"),
    )

    def __init__(self, schedule: AimedWait, began: float) -> None:
        self.price = schedule.price  # what a request is worth to the wait, in seconds
        self.began = began
        self.aim: float | None = None
        self.latest = began  # when the wait has to look again, however many look with it
        # A wait is taken to be older than it is: nothing ends in its first moments.
        self.assumed_start = began - 20 * schedule.price
        self.cap = schedule.cap
        self._last_poll_at: float | None = None
        self._polls = 0
        self._progress_at = began
        self._progress = 0.0

    def on_answer(self, came: object, asked: float, now: float, *, shared: bool = False) -> None:
        """Take an answer that came at `now` to what was asked at `asked`.

        A `shared` one was not asked for this wait alone, and does not count as a poll of its own.
        """
        del asked
        self._last_poll_at = now
        self.latest = now + self.cap
        if not shared:
            self._polls += 1
        progress, last = _progress_in(came), self._progress
        if progress is None:
            self.aim = None
        elif progress > last:
            to_go = 100 - progress
            on_average = to_go * (now - self.began) / progress
            lately = to_go * (now - self._progress_at) / (progress - last)
            self.aim = now + min(on_average, lately)
            self._progress_at, self._progress = now, progress
        elif progress < last:
            self._progress_at, self._progress, self.aim = now, progress, None

    def on_unchanged(self, asked: float, now: float) -> bool:
        """Take an answer, to a shared request, that says what the last one said.

        Return whether that is all; False if it has to be `heard`.
        """
        del asked
        self._last_poll_at = now
        self.latest = now + self.cap
        return True

    def on_no_answer(self, now: float) -> None:
        """Take it that nothing came at `now`."""
        self._last_poll_at = now
        self.latest = now + self.cap

    @property
    def due(self) -> float:
        """When the wait, were it alone, would look next."""
        if self._last_poll_at is None:
            return self.began
        age = self._last_poll_at - self.began
        # The k-th poll comes at price * k * (k + 9), so pauses grow with the root of the age.
        blind = self._within(2 * math.sqrt(self.price * (self._last_poll_at - self.assumed_start)))
        pause = self._pause(self._last_poll_at, blind)
        if self._polls > 2 * math.sqrt(age / self.price) + 4:
            pause = max(pause, blind)  # aiming has cost enough
        furthest = self._within(5 * math.sqrt(self.price * age))
        return self._last_poll_at + min(pause, max(furthest, blind))

    def _pause(self, now: float, blind: float) -> float:
        if self.aim is None:
            return blind
        left = self.aim - now
        near = left + self.price / 2
        if self._progress_at == now:
            return near if left <= blind else 0.75 * left
        return min(near if left > 0 else max(-left, 2 * self.price), blind)

    def _within(self, pause: float) -> float:
        return min(max(pause, 2 * self.price), self.cap)


class StrategySchedule:
    """One wait on any other strategy, which is asked after each poll that was due."""

    __slots__ = ("_pause", "_state", "_strategy", "due")

    def __init__(self, strategy: WaitBaseT, began: float) -> None:
        self.due = began
        self._strategy = strategy
        self._state = PollState(began)
        self._pause = SHORTEST_PAUSE

    def on_answer(self, came: object, asked: float, now: float, *, shared: bool = False) -> None:
        """Take an answer that came at `now` to what was asked at `asked`."""
        del shared
        if asked >= self.due - TICK:
            self._pause = self._state.pause_after(self._strategy, came, now)
            self.on_no_answer(now)

    def on_unchanged(self, asked: float, now: float) -> bool:
        """Return whether an answer that says what the last one said is nothing."""
        del now
        return asked < self.due - TICK

    def on_no_answer(self, now: float) -> None:
        """Take it that nothing came at `now`."""
        self.due = now + self._pause

    @property
    def lag_cost(self) -> float:
        """What not looking costs one who chose to pause for so long."""
        return 2 / self._pause / self._pause


Schedule: TypeAlias = AimedSchedule | StrategySchedule


class LagForecast(NamedTuple):
    """What is to be expected of several waits, none of which looks meanwhile.

    `pull` and `pull_of_rhythms` are what not looking costs: prices of a request, per second
    squared. `ahead` has for each end that is foreseen the seconds to it, and 1 / price. By
    `latest` one of them has to look again, however many look with it.
    """

    lag_cost: float
    strategies_lag_cost: float
    expected_ends: list[tuple[float, float]]
    latest: float


def forecast(paces: Iterable[Schedule], now: float) -> LagForecast:
    """Return what is to be expected from `now` on."""
    courses: list[AimedSchedule] = []
    pull_of_rhythms, latest = 0.0, math.inf
    for pace in paces:
        if isinstance(pace, StrategySchedule):
            pull_of_rhythms += pace.lag_cost
            latest = min(latest, pace.due)
        else:
            courses.append(pace)
            latest = min(latest, pace.latest)
    pull, ahead = forecast_aimed(courses, now)
    return LagForecast(pull, pull_of_rhythms, ahead, latest)


def forecast_aimed(
    courses: Iterable[AimedSchedule], now: float
) -> tuple[float, list[tuple[float, float]]]:
    """Return the pull of aimed waits and the ends that are ahead; see `Outlook`.

    The end is the likelier per second the younger the action is, and the sooner after its aim;
    before the aim it is not likely. This is read for each of thousands of waits at each look.
    """
    pull = 0.0
    ahead: list[tuple[float, float]] = []
    for course in courses:
        aim = course.aim
        if aim is None:
            pull += 0.5 / ((now - course.assumed_start) * course.price)
        elif aim > now:
            pull += 0.25 / ((now - course.assumed_start) * course.price)
            ahead.append((aim - now, 1 / course.price))
        else:
            pull += 0.5 / (max(now - aim, course.price) * course.price)
    return pull, ahead


def every(interval: float) -> WaitBaseT:
    """Return the schedule that asks after so many seconds, whatever happens."""
    return wait_fixed(interval)


def schedule_for(schedule: WaitBaseT | None, began: float) -> Schedule:
    """Return the pace of a wait that begins; None stands for the default schedule."""
    if schedule is None:
        schedule = _DEFAULT
    # A class derived from it may do as it likes.
    if isinstance(schedule, AimedWait) and type(schedule) is AimedWait:
        return AimedSchedule(schedule, began)
    return StrategySchedule(schedule, began)


_DEFAULT: Final = AimedWait()


def _progress_in(came: object) -> float | None:
    """Return the progress of an answer; what is not in (0, 100] is none."""
    progress = getattr(came, "progress", None)
    if progress is None:
        return None
    if type(progress) is float and 0 < progress <= 100:  # as nearly all are
        return progress
    return progress if is_duration(progress) and 0 < progress <= 100 else None


class PollState(RetryCallState):
    """What a wait strategy is told, on the event loop's clock.

    `attempt_number` counts the answers so far, `seconds_since_start` is the age of the wait at
    the last one, `idle_for` the seconds slept, and `outcome.result()` the last `Action`, or
    None while the cluster does not know it. `outcome.exception()` is set for a request that
    failed.
    """

    def __init__(self, now: float) -> None:
        super().__init__(_STRATEGIES_ONLY, None, (), {})
        self.start_time = now

    def pause_after(self, schedule: WaitBaseT, came: object, now: float) -> float:
        """Return the seconds to sleep after `came`: an answer, or the error instead of one."""
        self.outcome = Future(self.attempt_number)
        self.outcome_timestamp = now
        if isinstance(came, BaseException):
            self.outcome.set_exception(came)
        else:
            self.outcome.set_result(came)
        try:
            pause = _checked_pause(schedule(self))
        except (StopIteration, asyncio.CancelledError) as error:
            # The first one no future takes, and the other would cancel the loop for everybody.
            raise UsageError(f"poll= has no pause to answer: {type(error).__name__}") from error
        self.upcoming_sleep = pause
        self.idle_for += pause
        self.attempt_number += 1
        return pause


_STRATEGIES_ONLY: Final = AsyncRetrying()  # tenacity's state wants one; it never runs anything


def _checked_pause(pause: object) -> float:
    if is_duration(pause) and pause != math.inf:
        return max(float(pause), SHORTEST_PAUSE)
    raise UsageError(f"poll= answered {pause!r:.100}, which is not a number of seconds")
