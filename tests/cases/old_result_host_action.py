"""The result that a node or the cluster remembers of an older run does not end a new one's wait.

The first look after the call reaches a node that lags, and shows the old result. The fault: this
counted as the end where the call's answer names no task_id, or the old result has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from programs import check, run, summary
from servers import answer, client_of

from redis_enterprise_actions import ActionFailed


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aiohttp import web

    from redis_enterprise_actions import ActionsClient, Operation

# Call, its answer, and the old result.
CASES: dict[
    str,
    tuple[
        Callable[[ActionsClient], Coroutine[object, object, Operation]],
        dict[str, str],
        dict[str, str],
    ],
] = {
    "change_primary, the answer names no task_id": (
        lambda client: client.cluster.change_primary(2),
        {},
        {"status": "completed", "task_id": "OLD"},
    ),
    "maintenance_on, the old result has no task_id": (
        lambda client: client.nodes.maintenance_on(1),
        {"status": "queued", "task_id": "NEW"},
        {"status": "completed"},
    ),
}


async def _main() -> None:
    for what, (call, after_call, old) in CASES.items():
        looks = -1  # after the call

        async def serve(
            request: web.BaseRequest,
            after_call: dict[str, str] = after_call,
            old: dict[str, str] = old,
        ) -> web.Response:
            nonlocal looks
            if request.method == "POST":
                looks = 0
                return answer(after_call)
            if "/actions/" not in request.path:
                return answer({"uid": 1})
            looks += looks >= 0
            return answer(old if looks < 2 else {"status": "failed", "task_id": "NEW"})

        async with client_of(serve) as client:
            operation = await call(client)
            [end] = await client.wait_for(operation, settle=True, timeout=60)
            check(isinstance(end, ActionFailed), f"{what}: {summary(end)}")


if __name__ == "__main__":
    run(_main, virtual=True)
