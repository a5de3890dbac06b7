"""Routes that read, create, change and delete databases.

Vendor pages: requests/bdbs, requests/bdbs/upgrade, requests/bdbs/modules/upgrade,
requests/modules/upgrade, objects/bdb. These are guesses: a delete and an upgrade can be dry runs,
too; the code of a delete that is refused as the database is not active; an upgrade of modules is a
state machine of that name, which its answer does not name.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import (
    error_response,
    is_dry_run,
    read_body,
    without_query_parameters,
)
from redis_enterprise_actions.testing.settings import is_since
from redis_enterprise_actions.testing.state.databases import FakeDatabase
from redis_enterprise_actions.testing.state.replica_sources import replica_fields

from . import bodies
from .configurations import check, check_new, settable
from .kept_texts import KeptTexts, json_array, text_response


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.settings import Version
    from redis_enterprise_actions.testing.state.actions import PlannedCalls
    from redis_enterprise_actions.testing.state.databases import DatabaseRegistry

_PATH: Final = "/v1/bdbs/{bdb_uid}"


class DatabaseRoutes:
    """Routes of databases; `planned_calls` has the plans for the work that they start."""

    def __init__(
        self,
        databases: DatabaseRegistry,
        planned_calls: PlannedCalls,
        clock: Clock,
        *,
        version: Version,
    ) -> None:
        self._databases = databases
        self._planned_calls = planned_calls
        self._clock = clock
        self._texts = KeptTexts()
        self._version = version

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/v1/bdbs", self._list)
        app.router.add_post("/v1/bdbs", self._create_v1)
        app.router.add_get(_PATH, self._single)
        app.router.add_put(_PATH, self._update)
        app.router.add_delete(_PATH, self._delete)
        app.router.add_put(f"{_PATH}/flush", self._change)
        app.router.add_put(f"{_PATH}/reset_admin_pass", self._change)
        app.router.add_post(f"{_PATH}/upgrade", self._upgrade)
        app.router.add_post("/v2/bdbs", self._create_v2)
        app.router.add_post(f"{_PATH}/modules/upgrade", self._upgrade_modules)
        if not is_since(self._version, "8.0"):
            app.router.add_post("/v1/modules/upgrade/bdb/{bdb_uid}", self._upgrade_modules)

    async def _list(self, request: web.Request) -> web.Response:
        now, fields = self._clock.now(), request.query.get("fields")
        return text_response(
            json_array(
                self._texts.text(
                    (database.uid, fields),
                    database,
                    now,
                    partial(self._selected_fields, fields, database),
                )
                for database in self._databases.list_shown()
            )
        )

    async def _single(self, request: web.Request) -> web.Response:
        database = self._databases.get_shown(request.match_info["bdb_uid"])
        return web.json_response(self._selected_fields(request.query.get("fields"), database))

    async def _create_v1(self, request: web.Request) -> web.Response:
        return self._create(request, await read_body(request, required=True))

    async def _create_v2(self, request: web.Request) -> web.Response:
        config = (await read_body(request, required=True)).get("bdb")
        if not isinstance(config, dict):
            raise error_response(400, "invalid_request", "bdb is not a JSON object")
        return self._create(request, cast("dict[str, object]", config))

    def _create(self, request: web.Request, body: dict[str, object]) -> web.Response:
        config = without_query_parameters(body)
        check_new(config)
        uid = cast("int", config.get("uid", self._databases.next_uid))
        if self._databases.find(uid):
            raise error_response(409, "uid_exists", f"there is a database {uid}")
        database = FakeDatabase(uid=uid, made_with=settable(config), created_at=self._clock.now())
        self._check(database, config)
        if is_dry_run(request):
            return web.json_response(self._to_json(database))
        self._databases.add(database)
        return web.json_response(self._start(request, "SMCreateBDB", database))

    async def _update(self, request: web.Request) -> web.Response:
        """Change the fields that differ; start nothing if none does."""
        config = without_query_parameters(await read_body(request, required=True))
        database = self._idle_database(request)
        self._check(database, config)
        current = bodies.database(database, self._clock.now(), self._clock)
        changes = {
            name: value
            for name, value in config.items()
            if name not in current or current[name] != value
        }
        if is_dry_run(request) or not changes:
            return web.json_response(self._to_json(database))
        return web.json_response(self._start(request, "SMUpdateBDB", database, changes))

    async def _change(self, request: web.Request) -> web.Response:
        """Change the fields of the body and do what the path names; start an action in any case."""
        config = without_query_parameters(await read_body(request))
        database = self._idle_database(request)
        self._check(database, config)
        if is_dry_run(request):
            return web.json_response(self._to_json(database))
        return web.json_response(self._start(request, "SMUpdateBDB", database, config))

    async def _delete(self, request: web.Request) -> web.Response:
        await read_body(request)
        database = self._idle_database(request)
        if database.status(self._clock.now()) != "active":
            raise error_response(409, "db_not_active", "the database is not active")
        if is_dry_run(request):
            return web.json_response(self._to_json(database))
        return web.json_response(self._start(request, "SMDeleteBDB", database))

    async def _upgrade(self, request: web.Request) -> web.Response:
        """Start an upgrade: as recorded, the answer still calls the database active."""
        await read_body(request)
        database = self._idle_database(request)
        if is_dry_run(request):
            return web.json_response(self._to_json(database))
        started = self._start(request, "SMUpgradeBDB", database)
        return web.json_response(started | {"status": "active"})

    async def _upgrade_modules(self, request: web.Request) -> web.Response:
        """Start an upgrade of modules; the answer is a mix of the database and the first module."""
        body = await read_body(request)
        database = self._idle_database(request)
        module = _first_module(body)
        self._start(request, "SMUpgradeBDB", database)
        return web.json_response({
            "uid": database.uid,
            "name": database.config(self._clock.now())["name"],
            "module_id": module["new_module"],
            "module_name": module.get("module_name", ""),
        })  # fmt: skip

    def _start(
        self,
        request: web.Request,
        name: str,
        database: FakeDatabase,
        changes: Mapping[str, object] | None = None,
    ) -> dict[str, object]:
        """Start an action; return the database that shows it, even if it is done at once."""
        action = self._databases.start(name, database.uid, self._planned_calls.take(request))
        database.add_change(action, settable(changes or {}))
        return self._to_json(database) | bodies.busy_fields(action)

    def _check(self, database: FakeDatabase, changes: Mapping[str, object]) -> None:
        """Answer 406 to a configuration that no database can have."""
        taken_ports = self._databases.taken_ports(but=database.uid) if "port" in changes else ()
        check(database.config(self._clock.now()) | dict(changes), taken_ports=taken_ports)

    def _idle_database(self, request: web.Request) -> FakeDatabase:
        return self._databases.get_idle(request.match_info["bdb_uid"])

    def _to_json(self, database: FakeDatabase) -> dict[str, object]:
        now = self._clock.now()
        shown = bodies.database(database, now, self._clock)
        return shown | replica_fields(database, now, self._databases.sync_delay)

    def _selected_fields(self, fields: str | None, database: FakeDatabase) -> dict[str, object]:
        """Return a database, or those of its fields that a query names.

        Some versions refuse that parameter. Which ones do, and that they answer 400, is a guess.
        """
        shown = self._to_json(database)
        if fields is None:
            return shown
        if not is_since(self._version, "7.22"):
            raise error_response(400, "invalid_request", "there is no parameter fields")
        names = {"uid", *fields.split(",")}
        return {name: value for name, value in shown.items() if name in names}


def _first_module(body: dict[str, object]) -> dict[str, object]:
    """Return the first module of an upgrade; answer 400 if there is none."""
    modules = body.get("modules")
    first = cast("list[object]", modules)[:1] if isinstance(modules, list) else []
    module = cast("dict[str, object]", first[0]) if first and isinstance(first[0], dict) else {}
    if "new_module" not in module:
        raise error_response(400, "invalid_request", "modules is a list, with new_module in each")
    return module
