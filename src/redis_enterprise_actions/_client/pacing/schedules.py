"""Poll schedules of one wait.

A schedule is a tenacity wait strategy; the default is `AimedWait`. Tenacity's own state reads the
system clock. `PollState` reads the event loop's clock instead, so that tests can run hours in
milliseconds.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, TypeAlias
from weakref import WeakKeyDictionary

from tenacity import AsyncRetrying, Future, RetryCallState, wait_fixed
from tenacity.wait import wait_base

from redis_enterprise_actions._model.errors import UsageError

from .durations import is_duration


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tenacity.wait import WaitBaseT


TICK: Final = 1e-3  # seconds; an event loop may wake a tick of its clock early
SHORTEST_PAUSE: Final = 0.1  # seconds between two polls, whatever a schedule returns
# Prices by which a wait counts as older than it is, as nothing ends in its first moments.
_HEAD_START: Final = 20


class AimedWait(wait_base):
    """The default schedule, which aims at the expected end of the action.

    `price` is the cost of one request, in seconds of detection lag; `cap` is the longest pause, in
    seconds. Without progress the k-th poll comes about `price` * k * (k + 9) seconds after the
    beginning. With progress each pause aims at the predicted end, by the faster of the average and
    the latest rate: three quarters of the way while the end is far, and just after it when near.

    Whatever the progress says, a wait of T seconds takes at most 2·√(T/price) + T/cap + 6 polls,
    and its end is detected at most max(2·price, 5·√(price·T)) seconds late, never more than `cap`.
    A client with several waits polls them together when the expected lag, summed over the waits,
    equals the price. It polls at most three times a second, and a slow cluster less often.

    One strategy can serve many waits: it keeps the state of each wait apart.
    """

    def __init__(self, price: float = 0.1, *, cap: float = 15.0) -> None:
        if not (is_duration(price) and is_duration(cap) and 0 < 2 * price <= cap < math.inf):
            raise UsageError(f"price={price!r} and cap={cap!r}: seconds, and 2 * price <= cap")
        self.price = price
        self.cap = cap
        self._schedules: WeakKeyDictionary[RetryCallState, AimedSchedule] = WeakKeyDictionary()

    def __call__(self, retry_state: RetryCallState) -> float:
        schedule = self._schedules.get(retry_state)
        if schedule is None:
            schedule = self._schedules[retry_state] = AimedSchedule(self, 0.0)
        age = retry_state.seconds_since_start or 0.0
        outcome = retry_state.outcome
        answer = None if outcome is None or outcome.failed else outcome.result()
        schedule.on_answer(answer, age, age)
        return schedule.due_after(age) - age


class AimedSchedule:
    """Schedule of one wait that uses `AimedWait`.

    Times are seconds on the clock of `began`.
    """

    __slots__ = ("_polls", "_progress", "_progress_at", "aim", "began", "strategy")

    def __init__(self, strategy: AimedWait, began: float) -> None:
        self.strategy = strategy
        self.began = began
        self.aim: float | None = None  # predicted time of the end
        self._polls = 0
        self._progress_at = began
        self._progress = 0.0

    def on_answer(
        self, answer: object, _requested_at: float, now: float, *, shared: bool = False
    ) -> None:
        """Record an answer. A `shared` poll does not count as one of this wait."""
        if not shared:
            self._polls += 1
        progress, last = _progress_in(answer), self._progress
        if progress is None:
            self.aim = None
        elif progress > last:
            left = 100 - progress
            by_average = left * (now - self.began) / progress
            by_latest = left * (now - self._progress_at) / (progress - last)
            self.aim = now + min(by_average, by_latest)
            self._progress_at, self._progress = now, progress
        elif progress < last:
            self._progress_at, self._progress, self.aim = now, progress, None

    def on_no_answer(self, now: float) -> None:
        """Record a failed request, which changes nothing."""

    def due_after(self, polled_at: float) -> float:
        """Return the time of the next poll, if no other wait shares it and the last is over."""
        price = self.strategy.price
        age = polled_at - self.began
        # The k-th poll comes at price * k * (k + 9), so pauses grow with the root of the age.
        blind = self._within(2 * math.sqrt(price * (age + _HEAD_START * price)))
        pause = self._pause(polled_at, blind)
        if self._polls > 2 * math.sqrt(age / price) + 4:
            pause = max(pause, blind)  # keeps the promised number of polls
        furthest = self._within(5 * math.sqrt(price * age))
        return polled_at + min(pause, max(furthest, blind))

    def _pause(self, now: float, blind: float) -> float:
        if self.aim is None:
            return blind
        left = self.aim - now
        near = left + self.strategy.price / 2
        if self._progress_at == now:
            return near if left <= blind else 0.75 * left
        return min(near if left > 0 else max(-left, 2 * self.strategy.price), blind)

    def _within(self, pause: float) -> float:
        return min(max(pause, 2 * self.strategy.price), self.strategy.cap)


class StrategySchedule:
    """Schedule of one wait with any other strategy, called after each poll that was due.

    No pause is longer than `longest` seconds.
    """

    __slots__ = ("_longest", "_pause", "_state", "_strategy", "due")

    def __init__(self, strategy: WaitBaseT, began: float, longest: float = math.inf) -> None:
        self.due = began
        self._longest = longest
        self._strategy = strategy
        self._state = PollState(began)
        self._pause = SHORTEST_PAUSE

    def on_answer(
        self,
        answer: object,
        requested_at: float,
        now: float,
        *,
        shared: bool = False,  # noqa: ARG002 - as in `AimedSchedule`
    ) -> None:
        """Record an answer to a request sent at `requested_at`."""
        if requested_at >= self.due - TICK:
            pause = self._state.pause_after(self._strategy, answer, now)
            self._pause = min(pause, self._longest)
            self.on_no_answer(now)

    def on_no_answer(self, now: float) -> None:
        """Record a failed request."""
        self.due = now + self._pause

    def due_after(self, _polled_at: float) -> float:
        """Return the time of the next poll."""
        return self.due

    @property
    def lag_cost(self) -> float:
        """Cost of lag to a wait that chose this pause; see `LagForecast`."""
        return 2 / self._pause / self._pause


Schedule: TypeAlias = AimedSchedule | StrategySchedule


def forecast_aimed(
    schedules: Iterable[AimedSchedule], now: float
) -> tuple[float, list[tuple[float, float]], float]:
    """Return the lag cost of aimed waits, their predicted ends, and the age of the youngest.

    A lag cost is in prices of a request per second squared. The ends are pairs (end, 1 / price).
    An end is the likelier per second the younger the action is, and the closer after its aim;
    before the aim it is unlikely. This runs for each of thousands of waits.
    """
    lag_cost, youngest = 0.0, math.inf
    expected_ends: list[tuple[float, float]] = []
    for schedule in schedules:
        aim, price = schedule.aim, schedule.strategy.price
        age = now - schedule.began + _HEAD_START * price
        if age < youngest:  # noqa: PLR1730 - a call costs several times as much
            youngest = age
        if aim is None:
            lag_cost += 0.5 / (age * price)
        elif aim > now:
            lag_cost += 0.25 / (age * price)
            expected_ends.append((aim, 1 / price))
        else:
            lag_cost += 0.5 / (max(now - aim, price) * price)
    return lag_cost, expected_ends, youngest


def every(interval: float) -> WaitBaseT:
    """Return the schedule that polls at a fixed interval, in seconds."""
    return wait_fixed(interval)


def schedule_for(strategy: WaitBaseT | None, began: float, longest: float = math.inf) -> Schedule:
    """Return the schedule of a wait that begins at `began`; None is the default strategy.

    The pauses of any other one are no longer than `longest` seconds.
    """
    if strategy is None:
        strategy = _DEFAULT
    # A subclass may override anything, so it is called like any other strategy.
    if isinstance(strategy, AimedWait) and type(strategy) is AimedWait:
        return AimedSchedule(strategy, began)
    return StrategySchedule(strategy, began, longest)


_DEFAULT: Final = AimedWait()


def _progress_in(answer: object) -> float | None:
    """Return the progress of an answer, or None if it is not in (0, 100]."""
    progress = getattr(answer, "progress", None)
    if progress is None:
        return None
    if type(progress) is float and 0 < progress <= 100:  # the fast path of nearly all answers
        return progress
    return progress if is_duration(progress) and 0 < progress <= 100 else None


class PollState(RetryCallState):
    """Argument of a wait strategy, on the event loop's clock.

    `attempt_number` counts the answers so far, `seconds_since_start` is the age of the wait at
    the last one, `idle_for` the seconds slept, and `outcome.result()` the last `Action`, or
    None while the cluster does not know it. `outcome.exception()` is set for a request that
    failed.
    """

    def __init__(self, now: float) -> None:
        super().__init__(_STRATEGIES_ONLY, None, (), {})
        self.start_time = now

    def pause_after(self, strategy: WaitBaseT, answer: object, now: float) -> float:
        """Return the seconds to sleep after an answer, or after the error of a failed request."""
        self.outcome = Future(self.attempt_number)
        self.outcome_timestamp = now
        if isinstance(answer, BaseException):
            self.outcome.set_exception(answer)
        else:
            self.outcome.set_result(answer)
        try:
            pause: object = strategy(self)
        except (StopIteration, StopAsyncIteration, asyncio.CancelledError) as error:
            # A future cannot hold StopIteration; CancelledError would cancel the loop of all waits.
            raise UsageError(f"poll= raised {type(error).__name__} instead of a pause") from error
        if not is_duration(pause) or pause == math.inf:
            raise UsageError(f"poll= returned {pause!r:.100}, which is not a number of seconds")
        pause = max(float(pause), SHORTEST_PAUSE)
        self.upcoming_sleep = pause
        self.idle_for += pause
        self.attempt_number += 1
        return pause


_STRATEGIES_ONLY: Final = AsyncRetrying()  # a required argument of tenacity's state; never called
