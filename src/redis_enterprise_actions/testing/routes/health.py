"""Routes of the health of nodes, of the cluster and of databases.

Vendor pages: requests/cluster/check, requests/node_master_healthcheck, monitoring/health-report.
The API reference has the fields of the health reports (from 8.0.16), and no example. So these are
guesses: ids are numbers; the entries of shards; `services`, `license` and `certificates` are empty;
the status is "error" if a node is down or a database is not available, and "warning" if anything
else is not as it should be or an alert is active; the report of a database that is not available
is answered 503, too. The page on health reports has /v4/bdb/{uid}/health in place of /v4/db.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from redis_enterprise_actions.testing.settings import is_since


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.server.nodes import NodeServers
    from redis_enterprise_actions.testing.settings import ClusterSettings
    from redis_enterprise_actions.testing.state.availability import Availability
    from redis_enterprise_actions.testing.state.crdb_instances import CrdbInstance, InstanceRegistry
    from redis_enterprise_actions.testing.state.databases import DatabaseRegistry, FakeDatabase
    from redis_enterprise_actions.testing.state.health import Health
    from redis_enterprise_actions.testing.state.node_actions import NodeActionRegistry
    from redis_enterprise_actions.testing.state.shards import FakeShard, ShardRegistry


class NodeCheckRoutes:
    """Routes of the checks of nodes; `node` is the one that answers."""

    def __init__(
        self, health: Health, nodes: NodeServers, actions: NodeActionRegistry, *, node: int
    ) -> None:
        self._health = health
        self._nodes = nodes
        self._actions = actions
        self._node = node

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/v1/cluster/check", self._check)
        app.router.add_get("/v1/local/node/master_healthcheck", self._has_primary)

    async def _check(self, _: web.Request) -> web.Response:
        errors = {uid: self._error(uid) for uid in self._actions.members()}
        nodes: list[dict[str, object]] = [
            {"node_uid": str(uid), "result": True}
            if error is None
            else {"node_uid": str(uid), "result": False, "error": error}
            for uid, error in errors.items()
        ]
        passed = not any(errors.values())
        return web.json_response({"cluster_test_result": passed, "nodes": nodes})

    def _error(self, uid: int) -> str | None:
        """Return the error of a node; the text of one that is down is a guess."""
        if self._health.node_status(uid) == "down":
            return f"node {uid} is down"
        return self._health.check_errors.get(uid)

    async def _has_primary(self, _: web.Request) -> web.Response:
        """Tell whether this node has a connection to the primary.

        It needs credentials: its page names a permission. That a node without one is any node
        during an election, or one that is down for the others, is a guess.
        """
        is_down = self._health.node_status(self._node) == "down"
        status = "inactive" if is_down or self._nodes.primary is None else "active"
        return web.json_response({"status": status})


class HealthReportRoutes:
    """Routes of the health reports of the cluster and of databases."""

    def __init__(
        self,
        settings: ClusterSettings,
        clock: Clock,
        *,
        health: Health,
        nodes: NodeServers,
        actions: NodeActionRegistry,
        databases: DatabaseRegistry,
        shards: ShardRegistry,
        availability: Availability,
        instances: InstanceRegistry,
    ) -> None:
        self._health = health
        self._nodes = nodes
        self._actions = actions
        self._databases = databases
        self._shards = shards
        self._availability = availability
        self._instances = instances
        self._settings = settings
        self._clock = clock

    def add_to(self, app: web.Application) -> None:
        if is_since(self._settings.version, "8.0.16"):
            app.router.add_get("/v4/cluster/health", self._cluster)
            app.router.add_get("/v4/db/{bdb_uid}/health", self._database)

    async def _cluster(self, _: web.Request) -> web.Response:
        status = self._status()
        body: dict[str, object] = {
            "status": status,
            "nodes": [self._node(uid) for uid in self._actions.members()],
            "database_infos": [self._info(each) for each in self._databases.list_shown()],
            "active_alerts": list(self._health.alerts),
            "license": {},
            "certificates": [],
        }
        return web.json_response(body, status=503 if status == "error" else 200)

    def _status(self) -> str:
        if any(self._health.node_status(uid) == "down" for uid in self._actions.members()):
            return "error"
        if any(self._availability.error(uid) for uid in self._databases.existing()):
            return "error"
        return "warning" if self._health.findings() or self._health.alerts else "ok"

    def _node(self, uid: int) -> dict[str, object]:
        status = self._health.node_status(uid)
        return {
            "id": uid,
            "status": status,
            "detailed_status": self._health.check_errors.get(uid, status),
            "role": "leader" if uid == self._nodes.primary else "follower",
            "in_maintenance": self._health.in_maintenance(uid),
            "quorum_only": False,
            "shards": [
                _shard(shard) for shard in self._shards.list_shown() if shard.node_uid == uid
            ],
            "services": [],
        }

    def _info(self, database: FakeDatabase) -> dict[str, object]:
        now = self._clock.now()
        detailed, shards = database.status(now), self._shards.of(database)
        all_ok = all(shard.is_ok for shard in shards)
        status = "active" if detailed == "active" and all_ok else "warning"
        return {
            "id": database.uid,
            "name": database.config(now)["name"],
            "status": "down" if self._availability.error(database.uid) else status,
            "detailed_status": detailed,
            "high_availability": {"status": "ok" if all_ok else "warning"},
        }

    async def _database(self, request: web.Request) -> web.Response:
        database, now = self._databases.get_shown(request.match_info["bdb_uid"]), self._clock.now()
        error, running = self._availability.error(database.uid), database.running(now)
        availability = "up" if error is None else "down"
        name = f"redis-{database.endpoint_port(now)}.{self._settings.name}"
        body: dict[str, object] = {
            "availability": availability,
            "availability_errors": [] if error is None else [error],
            "detailed_status": database.status(now),
            "endpoints": [{"name": name, "availability": availability}],
            "shards": [_shard(shard) for shard in self._shards.of(database)],
        }
        if running is not None and running.kind == "state-machine":
            body["state_machine"] = {"name": running.name, "state": running.state(now)}
        instance = self._instances.of_database(database.uid)
        if instance is not None:
            body["active_active"] = _active_active(instance)
        return web.json_response(body, status=200 if error is None else 503)


def _shard(shard: FakeShard) -> dict[str, object]:
    return {
        "id": shard.uid,
        "db_id": shard.bdb_uid,
        "role": shard.role,
        "status": shard.status,
        "detailed_status": shard.detailed_status,
    }


def _active_active(instance: CrdbInstance) -> dict[str, object]:
    return {
        "available": instance.has_links_up,
        "participating_clusters": [
            {
                "fqdn": peer.cluster.name,
                "replica_id": peer.id,
                "replication": instance.link_status(peer),
            }
            for peer in instance.peers
        ],
    }
