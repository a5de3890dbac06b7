"""The client keeps a slow cluster busy for at most a tenth of the time.

That holds for answers of up to 6.7 s, and for errors as for answers; after slower ones the client
rests for 60 s. The fault: failed requests were not counted.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from programs import check, run
from servers import action, answer, client_of

from redis_enterprise_actions import WaitTimeout


if TYPE_CHECKING:
    from aiohttp import web

DURATION = 1800.0  # of a wait, in seconds
REST = 60.0  # at most


async def _main() -> None:
    for status in (200, 503):
        for latency in (5.0, 6.6, 10.0, 29.0):
            requests = 0

            async def serve(
                request: web.BaseRequest, status: int = status, latency: float = latency
            ) -> web.Response:
                nonlocal requests
                requests += 1
                await asyncio.sleep(latency)
                return answer(action("active"), status)

            async with client_of(serve) as client:
                with suppress(WaitTimeout):
                    await client.wait_for_action("a", timeout=DURATION, outage_timeout=None)
            busy = latency * requests / DURATION
            allowed = max(0.1, latency / (latency + REST))
            check(
                # The first and the last request, and 6 s for the retries of an outage, come on top.
                busy <= allowed + (2 * latency + 6) / DURATION,
                f"{status} after {latency} s: busy {busy:.3f} of the time, allowed {allowed:.3f}",
            )


if __name__ == "__main__":
    run(_main, limit=120, virtual=True)
