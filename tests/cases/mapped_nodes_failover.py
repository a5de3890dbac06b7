"""A node that redirects to an address of no use is left for the next one that was given.

Three nodes are given by the addresses at which they can be reached (mapped ports, NAT). A node that
is not the primary redirects to the primary's internal address. The primary changes from the first
to the second node in the middle of a wait. The fault: the wait, and all later calls, ended with
RequestRejected, though the second node would have answered.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from aiohttp import web
from programs import check, now, run, summary
from servers import action, answer, serving

from redis_enterprise_actions import ActionsClient, FinishedAction, RedisActionsError


if TYPE_CHECKING:
    from servers import Handler


async def _main() -> None:
    primary = 1
    received = {1: 0, 2: 0, 3: 0}

    def node(uid: int) -> Handler:
        async def serve(request: web.BaseRequest) -> web.Response:
            received[uid] += 1
            if uid != primary:
                raise web.HTTPTemporaryRedirect(f"https://127.18.0.{primary}:9443{request.path_qs}")
            shown = action("completed" if now() - began > 6 else "active")
            if request.path == "/v2/actions":
                return answer([shown])
            listed = request.path == "/v1/actions"
            return answer({"actions": [], "state-machines": [shown]} if listed else shown)

        return serve

    def change_primary() -> None:
        nonlocal primary
        primary = 2

    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(node(uid))) for uid in received]
        client = await stack.enter_async_context(
            ActionsClient(urls, username="ops", password="hunter2-hunter2")
        )
        began = now()
        asyncio.get_running_loop().call_later(3, change_primary)
        [end] = await client.wait_for("action:a", settle=True, timeout=20)
        check(isinstance(end, FinishedAction), f"the wait: {summary(end)}")
        try:
            listed: object = await client.list_actions()
        except RedisActionsError as error:
            listed = error
        check(isinstance(listed, list), f"the list: {summary(listed)}")
        check(received[2] > 0, f"requests by node: {received}")


if __name__ == "__main__":
    run(_main, virtual=True)
