"""Tests of `_client.pacing.rate_limit`."""

from __future__ import annotations

import asyncio
import math

import pytest

from redis_enterprise_actions._client.pacing.rate_limit import RateLimiter
from redis_enterprise_actions._client.pacing.shared_schedule import GAP


class TestRateLimiter:
    """Limits of the poll rate."""

    def test_gap(self) -> None:
        """Requests are at least a third of a second apart."""
        limiter = RateLimiter()
        assert limiter.earliest(urgent=False) == -math.inf

        limiter.record(10.0, 10.0, 1)
        assert limiter.earliest(urgent=False) == pytest.approx(10 + GAP)
        limiter.record(11.0, 11.0, 5)
        assert limiter.earliest(urgent=False) == pytest.approx(11 + 5 * GAP)

    def test_two_at_once(self) -> None:
        """After two requests at once the next two wait for a second."""
        limiter = RateLimiter()
        limiter.record(11.0, 11.0, 2)

        assert limiter.earliest(urgent=False) == pytest.approx(11 + 3 * GAP)

    @pytest.mark.parametrize(("took", "rest"), [(0.01, GAP), (0.2, 2.0), (1.0, 10.0), (30, 90)])
    def test_tenth(self, took: float, rest: float) -> None:
        """Requests take a tenth of the time, and no rest lasts longer than a minute."""
        limiter = RateLimiter()
        limiter.record(100.0, 100.0 + took, 1)

        assert limiter.earliest(urgent=False) == pytest.approx(100 + rest)

    def test_urgent(self) -> None:
        """An urgent request comes at once, but never as the fourth in a second."""
        limiter = RateLimiter()
        for when in (10.0, 10.1):
            limiter.record(when, when + 0.05, 1)
            assert limiter.earliest(urgent=True) == -math.inf
        limiter.record(10.2, 10.25, 1)

        assert limiter.earliest(urgent=True) == pytest.approx(11.05)

    @pytest.mark.parametrize(
        ("due", "limit", "start"),
        [(10.0, math.inf, 14.0), (20.0, math.inf, 20.0), (10.0, 12.0, 12.0), (20.0, 12.0, 12.0)],
    )
    def test_start_between(self, due: float, limit: float, start: float) -> None:
        """A request starts when it is due and the rest is over, but no later than its limit."""
        limiter = RateLimiter()
        limiter.record(4.0, 5.0, 1)

        assert limiter.start_between(due, limit) == start

    async def test_admit(self) -> None:
        """The fourth request in a second waits, and that time does not count as the cluster's."""
        limiter, now = RateLimiter(), asyncio.get_running_loop().time
        began = now()
        for _ in range(3):
            await limiter.admit()
        assert now() - began < 0.5
        await limiter.admit()

        assert 1 < now() - began < 1.5
        ended = now()
        limiter.record(began, ended, 4)
        assert limiter.earliest(urgent=False) == pytest.approx(began + 4 * GAP, abs=0.1)
        limiter.record(ended + 10, ended + 11, 1)
        assert limiter.earliest(urgent=False) == pytest.approx(ended + 20)
