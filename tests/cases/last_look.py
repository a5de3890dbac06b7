"""At its deadline a wait polls once more, even while a request hangs.

The action is over at 4 s. The first request after 3 s gets no answer; all others are answered at
once. The fault: both waits timed out, as the request that hung was in the way of the last look.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from programs import check, now, run, summary
from servers import action, answer, client_of

from redis_enterprise_actions import FinishedAction


if TYPE_CHECKING:
    from aiohttp import web


async def _main() -> None:
    for timeout in (10, 30):
        began = now()
        hung: list[float] = []

        async def serve(
            request: web.BaseRequest, began: float = began, hung: list[float] = hung
        ) -> web.Response:
            age = now() - began
            if age > 3 and not hung:
                hung.append(age)
                await asyncio.sleep(100)
            return answer(action("completed" if age > 4 else "active"))

        async with client_of(serve) as client:
            [end] = await client.wait_for("action:a", settle=True, timeout=timeout)
            late = now() - began
        check(
            isinstance(end, FinishedAction) and late <= timeout + 0.5,
            f"with a timeout of {timeout} s: {summary(end)}, at {late:.1f} s",
        )


if __name__ == "__main__":
    run(_main, virtual=True)
