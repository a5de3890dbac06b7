"""Tests of the example that upgrades a cluster: it survives faults, and undoes maintenance."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionFailed, ActionsClient, AuthenticationError, WaitTimeout
from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from types import ModuleType

pytestmark = [pytest.mark.enable_socket, pytest.mark.system]

NODES, DATABASES = (1, 2, 3), (1, 2, 3, 4)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the example, as a script would import it."""
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "examples")
    import rolling_upgrade  # type: ignore[import-not-found]  # noqa: PLC0415

    for name in ("rolling_upgrade", "where"):
        monkeypatch.delitem(sys.modules, name)
    module: ModuleType = rolling_upgrade
    return module


def client_of(cluster: FakeCluster) -> ActionsClient:
    """Return a client of all nodes."""
    return ActionsClient(cluster.urls, username=cluster.username, password=cluster.password)


def started(cluster: FakeCluster) -> Counter[int | None]:
    """Return the number of upgrades of each database."""
    upgrades = [each for each in cluster.actions.values() if each.name == "SMUpgradeBDB"]
    return Counter(each.bdb_uid for each in upgrades)


def out_of_service(cluster: FakeCluster) -> int:
    """Return the number of nodes that are in maintenance, or on their way there or back."""
    actions, depths = cluster._node_actions, cluster.maintenance
    return sum(
        depth > 0
        or actions.is_unfinished(node, "maintenance_on")
        or actions.is_unfinished(node, "maintenance_off")
        for node, depth in depths.items()
    )


def prepare(cluster: FakeCluster) -> None:
    """Add databases, and plan work that takes minutes."""
    for uid in DATABASES:
        cluster.add_bdb(uid)
    cluster.plan("POST", "/v1/nodes", Plan(duration=180, queued=5), times=None)
    cluster.plan("POST", "/v1/bdbs", Plan(duration=240), times=None)


async def spoil(cluster: FakeCluster, seed: int) -> None:
    """Move the primary, remove it for a while, refuse calls and lose answers, at random."""
    rng = random.Random(seed)
    while True:
        await asyncio.sleep(rng.uniform(5, 60))
        match rng.choice(["failover", "election", "refused", "lost", "dropped"]):
            case "failover":
                others = [node for node in NODES if node != cluster.primary]
                cluster.primary = rng.choice(others)
            case "election":
                primary, cluster.primary = cluster.primary, None
                await asyncio.sleep(rng.uniform(2, 40))
                cluster.primary = primary
            case "refused":
                cluster.inject(status=503, times=rng.randrange(1, 4))
            case "lost":
                cluster.inject(path="/v1/nodes", method="POST", lose=True)
            case "dropped":
                cluster.inject(path="/v1/nodes", method="POST", drop=True)


@pytest.mark.parametrize("seed", range(8))
async def test_bad_day(example: ModuleType, seed: int) -> None:
    """With failovers and lost answers, each database is upgraded once, and nothing is left.

    Never are two nodes out at once.
    """
    async with FakeCluster(nodes=len(NODES)) as cluster, client_of(cluster) as client:
        prepare(cluster)

        async def reinstall(node: int) -> None:
            assert cluster.maintenance[node] == 1
            await asyncio.sleep(30)

        most_out = 0

        async def count_nodes_out() -> None:
            nonlocal most_out
            while True:
                most_out = max(most_out, out_of_service(cluster))
                await asyncio.sleep(0.5)

        faults = asyncio.create_task(spoil(cluster, seed))
        counting = asyncio.create_task(count_nodes_out())
        try:
            await example.rolling_upgrade(client, NODES, DATABASES, reinstall)
        finally:
            faults.cancel()
            counting.cancel()

        assert most_out == 1
        assert set(cluster.maintenance.values()) == {0}
        assert started(cluster) == Counter(dict.fromkeys(DATABASES, 1))
        taken = [seen for seen in cluster.requests if seen.method == "POST" and seen.status == 200]
        assert len(taken) <= 2 * len(NODES) + len(DATABASES)


async def test_restarts(example: ModuleType) -> None:
    """Each node is restarted while it is in maintenance, the primary included."""
    async with FakeCluster(nodes=len(NODES)) as cluster, client_of(cluster) as client:
        prepare(cluster)
        await example.rolling_upgrade(
            client, NODES, DATABASES, lambda node: cluster.restart_node(node, downtime=90)
        )

        assert cluster.maintenance == {1: 0, 2: 0, 3: 0}
        assert started(cluster) == Counter(dict.fromkeys(DATABASES, 1))


async def test_undone_when_the_work_fails(example: ModuleType) -> None:
    """A failure ends the maintenance of its node, and the upgrade of the others."""
    async with FakeCluster(nodes=len(NODES)) as cluster, client_of(cluster) as client:
        prepare(cluster)

        async def fail(node: int) -> None:
            raise OSError(f"node {node} does not boot")

        with pytest.raises(OSError, match="node 1 does not boot"):
            await example.rolling_upgrade(client, NODES, DATABASES, fail)

        assert set(cluster.maintenance.values()) == {0}
        calls = [seen.path for seen in cluster.requests if seen.method == "POST"]
        assert calls == [f"/v1/nodes/1/actions/maintenance_{each}" for each in ("on", "off")]


async def test_undone_when_maintenance_fails(example: ModuleType) -> None:
    """A node that fails to enter maintenance mode leaves it again."""
    async with FakeCluster(nodes=len(NODES)) as cluster, client_of(cluster) as client:
        cluster.plan(
            "POST", "/v1/nodes/1/actions/maintenance_on", Plan(outcome="failed", error="full")
        )

        with pytest.raises(ActionFailed, match="full"):
            await example.rolling_upgrade(client, NODES, DATABASES, asyncio.sleep)

        calls = [seen.path for seen in cluster.requests if seen.method == "POST"]
        assert calls == [f"/v1/nodes/1/actions/maintenance_{each}" for each in ("on", "off")]
        off = await client.get("node:1/maintenance_off")
        assert off.status == "completed"


@pytest.mark.parametrize("after", [0.5, 3, 25, 100, 600])
async def test_undone_when_cancelled(example: ModuleType, after: float) -> None:
    """A script that is cancelled at any time ends the maintenance of its node first."""
    async with FakeCluster(nodes=len(NODES)) as cluster, client_of(cluster) as client:
        prepare(cluster)

        async def work(_: int) -> None:
            await asyncio.sleep(1000)

        script = asyncio.create_task(example.rolling_upgrade(client, NODES, DATABASES, work))
        await asyncio.sleep(after)
        script.cancel()
        with pytest.raises(asyncio.CancelledError):
            await script

        await asyncio.sleep(1000)
        assert set(cluster.maintenance.values()) <= {0}
        calls = [(seen.method, seen.path[-3:]) for seen in cluster.requests]
        begun = calls.count(("POST", "_on"))
        assert begun == calls.count(("POST", "off"))
        assert begun == 1 or after < 20


@pytest.mark.parametrize("after", [0, 0.2, 60])
async def test_undone_when_cancelled_while_undoing(example: ModuleType, after: float) -> None:
    """A cancelled script lasts until the maintenance of its node is over."""
    async with FakeCluster(nodes=len(NODES)) as cluster, client_of(cluster) as client:
        prepare(cluster)

        async def work(_: int) -> None:
            asyncio.get_running_loop().call_later(after, script.cancel)

        script = asyncio.create_task(example.rolling_upgrade(client, NODES, DATABASES, work))
        with pytest.raises(asyncio.CancelledError):
            await script

        assert set(cluster.maintenance.values()) == {0}
        calls = [(seen.method, seen.path[-3:]) for seen in cluster.requests]
        assert calls.count(("POST", "_on")) == calls.count(("POST", "off")) == 1


async def test_undone_when_late(example: ModuleType) -> None:
    """If maintenance mode takes too long, it is cancelled before it is undone."""
    async with FakeCluster(nodes=len(NODES)) as cluster, client_of(cluster) as client:
        cluster.plan("POST", "/v1/nodes/1/actions/maintenance_on", Plan(duration=10_000))

        with pytest.raises(WaitTimeout):
            await example.rolling_upgrade(client, NODES, DATABASES, asyncio.sleep)

        await asyncio.sleep(10_000)
        assert set(cluster.maintenance.values()) <= {0}


async def test_refused(example: ModuleType) -> None:
    """A refused call is not undone."""
    async with FakeCluster(nodes=len(NODES)) as cluster, client_of(cluster) as client:
        cluster.inject(method="POST", status=403)

        with pytest.raises(AuthenticationError):
            await example.rolling_upgrade(client, NODES, DATABASES, asyncio.sleep)

        assert [seen.path[-3:] for seen in cluster.requests if seen.method == "POST"] == ["_on"]
