"""Tests of `_client.pacing.shared_schedule`."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import wait_fixed

from redis_enterprise_actions import AimedWait
from redis_enterprise_actions._client.pacing.schedules import Schedule, schedule_for
from redis_enterprise_actions._client.pacing.shared_schedule import (
    GAP,
    SharedSchedule,
    break_even_interval,
)


def answer_with(progress: object) -> SimpleNamespace:
    """Return an answer with this progress."""
    return SimpleNamespace(progress=progress)


def aimed(began: float, *answers: tuple[float, object], price: float = 0.1) -> Schedule:
    """Return the schedule of a wait that has had these answers."""
    schedule = schedule_for(AimedWait(price), began)
    for when, progress in answers:
        schedule.on_answer(answer_with(progress), when, when)
    return schedule


class TestBreakEvenInterval:
    """The expected lag equals the cost of a request."""

    @pytest.mark.parametrize(
        ("cost", "lag_cost", "expected_ends", "expected"),
        [
            (1, 2, [], 1.0),
            (1, 0, [], math.inf),
            (1, 0, [(3.0, 10.0)], 3.1),
            (4, 2, [(100.0, 10.0)], 2.0),
            (1, 0, [(1.0, 1.0), (3.0, 1.0)], 2.0),
            (3, 0, [(1.0, 1.0), (2.0, 1.0)], 3.0),
        ],
    )
    def test_table(
        self,
        cost: float,
        lag_cost: float,
        expected_ends: list[tuple[float, float]],
        expected: float,
    ) -> None:
        """Known solutions."""
        assert break_even_interval(cost, lag_cost, expected_ends, 0.0) == pytest.approx(expected)

    @given(
        cost=st.floats(0.1, 1000),
        lag_cost=st.floats(1e-6, 1e4),
        expected_ends=st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 100)), max_size=20),
    )
    def test_solves(
        self, cost: float, lag_cost: float, expected_ends: list[tuple[float, float]]
    ) -> None:
        """The result solves the equation."""
        d = break_even_interval(cost, lag_cost, expected_ends, 0.0)

        lost = lag_cost * d * d / 2 + sum(
            weight * max(0, d - left) for left, weight in expected_ends
        )
        assert lost == pytest.approx(cost, rel=1e-6)


class TestSharedSchedule:
    """Waits that share their requests."""

    def test_one_wait(self) -> None:
        """For one wait without progress, the shared schedule is a little faster than its own."""
        schedule = aimed(0.0, (30.0, None))

        pause = SharedSchedule([schedule], 30.0).due(30.0, 1.0) - 30
        assert pause == pytest.approx((schedule.due_after(30.0) - 30) * math.sqrt(0.6))

    def test_more_waits_poll_sooner(self) -> None:
        """The more waits, the sooner the next request."""
        schedules = [aimed(0.0, (30.0, None)) for _ in range(100)]
        dues = [
            SharedSchedule(schedules[:count], 30.0).due(30.0, 1.0) - 30 for count in (1, 10, 100)
        ]

        assert dues[0] == pytest.approx(dues[1] * math.sqrt(10))
        assert dues[0] == pytest.approx(dues[2] * 10)

    def test_just_after_an_aim(self) -> None:
        """The request comes just after an end that is expected, whenever the last one was."""
        far, near = aimed(0.0, (500.0, None)), aimed(0.0, (500.0, 99.9))
        shared = SharedSchedule([far, near], 500.0)

        assert 500.5 < shared.due(500.0, 1.0) < 500.7
        assert 500.5 < shared.due(500.4, 1.0) < 500.8
        assert 501.0 < shared.due(501.0, 1.0) < 501.4

    def test_costly(self) -> None:
        """A request that costs a hundred comes a tenth as often."""
        shared = SharedSchedule([aimed(0.0, (30.0, None))], 30.0)

        assert shared.due(30.0, 100.0) - 30 == pytest.approx(10 * (shared.due(30.0, 1.0) - 30))

    def test_other_strategies(self) -> None:
        """A wait with another strategy is polled when its strategy says, at the latest."""
        fixed = schedule_for(wait_fixed(7), 0.0)
        fixed.on_answer(answer_with(None), 10.0, 10.0)
        slow = aimed(0.0, (10.0, None), price=5.0)

        assert SharedSchedule([fixed], 10.0).due(10.0, 1.0) == 17.0
        assert SharedSchedule([slow, fixed], 10.0).due(10.0, 1.0) == 17.0

    def test_cap(self) -> None:
        """The longest pause is that of the wait with the smallest cap; strategies have none."""
        fixed = schedule_for(wait_fixed(7), 0.0)
        caps = [schedule_for(AimedWait(cap=cap), 0.0) for cap in (9.0, 4.0, 15.0)]

        assert SharedSchedule([*caps, fixed], 10.0).cap == 4.0
        assert SharedSchedule([fixed], 10.0).cap == math.inf

    @pytest.mark.parametrize(("count", "is_current"), [(64, False), (65, True)])
    def test_current(self, count: int, is_current: bool) -> None:
        """The sum over many waits is used for a second, that over few for one time only."""
        shared = SharedSchedule([aimed(0.0, (30.0, None)) for _ in range(count)], 30.0)

        assert (shared.count, shared.is_of_many) == (count, is_current)
        assert shared.is_current(30.0)
        assert shared.is_current(30.99) is is_current
        assert not shared.is_current(31.0)

    @given(
        ages=st.lists(st.floats(0, 9_000), min_size=1, max_size=8),
        progress=st.lists(st.floats(0, 100) | st.none(), min_size=8, max_size=8),
        passed=st.floats(0, 100),
        cost=st.floats(1, 50),
    )
    def test_latest_due(
        self, ages: list[float], progress: list[float | None], passed: float, cost: float
    ) -> None:
        """A sum without progress tells later, too, when a request is due at the latest."""
        now = 10_000.0
        schedules = [aimed(now - age, (now, None)) for age in ages]
        before = SharedSchedule(schedules, now)
        since = now + passed
        for schedule, found in zip(schedules, progress, strict=False):
            schedule.on_answer(answer_with(found), since, since)
        after = SharedSchedule(schedules, since)

        if not any(progress[: len(ages)]):
            assert after.due(since, cost) <= before.latest_due(since, cost) + 1e-6

    def test_latest_due_of_strategies(self) -> None:
        """Of waits that all have other strategies, a sum tells no time."""
        shared = SharedSchedule([schedule_for(wait_fixed(1), 0.0)], 0.0)

        assert shared.latest_due(1.0, cost=1) > 1e6

    @given(
        began=st.lists(st.floats(0, 9_000), min_size=1, max_size=8),
        data=st.data(),
        cost=st.floats(1, 50),
        price=st.floats(0.1, 2),
    )
    def test_guarantee(
        self, began: list[float], data: st.DataObject, cost: float, price: float
    ) -> None:
        """With any progress, no wait goes unpolled for longer than its age allows."""
        progress = st.floats(0, 100) | st.none() | st.just(math.nan)
        now = 10_000.0
        schedules = []
        for start in began:
            answers = sorted(data.draw(st.lists(st.floats(start, now), max_size=4)))
            answers = [(when, data.draw(progress)) for when in [*answers, now]]
            schedules.append(aimed(start, *answers, price=price))
        shared = SharedSchedule(schedules, now)
        due = shared.due(now, cost) - now

        assert shared.cap == 15.0
        for start in began:
            age = now - start + 20 * price
            assert due <= 2 * math.sqrt(2 * price * cost * age) + 1e-6

    @given(count=st.integers(2, 3000), cost=st.floats(1, 500), age=st.floats(0, 5000))
    def test_is_cheaper(self, count: int, cost: float, age: float) -> None:
        """A list is used if it costs no more than the single requests that it replaces."""
        schedules = [aimed(0.0, (age, None)) for _ in range(min(count, 50))]
        if cost <= len(schedules):
            assert SharedSchedule(schedules, age).is_cheaper(cost, len(schedules))
        if cost > 20 * len(schedules):
            assert (
                not SharedSchedule(schedules, age).is_cheaper(cost, len(schedules))
                or len(schedules) * GAP > 2
            )
