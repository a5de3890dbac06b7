"""Routes that migrate shards and fail them over.

Vendor pages: requests/shards/actions/migrate, requests/shards/actions/failover. The page of
migrations has no error codes: `shard_uids_required`, `shard_not_exist` and `db_busy` are those of
failovers, and `node_uid_required` and `node_not_found` are guesses. These are guesses, too: uids
may be numbers or strings everywhere; a migration to an unknown node is answered 404; one of several
databases is a single state machine, whose object is the first of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import error_response, read_body
from redis_enterprise_actions.testing.settings import is_since
from redis_enterprise_actions.testing.state.databases import busy

from .nodes import find_member


if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.settings import Version
    from redis_enterprise_actions.testing.state.actions import PlannedCalls
    from redis_enterprise_actions.testing.state.databases import DatabaseRegistry, FakeDatabase
    from redis_enterprise_actions.testing.state.node_actions import NodeActionRegistry

# By action: the state machine, the description in the answer, and the first version.
_STATE_MACHINES: Final = {
    "migrate": ("SMStandaloneRedisMigrate", "Migrate was triggered", "7.4"),
    "failover": ("SMRedisFailover", "Failover was triggered", "7.8"),
}


class ShardRoutes:
    """Routes of the actions on shards; `planned_calls` has the plans for their work."""

    def __init__(
        self,
        databases: DatabaseRegistry,
        nodes: NodeActionRegistry,
        planned_calls: PlannedCalls,
        clock: Clock,
        *,
        version: Version,
    ) -> None:
        self._clock = clock
        self._databases = databases
        self._nodes = nodes
        self._planned_calls = planned_calls
        self._version = version

    def add_to(self, app: web.Application) -> None:
        for action, (_, _, since) in _STATE_MACHINES.items():
            if is_since(self._version, since):
                move = partial(self._move, action)
                app.router.add_post(f"/v1/shards/{{shard_uid}}/actions/{action}", move)
                app.router.add_post(f"/v1/shards/actions/{action}", move)

    async def _move(self, action: str, request: web.Request) -> web.Response:
        """Start an action; the answer to a dry run is empty, as documented."""
        body = await read_body(request)
        uid = request.match_info.get("shard_uid")
        uids = _shard_uids(body) if uid is None else [uid]
        moved = {each: self._databases.get_of_shard(each) for each in uids}
        if action == "failover":
            _check_failover(moved)
        else:
            self._check_target(body)
        if any(database.busy(self._clock.now()) for database in moved.values()):
            raise busy()
        if body.get("dry_run") is True:
            return web.Response()
        name, description, _ = _STATE_MACHINES[action]
        started = self._databases.start(
            name,
            [database.uid for database in moved.values()],
            self._planned_calls.take(request),
            shards=[int(uid) for uid in moved],
        )
        return web.json_response({"action_uid": started.uid, "description": description})

    def _check_target(self, body: dict[str, object]) -> None:
        """Answer 404 if a migration has no node of the cluster to go to."""
        if "target_node_uid" not in body:
            raise error_response(404, "node_uid_required", "target_node_uid is required")
        find_member(str(body["target_node_uid"]), self._nodes)


def _shard_uids(body: dict[str, object]) -> list[str]:
    uids = body.get("shard_uids")
    if not (isinstance(uids, list) and uids):
        raise error_response(404, "shard_uids_required", "a list of shard_uids is required")
    return [str(uid) for uid in cast("Sequence[object]", uids)]


def _check_failover(moved: dict[str, FakeDatabase]) -> None:
    """Answer 400 if a shard is a replica, or the shards are of several databases."""
    if any(int(uid) != database.shards[0] for uid, database in moved.items()):
        raise error_response(400, "shard_is_slave", "only primaries can be failed over")
    if len({database.uid for database in moved.values()}) > 1:
        description = "all shards have to be of the same database"
        raise error_response(400, "failover_shards_different_bdb", description)
