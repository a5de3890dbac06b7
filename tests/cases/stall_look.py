"""A wait that stalls does not take an idle database for the end of its action.

The fault: with `stall_timeout`, an action that had not begun (pending, or a status never seen), or
that `background_op` shows at work, was returned as completed, as its database was active.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from programs import check, run, summary
from servers import action, answer, client_of, not_found

from redis_enterprise_actions import ActionStalled, WaitTimeout


if TYPE_CHECKING:
    from aiohttp import web

IDLE = {"uid": 7, "status": "active"}
AT_WORK = IDLE | {
    "background_op": [{"name": "SMUpgradeBDB", "status": "active", "progress": 50}],
}


async def _main() -> None:
    for status, bdb in (("pending", IDLE), ("waiting for approval", IDLE), ("active", AT_WORK)):

        async def serve(
            request: web.BaseRequest, status: str = status, bdb: dict[str, object] = bdb
        ) -> web.Response:
            match request.path:
                case "/v1/actions/a":
                    return answer(action(status, object_name="bdb:7"))
                case "/v1/bdbs/7":
                    return answer(bdb)
            return not_found()

        async with client_of(serve) as client:
            [end] = await client.wait_for("action:a", settle=True, stall_timeout=2, timeout=20)
            check(isinstance(end, ActionStalled), f"{status}: {summary(end)}")
            if bdb is AT_WORK:
                [end] = await client.wait_for("bdb:7", settle=True, timeout=20)
                check(isinstance(end, WaitTimeout), f"the database at work: {summary(end)}")


if __name__ == "__main__":
    run(_main, virtual=True)
