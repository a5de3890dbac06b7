"""A bootstrap is not taken for completed when its call is answered.

The vendor documents POST /v1/bootstrap/create_cluster as asynchronous: GET /v1/bootstrap is to be
polled until its state is completed, or error. Here it fails after 3 s. The fault: `submit --wait`
ended with 0 at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from programs import check, command, now, run
from servers import answer, serving


if TYPE_CHECKING:
    from collections.abc import Mapping

CALL = ("submit", "POST", "/v1/bootstrap/create_cluster", "--wait", "--timeout", "20")
DATA = '{"action": "create_cluster", "cluster": {"name": "c.example.com"}}'


def _state(age: float) -> Mapping[str, object]:
    if age < 3:
        return {"state": "initiated" if age < 1 else "creating_cluster"}
    return {"state": "error", "error_code": "config_error", "error_details": {"message": "x"}}


async def _main() -> None:
    began: float | None = None

    async def serve(request: web.BaseRequest) -> web.Response:
        nonlocal began
        match request.method, request.path:
            case "POST", "/v1/bootstrap/create_cluster":
                began = now()
                return web.Response(content_type="application/json")
            case "GET", "/v1/bootstrap":
                state = {"state": "idle"} if began is None else _state(now() - began)
                return answer({"bootstrap_status": state, "local_node_info": {"uid": "1"}})
        return answer({"error_code": "unavailable"}, 503)  # there is no cluster yet

    async with serving(serve) as url:
        ended = await command(*CALL, "--data", DATA, url=url)
    refused = ended.code == 2 and "bootstrap" in ended.err
    followed = ended.code == 1 and "config_error" in ended.out + ended.err
    check(refused or followed, str(ended))


if __name__ == "__main__":
    run(_main)
