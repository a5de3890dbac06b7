"""The reference of an export that failed never stands for the next export's success.

The fault: the references of both were the same text, and a wait for the first one returned the
second one's result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from programs import check, run, summary
from servers import answer, client_of

from redis_enterprise_actions import WaitError


if TYPE_CHECKING:
    from aiohttp import web

LOCATION = {"type": "mount_point", "path": "/x"}


async def _main() -> None:
    bdb = {"uid": 7, "status": "active", "export_status": "", "last_export_time": "T0"}

    async def serve(request: web.BaseRequest) -> web.Response:
        if request.path.endswith("_reset_status"):
            bdb["export_status"] = ""
        if request.method != "GET":
            return answer({})
        return answer(bdb, Date="Wed, 01 Jan 2025 00:10:00 GMT")

    async with client_of(serve) as client:
        first = await client.databases.export(7, LOCATION)
        bdb["export_status"] = "failed"
        second = await client.databases.export(7, LOCATION)
        bdb |= {"export_status": "succeeded", "last_export_time": "T2"}
        check(first.ref != second.ref, f"references {first.ref} and {second.ref}")
        [end] = await client.wait_for(first.ref or "", settle=True, timeout=60)
        check(isinstance(end, WaitError), f"the first run, which failed: {summary(end)}")


if __name__ == "__main__":
    run(_main, virtual=True)
