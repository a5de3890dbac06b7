"""Routes of the objects of shards.

Vendor pages: requests/shards, objects/shard; /v1/bdbs/{uid}/shards has no page, so that it answers
the same objects is a guess, and so is the code of a missing shard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.state.databases import DatabaseRegistry
    from redis_enterprise_actions.testing.state.shards import FakeShard, ShardRegistry


class ShardObjectRoutes:
    """Routes of shards, and of their lists."""

    def __init__(self, databases: DatabaseRegistry, shards: ShardRegistry, clock: Clock) -> None:
        self._databases = databases
        self._shards = shards
        self._clock = clock

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/v1/shards", self._list)
        app.router.add_get("/v1/shards/{shard_uid}", self._single)
        app.router.add_get("/v1/bdbs/{bdb_uid}/shards", self._list_of_database)

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response([self._to_json(shard) for shard in self._shards.list_shown()])

    async def _list_of_database(self, request: web.Request) -> web.Response:
        database = self._databases.get_shown(request.match_info["bdb_uid"])
        return web.json_response([self._to_json(shard) for shard in self._shards.of(database)])

    async def _single(self, request: web.Request) -> web.Response:
        uid = request.match_info["shard_uid"]
        shards = self._shards.of(self._databases.get_of_shard(uid))
        (shard,) = [each for each in shards if each.uid == int(uid)]
        return web.json_response(self._to_json(shard))

    def _to_json(self, shard: FakeShard) -> dict[str, object]:
        return {
            "uid": str(shard.uid),
            "bdb_uid": shard.bdb_uid,
            "node_uid": str(shard.node_uid),
            "role": shard.role,
            "status": shard.status,
            "detailed_status": shard.detailed_status,
            "assigned_slots": "0-16383",
            "loading": {"status": "idle"},
            "report_timestamp": self._clock.iso_time(self._clock.now()),
        }
