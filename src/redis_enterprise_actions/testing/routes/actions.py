"""Routes of actions: /v1/actions and, since 7.22, /v2/actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from redis_enterprise_actions.testing.clock import loop_time
from redis_enterprise_actions.testing.server.requests import error_response

from . import bodies


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.state.actions import FakeAction
    from redis_enterprise_actions.testing.state.databases import DatabaseRegistry


class ActionRoutes:
    """Routes of the actions of a cluster (`actions`, by uid)."""

    def __init__(
        self, actions: dict[str, FakeAction], databases: DatabaseRegistry, clock: Clock
    ) -> None:
        self._actions = actions
        self._databases = databases
        self._clock = clock

    def add_to(self, app: web.Application, *, v2: bool) -> None:
        app.router.add_get("/v1/actions", self._v1_list)
        app.router.add_get("/v1/actions/bdb/{bdb_uid}", self._v1_of_database)
        app.router.add_get("/v1/actions/{uid}", self._v1_single)
        if v2:
            app.router.add_get("/v2/actions", self._v2_list)
            app.router.add_get("/v2/actions/{uid}", self._v2_single)

    async def _v1_list(self, _: web.Request) -> web.Response:
        return web.json_response({
            "actions": self._to_json("task", bodies.task),
            "state-machines": self._to_json("state-machine", bodies.state_machine),
        })  # fmt: skip

    async def _v1_single(self, request: web.Request) -> web.Response:
        action = self._find(request)
        if action.kind == "other":
            raise _not_found(request)
        body = bodies.task if action.kind == "task" else bodies.state_machine
        return web.json_response(body(action, loop_time(), self._clock))

    async def _v1_of_database(self, request: web.Request) -> web.Response:
        bdb_uid = self._databases.get(request.match_info["bdb_uid"]).uid
        return web.json_response([
            bodies.state_machine(action, loop_time(), self._clock)
            for action in self._listed()
            if action.kind == "state-machine" and action.bdb_uid == bdb_uid
        ])  # fmt: skip

    async def _v2_list(self, _: web.Request) -> web.Response:
        now = loop_time()
        return web.json_response([bodies.v2(each, now, self._clock) for each in self._listed()])

    async def _v2_single(self, request: web.Request) -> web.Response:
        return web.json_response(bodies.v2(self._find(request), loop_time(), self._clock))

    def _to_json(
        self, kind: str, body: Callable[[FakeAction, float, Clock], dict[str, object]]
    ) -> list[dict[str, object]]:
        now = loop_time()
        return [body(each, now, self._clock) for each in self._listed() if each.kind == kind]

    def _listed(self) -> list[FakeAction]:
        """Return the actions that the cluster shows: all but those that have vanished."""
        now = loop_time()
        return [
            action
            for action in self._actions.values()
            if action.outcome != "vanishes" or now < action.ends_at
        ]

    def _find(self, request: web.Request) -> FakeAction:
        """Return the action of a path; answer 404 if the cluster shows none."""
        for action in self._listed():
            if action.uid == request.match_info["uid"]:
                return action
        raise _not_found(request)


def _not_found(request: web.Request) -> web.HTTPException:
    description = f"Action {request.match_info['uid']} does not exist"
    return error_response(404, "action_not_found", description)
