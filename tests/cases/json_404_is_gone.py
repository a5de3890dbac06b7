"""The 404 of a gateway is an outage, and does not end the work.

Between 2 s and 4 s a gateway (Kong) answers 404 with a JSON object of its own. The work goes on
until 7 s. The fault: any 404 with JSON was taken for the cluster's, so that a node counted as
removed and a database as deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from programs import check, now, run, summary
from servers import answer, client_of, not_found

from redis_enterprise_actions import FinishedAction


if TYPE_CHECKING:
    from aiohttp import web

REFS = ("node:1/remove", "bdb:7@gone", "crdb:x")
AT_WORK = {
    "/v1/nodes/1/actions/remove": {"status": "running", "task_id": "t1", "progress": 10},
    "/v1/nodes/1": {"uid": 1},
    "/v1/bdbs/7": {"uid": 7, "status": "delete-pending", "action_uid": "d"},
    "/v1/crdb_tasks/x": {"id": "x", "status": "started"},
}
OVER = {
    "/v1/nodes": [],
    "/v1/bdbs": [],
    "/v1/crdb_tasks/x": {"id": "x", "status": "finished"},
}


async def _main() -> None:
    for ref in REFS:
        began = now()

        async def serve(request: web.BaseRequest, began: float = began) -> web.Response:
            age = now() - began
            if 2 < age < 4:
                return answer({"message": "no Route matched with those values"}, 404)
            bodies = AT_WORK if age < 7 else OVER
            if request.path in bodies:
                return answer(bodies[request.path])
            return not_found("node_not_exist" if "/nodes" in request.path else "bdb_not_exist")

        async with client_of(serve) as client:
            [end] = await client.wait_for(ref, settle=True, timeout=20)
        late = now() - began
        check(
            isinstance(end, FinishedAction) and late >= 7,
            f"{ref}, which ends at 7 s: {summary(end)}, at {late:.1f} s",
        )


if __name__ == "__main__":
    run(_main, virtual=True)
