"""A list that hangs delays no wait whose object is answered at once.

GET /v1/bdbs of a cluster with 1260 databases runs into the time limit. All changes are made at 6 s.
The fault: a single wait saw that at once; three waits with a deadline of 20 s saw nothing and timed
out, and with one of 120 s they saw it at 61 s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from programs import check, now, run, summary
from servers import answer, client_of

from redis_enterprise_actions import FinishedAction


if TYPE_CHECKING:
    from aiohttp import web


async def _main() -> None:
    for count, timeout in ((1, 20), (3, 20), (3, 120)):
        began = now()

        async def serve(request: web.BaseRequest, began: float = began) -> web.Response:
            if request.path == "/v1/bdbs":
                await asyncio.sleep(100)
            uid = int(request.path.rpartition("/")[2])
            status = "active" if now() - began > 6 else "active-change-pending"
            return answer({"uid": uid, "status": status})

        async with client_of(serve) as client:
            refs = [f"bdb:{uid}" for uid in range(1, count + 1)]
            ends = await client.wait_for(*refs, settle=True, timeout=timeout)
            late = now() - began
        right = all(isinstance(end, FinishedAction) for end in ends) and 6 <= late <= 9
        check(
            right,
            f"{count} with timeout={timeout}, over at 6 s: {summary(ends[0])}, at {late:.1f} s",
        )


if __name__ == "__main__":
    run(_main, virtual=True)
