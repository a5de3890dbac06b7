"""What the fake's routes answer about nodes, and about what runs on them and on the cluster.

Vendor pages: requests/nodes/actions, requests/cluster/actions, requests/nodes, objects/action.
All error codes are guesses but `action_not_found`, and so are these: a removed node is not known
to any call that would start something on it, while its result is; a cluster's action cannot be
cancelled ("currently no actions are supported"), nor its result be removed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast, get_args

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import body_of, refusal
from redis_enterprise_actions.testing.state.node_actions import (
    ClusterActionName,
    NodeActionName,
    run_of,
)


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.server.nodes import Nodes
    from redis_enterprise_actions.testing.state.actions import PlannedCalls
    from redis_enterprise_actions.testing.state.node_actions import NodeActions, Run

# Progress that somebody asked for. The answers that were recorded have none.
_TOLD: Final = frozenset({"linear", "stalling"})
# A build of each version, all of which were seen.
_BUILDS: Final = {
    "7.4": "7.4.6-272",
    "7.8": "7.8.6-286",
    "7.22": "7.22.2-170",
    "8.0": "8.0.20-68",
}
_NODES: Final = "/v1/nodes"
_CLUSTER: Final = "/v1/cluster/actions"


class House(Protocol):
    """What the routes are told by the cluster, which may be told otherwise at any time."""

    @property
    def version(self) -> str: ...

    @property
    def lateness(self) -> float: ...

    bare_node_actions: bool
    not_cancellable: set[str]


class NodeRoutes:
    """The routes about nodes and cluster actions, the same on every node."""

    def __init__(
        self, house: House, *, nodes: Nodes, actions: NodeActions, planned_calls: PlannedCalls
    ) -> None:
        self._house = house
        self._nodes = nodes
        self._actions = actions
        self._planned_calls = planned_calls

    def add_to(self, app: web.Application) -> None:
        """Let an application answer them."""
        app.router.add_get(_NODES, self._list_nodes)
        app.router.add_get(f"{_NODES}/actions", self._list_all)
        app.router.add_get(f"{_NODES}/status", self._statuses)
        app.router.add_get(f"{_NODES}/{{node}}", self._node)
        app.router.add_get(f"{_NODES}/{{node}}/actions", self._list_one)
        app.router.add_get(f"{_NODES}/{{node}}/actions/{{action}}", self._single)
        app.router.add_post(f"{_NODES}/{{node}}/actions/{{action}}", self._start)
        app.router.add_delete(f"{_NODES}/{{node}}/actions/{{action}}", self._cancel)
        app.router.add_get(_CLUSTER, self._cluster_list)
        app.router.add_get(f"{_CLUSTER}/{{action}}", self._cluster_single)
        app.router.add_post(f"{_CLUSTER}/{{action}}", self._cluster_start)
        app.router.add_delete(f"{_CLUSTER}/{{action}}", self._cluster_cancel)

    async def _list_nodes(self, _: web.Request) -> web.Response:
        return web.json_response([self._shown(uid) for uid in self._actions.members()])

    async def _statuses(self, _: web.Request) -> web.Response:
        """Answer as requests/nodes/status documents it; there is no recording."""
        return web.json_response({
            str(uid): {
                "hostname": f"node{uid}",
                "node_status": "active" if uid in self._nodes.running else "down",
                "role": "master" if uid == self._nodes.primary else "slave",
                "software_version": _BUILDS[self._house.version],
            }
            for uid in self._actions.members()
        })  # fmt: skip

    async def _node(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown(self._member(request)))

    async def _list_all(self, _: web.Request) -> web.Response:
        found = [_entry(run) for run in self._seen() if run.node_uid is not None]
        return web.json_response(found if self._house.bare_node_actions else {"actions": found})

    async def _list_one(self, request: web.Request) -> web.Response:
        uid = _uid(request.match_info["node"])
        found = [_entry(run) for run in self._seen() if uid and run.node_uid == uid]
        if not found:
            self._member(request)
        return web.json_response({"actions": found})

    async def _single(self, request: web.Request) -> web.Response:
        run = self._known(request, late=self._house.lateness)
        now = _now()
        wire: dict[str, object] = {"status": run.status(now), "task_id": run.work.uid}
        if run.work.progress in _TOLD:
            wire["progress"] = run.percent(now)
        return web.json_response(wire | _error_of(run))

    async def _start(self, request: web.Request) -> web.Response:
        await body_of(request, needed=True)
        uid, action = self._member(request), request.match_info["action"]
        if action not in get_args(NodeActionName):
            raise _no_action(action)
        if self._actions.under_way(uid, action):
            raise _conflict(action)
        plan = self._planned_calls.take(request)
        run = run_of(cast("NodeActionName", action), plan, node_uid=uid)
        self._actions.start(run)
        return web.json_response({"status": "queued", "task_id": run.work.uid})

    async def _cancel(self, request: web.Request) -> web.Response:
        run = self._known(request)
        if not run.under_way(_now()):
            self._actions.forget(run.node_uid, run.action, at=_now())
        elif run.action in self._house.not_cancellable:
            said = f"Action {run.action} cannot be cancelled"
            raise refusal(409, "action_not_cancellable", said)
        else:
            self._actions.cancel(run)
        return web.Response()

    async def _cluster_list(self, _: web.Request) -> web.Response:
        found = [_entry(run) for run in self._seen() if run.node_uid is None]
        return web.json_response({"actions": found})

    async def _cluster_single(self, request: web.Request) -> web.Response:
        action = request.match_info["action"]
        run = self._actions.find(None, action, late=self._house.lateness)
        if run is None:
            raise _no_action(action)
        return web.json_response(_entry(run))

    async def _cluster_start(self, request: web.Request) -> web.Response:
        asked, action = await body_of(request, needed=True), request.match_info["action"]
        if action not in get_args(ClusterActionName):
            raise _no_action(action)
        uid = _uid(str(asked.get("node_uid")))
        if uid is None:
            raise refusal(400, "invalid_request", "node_uid is the uid of a node")
        if uid not in self._actions.members() or uid not in self._nodes.running:
            said = f"node {uid} cannot be the primary"
            raise refusal(406, "invalid_node", said)
        if self._actions.under_way(None, action):
            raise _conflict(action)
        plan = self._planned_calls.take(request)
        self._actions.start(run_of(cast("ClusterActionName", action), plan, promotes=uid))
        return web.json_response({})

    async def _cluster_cancel(self, request: web.Request) -> web.Response:
        raise _no_action(request.match_info["action"])

    def _seen(self) -> list[Run]:
        """Return what lists show, later than it is if the cluster is told so."""
        return self._actions.known(late=self._house.lateness)

    def _shown(self, uid: int) -> dict[str, object]:
        return {
            "uid": uid,
            "addr": f"10.0.0.{uid}",
            "status": "active" if uid in self._nodes.running else "down",
            "accept_servers": True,
            "rack_id": "",
            "software_version": _BUILDS[self._house.version],
        }

    def _member(self, request: web.Request) -> int:
        """Return the uid of the node that a path names; answer 404 if there is none."""
        uid = _uid(request.match_info["node"])
        if uid is None or uid not in self._actions.members():
            raise refusal(404, "node_not_exist", "no such node")
        return uid

    def _known(self, request: web.Request, *, late: float = 0.0) -> Run:
        """Return the run that a path names; answer 404 if there is none, or no such node."""
        uid, action = _uid(request.match_info["node"]), request.match_info["action"]
        run = None if uid is None else self._actions.find(uid, action, late=late)
        if run is None:
            self._member(request)
            raise _no_action(action)
        return run


def _entry(run: Run) -> dict[str, object]:
    """Return a run as it stands in lists: without its task_id."""
    now = _now()
    wire: dict[str, object] = {"name": run.work.name, "status": run.status(now)}
    if run.node_uid is not None:
        wire["node_uid"] = str(run.node_uid)
    if run.percent(now) is not None:
        wire["progress"] = run.percent(now)
    return wire | _error_of(run)


def _error_of(run: Run) -> dict[str, object]:
    if run.status(_now()) != "failed":
        return {}
    return {"error_code": run.work.error_code, "error_message": run.work.error}


def _uid(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _no_action(action: str) -> web.HTTPException:
    return refusal(404, "action_not_found", f"Action {action} does not exist")


def _conflict(action: str) -> web.HTTPException:
    return refusal(409, "action_already_running", f"Action {action} is running already")


def _now() -> float:
    return asyncio.get_running_loop().time()
