"""Tests of `testing.routes.nodes`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import FakeCluster
    from tests.http_client import HttpClient


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


def status_and_code(answer: tuple[int, Any]) -> tuple[int, str]:
    """Return the status and the error code of an answer."""
    status, body = answer
    return status, body["error_code"]


class TestNodes:
    """Nodes and their list."""

    async def test_list(self, three: FakeCluster, call3: HttpClient) -> None:
        """Nodes have numbers as uids, and a status."""
        await three.stop_node(3)
        nodes = await call3.ok("GET", "/v1/nodes")

        assert [(node["uid"], node["status"]) for node in nodes] == [
            (1, "active"),
            (2, "active"),
            (3, "down"),
        ]
        assert await call3.ok("GET", "/v1/nodes/2") == nodes[1]

    async def test_status(self, three: FakeCluster, call3: HttpClient) -> None:
        """The status of all nodes is an object by uid, with the primary as the master."""
        await three.stop_node(3)
        found = await call3.ok("GET", "/v1/nodes/status")

        assert {uid: (node["node_status"], node["role"]) for uid, node in found.items()} == {
            "1": ("active", "master"),
            "2": ("active", "slave"),
            "3": ("down", "slave"),
        }

    async def test_shards(self, three: FakeCluster, call3: HttpClient) -> None:
        """A primary and its replica are on different nodes, and each is on one node."""
        for uid in (1, 2):
            three.add_bdb(uid)
        nodes = await call3.ok("GET", "/v1/nodes")
        statuses = await call3.ok("GET", "/v1/nodes/status")

        assert [node["shard_list"] for node in nodes] == [[1, 4], [2], [3]]
        assert [node["shard_count"] for node in nodes] == [2, 1, 1]
        assert [each["master_shards"] for each in statuses.values()] == [[1], [], [3]]
        assert [each["slave_shards"] for each in statuses.values()] == [[4], [2], []]

    async def test_uptime(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The uptime is in seconds."""
        before = (await call.ok("GET", "/v1/nodes/1"))["uptime"]
        await asyncio.sleep(60)

        assert (await call.ok("GET", "/v1/nodes/1"))["uptime"] - before in {60, 61}

    async def test_maintenance(self, cluster: FakeCluster, call: HttpClient) -> None:
        """While maintenance is on, there is a snapshot, by the time at which it began."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
        on = await call.ok("GET", "/v1/nodes/1/status")
        cluster.start_node_action(1, "maintenance_off", Plan(duration=0))

        snapshot = on["maintenance_snapshot"]
        began = snapshot["created_time"].replace(" ", "_").replace(":", "-")
        assert (snapshot["name"], snapshot["node_uid"]) == (f"maintenance_mode_{began}", "1")
        assert "maintenance_snapshot" not in await call.ok("GET", "/v1/nodes/1/status")

    async def test_maintenance_of_old(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A snapshot outlives the result, and is replaced when maintenance is on again."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
        snapshot = (await call.ok("GET", "/v1/nodes/1/status"))["maintenance_snapshot"]
        await call.ok("DELETE", "/v1/nodes/1/actions/maintenance_on")
        await asyncio.sleep(5)
        removed = await call.ok("GET", "/v1/nodes/1/status")
        cluster.start_node_action(1, "maintenance_on", Plan(duration=5))
        again = await call.ok("GET", "/v1/nodes/1/status")
        await asyncio.sleep(5)

        assert removed["maintenance_snapshot"] == again["maintenance_snapshot"] == snapshot
        assert (await call.ok("GET", "/v1/nodes/1/status"))["maintenance_snapshot"] != snapshot

    @pytest.mark.parametrize("uid", ["0", "4", "-1", "one"])
    async def test_not_there(self, call3: HttpClient, uid: str) -> None:
        """Every request about a missing node is answered 404."""
        for method, path in (
            ("GET", ""),
            ("GET", "/status"),
            ("GET", "/actions"),
            ("GET", "/actions/remove"),
            ("POST", "/actions/remove"),
            ("DELETE", "/actions/remove"),
        ):
            answer = await call3(method, f"/v1/nodes/{uid}{path}", json={})
            assert status_and_code(answer) == (404, "node_not_found")
