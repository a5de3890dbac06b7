"""Routes that migrate shards and fail them over.

Vendor page: requests/shards/actions.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import error_response, read_body
from redis_enterprise_actions.testing.settings import is_since


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.settings import Version
    from redis_enterprise_actions.testing.state.actions import PlannedCalls
    from redis_enterprise_actions.testing.state.databases import DatabaseRegistry

# By action: the state machine, the description in the answer, and the first version.
_STATE_MACHINES: Final = {
    "migrate": ("SMStandaloneRedisMigrate", "Migrate was triggered", "7.4"),
    "failover": ("SMRedisFailover", "Failover was triggered", "7.8"),
}


class ShardRoutes:
    """Routes of the actions on shards; `planned_calls` has the plans for their work."""

    def __init__(
        self, databases: DatabaseRegistry, planned_calls: PlannedCalls, *, version: Version
    ) -> None:
        self._databases = databases
        self._planned_calls = planned_calls
        self._version = version

    def add_to(self, app: web.Application) -> None:
        for action, (name, description, since) in _STATE_MACHINES.items():
            if is_since(self._version, since):
                one = partial(self._move_one, name, description)
                many = partial(self._move_many, name, description)
                app.router.add_post(f"/v1/shards/{{shard_uid}}/actions/{action}", one)
                app.router.add_post(f"/v1/shards/actions/{action}", many)

    async def _move_one(self, name: str, description: str, request: web.Request) -> web.Response:
        body = await read_body(request)
        return self._start(request, name, description, body, [request.match_info["shard_uid"]])

    async def _move_many(self, name: str, description: str, request: web.Request) -> web.Response:
        """Move the shards of a list, which are all taken to be of the first one's database."""
        body = await read_body(request)
        uids = body.get("shard_uids")
        if not (isinstance(uids, list) and uids):
            raise error_response(404, "shard_not_exist", "shard_uids is required")
        wanted = [str(uid) for uid in cast("list[object]", uids)]
        return self._start(request, name, description, body, wanted)

    def _start(
        self,
        request: web.Request,
        name: str,
        description: str,
        body: dict[str, object],
        uids: list[str],
    ) -> web.Response:
        """Start an action; the answer to a dry run is empty, as documented."""
        if not all(uid.isdecimal() for uid in uids):
            raise error_response(404, "shard_not_exist", "no such shard")
        shards = [int(uid) for uid in uids]
        database = self._databases.get_idle(str((shards[0] - 1) // 2 + 1))
        if body.get("dry_run") is True:
            return web.Response()
        plan = self._planned_calls.take(request)
        action = self._databases.start(name, database.uid, plan, shards=shards)
        return web.json_response({"action_uid": action.uid, "description": description})
