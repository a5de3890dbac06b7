"""Tests of `testing.routes.shard_objects` and `testing.state.shards`, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions.testing import FakeCluster
    from tests.http_client import HttpClient

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


async def test_list(three: FakeCluster, call3: HttpClient) -> None:
    """Each shard of each database is in the list; uids of shards and nodes are strings."""
    for uid in (1, 2):
        three.add_bdb(uid)
    shards = await call3.ok("GET", "/v1/shards")

    assert [(s["uid"], s["bdb_uid"], s["node_uid"], s["role"]) for s in shards] == [
        ("1", 1, "1", "master"),
        ("2", 1, "2", "slave"),
        ("3", 2, "3", "master"),
        ("4", 2, "1", "slave"),
    ]
    assert {(s["status"], s["detailed_status"]) for s in shards} == {("active", "ok")}
    assert await call3.ok("GET", "/v1/bdbs/2/shards") == shards[2:]
    assert await call3.ok("GET", "/v1/shards/3") == shards[2]


async def test_change(three: FakeCluster, call3: HttpClient) -> None:
    """What was set of a shard shows everywhere, and what was not stays."""
    three.add_bdb()
    three.set_shard("1", status="inactive")
    three.set_shard(1, detailed_status="loading")
    three.set_shard(1, node_uid=3)
    three.set_shard(2, detailed_status="busy")
    first, second = await call3.ok("GET", "/v1/shards")
    nodes = await call3.ok("GET", "/v1/nodes")

    assert (first["status"], first["detailed_status"], first["node_uid"]) == (
        "inactive",
        "loading",
        "3",
    )
    assert (second["status"], second["detailed_status"], second["node_uid"]) == (
        "active",
        "busy",
        "2",
    )
    assert [node["shard_list"] for node in nodes] == [[], [2], [1]]
    assert (await call3.ok("GET", "/v1/nodes/3/status"))["master_shards"] == [1]


async def test_no_node(cluster: FakeCluster, call: HttpClient) -> None:
    """Without a node there are no shards."""
    cluster.add_bdb()
    cluster.start_node_action(1, "remove", Plan(duration=0))

    assert await call.ok("GET", "/v1/shards") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cluster: cluster.set_shard(3, status="active"), "no shard 3"),
        (lambda cluster: cluster.set_shard(1, status="down"), "status='down' is none of"),
        (lambda cluster: cluster.set_shard(1, detailed_status="good"), "detailed_status='good'"),
        (lambda cluster: cluster.set_shard(1, node_uid=4), "no node 4"),
    ],
)
async def test_wrong(
    three: FakeCluster, change: Callable[[FakeCluster], None], message: str
) -> None:
    """Shards, statuses and nodes that there are not are refused, and nothing changes."""
    three.add_bdb()
    with pytest.raises(ValueError, match=message):
        change(three)
    assert three.is_healthy()
