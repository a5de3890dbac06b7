"""Tests of `testing.routes.nodes`, over HTTP, without code of the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


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

    @pytest.mark.parametrize("uid", ["0", "4", "-1", "one"])
    async def test_not_there(self, call3: HttpClient, uid: str) -> None:
        """Every request about a missing node is answered 404."""
        for method, path in (
            ("GET", ""),
            ("GET", "/actions"),
            ("GET", "/actions/remove"),
            ("POST", "/actions/remove"),
            ("DELETE", "/actions/remove"),
        ):
            answer = await call3(method, f"/v1/nodes/{uid}{path}", json={})
            assert status_and_code(answer) == (404, "node_not_exist")
