"""Tests of `_client.polling.timers`, on the real clock."""

from __future__ import annotations

import asyncio
import time

from redis_enterprise_actions._client.polling.timers import Stopwatch


def test_stopwatch() -> None:
    """Time in which the event loop was blocked is not counted."""
    asyncio.run(block_the_loop())


async def block_the_loop() -> None:
    """Block the event loop during a measurement."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    watch = Stopwatch(loop)
    await asyncio.sleep(0.07)
    time.sleep(0.3)  # noqa: ASYNC251 - which is the point
    await asyncio.sleep(0)
    took, passed = watch.took(), loop.time() - began
    watch.stop()

    assert passed >= 0.37
    assert took <= passed - 0.2
