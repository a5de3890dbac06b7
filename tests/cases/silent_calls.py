"""A call whose answer names nothing is followed until its change was made, or has failed.

The first look at the database comes before the cluster has marked it. The fault: `bdb:UID`, which
modules/upgrade and the `ref` of AnswerLost follow, was satisfied by that look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from programs import check, run, summary
from servers import answer, client_of

from redis_enterprise_actions import ActionFailed


if TYPE_CHECKING:
    from aiohttp import web

IDLE = {"uid": 7, "status": "active"}
FAILED = {
    "uid": 7,
    "status": "active-change-pending",
    "background_op": [{"name": "SMUpgradeBDB", "status": "failed", "error": "boom"}],
}


async def _main() -> None:
    looks = -1  # after the call

    async def serve(request: web.BaseRequest) -> web.Response:
        nonlocal looks
        if request.method == "POST":
            looks = 0
            return answer({})
        looks += looks >= 0
        return answer(IDLE if looks < 2 else FAILED)

    async with client_of(serve) as client:
        operation = await client.submit("POST", "/v1/bdbs/7/modules/upgrade", {"modules": []})
        [end] = await client.wait_for(operation, settle=True, timeout=60)
        check(
            isinstance(end, ActionFailed) and "boom" in str(end), f"{operation.ref}: {summary(end)}"
        )


if __name__ == "__main__":
    run(_main, virtual=True)
