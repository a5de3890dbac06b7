"""A call that is answered only when its work is over can be made from the shell.

The vendor documents that for certificates, with up to 900 s; here it takes 35 s. The fault: the
command waited 30 s for an answer, and no option changed that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from programs import check, command, run
from servers import answer, serving


if TYPE_CHECKING:
    from aiohttp import web

CALLS = (
    ("/v1/cluster/certificates/rotate",),  # whose documented time is the default
    ("/v1/bdbs/1/upgrade", "--request-timeout", "1m"),
)


async def _main() -> None:
    async def serve(request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            await asyncio.sleep(35)
        return answer({"uid": 1, "status": "active"})

    async with serving(serve) as url:
        several = [
            command("submit", "POST", *call, "--wait", "--timeout", "2m", url=url, limit=90)
            for call in CALLS
        ]
        for call, ended in zip(CALLS, await asyncio.gather(*several), strict=True):
            check(ended.code == 0, f"{' '.join(call)}: {ended}")


if __name__ == "__main__":
    run(_main, limit=120)
