"""Routes of the bootstrap of nodes: its state, and what starts it.

Vendor pages: requests/bootstrap (GET is /v1/bootstrap on clusters; the /v1/boostrap of its table is
404), objects/bootstrap, objects/bootstrap/cluster_identity, objects/bootstrap/credentials. Only the
answer of a node that has completed was seen on clusters. These are guesses: the error codes; that
the answer to a POST has no body; that a node has no uid until it is in a cluster, and takes no
notice of credentials until then; that credentials are a user and a password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast, get_args

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import error_response, read_body
from redis_enterprise_actions.testing.state.bootstrap import BootstrapAction, BootstrapRequest

from .nodes import address, installed_node


if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.settings import ClusterSettings
    from redis_enterprise_actions.testing.state.bootstrap import Bootstraps

_ACTIONS: Final = "|".join(get_args(BootstrapAction))
_CREATIONS: Final = frozenset({"/v1/bdbs", "/v2/bdbs"})


class BootstrapRoutes:
    """Routes of the bootstrap of one node."""

    def __init__(
        self, settings: ClusterSettings, bootstraps: Bootstraps, clock: Clock, *, node: int
    ) -> None:
        self._settings = settings
        self._bootstraps = bootstraps
        self._clock = clock
        self._node = node

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/v1/bootstrap", self._status)
        app.router.add_post(f"/v1/bootstrap/{{action:{_ACTIONS}}}", self._start)
        app.middlewares.append(self._refuse_databases)

    async def _status(self, _: web.Request) -> web.Response:
        info: dict[str, object] = {
            **installed_node(self._settings.version),
            "uptime": int(self._clock.now() - self._clock.started_at),
            "available_addrs": [
                {
                    "address": address(self._node),
                    "format": "ipv4",
                    "if_name": "eth0",
                    "private": True,
                }
            ],
        }
        if self._bootstraps.demands_credentials(self._node):
            info["uid"] = str(self._node)
        return web.json_response(
            {"bootstrap_status": self._status_to_json(), "local_node_info": info}
        )

    def _status_to_json(self) -> dict[str, object]:
        state, run = self._bootstraps.state(self._node), self._bootstraps.find(self._node)
        status: dict[str, object] = {"state": state}
        if state == "idle":
            return status
        if run is None:  # the cluster was there before
            began = self._clock.iso_time(self._clock.started_at)
            return status | {"start_time": began, "end_time": began}
        status["start_time"] = self._clock.iso_time(run.began_at)
        if run.ended_at is not None:
            status["end_time"] = self._clock.iso_time(run.ended_at)
        if run.error is not None:
            status |= {"error_code": run.error.code, "error_details": run.error.details}
        return status

    async def _start(self, request: web.Request) -> web.Response:
        if self._bootstraps.state(self._node) not in {"idle", "error"}:
            raise error_response(409, "bootstrap_in_progress", "the bootstrap has begun already")
        action = cast("BootstrapAction", request.match_info["action"])
        body = await read_body(request, required=True)
        self._bootstraps.start(self._node, _parse(action, body))
        return web.Response()

    @web.middleware
    async def _refuse_databases(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse databases for a while after a bootstrap, as was seen on a 7.4.6."""
        is_creation = request.method == "POST" and request.path in _CREATIONS
        if is_creation and self._bootstraps.is_settling():
            raise error_response(406, "invalid_version", "the version is not supported")
        return await handler(request)


def _parse(action: BootstrapAction, body: dict[str, object]) -> BootstrapRequest:
    """Return the request of a body; answer 400 if something is missing."""
    if body.get("action") != action:
        raise _invalid(f"action is {action}, as in the path")
    cluster, credentials = _object(body, "cluster"), _object(body, "credentials")
    name, nodes = cluster.get("name"), cluster.get("nodes")
    listed = cast("list[object]", nodes) if isinstance(nodes, list) else []
    named = frozenset(each for each in listed if isinstance(each, str))
    if not isinstance(name, str) or not name:
        name = None
    if action == "join_cluster" and name is None and not named:
        raise _invalid("cluster.nodes or cluster.name is the cluster to join")
    if action != "join_cluster" and name is None:
        raise _invalid("cluster.name is required")
    username, password = credentials.get("username"), credentials.get("password")
    if not (isinstance(username, str) and isinstance(password, str) and username and password):
        raise _invalid("credentials are a username and a password")
    return BootstrapRequest(
        action=action,
        name=name,
        cluster=named,
        username=username,
        password=password,
    )


def _object(body: dict[str, object], name: str) -> dict[str, object]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise _invalid(f"{name} is required, an object")
    return cast("dict[str, object]", value)


def _invalid(description: str) -> web.HTTPException:
    return error_response(400, "invalid_request", description)
