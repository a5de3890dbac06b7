"""Tests of `_client.polling.timers`."""

from __future__ import annotations

import asyncio
import math

import pytest

from redis_enterprise_actions._client.polling.timers import InterruptibleSleep, Timer
from tests.scripted import now


class TestInterruptibleSleep:
    """Sleep of a task that others can end."""

    async def test_until_its_end(self) -> None:
        """A sleep that nobody ends lasts until its time."""
        sleep = InterruptibleSleep()

        assert await sleep.was_ended_before(7.0) is False
        assert now() == pytest.approx(7.0)
        assert sleep.until == -math.inf

    async def test_in_the_past(self) -> None:
        """There is no sleep until a time that has come."""
        sleep = InterruptibleSleep()
        await asyncio.sleep(5)

        assert await sleep.was_ended_before(5.0) is False
        assert await sleep.was_ended_before(-math.inf) is False
        assert now() == pytest.approx(5.0)

    @pytest.mark.parametrize("until", [7.0, math.inf])
    async def test_ended(self, until: float) -> None:
        """Others end a sleep; it knows its end meanwhile."""
        sleep = InterruptibleSleep()
        sleeping = asyncio.create_task(sleep.was_ended_before(until))
        await asyncio.sleep(3)
        assert sleep.until == until
        sleep.end()
        sleep.end()

        assert await sleeping is True
        assert now() == pytest.approx(3.0)
        assert sleep.until == -math.inf

    async def test_ended_while_awake(self) -> None:
        """To end a sleep that has not begun changes nothing."""
        sleep = InterruptibleSleep()
        sleep.end()

        assert await sleep.was_ended_before(7.0) is False
        assert now() == pytest.approx(7.0)

    async def test_cancelled(self) -> None:
        """A sleep that is cancelled leaves no timer."""
        sleep = InterruptibleSleep()
        sleeping = asyncio.create_task(sleep.was_ended_before(7.0))
        await asyncio.sleep(3)
        sleeping.cancel()
        await asyncio.wait([sleeping])

        assert sleeping.cancelled()
        assert sleep.until == -math.inf


class TestTimer:
    """Timer that calls a function at one time."""

    async def test_call(self) -> None:
        """The function is called at the time last set, once."""
        calls: list[float] = []
        timer = Timer(lambda: calls.append(now()))
        assert timer.when == math.inf
        for when in (3.0, 9.0, 5.0):
            timer.set(when)
            assert timer.when == when
        await asyncio.sleep(20)

        assert calls == pytest.approx([5.0])

    async def test_cancelled(self) -> None:
        """A timer that is set to infinity does not call."""
        calls: list[float] = []
        timer = Timer(lambda: calls.append(now()))
        timer.set(5.0)
        timer.set(math.inf)
        assert timer.when == math.inf
        assert timer._handle is None  # the loop keeps nothing
        await asyncio.sleep(20)

        assert calls == []
