"""The creation of a database is followed where its answer names no action.

POST /v1/bdbs answers 200 with the database, `status: pending`, and no action_uid, as an old broker
and a Terraform provider know it. Two seconds later its status is creation-failed. The fault: the
client reported the database as created while it was pending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from programs import check, command, now, run, summary
from servers import answer, client_of, not_found

from redis_enterprise_actions import ActionFailed


if TYPE_CHECKING:
    from aiohttp import web

CONFIG = {"name": "db", "memory_size": 1 << 30}


async def _main() -> None:
    began = 0.0

    async def serve(request: web.BaseRequest) -> web.Response:
        nonlocal began
        bdb = {"uid": 5, "name": "db", "status": "pending"}
        match request.method, request.path:
            case "POST", "/v1/bdbs":
                began = now()
                return answer(bdb)
            case "GET", "/v1/bdbs/5":
                return answer(bdb if now() - began < 2 else bdb | {"status": "creation-failed"})
        return not_found("bdb_not_exist")

    async with client_of(serve) as client:
        operation = await client.databases.create(CONFIG)
        check((operation.ref or "").startswith("bdb:5"), f"the operation follows {operation.ref}")
        [end] = await client.wait_for(operation, settle=True, timeout=20)
        check(
            isinstance(end, ActionFailed), f"{summary(end)}, {now() - began:.1f} s after the call"
        )
        [url] = client.urls
        ended = await command(
            *("submit", "POST", "/v1/bdbs", "--data", '{"name": "db"}', "--wait"), url=url
        )
        check(ended.code == 1, f"the command: {ended}")


if __name__ == "__main__":
    run(_main)
