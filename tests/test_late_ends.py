"""Tests that no wait ends late, whatever is in its way.

Lists hang or are refused, requests hang at a limit, many limits come at once, the process stands
still, slow calls run beside a wait, and nodes redirect to addresses that nobody can reach. All run
over real sockets. "The limit" of a wait is its deadline, stall timeout, grace for what is not
found, or outage budget; a wait may end up to 2 s after it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from redis_enterprise_actions import (
    ActionsClient,
    FinishedAction,
    RedisActionsError,
    RequestRejected,
    WaitTimeout,
)
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of
from tests.scripted import now
from tests.stopped_process import stand_still


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Ends: TypeAlias = list[tuple[FinishedAction | RedisActionsError, float]]
    Wait: TypeAlias = Callable[[FakeCluster, ActionsClient, int], Awaitable[Ends]]

pytestmark = pytest.mark.enable_socket

LAST_POLL: Final = 2.0  # seconds that a wait may last beyond its limit
CAP: Final = 15.0  # seconds; longest pause between two polls
REST: Final = 60.0  # seconds; longest rest after a slow answer
REFUSALS: Final = (403, 405, 406, 501)


# --- work of each kind ----------------------------------------------------------------------------


def start_actions(cluster: FakeCluster, plan: Plan, count: int) -> list[str]:
    """Start actions; return references to them."""
    return [f"action:{cluster.add_action('retry_bdb', plan)}" for _ in range(count)]


def start_changes(cluster: FakeCluster, plan: Plan, count: int) -> list[str]:
    """Start changes of databases; return references to these."""
    for uid in range(1, count + 1):
        cluster.add_action("SMUpdateBDB", plan, bdb_uid=uid)
    return [f"bdb:{uid}" for uid in range(1, count + 1)]


def start_node_actions(cluster: FakeCluster, plan: Plan, count: int) -> list[str]:
    """Start actions on nodes; return references to them."""
    for node in range(1, count + 1):
        cluster.start_node_action(node, "maintenance_on", plan)
    return [f"node:{node}/maintenance_on" for node in range(1, count + 1)]


def start_crdb_tasks(cluster: FakeCluster, plan: Plan, count: int) -> list[str]:
    """Start tasks on Active-Active databases; return references to them."""
    return [f"crdb:{cluster.start_crdb_task(plan=plan)}" for _ in range(count)]


@dataclass(frozen=True, kw_only=True)
class Work:
    """Kind of work: the route that lists it, and a function that starts some."""

    path: str
    start: Callable[[FakeCluster, Plan, int], list[str]]


# There is but one action of the whole cluster, so that its list is never worth a request.
WORK: Final = {
    "actions": Work(path="/v1/actions", start=start_actions),
    "databases": Work(path="/v1/bdbs", start=start_changes),
    "node actions": Work(path="/v1/nodes/actions", start=start_node_actions),
    "CRDB tasks": Work(path="/v1/crdb_tasks", start=start_crdb_tasks),
}
each_kind = pytest.mark.parametrize("work", WORK.values(), ids=WORK)


@pytest.fixture
async def three() -> AsyncIterator[FakeCluster]:
    """Return a cluster of three nodes, of which the client of a test knows the first."""
    async with FakeCluster(nodes=3) as cluster:
        yield cluster


def all_nodes(cluster: FakeCluster) -> ActionsClient:
    """Return a client of all nodes."""
    return ActionsClient(cluster.urls, username=cluster.username, password=cluster.password)


async def ends_of(client: ActionsClient, refs: list[str], **limits: float | None) -> Ends:
    """Wait for each reference at once; return each end, and how many seconds it took."""

    async def end_of(ref: str) -> tuple[FinishedAction | RedisActionsError, float]:
        began = now()
        [end] = await client.wait_for(ref, settle=True, **limits)  # type: ignore[call-overload]
        return end, now() - began

    return await asyncio.gather(*map(end_of, refs))


def after(seconds: float, call: Callable[[], object]) -> None:
    """Call a function after some seconds."""
    asyncio.get_running_loop().call_later(seconds, call)


# --- lists that hang ------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("timeout", [20.0, 120.0])
async def test_hanging_list(three: FakeCluster, work: Work, count: int, timeout: float) -> None:
    """A list that hangs delays no wait whose object is answered at once."""
    three.inject(path=work.path, exact=True, method="GET", hang=True, times=None)
    async with client_of(three) as client:
        refs = work.start(three, Plan(duration=6), count)
        ends = await ends_of(client, refs, timeout=timeout)

    assert {type(end) for end, _ in ends} == {FinishedAction}
    assert all(6 <= took <= 9 for _, took in ends), ends


@each_kind
@pytest.mark.parametrize("answers", [1, 3, 5])
async def test_list_begins_to_hang(three: FakeCluster, work: Work, answers: int) -> None:
    """A list that hangs after some answers costs no wait its deadline."""
    async with client_of(three) as client:
        refs = work.start(three, Plan(duration=30), 3)
        hang = partial(three.inject, path=work.path, exact=True, method="GET", hang=True)
        after(answers, partial(hang, times=None))
        ends = await ends_of(client, refs, timeout=40)

    assert {type(end) for end, _ in ends} == {FinishedAction}
    assert all(30 <= took <= 40 + LAST_POLL for _, took in ends), ends


# --- the last poll at a limit ---------------------------------------------------------------------


async def deadline(cluster: FakeCluster, client: ActionsClient, count: int) -> Ends:
    """Wait for actions with a deadline of 10 s."""
    refs = start_actions(cluster, Plan(duration=4), count)
    return await ends_of(client, refs, timeout=10)


async def stall(cluster: FakeCluster, client: ActionsClient, count: int) -> Ends:
    """Wait for actions that show no progress, and have stalled after 10 s."""
    refs = start_actions(cluster, Plan(duration=4, progress="none"), count)
    return await ends_of(client, refs, stall_timeout=10)


async def grace(cluster: FakeCluster, client: ActionsClient, count: int) -> Ends:
    """Wait for actions that the cluster knows after 4 s, with a grace of 10 s."""
    uids = [f"late-{number}" for number in range(count)]
    for uid in uids:
        after(4, partial(cluster.add_action, "retry_bdb", Plan(duration=0), uid=uid))
    return await ends_of(client, [f"action:{uid}" for uid in uids], not_found_grace=10)


async def outage(cluster: FakeCluster, client: ActionsClient, count: int) -> Ends:
    """Wait for actions during an outage of 3 s, with a budget of 10 s."""
    refs = start_actions(cluster, Plan(duration=4), count)
    cluster.inject(status=503, times=None)
    after(2.999, cluster.heal)
    return await ends_of(client, refs, outage_timeout=10)


each_limit = pytest.mark.parametrize(
    "wait", [deadline, stall, grace, outage], ids=lambda wait: wait.__name__
)


@each_limit
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("hanging", [1, 2])
async def test_last_poll_beside_a_request(
    cluster: FakeCluster,
    wait: Wait,
    count: int,
    hanging: int,
) -> None:
    """At a limit a wait polls once more, even while a request hangs.

    The actions are over at 4 s; the first request after 3 s hangs, and perhaps the next one.
    """
    after(3, partial(cluster.inject, hang=True, times=hanging))
    async with client_of(cluster) as client:
        ends = await wait(cluster, client, count)

    if hanging == 1:
        assert {type(end) for end, _ in ends} == {FinishedAction}, ends
    # After two requests that hang the client rests, except for the limits of the waits; the outage
    # is over, and so is its limit, once one of the waits has been answered.
    rest = 60.0 if (wait, count, hanging) == (outage, 3, 2) else 0.0
    assert all(4 <= took <= 10.5 + LAST_POLL + rest for _, took in ends), ends


@each_limit
@pytest.mark.parametrize("count", [1, 3])
async def test_last_poll_at_another_node(three: FakeCluster, wait: Wait, count: int) -> None:
    """The poll at a limit goes to another node than the one that owes an answer."""
    three.handle_redirects = True
    after(3, partial(three.inject, hang=True, node=1, times=None))
    async with all_nodes(three) as client:
        ends = await wait(three, client, count)

    assert {type(end) for end, _ in ends} == {FinishedAction}, ends
    assert all(4 <= took <= 10.5 + LAST_POLL for _, took in ends), ends


LISTS: Final = {
    "prompt": {},
    "slow": {"delay": 3.0},
    "slower than a last poll": {"delay": 2.5},
    "hanging": {"hang": True},
    "refused": {"status": 405},
    "failing": {"status": 503},
}


@pytest.mark.parametrize("fault", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("singles", [0.0, 1.0, 5.0])
@pytest.mark.parametrize(
    ("count", "apart"), [(60, 0.1), (200, 0.0), (200, 0.01)], ids=["60", "200 at once", "200"]
)
async def test_many_deadlines(
    cluster: FakeCluster, fault: dict[str, object], singles: float, count: int, apart: float
) -> None:
    """Each of many waits ends within its own bound, however slow the list and single objects are.

    Single objects are answered after `singles` seconds.
    """
    if fault:
        cluster.inject(path="/v1/actions", exact=True, times=None, **fault)  # type: ignore[arg-type]
    if singles:
        cluster.inject(path="/v1/actions/", times=None, delay=singles)
    async with client_of(cluster) as client:
        refs = start_actions(cluster, Plan(outcome="never"), count)
        timeouts = [10 + apart * number for number in range(count)]
        ends = await asyncio.gather(
            *(
                ends_of(client, [ref], timeout=timeout, outage_timeout=60)
                for ref, timeout in zip(refs, timeouts, strict=True)
            )
        )

    assert {type(end) for [(end, _)] in ends} == {WaitTimeout}
    late = [took - timeout for [(_, took)], timeout in zip(ends, timeouts, strict=True)]
    assert min(late) >= -0.001
    assert max(late) <= LAST_POLL + 0.01


@pytest.mark.parametrize(("count", "apart"), [(60, 0.1), (200, 0.0)])
async def test_many_deadlines_see_the_end(cluster: FakeCluster, count: int, apart: float) -> None:
    """What ended half a second before many deadlines is seen by each wait, in a list."""
    async with client_of(cluster) as client:
        timeouts = [40 + apart * number for number in range(count)]
        plans = [Plan(duration=timeout - 0.5, progress="none") for timeout in timeouts]
        refs = [ref for plan in plans for ref in start_actions(cluster, plan, 1)]
        ends = await asyncio.gather(
            *(
                ends_of(client, [ref], timeout=timeout)
                for ref, timeout in zip(refs, timeouts, strict=True)
            )
        )

    assert {type(end) for [(end, _)] in ends} == {FinishedAction}


# --- lists that are refused -----------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("status", REFUSALS)
async def test_refused_list(three: FakeCluster, work: Work, status: int) -> None:
    """A list that is refused is not asked for again; each wait goes on, and sees its end."""
    three.inject(path=work.path, exact=True, method="GET", status=status, times=None)
    async with client_of(three) as client:
        first, *others = work.start(three, Plan(duration=12), 3)
        waiting = asyncio.create_task(ends_of(client, [first], timeout=60))
        await asyncio.sleep(3)
        ends = await ends_of(client, others, timeout=60) + await waiting
    lists = [seen.path for seen in three.requests if seen.path.partition("?")[0] == work.path]

    assert {type(end) for end, _ in ends} == {FinishedAction}, ends
    assert all(took <= 15 for _, took in ends), ends
    # The list of databases is asked for with and without `fields`, which old clusters refuse.
    assert sorted(lists) == sorted(set(lists)) != []


async def test_a_later_wait_knows(cluster: FakeCluster) -> None:
    """What a first group of waits has learnt about a refused list spares the next one a request."""
    cluster.inject(path="/v1/actions", exact=True, status=405, times=None)
    async with client_of(cluster) as client:
        for _ in range(3):
            refs = start_actions(cluster, Plan(duration=5), 3)
            ends = await ends_of(client, refs, timeout=60)
            assert {type(end) for end, _ in ends} == {FinishedAction}
            await asyncio.sleep(30)

    assert [seen.path for seen in cluster.requests].count("/v1/actions") == 1


@pytest.mark.parametrize("status", REFUSALS)
async def test_refused_list_and_a_gateway(cluster: FakeCluster, status: int) -> None:
    """Where the list is refused, a gateway's 404 in place of an action is an outage."""
    cluster.inject(path="/v1/actions", exact=True, status=status, times=None)
    cluster.inject(path="/v1/actions/", no_route=True, times=4)
    async with client_of(cluster) as client:
        refs = start_actions(cluster, Plan(duration=30), 2)
        ends = await ends_of(client, refs, timeout=90)

    assert {type(end) for end, _ in ends} == {FinishedAction}


@pytest.mark.parametrize("status", REFUSALS)
async def test_gone_without_a_list(cluster: FakeCluster, status: int) -> None:
    """Where the list of databases is refused, a second 404 confirms that a database is gone."""
    cluster.inject(path="/v1/bdbs", exact=True, method="GET", status=status, times=None)
    cluster.plan("DELETE", "/v1/bdbs", Plan(duration=10), times=None)
    async with client_of(cluster) as client:
        for uid in (1, 2):
            cluster.add_bdb(uid)
        ends = await asyncio.gather(*(gone(client, uid) for uid in (1, 2)))

    assert all(15 <= took <= 30 for took in ends)


async def gone(client: ActionsClient, uid: int) -> float:
    """Delete a database; return the seconds until it was seen to be gone."""
    began = now()
    await client.databases.delete(uid)
    await client.databases.wait_gone(uid, timeout=90)
    return now() - began


# --- a process that stands still ------------------------------------------------------------------


@each_limit
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("hanging", [False, True])
async def test_process_stopped_past_a_limit(
    cluster: FakeCluster,
    wait: Wait,
    count: int,
    hanging: bool,
) -> None:
    """A process that stood still past a limit polls once more before it ends its wait.

    It stands still from 3 s to 23 s, past the limit of 10 s; a request may hang meanwhile.
    """
    if hanging:
        after(1, partial(cluster.inject, hang=True))
    after(3, partial(stand_still, 20))
    async with client_of(cluster) as client:
        ends = await wait(cluster, client, count)

    assert {type(end) for end, _ in ends} == {FinishedAction}, ends
    # What hangs is the first answer: without one there is no grace, and so no limit.
    first = 60.0 if (wait, count, hanging) == (grace, 3, True) else 0.0
    assert all(took <= 23 + LAST_POLL + first for _, took in ends), ends


async def longest_gap(
    cluster: FakeCluster, client: ActionsClient, stop: Callable[[], None]
) -> float:
    """Return the longest time between two polls of a wait during which the loop is stopped once.

    Answers take 0.3 s, and the loop stops while a request is out.
    """
    cluster.inject(delay=0.3, times=None)
    [ref] = start_actions(cluster, Plan(outcome="never"), 1)
    waiting = asyncio.create_task(ends_of(client, [ref], timeout=40))
    await asyncio.sleep(5)
    before = len(cluster.requests)
    for _ in range(400):
        await asyncio.sleep(0.05)
        if len(cluster.requests) > before:
            break
    stop()
    await waiting
    times = [seen.time for seen in cluster.requests]
    assert len(times) > before + 1
    return max(b - a for a, b in pairwise(times[:-1]))  # the last one is at the deadline


async def test_stopped_loop_is_not_a_slow_cluster(cluster: FakeCluster) -> None:
    """After a loop was stopped for 5 s during a request, the next poll is no later than the cap."""
    async with client_of(cluster) as client:
        gap = await longest_gap(cluster, client, partial(stand_still, 5))

    assert gap <= 5.3 + CAP


def test_blocked_loop_is_not_a_slow_cluster(request: pytest.FixtureRequest) -> None:
    """The same holds for a loop that a callback has blocked, in real time."""
    if not request.config.getoption("--full"):
        pytest.skip("waits for 45 s of real time")

    async def main() -> float:
        async with FakeCluster() as cluster, client_of(cluster) as client:
            return await longest_gap(cluster, client, partial(time.sleep, 5))

    assert asyncio.run(main()) <= 5.3 + CAP + 0.5


# --- a tenth of the time --------------------------------------------------------------------------

FAULTS: Final[dict[str, tuple[dict[str, object], ...]]] = {
    "answers": ({},),
    "503": ({"status": 503},),
    "half a body": ({"truncate": True},),
    "503 at times": ({}, {"status": 503}, {}, {}, {"status": 503}),
}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("latency", [0.3, 1.0, 5.0, 6.6, 10.0, 29.0])
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
async def test_a_tenth_of_the_time(
    cluster: FakeCluster, faults: tuple[dict[str, object], ...], latency: float, count: int
) -> None:
    """A client keeps a cluster busy for a tenth of the time, whether its requests fail or not.

    That holds for answers of up to 6.7 s; after slower ones it rests for a minute. Each fault lasts
    for its share of the time.
    """
    duration = 1800.0

    async def spoil() -> None:
        for fault in faults:
            cluster.heal()
            cluster.inject(delay=latency, times=None, **fault)  # type: ignore[arg-type]
            await asyncio.sleep(duration / len(faults))

    async with client_of(cluster) as client:
        refs = start_actions(cluster, Plan(outcome="never"), count)
        ends, _ = await asyncio.gather(
            ends_of(client, refs, timeout=duration, outage_timeout=None), spoil()
        )
    busy = latency * len(cluster.requests)
    share = max(0.1, latency / (latency + REST))

    assert {type(end) for end, _ in ends} == {WaitTimeout}
    # The first and the last request come on top, one beside a first list, and 6 s for what fails.
    assert busy <= share * duration + (2 if count == 1 else 3) * latency + 6


# --- calls beside a wait --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [9, 20, 40])
async def test_slow_calls_beside_a_wait(cluster: FakeCluster, count: int) -> None:
    """The time that calls wait for a connection is no part of their limit, and delays no wait.

    Each call takes 3 s, and its limit is 5 s.
    """
    cluster.inject(method="POST", delay=3, times=None)
    cluster.plan("POST", "/v1/bdbs", Plan(duration=300), times=None)
    for uid in range(1, count + 1):
        cluster.add_bdb(uid)
    async with client_of(cluster, request_timeout=5) as client:
        [ref] = start_actions(cluster, Plan(duration=2), 1)
        waiting = asyncio.create_task(ends_of(client, [ref], timeout=60))
        calls = await asyncio.gather(
            *(client.databases.upgrade(uid) for uid in range(1, count + 1)), return_exceptions=True
        )
        [(end, took)] = await waiting
    posts = [seen for seen in cluster.requests if seen.method == "POST"]

    assert [each for each in calls if isinstance(each, BaseException)] == []
    assert len(posts) == count
    assert isinstance(end, FinishedAction)
    assert 2 <= took <= 4


# --- nodes that redirect away ---------------------------------------------------------------------


@pytest.mark.parametrize("moved", [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)], ids=str)
@pytest.mark.parametrize("count", [1, 3])
async def test_redirects_to_inner_addresses(
    three: FakeCluster, moved: tuple[int, int], count: int
) -> None:
    """A node that redirects to an address that is not one of ours is left for the next one."""
    three.redirect_to = "https://10.0.0.7:9443"
    three.primary, later = moved
    three.add_bdb(1)
    async with all_nodes(three) as client:
        refs = start_actions(three, Plan(duration=6), count)
        after(3, partial(setattr, three, "primary", later))
        ends = await ends_of(client, refs, timeout=20)
        listed = await client.list_actions()
        upgrade = await client.databases.upgrade(1)
        end = await upgrade.wait(timeout=60)

    assert {type(end) for end, _ in ends} == {FinishedAction}
    assert all(6 <= took <= 9 for _, took in ends)
    assert len(listed) >= count
    assert end.status == "completed"


@pytest.mark.parametrize("call", ["a wait", "a list", "a call"])
async def test_all_nodes_redirect_away(three: FakeCluster, call: str) -> None:
    """A redirect is refused when every node redirects away, and then at once."""
    location = {"Location": "https://10.0.0.7:9443/v1/actions"}
    three.inject(status=307, headers=location, times=None)
    calls: dict[str, Callable[[ActionsClient], Awaitable[object]]] = {
        "a wait": lambda client: client.wait_for_action("u"),
        "a list": lambda client: client.list_actions(),
        "a call": lambda client: client.databases.upgrade(1),
    }
    async with all_nodes(three) as client:
        with pytest.raises(RequestRejected, match=r"10\.0\.0\.7") as caught:
            await calls[call](client)

    assert caught.value.status == 307
    assert {seen.node for seen in three.requests} == {1, 2, 3}
    assert now() < 5
