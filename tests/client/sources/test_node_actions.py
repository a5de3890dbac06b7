"""Tests of `_client.sources.node_actions`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import (
    Action,
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    ActionStalled,
    ActionVanished,
    AnswerLost,
    AuthenticationError,
    ClusterUnreachable,
    Evidence,
    Kind,
    Phase,
    RequestRejected,
    UnreadableReply,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.sources.node_actions import (
    NodeActionsApi,
    action_path,
)
from redis_enterprise_actions._model.action import Ambiguity, AmbiguousAnswer, phase_of
from redis_enterprise_actions._model.reference import Reference, parse_reference
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of
from tests.scripted import now

from .conftest import wanted_of


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import TypeAlias

    from redis_enterprise_actions import Operation, WaitError
    from redis_enterprise_actions.testing import NodeActionName, Outcome

    Start: TypeAlias = Callable[[ActionsClient], Awaitable[Operation]]

pytestmark = [pytest.mark.enable_socket, pytest.mark.core]

ON = "/v1/nodes/1/actions/maintenance_on"
PRIMARY = "/v1/cluster/actions/change_master"


def of_all(cluster: FakeCluster) -> ActionsClient:
    """Return a client that knows all nodes."""
    return ActionsClient(cluster.urls, username=cluster.username, password=cluster.password)


@pytest.fixture
async def three() -> AsyncIterator[FakeCluster]:
    """A cluster of three nodes."""
    async with FakeCluster(nodes=3) as cluster:
        yield cluster


@pytest.fixture
async def client3(three: FakeCluster) -> AsyncIterator[ActionsClient]:
    """A client of that cluster."""
    async with of_all(three) as client:
        yield client


@pytest.fixture
async def api(cluster: FakeCluster) -> AsyncIterator[NodeActionsApi]:
    """Return the node actions endpoints of the fake cluster."""
    transport = client_of(cluster)._transport
    yield NodeActionsApi(transport)
    await transport.close()


def requested_paths(cluster: FakeCluster, method: str | None = None) -> list[str]:
    """Return the paths of all requests, or of those with one method."""
    return [each.path for each in cluster.requests if method in {None, each.method}]


def action_of(ref: str, status: str = "running", task_id: str | None = None) -> Action:
    """Return an action with this status."""
    parsed = parse_reference(ref)
    return Action(
        uid=parsed.name,
        name=parsed.action_name,
        kind=Kind.NODE_ACTION if ref.startswith("node") else Kind.CLUSTER_ACTION,
        status=status,
        phase=phase_of(status),
        node_uid="1" if ref.startswith("node") else None,
        task_id=task_id,
    )


def entry(status: str = "running", **more: object) -> dict[str, object]:
    """Return maintenance_on of node 1 as it stands in a list."""
    return {"name": "maintenance_on", "node_uid": "1", "status": status} | more


CALLS: dict[str, Start] = {
    "maintenance_on": lambda client: client.nodes.maintenance_on(1),
    "maintenance_off": lambda client: client.nodes.maintenance_off(1),
    "remove": lambda client: client.nodes.remove(2, {"wait_for_persistence": True}),
    "enslave_node": lambda client: client.submit("POST", "/v1/nodes/2/actions/enslave_node"),
    "change_master": lambda client: client.cluster.change_primary(3),
}


class TestSuccess:
    """Actions that complete."""

    @pytest.mark.parametrize("name", CALLS)
    async def test_calls(self, three: FakeCluster, client3: ActionsClient, name: str) -> None:
        """Every call that starts one is followed to its end."""
        action = await (await CALLS[name](client3))

        assert (action.name, action.status) == (name, "completed")
        assert action.evidence is Evidence.ACTION
        assert now() < 12

    async def test_reference(self, three: FakeCluster, client3: ActionsClient) -> None:
        """A reference has the node, the action and the run; for a cluster action it has no run."""
        on = await client3.nodes.maintenance_on(1)
        assert isinstance(on.answer, dict)
        assert on.ref == f"node:1/maintenance_on@{on.answer['task_id']}"
        assert (await client3.cluster.change_primary(2)).ref == "cluster:change_master@after"

        action = await client3.operation(on.ref)
        assert (action.uid, action.task_id) == ("node:1/maintenance_on", on.answer["task_id"])

    @pytest.mark.parametrize("progress", ["linear", "steps"])
    async def test_progress(self, cluster: FakeCluster, progress: str) -> None:
        """Progress is reported if the cluster has it; a run without progress completes, too."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=60, progress=progress))  # type: ignore[arg-type]
        updates: list[Action] = []
        async with client_of(cluster) as client:
            await client.nodes.wait(1, "maintenance_on", on_progress=updates.append)

        shown = [action.progress for action in updates if action.phase is Phase.RUNNING]
        assert (shown == [None]) == (progress == "steps")
        assert (len(shown) > 3) == (progress == "linear")

    async def test_by_name(self, three: FakeCluster, client3: ActionsClient) -> None:
        """A wait by name follows an action that another user has started."""
        task_id = three.start_node_action(2, "maintenance_on", Plan(duration=20))
        three.start_cluster_action("change_master", Plan(duration=40), node_uid=2)

        on = await client3.nodes.wait(2, "maintenance_on")
        assert (on.task_id, on.phase) == (task_id, Phase.COMPLETED)
        change = await client3.cluster.wait("change_master")
        assert (change.title, change.phase) == ("change_master", Phase.COMPLETED)
        assert now() == pytest.approx(40, abs=2)

    @pytest.mark.parametrize(
        ("node_uid", "action", "task_id"),
        [
            (-1, "remove", None),
            ("1", "remove", None),
            (True, "remove", None),
            (1, "Remove", None),
            (1, "../remove", None),
            (1, "", None),
            (1, "remove", ""),
        ],
    )
    async def test_bad_name(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        node_uid: int,
        action: str,
        task_id: str | None,
    ) -> None:
        """An invalid name of an action is rejected before any request."""
        with pytest.raises(UsageError):
            await client.nodes.wait(node_uid, action, task_id=task_id)
        assert cluster.requests == []

    @pytest.mark.parametrize(
        ("action", "task_id"), [("Change", None), ("../change_master", None), ("x", ""), ("", None)]
    )
    async def test_bad_name_of_the_cluster(
        self, cluster: FakeCluster, client: ActionsClient, action: str, task_id: str | None
    ) -> None:
        """An invalid name of a cluster action is rejected before any request."""
        with pytest.raises(UsageError):
            await client.cluster.wait(action, task_id=task_id)
        assert cluster.requests == []


class TestFailure:
    """Actions that do not complete."""

    @pytest.mark.parametrize(
        ("outcome", "error"),
        [("failed", ActionFailed), ("cancelled", ActionCancelled), ("aborted", ActionAborted)],
    )
    @pytest.mark.parametrize("name", ["maintenance_on", "change_master"])
    async def test_ends(
        self,
        three: FakeCluster,
        client3: ActionsClient,
        name: str,
        outcome: Outcome,
        error: type[WaitError],
    ) -> None:
        """Each other end has its own error; that of a failure has the cluster's words."""
        for path in (ON, PRIMARY):
            three.plan("POST", path, Plan(outcome=outcome, error="no room", error_code="full"))
        operation = await CALLS[name](client3)

        with pytest.raises(error) as caught:
            await operation
        assert caught.value.action is not None
        expected = (caught.value.action.error_code, caught.value.action.error)
        assert expected == (("full", "no room") if outcome == "failed" else (None, None))
        assert name in str(caught.value)
        assert ("full: no room" in str(caught.value)) == (outcome == "failed")

    @pytest.mark.parametrize("name", ["maintenance_on", "change_master"])
    async def test_timeout(self, three: FakeCluster, client3: ActionsClient, name: str) -> None:
        """The error of a timeout has the action as last seen; the action goes on."""
        for path in (ON, PRIMARY):
            three.plan("POST", path, Plan(duration=100))
        operation = await CALLS[name](client3)

        with pytest.raises(WaitTimeout, match=r"last seen running; the work goes on") as caught:
            await operation.wait(timeout=30)
        assert caught.value.elapsed == pytest.approx(30, abs=0.1)
        assert (await operation).phase is Phase.COMPLETED

    async def test_stalls(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An action without progress has stalled."""
        cluster.start_node_action(1, "maintenance_on", Plan(progress="stalling", outcome="never"))

        with pytest.raises(ActionStalled):
            await client.nodes.wait(1, "maintenance_on", stall_timeout=60)
        assert set(requested_paths(cluster)) == {ON}

    async def test_never_known(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An action that stays unknown for the grace is not found, as is one on a missing node."""
        with pytest.raises(ActionNotFound, match="remove of node 1 was not found"):
            await client.nodes.wait(1, "remove", not_found_grace=5)
        with pytest.raises(ActionNotFound, match="maintenance_on of node 9 was not found"):
            await client.nodes.wait(9, "maintenance_on", not_found_grace=5)
        with pytest.raises(ActionNotFound, match="change_master of the cluster was not found"):
            await client.cluster.wait("change_master", not_found_grace=5)
        assert now() == pytest.approx(15, abs=0.5)

    @pytest.mark.parametrize("ref", ["node:1/maintenance_on", "cluster:change_master"])
    async def test_vanishes(self, cluster: FakeCluster, client: ActionsClient, ref: str) -> None:
        """An action that was seen and is gone has vanished, as its end is unknown."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=60, outcome="vanishes"))
        cluster.start_cluster_action(
            "change_master", Plan(duration=60, outcome="vanishes"), node_uid=1
        )

        with pytest.raises(ActionVanished, match="how it ended is unknown") as caught:
            await client.operation(ref)
        assert caught.value.action is not None
        assert caught.value.action.status == "running"
        assert now() == pytest.approx(60, abs=10)

    @pytest.mark.parametrize("body", ["", "<html>no such page</html>"])
    async def test_missing_route(
        self, cluster: FakeCluster, client: ActionsClient, body: str
    ) -> None:
        """A 404 with a web page is no missing action: a wait has an outage, a list an error."""
        cluster.inject(times=None, status=404, body=body)

        with pytest.raises(ClusterUnreachable) as caught:
            await client.nodes.wait(1, "remove", outage_timeout=5)
        assert isinstance(caught.value.__cause__, UnreadableReply)
        with pytest.raises(UnreadableReply, match="404 that is not the REST API's"):
            await client.nodes.actions()

    @pytest.mark.parametrize(
        ("ref", "permission"),
        [
            ("node:1/maintenance_on", "view_status_of_node_action"),
            ("cluster:change_master", "view_status_of_cluster_action"),
        ],
    )
    async def test_refused(
        self, cluster: FakeCluster, client: ActionsClient, ref: str, permission: str
    ) -> None:
        """A 403 fails the wait immediately and names the permission."""
        cluster.inject(times=None, status=403)

        with pytest.raises(AuthenticationError, match=permission):
            await client.operation(ref)
        assert len(cluster.requests) == 1


class TestRuns:
    """The run of an action that a wait follows."""

    async def test_result_of_the_last(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Without a run in the reference, the result of the last run counts."""
        task_id = cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
        await asyncio.sleep(100)

        assert (await client.nodes.wait(1, "maintenance_on")).task_id == task_id
        assert len(cluster.requests) == 1

    async def test_result_of_another(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """With a run in the reference, the result of another run does not count."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=0), task_id="T1")

        with pytest.raises(ActionNotFound):
            await client.nodes.wait(1, "maintenance_on", task_id="T2")
        assert (await client.nodes.wait(1, "maintenance_on", task_id="T1")).task_id

    @pytest.mark.parametrize("waits", [1, 4], ids=["alone", "together"])
    async def test_replaced(self, waits: int) -> None:
        """A run that another one has replaced has vanished; the other is not taken for it."""
        async with FakeCluster(nodes=4) as cluster, of_all(cluster) as client:
            nodes = range(1, waits + 1)
            refs = [
                f"node:{node}/maintenance_on@"
                + cluster.start_node_action(
                    node, "maintenance_on", Plan(duration=60, outcome="failed")
                )
                for node in nodes
            ]
            waiting = asyncio.ensure_future(client.wait_for(*refs, settle=True))
            await asyncio.sleep(20)
            for node in nodes:
                cluster.forget_node_action(node, "maintenance_on")
                cluster.start_node_action(node, "maintenance_on", Plan(duration=30))

            for result in await waiting:
                assert isinstance(result, ActionVanished)
                assert result.action is not None
                assert result.action.status == "running"

    async def test_replaced_by_name(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A wait by name follows the run that it saw first, if the cluster gives a task_id."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=60))
        waiting = asyncio.ensure_future(client.nodes.wait(1, "maintenance_on"))
        await asyncio.sleep(20)
        cluster.forget_node_action(1, "maintenance_on")
        cluster.start_node_action(1, "maintenance_on", Plan(duration=0))

        with pytest.raises(ActionVanished):
            await waiting

    async def test_together(self, three: FakeCluster, client3: ActionsClient) -> None:
        """Lists do not name runs: an action that ended there is fetched alone, by its run."""
        for node in (1, 2, 3):
            three.start_node_action(node, "maintenance_on", Plan(duration=0), task_id=f"old{node}")
            three.start_node_action(node, "maintenance_on", Plan(duration=60), task_id=f"new{node}")
        on = [f"node:{node}/maintenance_on@new{node}" for node in (1, 2, 3)]
        old = "node:1/maintenance_on@old1"

        results = await client3.wait_for(*on, old, settle=True)
        assert [getattr(result, "task_id", None) for result in results[:3]] == [
            *("new1", "new2", "new3")
        ]
        # The list only shows that some run is in progress, which might be the named one.
        assert type(results[3]) in {ActionVanished, ActionNotFound}
        assert "/v1/nodes/actions" in requested_paths(three)

    LISTED = (
        # what is waited for, as last seen, what the list shows, the run it is taken for
        ("node:1/maintenance_on", None, entry(), None),
        ("node:1/maintenance_on", None, entry("completed"), None),
        ("node:1/maintenance_on", "T1", entry(), "T1"),
        ("node:1/maintenance_on", "T1", entry("completed"), False),
        ("node:1/maintenance_on", "T1", entry("completed", task_id="T1"), "T1"),
        ("node:1/maintenance_on", "T1", entry("completed", task_id="T2"), False),
        ("node:1/maintenance_on@T1", None, entry(), "T1"),
        ("node:1/maintenance_on@T1", None, entry("failed"), False),
        ("node:1/maintenance_on@T1", None, entry("failed", task_id="T1"), "T1"),
        ("node:1/maintenance_on@after,running,T1", None, entry(), False),
        ("node:1/maintenance_on@after,failed,T1", None, entry("failed", task_id="T2"), "T2"),
        ("node:1/maintenance_on@after,failed,T1", "T2", entry(), "T2"),
        ("node:1/maintenance_on@after,completed", None, entry(), None),
        ("node:1/maintenance_on@after,completed", None, entry("failed"), False),
        ("node:2/maintenance_on", None, entry(), False),
        ("node:1/maintenance_off", None, entry(), False),
    )

    @pytest.mark.parametrize(("ref", "last", "shown", "run"), LISTED, ids=str)
    async def test_listed(
        self,
        cluster: FakeCluster,
        api: NodeActionsApi,
        ref: str,
        last: str | None,
        shown: dict[str, object],
        run: str | bool | None,
    ) -> None:
        """A list entry without a task_id counts while it is in progress, and not as a result."""
        cluster.inject(status=200, body=json.dumps({"actions": [shown]}))
        wanted = parse_reference(ref)
        seen = None if last is None else action_of(ref, "running", last)
        found = await api.fetch_many(wanted_of({wanted: seen}), None)

        assert [action.task_id for action in found.changed.values()] == (
            [] if run is False else [run]
        )


class TestStart:
    """From the call to the run."""

    @pytest.mark.parametrize("fault", ["lose", "truncate"])
    async def test_lost_answer(
        self, cluster: FakeCluster, client: ActionsClient, fault: str
    ) -> None:
        """A run with a lost answer is distinguished from the run before; it is sent once."""
        old = cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
        cluster.inject(method="POST", **{fault: True})  # type: ignore[arg-type]
        operation = await client.nodes.maintenance_on(1)

        action = await operation
        assert operation.ref == f"node:1/maintenance_on@{action.task_id}"
        assert action.task_id != old
        assert requested_paths(cluster, "POST") == [ON]
        assert cluster.maintenance == {1: 2}

    async def test_lost_call(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A call that was not executed has no run, although an earlier run exists."""
        old = cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
        cluster.inject(method="POST", drop=True)

        with pytest.raises(AnswerLost) as caught:
            await client.nodes.maintenance_on(1)
        assert caught.value.ref == f"node:1/maintenance_on@lost,completed,{old}"
        with pytest.raises(ActionNotFound):
            await client.operation(caught.value.ref)
        assert requested_paths(cluster, "POST") == [ON]

    async def test_late(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The run of a call whose answer was lost is found by its reference, and is new."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
        cluster.inject(method="POST", drop=True)
        with pytest.raises(AnswerLost) as caught:
            await client.nodes.maintenance_on(1)
        waiting = asyncio.ensure_future(client.operation(caught.value.ref or "").wait())
        await asyncio.sleep(5)
        new = cluster.start_node_action(1, "maintenance_on", Plan(duration=30))

        assert (await waiting).task_id == new

    @pytest.mark.parametrize("again", [False, True])
    async def test_lost_change(
        self, three: FakeCluster, client3: ActionsClient, again: bool
    ) -> None:
        """Runs without a task_id are distinguished by their status, as far as possible."""
        if again:
            three.start_cluster_action("change_master", Plan(duration=0), node_uid=1)
        three.inject(method="POST", path=PRIMARY, lose=True)
        operation = await client3.cluster.change_primary(2)
        before = ",completed" if again else ""
        assert operation.ref == f"cluster:change_master@after{before}"
        assert (await operation).phase is Phase.COMPLETED
        assert three.primary == 2

        three.inject(method="POST", path=PRIMARY, drop=True)
        with pytest.raises(AnswerLost) as caught:
            await client3.cluster.change_primary(3)
        assert caught.value.ref == "cluster:change_master@lost,completed"
        with pytest.raises(ActionNotFound):
            await client3.operation(caught.value.ref)
        waiting = asyncio.ensure_future(client3.operation(caught.value.ref).wait())
        await asyncio.sleep(5)
        three.start_cluster_action("change_master", Plan(duration=30), node_uid=3)
        assert (await waiting).phase is Phase.COMPLETED

    async def test_lost_beside_another(self, three: FakeCluster, client3: ActionsClient) -> None:
        """A run that was in progress before the lost call is not the run of the call."""
        three.start_cluster_action("change_master", Plan(duration=3), node_uid=1)
        three.inject(method="POST", path=PRIMARY, drop=True)

        with pytest.raises(AnswerLost) as caught:
            await client3.cluster.change_primary(2)
        assert caught.value.ref == "cluster:change_master@lost,running"
        with pytest.raises(ActionNotFound):
            await client3.operation(caught.value.ref)
        assert three.primary == 1

    @pytest.mark.parametrize("name", ["maintenance_on", "change_master"])
    async def test_busy(self, three: FakeCluster, client3: ActionsClient, name: str) -> None:
        """While another run is in progress, the call is retried for `busy_timeout`."""
        three.start_node_action(1, "maintenance_on", Plan(duration=60), task_id="other")
        three.start_cluster_action("change_master", Plan(duration=60), node_uid=1)
        options = {"busy_timeout": 20}
        calls = {
            "maintenance_on": lambda **options: client3.nodes.maintenance_on(1, **options),
            "change_master": lambda **options: client3.cluster.change_primary(3, **options),
        }

        with pytest.raises(RequestRejected, match="409"):
            await calls[name]()
        assert now() < 1
        with pytest.raises(RequestRejected, match="is running already"):
            await calls[name](**options)
        assert now() == pytest.approx(20, abs=1)
        operation = await calls[name](busy_timeout=120)
        assert now() == pytest.approx(60, abs=11)
        assert (await operation).task_id != "other"

    async def test_no_such_node(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A call about a node that is not there is refused, in the cluster's words."""
        with pytest.raises(RequestRejected, match="no such node") as caught:
            await client.nodes.maintenance_on(9)
        assert caught.value.status == 404
        with pytest.raises(RequestRejected, match="404: node_not_found"):
            await client.cluster.change_primary(9)


class TestPrimary:
    """The primary moves in the middle of a wait."""

    async def test_moves(self, three: FakeCluster, client3: ActionsClient) -> None:
        """A change of primary does not disturb the wait for it, nor other waits."""
        other = three.start_node_action(2, "maintenance_on", Plan(duration=100))
        operation = await client3.cluster.change_primary(3)
        waiting = asyncio.ensure_future(client3.nodes.wait(2, "maintenance_on"))

        assert (await operation).phase is Phase.COMPLETED
        assert three.primary == 3
        assert (await waiting).task_id == other
        assert {each.node for each in three.requests if each.status == 200} == {1, 3}

    @pytest.mark.parametrize("gap", [1, 60])
    async def test_interrupted(
        self, three: FakeCluster, client3: ActionsClient, gap: float
    ) -> None:
        """Connections that are cut, and a time without a primary, end no wait."""
        three.plan("POST", PRIMARY, Plan(duration=30))
        operation = await client3.cluster.change_primary(3)
        waiting = asyncio.ensure_future(operation.wait())
        await asyncio.sleep(20)
        await three.stop_node(1)
        three.primary = None
        await asyncio.sleep(gap)
        three.primary = 2

        assert (await waiting).phase is Phase.COMPLETED
        assert three.primary == (3 if gap == 1 else 2)

    async def test_one_url(self, three: FakeCluster) -> None:
        """With a client that knows one node, a redirect to another is refused, with advice."""
        async with client_of(three) as client:
            operation = await client.cluster.change_primary(3)

            with pytest.raises(RequestRejected, match=r"trusted_hosts="):
                await operation
        assert three.primary == 3


class TestRemove:
    """Removals of nodes: the cluster forgets the action with the node."""

    async def test_gone(self, three: FakeCluster, client3: ActionsClient) -> None:
        """A removal that is no longer known has completed if its node is gone."""
        three.plan("POST", "/v1/nodes/2/actions/remove", Plan(outcome="vanishes"))
        operation = await client3.nodes.remove(2)

        action = await operation
        assert (action.phase, action.evidence) == (Phase.COMPLETED, Evidence.LIST)
        expected = "remove on node:2: completed, as the list does not hold what it removed"
        assert str(action).startswith(expected)
        assert "/v1/nodes/2" in requested_paths(three)

    async def test_together(self, three: FakeCluster, client3: ActionsClient) -> None:
        """Each of several removals has completed if its node is gone."""
        three.plan("POST", "/v1/nodes", Plan(outcome="vanishes", duration=60), times=None)
        operations = [await client3.nodes.remove(node) for node in (2, 3)]

        actions = await client3.wait_for(*operations)
        assert {action.evidence for action in actions} == {Evidence.LIST}

    async def test_not_gone(self, three: FakeCluster, client3: ActionsClient) -> None:
        """If its node is still there, the removal has vanished."""
        operation = await client3.nodes.remove(2)
        waiting = asyncio.ensure_future(operation.wait())
        await asyncio.sleep(3)
        three.forget_node_action(2, "remove")

        with pytest.raises(ActionVanished):
            await waiting
        assert requested_paths(three).count("/v1/nodes/2") == 2  # for both answers "not found"

    async def test_stalled(self, three: FakeCluster, client3: ActionsClient) -> None:
        """A removal that is listed as running for ever has completed if its node is gone."""
        three.plan("POST", "/v1/nodes", Plan(outcome="stuck", duration=30))
        operation = await client3.nodes.remove(2)

        action = await operation.wait(stall_timeout=60)
        assert (action.phase, action.evidence) == (Phase.COMPLETED, Evidence.LIST)

    async def test_from_a_reference(self, three: FakeCluster, client3: ActionsClient) -> None:
        """A removal that vanished before the first poll has completed if its node is gone."""
        three.plan("POST", "/v1/nodes", Plan(outcome="vanishes"))
        operation = await client3.nodes.remove(2)
        await asyncio.sleep(100)

        action = await client3.operation(operation.ref or "")
        assert (action.phase, action.evidence) == (Phase.COMPLETED, Evidence.LIST)
        assert f"node:2/remove@{action.task_id}" == operation.ref

    @pytest.mark.parametrize(
        "ref",
        ["node:9/remove", "node:9/remove@lost,,T1", "node:1/remove@T1", "node:9/enslave_node@T1"],
    )
    async def test_not_begun(self, cluster: FakeCluster, client: ActionsClient, ref: str) -> None:
        """A removal that did not begin has not completed, with or without a node."""
        with pytest.raises(ActionNotFound):
            await client.operation(ref)

    async def test_node_forbidden(self, cluster: FakeCluster, api: NodeActionsApi) -> None:
        """A removal is not verified if the user may not see the node."""
        cluster.inject(path="/v1/nodes/9", status=403)
        last = action_of("node:1/remove")
        unverified = ActionStalled("x", action=last, elapsed=1, polls=1, stall_timeout=1)

        assert await api.verify(parse_reference("node:9/remove"), unverified, None) is None
        assert await api.verify(parse_reference("node:9/remove"), unverified, None) is not None

    async def test_cancelled(self, cluster: FakeCluster, api: NodeActionsApi) -> None:
        """A removal that this client has cancelled has vanished, although its node is gone."""
        ref = parse_reference("node:9/remove@T1")
        api.record_cancel(ref, "T1")

        assert await api.fetch(ref, action_of("node:1/remove", "cancelling", "T1")) is None
        assert requested_paths(cluster) == ["/v1/nodes/9/actions/remove"]

    async def test_another_run_cancelled(self, api: NodeActionsApi) -> None:
        """A removal is not taken for cancelled because an earlier run was."""
        ref = parse_reference("node:9/remove@T2")
        api.record_cancel(ref, "T1")
        found = await api.fetch(ref, action_of("node:9/remove", "running", "T2"))

        assert isinstance(found, Action)
        assert (found.phase, found.evidence) == (Phase.COMPLETED, Evidence.LIST)

    @pytest.mark.parametrize("body", ["<html>", "{}", '{"message": "no Route matched"}'])
    async def test_gateway(self, cluster: FakeCluster, api: NodeActionsApi, body: str) -> None:
        """A 404 that is not the API's says nothing of the node."""
        cluster.inject(path="/v1/nodes/9/", status=404, body='{"error_code": "not_found"}')
        cluster.inject(path="/v1/nodes/9", status=404, body=body)

        with pytest.raises(UnreadableReply):
            await api.fetch(parse_reference("node:9/remove"), action_of("node:1/remove"))

    @pytest.mark.parametrize("status", [403, 500, 404])
    async def test_no_list(self, cluster: FakeCluster, api: NodeActionsApi, status: int) -> None:
        """Without a list of nodes, one "not found" is not enough."""
        for path in ("/v1/nodes/9/", "/v1/nodes/9"):
            cluster.inject(path=path, status=404, body='{"error_code": "not_found"}')
        cluster.inject(path="/v1/nodes", status=status)
        found = await api.fetch(parse_reference("node:9/remove"), action_of("node:1/remove"))

        assert isinstance(found, AmbiguousAnswer)
        assert (found.ambiguity, found.discriminator) == (Ambiguity.GONE, "not_found")

    @pytest.mark.parametrize(
        ("ref", "known"),
        [
            ("cluster:change_master", True),
            ("node:1/maintenance_on", True),
            ("node:1/remove", False),
        ],
    )
    async def test_no_request(
        self, cluster: FakeCluster, api: NodeActionsApi, ref: str, known: bool
    ) -> None:
        """The node is not requested for other actions."""
        last = action_of(ref) if known else None
        unverified = ActionVanished(ref, action=last, elapsed=1, polls=1)

        assert await api.verify(parse_reference(ref), unverified, None) is None
        assert cluster.requests == []


class TestCancel:
    """Actions that are cancelled."""

    @pytest.mark.parametrize("queued", [0, 60], ids=["running", "queued"])
    async def test_cancelled(
        self, cluster: FakeCluster, client: ActionsClient, queued: float
    ) -> None:
        """A wait for an action that is cancelled ends, and says so."""
        cluster.plan("POST", ON, Plan(duration=100, queued=queued))
        operation = await client.nodes.maintenance_on(1)
        waiting = asyncio.ensure_future(operation.wait())
        await asyncio.sleep(20)
        await operation.cancel()

        with pytest.raises(ActionCancelled, match="cancelled on the cluster"):
            await waiting
        assert requested_paths(cluster, "DELETE") == [ON]
        assert now() < 45
        assert cluster.maintenance == {1: 0}

    @pytest.mark.parametrize("waits", [1, 3], ids=["alone", "together"])
    async def test_forgotten(self, waits: int) -> None:
        """A cancelled action that the cluster forgets immediately counts as cancelled."""
        async with FakeCluster(nodes=3) as cluster, of_all(cluster) as client:
            cluster.plan("POST", "/v1/nodes", Plan(duration=100), times=None)
            operations = [await client.nodes.maintenance_on(node + 1) for node in range(waits)]
            waiting = asyncio.ensure_future(client.wait_for(*operations, settle=True))
            await asyncio.sleep(20)
            for node, operation in enumerate(operations, start=1):
                await operation.cancel()
                cluster.forget_node_action(node, "maintenance_on")

            for result in await waiting:
                assert isinstance(result, ActionCancelled)
                assert result.action is not None
                assert result.action.evidence is Evidence.CALL

    async def test_not_ours(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An action that disappears without a cancel has vanished."""
        cluster.plan("POST", ON, Plan(outcome="never"), times=None)
        operation = await client.nodes.maintenance_on(1)
        waiting = asyncio.ensure_future(operation.wait())
        await asyncio.sleep(5)
        cluster.forget_node_action(1, "maintenance_on")

        with pytest.raises(ActionVanished):
            await waiting

    async def test_cancelled_and_stalled(self, api: NodeActionsApi) -> None:
        """A cancelled action that stalls has not ended; one that vanishes has."""
        ref = parse_reference("node:1/maintenance_on@T1")
        api.record_cancel(ref, "T1")
        known = {"uid": ref.name, "action": action_of(str(ref)), "elapsed": 1.0, "polls": 1}

        assert await api.verify(ref, ActionVanished(**known), None) is not None  # type: ignore[arg-type]
        stalled = ActionStalled(**known, stall_timeout=1)  # type: ignore[arg-type]
        assert await api.verify(ref, stalled, None) is None

    @pytest.mark.parametrize("waited", [True, False], ids=["waited", "not waited"])
    @pytest.mark.parametrize("named", [True, False], ids=["by its run", "by its name"])
    async def test_later_run(
        self, cluster: FakeCluster, client: ActionsClient, waited: bool, named: bool
    ) -> None:
        """A later run that vanishes has vanished, although an earlier one was cancelled."""
        cluster.plan("POST", ON, Plan(outcome="never"), times=None)
        operation = await client.nodes.maintenance_on(1)
        await operation.cancel()
        if waited:
            with pytest.raises(ActionCancelled):
                await operation
        cluster.forget_node_action(1, "maintenance_on")
        later = await client.nodes.maintenance_on(1)
        ref = later.ref or "" if named else "node:1/maintenance_on"
        waiting = asyncio.ensure_future(client.operation(ref).wait())
        await asyncio.sleep(5)
        cluster.forget_node_action(1, "maintenance_on")

        with pytest.raises(ActionVanished):
            await waiting

    async def test_several_waits(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A wait that ends early does not make others forget that the action was cancelled."""
        cluster.plan("POST", ON, Plan(outcome="never"), times=None)
        operation = await client.nodes.maintenance_on(1)
        waiting = asyncio.ensure_future(operation.wait())
        shorter = asyncio.ensure_future(operation.wait(timeout=20))
        await asyncio.sleep(10)
        cluster.inject(method="DELETE", status=200)
        await operation.cancel()
        with pytest.raises(WaitTimeout):
            await shorter
        cluster.forget_node_action(1, "maintenance_on")

        with pytest.raises(ActionCancelled):
            await waiting
        assert client._parts.sources.node_actions._cancelled == {}

    @pytest.mark.parametrize("ref", ["node:1/maintenance_on", "cluster:change_master"])
    async def test_by_submit(self, cluster: FakeCluster, client: ActionsClient, ref: str) -> None:
        """A submitted cancel is accepted, not done: the wait follows the action."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=60, outcome="failed"))
        cluster.start_cluster_action(
            "change_master", Plan(duration=60, outcome="failed"), node_uid=1
        )
        path = ON if ref.startswith("node") else PRIMARY
        cluster.inject(path=path, method="DELETE", status=200)
        operation = await client.submit("DELETE", path)

        assert operation.ref is not None
        assert operation.ref.startswith(ref)
        with pytest.raises(ActionFailed):
            await operation

    async def test_submitted_and_forgotten(
        self, cluster: FakeCluster, client: ActionsClient
    ) -> None:
        """A submitted cancel is followed although the cluster forgets the action immediately."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=60))
        operation = await client.submit("DELETE", ON)
        waiting = asyncio.ensure_future(operation.wait())
        await asyncio.sleep(1)
        cluster.forget_node_action(1, "maintenance_on")
        with pytest.raises(ActionCancelled):
            await waiting

        cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
        with pytest.raises(ActionNotFound):
            await (await client.submit("DELETE", ON))

    async def test_result(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An ended action cannot be cancelled, and its result stays."""
        operation = await client.nodes.maintenance_on(1)
        await operation

        with pytest.raises(RequestRejected, match="has ended, or a later one"):
            await operation.cancel()
        assert requested_paths(cluster, "DELETE") == []
        assert (await operation).phase is Phase.COMPLETED

    async def test_another_run(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Cancelling a run that is over does not cancel the run that is in progress."""
        operation = await client.nodes.maintenance_on(1)
        await operation
        cluster.start_node_action(1, "maintenance_on", Plan(duration=60))

        with pytest.raises(RequestRejected, match="a later one has begun"):
            await operation.cancel()
        assert requested_paths(cluster, "DELETE") == []

    async def test_refused(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A cancel that the cluster rejects raises its reason, and the action goes on."""
        cluster.not_cancellable.add("maintenance_on")
        operation = await client.nodes.maintenance_on(1)

        with pytest.raises(RequestRejected, match="cannot be cancelled") as caught:
            await operation.cancel()
        assert caught.value.status == 409
        assert (await operation).phase is Phase.COMPLETED

    async def test_of_the_cluster(self, three: FakeCluster, client3: ActionsClient) -> None:
        """The API documents a cancel for cluster actions, but the cluster answers 404."""
        operation = await client3.cluster.change_primary(2)

        with pytest.raises(RequestRejected) as caught:
            await operation.cancel()
        assert caught.value.status == 404
        assert requested_paths(three, "DELETE") == [PRIMARY]
        assert (await operation).phase is Phase.COMPLETED

    async def test_waiting_alone(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Cancelling the Python task does not cancel the remote work."""
        operation = await client.nodes.maintenance_on(1)
        waiting = asyncio.ensure_future(operation.wait())
        await asyncio.sleep(5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert requested_paths(cluster, "DELETE") == []
        assert (await operation).phase is Phase.COMPLETED


class TestLists:
    """Lists of the actions of nodes and of the cluster."""

    @pytest.mark.parametrize("bare", [True, False], ids=["array", "object"])
    async def test_shapes(self, three: FakeCluster, client3: ActionsClient, bare: bool) -> None:
        """Many waits share the list, in either of its shapes."""
        three.bare_node_actions = bare
        names: list[NodeActionName] = ["maintenance_on", "maintenance_off", "remove"]
        for node in (2, 3):
            for name in names:
                three.start_node_action(node, name, Plan(duration=100))
        refs = [f"node:{node}/{name}" for node in (2, 3) for name in names]

        actions = await client3.wait_for(*refs)
        assert [action.uid for action in actions] == refs
        assert {action.phase for action in actions} == {Phase.COMPLETED}
        paths = requested_paths(three)
        assert paths.count("/v1/nodes/actions") >= 5
        assert len(paths) - paths.count("/v1/nodes/actions") <= 3 * len(refs)

    async def test_cluster(self, cluster: FakeCluster, api: NodeActionsApi) -> None:
        """The cluster's actions have a list of their own."""
        cluster.start_cluster_action("change_master", node_uid=1)
        refs = {parse_reference("cluster:change_master"): None, parse_reference("cluster:x"): None}
        found = await api.fetch_many(wanted_of(refs), None)

        assert [action.status for action in found.changed.values()] == ["running"]
        assert (requested_paths(cluster), found.cost) == (["/v1/cluster/actions"], 1.0)

    async def test_cost(self, cluster: FakeCluster, api: NodeActionsApi) -> None:
        """A long list costs more than a short one, by its size."""
        entries = [entry(str(number)) for number in range(2000)]
        cluster.inject(status=200, body=json.dumps(entries))

        found = await api.fetch_many(
            wanted_of({parse_reference("node:1/maintenance_on"): None}), None
        )
        assert found.cost == pytest.approx(len(json.dumps(entries)) / 2**15)

    @pytest.mark.parametrize(
        ("ref", "path"),
        [
            ("node:7/remove@T1", "/v1/nodes/7/actions/remove"),
            ("cluster:change_master", PRIMARY),
        ],
    )
    def test_path(self, ref: str, path: str) -> None:
        """A reference without its run gives the path of the action."""
        assert action_path(parse_reference(ref)) == path

    async def test_empty(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A 404 in the API's words on a list means that there is nothing."""
        cluster.inject(times=2, status=404, body='{"error_code": "x"}')

        assert await client.nodes.actions(1) == []
        assert await client.cluster.actions() == []


def test_references_are_hashable() -> None:
    """References to different runs are different."""
    one, other = parse_reference("node:1/remove@T1"), parse_reference("node:1/remove@T2")

    assert len({one, other, msgspec.structs.replace(one, run="T2")}) == 2
    assert isinstance(one, Reference)


async def test_fixed_schedule(cluster: FakeCluster, client: ActionsClient) -> None:
    """Any strategy of tenacity sets the pace."""
    cluster.start_node_action(1, "maintenance_on", Plan(duration=95))
    await client.nodes.wait(1, "maintenance_on", poll=wait_fixed(10))

    assert [round(each.time) for each in cluster.requests] == list(range(0, 101, 10))
