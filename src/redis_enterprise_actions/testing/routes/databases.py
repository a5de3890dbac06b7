"""The fake's routes that read, make, change and delete databases.

Vendor pages: requests/bdbs, requests/bdbs/upgrade, objects/bdb. Whatever a change sets is taken,
remembered, and shown when it is done; only what no cluster could do is refused. That a delete and
an upgrade can be dry runs, too, is a guess.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import (
    at_least,
    body_of,
    is_dry,
    refusal,
    settings_of,
)
from redis_enterprise_actions.testing.state.databases import FakeDatabase
from redis_enterprise_actions.testing.state.plans import next_plan

from . import bodies


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions.testing.state.databases import Databases
    from redis_enterprise_actions.testing.state.plans import Plan

_ONE: Final = "/v1/bdbs/{bdb_uid}"
# What a database says of itself, and nobody sets.
_ITS_OWN: Final = frozenset({"uid", "action_uid", "status", "background_op"})
_LEAST: Final = {"memory_size": 0, "shards_count": 1}


class BdbCalls:
    """Those routes, the same on every node. `plans` say how the work goes that they start."""

    def __init__(self, databases: Databases, plans: list[Plan], *, version: str) -> None:
        self._databases = databases
        self._plans = plans
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
        plan = next_plan(self._plans, request.method, request.path)
        before = self._shown(database)
        action = self._databases.start(name, database.uid, plan, _now())
        database.add_change(action, _settable(changes or {}))
        return before | bodies.under_way(action)

    def _free(self, request: web.Request) -> FakeDatabase:
        """Return the database that a path names, if it takes work now; else answer 404 or 409."""
        return self._databases.free(request.match_info["bdb_uid"], _now())

    def _shown(self, database: FakeDatabase) -> dict[str, object]:
        return bodies.bdb(database, _now(), self._databases.epoch)

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
