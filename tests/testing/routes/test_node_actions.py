"""Tests of `testing.routes.node_actions`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from redis_enterprise_actions.testing import ChaosEpisode, FakeCluster, Plan
from tests.http_client import HttpClient, http_client


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions.testing import NodeActionName, Outcome


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


def status_and_code(answer: tuple[int, Any]) -> tuple[int, str]:
    """Return the status and the error code of an answer."""
    status, body = answer
    return status, body["error_code"]


REMOVE = "/v1/nodes/2/actions/remove"


MAINTENANCE = "/v1/nodes/1/actions/maintenance_on"


PROMOTE = "/v1/cluster/actions/change_master"


@pytest.fixture
async def call(cluster: FakeCluster) -> AsyncIterator[HttpClient]:
    """Return an HTTP client of the cluster."""
    async with http_client(cluster) as client:
        yield client


async def statuses(call: HttpClient, path: str, *, times: int, every: float = 5.0) -> list[str]:
    """Return the status of an action, several times."""
    seen = []
    for _ in range(times):
        seen.append((await call.ok("GET", path))["status"])
        await asyncio.sleep(every)
    return seen


class TestLateness:
    """Setting `lateness`, with actions of nodes and of the cluster."""

    @pytest.mark.parametrize("path", [MAINTENANCE, PROMOTE])
    async def test_begun(self, cluster: FakeCluster, call: HttpClient, path: str) -> None:
        """The result of the run before is shown, by each route, and calls meet the new one."""
        body = {"node_uid": "1"}
        cluster.plan("POST", path, Plan(duration=0, outcome="failed"))
        await call.ok("POST", path, body)
        cluster.lateness = 5
        await asyncio.sleep(5)
        lists = ["/v1/nodes/actions", "/v1/nodes/1/actions", "/v1/cluster/actions"]
        before = [await call("GET", each) for each in [path, *lists]]
        await call.ok("POST", path, body)
        at_once = [await call("GET", each) for each in [path, *lists]]
        again = await call.refused("POST", path, body)
        await asyncio.sleep(5)

        assert at_once == before
        assert before[0][1]["status"] == "failed"
        assert again == (409, "action_already_running")
        assert (await call.ok("GET", path))["status"] == "running"

    async def test_first(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The first run is missing at first."""
        cluster.lateness = 5
        await call.ok("POST", MAINTENANCE, {})
        early = await call.refused("GET", MAINTENANCE)
        await asyncio.sleep(5)

        assert early == (404, "action_not_found")
        assert (await call.ok("GET", MAINTENANCE))["status"] == "running"

    async def test_cancelled(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A cancellation shows late, and so does the removal of a result."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=30))
        cluster.lateness = 5
        await asyncio.sleep(6)
        seen = []
        for _ in range(2):
            await call.ok("DELETE", MAINTENANCE)
            seen += await statuses(call, MAINTENANCE, times=2, every=4)
        await asyncio.sleep(1)

        assert seen == ["running", "running", "cancelled", "cancelled"]
        assert await call.refused("GET", MAINTENANCE) == (404, "action_not_found")

    async def test_forgotten(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A result that a test removes is gone at once."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
        cluster.lateness = 5
        await asyncio.sleep(6)
        await call.ok("GET", MAINTENANCE)
        cluster.forget_node_action(1, "maintenance_on")

        assert await call.refused("GET", MAINTENANCE) == (404, "action_not_found")


class TestStart:
    """Calls that start an action on a node."""

    @pytest.mark.parametrize(
        "action", ["maintenance_on", "maintenance_off", "remove", "enslave_node"]
    )
    async def test_answer(self, call3: HttpClient, action: str) -> None:
        """The answer says "queued", and the task_id that the action has from now on."""
        path = f"/v1/nodes/2/actions/{action}"
        body = await call3.ok("POST", path, json={})
        task_id = body.pop("task_id")

        assert body == {"status": "queued"}
        assert await call3.ok("GET", path) == {"status": "running", "task_id": task_id}

    async def test_one_at_a_time(self, call3: HttpClient) -> None:
        """The same action on the same node is refused; others are not."""
        await call3.ok("POST", REMOVE, json={})

        assert status_and_code(await call3("POST", REMOVE, json={})) == (
            409,
            "action_already_running",
        )
        await call3.ok("POST", REMOVE.replace("2", "3"), json={})
        await call3.ok("POST", "/v1/nodes/2/actions/maintenance_on", json={})

    async def test_again(self, call: HttpClient) -> None:
        """The start of an action removes the result of the run before."""
        first = await call.ok("POST", MAINTENANCE, json={})
        await asyncio.sleep(11)
        second = await call.ok("POST", MAINTENANCE, json={})

        assert first != second
        assert (await call.ok("GET", MAINTENANCE))["status"] == "running"
        assert len((await call.ok("GET", "/v1/nodes/1/actions"))["actions"]) == 1

    @pytest.mark.parametrize(
        ("data", "content_type"),
        [
            (b"{}", "text/plain"),
            (b"", "application/json"),
            (b"[]", "application/json"),
            (b"{", "application/json"),
            (b"\xff", "application/json"),
        ],
    )
    async def test_bad_request(self, call: HttpClient, data: bytes, content_type: str) -> None:
        """The body has to be a JSON object, and declared as JSON."""
        headers = {"Content-Type": content_type}
        for path in (MAINTENANCE, PROMOTE):
            answer = await call("POST", path, data=data, headers=headers)
            assert status_and_code(answer) == (400, "invalid_request")

    async def test_unknown(self, call: HttpClient) -> None:
        """An unknown action is answered 404, to a start on a node, too."""
        for method in ("GET", "POST", "DELETE"):
            answer = await call(method, "/v1/nodes/1/actions/explode", json={})
            assert status_and_code(answer) == (404, "action_not_found")

    async def test_planned(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An action goes as planned for the call that starts it."""
        cluster.plan(
            "POST", MAINTENANCE, Plan(queued=5, duration=5, outcome="failed", error="no room")
        )
        await call.ok("POST", MAINTENANCE, json={})

        assert await statuses(call, MAINTENANCE, times=3) == ["queued", "running", "failed"]
        body = await call.ok("GET", MAINTENANCE)
        assert (body["error_code"], body["error_message"]) == ("internal_error", "no room")

    async def test_plans_wait(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A plan is for its own calls alone, and for their planned number."""
        cluster.plan("POST", REMOVE, Plan(duration=1), times=None)
        cluster.plan("PUT", MAINTENANCE, Plan(duration=2))
        cluster.plan("POST", MAINTENANCE, Plan(duration=3))
        seen = []
        for _ in range(2):
            await call.ok("POST", MAINTENANCE, json={})
            await asyncio.sleep(4)
            seen.append((await call.ok("GET", MAINTENANCE))["status"])
            cluster.forget_node_action(1, "maintenance_on")

        assert seen == ["completed", "running"]

    async def test_lost(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An action runs even if the answer to its start was lost."""
        cluster.inject(method="POST", path=MAINTENANCE, lose=True)
        with pytest.raises(aiohttp.ClientError):
            await call("POST", MAINTENANCE, json={})

        assert (await call.ok("GET", MAINTENANCE))["status"] == "running"


class TestLists:
    """Answers about actions on nodes."""

    @pytest.mark.parametrize(
        ("outcome", "seen"),
        [
            ("completed", "completed"),
            ("failed", "failed"),
            ("cancelled", "cancelled"),
            ("aborted", "aborted"),
            ("never", "running"),
            ("stuck", "running"),
        ],
    )
    async def test_outcome(
        self, cluster: FakeCluster, call: HttpClient, outcome: Outcome, seen: str
    ) -> None:
        """An action ends with its planned outcome."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=5, outcome=outcome))

        assert await statuses(call, MAINTENANCE, times=2) == ["running", seen]

    async def test_vanishes(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An action that vanishes has done its work, and is not remembered."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=5, outcome="vanishes"))
        await call.ok("GET", MAINTENANCE)
        await asyncio.sleep(5)

        assert status_and_code(await call("GET", MAINTENANCE)) == (404, "action_not_found")
        assert cluster.maintenance == {1: 1}

    async def test_progress(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The single answer has progress only if it is linear; lists have that of steps, too."""
        cluster.start_node_action(1, "maintenance_on", Plan(progress="linear"))
        cluster.start_node_action(1, "maintenance_off", Plan(progress="steps"))
        cluster.start_node_action(1, "enslave_node", Plan(progress="none"))
        await asyncio.sleep(5)
        listed = (await call.ok("GET", "/v1/nodes/1/actions"))["actions"]

        assert (await call.ok("GET", MAINTENANCE))["progress"] == pytest.approx(50, abs=1)
        for action in ("maintenance_off", "enslave_node"):
            assert "progress" not in await call.ok("GET", f"/v1/nodes/1/actions/{action}")
        assert ["progress" in entry for entry in listed] == [True, True, False]

    async def test_lists(self, three: FakeCluster, call3: HttpClient) -> None:
        """Lists have no task_id, and names of their own."""
        three.start_node_action(2, "remove")
        three.start_node_action(3, "maintenance_on", Plan(duration=0))
        three.start_cluster_action("change_master", node_uid=2)
        removal = {"name": "remove_node", "node_uid": "2", "status": "running", "progress": 0.0}
        other = {
            "name": "maintenance_on",
            "node_uid": "3",
            "status": "completed",
            "progress": 100.0,
        }

        assert await call3.ok("GET", "/v1/nodes/actions") == {"actions": [removal, other]}
        assert await call3.ok("GET", "/v1/nodes/2/actions") == {"actions": [removal]}
        assert await call3.ok("GET", "/v1/nodes/1/actions") == {"actions": []}

        three.bare_node_actions = True
        assert await call3.ok("GET", "/v1/nodes/actions") == [removal, other]

    async def test_listed_failure(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Lists show the reason of a failure."""
        cluster.start_node_action(1, "remove", Plan(duration=0, outcome="failed", error_code="e1"))
        (entry,) = (await call.ok("GET", "/v1/nodes/actions"))["actions"]

        assert (entry["status"], entry["error_code"]) == ("failed", "e1")

    async def test_is_no_action(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The task_id of an action on a node is not the uid of an action."""
        task_id = cluster.start_node_action(1, "remove", task_id="t1")

        assert task_id == (await call.ok("GET", "/v1/nodes/1/actions/remove"))["task_id"] == "t1"
        assert status_and_code(await call("GET", f"/v1/actions/{task_id}")) == (
            404,
            "action_not_found",
        )


class TestCancel:
    """Calls that cancel an action on a node, or remove its result."""

    async def test_running(self, call3: HttpClient) -> None:
        """A cancelled run is cancelling for two seconds, and its work is never done."""
        await call3.ok("POST", REMOVE, json={})
        await asyncio.sleep(5)
        assert await call3.ok("DELETE", REMOVE) == ""
        await call3.ok("DELETE", REMOVE)
        seen = await statuses(call3, REMOVE, times=4, every=1)
        await asyncio.sleep(10)

        assert seen == ["cancelling", "cancelling", "cancelled", "cancelled"]
        assert len(await call3.ok("GET", "/v1/nodes")) == 3
        assert (await call3("GET", "/v1/nodes", node=2))[0] == 307

    async def test_conflict(self, call3: HttpClient) -> None:
        """While an action is being cancelled, it cannot be started again."""
        await call3.ok("POST", REMOVE, json={})
        await call3.ok("DELETE", REMOVE)

        assert (await call3("POST", REMOVE, json={}))[0] == 409
        await asyncio.sleep(2.1)
        await call3.ok("POST", REMOVE, json={})

    async def test_queued(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A queued run is cancelled at once."""
        cluster.start_node_action(1, "maintenance_on", Plan(queued=5))
        await call.ok("DELETE", MAINTENANCE)

        assert (await call.ok("GET", MAINTENANCE))["status"] == "cancelled"

    async def test_remembered(self, cluster: FakeCluster, call: HttpClient) -> None:
        """DELETE on an ended action removes its result; the next one is answered 404."""
        cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
        await call.ok("DELETE", MAINTENANCE)

        for method in ("GET", "DELETE"):
            assert status_and_code(await call(method, MAINTENANCE)) == (404, "action_not_found")
        assert cluster.maintenance == {1: 1}

    async def test_not_cancellable(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Some actions cannot be cancelled, but their results can be removed."""
        cluster.not_cancellable.add("maintenance_on")
        cluster.start_node_action(1, "maintenance_on", Plan(duration=5))

        assert status_and_code(await call("DELETE", MAINTENANCE)) == (409, "action_not_cancellable")
        assert (await call.ok("GET", MAINTENANCE))["status"] == "running"
        await asyncio.sleep(5)
        await call.ok("DELETE", MAINTENANCE)

    async def test_forget(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A forgotten action is answered 404."""
        cluster.start_node_action(1, "maintenance_on")
        cluster.forget_node_action(1, "maintenance_on")

        assert status_and_code(await call("GET", MAINTENANCE)) == (404, "action_not_found")


class TestEffects:
    """Effects of actions on the cluster."""

    async def test_removed(self, three: FakeCluster, call3: HttpClient) -> None:
        """A removed node is gone and stopped; the result is still known."""
        await call3.ok("POST", REMOVE, json={})
        await asyncio.sleep(9)
        assert len(await call3.ok("GET", "/v1/nodes")) == 3
        await asyncio.sleep(2)

        assert [node["uid"] for node in await call3.ok("GET", "/v1/nodes")] == [1, 3]
        assert status_and_code(await call3("GET", "/v1/nodes/2")) == (404, "node_not_found")
        assert status_and_code(await call3("POST", REMOVE, json={})) == (404, "node_not_found")
        assert (await call3.ok("GET", REMOVE))["status"] == "completed"
        assert len((await call3.ok("GET", "/v1/nodes/2/actions"))["actions"]) == 1
        with pytest.raises(aiohttp.ClientConnectionError):
            await call3("GET", "/v1/nodes", node=2)

    async def test_removed_and_forgotten(self, three: FakeCluster, call3: HttpClient) -> None:
        """After the result is removed, there is no trace of the node."""
        three.start_node_action(2, "remove", Plan(duration=1))
        await asyncio.sleep(2)
        await call3.ok("DELETE", REMOVE)

        for path in (REMOVE, "/v1/nodes/2/actions"):
            assert status_and_code(await call3("GET", path)) == (404, "node_not_found")

    async def test_removed_primary(self, three: FakeCluster, call3: HttpClient) -> None:
        """Another node is the primary when the primary is removed."""
        three.start_node_action(1, "remove", Plan(duration=1))
        await asyncio.sleep(2)

        assert three.primary == 2
        nodes = await call3.ok("GET", "/v1/nodes", node=2)
        assert [node["uid"] for node in nodes] == [2, 3]

    @pytest.mark.parametrize("outcome", ["failed", "never"])
    async def test_not_removed(
        self, three: FakeCluster, call3: HttpClient, outcome: Outcome
    ) -> None:
        """A removal that does not complete changes nothing."""
        three.start_node_action(2, "remove", Plan(duration=1, outcome=outcome))
        await asyncio.sleep(2)

        assert (await call3("GET", "/v1/nodes", node=2))[0] == 307
        assert len(await call3.ok("GET", "/v1/nodes")) == 3

    async def test_last(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The only running node goes on answering."""
        cluster.start_node_action(1, "remove", Plan(duration=1))
        await asyncio.sleep(2)

        assert await call.ok("GET", "/v1/nodes") == []

    async def test_stopped_before(self, three: FakeCluster, call3: HttpClient) -> None:
        """A node that was stopped can be removed."""
        three.start_node_action(2, "remove", Plan(duration=1))
        await three.stop_node(2)
        await asyncio.sleep(2)

        assert len(await call3.ok("GET", "/v1/nodes")) == 2
        with pytest.raises(ValueError, match="node 2 was removed"):
            await three.start_node(2)

    async def test_chaos(self, three: FakeCluster) -> None:
        """Chaos does not start a node that was removed during its restart."""
        for node in (2, 3):
            three.start_node_action(node, "remove", Plan(duration=5))
        restart = ChaosEpisode(kind="restart", node=2, begins=1, ends=9)
        three._chaos.run([restart])
        await asyncio.sleep(10)

        assert three._nodes.running == [1]

    async def test_left(self) -> None:
        """After the end of the cluster, no effect takes place."""
        before = asyncio.all_tasks()
        async with FakeCluster(nodes=2) as cluster:
            cluster.start_node_action(2, "remove")

        assert asyncio.all_tasks() == before

    async def test_maintenance(self, cluster: FakeCluster) -> None:
        """Activations stack, are taken off one by one, and count when they complete."""
        seen = []
        actions: tuple[NodeActionName, ...] = (
            "maintenance_off",
            "maintenance_on",
            "maintenance_on",
            "maintenance_off",
            "maintenance_off",
        )
        for action in actions:
            cluster.start_node_action(1, action, Plan(duration=5))
            seen.append(cluster.maintenance[1])
            await asyncio.sleep(6)
        seen.append(cluster.maintenance[1])

        assert seen == [0, 0, 1, 2, 1, 0]

    async def test_failed_maintenance(self, three: FakeCluster) -> None:
        """A failed activation does not count, nor does a removed node."""
        three.start_node_action(1, "maintenance_on", Plan(duration=1, outcome="failed"))
        three.start_node_action(2, "maintenance_on", Plan(duration=1))
        three.start_node_action(3, "maintenance_on", Plan(duration=1))
        three.start_node_action(3, "remove", Plan(duration=2))
        await asyncio.sleep(3)

        assert three.maintenance == {1: 0, 2: 1}


class TestCluster:
    """Actions of the whole cluster."""

    @pytest.mark.parametrize("uid", [2, "2"])
    async def test_change_master(
        self, three: FakeCluster, call3: HttpClient, uid: int | str
    ) -> None:
        """The requested node is the primary when the action completes."""
        assert await call3.ok("POST", PROMOTE, json={"node_uid": uid}) == {}
        running = {"name": "change_master", "status": "running", "progress": 0.0}
        assert await call3.ok("GET", PROMOTE) == running
        assert await call3.ok("GET", "/v1/cluster/actions") == {"actions": [running]}
        assert (await call3.ok("GET", "/v1/nodes/actions")) == {"actions": []}
        await asyncio.sleep(9)
        assert three.primary == 1
        await asyncio.sleep(2)

        assert three.primary == 2
        assert (await call3("GET", PROMOTE))[0] == 307
        assert (await call3.ok("GET", PROMOTE, node=2))["status"] == "completed"

    @pytest.mark.parametrize("outcome", ["failed", "never"])
    async def test_not_done(self, three: FakeCluster, outcome: Outcome) -> None:
        """A failed change of the primary changes nothing."""
        three.start_cluster_action("change_master", Plan(duration=1, outcome=outcome), node_uid=2)
        await asyncio.sleep(2)

        assert three.primary == 1

    async def test_stopped(self, three: FakeCluster) -> None:
        """A node that was stopped in the meantime does not become the primary."""
        three.start_cluster_action("change_master", Plan(duration=1), node_uid=2)
        await three.stop_node(2)
        await asyncio.sleep(2)

        assert three.primary == 1

    async def test_refused(self, three: FakeCluster, call3: HttpClient) -> None:
        """The node has to be a running one of the cluster; one change runs at a time."""
        await three.stop_node(3)

        assert status_and_code(await call3("POST", PROMOTE, json={})) == (400, "invalid_request")
        answer = await call3("POST", PROMOTE, json={"node_uid": 3})
        assert status_and_code(answer) == (406, "invalid_node")
        await call3.ok("POST", PROMOTE, json={"node_uid": 2})
        answer = await call3("POST", PROMOTE, json={"node_uid": 2})
        assert status_and_code(answer) == (409, "action_already_running")

    async def test_planned(self, three: FakeCluster, call3: HttpClient) -> None:
        """The change of the primary goes as planned."""
        three.plan("POST", PROMOTE, Plan(duration=1, outcome="failed", progress="none", error="no"))
        await call3.ok("POST", PROMOTE, json={"node_uid": 2})
        await asyncio.sleep(1)

        assert await call3.ok("GET", PROMOTE) == {
            "name": "change_master",
            "status": "failed",
            "error_code": "internal_error",
            "error_message": "no",
        }

    async def test_cancel(self, three: FakeCluster, call3: HttpClient) -> None:
        """The change of the primary cannot be cancelled."""
        await call3.ok("POST", PROMOTE, json={"node_uid": 2})

        assert status_and_code(await call3("DELETE", PROMOTE)) == (404, "action_not_found")
        assert (await call3.ok("GET", PROMOTE))["status"] == "running"


class TestMisuse:
    """Arguments that no cluster could obey."""

    async def test_no_call(self, cluster: FakeCluster) -> None:
        """A plan is for one call or more."""
        with pytest.raises(ValueError, match="times is 1 or more"):
            cluster.plan("POST", "/", Plan(), times=0)

    async def test_which(self, cluster: FakeCluster) -> None:
        """Unknown nodes and actions are refused."""
        with pytest.raises(ValueError, match="there is no node 2"):
            cluster.start_node_action(2, "remove")
        with pytest.raises(ValueError, match="there is no node 2"):
            cluster.start_cluster_action("change_master", node_uid=2)
        with pytest.raises(ValueError, match="'odd' is none of maintenance_on"):
            cluster.start_node_action(1, "odd")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="'odd' is none of change_master"):
            cluster.start_cluster_action("odd", node_uid=1)  # type: ignore[arg-type]

    async def test_twice(self, cluster: FakeCluster) -> None:
        """The same action runs once at a time."""
        cluster.start_node_action(1, "remove")
        cluster.start_cluster_action("change_master", node_uid=1)

        with pytest.raises(ValueError, match="remove runs on node 1 already"):
            cluster.start_node_action(1, "remove")
        with pytest.raises(ValueError, match="change_master is under way already"):
            cluster.start_cluster_action("change_master", node_uid=1)
