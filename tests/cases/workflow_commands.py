"""No line of `list` or `get` begins with what a CI system takes for a command.

Names and uids are the cluster's text. The faults: GitHub Actions took them for workflow commands;
and JSON had C1 control characters and marks of writing direction as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from programs import check, command, run
from servers import action, answer, serving


if TYPE_CHECKING:
    from aiohttp import web

UID = "::add-mask::e"
HOSTILE = action(
    "active",
    uid=UID,
    name="::error file=app.py,line=1::forged \x9b31m \u202e",
    object_name="bdb:1",
)
COMMANDS = (["list"], ["list", "--json"], ["get", UID], ["get", UID, "--json"])
FORBIDDEN = re.compile(
    "^\\s*::|##\\[|[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", re.MULTILINE
)


async def _main() -> None:
    async def serve(request: web.BaseRequest) -> web.Response:
        if request.path == "/v1/actions":
            return answer({"actions": [], "state-machines": [HOSTILE]})
        return answer(HOSTILE if request.path.startswith("/v1/actions/") else [])

    async with serving(serve) as url:
        for args in COMMANDS:
            ended = await command(*args, url=url, GITHUB_ACTIONS="true")
            clean = not FORBIDDEN.search(ended.out + ended.err)
            check(ended.code == 0 and clean, f"{' '.join(args)}: {ended.out[:200]!a}")


if __name__ == "__main__":
    run(_main)
