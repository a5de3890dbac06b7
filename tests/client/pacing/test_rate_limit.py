"""Tests of `_client.pacing.rate_limit`."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions._client.pacing.rate_limit import PollGate, RateLimiter
from redis_enterprise_actions._client.pacing.shared_schedule import GAP
from tests.scripted import now


def poll(limiter: RateLimiter, began: float, requests: int = 1) -> PollGate:
    """Return a poll with its requests, all sent as it began."""
    gate = PollGate(limiter, began)
    gate.requests = requests
    for _ in range(requests):
        limiter.record_start(began)
    return gate


def answered(limiter: RateLimiter, began: float, took: float, requests: int = 1) -> float:
    """Make a poll that is answered; return the earliest time of the next one."""
    gate = poll(limiter, began, requests)
    limiter.record_end(gate, began + took, took, is_answered=True)
    return limiter.earliest


def failed(limiter: RateLimiter, began: float, took: float) -> float:
    """Make a poll that fails; return the earliest time of the next one."""
    limiter.record_end(poll(limiter, began), began + took, took, is_answered=False)
    return limiter.earliest


class TestRateLimiter:
    """Limits of the poll rate."""

    def test_gap(self) -> None:
        """Polls are at least a third of a second apart, and longer if they took many requests."""
        limiter = RateLimiter()
        assert limiter.earliest == -math.inf

        assert answered(limiter, 10.0, 0.0) == pytest.approx(10 + GAP)
        assert answered(limiter, 20.0, 0.0, requests=5) == pytest.approx(20 + 5 * GAP)

    def test_two_at_once(self) -> None:
        """After a poll of two requests at once the next poll waits for a second."""
        assert answered(RateLimiter(), 11.0, 0.0, requests=2) == pytest.approx(12.05)

    @pytest.mark.parametrize(
        ("took", "rest"), [(0.01, GAP), (0.2, 2.0), (1.0, 10.0), (6.6, 66.0), (30, 90)]
    )
    def test_tenth(self, took: float, rest: float) -> None:
        """Answered polls take a tenth of the time, and no rest lasts longer than a minute."""
        assert answered(RateLimiter(), 100.0, took) == pytest.approx(100 + rest)

    def test_rest_is_never_shortened(self) -> None:
        """A poll beside another one does not end the rest after the other one."""
        limiter = RateLimiter()
        assert answered(limiter, 100.0, 2.0) == 120.0
        assert answered(limiter, 103.0, 0.0) == 120.0
        limiter.record_urgent_end(poll(limiter, 104.0))
        assert limiter.earliest == 120.0

    def test_urgent(self) -> None:
        """An urgent poll comes at once, but never as the fourth request in a second."""
        limiter = RateLimiter()
        for when in (10.0, 10.1):
            answered(limiter, when, 0.05)
            assert limiter.urgent_from == -math.inf
        answered(limiter, 10.2, 0.05)

        assert limiter.urgent_from == pytest.approx(11.05)

    def test_fourth_in_a_second(self) -> None:
        """Three urgent polls keep the next one that is not urgent out of their second, too."""
        limiter = RateLimiter()
        for when in (10.0, 10.1, 10.2):
            limiter.record_urgent_end(poll(limiter, when))

        assert limiter.earliest == pytest.approx(11.05)

    def test_after_an_urgent_poll(self) -> None:
        """No rest follows an urgent poll, only the gap."""
        limiter = RateLimiter()
        limiter.record_urgent_end(poll(limiter, 100.0))

        assert limiter.earliest == pytest.approx(100 + GAP)


class TestCredit:
    """Failed polls take a tenth of the time, and six seconds."""

    def test_credit(self) -> None:
        """Six seconds of failed requests need no rest; what is more has to be earned."""
        limiter = RateLimiter()
        assert failed(limiter, 100.0, 0.0) == pytest.approx(100 + GAP)
        assert failed(limiter, 100.0, 4.0) == 104.0
        assert failed(limiter, 104.0, 2.0) == 106.0
        # The credit has grown by 0.4 s meanwhile, so that 1.6 s are owed.
        assert failed(limiter, 106.0, 2.0) == pytest.approx(108 + 16.0)

    def test_longest_rest(self) -> None:
        """No rest after a failure lasts longer than a minute."""
        assert failed(RateLimiter(), 100.0, 100.0) == pytest.approx(260.0)

    def test_refill(self) -> None:
        """The credit grows by a tenth of the time, up to six seconds."""
        limiter = RateLimiter()
        failed(limiter, 100.0, 6.0)
        assert failed(limiter, 136.0, 4.0) == pytest.approx(140 + 6.0)

        for began in (1000.0, 100_000.0):
            assert failed(limiter, began, 7.0) == pytest.approx(began + 7 + 10)

    def test_answers_draw_on_it(self) -> None:
        """An answered poll draws on the credit, too, so that a failure after it has less."""
        limiter = RateLimiter()
        assert answered(limiter, 100.0, 30.0) == 190.0  # a rest that is cut to a minute

        assert failed(limiter, 190.0, 5.0) == pytest.approx(195 + 45.0)

    def test_urgent_polls_do_not(self) -> None:
        """Polls at the limits of waits draw on no credit."""
        limiter = RateLimiter()
        limiter.record_urgent_end(poll(limiter, 100.0))

        assert failed(limiter, 110.0, 6.0) == 116.0

    @given(
        polls=st.lists(
            st.tuples(st.floats(0, 30), st.floats(0, 6.6), st.booleans()), min_size=1, max_size=60
        )
    )
    def test_over_any_time(self, polls: list[tuple[float, float, bool]]) -> None:
        """Polls take at most a tenth of any time, and six seconds, the last one aside."""
        limiter, when = RateLimiter(), 0.0
        spans: list[tuple[float, float]] = []
        for pause, took, has_failed in polls:
            began = max(when + pause, limiter.earliest)
            spans.append((began, took))
            (failed if has_failed else answered)(limiter, began, took)
            when = began + took
        for first, (began, _) in enumerate(spans):
            busy = 0.0
            for start, took in spans[first:]:
                assert busy <= 0.1 * (start - began) + 6.0 + 1e-6
                busy += took


class TestPollGate:
    """Rate limit of one poll."""

    async def test_admit(self) -> None:
        """The fourth request in a second waits; the poll knows for how long."""
        limiter = RateLimiter()
        gate = PollGate(limiter, now())
        for _ in range(3):
            await gate.admit()
        assert (now(), gate.requests, gate.waited) == (0.0, 3, 0.0)
        await gate.admit()

        assert now() == pytest.approx(1.05)
        assert gate.requests == 4
        assert gate.waited == pytest.approx(1.05)

    async def test_two_polls_at_once(self) -> None:
        """Two polls at once keep the limit together."""
        limiter = RateLimiter()
        gates, began = [PollGate(limiter, now()) for _ in range(2)], []

        async def request(gate: PollGate) -> None:
            for _ in range(4):
                await gate.admit()
                began.append(now())

        await asyncio.gather(*map(request, gates))

        assert len(began) == 8
        assert all(b - a > 1 for a, b in zip(began, began[3:], strict=False))
