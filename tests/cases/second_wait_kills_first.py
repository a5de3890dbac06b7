"""The client polls each wait alone where the cluster refuses the list.

GET /v1/actions answers 405; a role may not list actions (403), a gateway may not know the route.
The fault: as soon as a second wait began on the client, both ended with RequestRejected.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from programs import check, now, run, summary
from servers import action, answer, client_of

from redis_enterprise_actions import FinishedAction


if TYPE_CHECKING:
    from aiohttp import web


async def _main() -> None:
    for status in (405, 403):
        began = now()

        async def serve(
            request: web.BaseRequest, status: int = status, began: float = began
        ) -> web.Response:
            if request.path == "/v1/actions":
                return answer({}, status)
            over = now() - began > 6
            return answer(action("completed" if over else "active", uid=request.path[-1]))

        async with client_of(serve) as client:
            first = asyncio.create_task(client.wait_for("action:a", settle=True, timeout=60))
            await asyncio.sleep(3)
            [second] = await client.wait_for("action:b", settle=True, timeout=60)
            for end in (*await first, second):
                check(
                    isinstance(end, FinishedAction), f"a list that answers {status}: {summary(end)}"
                )


if __name__ == "__main__":
    run(_main, virtual=True)
