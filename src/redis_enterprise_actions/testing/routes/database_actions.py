"""Routes that start actions on databases: rebalance, recover, export and others.

Vendor pages: requests/bdbs/actions, requests/bdbs/actions/export, requests/bdbs/actions/import.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web

from redis_enterprise_actions.testing.clock import loop_time
from redis_enterprise_actions.testing.server.requests import (
    error_response,
    is_dry_run,
    query_flag,
    query_number,
    read_body,
)
from redis_enterprise_actions.testing.settings import is_since


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions.testing.settings import Version
    from redis_enterprise_actions.testing.state.actions import PlannedCalls
    from redis_enterprise_actions.testing.state.databases import (
        DatabaseRegistry,
        FakeDatabase,
        Transfer,
    )

_PATH: Final = "/v1/bdbs/{bdb_uid}/actions"
# By method and action: the state machine, True if it moves shards, and the first version.
_STATE_MACHINES: Final = {
    ("PUT", "rebalance"): ("SMUpdateBDB", True, "7.8"),
    ("PUT", "revamp"): ("SMUpdateBDB", True, "7.22"),
    ("POST", "recover"): ("SMRecoverBDB", False, "7.4"),
    ("POST", "stop_traffic"): ("SMUpdateBDB", False, "7.8"),
    ("POST", "resume_traffic"): ("SMUpdateBDB", False, "7.8"),
}
_BLUEPRINT: Final = [
    {"nodes": [{"node_uid": "1", "role": "master"}], "slot_range": "0-16383"},
]
# Transfers that a request can start, with the field that is required.
_REQUIRED_FIELDS: Final[Mapping[Transfer, str]] = {
    "export": "export_location",
    "import": "dataset_import_sources",
}
_RESETTABLE: Final[tuple[Transfer, ...]] = ("export", "import", "backup")


class DatabaseActionRoutes:
    """Routes of the actions on one database; `planned_calls` has the plans for their work."""

    def __init__(
        self, databases: DatabaseRegistry, planned_calls: PlannedCalls, *, version: Version
    ) -> None:
        self._databases = databases
        self._planned_calls = planned_calls
        self._version = version

    def add_to(self, app: web.Application) -> None:
        for (method, action), (name, moves_shards, since) in _STATE_MACHINES.items():
            if is_since(self._version, since):
                start = partial(self._start_state_machine, name, moves_shards)
                app.router.add_route(method, f"{_PATH}/{action}", start)
        for kind, required in _REQUIRED_FIELDS.items():
            app.router.add_post(f"{_PATH}/{kind}", partial(self._start_transfer, kind, required))
        for kind in _RESETTABLE:
            reset = partial(self._reset_transfers, kind)
            app.router.add_put(f"{_PATH}/{kind}_reset_status", reset)

    async def _start_state_machine(
        self,
        name: str,
        moves_shards: bool,  # noqa: FBT001 - see `_STATE_MACHINES`
        request: web.Request,
    ) -> web.Response:
        await read_body(request)
        database = self._databases.get_idle(request.match_info["bdb_uid"])
        shards = _shards_to_move(request, database) if moves_shards else ()
        if is_dry_run(request):
            return web.json_response(_BLUEPRINT)
        plan = self._planned_calls.take(request)
        action = self._databases.start(name, database.uid, plan, shards=shards)
        return web.json_response({"action_uid": action.uid})

    async def _start_transfer(
        self, kind: Transfer, required: str, request: web.Request
    ) -> web.Response:
        body = await read_body(request)
        database = self._databases.get(request.match_info["bdb_uid"])
        now = loop_time()
        if not body.get(required):
            raise error_response(406, f"missing_{required}", f"{required} is required")
        if database.busy(now) or database.transfers[kind].running(now):
            raise error_response(409, "busy", "the database is busy")
        if not is_dry_run(request):
            self._databases.start(kind, database.uid, self._planned_calls.take(request))
        return web.Response()

    async def _reset_transfers(self, kind: Transfer, request: web.Request) -> web.Response:
        database, now = self._databases.get(request.match_info["bdb_uid"]), loop_time()
        if database.transfers[kind].running(now):
            raise error_response(409, "busy", f"the {kind} is under way")
        database.reset(kind, now)
        return web.Response()


def _shards_to_move(request: web.Request, database: FakeDatabase) -> tuple[int, ...]:
    """Return the shards that a call moves: the primary of the only pair if it only fails over."""
    limit = query_number(request, "max_operations")
    if query_flag(request, "only_failovers"):
        return database.shards[:1][:limit]
    return database.shards
