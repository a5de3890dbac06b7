"""Tests of `_client.pacing.rate_limit`."""

from __future__ import annotations

import asyncio
import math

import pytest

from redis_enterprise_actions._client.pacing.rate_limit import RateLimiter
from redis_enterprise_actions._client.pacing.shared_schedule import GAP


class TestCourtesy:
    """What the cluster is spared."""

    def test_gap(self) -> None:
        """Requests are a third of a second apart, at least."""
        courtesy = RateLimiter()
        assert courtesy.earliest(urgent=False) == -math.inf

        courtesy.record(10.0, 10.0, 1)
        assert courtesy.earliest(urgent=False) == pytest.approx(10 + GAP)
        courtesy.record(11.0, 11.0, 5)
        assert courtesy.earliest(urgent=False) == pytest.approx(11 + 5 * GAP)

    def test_two_at_once(self) -> None:
        """After two at once the next two wait for a second, as four in it are too many."""
        courtesy = RateLimiter()
        courtesy.record(11.0, 11.0, 2)

        assert courtesy.earliest(urgent=False) == pytest.approx(11 + 3 * GAP)

    @pytest.mark.parametrize(("took", "rest"), [(0.01, GAP), (0.2, 2.0), (1.0, 10.0), (30, 90)])
    def test_tenth(self, took: float, rest: float) -> None:
        """A tenth of the wall time is spent in requests; but nobody waits for minutes."""
        courtesy = RateLimiter()
        courtesy.record(100.0, 100.0 + took, 1)

        assert courtesy.earliest(urgent=False) == pytest.approx(100 + rest)

    def test_pressing(self) -> None:
        """What is pressing comes at once, but never as the fourth in a second."""
        courtesy = RateLimiter()
        for when in (10.0, 10.1):
            courtesy.record(when, when + 0.05, 1)
            assert courtesy.earliest(urgent=True) == -math.inf
        courtesy.record(10.2, 10.25, 1)

        assert courtesy.earliest(urgent=True) == pytest.approx(11.05)

    async def test_turn(self) -> None:
        """The fourth in a second waits for its turn, and that time is not the cluster's."""
        courtesy, now = RateLimiter(), asyncio.get_running_loop().time
        began = now()
        for _ in range(3):
            await courtesy.acquire()
        assert now() - began < 0.5
        await courtesy.acquire()

        assert 1 < now() - began < 1.5
        ended = now()
        courtesy.record(began, ended, 4)
        assert courtesy.earliest(urgent=False) == pytest.approx(began + 4 * GAP, abs=0.1)
        courtesy.record(ended + 10, ended + 11, 1)
        assert courtesy.earliest(urgent=False) == pytest.approx(ended + 20)
