"""What the fake's routes answer about actions and databases, and the state that they read."""

from __future__ import annotations

import asyncio
import json
from math import inf
from typing import TYPE_CHECKING, Final

from aiohttp import web

from . import _bodies as bodies


if TYPE_CHECKING:
    from ._script import FakeAction

_DONE: Final = frozenset({"completed", "vanishes", "stuck"})  # outcomes of work that was done
_BUSY: Final = {"SMCreateBDB": "pending", "SMDeleteBDB": "delete-pending"}
# Database objects hold secrets, and so must the fake's: this one may show up nowhere else.
DATABASE_SECRET: Final = "fake-database-secret"  # noqa: S105 - of a database that is not there


class Routes:
    """The routes about actions and databases, the same on every node.

    `actions` holds every action by its uid; `epoch` is when the loop's clock was 0, in Unix time.
    """

    def __init__(self) -> None:
        self.actions: dict[str, FakeAction] = {}
        self.epoch = 0.0
        self._gone_at: dict[int, float] = {}  # by database; inf while nothing deletes it

    def add(self, action: FakeAction) -> None:
        """Take an action, and the database that it works on, from its beginning."""
        self.actions[action.uid] = action
        if action.bdb_uid is None:
            return
        deletes = action.name == "SMDeleteBDB" and action.outcome in _DONE
        known = self._gone_at.get(action.bdb_uid, -inf)
        known = inf if known <= action.began_at else known  # what is gone by then is made anew
        self._gone_at[action.bdb_uid] = min(known, action.ends_at if deletes else inf)

    def add_to(self, app: web.Application, *, v2: bool) -> None:
        """Let an application answer them."""
        app.router.add_get("/v1/actions", self._v1_list)
        app.router.add_get("/v1/actions/bdb/{bdb_uid}", self._v1_database)
        app.router.add_get("/v1/actions/{uid}", self._v1_single)
        app.router.add_get("/v1/bdbs/{bdb_uid}", self._bdb)
        if v2:
            app.router.add_get("/v2/actions", self._v2_list)
            app.router.add_get("/v2/actions/{uid}", self._v2_single)

    async def _v1_list(self, _: web.Request) -> web.Response:
        shown = self._shown()
        return web.json_response({
            "actions": [self._v1(action) for action in shown if action.kind == "task"],
            "state-machines": [
                self._v1(action) for action in shown if action.kind == "state-machine"
            ],
        })  # fmt: skip

    async def _v1_single(self, request: web.Request) -> web.Response:
        action = self._shown_one(request)
        if action is None or action.kind == "other":
            return _not_known(request)
        return web.json_response(self._v1(action))

    async def _v1_database(self, request: web.Request) -> web.Response:
        bdb_uid = self._database(request)
        return web.json_response([
            self._v1(action)
            for action in self._shown()
            if action.kind == "state-machine" and action.bdb_uid == bdb_uid
        ])  # fmt: skip

    async def _v2_list(self, _: web.Request) -> web.Response:
        return web.json_response([self._v2(action) for action in self._shown()])

    async def _v2_single(self, request: web.Request) -> web.Response:
        action = self._shown_one(request)
        return _not_known(request) if action is None else web.json_response(self._v2(action))

    async def _bdb(self, request: web.Request) -> web.Response:
        bdb_uid = self._database(request)
        database: dict[str, object] = {
            "uid": bdb_uid,
            "name": f"db{bdb_uid}",
            "status": "active",
            "authentication_admin_pass": DATABASE_SECRET,
            "background_op": [{"status": "idle"}],
        }
        running = [
            action
            for action in self._shown()
            if action.bdb_uid == bdb_uid and _now() < action.ends_at
        ]
        if running:
            database["status"] = _BUSY.get(running[0].name, "active-change-pending")
            database["action_uid"] = running[0].uid
            database["background_op"] = [
                {"name": running[0].name, "progress": 0, "status": "pending"}
            ]
        return web.json_response(database)

    def _database(self, request: web.Request) -> int:
        """Return the uid of the database that a path names; answer 404 if there is none."""
        text = request.match_info["bdb_uid"]
        uid = int(text) if text.isdecimal() else None
        if uid is None or _now() >= self._gone_at.get(uid, -inf):
            raise web.HTTPNotFound(
                text=json.dumps({"error_code": "db_not_exist", "description": "no such database"})
            )
        return uid

    def _shown(self) -> list[FakeAction]:
        now = _now()
        return [
            action
            for action in self.actions.values()
            if action.outcome != "vanishes" or now < action.ends_at
        ]

    def _shown_one(self, request: web.Request) -> FakeAction | None:
        uid = request.match_info["uid"]
        return next((action for action in self._shown() if action.uid == uid), None)

    def _v1(self, action: FakeAction) -> dict[str, object]:
        shape = bodies.task if action.kind == "task" else bodies.machine
        return shape(action, _now(), self.epoch)

    def _v2(self, action: FakeAction) -> dict[str, object]:
        return bodies.v2(action, _now(), self.epoch)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _not_known(request: web.Request) -> web.Response:
    said = f"Action {request.match_info['uid']} does not exist"
    return web.json_response({"description": said, "error_code": "action_not_found"}, status=404)
