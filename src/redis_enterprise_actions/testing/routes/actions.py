"""What the fake's routes answer about actions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from . import bodies


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.state.actions import FakeAction
    from redis_enterprise_actions.testing.state.databases import Databases


class Routes:
    """The routes about actions, the same on every node.

    `actions` holds every action by its uid; `epoch` is when the loop's clock was 0, in Unix time.
    """

    def __init__(self, actions: dict[str, FakeAction], databases: Databases) -> None:
        self.actions = actions
        self.epoch = 0.0
        self._databases = databases

    def add(self, action: FakeAction) -> None:
        """Take an action, and the database that it works on, from its beginning."""
        self.actions[action.uid] = action
        self._databases.take(action)

    def add_to(self, app: web.Application, *, v2: bool) -> None:
        """Let an application answer them."""
        app.router.add_get("/v1/actions", self._v1_list)
        app.router.add_get("/v1/actions/bdb/{bdb_uid}", self._v1_database)
        app.router.add_get("/v1/actions/{uid}", self._v1_single)
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
        bdb_uid = self._databases.named(request.match_info["bdb_uid"], _now()).uid
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
