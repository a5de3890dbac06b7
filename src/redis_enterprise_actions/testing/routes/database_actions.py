"""Routes that start actions on databases: rebalance, recover, export and others.

Vendor pages: requests/bdbs/actions, requests/bdbs/actions/export, requests/bdbs/actions/import,
requests/bdbs/actions/recover, requests/bdbs/actions/revamp. Where these pages name a status, the
error code is a guess. So are the status of an export without a place and of an import without a
source, and the recovery plan of a database that need not be recovered.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import (
    error_response,
    is_dry_run,
    query_flag,
    query_number,
    read_body,
    without_query_parameters,
)
from redis_enterprise_actions.testing.settings import is_since
from redis_enterprise_actions.testing.state.databases import busy

from .configurations import check, settable


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions.testing.clock import Clock
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
# An import takes no other attributes of a database, nor anything else.
_IMPORT_FIELDS: Final = frozenset({"dataset_import_sources", "email_notification"})
_RESETTABLE: Final[tuple[Transfer, ...]] = ("export", "import", "backup")


class DatabaseActionRoutes:
    """Routes of the actions on one database; `planned_calls` has the plans for their work."""

    def __init__(
        self,
        databases: DatabaseRegistry,
        planned_calls: PlannedCalls,
        clock: Clock,
        *,
        version: Version,
    ) -> None:
        self._clock = clock
        self._databases = databases
        self._planned_calls = planned_calls
        self._version = version

    def add_to(self, app: web.Application) -> None:
        for (method, action), (name, moves_shards, since) in _STATE_MACHINES.items():
            if is_since(self._version, since):
                start = partial(self._start_state_machine, action, name, moves_shards)
                app.router.add_route(method, f"{_PATH}/{action}", start)
        app.router.add_get(f"{_PATH}/recover", self._recovery_plan)
        for kind, required in _REQUIRED_FIELDS.items():
            app.router.add_post(f"{_PATH}/{kind}", partial(self._start_transfer, kind, required))
        for kind in _RESETTABLE:
            reset = partial(self._reset_transfers, kind)
            app.router.add_put(f"{_PATH}/{kind}_reset_status", reset)

    async def _start_state_machine(
        self,
        action: str,
        name: str,
        moves_shards: bool,  # noqa: FBT001 - see `_STATE_MACHINES`
        request: web.Request,
    ) -> web.Response:
        body, now = await read_body(request), self._clock.now()
        database = self._databases.get_idle(request.match_info["bdb_uid"])
        if name == "SMRecoverBDB" and not database.recoverable(now):
            raise error_response(409, "db_not_recoverable", "the database needs no recovery")
        changes = settable(without_query_parameters(body)) if action == "revamp" else {}
        check(database.config(now) | changes, taken_ports=())
        shards = _shards_to_move(request, database, self._clock.now()) if moves_shards else ()
        if is_dry_run(request):
            return web.json_response(_BLUEPRINT)
        plan = self._planned_calls.take(request)
        started = self._databases.start(name, database.uid, plan, shards=shards)
        database.add_change(started, changes)
        return web.json_response({"action_uid": started.uid})

    async def _recovery_plan(self, request: web.Request) -> web.Response:
        database, now = self._databases.get(request.match_info["bdb_uid"]), self._clock.now()
        files = [
            {"filename": f"appendonly-{shard}.aof", "node_uid": "1", "shard_slots": "0-16383"}
            for shard in database.shards[:1]
            if database.recoverable(now)
        ]
        return web.json_response({"data_files": files, "status": "ready" if files else ""})

    async def _start_transfer(
        self, kind: Transfer, required: str, request: web.Request
    ) -> web.Response:
        body = await read_body(request)
        database = self._databases.get(request.match_info["bdb_uid"])
        now = self._clock.now()
        if kind == "import" and not body.keys() <= _IMPORT_FIELDS:
            raise error_response(406, "invalid_attribute", "other attributes are not allowed")
        if not (body.get(required) or database.config(now).get(required)):
            raise error_response(406, f"missing_{required}", f"{required} is required")
        if database.busy(now) or database.transfers[kind].running(now):
            raise busy()
        if not is_dry_run(request):
            self._databases.start(kind, database.uid, self._planned_calls.take(request))
        return web.Response()

    async def _reset_transfers(self, kind: Transfer, request: web.Request) -> web.Response:
        database, now = self._databases.get(request.match_info["bdb_uid"]), self._clock.now()
        if database.busy(now) or database.transfers[kind].running(now):
            raise busy()
        database.reset(kind, now)
        return web.Response()


def _shards_to_move(request: web.Request, database: FakeDatabase, now: float) -> tuple[int, ...]:
    """Return the shards that a call moves: the primary of the only pair if it only fails over."""
    limit = query_number(request, "max_operations")
    if query_flag(request, "only_failovers"):
        return database.shards[:1][:limit]
    return database.shard_list(now)
