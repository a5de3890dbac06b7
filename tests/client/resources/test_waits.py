"""Tests of the methods of resources that read: actions of nodes and the cluster, CRDB tasks."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, TypeAlias

import pytest

from redis_enterprise_actions import (
    Action,
    ActionNotFound,
    ActionsClient,
    AuthenticationError,
    ClientClosed,
    ClusterUnreachable,
    Kind,
    Phase,
    RequestError,
    UnreadableReply,
    UsageError,
)
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Call: TypeAlias = Callable[[ActionsClient], Awaitable[Action | list[Action]]]

pytestmark = pytest.mark.core

# Each call with its path and the permission that it needs.
CALLS: dict[str, tuple[Call, str, str]] = {
    "list-all-nodes": (
        lambda client: client.nodes.actions(),
        "/v1/nodes/actions",
        "view_status_of_all_node_actions",
    ),
    "list-node": (
        lambda client: client.nodes.actions(1),
        "/v1/nodes/1/actions",
        "view_status_of_node_action",
    ),
    "get-node": (
        lambda client: client.get("node:1/maintenance_on"),
        "/v1/nodes/1/actions/maintenance_on",
        "view_status_of_node_action",
    ),
    "list-cluster": (
        lambda client: client.cluster.actions(),
        "/v1/cluster/actions",
        "view_status_of_cluster_action",
    ),
    "get-cluster": (
        lambda client: client.get("cluster:change_master"),
        "/v1/cluster/actions/change_master",
        "view_status_of_cluster_action",
    ),
    "list-crdb": (
        lambda client: client.crdbs.tasks(),
        "/v1/crdb_tasks",
        "view_crdb_task_list",
    ),
    "get-crdb": (
        lambda client: client.get("crdb:t1"),
        "/v1/crdb_tasks/t1",
        "view_crdb_task",
    ),
}
# Faults, the error of a call (None: it returns), and the least number of requests.
NO_QUORUM = {"status": 503, "body": '{"description": "no quorum"}', "times": None}
FAULTS: dict[str, tuple[list[dict[str, object]], type[RequestError] | None, str, int]] = {
    "hiccups": (
        [{"status": 503}, {"status": 200, "body": "<html>starting</html>"}, {"truncate": True}],
        None,
        "",
        4,
    ),
    "outage": ([NO_QUORUM], ClusterUnreachable, "503: no quorum", 4),
    "nonsense": (
        [{"status": 200, "body": '"fine, thanks"', "times": None}],
        UnreadableReply,
        "fine, thanks",
        4,
    ),
    "a proxy's 404": (
        [{"status": 404, "body": "<html>nginx</html>", "times": None}],
        UnreadableReply,
        "a 404 that is not the REST API",
        4,
    ),
    "slow": ([{"delay": 3}], None, "", 1),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Combine each call with two of the faults, with `--full` with all of them."""
    full = metafunc.config.getoption("--full")
    if metafunc.function is test_cancelled:
        metafunc.parametrize("name", CALLS if full else ["list-node", "get-crdb"])
    if metafunc.function is test_fault:
        rows = [
            (name, fault)
            for at, name in enumerate(CALLS)
            for number, fault in enumerate(FAULTS)
            if full or (number - at) % len(FAULTS) < 2
        ]
        metafunc.parametrize(("name", "fault"), rows)


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


def start_all(cluster: FakeCluster) -> None:
    """Start something of each kind."""
    cluster.start_node_action(1, "maintenance_on", Plan(duration=8), task_id="n1")
    cluster.start_cluster_action("change_master", Plan(duration=8), node_uid=1)
    cluster.start_crdb_task("flush_crdb", Plan(duration=8), id="t1", guid="g1")


@pytest.mark.parametrize(("call", "path", "permission"), CALLS.values(), ids=CALLS.keys())
async def test_call(
    cluster: FakeCluster, client: ActionsClient, call: Call, path: str, permission: str
) -> None:
    """A call sends one request; a 403 is final, and names the missing permission."""
    start_all(cluster)
    began = now()
    seen = await call(client)

    assert seen
    assert now() - began < 1
    assert [(each.method, each.path) for each in cluster.requests] == [("GET", path)]

    cluster.inject(status=403, times=None)
    with pytest.raises(AuthenticationError) as caught:
        await call(client)
    assert str(caught.value).endswith(f"The user's role needs the permission {permission}")
    assert len(cluster.requests) == 2

    await client.aclose()
    with pytest.raises(ClientClosed):
        await call(client)
    assert len(cluster.requests) == 2


async def test_fault(cluster: FakeCluster, client: ActionsClient, name: str, fault: str) -> None:
    """A call is retried for up to ten seconds; the error has the last answer."""
    call, path, _ = CALLS[name]
    faults, error, expected, least = FAULTS[fault]
    start_all(cluster)
    for each in faults:
        cluster.inject(**each)  # type: ignore[arg-type]
    began = now()

    if error is None:
        assert await call(client)
    else:
        with pytest.raises(error, match=expected) as caught:
            await call(client)
        assert caught.value.path == path
        assert str(caught.value).startswith(f"GET {path}: ")
        if isinstance(caught.value, ClusterUnreachable):
            assert caught.value.attempts == len(cluster.requests)
    assert now() - began <= 10
    assert {each.path for each in cluster.requests} == {path}
    assert len(cluster.requests) >= least


async def test_cancelled(cluster: FakeCluster, client: ActionsClient, name: str) -> None:
    """A call ends when its task is cancelled, and the client remains usable."""
    call, *_ = CALLS[name]
    start_all(cluster)
    cluster.inject(delay=5)
    task = asyncio.ensure_future(call(client))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await call(client)


WRONG: dict[str, Call] = {
    "list: text": lambda client: client.nodes.actions("1"),  # type: ignore[arg-type]
    "list: negative": lambda client: client.nodes.actions(-1),
    "list: bool": lambda client: client.nodes.actions(True),  # noqa: FBT003 - it is the mistake
    "node: text": lambda client: client.get("node:one/remove"),
    "node: None": lambda client: client.get("node:/remove"),
    "node action: empty": lambda client: client.get("node:1/"),
    "node action: path": lambda client: client.get("node:1/../../users"),
    "node action: None": lambda client: client.get("node:1"),
    **{
        f"cluster action: {action!r}": lambda client, action=action: client.get(f"cluster:{action}")
        for action in ("", "..", "a/b", "change_master?x", "Change")
    },
    **{
        f"task: {task!r}": lambda client, task=task: client.get(f"crdb:{task}")
        for task in ("", ".", "..", "\ud800")
    },
    "no text: None": lambda client: client.get(None),  # type: ignore[arg-type]
    "no text: number": lambda client: client.get(7),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG.keys())
async def test_wrong_usage(call: Call) -> None:
    """An argument that names no node, action or task is refused before anything is sent."""
    async with ActionsClient("https://n1:9443", username="u", password="fake-password") as client:
        with pytest.raises(UsageError):
            await call(client)


@pytest.mark.enable_socket
class TestNodes:
    """Actions of nodes."""

    async def test_get(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An action is returned as it is now: while it runs, and as a result that is remembered."""
        cluster.start_node_action(
            1, "maintenance_on", Plan(duration=10, progress="linear"), task_id="n1"
        )
        await asyncio.sleep(5)
        running = await client.get("node:1/maintenance_on")
        await asyncio.sleep(500)
        ended = await client.get("node:1/maintenance_on")

        assert (running.phase, running.progress) == (Phase.RUNNING, pytest.approx(50, abs=1))
        assert (ended.phase, ended.status) == (Phase.COMPLETED, "completed")
        for action in (running, ended):
            assert (action.uid, action.task_id) == ("node:1/maintenance_on", "n1")
            assert (action.kind, action.node_uid) == (Kind.NODE_ACTION, "1")
            assert action.title == "maintenance_on on node:1"

    async def test_get_failed(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A failure is returned with the cluster's words, and not raised."""
        cluster.start_node_action(
            1,
            "remove",
            Plan(duration=0, outcome="failed", error_code="e17", error="shards are left"),
        )
        action = await client.get("node:1/remove")

        assert (action.phase, action.reason) == (Phase.FAILED, "e17: shards are left")

    @pytest.mark.parametrize(("node", "name"), [(1, "maintenance_off"), (7, "maintenance_on")])
    async def test_get_unknown(
        self, cluster: FakeCluster, client: ActionsClient, node: int, name: str
    ) -> None:
        """An action that never ran, or whose node is unknown, is not found, at once."""
        cluster.start_node_action(1, "maintenance_on")
        began = now()

        with pytest.raises(ActionNotFound) as caught:
            await client.get(f"node:{node}/{name}")
        assert (caught.value.uid, caught.value.action) == (f"node:{node}/{name}", None)
        assert (caught.value.polls, caught.value.elapsed) == (1, pytest.approx(0, abs=0.5))
        assert now() - began < 1
        assert len(cluster.requests) == 1

    async def test_elapsed(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The elapsed time of a "not found" includes the outage before it."""
        cluster.inject(status=503, retry_after=4)
        with pytest.raises(ActionNotFound) as caught:
            await client.get("node:1/maintenance_on")

        assert caught.value.elapsed == pytest.approx(4, abs=0.5)

    @pytest.mark.parametrize("bare", [False, True])
    async def test_list(self, bare: bool) -> None:
        """The list has the running and remembered actions of all nodes, in either of its shapes."""
        async with FakeCluster(nodes=3) as cluster, client_of(cluster) as client:
            cluster.bare_node_actions = bare
            assert await client.nodes.actions() == []
            cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
            cluster.start_node_action(3, "remove", Plan(duration=100))
            await asyncio.sleep(1)
            actions = await client.nodes.actions()

            assert {action.uid: action.phase for action in actions} == {
                "node:1/maintenance_on": Phase.COMPLETED,
                "node:3/remove": Phase.RUNNING,
            }
            assert {action.kind for action in actions} == {Kind.NODE_ACTION}

    async def test_list_is_of_references(self, client: ActionsClient, cluster: FakeCluster) -> None:
        """The `uid` of a listed action is a reference that can be followed."""
        cluster.start_node_action(1, "remove", Plan(duration=60))
        (listed,) = await client.nodes.actions()

        with pytest.raises(TimeoutError) as caught:
            await client.operation(listed.uid).wait(timeout=1)
        assert caught.value.action.uid == listed.uid  # type: ignore[attr-defined]

    async def test_list_one(self) -> None:
        """The actions of one node are listed alone; an unknown node has none."""
        async with FakeCluster(nodes=2) as cluster, client_of(cluster) as client:
            cluster.start_node_action(1, "maintenance_on")
            cluster.start_node_action(2, "maintenance_off")

            (action,) = await client.nodes.actions(2)
            assert action.uid == "node:2/maintenance_off"
            assert await client.nodes.actions(7) == []

    async def test_bad_entry(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An invalid entry does not affect the others."""
        good = {"name": "remove_node", "node_uid": "2", "status": "queued"}
        body = {"actions": [{"status": 42}, {"name": "x", "status": "queued"}, good]}
        cluster.inject(status=200, body=json.dumps(body))

        assert [action.uid for action in await client.nodes.actions()] == ["node:2/remove"]


class TestCluster:
    """Actions of the cluster."""

    async def test_get(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An action is returned as it is now, and its result as long as it is remembered."""
        cluster.start_cluster_action("change_master", Plan(duration=10), node_uid=1)
        running = await client.get("cluster:change_master")
        await asyncio.sleep(11)
        ended = await client.get("cluster:change_master")

        assert (running.phase, ended.phase) == (Phase.RUNNING, Phase.COMPLETED)
        assert (ended.uid, ended.kind) == ("cluster:change_master", Kind.CLUSTER_ACTION)
        assert ended.title == "change_master"
        assert ended.node_uid is None

    async def test_get_unknown(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An action that never ran is not found."""
        with pytest.raises(ActionNotFound, match="change_master of the cluster was not found"):
            await client.get("cluster:change_master")

        assert len(cluster.requests) == 1

    async def test_list(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The list of the cluster's actions has none of nodes."""
        start_all(cluster)

        assert [each.uid for each in await client.cluster.actions()] == ["cluster:change_master"]

    async def test_list_nothing(self, client: ActionsClient) -> None:
        """The list may be empty."""
        assert await client.cluster.actions() == []


class TestCrdbs:
    """Tasks of Active-Active databases."""

    async def test_get(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A task is returned with the step of each cluster, and without a progress."""
        cluster.start_crdb_task("flush_crdb", Plan(duration=8, queued=2), id="t1", guid="g1")
        queued = await client.get("crdb:t1")
        await asyncio.sleep(5)
        running = await client.get("crdb:t1")
        await asyncio.sleep(6)
        ended = await client.get("crdb:t1")

        assert (queued.phase, queued.state, queued.object_uid) == (Phase.PENDING, None, None)
        assert (running.phase, running.progress) == (Phase.RUNNING, None)
        assert running.state == "cluster1.local: execute, cluster2.local: execute"
        assert (ended.phase, ended.status) == (Phase.COMPLETED, "finished")
        assert (ended.uid, ended.title) == ("t1", "flush_crdb on crdb:g1")
        assert ended.kind is Kind.CRDB_TASK

    async def test_get_failed(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A failure is returned with the words of each cluster, and not raised."""
        cluster.start_crdb_task(
            plan=Plan(duration=0, outcome="failed", error_code="e17", error="split"), id="t1"
        )
        action = await client.get("crdb:t1")

        assert action.phase is Phase.FAILED
        assert action.reason == "e17: cluster1.local: split; split"

    async def test_get_forgotten(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A result is found for 500 seconds, and not found from then on."""
        cluster.start_crdb_task(plan=Plan(duration=0), id="t1")
        await asyncio.sleep(499)
        assert (await client.get("crdb:t1")).phase is Phase.COMPLETED
        await asyncio.sleep(2)

        with pytest.raises(ActionNotFound) as caught:
            await client.get("crdb:t1")
        assert caught.value.uid == "t1"

    @pytest.mark.parametrize("bare", [False, True])
    async def test_list(self, cluster: FakeCluster, client: ActionsClient, bare: bool) -> None:
        """Running tasks are listed, in either shape of the list."""
        cluster.bare_crdb_tasks = bare
        assert await client.crdbs.tasks() == []
        cluster.start_crdb_task(plan=Plan(duration=1), id="t1")
        cluster.start_crdb_task(plan=Plan(duration=60), id="t2")
        await asyncio.sleep(2)

        assert [each.uid for each in await client.crdbs.tasks()] == ["t2"]

    async def test_quoted(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An id is quoted, whatever is in it."""
        with pytest.raises(ActionNotFound):
            await client.get("crdb:a/../b?c")

        assert [each.path for each in cluster.requests] == ["/v1/crdb_tasks/a%2F..%2Fb%3Fc"]


async def test_while_waiting(cluster: FakeCluster, client: ActionsClient) -> None:
    """Lists and single reads do not disturb waits of any kind."""
    start_all(cluster)
    waiting = asyncio.create_task(
        client.wait_for("node:1/maintenance_on", "cluster:change_master", "crdb:t1")
    )
    for call, _, _ in CALLS.values():
        await asyncio.sleep(0.5)
        assert await call(client)

    assert [each.phase for each in await waiting] == [Phase.COMPLETED] * 3
