"""Tests of `_client.pacing.schedules`."""

from __future__ import annotations

import gc
import math
import random
from datetime import timedelta
from statistics import fmean
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import (
    RetryCallState,
    wait_chain,
    wait_combine,
    wait_exponential,
    wait_fixed,
    wait_incrementing,
    wait_none,
    wait_random,
)

from redis_enterprise_actions import ClusterUnreachable, UsageError
from redis_enterprise_actions._client.pacing.schedules import AimedWait, PollState


if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity.wait import WaitBaseT


def pauses(schedule: WaitBaseT, count: int) -> list[float]:
    """Return the first pauses of a schedule if every answer comes at once."""
    state, now, result = PollState(1000.0), 1000.0, []
    for _ in range(count):
        result.append(state.pause_after(schedule, "an answer", now))
        now += result[-1]
    return result


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (wait_fixed(2), [2, 2, 2, 2]),
        (wait_fixed(timedelta(seconds=2)), [2, 2, 2, 2]),
        (wait_exponential(multiplier=1, max=5), [1, 2, 4, 5]),
        (wait_incrementing(1, 2), [1, 3, 5, 7]),
        (wait_chain(wait_fixed(1), wait_fixed(3)), [1, 3, 3, 3]),
        (wait_combine(wait_fixed(1), wait_fixed(3)), [4, 4, 4, 4]),
        (wait_fixed(1) + wait_random(0, 0), [1, 1, 1, 1]),
        (wait_none(), [0.1, 0.1, 0.1, 0.1]),
        (lambda state: state.attempt_number * 10, [10, 20, 30, 40]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_strategy_of_tenacity(schedule: WaitBaseT, expected: list[float]) -> None:
    """Any strategy of tenacity is a schedule, and none makes a busy loop."""
    assert pauses(schedule, 4) == pytest.approx(expected)


def test_state_of_a_strategy() -> None:
    """A strategy gets the number of the answer, the age of the wait and the answer."""
    seen: list[tuple[object, ...]] = []

    def schedule(state: RetryCallState) -> float:
        assert state.outcome is not None
        state_fields = (state.attempt_number, state.seconds_since_start, state.idle_for)
        seen.append((*state_fields, state.outcome.result()))
        return 2.0

    state = PollState(100.0)
    for answer, now in (("a", 100.0), (None, 102.5), ("c", 105.0)):
        state.pause_after(schedule, answer, now)

    assert seen == [(1, 0.0, 0.0, "a"), (2, 2.5, 2.0, None), (3, 5.0, 4.0, "c")]


def polls_of(
    schedule: AimedWait, length: float, progress: Callable[[float], object]
) -> list[float]:
    """Return the times of the polls of an action of this length; the last finds the end.

    `progress` is called with the age of the wait.
    """
    state, at = PollState(0.0), [0.0]
    while at[-1] < length:
        answer = SimpleNamespace(progress=progress(at[-1]))
        at.append(at[-1] + state.pause_after(schedule, answer, at[-1]))
    return at


def linear(length: float) -> Callable[[float], float | None]:
    """Return progress that is proportional to time."""
    return lambda age: round(100 * age / length, 2)


def stepwise(length: float, steps: int) -> Callable[[float], float | None]:
    """Return progress in equal steps."""
    return lambda age: math.floor(age / length * steps) / steps * 100


class TestAimedWait:
    """The default schedule."""

    @given(
        length=st.floats(0, 20_000),
        price=st.floats(0.1, 2),
        cap=st.floats(4, 60),
        data=st.data(),
    )
    def test_guarantees(self, length: float, price: float, cap: float, data: st.DataObject) -> None:
        """With any progress, the polls are few and the end is detected soon after."""
        kinds: list[Callable[[float], object]] = [
            linear(length or 1),
            stepwise(length or 1, data.draw(st.integers(1, 20))),
            lambda age: min(60.0, age),
            lambda age: 100 - linear(length or 1)(age),
            lambda _: None,
            lambda _: data.draw(st.floats() | st.none() | st.just("x") | st.booleans()),
            lambda age: 100 * (1 - 0.5 ** (age / 7)),
            lambda age: 99.99 if age else 0.01,
        ]
        schedule = AimedWait(price, cap=cap)
        polls = polls_of(schedule, length, data.draw(st.sampled_from(kinds)))

        assert len(polls) <= 2 * math.sqrt(length / price) + length / cap + 6
        late = max(2 * price, 5 * math.sqrt(price * polls[-1]))
        assert polls[-1] - length <= min(late, cap) + 1e-6

    def test_without_progress(self) -> None:
        """Without progress the k-th poll comes at about price * k * (k + 9)."""
        polls = polls_of(AimedWait(0.1, cap=1000), 2000, lambda _: None)

        for k in range(1, len(polls)):
            assert polls[k] == pytest.approx(0.1 * k * (k + 9), rel=0.15)

    @pytest.mark.parametrize("length", [10.0, 60.0, 3600.0])
    def test_linear_progress(self, length: float) -> None:
        """With linear progress few polls are enough, and the end is detected at once."""
        polls = polls_of(AimedWait(0.1, cap=1e6), length, linear(length))

        assert len(polls) <= max(20, math.sqrt(length / 0.1) / 2)
        assert polls[-1] - length <= 0.2

    def test_cheaper_than_the_usual(self) -> None:
        """At equal mean lag, linear progress saves most requests of fixed or doubling pauses."""
        rng = random.Random(0)
        lengths = [30 * math.exp(rng.gauss(0, 1)) for _ in range(300)]
        ours = [polls_of(AimedWait(0.1), length, linear(length)) for length in lengths]
        lag = fmean(polls[-1] - length for polls, length in zip(ours, lengths, strict=True))
        count = fmean(len(polls) for polls in ours)

        # A fixed pause of d is late by d/2 on average, and so is one that doubles up to d.
        assert fmean(length / (2 * lag) for length in lengths) >= 4 * count

    def test_each_pause(self) -> None:
        """The progress of each answer decides the next pause."""
        answers: list[tuple[float, float | None, float]] = [
            (10.0, 10.0, 5.0),  # 90 s left by the average; capped at 5 * sqrt(0.1 * age)
            (12.0, 50.0, 1.875),  # latest rate 20 % a second: due in 2.5 s, pause 3/4 of it
            (13.875, 50.0, 0.675),  # unchanged: still due at 14.5, pause until just after
            (14.55, 50.0, 0.2),  # just past the due time: poll again soon
            (16.5, 50.0, 2.0),  # 2 s past: pause as long again
            (24.1, 20.0, 2 * math.sqrt(2.61)),  # it fell: as without progress
            (26.1, 80.0, 0.05 + 20 * 2 / 60),  # it rose again: due in 0.67 s
            (26.4, None, 2 * math.sqrt(2.84)),  # no progress
            (26.5, 80.0, 2 * math.sqrt(2.85)),  # the same progress again
        ]
        state, schedule = PollState(0.0), AimedWait(0.1)
        for age, progress, pause in answers:
            came = SimpleNamespace(progress=progress)
            assert state.pause_after(schedule, came, age) == pytest.approx(pause), age

    def test_states_are_apart(self) -> None:
        """Many waits can share a strategy, which forgets each of them when it is over."""
        shared = AimedWait(0.1)
        alone = [polls_of(AimedWait(0.1), n, linear(n)) for n in (50.0, 90.0)]
        states, at = [PollState(0.0), PollState(0.0)], [[0.0], [0.0]]
        for _ in range(10):
            for state, times, length in zip(states, at, (50.0, 90.0), strict=True):
                answer = SimpleNamespace(progress=linear(length)(times[-1]))
                times.append(times[-1] + state.pause_after(shared, answer, times[-1]))

        for times, polls in zip(at, alone, strict=True):
            common = min(len(times), len(polls))
            assert times[:common] == polls[:common]
        assert len(shared._schedules) == 2
        del states, state
        gc.collect()
        assert len(shared._schedules) == 0

    def test_after_an_error(self) -> None:
        """An error as outcome, or no outcome, counts as no progress."""
        state = PollState(0.0)
        assert state.pause_after(
            AimedWait(0.1), ClusterUnreachable("GET", "/", reason="x"), 0.0
        ) == pytest.approx(0.2 * math.sqrt(20))
        assert AimedWait(0.1)(PollState(0.0)) == pytest.approx(0.2 * math.sqrt(20))

    @pytest.mark.parametrize(
        "settings",
        [{"price": 0}, {"price": -1}, {"price": "x"}, {"price": 10}, {"cap": math.inf}],
    )
    def test_invalid_settings(self, settings: dict[str, float]) -> None:
        """A price is a number of seconds, and the cap is at least twice as large."""
        with pytest.raises(UsageError, match="price="):
            AimedWait(**settings)


@pytest.mark.parametrize("pause", [-1, math.nan, math.inf, None, "soon", True, 10**400])
def test_invalid_pause(pause: object) -> None:
    """A pause that is not a number of seconds is a usage error."""
    with pytest.raises(UsageError, match="not a number of seconds"):
        PollState(0.0).pause_after(lambda _: pause, "an answer", 0.0)  # type: ignore[arg-type, return-value]
