"""Routes of actions: /v1/actions and, since 7.22, /v2/actions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import error_response

from . import bodies
from .kept_texts import KeptTexts, json_array, text_response


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
        self._texts = KeptTexts()

    def add_to(self, app: web.Application, *, v2: bool) -> None:
        app.router.add_get("/v1/actions", self._v1_list)
        app.router.add_get("/v1/actions/bdb/{bdb_uid}", self._v1_of_database)
        app.router.add_get("/v1/actions/{uid}", self._v1_single)
        if v2:
            app.router.add_get("/v2/actions", self._v2_list)
            app.router.add_get("/v2/actions/{uid}", self._v2_single)

    async def _v1_list(self, _: web.Request) -> web.Response:
        shown = self._listed()
        tasks = [action for action in shown if action.kind == "task"]
        machines = [action for action in shown if action.kind == "state-machine"]
        listed = self._array(tasks, bodies.task), self._array(machines, bodies.state_machine)
        return text_response('{{"actions": {}, "state-machines": {}}}'.format(*listed))

    async def _v1_single(self, request: web.Request) -> web.Response:
        action = self._find(request)
        if action.kind == "other":
            raise _not_found(request)
        body = bodies.task if action.kind == "task" else bodies.state_machine
        return web.json_response(body(action, self._clock.now(), self._clock))

    async def _v1_of_database(self, request: web.Request) -> web.Response:
        bdb_uid = self._databases.get(request.match_info["bdb_uid"]).uid
        return web.json_response([
            bodies.state_machine(action, self._clock.now(), self._clock)
            for action in self._listed()
            if action.kind == "state-machine" and action.bdb_uid == bdb_uid
        ])  # fmt: skip

    async def _v2_list(self, _: web.Request) -> web.Response:
        return text_response(self._array(self._listed(), bodies.v2))

    async def _v2_single(self, request: web.Request) -> web.Response:
        return web.json_response(bodies.v2(self._find(request), self._clock.now(), self._clock))

    def _array(
        self,
        actions: list[FakeAction],
        body: Callable[[FakeAction, float, Clock], dict[str, object]],
    ) -> str:
        now = self._clock.now()
        return json_array(
            self._texts.text((body, each.uid), each, now, partial(body, each, now, self._clock))
            for each in actions
        )

    def _listed(self) -> list[FakeAction]:
        """Return the actions that the cluster shows: all but those that have vanished.

        Those that have waited for a request begin.
        """
        now = self._clock.now()
        for uid in list(self._databases.waiting):
            self._databases.asked_for(self._actions[uid])
        return [action for action in self._actions.values() if not action.has_vanished(now)]

    def _find(self, request: web.Request) -> FakeAction:
        """Return the action of a path; answer 404 if the cluster shows none."""
        action = self._actions.get(request.match_info["uid"])
        if action is None or action.has_vanished(self._clock.now()):
            raise _not_found(request)
        return self._databases.asked_for(action)


def _not_found(request: web.Request) -> web.HTTPException:
    description = f"Action {request.match_info['uid']} does not exist"
    return error_response(404, "action_not_found", description)
