"""Tests of `Operation.result`: what work has made or changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions import (
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    ClusterUnreachable,
    Crdb,
    Database,
    Node,
    NothingToFollow,
    RequestRejected,
    UnreadableReply,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of
from tests.recorder import RecordingServer


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.core

URL = {"type": "url", "url": "ftp://nowhere"}


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    """Return a cluster of three nodes with a database and an Active-Active database."""
    async with FakeCluster(nodes=3) as cluster:
        cluster.add_bdb(1, name="cache")
        cluster.add_crdb("g", name="world")
        yield cluster


@pytest.fixture
async def client(cluster: FakeCluster) -> AsyncIterator[ActionsClient]:
    """Return a client of all nodes of that cluster."""
    user, password = cluster.username, cluster.password
    async with ActionsClient(cluster.urls, username=user, password=password) as client:
        yield client


# Each call of a resource, and the kind and the uid of its result.
CALLS: dict[str, tuple[Callable[[ActionsClient], Any], str]] = {
    "create": (lambda c: c.databases.create({"name": "new", "memory_size": 2**30}), "bdb:2 new"),
    "update": (lambda c: c.databases.update(1, {"name": "renamed"}), "bdb:1 renamed"),
    "unchanged": (lambda c: c.databases.update(1, {"name": "cache"}), "bdb:1 cache"),
    "upgrade": (lambda c: c.databases.upgrade(1), "bdb:1 cache"),
    "by-name": (lambda c: c.databases.upgrade("name:cache"), "bdb:1 cache"),
    "rebalance": (lambda c: c.databases.rebalance(1), "bdb:1 cache"),
    "export": (lambda c: c.databases.export(1, URL), "bdb:1 cache"),
    "import": (lambda c: c.databases.import_(1, [URL]), "bdb:1 cache"),
    "on": (lambda c: c.nodes.maintenance_on(2), "node:2 10.0.0.2"),
    "off": (lambda c: c.nodes.maintenance_off(2), "node:2 10.0.0.2"),
    "primary": (lambda c: c.cluster.change_primary(2), "node:2 10.0.0.2"),
    "migrate": (lambda c: c.shards.migrate([1], 2), "bdb:1 cache"),
    "create-crdb": (lambda c: c.crdbs.create({"name": "moon"}), "moon"),
    "update-crdb": (lambda c: c.crdbs.update("g", {}), "crdb g world"),
    "flush": (lambda c: c.crdbs.flush("g"), "crdb g world"),
    "submit": (lambda c: c.submit("POST", "/v1/bdbs/1/upgrade"), "bdb:1 cache"),
}
GONE: dict[str, Callable[[ActionsClient], Any]] = {
    "database": lambda c: c.databases.delete(1),
    "node": lambda c: c.nodes.remove(3),
    "crdb": lambda c: c.crdbs.delete("g"),
    "submit": lambda c: c.submit("DELETE", "/v1/bdbs/1"),
}


@pytest.mark.parametrize("call", CALLS)
async def test_made(cluster: FakeCluster, client: ActionsClient, call: str) -> None:
    """The result is the object as it is when the work has completed."""
    make, title = CALLS[call]
    found = await (await make(client)).result()

    assert isinstance(found, (Database, Node, Crdb))
    assert found.title.endswith(title)
    assert not isinstance(found, Database) or found.status == "active"


@pytest.mark.parametrize("call", GONE)
async def test_gone(cluster: FakeCluster, client: ActionsClient, call: str) -> None:
    """Where nothing is left the result is None, and nothing is asked for."""
    operation = await GONE[call](client)
    await operation
    cluster.requests.clear()

    assert await operation.result() is None
    assert cluster.requests == []


@pytest.mark.parametrize(
    ("ref", "title"),
    [
        ("{upgrade}", "bdb:1 cache"),
        ("bdb:1", "bdb:1 cache"),
        ("bdb:name:cache", "bdb:1 cache"),
        ("node:2/maintenance_on", "node:2 10.0.0.2"),
        ("crdb:{task}", "crdb g world"),
        ("cluster:change_master", None),
        ("{task_of_all}", None),
    ],
)
async def test_reference(
    cluster: FakeCluster, client: ActionsClient, ref: str, title: str | None
) -> None:
    """A reference, or the finished action, names the object; without one the result is None."""
    refs = {
        "upgrade": cluster.add_action("SMUpgradeBDB", Plan(duration=5), bdb_uid=1),
        "task": cluster.start_crdb_task("update_crdb", Plan(duration=5), guid="g"),
        "task_of_all": cluster.add_action("retry_bdb", Plan(duration=5)),
    }
    cluster.start_node_action(2, "maintenance_on", Plan(duration=5))
    await client.cluster.change_primary(2)
    found = await client.operation(ref.format(**refs)).result()

    assert (None if found is None else found.title) == title


async def test_reference_gone(cluster: FakeCluster, client: ActionsClient) -> None:
    """Without a type to expect, an object that is gone by then is None."""
    uid = cluster.add_action("SMUpgradeBDB", Plan(duration=5), bdb_uid=1)
    operation = client.operation(uid)
    await operation
    await client.databases.delete(1)
    await asyncio.sleep(60)

    assert await operation.result() is None


async def test_object_gone(cluster: FakeCluster, client: ActionsClient) -> None:
    """Where a database is expected that is gone by then, the cluster rejects the request."""
    operation = await client.databases.upgrade(1)
    await operation
    await client.databases.delete(1)
    await asyncio.sleep(60)

    with pytest.raises(RequestRejected, match="GET /v1/bdbs/1: the cluster answered 404"):
        await operation.result()


async def test_forbidden(cluster: FakeCluster, client: ActionsClient) -> None:
    """A user who may not see the object gets that error, not None."""
    operation = client.operation(cluster.add_action("SMUpgradeBDB", bdb_uid=1))
    await operation
    cluster.inject(status=403, path="/v1/bdbs/1", times=None)

    with pytest.raises(RequestRejected, match="view_bdb_info"):
        await operation.result()


async def test_after_an_early_end(cluster: FakeCluster, client: ActionsClient) -> None:
    """A wait that ended at its goal has not seen the end, which the result waits for."""
    cluster.plan("POST", "/v1/bdbs/1/upgrade", Plan(duration=60))
    change = await client.databases.upgrade(1)
    began = asyncio.get_running_loop().time()
    await change.wait(until="progress=20")
    assert not change.done
    database = await change.result()

    assert (database.uid, change.done) == (1, True)
    assert asyncio.get_running_loop().time() - began >= 60


async def test_waits_once(cluster: FakeCluster, client: ActionsClient) -> None:
    """The end that an earlier wait saw is not asked for again; the object is, each time."""
    operation = await client.databases.upgrade(1)
    await operation
    cluster.requests.clear()
    await operation.result()
    await operation.result()

    assert [request.path for request in cluster.requests] == ["/v1/bdbs/1"] * 2


async def test_seen_by_get(cluster: FakeCluster, client: ActionsClient) -> None:
    """An end that one look saw is looked at once more, for the finished action."""
    operation = client.operation(cluster.add_action("SMUpgradeBDB", Plan(duration=1), bdb_uid=1))
    await asyncio.sleep(5)
    await operation.get()

    assert operation.done
    assert (await operation.result()) == await client.databases.get(1)


async def test_failed(cluster: FakeCluster, client: ActionsClient) -> None:
    """Work that failed has no result: its error is raised, each time."""
    cluster.plan("POST", "/v1/bdbs/1/upgrade", Plan(outcome="failed"))
    operation = await client.databases.upgrade(1)

    for _ in range(2):
        with pytest.raises(ActionFailed):
            await operation.result()


async def test_timeout(cluster: FakeCluster, client: ActionsClient) -> None:
    """`timeout` is the limit of the wait."""
    cluster.plan("POST", "/v1/bdbs/1/upgrade", Plan(outcome="never"))
    operation = await client.databases.upgrade(1)

    with pytest.raises(WaitTimeout):
        await operation.result(timeout="30s")
    with pytest.raises(UsageError, match="timeout"):
        await operation.result(timeout="soon")


async def test_not_found(client: ActionsClient, cluster: FakeCluster) -> None:
    """Work that the cluster does not know has no result."""
    with pytest.raises(ActionNotFound):
        await client.operation("no-such-action").result()


async def test_outage(cluster: FakeCluster, client: ActionsClient) -> None:
    """The request for the object is repeated for ten seconds."""
    operation = await client.databases.upgrade(1)
    await operation
    cluster.inject(status=503, path="/v1/bdbs", times=2)
    assert (await operation.result()).uid == 1

    cluster.inject(status=503, path="/v1/bdbs", times=None)
    with pytest.raises(ClusterUnreachable):
        await operation.result()


async def test_cancelled(cluster: FakeCluster, client: ActionsClient) -> None:
    """A result can be cancelled while it waits and while it looks, and asked for again."""
    operation = await client.databases.upgrade(1)

    async def cancel_after_a_second() -> None:
        task = asyncio.ensure_future(operation.result())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    await cancel_after_a_second()
    await operation
    cluster.inject(delay=20, path="/v1/bdbs/1", times=None)
    await cancel_after_a_second()

    cluster.heal()
    assert (await operation.result()).uid == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.databases.update(1, {"name": "x"}, dry_run=True),
        lambda c: c.databases.create({"name": "new", "memory_size": 2**30}, dry_run=True),
        lambda c: c.crdbs.create({"name": "new"}, dry_run=True),
    ],
)
async def test_dry_run(
    cluster: FakeCluster, client: ActionsClient, call: Callable[[ActionsClient], Any]
) -> None:
    """A dry run has no result."""
    operation = await call(client)

    with pytest.raises(UsageError, match="was a dry run, which has no result"):
        await operation.result()


async def test_submitted_dry_run(cluster: FakeCluster, client: ActionsClient) -> None:
    """That of any call is None, as no type is expected."""
    operation = await client.submit("PUT", "/v1/bdbs/1", {"name": "x"}, params={"dry_run": True})

    assert await operation.result() is None


async def test_nothing_to_follow(cluster: FakeCluster, client: ActionsClient) -> None:
    """Work whose end cannot be known has no result, unless the answer counts as the end."""
    cluster.inject(no_handle=True, method="POST", path="/v1/shards", times=2)
    operation = await client.shards.migrate([1], 2)
    with pytest.raises(NothingToFollow):
        await operation.result()

    await asyncio.sleep(60)
    accepted = await client.shards.migrate([1], 2, untracked="completed")
    assert await accepted.result() is None


@pytest.mark.enable_socket
async def test_unnamed() -> None:
    """A creation whose answer and action name no database has no result."""
    action = '{"action_uid": "a1", "name": "SMCreateBDB", "status": "completed"}'
    answers: dict[str, Any] = {"POST": [(200, '{"action_uid": "a1"}')], "GET": [(200, action)]}
    async with RecordingServer(**answers) as server, server.client() as client:
        operation = await client.databases.create({"name": "x"})

        with pytest.raises(UnreadableReply) as raised:
            await operation.result()
    assert str(raised.value) == (
        "POST /v1/bdbs: the answer cannot be read: nothing names the Database that it made"
    )


@pytest.mark.enable_socket
async def test_named_by_action() -> None:
    """A creation whose answer does not name the database is followed by an action that may."""
    async with FakeCluster() as cluster, client_of(cluster) as client:
        operation = await client.databases.create({"name": "x", "memory_size": 2**30})
        operation._subject = None

        assert (await operation.result()).name == "x"
