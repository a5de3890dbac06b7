"""Tests of `testing.conditions` and `testing.state.health`: findings, and quiet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

NOW = Plan(duration=0)
NEVER = Plan(duration=10, outcome="never")
STUCK = Plan(duration=10, outcome="stuck")
UNAVAILABLE = "database 1 is not available: bdb_endpoint_unavailable"


@pytest.fixture
async def good() -> AsyncIterator[FakeCluster]:
    """A healthy cluster of three nodes, with two databases."""
    async with FakeCluster(nodes=3) as cluster:
        cluster.add_bdb(1)
        cluster.add_bdb(2)
        yield cluster


async def test_healthy(good: FakeCluster) -> None:
    """A new cluster is healthy and quiet, with databases, too."""
    assert (good.findings(), good.is_healthy(), good.is_quiet()) == ([], True, True)


def _set_primary(cluster: FakeCluster) -> None:
    cluster.primary = None


def _fail_update(cluster: FakeCluster) -> None:
    cluster.add_action("SMUpdateBDB", Plan(duration=0, outcome="failed"), bdb_uid=1)


def _set_out(cluster: FakeCluster) -> None:
    cluster.set_available(1, available=False, error_code="no_quorum")


def _fail_creation(cluster: FakeCluster) -> None:
    cluster.add_action("SMCreateBDB", Plan(duration=0, outcome="failed"), bdb_uid=1)


FINDINGS: list[tuple[str, Callable[[FakeCluster], object], list[str]]] = [
    ("primary", _set_primary, ["the cluster has no primary node"]),
    ("down", lambda fake: fake.set_node_status(2, "down"), ["node 2 is down"]),
    (
        "leaving",
        lambda fake: fake.set_node_status(2, "decommissioning"),
        ["node 2 is decommissioning"],
    ),
    ("joining", lambda fake: fake.set_node_status(2, "provisioning"), ["node 2 is provisioning"]),
    ("check", lambda fake: fake.set_check(3, "no service"), ["node 3 fails its check: no service"]),
    (
        "maintenance",
        lambda fake: fake.start_node_action(2, "maintenance_on", NOW),
        ["node 2 is in maintenance"],
    ),
    (
        "shard",
        lambda fake: fake.set_shard(3, status="inactive"),
        ["shard 3 of database 2 is inactive (ok)"],
    ),
    (
        "loading",
        lambda fake: fake.set_shard(2, detailed_status="loading"),
        ["shard 2 of database 1 is active (loading)"],
    ),
    ("unavailable", _set_out, ["database 1 is not available: no_quorum"]),
    ("changing", lambda fake: fake.add_action(), ["database 1 is active-change-pending"]),
    ("failed", _fail_update, ["database 1 is active-change-pending"]),
    ("not created", _fail_creation, ["database 1 is creation-failed", UNAVAILABLE]),
    (
        "recovery",
        lambda fake: fake.add_bdb(3, recovery=True),
        ["database 3 is recovery", UNAVAILABLE.replace("1", "3")],
    ),
]


@pytest.mark.parametrize(
    ("make", "found"), [each[1:] for each in FINDINGS], ids=[each[0] for each in FINDINGS]
)
async def test_findings(
    good: FakeCluster, make: Callable[[FakeCluster], object], found: list[str]
) -> None:
    """Each thing that is not as it has to be is a finding."""
    make(good)

    assert good.findings() == found
    assert not good.is_healthy()


async def test_stopped(good: FakeCluster) -> None:
    """A stopped node is down, whatever status was set, and active when it runs again."""
    good.set_node_status(3, "active")
    await good.stop_node(3)
    assert good.findings() == ["node 3 is down"]
    await good.start_node(3)
    assert good.is_healthy()


async def test_taken_back(good: FakeCluster) -> None:
    """What was set can be taken back, also twice."""
    good.set_node_status(2, "down")
    good.set_check(2, "bad")
    good.set_shard(1, status="trimming", detailed_status="trimming")
    good.set_available(1, available=False)
    assert len(good.findings()) == 4
    for _ in range(2):
        good.set_node_status(2, None)
        good.set_check(2, None)
        good.set_shard(1, status="active", detailed_status="ok")
        good.set_available(1, None)
    assert good.is_healthy()


async def test_maintenance(good: FakeCluster) -> None:
    """Maintenance of the nodes that are named is no finding, and it is while it is on only."""
    good.start_node_action(2, "maintenance_on", Plan(duration=5))
    assert good.is_healthy()
    await asyncio.sleep(5)
    good.start_node_action(3, "maintenance_on", NOW)

    assert good.findings() == ["node 2 is in maintenance", "node 3 is in maintenance"]
    assert good.findings([2]) == ["node 3 is in maintenance"]
    assert good.is_healthy(ignore_maintenance={2, 3})
    good.start_node_action(2, "maintenance_off", NOW)
    assert good.findings() == ["node 3 is in maintenance"]


async def test_removed(good: FakeCluster) -> None:
    """A node that was removed is none of the cluster, and a deleted database none either."""
    good.set_node_status(3, "decommissioning")
    good.start_node_action(3, "remove", NOW)
    good.add_action("SMDeleteBDB", NOW, bdb_uid=2)

    assert good.is_healthy()


async def test_alerts(good: FakeCluster) -> None:
    """An alert is no finding."""
    good.add_alert("node_memory")
    assert good.is_healthy()


class TestStuck:
    """Actions that are stuck."""

    @pytest.mark.parametrize(
        ("plan", "after"),
        [(STUCK, 10), (NEVER, 6), (Plan(duration=10, queued=5, outcome="never"), 11)],
    )
    async def test_task(self, good: FakeCluster, plan: Plan, after: float) -> None:
        """A task is stuck when it is done, or makes no more progress, and is listed."""
        uid = good.add_action("balance", plan)
        await asyncio.sleep(after - 1)
        assert good.findings() == []
        await asyncio.sleep(1)
        assert good.findings() == [f"balance {uid} is stuck"]
        good.forget(uid)
        assert good.is_healthy()

    async def test_state_machine(self, good: FakeCluster) -> None:
        """The database of a stuck state machine is idle, so that only the work is a finding."""
        uid = good.add_action("SMUpdateBDB", STUCK, bdb_uid=1)
        await asyncio.sleep(10)

        assert good.findings() == [f"SMUpdateBDB {uid} is stuck"]

    async def test_stalling(self, good: FakeCluster) -> None:
        """A task that stalls and goes on is not stuck."""
        good.add_action("balance", Plan(duration=10, progress="stalling"))
        await asyncio.sleep(9)

        assert good.is_healthy()

    async def test_node_actions(self, good: FakeCluster) -> None:
        """Actions of nodes and the cluster are stuck as others are, until they are cancelled."""
        good.start_node_action(2, "enslave_node", NEVER)
        good.start_cluster_action("change_master", STUCK, node_uid=3)
        await asyncio.sleep(5)
        assert good.is_healthy()
        await asyncio.sleep(5)
        assert good.findings() == [
            "enslave_node of node 2 is stuck",
            "change_master of node 3 is stuck",
        ]
        for run in good._node_actions.list_runs():
            good._node_actions.cancel(run)
        await asyncio.sleep(2)
        assert good.is_healthy()


class TestQuiet:
    """Whether work is under way."""

    @pytest.mark.parametrize(
        "start",
        [
            lambda fake: fake.add_action("balance", Plan(duration=10)),
            lambda fake: fake.add_action("balance", Plan(duration=5, queued=5)),
            lambda fake: fake.add_action("SMUpdateBDB", Plan(duration=10)),
            lambda fake: fake.add_action("SMDeleteBDB", Plan(duration=10)),
            lambda fake: fake.add_action("balance", Plan(duration=10, outcome="failed")),
            lambda fake: fake.forget(fake.add_action("SMUpdateBDB", Plan(duration=10))),
            lambda fake: fake.start_transfer(1, "export", Plan(duration=10)),
            lambda fake: fake.start_transfer(1, "import", Plan(duration=10)),
            lambda fake: fake.start_node_action(2, "maintenance_on", Plan(duration=10)),
            lambda fake: fake.start_cluster_action("change_master", Plan(duration=10), node_uid=2),
            lambda fake: fake.start_crdb_task(plan=Plan(duration=10)),
        ],
    )
    async def test_work(self, good: FakeCluster, start: Callable[[FakeCluster], object]) -> None:
        """Work of each kind counts from its beginning to its end."""
        assert good.is_quiet()
        start(good)
        assert not good.is_quiet()
        await asyncio.sleep(9)
        assert not good.is_quiet()
        await asyncio.sleep(1)
        assert good.is_quiet()

    async def test_old_transfers(self) -> None:
        """Transfers count on a version that does not show them as actions."""
        async with FakeCluster(version="7.8") as cluster:
            cluster.start_transfer(1, "backup", Plan(duration=10))
            assert not cluster.is_quiet()
            await asyncio.sleep(10)
            assert cluster.is_quiet()

    @pytest.mark.parametrize(
        ("start", "quiet"),
        [
            (lambda fake: fake.add_action("balance", STUCK), False),
            (lambda fake: fake.add_action("balance", NEVER), False),
            (_fail_update, False),
            (_fail_creation, True),
            (lambda fake: fake.add_bdb(3, recovery=True), True),
            (lambda fake: fake.set_node_status(2, "down"), True),
            (lambda fake: fake.set_available(1, available=False), True),
        ],
    )
    async def test_later(
        self, good: FakeCluster, start: Callable[[FakeCluster], object], quiet: bool
    ) -> None:
        """What is listed as running counts, and a database that stays pending; nothing else."""
        start(good)
        await asyncio.sleep(100)

        assert good.is_quiet() is quiet

    async def test_not_begun(self) -> None:
        """An action that begins when a request asks for it does not count until then."""
        async with FakeCluster() as cluster:
            cluster.add_action("balance", when_asked_for=True)
            assert cluster.is_quiet()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fake: fake.set_node_status(4, "down"), "no node 4"),
        (lambda fake: fake.set_node_status(1, "up"), "status='up' is none of"),
        (lambda fake: fake.set_check(0, "bad"), "no node 0"),
    ],
)
async def test_wrong(
    good: FakeCluster, change: Callable[[FakeCluster], None], message: str
) -> None:
    """Nodes and statuses that there are not are refused, and nothing changes."""
    with pytest.raises(ValueError, match=message):
        change(good)
    assert good.is_healthy()
