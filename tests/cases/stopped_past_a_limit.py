"""A process that stood still past a limit polls once more before it ends its wait.

SIGSTOP stops the command from 2 s to 10 s after its first request, past its limit of 4 s or 5 s;
the action is over at 3 s. `docker pause` and a loop that is held up do the same. The fault: a wait
that noticed its limit more than 2 s late ended without the last look.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from programs import COMMAND, check, inherited, now, run, settings
from servers import action, answer, serving


if TYPE_CHECKING:
    from aiohttp import web


async def _stopped(*limit: str, healthy: bool) -> None:
    requests: list[float] = []
    waiting = asyncio.Event()

    async def serve(request: web.BaseRequest) -> web.Response:
        requests.append(now())
        waiting.set()
        age = now() - requests[0]
        if not healthy and age < 3:
            return answer({}, 503)
        return answer(action("completed" if age > 3 else "active"))

    async with serving(serve) as url:
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "wait", "a", "--output", "plain", *limit),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=inherited() | settings(url),
        )
        await waiting.wait()
        await asyncio.sleep(2)
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(8)
        process.send_signal(signal.SIGCONT)
        out, _ = await process.communicate()
    times = [round(each - requests[0], 1) for each in requests]
    last = out.decode().strip().splitlines()[-1]
    check(
        process.returncode == 0,
        f"{' '.join(limit)}: exit code {process.returncode}; requests at {times}; {last[:160]}",
    )


async def _main() -> None:
    await asyncio.gather(
        _stopped("--timeout", "5", healthy=True),
        _stopped("--outage-timeout", "4", healthy=False),
    )


if __name__ == "__main__":
    run(_main)
