"""Tests of waits of all kinds on one client: shared requests, and separate ends."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tenacity import wait_fixed

from redis_enterprise_actions import (
    Action,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    ActionVanished,
    ClientClosed,
    ClusterUnreachable,
    FinishedAction,
    Kind,
    Phase,
    RedisActionsError,
    RequestRejected,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.pacing.schedules import TICK
from redis_enterprise_actions._client.pacing.shared_schedule import SharedSchedule
from redis_enterprise_actions._client.polling.limits import Limits
from redis_enterprise_actions._client.polling.wait_state import WaitState
from redis_enterprise_actions._client.polling.watch import watch
from redis_enterprise_actions._client.protocols import NO_LIST
from redis_enterprise_actions._model.reference import ListKind, Reference, ReferenceKind
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of, examples
from tests.scripted import WALL, ScriptedCluster, now, ref_of
from tests.test_hostile import FAULTS, run


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions._client.protocols import Gate, ListResult, Wanted

pytestmark = [pytest.mark.enable_socket, pytest.mark.system]

LISTS: Final = {
    ListKind.ACTIONS: "/v1/actions",
    ListKind.NODES: "/v1/nodes/actions",
    ListKind.CLUSTER: "/v1/cluster/actions",
    ListKind.CRDBS: "/v1/crdb_tasks",
    ListKind.BDBS: "/v1/bdbs",
}
SHARED: Final = {path for path in LISTS.values() if path != LISTS[ListKind.CLUSTER]}
GUARDED: Final = ["/v1/nodes/actions", "/v1/crdb_tasks", "/v1/bdbs"]
ON_NODES: Final = ("maintenance_on", "maintenance_off", "enslave_node")


@pytest.fixture
async def large() -> AsyncIterator[FakeCluster]:
    """Return a cluster of six nodes, for many node actions."""
    async with FakeCluster(nodes=6) as cluster:
        yield cluster


def start_all(cluster: FakeCluster, each: int, duration: float) -> dict[ListKind, list[str]]:
    """Start work of each kind, `each` times; return the references."""
    actions = [cluster.add_action("retry_bdb", Plan(duration=duration)) for _ in range(each)]
    nodes = range(1, len(cluster.urls) + 1)
    spots = [(node, name) for name in ON_NODES for node in nodes][:each]
    tasks = [
        cluster.start_node_action(node, name, Plan(duration=duration))  # type: ignore[arg-type]
        for node, name in spots
    ]
    crdbs = [cluster.start_crdb_task(plan=Plan(duration=duration)) for _ in range(each)]
    for uid in range(1, each + 1):
        cluster.start_transfer(uid, "export", Plan(duration=duration))
    cluster.start_cluster_action("change_master", Plan(duration=duration), node_uid=1)
    return {
        ListKind.ACTIONS: [f"action:{uid}" for uid in actions],
        ListKind.NODES: [
            f"node:{node}/{name}@{task_id}"
            for (node, name), task_id in zip(spots, tasks, strict=True)
        ],
        ListKind.CLUSTER: ["cluster:change_master"],
        ListKind.CRDBS: [f"crdb:{uid}" for uid in crdbs],
        ListKind.BDBS: [f"export:{uid}" for uid in range(1, each + 1)],
    }


def all_of(started: dict[ListKind, list[str]]) -> list[str]:
    """Return all references."""
    return [ref for refs in started.values() for ref in refs]


def request_counts(cluster: FakeCluster, begin: float = 0.0, end: float = math.inf) -> Counter[str]:
    """Return the number of requests for each path between two times."""
    return Counter(
        each.path.partition("?")[0] for each in cluster.requests if begin <= each.time < end
    )


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings in the log."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


class TestCost:
    """Number of requests for waits of all kinds."""

    async def rush(self, each: int) -> Counter[str]:
        """Wait for `each` objects of each kind; return the requests in five minutes of that."""
        async with FakeCluster(nodes=17) as cluster, client_of(cluster) as client:
            refs = all_of(start_all(cluster, each, duration=400))
            waiting = asyncio.gather(
                *(client.operation(ref).wait(poll=wait_fixed(10)) for ref in refs)
            )
            began = now()
            await asyncio.sleep(400)
            under_way = request_counts(cluster, began + 50, began + 350)
            assert {action.phase for action in await waiting} == {Phase.COMPLETED}
        return under_way

    async def test_kinds_not_waits(self) -> None:
        """Requests grow with the number of kinds, not with that of waits."""
        few, many = await self.rush(5), await self.rush(50)

        # There is one cluster action, so that its list is not needed.
        assert few.keys() == many.keys() == {*SHARED, "/v1/cluster/actions/change_master"}
        for path, count in few.items():
            assert count == pytest.approx(30, abs=1)
            assert many[path] == pytest.approx(30, abs=1)

    async def test_the_same_work(self, large: FakeCluster) -> None:
        """Fifty waits for the same work cost no more than one."""
        large.start_crdb_task(plan=Plan(duration=100), id="t1")
        async with client_of(large) as client:
            await asyncio.gather(*(client.crdbs.wait_task("t1") for _ in range(50)))

            alone = request_counts(large)
            large.requests.clear()
            large.start_crdb_task(plan=Plan(duration=100), id="t1")
            await client.crdbs.wait_task("t1")
        assert alone.keys() == {"/v1/crdb_tasks/t1"}
        assert alone.total() <= request_counts(large).total() * 2

    async def test_rate_limit(self, large: FakeCluster) -> None:
        """For any number of kinds there are at most three requests a second."""
        refs = all_of(start_all(large, 15, duration=120))
        async with client_of(large) as client:
            await client.wait_for(*refs)

        times = [each.time for each in large.requests]
        assert all(later - first > 1 for first, later in zip(times, times[3:], strict=False))

    async def test_rate_limit_at_limits(self, large: FakeCluster) -> None:
        """The rate limit also holds if polls take several requests, or come at limits."""
        refs = all_of(start_all(large, 15, duration=60))
        refs += [large.add_action("export", Plan(duration=40 + n), bdb_uid=1) for n in range(15)]
        refs += [f"unknown-{n}" for n in range(15)]
        async with client_of(large) as client:
            await asyncio.gather(
                *(
                    client.operation(ref).wait(timeout=10 + 0.7 * n, not_found_grace=5 + n)
                    for n, ref in enumerate(refs)
                ),
                return_exceptions=True,
            )

        times = [each.time for each in large.requests]
        assert len(times) > 100
        assert all(later - first > 1 for first, later in zip(times, times[3:], strict=False))

    async def test_turns(self, large: FakeCluster) -> None:
        """If the cluster is slow, the lists take turns."""
        refs = all_of(start_all(large, 5, duration=2000))
        large.inject(times=None, delay=2.0)
        async with client_of(large) as client:
            with pytest.raises(WaitTimeout):
                await client.wait_for(*refs, poll=wait_fixed(1), timeout=1500)

        per_kind = [
            count for path, count in request_counts(large, 200).items() if "change" not in path
        ]
        assert len(per_kind) == 4
        assert max(per_kind) <= min(per_kind) * 1.5
        paths = [each.path for each in large.requests if each.time > 200]
        assert all(one != another for one, another in itertools.pairwise(paths))


class TestEnds:
    """Each wait has its own end."""

    async def test_all_kinds(self, large: FakeCluster) -> None:
        """References and operations of every kind can be waited for together, in order."""
        large.add_bdb(7)
        large.add_bdb(8)
        large.plan("DELETE", "/v1/bdbs/8", Plan(duration=30))
        async with client_of(large) as client:
            operations = [
                await client.databases.export(7, {"type": "mount_point", "path": "/a"}),
                await client.databases.update(7, {"memory_size": 1}),
                await client.databases.delete(8),
                await client.nodes.maintenance_on(2),
                await client.cluster.change_primary(1),
                await client.crdbs.create({"name": "a"}),
                await client.databases.create(
                    {"name": "a", "memory_size": 1}, params={"dry_run": True}
                ),
            ]
            large.start_transfer(9, "backup", Plan(duration=40))
            large.start_transfer(10, "import", Plan(duration=40))
            v2_only = large.add_action("export", Plan(duration=25), bdb_uid=11)
            refs = ["backup:9", "import:10", "bdb:7", "bdb:8@gone", v2_only]

            actions = await client.wait_for(*operations, *refs)

        assert [action.kind for action in actions] == [
            Kind.EXPORT,
            Kind.STATE_MACHINE,
            Kind.STATE_MACHINE,
            Kind.NODE_ACTION,
            Kind.CLUSTER_ACTION,
            Kind.CRDB_TASK,
            Kind.CALL,
            Kind.BACKUP,
            Kind.IMPORT,
            Kind.DATABASE,
            Kind.DATABASE,
            Kind.OTHER,
        ]
        assert {action.phase for action in actions} == {Phase.COMPLETED}
        assert str(actions[9]) == "database 7: active [bdb:7]"
        for action in actions:
            assert action.brief in str(action)

    async def test_settled(self, large: FakeCluster) -> None:
        """With `settle`, the list holds the end of each wait."""
        large.start_crdb_task(plan=Plan(duration=20, outcome="failed", error="no room"), id="t1")
        large.start_node_action(1, "remove", Plan(duration=30, outcome="vanishes"))
        large.start_node_action(2, "remove", Plan(duration=30, outcome="cancelled"))
        large.start_node_action(3, "maintenance_on", Plan(duration=30, outcome="vanishes"))
        large.start_transfer(1, "export", Plan(duration=50, outcome="failed", error="no-space"))
        large.start_cluster_action("change_master", Plan(outcome="never"), node_uid=2)
        refs = [
            *("crdb:t1", "node:1/remove", "node:2/remove", "node:3/maintenance_on", "export:1"),
            *("cluster:change_master", "crdb:t2"),
        ]
        async with ActionsClient(large.urls, username=large.username, password=large.password) as c:
            results = await c.wait_for(*refs, settle=True, timeout=100)

        assert [type(result) for result in results] == [
            ActionFailed,
            FinishedAction,
            ActionCancelled,
            ActionVanished,
            ActionFailed,
            WaitTimeout,
            ActionNotFound,
        ]
        assert [str(result).partition(" ")[0] for result in results[:2]] == [
            "update_crdb",
            "remove",
        ]
        assert "no-space" in str(results[4])

    async def test_first_failure(self, large: FakeCluster) -> None:
        """The first failure is raised and ends the other waits, but not their work."""
        started = start_all(large, 3, duration=100)
        large.start_crdb_task(plan=Plan(duration=20, outcome="failed"), id="bad")
        async with client_of(large) as client:
            with pytest.raises(ActionFailed, match="bad"):
                await client.wait_for(*all_of(started), "crdb:bad")
            assert now() < 35
            count = len(large.requests)
            await asyncio.sleep(30)
            assert len(large.requests) == count

            actions = await client.wait_for(*all_of(started))
        assert {action.phase for action in actions} == {Phase.COMPLETED}

    async def test_one_leaves(self, large: FakeCluster) -> None:
        """A wait that leaves, times out or has a slow callback disturbs no other kind."""
        started = start_all(large, 2, duration=60)

        async def slow_callback(_: Action) -> None:
            await asyncio.sleep(500)

        async with client_of(large) as client:
            slow = asyncio.ensure_future(
                client.operation(started[ListKind.NODES][0]).wait(on_progress=slow_callback)
            )
            leaver = asyncio.ensure_future(client.operation(started[ListKind.CRDBS][0]).wait())
            hasty = asyncio.ensure_future(
                client.operation(started[ListKind.BDBS][0]).wait(timeout=30)
            )
            rest = [refs[-1] for refs in started.values()]
            waiting = asyncio.ensure_future(client.wait_for(*rest))
            await asyncio.sleep(20)
            leaver.cancel()

            with pytest.raises(WaitTimeout):
                await hasty
            assert now() == pytest.approx(30, abs=0.1)
            assert {action.phase for action in await waiting} == {Phase.COMPLETED}
            assert now() == pytest.approx(60, abs=5)
            slow.cancel()
            await asyncio.gather(slow, leaver, return_exceptions=True)

    async def test_close(self, large: FakeCluster) -> None:
        """Closing the client ends waits of all kinds."""
        client = client_of(large)
        refs = all_of(start_all(large, 2, duration=60))
        waiting = asyncio.ensure_future(
            asyncio.gather(*(client.operation(ref).wait() for ref in refs), return_exceptions=True)
        )
        await asyncio.sleep(20)
        await client.aclose()

        assert {type(result) for result in await waiting} == {ClientClosed}

    async def test_twice(self, large: FakeCluster) -> None:
        """A reference that is given twice is waited for once, and returned twice."""
        async with client_of(large) as client:
            operation = await client.nodes.maintenance_on(1)
            ref = operation.ref or ""
            actions = await client.wait_for(operation, ref, operation, ref)
            with pytest.raises(UsageError, match=r"^operations is empty: pass allow_empty=True"):
                await client.wait_for()
            assert await client.wait_for(allow_empty=True) == []
            again = await client.wait_for(operation, allow_empty=True)

        assert [action.phase for action in again] == [Phase.COMPLETED]
        assert len({id(action) for action in actions}) <= 2
        assert [action.uid for action in actions] == ["node:1/maintenance_on"] * 4

    async def test_twice_and_failing(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """After a failure, no wait for a reference that was given twice is left."""
        cluster.start_crdb_task(plan=Plan(outcome="never"), id="slow")
        cluster.start_crdb_task(plan=Plan(outcome="failed", duration=5), id="bad")

        with pytest.raises(ActionFailed):
            await client.wait_for("crdb:slow", "crdb:slow", "crdb:bad")
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not {name for name in names if "wait for" in name or name == "poll loop"}

    @pytest.mark.parametrize("wrong", [["crdb:"], ["node:1"], [None], [5], [["crdb:t1"]]])
    async def test_not_several(
        self, cluster: FakeCluster, client: ActionsClient, wrong: list[str]
    ) -> None:
        """A wait refuses all references if one of them is invalid."""
        with pytest.raises(UsageError):
            await client.wait_for(*wrong)
        assert cluster.requests == []


class TestFaults:
    """Faults of one kind do not affect the others."""

    def spoil(self, cluster: FakeCluster, path: str, **fault: object) -> None:
        """Let a list fail, but not the objects below it."""
        cluster.inject(path=f"{path}/", times=None, delay=0.001)
        cluster.inject(path=path, times=None, **fault)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("path", "status"),
        [*((path, 403) for path in GUARDED), ("/v1/actions", 405), ("/v1/crdb_tasks", 400)],
    )
    async def test_refused(
        self, large: FakeCluster, path: str, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Work whose list is refused is requested one by one, without a warning."""
        started = start_all(large, 4, duration=100)
        self.spoil(large, path, status=status)
        async with client_of(large) as client:
            actions = await client.wait_for(*all_of(started))

        assert {action.phase for action in actions} == {Phase.COMPLETED}
        lists = request_counts(large)
        assert lists[path] == 1
        assert min(lists[each] for each in SHARED if each != path) > 3
        assert warnings_in(caplog) == []

    async def test_allowed_again(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A forbidden list is tried every five minutes, and used once it is allowed."""
        path = LISTS[ListKind.CRDBS]
        refs = [f"crdb:{cluster.start_crdb_task(plan=Plan(duration=1000))}" for _ in range(3)]
        self.spoil(cluster, path, status=403)
        waiting = asyncio.ensure_future(client.wait_for(*refs, poll=wait_fixed(20)))
        await asyncio.sleep(700)
        assert request_counts(cluster)[path] == 3
        cluster.heal()
        await waiting

        assert request_counts(cluster, 940, 1000).keys() == {path}

    @pytest.mark.parametrize("path", GUARDED)
    async def test_unauthorized(self, large: FakeCluster, path: str) -> None:
        """A list for which the credentials are unknown ends the waits for it, and no others."""
        started = start_all(large, 3, duration=100)
        started[ListKind.CLUSTER] = ["cluster:change_master", "cluster:other"]
        self.spoil(large, path, status=401)
        async with client_of(large) as client:
            results = {
                kind: await client.wait_for(*refs, settle=True) for kind, refs in started.items()
            }

        for kind, ends in results.items():
            refused = LISTS[kind] == path
            assert [isinstance(end, RequestRejected) for end in ends] == [refused] * len(ends)

    async def test_list_fails(self, large: FakeCluster, caplog: pytest.LogCaptureFixture) -> None:
        """A list that fails is avoided for a while; the log says which, and when it is back."""
        started = start_all(large, 4, duration=400)
        async with client_of(large) as client:
            waiting = asyncio.ensure_future(client.wait_for(*all_of(started)))
            await asyncio.sleep(20)
            self.spoil(large, "/v1/crdb_tasks", status=503)
            await asyncio.sleep(100)
            large.heal()
            actions = await waiting

        assert {action.phase for action in actions} == {Phase.COMPLETED}
        assert now() < 420
        assert [line for line in warnings_in(caplog) if "list" in line] == [
            "the list of all CRDB tasks fails; requesting each one alone",
            "the list of all CRDB tasks is answered again",
        ]
        fields = [vars(record) for record in caplog.records if "list" in vars(record)]
        assert [(each["event"], each["list"]) for each in fields] == [
            ("list fails", "CRDB tasks"),
            ("list answered", "CRDB tasks"),
        ]

    async def test_outage(self, large: FakeCluster, caplog: pytest.LogCaptureFixture) -> None:
        """An outage concerns all kinds: one request is retried, and the log has two lines."""
        started = start_all(large, 10, duration=400)
        async with client_of(large) as client:
            waiting = asyncio.ensure_future(client.wait_for(*all_of(started)))
            await asyncio.sleep(50)
            large.inject(times=None, status=503)
            await asyncio.sleep(200)
            large.heal()
            actions = await waiting

        assert {action.phase for action in actions} == {Phase.COMPLETED}
        assert 10 < request_counts(large, 50, 250).total() < 60
        first, last = warnings_in(caplog)
        assert "503" in first
        assert last.startswith("the cluster answers again after 3m")

    async def test_outage_for_ever(self, large: FakeCluster) -> None:
        """An outage that outlasts the budgets ends all waits, of any kind."""
        refs = all_of(start_all(large, 2, duration=400))
        async with client_of(large) as client:
            waiting = asyncio.ensure_future(client.wait_for(*refs, settle=True, outage_timeout=60))
            await asyncio.sleep(50)
            large.inject(times=None, drop=True)

            for result in await waiting:
                assert isinstance(result, ClusterUnreachable)
                assert result.action is not None
        assert now() == pytest.approx(110, abs=10)

    async def test_bad_entry(self, large: FakeCluster) -> None:
        """An invalid entry of a list does not affect the other entries."""
        started = start_all(large, 4, duration=100)
        large.inject(times=None, bad_entry=True)
        async with client_of(large) as client:
            actions = await client.wait_for(*all_of(started))

        assert {action.phase for action in actions} == {Phase.COMPLETED}
        assert now() < 110

    async def test_restarts(self, large: FakeCluster) -> None:
        """A rolling restart of the cluster ends no wait of any kind."""
        started = start_all(large, 5, duration=300)
        async with ActionsClient(large.urls, username=large.username, password=large.password) as c:
            waiting = asyncio.ensure_future(c.wait_for(*all_of(started)))
            for node in (1, 2, 3):
                await asyncio.sleep(20)
                await large.restart_node(node, downtime=30)
            actions = await waiting

        assert {action.phase for action in actions} == {Phase.COMPLETED}


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.too_slow])
@given(faults=st.lists(FAULTS, max_size=12))
def test_hostile(faults: list[dict[str, object]]) -> None:
    """For any answers, waits of all kinds return or raise an error of ours."""

    async def main() -> list[object]:
        async with FakeCluster(nodes=2, handle_redirects=True) as cluster:
            refs = all_of(start_all(cluster, 2, duration=60))
            for fault in faults:
                cluster.inject(**fault)  # type: ignore[arg-type]
            async with client_of(cluster) as client:
                return [*await client.wait_for(*refs, settle=True)]

    for result in run(main):
        assert isinstance(result, Action | RedisActionsError)
        assert not isinstance(result, UsageError)
        assert str(result).isprintable()


def test_no_list_pays() -> None:
    """A list that cannot be read is never cheaper than any number of single requests."""
    for count in (2, 10, 1000):
        shared = SharedSchedule(
            [WaitState(ref_of("x"), limits=Limits(), now=0.0, wall=WALL).schedule] * count, 0.0
        )
        assert not shared.is_cheaper(NO_LIST.cost, count)


@dataclass
class KindsSource(ScriptedCluster):
    """Scripted cluster that also keeps the kinds and times of list requests."""

    listed: list[tuple[float, set[ListKind]]] = field(default_factory=list)

    async def fetch_many(self, wanted: Wanted, gate: Gate | None) -> ListResult:
        """Answer with a list."""
        self.listed.append((now(), {ref.list_kind for ref in wanted}))
        return await super().fetch_many(wanted, gate)

    async def follow(self, ref: Reference) -> Action:
        """Wait for work of any kind, with a poll every ten seconds."""
        wait = WaitState(ref, limits=Limits(), poll=wait_fixed(10), now=now(), wall=WALL)
        async for _ in watch(self.poller, wait, on_progress=None, every_update=False):
            pass
        return wait.close(now())


async def test_left_at_the_last_moment() -> None:
    """If all waits of a kind leave as others join, their list is not requested."""
    cluster = KindsSource()
    uids = [cluster.add(uid, 100.0) for uid in ("1", "2")]
    old = [asyncio.create_task(cluster.follow(Reference(ReferenceKind.CRDB, uid))) for uid in uids]
    await asyncio.sleep(25)
    new: list[asyncio.Task[Action]] = []

    def swap() -> None:
        for task in old:
            task.cancel()
        new.extend(asyncio.create_task(cluster.follow(ref_of(uid))) for uid in uids)

    due = cluster.listed[-1][0] + 10 - TICK / 2  # counts as due
    asyncio.get_running_loop().call_at(due, swap)
    await asyncio.wait(old)
    actions = await asyncio.gather(*new)

    assert all(task.cancelled() for task in old)
    assert all(systems == {ListKind.CRDBS} for when, systems in cluster.listed if when < due)
    assert all(systems == {ListKind.ACTIONS} for when, systems in cluster.listed if when >= due)
    assert [action.status for action in actions] == ["completed"] * 2
