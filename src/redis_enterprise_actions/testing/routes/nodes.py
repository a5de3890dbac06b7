"""Routes of nodes: their objects and their status.

Vendor pages: requests/nodes, requests/nodes/status, objects/node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from redis_enterprise_actions.testing.server.nodes import inside_address
from redis_enterprise_actions.testing.server.requests import error_response, parse_uid


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.server.nodes import NodeServers
    from redis_enterprise_actions.testing.settings import ClusterSettings, Version
    from redis_enterprise_actions.testing.state.health import Health
    from redis_enterprise_actions.testing.state.node_actions import NodeActionRegistry
    from redis_enterprise_actions.testing.state.shards import ShardRegistry

# A build of each version, as seen on clusters.
_BUILDS: Final = {
    "7.4": "7.4.6-272",
    "7.8": "7.8.6-286",
    "7.22": "7.22.2-170",
    "8.0": "8.0.20-68",
    "8.0.16": "8.0.16-22",  # the number of this build is a guess
    "8.2": "8.2.0-25",
}
# The same on all nodes; fields and types are those that were seen on a cluster.
_HARDWARE: Final = {"cores": 4, "total_memory": 16 * 1024**3}
_INSTALLED: Final = {
    "accept_servers": True,
    "architecture": "x86_64",
    "bigstore_enabled": False,
    "ephemeral_storage_path": "/var/opt/redislabs/tmp",
    "ephemeral_storage_size": 100e9,
    "external_addr": [],
    "max_listeners": 100,
    "max_redis_servers": 100,
    "os_family": "ubuntu",
    "os_name": "ubuntu",
    "os_semantic_version": "22.04",
    "os_version": "Ubuntu 22.04.5 LTS",
    "persistent_storage_path": "/var/opt/redislabs/persist",
    "persistent_storage_size": 100e9,
    "rack_id": "",
    "second_rack_id": "",
    "supported_database_versions": [{"db_type": "redis", "version": "7.2.4"}],
    "use_internal_ipv6": False,
}


class NodeRoutes:
    """Routes of the nodes of a cluster; `actions` knows which of them were removed."""

    def __init__(
        self,
        settings: ClusterSettings,
        nodes: NodeServers,
        actions: NodeActionRegistry,
        *,
        health: Health,
        shards: ShardRegistry,
        clock: Clock,
    ) -> None:
        self._build = _BUILDS[settings.version]
        self._nodes = nodes
        self._actions = actions
        self._health = health
        self._shards = shards
        self._clock = clock

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/v1/nodes", self._list)
        app.router.add_get("/v1/nodes/status", self._list_statuses)
        app.router.add_get("/v1/nodes/{node}", self._single)
        app.router.add_get("/v1/nodes/{node}/status", self._single_status)

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response([self._to_json(uid) for uid in self._actions.members()])

    async def _single(self, request: web.Request) -> web.Response:
        return web.json_response(self._to_json(member_uid(request, self._actions)))

    async def _list_statuses(self, _: web.Request) -> web.Response:
        return web.json_response(
            {str(uid): self._status_to_json(uid) for uid in self._actions.members()}
        )

    async def _single_status(self, request: web.Request) -> web.Response:
        return web.json_response(self._status_to_json(member_uid(request, self._actions)))

    def _to_json(self, uid: int) -> dict[str, object]:
        shards = sorted(self._shards_of(uid, primaries=True, replicas=True))
        return {
            "uid": uid,
            "addr": address(uid),
            "status": self._health.node_status(uid),
            "shard_count": len(shards),
            "ram_shard_count": len(shards),
            "flash_shard_count": 0,
            "shard_list": shards,
            "software_version": self._build,
            "uptime": int(self._clock.now() - self._clock.started_at),
            **_HARDWARE,
            **_INSTALLED,
        }

    def _status_to_json(self, uid: int) -> dict[str, object]:
        """Return the status of a node as requests/nodes/status has it; there is no recording."""
        status: dict[str, object] = {
            "hostname": f"node{uid}",
            "node_status": self._health.node_status(uid),
            "role": "master" if uid == self._nodes.primary else "slave",
            "master_shards": self._shards_of(uid, primaries=True),
            "slave_shards": self._shards_of(uid, replicas=True),
            "software_version": self._build,
            **_HARDWARE,
        }
        began_at = self._actions.maintenance_began_at(uid)
        if began_at is not None:
            began = self._clock.iso_time(began_at).rstrip("Z").replace("T", " ")
            name = f"maintenance_mode_{began.replace(' ', '_').replace(':', '-')}"
            snapshot = {"created_time": began, "name": name, "node_uid": str(uid)}
            status["maintenance_snapshot"] = snapshot
        return status

    def _shards_of(self, uid: int, *, primaries: bool = False, replicas: bool = False) -> list[int]:
        """Return the uids of the primaries on a node, or of the replicas, or of both."""
        return [
            shard.uid
            for shard in self._shards.list_shown()
            if shard.node_uid == uid and (primaries if shard.is_primary else replicas)
        ]


def address(uid: int) -> str:
    """Return the address of a node inside the cluster's network."""
    return inside_address(uid)


def installed_node(version: Version) -> dict[str, object]:
    """Return the fields of a node's object that do not depend on a cluster."""
    return {"software_version": _BUILDS[version], **_HARDWARE, **_INSTALLED}


def find_member(text: str, actions: NodeActionRegistry) -> int:
    """Return the uid of a node of the cluster; answer 404 if there is none of that uid.

    Only the page of PUT /v1/nodes/{uid} has the code.
    """
    uid = parse_uid(text)
    if uid is None or uid not in actions.members():
        raise error_response(404, "node_not_found", "no such node")
    return uid


def member_uid(request: web.Request, actions: NodeActionRegistry) -> int:
    """Return the uid of the node of a path; answer 404 if the cluster has none."""
    return find_member(request.match_info["node"], actions)
