"""Tests of the look-ups of objects: databases, nodes and Active-Active databases."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions import (
    ActionsClient,
    AuthenticationError,
    ClusterUnreachable,
    CrdbInstance,
    RequestRejected,
    UnreadableReply,
    UsageError,
)
from redis_enterprise_actions.testing import FakeCluster
from tests.conftest import client_of
from tests.recorder import RecordingServer


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.core

# Each look-up, its path, and the permission that it needs.
CALLS: dict[str, tuple[Callable[[ActionsClient], Any], str, str]] = {
    "database": (lambda client: client.databases.get(1), "/v1/bdbs/1", "view_bdb_info"),
    "databases": (lambda client: client.databases.list_all(), "/v1/bdbs", "view_all_bdbs_info"),
    "names": (lambda client: client.databases.names(), "/v1/bdbs", "view_all_bdbs_info"),
    "find": (lambda client: client.databases.find("x"), "/v1/bdbs", "view_all_bdbs_info"),
    "node": (lambda client: client.nodes.get(1), "/v1/nodes/1", "view_node_info"),
    "nodes": (lambda client: client.nodes.list_all(), "/v1/nodes", "view_all_nodes_info"),
    "crdb": (lambda client: client.crdbs.get("g"), "/v1/crdbs/g", "view_crdb"),
    "crdbs": (lambda client: client.crdbs.list_all(), "/v1/crdbs", "view_crdb_list"),
    "find-crdb": (lambda client: client.crdbs.find("x"), "/v1/crdbs", "view_crdb_list"),
}


async def test_database(cluster: FakeCluster, client: ActionsClient) -> None:
    """A database has its name, status, endpoint and shards."""
    cluster.add_bdb(2, name="cache")
    database = await client.databases.get(2)

    assert (database.uid, database.name, database.status) == (2, "cache", "active")
    assert [str(each) for each in database.endpoints] == ["redis-10002.cluster1.local:10002"]
    assert database.port is None
    assert (database.redis_version, database.shards) == ("7.2", ("3", "4"))
    assert (database.shards_count, database.memory_size) == (1, 1024**3)
    assert await client.databases.get("name:cache") == database


@pytest.mark.enable_socket
@pytest.mark.parametrize("version", ["7.4", "8.0"])
async def test_databases(version: str) -> None:
    """The list has all databases, also where the cluster does not know the wanted fields."""
    async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
        cluster.add_bdb(1, name="a")
        cluster.add_bdb(2, name="b")
        found = await client.databases.list_all()

        assert found == [await client.databases.get(1), await client.databases.get(2)]
        assert await client.databases.names() == {1: "a", 2: "b"}
        cluster.requests.clear()
        await client.databases.names()
        assert len(cluster.requests) == 1  # it asks in the way that worked before


async def test_find(cluster: FakeCluster, client: ActionsClient) -> None:
    """A name finds the database that has it, and no other; case matters."""
    cluster.add_bdb(1, name="cache")
    cluster.add_bdb(2, name="cache-2")

    found = await client.databases.find("cache")
    assert found is not None
    assert found.uid == 1
    assert await client.databases.find("Cache") is None


async def test_ambiguous(cluster: FakeCluster, client: ActionsClient) -> None:
    """A name that several objects have is refused, with what they are told by."""
    for uid in (3, 1, 2):
        cluster.add_bdb(uid, name="cache")
    cluster.add_crdb("g2", name="world")
    cluster.add_crdb("g1", name="world")

    with pytest.raises(UsageError, match=r"3 databases have the name 'cache': .* one, 1, 2, 3$"):
        await client.databases.find("cache")
    with pytest.raises(UsageError, match=r"2 Active-Active databases have .* one, g1, g2$"):
        await client.crdbs.find("world")


@pytest.mark.enable_socket
async def test_nodes() -> None:
    """A node has its address, status, shards and version."""
    async with FakeCluster(nodes=2, version="8.0") as cluster, client_of(cluster) as client:
        cluster.add_bdb(1)
        nodes = await client.nodes.list_all()

        assert [(each.uid, each.address) for each in nodes] == [(1, "10.0.0.1"), (2, "10.0.0.2")]
        assert [each.shard_count for each in nodes] == [1, 1]
        assert {(each.status, each.software_version) for each in nodes} == {("active", "8.0.20-68")}
        assert await client.nodes.get(2) == nodes[1]


async def test_crdbs(cluster: FakeCluster, client: ActionsClient) -> None:
    """An Active-Active database has its instances."""
    cluster.add_crdb("g", name="world")
    crdb = await client.crdbs.get("g")

    assert (crdb.guid, crdb.name) == ("g", "world")
    assert crdb.instances == (
        CrdbInstance(id=1, cluster="cluster1.local"),
        CrdbInstance(id=2, cluster="cluster2.local"),
    )
    assert await client.crdbs.list_all() == [crdb]
    assert await client.crdbs.find("world") == crdb
    assert await client.crdbs.find("moon") is None


@pytest.mark.parametrize(
    ("look", "path"),
    [
        (lambda client: client.databases.get(9), "/v1/bdbs/9"),
        (lambda client: client.nodes.get(9), "/v1/nodes/9"),
        (lambda client: client.crdbs.get("g9"), "/v1/crdbs/g9"),
    ],
)
async def test_missing(
    cluster: FakeCluster, client: ActionsClient, look: Callable[[ActionsClient], Any], path: str
) -> None:
    """An object that the cluster does not have is a request that it rejects."""
    with pytest.raises(RequestRejected, match=f"GET {path}: the cluster answered 404") as raised:
        await look(client)
    assert raised.value.status == 404


@pytest.mark.parametrize("call", CALLS)
async def test_transient(cluster: FakeCluster, client: ActionsClient, call: str) -> None:
    """A look-up is repeated after an error that may pass."""
    cluster.add_bdb(1)
    cluster.add_crdb("g")
    look, path, _ = CALLS[call]
    cluster.inject(status=503, path=path, times=2)
    cluster.inject(status=200, body="<html>starting</html>", path=path)
    await look(client)

    assert len(cluster.requests) == 4


@pytest.mark.parametrize("call", CALLS)
async def test_outage(cluster: FakeCluster, client: ActionsClient, call: str) -> None:
    """A look-up ends after ten seconds without an answer."""
    look, path, _ = CALLS[call]
    cluster.inject(status=503, path=path, times=None)
    began = asyncio.get_running_loop().time()

    with pytest.raises(ClusterUnreachable, match="503"):
        await look(client)
    assert asyncio.get_running_loop().time() - began <= 10.5


@pytest.mark.parametrize("call", CALLS)
async def test_forbidden(cluster: FakeCluster, client: ActionsClient, call: str) -> None:
    """The error of a user who may not look names the permission."""
    look, path, permission = CALLS[call]
    cluster.inject(status=403, path=path, times=None)

    with pytest.raises(AuthenticationError, match=permission):
        await look(client)


@pytest.mark.parametrize("call", CALLS)
async def test_foreign_404(cluster: FakeCluster, client: ActionsClient, call: str) -> None:
    """A 404 that is not the API's does not say that an object, or a list, does not exist."""
    look, path, _ = CALLS[call]
    cluster.inject(status=404, body="<html>not here</html>", path=path, times=None)

    with pytest.raises(UnreadableReply, match="404"):
        await look(client)


@pytest.mark.enable_socket
async def test_other_refusal() -> None:
    """A refusal that does not concern the wanted fields is not repeated without them."""
    async with RecordingServer(GET=[(405, "{}")]) as server, server.client() as client:
        with pytest.raises(RequestRejected, match="405"):
            await client.databases.list_all()
        assert len(server.calls) == 1


@pytest.mark.enable_socket
async def test_unreadable_secret(caplog: pytest.LogCaptureFixture) -> None:
    """No error and no log record quotes a body that cannot be read, as it may hold secrets."""
    body = json.dumps([{"authentication_redis_pass": "hunter2-hunter2"}])
    async with RecordingServer(GET=[(200, body)]) as server, server.client() as client:
        with pytest.raises(UnreadableReply) as raised:
            await client.databases.get(1)
        assert await client.databases.list_all() == []

    assert "hunter2" not in f"{raised.value!r} {raised.value} {caplog.text}"


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (lambda client: client.databases.get("1"), "'1' is not the uid of a database"),
        (lambda client: client.databases.get(-1), "-1 is not the uid of a database"),
        (lambda client: client.nodes.get("1"), "'1' is not the uid of a node"),
        (lambda client: client.crdbs.get("../x"), "is not the GUID of an Active-Active database"),
        (lambda client: client.crdbs.get(1), "1 is not the GUID of an Active-Active database"),
    ],
)
async def test_bad_uid(
    cluster: FakeCluster, client: ActionsClient, look: Callable[[ActionsClient], Any], message: str
) -> None:
    """What cannot be a uid is refused before any request."""
    with pytest.raises(UsageError, match=message):
        await look(client)

    assert cluster.requests == []


@pytest.mark.parametrize("call", CALLS)
async def test_cancel(cluster: FakeCluster, client: ActionsClient, call: str) -> None:
    """A look-up that is cancelled leaves the client usable."""
    look, path, _ = CALLS[call]
    cluster.inject(delay=60, path=path)
    task = asyncio.ensure_future(look(client))
    await asyncio.sleep(1)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await client.nodes.get(1)
