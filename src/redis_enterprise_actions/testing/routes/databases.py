"""The fake's routes that read, make, change and delete databases.

Vendor pages: requests/bdbs, requests/bdbs/upgrade, objects/bdb. Whatever a change sets is taken,
remembered, and shown when it is done; only what no cluster could do is refused. That a delete and
an upgrade can be dry runs, too, is a guess.
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
    settings_of,
    switch,
)
from redis_enterprise_actions.testing.state.databases import FakeDatabase, bdb, under_way


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions.testing.state.actions import FakeAction, PlannedCalls
    from redis_enterprise_actions.testing.state.databases import Databases, Transfer


_ONE: Final = "/v1/bdbs/{bdb_uid}"

# What a database says of itself, and nobody sets.
_ITS_OWN: Final = frozenset({"uid", "action_uid", "status", "background_op"})
_LEAST: Final = {"memory_size": 0, "shards_count": 1}

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
_NEEDS: Final[Mapping[Transfer, str]] = {
    "export": "export_location",
    "import": "dataset_import_sources",
}
_RESETS: Final[tuple[Transfer, ...]] = ("export", "import", "backup")


class BdbCalls:
    """Those routes, the same on every node. `planned_calls` holds the plans for work."""

    def __init__(self, databases: Databases, planned_calls: PlannedCalls, *, version: str) -> None:
        self._databases = databases
        self._planned_calls = planned_calls
        self._takes_fields = at_least(version, "7.22")

    def add_to(self, app: web.Application, *, v2: bool) -> None:
        """Let an application answer them."""
        app.router.add_get("/v1/bdbs", self._list)
        app.router.add_post("/v1/bdbs", self._create)
        app.router.add_get(_ONE, self._single)
        app.router.add_put(_ONE, self._update)
        app.router.add_delete(_ONE, self._delete)
        app.router.add_put(f"{_ONE}/flush", self._change)
        app.router.add_put(f"{_ONE}/reset_admin_pass", self._change)
        app.router.add_post(f"{_ONE}/upgrade", self._upgrade)
        if v2:
            app.router.add_post("/v2/bdbs", self._create_v2)

    async def _list(self, request: web.Request) -> web.Response:
        shown = self._databases.shown(_now()).values()
        return web.json_response([self._seen(request, database) for database in shown])

    async def _single(self, request: web.Request) -> web.Response:
        database = self._databases.seen(request.match_info["bdb_uid"], _now())
        return web.json_response(self._seen(request, database))

    async def _create(self, request: web.Request) -> web.Response:
        return self._created(request, await body_of(request, needed=True))

    async def _create_v2(self, request: web.Request) -> web.Response:
        config = (await body_of(request, needed=True)).get("bdb")
        if not isinstance(config, dict):
            raise refusal(400, "invalid_request", "bdb is no JSON object")
        return self._created(request, cast("dict[str, object]", config))

    async def _update(self, request: web.Request) -> web.Response:
        """Change what differs; where nothing does, start nothing."""
        asked = settings_of(await body_of(request, needed=True))
        database, dry = self._free(request), is_dry(request)
        _check(asked)
        shown = self._shown(database)
        changes = {
            name: value
            for name, value in asked.items()
            if name not in shown or shown[name] != value
        }
        if dry or not changes:
            return web.json_response(shown)
        return self._changed(request, database, changes)

    async def _change(self, request: web.Request) -> web.Response:
        """Change what differs, and do what the path says, which always is something to do."""
        asked = settings_of(await body_of(request))
        database, dry = self._free(request), is_dry(request)
        _check(asked)
        if dry:
            return web.json_response(self._shown(database))
        return self._changed(request, database, asked)

    async def _delete(self, request: web.Request) -> web.Response:
        await body_of(request)
        database = self._free(request)
        if is_dry(request):
            return web.json_response(self._shown(database))
        return web.json_response(self._started(request, "SMDeleteBDB", database))

    async def _upgrade(self, request: web.Request) -> web.Response:
        """Start an upgrade: as recorded, the database still says that it is active."""
        await body_of(request)
        database = self._free(request)
        if is_dry(request):
            return web.json_response(self._shown(database))
        started = self._started(request, "SMUpgradeBDB", database)
        return web.json_response(started | {"status": "active"})

    def _created(self, request: web.Request, config: dict[str, object]) -> web.Response:
        now, dry, config = _now(), is_dry(request), settings_of(config)
        if not (isinstance(config.get("name"), str) and config["name"]):
            raise refusal(406, "missing_db_name", "name is required")
        _check(config)
        uid = config.get("uid", self._databases.next_uid)
        if not (type(uid) is int and uid > 0):
            raise refusal(406, "invalid_uid", "uid is an integer, 1 or more")
        if uid in self._databases.present(now):
            raise refusal(409, "uid_exists", f"there is a database {uid}")
        if dry:
            database = FakeDatabase(uid=uid, made_with=_settable(config))
            return web.json_response(self._shown(database))
        database = self._databases.add(uid, now, _settable(config))
        return web.json_response(self._started(request, "SMCreateBDB", database))

    def _changed(
        self, request: web.Request, database: FakeDatabase, changes: Mapping[str, object]
    ) -> web.Response:
        return web.json_response(self._started(request, "SMUpdateBDB", database, changes))

    def _started(
        self,
        request: web.Request,
        name: str,
        database: FakeDatabase,
        changes: Mapping[str, object] | None = None,
    ) -> dict[str, object]:
        """Start an action; return the database as it shows that, even if it is done at once."""
        plan = self._planned_calls.take(request)
        before = self._shown(database)
        action = self._databases.start(name, database.uid, plan, _now())
        database.add_change(action, _settable(changes or {}))
        return before | under_way(action)

    def _free(self, request: web.Request) -> FakeDatabase:
        """Return the database that a path names, if it takes work now; else answer 404 or 409."""
        return self._databases.free(request.match_info["bdb_uid"], _now())

    def _shown(self, database: FakeDatabase) -> dict[str, object]:
        return bdb(database, _now(), self._databases.epoch)

    def _seen(self, request: web.Request, database: FakeDatabase) -> dict[str, object]:
        """Return a database, or those of its fields that the query names.

        Some versions refuse that parameter; which ones do, and that they say 400, is a guess.
        """
        shown, fields = self._shown(database), request.query.get("fields")
        if fields is None:
            return shown
        if not self._takes_fields:
            raise refusal(400, "invalid_request", "there is no parameter fields")
        names = {"uid", *fields.split(",")}
        return {name: value for name, value in shown.items() if name in names}


def _check(config: Mapping[str, object]) -> None:
    """Answer 406 to a configuration that no database can have."""
    for name, least in _LEAST.items():
        value = config.get(name, least)
        if type(value) is not int or value < least:
            raise refusal(406, f"invalid_{name}", f"{name} is an integer, {least} or more")


def _settable(config: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in config.items() if name not in _ITS_OWN}


def _now() -> float:
    return asyncio.get_running_loop().time()


class BdbActions:
    """Those routes, the same on every node. `planned_calls` holds the plans for work."""

    def __init__(self, databases: Databases, planned_calls: PlannedCalls, *, version: str) -> None:
        self._databases = databases
        self._planned_calls = planned_calls
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
        plan = self._planned_calls.take(request)
        return self._databases.start(name, database.uid, plan, _now(), shards=shards)


def _moved(request: web.Request, database: FakeDatabase) -> tuple[int, ...]:
    """Return the shards that a call moves: the primary of the only pair if it only fails over."""
    most = number(request, "max_operations")
    return database.shards[:1][:most] if switch(request, "only_failovers") else database.shards


class TransferCalls:
    """Those routes, the same on every node. `planned_calls` holds the plans for work."""

    def __init__(self, databases: Databases, planned_calls: PlannedCalls) -> None:
        self._databases = databases
        self._planned_calls = planned_calls

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
            plan = self._planned_calls.take(request)
            self._databases.start(kind, database.uid, plan, now)
        return web.Response()

    async def _reset(self, kind: Transfer, request: web.Request) -> web.Response:
        now = _now()
        transfers = self._databases.named(request.match_info["bdb_uid"], now).transfers[kind]
        if transfers.running(now):
            raise refusal(409, "busy", f"the {kind} is under way")
        transfers.reset(now)
        return web.Response()
