"""Routes of nodes: their objects and their status.

Vendor pages: requests/nodes, requests/nodes/status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import error_response


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.server.nodes import NodeServers
    from redis_enterprise_actions.testing.settings import ClusterSettings
    from redis_enterprise_actions.testing.state.node_actions import NodeActionRegistry

# A build of each version, as seen on clusters.
_BUILDS: Final = {
    "7.4": "7.4.6-272",
    "7.8": "7.8.6-286",
    "7.22": "7.22.2-170",
    "8.0": "8.0.20-68",
}


class NodeRoutes:
    """Routes of the nodes of a cluster; `actions` knows which of them were removed."""

    def __init__(
        self, settings: ClusterSettings, nodes: NodeServers, actions: NodeActionRegistry
    ) -> None:
        self._build = _BUILDS[settings.version]
        self._nodes = nodes
        self._actions = actions

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/v1/nodes", self._list)
        app.router.add_get("/v1/nodes/status", self._status)
        app.router.add_get("/v1/nodes/{node}", self._single)

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response([self._to_json(uid) for uid in self._actions.members()])

    async def _single(self, request: web.Request) -> web.Response:
        return web.json_response(self._to_json(member_uid(request, self._actions)))

    async def _status(self, _: web.Request) -> web.Response:
        """Answer as requests/nodes/status documents it; there is no recording."""
        return web.json_response({
            str(uid): {
                "hostname": f"node{uid}",
                "node_status": self._node_status(uid),
                "role": "master" if uid == self._nodes.primary else "slave",
                "software_version": self._build,
            }
            for uid in self._actions.members()
        })  # fmt: skip

    def _to_json(self, uid: int) -> dict[str, object]:
        return {
            "uid": uid,
            "addr": f"10.0.0.{uid}",
            "status": self._node_status(uid),
            "accept_servers": True,
            "rack_id": "",
            "software_version": self._build,
        }

    def _node_status(self, uid: int) -> str:
        return "active" if uid in self._nodes.running else "down"


def parse_uid(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def member_uid(request: web.Request, actions: NodeActionRegistry) -> int:
    """Return the uid of the node of a path; answer 404 if the cluster has none."""
    uid = parse_uid(request.match_info["node"])
    if uid is None or uid not in actions.members():
        raise error_response(404, "node_not_exist", "no such node")
    return uid
