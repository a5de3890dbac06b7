"""Tests of `_client.resources.maintenance`: one node at a time, and the way back in any case."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions import (
    ActionFailed,
    ActionsClient,
    AnswerLost,
    AuthenticationError,
    ClientClosed,
    ClusterUnhealthy,
    ClusterUnreachable,
    Outcome,
    RequestRejected,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.scripted import now


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.core, pytest.mark.enable_socket]

ON, OFF = "maintenance_on", "maintenance_off"
BY_HAND = "Switch it off with: redis-actions nodes maintenance-off 2"


def new_client(cluster: FakeCluster) -> ActionsClient:
    """Return a client of all nodes."""
    return ActionsClient(cluster.urls, username=cluster.username, password=cluster.password)


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    """Return a cluster of three nodes with a database."""
    async with FakeCluster(version="8.0.16", nodes=3) as cluster:
        cluster.add_bdb(1)
        yield cluster


@pytest.fixture
async def client(cluster: FakeCluster) -> AsyncIterator[ActionsClient]:
    """Return a client of all nodes."""
    async with new_client(cluster) as client:
        yield client


def calls(cluster: FakeCluster) -> list[str]:
    """Return the calls so far, such as `2/maintenance_on`."""
    sent = [each for each in cluster.requests if each.method != "GET" and each.status != 307]
    prefix = {"POST": "", "DELETE": "cancel "}
    return [
        prefix[each.method] + each.path.removeprefix("/v1/nodes/").replace("actions/", "")
        for each in sent
    ]


async def test_on_and_off(cluster: FakeCluster, client: ActionsClient) -> None:
    """The body runs while the node is in maintenance; the end waits until it is not."""
    async with client.nodes.maintenance(2, {"evict_ha_replica": True}) as on:
        assert cluster.maintenance[2] == 1
        assert (on.name, on.status) == (ON, "completed")

    assert cluster.maintenance == {1: 0, 2: 0, 3: 0}
    assert calls(cluster) == [f"2/{ON}", f"2/{OFF}"]


@pytest.mark.parametrize("version", ["7.4", "8.0.16"])
@pytest.mark.parametrize("node", [2, 3])
async def test_refused(version: Any, node: int) -> None:  # noqa: ANN401
    """A node does not go into maintenance beside another one, nor twice."""
    async with FakeCluster(version=version, nodes=3) as cluster, new_client(cluster) as client:
        cluster.start_node_action(3, ON, Plan(duration=0))
        await asyncio.sleep(1)

        with pytest.raises(ClusterUnhealthy, match="node 3: in maintenance") as caught:
            async with client.nodes.maintenance(node, ignore_maintenance=[node]):
                pytest.fail("the body is not run")
        with pytest.raises(ClusterUnhealthy, match=f"node {node} was not put into maintenance"):
            await client.nodes.maintenance_on(node, check=True)

        assert caught.value.outcome is Outcome.UNHEALTHY
        assert [each.object for each in caught.value.check.findings] == ["node 3"]
        assert calls(cluster) == []


async def test_unhealthy(cluster: FakeCluster, client: ActionsClient) -> None:
    """Any finding is a reason to refuse; the message names some of them."""
    for node in (1, 2, 3):
        cluster.set_check(node, "no pid file")
    cluster.set_available(1, available=False)
    cluster.set_shard(1, detailed_status="down")
    cluster.add_action("retry_bdb", kind="task")

    with pytest.raises(ClusterUnhealthy) as caught:
        async with client.nodes.maintenance(2):
            pytest.fail("the body is not run")

    assert str(caught.value).endswith(", +1 more")
    assert calls(cluster) == []


async def test_not_checked(cluster: FakeCluster, client: ActionsClient) -> None:
    """Without a check, a node goes into maintenance whatever the state of the cluster."""
    cluster.set_node_status(3, "down")

    async with client.nodes.maintenance(2, check=False):
        assert cluster.maintenance[2] == 1

    assert not any("health" in each.path for each in cluster.requests)


async def test_ignored(cluster: FakeCluster, client: ActionsClient) -> None:
    """The maintenance of a node that is ignored is no reason to refuse, also by this client."""
    async with (
        client.nodes.maintenance(3),
        client.nodes.maintenance(2, ignore_maintenance=[3]),
    ):
        assert cluster.maintenance == {1: 0, 2: 1, 3: 1}


@pytest.mark.parametrize("node", [2, 3])
@pytest.mark.parametrize("lateness", [0, 5])
async def test_two_at_once(
    cluster: FakeCluster, client: ActionsClient, node: int, lateness: float
) -> None:
    """Of two on one client, one is refused at once, even if the cluster shows nothing yet."""
    cluster.lateness = lateness

    async def keep(uid: int) -> None:
        async with client.nodes.maintenance(uid):
            assert sum(cluster.maintenance.values()) == 1
            await asyncio.sleep(200)

    first, second = await asyncio.gather(keep(2), keep(node), return_exceptions=True)

    assert first is None
    assert isinstance(second, ClusterUnhealthy)
    assert "node 2: this client works on it" in str(second)
    assert cluster.maintenance == {1: 0, 2: 0, 3: 0}


async def test_two_clients(cluster: FakeCluster, client: ActionsClient) -> None:
    """Of two clients that have checked at the same time, none works on its node."""
    worked = []

    async def keep(which: ActionsClient, uid: int) -> None:
        async with which.nodes.maintenance(uid):
            worked.append(uid)

    async with new_client(cluster) as other:
        ended = await asyncio.gather(keep(client, 2), keep(other, 3), return_exceptions=True)

    assert [type(each) for each in ended] == [ClusterUnhealthy, ClusterUnhealthy]
    assert all("taken out of maintenance again" in str(each) for each in ended)
    assert (worked, cluster.maintenance) == ([], {1: 0, 2: 0, 3: 0})


@pytest.mark.parametrize("version", ["7.8", "8.0.16"])
@pytest.mark.parametrize("delay", [0, 0.5, 1, 3, 9])
async def test_one_node_by_two_clients(version: Any, delay: float) -> None:  # noqa: ANN401
    """Two clients never work on the same node at once."""
    inside: list[int] = []

    async def keep(which: ActionsClient, number: int, after: float) -> None:
        await asyncio.sleep(after)
        async with which.nodes.maintenance(2):
            assert not inside
            inside.append(number)
            await asyncio.sleep(30)
            assert cluster.maintenance[2] == 1
            inside.remove(number)

    async with (
        FakeCluster(version=version, nodes=3) as cluster,
        new_client(cluster) as first,
        new_client(cluster) as second,
    ):
        cluster.add_bdb(1)
        ended = await asyncio.gather(
            keep(first, 1, 0), keep(second, 2, delay), return_exceptions=True
        )

        assert [type(each) for each in ended].count(ClusterUnhealthy) == 1
        assert ended.count(None) == 1
        assert calls(cluster).count(f"2/{OFF}") == 1
        assert cluster.maintenance[2] == 0


async def test_two_calls_at_once(cluster: FakeCluster, client: ActionsClient) -> None:
    """Of two single calls that are checked, one is refused, even if no list shows the other."""
    cluster.lateness = 20

    ended = await asyncio.gather(
        *(client.nodes.maintenance_on(uid, check=True) for uid in (2, 3)), return_exceptions=True
    )
    with pytest.raises(ClusterUnhealthy, match="node 2: this client works on it"):
        async with client.nodes.maintenance(3):
            pytest.fail("the body is not run")

    assert isinstance(ended[1], ClusterUnhealthy)
    assert calls(cluster) == [f"2/{ON}"]
    cluster.lateness = 0
    await asyncio.sleep(20)
    await (await client.nodes.maintenance_off(2))
    async with client.nodes.maintenance(3):
        assert cluster.maintenance == {1: 0, 2: 0, 3: 1}


@pytest.mark.parametrize(("status", "counts"), [(403, False), (503, True)])
async def test_call_that_fails(
    cluster: FakeCluster, client: ActionsClient, status: int, *, counts: bool
) -> None:
    """A single call counts if the cluster may have executed it."""
    cluster.inject(method="POST", status=status, times=None)
    cluster.lateness = 60

    with pytest.raises((AuthenticationError, AnswerLost, ClusterUnreachable)):
        await client.nodes.maintenance_on(2, check=True, outage_timeout=5)
    cluster.heal()

    (ended,) = await asyncio.gather(
        client.nodes.maintenance_on(2, check=True), return_exceptions=True
    )
    assert isinstance(ended, ClusterUnhealthy) is counts


@pytest.mark.parametrize(("busy_timeout", "ends"), [(0, RequestRejected), (60, None)])
async def test_busy(
    cluster: FakeCluster, client: ActionsClient, busy_timeout: float, ends: type[Exception] | None
) -> None:
    """A busy cluster on which nothing is found gets the call again, for a time."""
    cluster.inject(method="POST", status=409, body='{"error_code": "busy"}', times=2)

    async def keep() -> None:
        async with client.nodes.maintenance(2, busy_timeout=busy_timeout):
            assert cluster.maintenance[2] == 1

    (ended,) = await asyncio.gather(keep(), return_exceptions=True)

    assert type(ended) is (ends or type(None))
    assert cluster.maintenance[2] == 0


async def test_again(cluster: FakeCluster, client: ActionsClient) -> None:
    """One node can follow the other, once the cluster is healthy again."""
    for node in (1, 2, 3):
        await client.cluster.wait_healthy(timeout=60)
        async with client.nodes.maintenance(node):
            assert cluster.maintenance[node] == 1


# --- the way back --------------------------------------------------------------------------------


async def test_error_in_the_body(cluster: FakeCluster, client: ActionsClient) -> None:
    """An error of the body is raised once maintenance is off."""
    with pytest.raises(OSError, match="does not boot") as caught:
        async with client.nodes.maintenance(2):
            raise OSError("does not boot")

    assert cluster.maintenance[2] == 0
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize("after", [0.01, 1, 5, 9.99, 10.5, 15, 30])
async def test_cancelled(cluster: FakeCluster, client: ActionsClient, after: float) -> None:
    """A task that is cancelled, in any part, ends once no maintenance is on, or begins."""

    async def work() -> None:
        async with client.nodes.maintenance(2):
            await asyncio.sleep(5)

    cluster.inject(path=f"/v1/nodes/2/actions/{ON}", method="POST", delay=0.1)
    task = asyncio.create_task(work())
    await asyncio.sleep(after)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled() is (after < 25)
    assert not any(cluster._node_actions.is_unfinished(2, each) for each in (ON, OFF))
    begun = [each for each in calls(cluster) if not each.startswith("cancel")]
    assert begun in ([], [f"2/{ON}", f"2/{OFF}"])
    await asyncio.sleep(100)
    assert cluster.maintenance[2] == 0


async def test_cancelled_again_and_again(cluster: FakeCluster, client: ActionsClient) -> None:
    """More cancellations do not stop the way back."""
    entered = asyncio.Event()

    async def work() -> None:
        async with client.nodes.maintenance(2):
            entered.set()

    task = asyncio.create_task(work())
    await entered.wait()
    for _ in range(3):
        await asyncio.sleep(1)
        task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert cluster.maintenance[2] == 0


async def test_cancelled_on_the_way_back_from_an_error(
    cluster: FakeCluster, client: ActionsClient
) -> None:
    """A cancellation is not lost if the body has failed before."""
    cluster.plan("POST", f"/v1/nodes/2/actions/{OFF}", Plan(outcome="failed", error="full"))
    caught: list[asyncio.CancelledError] = []
    failed = asyncio.Event()

    def fail() -> None:
        failed.set()
        raise OSError("does not boot")

    async def work() -> None:
        try:
            async with client.nodes.maintenance(2):
                fail()
        except asyncio.CancelledError as error:
            caught.append(error)
            raise

    task = asyncio.create_task(work())
    await failed.wait()
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert isinstance(caught[0].__cause__, OSError)
    assert BY_HAND in caught[0].__notes__[0]


async def test_way_back_is_short(cluster: FakeCluster, client: ActionsClient) -> None:
    """What has been switched on is neither cancelled nor waited for again."""
    async with client.nodes.maintenance(2):
        cluster.requests.clear()

    assert [each.method for each in cluster.requests].count("DELETE") == 0
    assert not [each for each in cluster.requests if each.path.endswith(ON)]


async def test_cancelled_without_time_limit(cluster: FakeCluster, client: ActionsClient) -> None:
    """Without a time limit, the way back does not wait for ever until switching on has ended."""
    cluster.plan("POST", f"/v1/nodes/2/actions/{ON}", Plan(duration=10**6))
    cluster.not_cancellable.add(ON)

    async def work() -> None:
        async with client.nodes.maintenance(2, timeout=None):
            pytest.fail("the body is not run")

    task = asyncio.create_task(work())
    await asyncio.sleep(20)
    task.cancel()
    await asyncio.wait([task], timeout=1000)

    assert task.cancelled()
    assert calls(cluster)[-1] == f"2/{OFF}"


async def test_on_fails(cluster: FakeCluster, client: ActionsClient) -> None:
    """A node that fails to enter maintenance mode is taken out of it all the same."""
    plan = Plan(outcome="failed", error="full")
    cluster.plan("POST", f"/v1/nodes/2/actions/{ON}", plan)

    with pytest.raises(ActionFailed, match="full"):
        async with client.nodes.maintenance(2):
            pytest.fail("the body is not run")

    assert calls(cluster) == [f"2/{ON}", f"2/{OFF}"]


async def test_on_takes_too_long(cluster: FakeCluster, client: ActionsClient) -> None:
    """If switching on takes too long, it is cancelled, and switched off."""
    cluster.plan("POST", f"/v1/nodes/2/actions/{ON}", Plan(duration=10_000))

    with pytest.raises(WaitTimeout):
        async with client.nodes.maintenance(2, timeout="1m"):
            pytest.fail("the body is not run")

    assert calls(cluster) == [f"2/{ON}", f"cancel 2/{ON}", f"2/{OFF}"]


async def test_on_cannot_be_cancelled(cluster: FakeCluster, client: ActionsClient) -> None:
    """If switching on neither ends nor can be cancelled, it is switched off all the same."""
    cluster.plan("POST", f"/v1/nodes/2/actions/{ON}", Plan(duration=10_000))
    cluster.not_cancellable.add(ON)

    with pytest.raises(WaitTimeout):
        async with client.nodes.maintenance(2, timeout="1m"):
            pytest.fail("the body is not run")

    assert calls(cluster)[-1] == f"2/{OFF}"


async def test_call_refused(cluster: FakeCluster, client: ActionsClient) -> None:
    """Nothing is undone after a call that the cluster refused."""
    cluster.inject(method="POST", status=403)

    with pytest.raises(AuthenticationError):
        async with client.nodes.maintenance(2):
            pytest.fail("the body is not run")

    assert calls(cluster) == [f"2/{ON}"]


@pytest.mark.parametrize("lateness", [0, 30])
@pytest.mark.parametrize("fault", [{"lose": True}, {"drop": True}])
async def test_answer_lost(
    cluster: FakeCluster, client: ActionsClient, fault: dict[str, Any], lateness: float
) -> None:
    """A call whose answer is lost is looked for, and sent again only if it had no effect."""
    cluster.inject(method="POST", **fault)
    cluster.lateness = lateness
    asyncio.get_running_loop().call_later(lateness, setattr, cluster, "lateness", 0)

    async with client.nodes.maintenance(2):
        assert cluster.maintenance[2] == 1

    assert cluster.maintenance[2] == 0
    taken = [each for each in cluster.requests if each.method == "POST" and each.status == 200]
    assert len(taken) == (1 if "lose" in fault else 2)


async def test_answers_lost_until_the_limit(cluster: FakeCluster, client: ActionsClient) -> None:
    """A call is not sent again for ever."""
    cluster.inject(method="POST", drop=True, times=None)

    with pytest.raises(AnswerLost) as caught:
        async with client.nodes.maintenance(2, timeout=300):
            pytest.fail("the body is not run")

    assert BY_HAND in caught.value.__notes__[0]
    assert "maintenance_off of node 2 timed out after 5m 00s" in caught.value.__notes__[0]
    assert now() < 1000


async def test_lost_call_cannot_be_looked_for(cluster: FakeCluster, client: ActionsClient) -> None:
    """If nothing tells whether a lost call had an effect, maintenance is switched off."""
    cluster.inject(method="POST", lose=True)
    cluster.inject(
        exact=True, path=f"/v1/nodes/2/actions/{ON}", method="GET", status=403, times=None
    )

    with pytest.raises(AnswerLost) as caught:
        async with client.nodes.maintenance(2):
            pytest.fail("the body is not run")

    assert isinstance(caught.value.__cause__, AuthenticationError)
    assert calls(cluster)[-1] == f"2/{OFF}"
    assert cluster.maintenance[2] == 0


async def test_undo_fails_after_an_error(
    cluster: FakeCluster, client: ActionsClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The error of the body is kept; a note and the log say what to do by hand."""
    cluster.plan("POST", f"/v1/nodes/2/actions/{OFF}", Plan(outcome="failed", error="full"))

    with pytest.raises(OSError, match="does not boot") as caught:
        async with client.nodes.maintenance(2):
            raise OSError("does not boot")

    (note,) = caught.value.__notes__
    assert note.startswith("node 2 may still be in maintenance: ")
    assert "full" in note
    assert note.endswith(BY_HAND)
    assert [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR] == [note]


async def test_undo_fails(cluster: FakeCluster, client: ActionsClient) -> None:
    """Without another error, that of switching off is raised, with the note."""
    cluster.plan("POST", f"/v1/nodes/2/actions/{OFF}", Plan(outcome="failed", error="full"))

    with pytest.raises(ActionFailed, match="full") as caught:
        async with client.nodes.maintenance(2):
            pass

    assert caught.value.__notes__ == [f"node 2 may still be in maintenance. {BY_HAND}"]


@pytest.mark.parametrize("timeout", [30, None])
async def test_undo_takes_too_long(
    cluster: FakeCluster, client: ActionsClient, timeout: float | None
) -> None:
    """The way back has a limit, unless the caller wants none."""
    cluster.plan("POST", f"/v1/nodes/2/actions/{OFF}", Plan(duration=5000))

    if timeout is None:
        async with client.nodes.maintenance(2, timeout=None):
            pass
        assert now() > 5000
        return
    with pytest.raises(WaitTimeout, match="maintenance_off on node:2 timed out") as caught:
        async with client.nodes.maintenance(2, timeout=timeout):
            pass
    assert (caught.value.ref or "").startswith(f"node:2/{OFF}")
    assert caught.value.action is not None
    assert 30 <= caught.value.elapsed < 40
    assert BY_HAND in caught.value.__notes__[0]
    assert now() < 100


async def test_undo_fails_and_cancelled(cluster: FakeCluster, client: ActionsClient) -> None:
    """A cancellation during a way back that fails carries the note."""
    cluster.plan("POST", f"/v1/nodes/2/actions/{OFF}", Plan(outcome="failed", error="full"))
    entered = asyncio.Event()
    notes: list[str] = []

    async def work() -> None:
        try:
            async with client.nodes.maintenance(2):
                entered.set()
        except asyncio.CancelledError as error:
            notes.extend(error.__notes__)
            raise

    task = asyncio.create_task(work())
    await entered.wait()
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert "full" in notes[0]


async def test_undo_is_cancelled(cluster: FakeCluster, client: ActionsClient) -> None:
    """If the loop cancels even the task of the way back, the note says so."""
    entered = asyncio.Event()

    async def work() -> None:
        async with client.nodes.maintenance(2):
            entered.set()

    task = asyncio.create_task(work())
    await entered.wait()
    await asyncio.sleep(1)
    (undo,) = [each for each in asyncio.all_tasks() if "maintenance_off of" in each.get_name()]
    undo.cancel()

    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert BY_HAND in caught.value.__notes__[0]


async def test_closed(cluster: FakeCluster, client: ActionsClient) -> None:
    """A client that is closed in the body cannot switch maintenance off, and says so."""
    with pytest.raises(ClientClosed) as caught:
        async with client.nodes.maintenance(2):
            await client.aclose()

    assert BY_HAND in caught.value.__notes__[0]
    assert cluster.maintenance[2] == 1


async def test_wrong_settings(cluster: FakeCluster, client: ActionsClient) -> None:
    """A call that cannot be sent is not undone; wrong arguments are told before any request."""
    for arguments in ({"timeout": "x"}, {"busy_timeout": -1}, {"ignore_maintenance": 2}):
        with pytest.raises(UsageError):
            client.nodes.maintenance(2, **arguments)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        client.nodes.maintenance(-2)
    with pytest.raises(UsageError):
        async with client.nodes.maintenance(2, {"x": object()}, check=False):
            pytest.fail("the body is not run")

    assert cluster.requests == []


async def test_body_without_note_of_others(cluster: FakeCluster, client: ActionsClient) -> None:
    """The look after switching on fails like any other part: maintenance is switched off."""
    cluster.plan("POST", f"/v1/nodes/2/actions/{ON}", Plan(duration=20))

    async def refuse_later() -> None:
        await asyncio.sleep(10)
        cluster.inject(path="/v4/cluster/health", status=403, times=None)

    later = asyncio.create_task(refuse_later())
    with pytest.raises(AuthenticationError, match="/v4/cluster/health"):
        async with client.nodes.maintenance(2):
            pytest.fail("the body is not run")
    await later

    assert cluster.maintenance[2] == 0
