"""Tests of `testing.routes.health`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.http_client import HttpClient, http_client


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

CLUSTER = "/v4/cluster/health"
DATABASE = "/v4/db/1/health"
HEALTHCHECK = "/v1/local/node/master_healthcheck"


@pytest.fixture
async def fake() -> AsyncIterator[FakeCluster]:
    """A cluster of three nodes that has health reports, with a database."""
    async with FakeCluster(version="8.0.16", nodes=3) as cluster:
        cluster.add_bdb()
        yield cluster


@pytest.fixture
async def ask(fake: FakeCluster) -> AsyncIterator[HttpClient]:
    """Return an HTTP client of that cluster."""
    async with http_client(fake) as client:
        yield client


def shard(uid: int, role: str, **changes: str) -> dict[str, object]:
    """Return a shard of database 1 as health reports have it."""
    state = {"status": "active", "detailed_status": "ok"} | changes
    return {"id": uid, "db_id": 1, "role": role, **state}


class TestChecks:
    """GET /v1/cluster/check and GET /v1/local/node/master_healthcheck."""

    async def test_check(self, three: FakeCluster, call3: HttpClient) -> None:
        """The check of the cluster fails if that of a node does; a node that is down fails it."""
        good = await call3.ok("GET", "/v1/cluster/check")
        three.set_check(2, "process x is not running")
        await three.stop_node(3)
        bad = await call3.ok("GET", "/v1/cluster/check")

        passed = [{"node_uid": uid, "result": True} for uid in "123"]
        assert good == {"cluster_test_result": True, "nodes": passed}
        assert bad == {
            "cluster_test_result": False,
            "nodes": [
                passed[0],
                {"node_uid": "2", "result": False, "error": "process x is not running"},
                {"node_uid": "3", "result": False, "error": "node 3 is down"},
            ],
        }

    async def test_primary(self, three: FakeCluster, call3: HttpClient) -> None:
        """Each node tells whether it has a primary; one that is down for the others has none."""

        async def statuses() -> list[str]:
            answers = [await call3.ok("GET", HEALTHCHECK, node=node) for node in (1, 2, 3)]
            return [answer["status"] for answer in answers]

        assert await statuses() == ["active"] * 3
        three.set_node_status(2, "down")
        assert await statuses() == ["active", "inactive", "active"]
        three.primary = None
        assert await statuses() == ["inactive"] * 3

    async def test_credentials(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The route of a node demands credentials."""
        cluster.password = "changed"
        assert (await call("GET", HEALTHCHECK))[0] == 401

    async def test_nodes(self, three: FakeCluster, call3: HttpClient) -> None:
        """The status that was set of a node shows wherever nodes do."""
        three.set_node_status(2, "decommissioning")
        nodes = await call3.ok("GET", "/v1/nodes")
        statuses = await call3.ok("GET", "/v1/nodes/status")

        assert [node["status"] for node in nodes] == ["active", "decommissioning", "active"]
        assert statuses["2"]["node_status"] == "decommissioning"


class TestCluster:
    """GET /v4/cluster/health."""

    async def test_ok(self, fake: FakeCluster, ask: HttpClient) -> None:
        """A healthy cluster is answered with its nodes and databases."""
        report = await ask.ok("GET", CLUSTER)
        first, second, third = report.pop("nodes")

        assert first == {
            "id": 1,
            "status": "active",
            "detailed_status": "active",
            "role": "leader",
            "in_maintenance": False,
            "quorum_only": False,
            "shards": [shard(1, "master")],
            "services": [],
        }
        assert (second["role"], second["shards"]) == ("follower", [shard(2, "slave")])
        assert (third["role"], third["shards"]) == ("follower", [])
        assert report == {
            "status": "ok",
            "database_infos": [
                {
                    "id": 1,
                    "name": "db1",
                    "status": "active",
                    "detailed_status": "active",
                    "high_availability": {"status": "ok"},
                }
            ],
            "active_alerts": [],
            "license": {},
            "certificates": [],
        }

    @pytest.mark.parametrize(
        ("make", "status", "look", "seen"),
        [
            (
                lambda fake: fake.set_node_status(2, "down"),
                "error",
                lambda report: report["nodes"][1]["status"],
                "down",
            ),
            (
                lambda fake: fake.set_node_status(2, "provisioning"),
                "warning",
                lambda report: report["nodes"][1]["status"],
                "provisioning",
            ),
            (
                lambda fake: fake.start_node_action(3, "maintenance_on", Plan(duration=0)),
                "warning",
                lambda report: [node["in_maintenance"] for node in report["nodes"]],
                [False, False, True],
            ),
            (
                lambda fake: fake.set_check(1, "no service"),
                "warning",
                lambda report: report["nodes"][0]["detailed_status"],
                "no service",
            ),
            (
                lambda fake: fake.set_shard(1, status="inactive", detailed_status="down"),
                "warning",
                lambda report: report["nodes"][0]["shards"],
                [shard(1, "master", status="inactive", detailed_status="down")],
            ),
            (
                lambda fake: fake.set_shard(1, detailed_status="loading"),
                "warning",
                lambda report: report["database_infos"][0]["high_availability"]["status"],
                "warning",
            ),
            (
                lambda fake: fake.set_shard(1, detailed_status="loading"),
                "warning",
                lambda report: report["database_infos"][0]["status"],
                "warning",
            ),
            (
                lambda fake: fake.add_action(),
                "warning",
                lambda report: report["database_infos"][0]["status"],
                "warning",
            ),
            (
                lambda fake: fake.add_action(),
                "warning",
                lambda report: report["database_infos"][0]["detailed_status"],
                "active-change-pending",
            ),
            (
                lambda fake: fake.set_available(1, available=False),
                "error",
                lambda report: report["database_infos"][0]["status"],
                "down",
            ),
            (
                lambda fake: fake.add_alert("node_memory"),
                "warning",
                lambda report: report["active_alerts"],
                ["node_memory"],
            ),
        ],
    )
    async def test_bad(
        self,
        fake: FakeCluster,
        ask: HttpClient,
        make: Callable[[FakeCluster], object],
        status: str,
        look: Callable[[Any], object],
        seen: object,
    ) -> None:
        """What is not as it should be shows; an answer with the status "error" is a 503."""
        make(fake)
        code, report = await ask("GET", CLUSTER)

        assert (code, report["status"]) == (503 if status == "error" else 200, status)
        assert look(report) == seen
        assert len(report["nodes"]) == 3

    async def test_stopped(self, fake: FakeCluster, ask: HttpClient) -> None:
        """A stopped node is an error until it runs again."""
        await fake.stop_node(3)
        code, report = await ask("GET", CLUSTER)
        await fake.start_node(3)

        assert (code, report["status"], report["nodes"][2]["status"]) == (503, "error", "down")
        assert (await ask.ok("GET", CLUSTER))["status"] == "ok"


class TestDatabase:
    """GET /v4/db/{uid}/health."""

    async def test_up(self, fake: FakeCluster, ask: HttpClient) -> None:
        """A database that is available has its endpoint and its shards."""
        assert await ask.ok("GET", DATABASE) == {
            "availability": "up",
            "availability_errors": [],
            "detailed_status": "active",
            "endpoints": [{"name": "redis-10001.cluster1.local", "availability": "up"}],
            "shards": [shard(1, "master"), shard(2, "slave")],
        }

    async def test_down(self, fake: FakeCluster, ask: HttpClient) -> None:
        """A database that is not available is a 503 that says why."""
        fake.set_available(1, available=False, error_code="no_quorum")
        status, report = await ask("GET", DATABASE)

        assert (status, report["availability"]) == (503, "down")
        assert report["availability_errors"] == ["no_quorum"]
        assert report["endpoints"][0]["availability"] == "down"

    async def test_state_machine(self, fake: FakeCluster, ask: HttpClient) -> None:
        """The state machine that runs is shown while it does; tasks are not."""
        fake.add_action("SMUpgradeBDB", Plan(duration=9))
        during = await ask.ok("GET", DATABASE)
        await asyncio.sleep(9)
        fake.add_action("balance", bdb_uid=1)
        after = await ask.ok("GET", DATABASE)

        assert during["state_machine"] == {"name": "SMUpgradeBDB", "state": "prepare"}
        assert during["detailed_status"] == "active-change-pending"
        assert "state_machine" not in after

    async def test_active_active(self, fake: FakeCluster, ask: HttpClient) -> None:
        """The database of an Active-Active instance shows the other clusters, and their links."""
        fake.add_crdb("other")
        fake.add_crdb("g1", bdb_uid=1)
        up = (await ask.ok("GET", DATABASE))["active_active"]
        fake.set_link("g1", "cluster2.local", "down")
        down = (await ask.ok("GET", DATABASE))["active_active"]

        peer = {"fqdn": "cluster2.local", "replica_id": 2}
        assert up == {"available": True, "participating_clusters": [peer | {"replication": "up"}]}
        assert down == {
            "available": False,
            "participating_clusters": [peer | {"replication": "down"}],
        }
