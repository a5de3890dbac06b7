"""Routes of the actions on nodes and on the whole cluster.

Vendor pages: requests/nodes/actions, requests/cluster/actions, objects/action. All error codes
but `action_not_found` are guesses, and so are these: an unknown action on a node is answered 404,
as its page has no status for it; a node that is down is answered as one that was not bootstrapped;
a removed node is unknown to each call that would start an action on it, while its results are
known; the cluster's actions cannot be cancelled ("currently no actions are supported"), nor their
results be removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast, get_args

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import error_response, parse_uid, read_body
from redis_enterprise_actions.testing.settings import is_since
from redis_enterprise_actions.testing.state.node_actions import ClusterActionName, NodeActionName

from .nodes import member_uid


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.server.nodes import NodeServers
    from redis_enterprise_actions.testing.settings import ClusterSettings
    from redis_enterprise_actions.testing.state.actions import PlannedCalls
    from redis_enterprise_actions.testing.state.node_actions import (
        NodeActionRegistry,
        NodeActionRun,
    )

# The single answer shows progress only where a test asked for it: recorded answers have none.
_SHOWN_PROGRESS: Final = frozenset({"linear", "stalling"})


class NodeActionRoutes:
    """Routes of the actions on nodes; `planned_calls` has the plans for those they start."""

    def __init__(
        self,
        settings: ClusterSettings,
        actions: NodeActionRegistry,
        planned_calls: PlannedCalls,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._actions = actions
        self._planned_calls = planned_calls

    def add_to(self, app: web.Application) -> None:
        node = "/v1/nodes/{node}/actions"
        app.router.add_get("/v1/nodes/actions", self._list_all)
        app.router.add_get(node, self._list_of_node)
        app.router.add_get(f"{node}/{{action}}", self._single)
        app.router.add_post(f"{node}/{{action}}", self._start)
        app.router.add_delete(f"{node}/{{action}}", self._cancel)

    async def _list_all(self, _: web.Request) -> web.Response:
        runs = self._actions.list_runs(lateness=self._settings.lateness)
        entries = [_entry(run, self._clock.now()) for run in runs if run.node_uid is not None]
        bare = self._settings.bare_node_actions
        return web.json_response(entries if bare else {"actions": entries})

    async def _list_of_node(self, request: web.Request) -> web.Response:
        uid = parse_uid(request.match_info["node"])
        runs = self._actions.list_runs(lateness=self._settings.lateness)
        entries = [_entry(run, self._clock.now()) for run in runs if uid and run.node_uid == uid]
        if not entries:
            member_uid(request, self._actions)
        return web.json_response({"actions": entries})

    async def _single(self, request: web.Request) -> web.Response:
        run, now = self._run(request, lateness=self._settings.lateness), self._clock.now()
        body: dict[str, object] = {"status": run.status(now), "task_id": run.work.uid}
        if run.work.progress in _SHOWN_PROGRESS:
            body["progress"] = run.percent(now)
        return web.json_response(body | _error_fields(run, now))

    async def _start(self, request: web.Request) -> web.Response:
        await read_body(request, required=True)
        uid, action = member_uid(request, self._actions), request.match_info["action"]
        if action not in get_args(NodeActionName):
            raise _not_found(action)
        if self._actions.is_unfinished(uid, action):
            raise _already_running(action)
        plan = self._planned_calls.take(request)
        run = self._actions.start(cast("NodeActionName", action), plan, node_uid=uid)
        return web.json_response({"status": "queued", "task_id": run.work.uid})

    async def _cancel(self, request: web.Request) -> web.Response:
        """Cancel a run, or remove the result of one that has ended."""
        run = self._run(request)
        if not run.is_unfinished(self._clock.now()):
            self._actions.forget(run.node_uid, run.action, at=self._clock.now())
        elif run.action in self._settings.not_cancellable:
            description = f"Action {run.action} cannot be cancelled"
            raise error_response(409, "action_not_cancellable", description)
        else:
            self._actions.cancel(run)
        return web.Response()

    def _run(self, request: web.Request, *, lateness: float = 0.0) -> NodeActionRun:
        """Return the run of a path; answer 404 if the cluster shows none, or no such node."""
        uid, action = parse_uid(request.match_info["node"]), request.match_info["action"]
        run = None if uid is None else self._actions.find(uid, action, lateness=lateness)
        if run is None:
            member_uid(request, self._actions)
            raise _not_found(action)
        return run


class ClusterActionRoutes:
    """Routes of the actions of the whole cluster."""

    def __init__(
        self,
        settings: ClusterSettings,
        nodes: NodeServers,
        actions: NodeActionRegistry,
        planned_calls: PlannedCalls,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._nodes = nodes
        self._actions = actions
        self._planned_calls = planned_calls

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/v1/cluster/actions", self._list)
        app.router.add_get("/v1/cluster/actions/{action}", self._single)
        app.router.add_post("/v1/cluster/actions/{action}", self._start)
        app.router.add_delete("/v1/cluster/actions/{action}", self._cancel)

    async def _list(self, _: web.Request) -> web.Response:
        runs = self._actions.list_runs(lateness=self._settings.lateness)
        entries = [_entry(run, self._clock.now()) for run in runs if run.node_uid is None]
        return web.json_response({"actions": entries})

    async def _single(self, request: web.Request) -> web.Response:
        action = request.match_info["action"]
        run = self._actions.find(None, action, lateness=self._settings.lateness)
        if run is None:
            raise _not_found(action)
        return web.json_response(_entry(run, self._clock.now()))

    async def _start(self, request: web.Request) -> web.Response:
        body, action = await read_body(request, required=True), request.match_info["action"]
        if action not in get_args(ClusterActionName):
            raise error_response(400, "invalid_action", f"there is no action {action}")
        uid = parse_uid(str(body.get("node_uid")))
        if uid is None:
            raise error_response(400, "invalid_request", "node_uid is the uid of a node")
        # The pages have 404 and 406 from 8.0 on; before, only 400.
        unknown, unfit = (404, 406) if is_since(self._settings.version, "8.0") else (400, 400)
        if uid not in self._actions.members():
            raise error_response(unknown, "node_not_found", "no such node")
        if uid not in self._nodes.running:
            raise error_response(unfit, "invalid_node", f"node {uid} cannot be the primary")
        if self._actions.is_unfinished(None, action):
            raise _already_running(action)
        plan = self._planned_calls.take(request)
        self._actions.start(cast("ClusterActionName", action), plan, promotes=uid)
        return web.json_response({})

    async def _cancel(self, request: web.Request) -> web.Response:
        raise _not_found(request.match_info["action"])


def _entry(run: NodeActionRun, now: float) -> dict[str, object]:
    """Return a run as lists show it: without its task_id."""
    entry: dict[str, object] = {"name": run.work.name, "status": run.status(now)}
    if run.node_uid is not None:
        entry["node_uid"] = str(run.node_uid)
    if run.percent(now) is not None:
        entry["progress"] = run.percent(now)
    return entry | _error_fields(run, now)


def _error_fields(run: NodeActionRun, now: float) -> dict[str, object]:
    if run.status(now) != "failed":
        return {}
    return {"error_code": run.work.error_code, "error_message": run.work.error}


def _not_found(action: str) -> web.HTTPException:
    return error_response(404, "action_not_found", f"Action {action} does not exist")


def _already_running(action: str) -> web.HTTPException:
    return error_response(409, "action_already_running", f"Action {action} is running already")
