"""`doctor` sends no credentials to a web server that is not this API.

The server answers 404 as Go's net/http does. The fault: `doctor` called it the cluster, sent the
password to it seven times, and ended with 0.
"""

from __future__ import annotations

from aiohttp import web
from programs import check, command, run
from servers import serving


async def _main() -> None:
    authorized: list[bool] = []

    async def serve(request: web.BaseRequest) -> web.Response:
        authorized.append("Authorization" in request.headers)
        return web.Response(text="404 page not found\n", status=404)

    async with serving(serve) as url:
        ended = await command("doctor", url=url)
    print(ended.out, end="")
    sent = f"{sum(authorized)} of {len(authorized)} requests had credentials"
    check(len(authorized) > 0 and not any(authorized), sent)
    check(ended.code not in {0, 1}, str(ended))


if __name__ == "__main__":
    run(_main)
