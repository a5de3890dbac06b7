"""The result of last week's export does not end the wait for today's.

PUT .../export_reset_status is documented as "200: The request is accepted and is being processed".
Here it takes effect 2 s later; the export begins 3 s after its call, and fails at 5 s.
`last_export_time` never changes. The fault: the wait returned before the export began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from programs import check, now, run, summary
from servers import answer, client_of, not_found

from redis_enterprise_actions import ActionFailed


if TYPE_CHECKING:
    from aiohttp import web


async def _main() -> None:
    times: dict[str, float] = {}

    def since(call: str) -> float:
        return now() - times.get(call, now())

    async def serve(request: web.BaseRequest) -> web.Response:
        call = request.path.rpartition("/")[2]
        if call in {"export_reset_status", "export"}:
            times[call] = now()
            return answer({})
        if request.path != "/v1/bdbs/1":
            return not_found("bdb_not_exist")
        status = "succeeded" if since("export_reset_status") < 2 else ""  # last week's
        if since("export") >= 3:
            status = "exporting" if since("export") < 5 else "failed"
        reason = "no-privileges" if status == "failed" else ""
        export = {"export_status": status, "export_failure_reason": reason}
        last = {"last_export_time": "2026-01-01T00:00:00Z"}
        return answer({"uid": 1, "status": "active"} | export | last)

    async with client_of(serve) as client:
        operation = await client.databases.export(1, {"type": "mount_point", "path": "/x"})
        [end] = await client.wait_for(operation, settle=True, timeout=20)
        check(
            isinstance(end, ActionFailed), f"{summary(end)}, {since('export'):.1f} s after the call"
        )


if __name__ == "__main__":
    run(_main, virtual=True)
