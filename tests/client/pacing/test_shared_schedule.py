"""Facts about `_tick`: when one request for all pays, and what the cluster is spared."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import wait_fixed

from redis_enterprise_actions import AimedWait
from redis_enterprise_actions._client.pacing.schedules import Schedule, forecast, schedule_for
from redis_enterprise_actions._client.pacing.shared_schedule import (
    GAP,
    SharedSchedule,
    break_even_interval,
)


def told(progress: object) -> SimpleNamespace:
    """Return an answer with that progress."""
    return SimpleNamespace(progress=progress)


def aimed(began: float, *looks: tuple[float, object], price: float = 0.1) -> Schedule:
    """Return the pace of a wait that has had those answers."""
    pace = schedule_for(AimedWait(price), began)
    for when, progress in looks:
        pace.on_answer(told(progress), when, when)
    return pace


class TestTimeToLose:
    """The lag that is to be expected equals the price."""

    @pytest.mark.parametrize(
        ("cost", "pull", "ahead", "expected"),
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
        self, cost: float, pull: float, ahead: list[tuple[float, float]], expected: float
    ) -> None:
        """Known solutions."""
        assert break_even_interval(cost, pull, ahead) == pytest.approx(expected)

    @given(
        cost=st.floats(0.1, 1000),
        pull=st.floats(1e-6, 1e4),
        ahead=st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 100)), max_size=20),
    )
    def test_solves(self, cost: float, pull: float, ahead: list[tuple[float, float]]) -> None:
        """The result solves the equation."""
        d = break_even_interval(cost, pull, ahead)

        lost = pull * d * d / 2 + sum(weight * max(0, d - left) for left, weight in ahead)
        assert lost == pytest.approx(cost, rel=1e-6)


class TestCrowd:
    """Waits that share their requests."""

    def test_none(self) -> None:
        """Of one wait that knows nothing, the crowd looks a little sooner than the wait would."""
        pace = aimed(0.0, (30.0, None))

        pause = SharedSchedule([pace], 30.0).due(1.0) - 30
        assert pause == pytest.approx((pace.due - 30) * math.sqrt(0.6))

    def test_more_look_sooner(self) -> None:
        """The more wait, the sooner a look pays."""
        paces = [aimed(0.0, (30.0, None)) for _ in range(100)]
        dues = [SharedSchedule(paces[:count], 30.0).due(1.0) - 30 for count in (1, 10, 100)]

        assert dues[0] == pytest.approx(dues[1] * math.sqrt(10))
        assert dues[0] == pytest.approx(dues[2] * 10)

    def test_just_after_an_aim(self) -> None:
        """Where an end is due soon, the look comes just after it."""
        far, near = aimed(0.0, (500.0, None)), aimed(0.0, (500.0, 99.9))

        due = SharedSchedule([far, near], 500.0).due(1.0) - 500
        assert 0.5 < due < 0.7

    def test_costly(self) -> None:
        """A request that costs a hundred comes a tenth as often."""
        crowd = SharedSchedule([aimed(0.0, (30.0, None))], 30.0)

        assert crowd.due(100.0) - 30 == pytest.approx(min(15, 10 * (crowd.due(1.0) - 30)))

    def test_other_strategies(self) -> None:
        """Who has a strategy of its own is looked at when that says so, at the latest."""
        fixed = schedule_for(wait_fixed(7), 0.0)
        fixed.on_answer(told(None), 10.0, 10.0)
        slow = aimed(0.0, (10.0, None), price=5.0)

        assert SharedSchedule([fixed], 10.0).due(1.0) == 17.0
        assert SharedSchedule([slow, fixed], 10.0).due(1.0) == 17.0

    def test_nothing_new(self) -> None:
        """An answer that says nothing new is a look like any other."""
        pace = aimed(0.0, (10.0, None))
        assert pace.on_unchanged(20.0, 20.1)

        assert forecast([pace], 20.1).latest == pytest.approx(35.1)
        assert pace.due > 20.1

    def test_fresh(self) -> None:
        """Who was never looked at is due at once."""
        assert SharedSchedule([aimed(5.0), aimed(0.0, (5.0, None))], 5.0).due(1.0) == 5.0

    @given(
        began=st.lists(st.floats(0, 9_000), min_size=1, max_size=8),
        data=st.data(),
        cost=st.floats(1, 50),
        price=st.floats(0.1, 2),
    )
    def test_guarantee(
        self, began: list[float], data: st.DataObject, cost: float, price: float
    ) -> None:
        """Whatever progress says, no wait goes unseen for longer than its age allows."""
        progress = st.floats(0, 100) | st.none() | st.just(math.nan)
        now = 10_000.0
        paces = []
        for start in began:
            looks = sorted(data.draw(st.lists(st.floats(start, now), max_size=4)))
            answers = [(when, data.draw(progress)) for when in [*looks, now]]
            paces.append(aimed(start, *answers, price=price))
        due = SharedSchedule(paces, now).due(cost) - now

        for start in began:
            age = now - start + 20 * price
            assert due <= min(15, 2 * math.sqrt(2 * price * cost * age)) + 1e-6

    @given(count=st.integers(2, 3000), cost=st.floats(1, 500), age=st.floats(0, 5000))
    def test_shares(self, count: int, cost: float, age: float) -> None:
        """A list is asked for whenever it costs no more than the single requests it replaces."""
        paces = [aimed(0.0, (age, None)) for _ in range(min(count, 50))]
        if cost <= len(paces):
            assert SharedSchedule(paces, age).is_cheaper(cost, len(paces))
        if cost > 20 * len(paces):
            assert (
                not SharedSchedule(paces, age).is_cheaper(cost, len(paces)) or len(paces) * GAP > 2
            )
