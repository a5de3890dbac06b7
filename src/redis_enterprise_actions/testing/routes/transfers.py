"""The fake's routes that start exports and imports of databases, and reset how they stand.

Vendor pages: requests/bdbs/actions/export, import, and their like that end in _reset_status. A
200 has no body: the pages say "a status code", and no recording says more. No route starts a
backup; clusters make them on a schedule. That the query can ask for a dry run is a guess.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import body_of, is_dry, refusal
from redis_enterprise_actions.testing.state.plans import next_plan


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions.testing.state.databases import Databases
    from redis_enterprise_actions.testing.state.plans import Plan
    from redis_enterprise_actions.testing.state.transfers import Transfer

_NEEDS: Final[Mapping[Transfer, str]] = {
    "export": "export_location",
    "import": "dataset_import_sources",
}
_RESETS: Final[tuple[Transfer, ...]] = ("export", "import", "backup")


class TransferCalls:
    """Those routes, the same on every node. `plans` say how the work goes that they start."""

    def __init__(self, databases: Databases, plans: list[Plan]) -> None:
        self._databases = databases
        self._plans = plans

    def add_to(self, app: web.Application) -> None:
        """Let an application answer them."""
        actions = "/v1/bdbs/{bdb_uid}/actions"
        for kind, needed in _NEEDS.items():
            app.router.add_post(f"{actions}/{kind}", partial(self._start, kind, needed))
        for kind in _RESETS:
            app.router.add_put(f"{actions}/{kind}_reset_status", partial(self._reset, kind))

    async def _start(self, kind: Transfer, needed: str, request: web.Request) -> web.Response:
        asked = await body_of(request)
        now = _now()
        database = self._databases.named(request.match_info["bdb_uid"], now)
        dry = is_dry(request)
        if not asked.get(needed):
            raise refusal(406, f"missing_{needed}", f"{needed} is required")
        if database.busy(now) or database.transfers[kind].running(now):
            raise refusal(409, "busy", "the database is busy")
        if not dry:
            plan = next_plan(self._plans, request.method, request.path)
            self._databases.start(kind, database.uid, plan, now)
        return web.Response()

    async def _reset(self, kind: Transfer, request: web.Request) -> web.Response:
        now = _now()
        transfers = self._databases.named(request.match_info["bdb_uid"], now).transfers[kind]
        if transfers.running(now):
            raise refusal(409, "busy", f"the {kind} is under way")
        transfers.reset(now)
        return web.Response()


def _now() -> float:
    return asyncio.get_running_loop().time()
