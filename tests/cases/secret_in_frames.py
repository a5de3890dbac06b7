"""SECURITY.md is right about secrets in the frames of a traceback.

A time limit around `get_action`, `list_actions` or `submit` raises through frames of aiohttp, whose
local variables hold the header with the password. SECURITY.md may promise nothing else.
"""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from programs import check, run
from servers import client_of, not_found


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aiohttp import web

    from redis_enterprise_actions import ActionsClient

PASSWORD = "hunter2-hunter2"
HEADER = "b3BzOmh1bnRlcjItaHVudGVyMg=="  # "ops:hunter2-hunter2" in base 64
SECURITY = Path(__file__).parents[2] / "SECURITY.md"
WARNING = "Local variables in the frames of a traceback are not free of secrets"
CALLS: dict[str, Callable[[ActionsClient], Coroutine[object, object, object]]] = {
    "get_action": lambda client: client.get_action("a"),
    "list_actions": lambda client: client.list_actions(),
    "submit": lambda client: client.submit("POST", "/v1/bdbs/1/upgrade"),
}


async def _main() -> None:
    async def serve(request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(5)
        return not_found()

    warned = WARNING in SECURITY.read_text("utf-8")
    async with client_of(serve) as client:
        for name, call in CALLS.items():
            try:
                async with asyncio.timeout(0.5):
                    await call(client)
            except TimeoutError as error:
                shown = traceback.TracebackException.from_exception(error, capture_locals=True)
                text = "".join(shown.format())
                found = PASSWORD in text or HEADER in text
                check(
                    warned or not found,
                    f"{name}: secret in frames: {found}; SECURITY.md warns of that: {warned}",
                )


if __name__ == "__main__":
    run(_main, virtual=True)
