"""The fake's routes that act on a database or its shards, and answer with an `action_uid`.

Vendor pages: requests/bdbs/actions (rebalance, revamp, recover, stop_traffic, resume_traffic) and
requests/shards/actions (migrate, failover). Those about databases read `dry_run` from the query,
those about shards from the body. Guesses are which state machines stop_traffic and resume_traffic
are and that they can be dry runs, the blueprint that those answer, what a failover describes, and
on which shards a rebalance that only fails over has operations.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import (
    at_least,
    body_of,
    is_dry,
    number,
    refusal,
    switch,
)
from redis_enterprise_actions.testing.state.plans import next_plan


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.state.actions import FakeAction
    from redis_enterprise_actions.testing.state.databases import Databases, FakeDatabase
    from redis_enterprise_actions.testing.state.plans import Plan

# By method and action: the state machine, whether it moves shards, and the first version.
_ON_DATABASES: Final = {
    ("PUT", "rebalance"): ("SMUpdateBDB", True, "7.8"),
    ("PUT", "revamp"): ("SMUpdateBDB", True, "7.22"),
    ("POST", "recover"): ("SMRecoverBDB", False, "7.4"),
    ("POST", "stop_traffic"): ("SMUpdateBDB", False, "7.8"),
    ("POST", "resume_traffic"): ("SMUpdateBDB", False, "7.8"),
}
# By action: the state machine, the description, and the first version.
_ON_SHARDS: Final = {
    "migrate": ("SMStandaloneRedisMigrate", "Migrate was triggered", "7.4"),
    "failover": ("SMRedisFailover", "Failover was triggered", "7.8"),
}
_BLUEPRINT: Final = [
    {"nodes": [{"node_uid": "1", "role": "master"}], "slot_range": "0-16383"},
]


class BdbActions:
    """Those routes, the same on every node. `plans` say how the work goes that they start."""

    def __init__(self, databases: Databases, plans: list[Plan], *, version: str) -> None:
        self._databases = databases
        self._plans = plans
        self._version = version

    def add_to(self, app: web.Application) -> None:
        """Let an application answer those that there are in this version."""
        for (method, action), (name, moves, since) in _ON_DATABASES.items():
            if at_least(self._version, since):
                handler = partial(self._act, name, moves)
                app.router.add_route(method, f"/v1/bdbs/{{bdb_uid}}/actions/{action}", handler)
        for action, (name, said, since) in _ON_SHARDS.items():
            if at_least(self._version, since):
                one = partial(self._move_one, name, said)
                app.router.add_post(f"/v1/shards/{{shard_uid}}/actions/{action}", one)
                app.router.add_post(f"/v1/shards/actions/{action}", partial(self._move, name, said))

    async def _act(self, name: str, moves: bool, request: web.Request) -> web.Response:  # noqa: FBT001 - see `_ON_DATABASES`
        await body_of(request)
        database = self._databases.free(request.match_info["bdb_uid"], _now())
        shards = _moved(request, database) if moves else ()
        if is_dry(request):
            return web.json_response(_BLUEPRINT)
        action = self._start(request, name, database, shards)
        return web.json_response({"action_uid": action.uid})

    async def _move_one(self, name: str, said: str, request: web.Request) -> web.Response:
        asked = await body_of(request)
        return self._started(request, name, said, asked, [request.match_info["shard_uid"]])

    async def _move(self, name: str, said: str, request: web.Request) -> web.Response:
        """Move the shards of a list, which are all taken to be of the first one's database."""
        asked = await body_of(request)
        uids = asked.get("shard_uids")
        if not (isinstance(uids, list) and uids):
            raise refusal(404, "shard_not_exist", "shard_uids is required")
        wanted = [str(uid) for uid in cast("list[object]", uids)]
        return self._started(request, name, said, asked, wanted)

    def _started(
        self,
        request: web.Request,
        name: str,
        said: str,
        asked: dict[str, object],
        uids: list[str],
    ) -> web.Response:
        """Start it, or answer nothing more than 200 to a dry run, as the page has it."""
        if not all(uid.isdecimal() for uid in uids):
            raise refusal(404, "shard_not_exist", "no such shard")
        shards = [int(uid) for uid in uids]
        database = self._databases.free(str((shards[0] - 1) // 2 + 1), _now())
        if asked.get("dry_run") is True:
            return web.Response()
        action = self._start(request, name, database, shards)
        return web.json_response({"action_uid": action.uid, "description": said})

    def _start(
        self,
        request: web.Request,
        name: str,
        database: FakeDatabase,
        shards: list[int] | tuple[int, ...],
    ) -> FakeAction:
        plan = next_plan(self._plans, request.method, request.path)
        return self._databases.start(name, database.uid, plan, _now(), shards=shards)


def _moved(request: web.Request, database: FakeDatabase) -> tuple[int, ...]:
    """Return the shards that a call moves: the primary of the only pair if it only fails over."""
    most = number(request, "max_operations")
    return database.shards[:1][:most] if switch(request, "only_failovers") else database.shards


def _now() -> float:
    return asyncio.get_running_loop().time()
