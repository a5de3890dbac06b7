"""The time that a call waits for a connection is no part of its time limit.

Twenty calls of 3 s each begin at once on one client, whose limit is 5 s; a wait beside them is over
at 2 s. The fault: calls spent their limit in the queue for a connection and failed, and the wait
saw its end late.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from programs import check, now, run, summary
from servers import action, answer, client_of


if TYPE_CHECKING:
    from aiohttp import web

    from redis_enterprise_actions import ActionsClient

UID = "04d7b6ea-f377-4d40-9b23-9a8f29198800"


async def _end(client: ActionsClient) -> tuple[object, float]:
    [end] = await client.wait_for(UID, settle=True, timeout=60)
    return end, now()


async def _main() -> None:
    began = now()
    posts = 0

    async def serve(request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            nonlocal posts
            posts += 1
            await asyncio.sleep(3)
            return answer({"uid": 1, "status": "active", "action_uid": UID})
        shown = action("completed" if now() - began > 2 else "active", uid=UID)
        listed = request.path == "/v1/actions"
        return answer({"actions": [], "state-machines": [shown]} if listed else shown)

    async with client_of(serve, request_timeout=5) as client:
        waiting = asyncio.create_task(_end(client))
        calls = await asyncio.gather(
            *(client.databases.upgrade(uid) for uid in range(1, 21)), return_exceptions=True
        )
        failed = [summary(each) for each in calls if isinstance(each, BaseException)]
        check(not failed, f"{len(failed)} of 20 calls failed: {failed[:1]}")
        check(posts == 20, f"{posts} calls were received")
        end, when = await waiting
        check(when - began < 4, f"the wait, over at 2 s: {summary(end)}, at {when - began:.1f} s")


if __name__ == "__main__":
    run(_main, virtual=True)
