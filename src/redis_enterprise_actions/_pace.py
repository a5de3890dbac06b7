"""When to ask again: poll schedules and the policy for repeating a request.

A schedule is a tenacity wait strategy, so any of tenacity's will do for `poll=`. Tenacity's
own state reads the machine's clock; `PollState` is the same state on the event loop's clock,
which tests can move by hours in milliseconds.

Knows durations. Refuses to know what is asked and to whom.
"""

from __future__ import annotations

import asyncio
import math
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Final, ParamSpec, TypeGuard, TypeVar
from weakref import WeakKeyDictionary

from tenacity import (
    AsyncRetrying,
    Future,
    RetryCallState,
    retry_if_exception,
    wait_random_exponential,
)
from tenacity.wait import wait_base

from ._errors import ClusterUnreachable, RequestError, UsageError


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenacity.wait import WaitBaseT

_P = ParamSpec("_P")
_T = TypeVar("_T")

LONGEST_ABSENCE: Final = 300.0  # seconds; a cluster that asks for more is asked all the same
SHORTEST_PAUSE: Final = 0.1  # seconds between two polls, whatever a schedule says


class AgedWait(wait_base):
    """The default schedule: pause for a share of the wait's age, within bounds, in seconds.

    So the end of an action is noticed late by about that share of its duration, never by more
    than `longest`.
    """

    def __init__(self, share: float = 0.1, *, shortest: float = 0.25, longest: float = 5) -> None:
        self._share = share
        self._shortest = shortest
        self._longest = longest

    def __call__(self, retry_state: RetryCallState) -> float:
        age = retry_state.seconds_since_start or 0.0
        return min(max(self._share * age, self._shortest), self._longest)


class AimedWait(wait_base):
    """A schedule that looks when the end is due: for actions whose progress can be trusted.

    `price` is what one request is worth, in seconds of noticing the end late; `cap` is the
    longest pause, in seconds. Without progress the k-th poll comes about `price` * k² seconds
    after the wait began. With progress each pause aims at the end that it predicts, by the
    quicker of the average and the latest pace: far from it we look again at three quarters of
    the way, near it just after it.

    Whatever progress says, a wait of T seconds takes at most 2·√(T/price) + T/cap + 6 polls, and
    its end is noticed at most max(2·price, 5·√(price·T)) seconds late, never more than `cap`.

    One strategy serves many waits, as what it knows of each is kept for each.
    """

    def __init__(self, price: float = 0.1, *, cap: float = 15.0) -> None:
        if not (_is_duration(price) and _is_duration(cap) and 0 < 2 * price <= cap < math.inf):
            raise UsageError(f"price={price!r} and cap={cap!r}: seconds, and 2 * price <= cap")
        self.price = price
        self.cap = cap
        self._courses: WeakKeyDictionary[RetryCallState, _Course] = WeakKeyDictionary()

    def __call__(self, retry_state: RetryCallState) -> float:
        age = retry_state.seconds_since_start or 0.0
        course = self._courses.setdefault(retry_state, _Course())
        # The k-th poll comes at price * k², so pauses grow with the root of the age.
        pace = math.sqrt(self.price * age)
        blind = self._within(2 * pace)
        pause = course.pause(age, _progress_in(retry_state), blind, self)
        if retry_state.attempt_number > 2 * math.sqrt(age / self.price) + 4:
            pause = max(pause, blind)  # aiming has cost enough
        return min(pause, self._within(5 * pace))

    def _within(self, pause: float) -> float:
        return min(max(pause, 2 * self.price), self.cap)


class _Course:
    """What one wait knows of its action's way: the latest rise, and when the end is due."""

    def __init__(self) -> None:
        self._age = 0.0
        self._progress = 0.0
        self._due: float | None = None

    def pause(self, age: float, progress: float | None, blind: float, wait: AimedWait) -> float:
        """Return the pause in seconds; `blind` is that of a wait that knows nothing."""
        if progress is None:
            self._due = None
            return blind
        if progress > self._progress:
            return self._rose(age, progress, blind, wait.price)
        if progress < self._progress:
            self._age, self._progress, self._due = age, progress, None
        if self._due is None:
            return blind
        if self._due > age:
            return min(self._due - age + wait.price / 2, blind)
        return min(max(age - self._due, 2 * wait.price), blind)

    def _rose(self, age: float, progress: float, blind: float, price: float) -> float:
        to_go = 100 - progress
        on_average = to_go * age / progress
        lately = to_go * (age - self._age) / (progress - self._progress)
        left = min(on_average, lately)
        self._age, self._progress, self._due = age, progress, age + left
        return left + price / 2 if left <= blind else 0.75 * left


def _progress_in(retry_state: RetryCallState) -> float | None:
    """Return the progress of the last answer; what is not in (0, 100] is none."""
    outcome = retry_state.outcome
    if outcome is None or outcome.failed:
        return None
    progress = getattr(outcome.result(), "progress", None)
    return progress if _is_duration(progress) and 0 < progress <= 100 else None


class RequestBackoff(wait_base):
    """The pause before a failed request is repeated: exponential with jitter, in seconds.

    Where the cluster said `Retry-After`, that is the pause, as far as it is sane.
    """

    _jittered = wait_random_exponential(multiplier=0.5, max=10.0)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, RequestError) and error.retry_after is not None:
            return min(error.retry_after, LONGEST_ABSENCE)
        return self._jittered(retry_state)


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
        pause = _checked(schedule(self))
        self.upcoming_sleep = pause
        self.idle_for += pause
        self.attempt_number += 1
        return pause


_STRATEGIES_ONLY: Final = AsyncRetrying()  # tenacity's state wants one; it never runs anything


def _checked(pause: object) -> float:
    if _is_duration(pause) and pause != math.inf:
        return max(float(pause), SHORTEST_PAUSE)
    raise UsageError(f"poll= answered {pause!r:.100}, which is not a number of seconds")


def _is_duration(value: object) -> TypeGuard[float]:
    """Whether a value is a number of seconds, 0 or more, that a float can hold."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return value == math.inf or 0 <= value <= sys.float_info.max


async def patiently(
    patience: float, call: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """Await `call(...)`; repeat it for `patience` seconds where that may help."""
    clock = asyncio.get_running_loop().time
    end = clock() + patience
    policy = AsyncRetrying(
        sleep=asyncio.sleep,
        stop=lambda state: clock() + state.upcoming_sleep > end,
        wait=RequestBackoff(),
        retry=retry_if_exception(is_transient),
        reraise=True,
    )
    try:
        return await policy(call, *args, **kwargs)
    except ClusterUnreachable as error:
        error.attempts = policy.statistics["attempt_number"]
        raise


def is_transient(error: BaseException) -> bool:
    """Whether it may help to ask again."""
    return isinstance(error, RequestError) and error.transient


def seconds(value: float | timedelta | None, name: str) -> float:
    """Return a duration in seconds; None is endless. `name` is the argument it came in."""
    if value is None:
        return math.inf
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if _is_duration(number):
        return float(number)
    raise UsageError(f"{name}={value!r:.100} is not a duration: seconds or a timedelta, 0 or more")
