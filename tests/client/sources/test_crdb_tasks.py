"""Tests of `_client.sources.crdb_tasks`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import (
    ActionFailed,
    ActionNotFound,
    ActionVanished,
    AnswerLost,
    AuthenticationError,
    ClusterUnreachable,
    FinishedAction,
    Phase,
    RequestRejected,
    UnreadableReply,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.protocols import ListResult
from redis_enterprise_actions._client.sources.crdb_tasks import CrdbTasksApi
from redis_enterprise_actions._model.reference import parse_reference
from redis_enterprise_actions.testing import Plan
from tests.conftest import client_of
from tests.scripted import now

from .conftest import wanted_of


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import TypeAlias

    from redis_enterprise_actions import ActionsClient, Operation
    from redis_enterprise_actions.testing import FakeCluster

    Start: TypeAlias = Callable[[ActionsClient], Awaitable[Operation]]

pytestmark = pytest.mark.core

GUID = "g1"
TASKS = "/v1/crdb_tasks"


@pytest.fixture
def crdb(cluster: FakeCluster) -> str:
    """An Active-Active database."""
    return cluster.add_crdb(GUID)


@pytest.fixture
async def tasks(cluster: FakeCluster) -> AsyncIterator[CrdbTasksApi]:
    """Return the CRDB task endpoints of the fake cluster."""
    transport = client_of(cluster)._transport
    yield CrdbTasksApi(transport)
    await transport.close()


def requested_paths(cluster: FakeCluster, method: str | None = None) -> list[str]:
    """Return the paths of all requests, or of those with one method."""
    return [each.path for each in cluster.requests if method in {None, each.method}]


CALLS: dict[str, Start] = {
    "create": lambda client: client.crdbs.create({"name": "new"}),
    "update": lambda client: client.crdbs.update(GUID, {"name": "other"}),
    "flush": lambda client: client.crdbs.flush(GUID),
    "delete": lambda client: client.crdbs.delete(GUID),
    "instances": lambda client: client.submit("POST", f"/v1/crdbs/{GUID}/updates"),
    "upgrade": lambda client: client.submit("POST", f"/v1/crdbs/{GUID}/upgrade"),
    "purge": lambda client: client.submit("PUT", f"/v1/crdbs/{GUID}/purge"),
}
CALL = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
NAMED = pytest.mark.parametrize(  # those that take an X-Task-ID
    "call",
    [call for name, call in CALLS.items() if name != "purge"],
    ids=[name for name in CALLS if name != "purge"],
)


class TestSuccess:
    """Tasks that finish."""

    @CALL
    async def test_calls(
        self, cluster: FakeCluster, client: ActionsClient, crdb: str, call: Start
    ) -> None:
        """Every call that makes a task is followed to its end."""
        operation = await call(client)
        (task,) = cluster.crdb_tasks.values()
        assert operation.ref == f"crdb:{task.id}"

        action = await operation
        assert (action.uid, action.name, action.phase) == (
            task.id,
            task.operation,
            Phase.COMPLETED,
        )
        assert now() - task.ends_at < 2

    async def test_steps(self, cluster: FakeCluster, client: ActionsClient, crdb: str) -> None:
        """While a task runs, its state is the step of each cluster."""
        task_id = cluster.start_crdb_task(plan=Plan(duration=100, queued=5), guid=crdb)
        states: list[tuple[str, str | None]] = []

        await client.crdbs.wait_task(
            task_id, on_progress=lambda action: states.append((action.status, action.state))
        )
        steps = [
            f"cluster1.local: {step}, cluster2.local: {step}"
            for step in ("prepare", "execute", "commit")
        ]
        assert states == [
            ("queued", None),
            *[("started", step) for step in steps],
            ("finished", steps[-1]),
        ]

    async def test_by_id(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A task is followed by its id, even one of another user."""
        task_id = cluster.start_crdb_task(plan=Plan(duration=100), id="a/b ?")

        assert (await client.crdbs.wait_task("a/b ?")).uid == task_id
        assert (await client.operation("crdb:a/b ?")).object_uid is not None
        assert set(requested_paths(cluster)) == {f"{TASKS}/a%2Fb%20%3F"}

    @pytest.mark.parametrize("task_id", ["", ".", "..", None, 7])
    async def test_no_id(self, cluster: FakeCluster, client: ActionsClient, task_id: str) -> None:
        """An invalid id is rejected before any request."""
        two = (client.crdbs.wait_task(each) for each in (task_id, "." if task_id else ".."))
        for result in await asyncio.gather(*two, return_exceptions=True):
            assert isinstance(result, UsageError)
        assert cluster.requests == []


class TestFailure:
    """Tasks that do not finish."""

    async def test_words(self, cluster: FakeCluster, client: ActionsClient, crdb: str) -> None:
        """The error of a failed task has the words of each cluster."""
        cluster.plan(
            "PATCH", "/v1/crdbs", Plan(outcome="failed", error="no room", error_code="full")
        )
        operation = await client.crdbs.update(crdb, {})

        with pytest.raises(ActionFailed) as caught:
            await operation
        assert (caught.value.error_code, caught.value.error) == (
            "full",
            "cluster1.local: no room; no room",
        )
        assert str(caught.value).startswith("update_crdb on crdb:g1 [")
        assert "full: cluster1.local: no room; no room" in str(caught.value)

    async def test_timeout(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The error of a timeout has the task as last seen; the task goes on."""
        task_id = cluster.start_crdb_task(plan=Plan(duration=100))

        with pytest.raises(WaitTimeout) as caught:
            await client.crdbs.wait_task(task_id, timeout=30)
        assert now() == pytest.approx(30, abs=0.1)
        assert caught.value.action is not None
        assert caught.value.action.state == "cluster1.local: execute, cluster2.local: execute"
        assert (await client.crdbs.wait_task(task_id)).phase is Phase.COMPLETED

    async def test_never_known(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A task that is not known for as long as the grace is not found."""
        with pytest.raises(ActionNotFound, match="CRDB task t9 was not found"):
            await client.crdbs.wait_task("t9", not_found_grace=5)
        assert now() == pytest.approx(5, abs=0.1)

    async def test_vanishes(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A task that was seen and is gone has vanished; the error has its last state."""
        task_id = cluster.start_crdb_task(plan=Plan(duration=100, outcome="vanishes"))

        with pytest.raises(ActionVanished) as caught:
            await client.crdbs.wait_task(task_id)
        assert caught.value.action is not None
        assert caught.value.action.status == "started"
        assert requested_paths(cluster).count(f"{TASKS}/{task_id}") == len(requested_paths(cluster))

    async def test_missing_route(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A 404 with a web page is no missing task: a wait has an outage, a list an error."""
        cluster.inject(path=TASKS, times=None, status=404, body="<html>no such page</html>")

        with pytest.raises(ClusterUnreachable) as caught:
            await client.crdbs.wait_task("t1", outage_timeout=5)
        assert isinstance(caught.value.__cause__, UnreadableReply)
        with pytest.raises(UnreadableReply, match="404 that is not the REST API's"):
            await client.crdbs.tasks()

    async def test_outage(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An outage on the way is survived."""
        task_id = cluster.start_crdb_task(plan=Plan(duration=100))
        waiting = asyncio.create_task(client.crdbs.wait_task(task_id))
        await asyncio.sleep(20)
        cluster.inject(times=None, status=503)
        await asyncio.sleep(40)
        cluster.heal()

        assert (await waiting).status == "finished"

    @pytest.mark.parametrize("status", [401, 403])
    async def test_refused(self, cluster: FakeCluster, client: ActionsClient, status: int) -> None:
        """A 403 fails the wait immediately and names the permission."""
        cluster.inject(path=TASKS, times=None, status=status)

        with pytest.raises(AuthenticationError) as caught:
            await client.crdbs.wait_task("t1")
        assert ("view_crdb_task" in str(caught.value)) == (status == 403)
        assert len(cluster.requests) == 1


class TestResults:
    """Results of tasks, which the cluster keeps for a time."""

    async def test_default(self, cluster: FakeCluster, client: ActionsClient, crdb: str) -> None:
        """A result is available for 500 s after the end, and not found later."""
        operation = await client.crdbs.flush(crdb)
        await asyncio.sleep(10 + 499)
        assert (await operation).phase is Phase.COMPLETED

        await asyncio.sleep(2)
        with pytest.raises(ActionNotFound, match="so long ago that the cluster forgot it"):
            await operation
        with pytest.raises(ActionNotFound):
            await client.get(str(operation.ref))

    async def test_ttl(self, cluster: FakeCluster, client: ActionsClient, crdb: str) -> None:
        """A result is kept for the `result_ttl` of the call."""
        operation = await client.crdbs.flush(crdb, result_ttl=3600)

        await asyncio.sleep(3600)
        assert (await operation).phase is Phase.COMPLETED

    async def test_missed(self, cluster: FakeCluster, client: ActionsClient, crdb: str) -> None:
        """A task whose result is gone before it is polled has vanished, and is no success."""
        operation = await client.crdbs.flush(crdb, result_ttl=1)

        with pytest.raises(ActionVanished, match="how it ended is unknown"):
            await operation.wait(poll=wait_fixed(30))

    @pytest.mark.parametrize("ttl", [0, -1, 1.5, True, "500"])
    async def test_no_ttl(self, cluster: FakeCluster, client: ActionsClient, ttl: int) -> None:
        """A time to keep it is a number of seconds."""
        with pytest.raises(UsageError, match="result_ttl"):
            await client.crdbs.flush(GUID, result_ttl=ttl)
        assert cluster.requests == []


class TestStart:
    """From the call to the task."""

    @NAMED
    async def test_id(
        self, cluster: FakeCluster, client: ActionsClient, crdb: str, call: Start
    ) -> None:
        """Each call sends an id for its task, so that the task is found if the answer is lost."""
        cluster.inject(path="/v1/crdbs", lose=True)
        operation = await call(client)

        (task_id,) = cluster.crdb_tasks
        assert operation.answer is None
        assert operation.ref == f"crdb:{task_id}"
        assert (await operation).phase is Phase.COMPLETED

    async def test_given_id(self, cluster: FakeCluster, client: ActionsClient, crdb: str) -> None:
        """A second call with the same id starts no second task."""
        first = await client.crdbs.update(crdb, {}, task_id="mine")
        again = await client.crdbs.update(crdb, {}, task_id="mine")

        assert first.ref == again.ref == "crdb:mine"
        assert list(cluster.crdb_tasks) == ["mine"]
        assert first.answer == {"id": "mine", "status": "queued"}

    async def test_given_in_headers(
        self, cluster: FakeCluster, client: ActionsClient, crdb: str
    ) -> None:
        """`submit` accepts the id as a header, in any case."""
        operation = await client.submit(
            "PUT", f"/v1/crdbs/{crdb}/flush", headers={"x-task-id": "mine"}
        )

        assert operation.ref == "crdb:mine"
        assert list(cluster.crdb_tasks) == ["mine"]

    @pytest.mark.parametrize("fault", ["lose", "truncate"])
    async def test_lost_answer(
        self, cluster: FakeCluster, client: ActionsClient, crdb: str, fault: str
    ) -> None:
        """The task of a call without an answer is found by its id; the call is not sent twice."""
        cluster.inject(method="POST", path="/v1/crdbs", **{fault: True})  # type: ignore[arg-type]
        operation = await client.crdbs.create({"name": "new"}, task_id="mine")

        assert operation.ref == "crdb:mine"
        found = [f"{TASKS}/mine", "/v1/crdbs", f"{TASKS}/mine"]
        assert requested_paths(cluster) == found
        assert (await operation).phase is Phase.COMPLETED

    async def test_lost_call(self, cluster: FakeCluster, client: ActionsClient, crdb: str) -> None:
        """The task of a call that was not executed is not found."""
        cluster.inject(method="POST", path="/v1/crdbs", drop=True)
        with pytest.raises(AnswerLost) as caught:
            await client.crdbs.create({"name": "new"}, task_id="mine")

        assert caught.value.ref == "crdb:mine"
        assert requested_paths(cluster, "POST") == ["/v1/crdbs"]
        with pytest.raises(ActionNotFound):
            await client.operation("crdb:mine")

    async def test_purge(self, cluster: FakeCluster, client: ActionsClient, crdb: str) -> None:
        """A purge sends no id: if its answer is lost, the error has no reference."""
        cluster.inject(method="PUT", path="/v1/crdbs", times=None, drop=True)

        with pytest.raises(AnswerLost) as caught:
            await CALLS["purge"](client)
        assert caught.value.ref is None

    async def test_busy(self, cluster: FakeCluster, client: ActionsClient, crdb: str) -> None:
        """A call to a busy cluster is retried for the `busy_timeout`."""
        cluster.inject(method="PUT", path="/v1/crdbs", times=None, status=409)
        with pytest.raises(RequestRejected, match="409"):
            await client.crdbs.flush(crdb)
        assert len(cluster.requests) == 1
        with pytest.raises(RequestRejected, match="409"):
            await client.crdbs.flush(crdb, busy_timeout=20)
        assert now() == pytest.approx(20, abs=0.5)

        asyncio.get_running_loop().call_later(30, cluster.heal)
        operation = await client.crdbs.flush(crdb, busy_timeout=60)
        assert (await operation).phase is Phase.COMPLETED
        assert len(cluster.crdb_tasks) == 1

    @pytest.mark.parametrize("status", [400, 401, 404, 406])
    async def test_refused(
        self, cluster: FakeCluster, client: ActionsClient, crdb: str, status: int
    ) -> None:
        """A call that is refused has started nothing, in the cluster's words."""
        body = json.dumps({"title": "No", "detail": "no such thing", "status": status})
        cluster.inject(path="/v1/crdbs", status=status, body=body)

        with pytest.raises(RequestRejected, match="no such thing") as caught:
            await client.crdbs.delete(crdb)
        assert caught.value.status == status
        assert requested_paths(cluster) == [f"/v1/crdbs/{crdb}"]


class TestCancel:
    """Tasks that are cancelled."""

    async def test_running(self, cluster: FakeCluster, client: ActionsClient, crdb: str) -> None:
        """A task that is cancelled fails, with the error code `cancelled`."""
        cluster.plan("PUT", "/v1/crdbs", Plan(duration=100))
        operation = await client.crdbs.flush(crdb)
        waiting = asyncio.ensure_future(operation.wait())
        await asyncio.sleep(20)
        await operation.cancel()

        with pytest.raises(ActionFailed) as caught:
            await waiting
        assert caught.value.error_code == "cancelled"
        assert now() < 40

    async def test_committing(self, cluster: FakeCluster, client: ActionsClient, crdb: str) -> None:
        """A task that is being committed goes on, unless the cancel is forced."""
        cluster.plan("PUT", "/v1/crdbs", Plan(duration=100))
        operation = await client.crdbs.flush(crdb)
        await asyncio.sleep(80)

        with pytest.raises(RequestRejected, match="is committing") as caught:
            await operation.cancel()
        assert caught.value.status == 406
        await operation.cancel(force=True)
        with pytest.raises(ActionFailed):
            await operation
        assert requested_paths(cluster, "POST")[-1].endswith("/actions/cancel?force=true")

    @pytest.mark.parametrize(("pause", "status"), [(20, 409), (600, 404)])
    async def test_too_late(
        self, cluster: FakeCluster, client: ActionsClient, crdb: str, pause: float, status: int
    ) -> None:
        """An ended or forgotten task cannot be cancelled."""
        operation = await client.crdbs.flush(crdb)
        await asyncio.sleep(pause)

        with pytest.raises(RequestRejected) as caught:
            await operation.cancel()
        assert caught.value.status == status

    async def test_waiting_alone(
        self, cluster: FakeCluster, client: ActionsClient, crdb: str
    ) -> None:
        """Cancelling the Python task does not cancel the remote work."""
        operation = await client.crdbs.flush(crdb)
        waiting = asyncio.ensure_future(operation.wait())
        await asyncio.sleep(5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert requested_paths(cluster, "POST") == []
        assert (await operation).phase is Phase.COMPLETED


class TestMany:
    """Several tasks on one client."""

    @pytest.mark.parametrize("bare", [True, False], ids=["array", "object"])
    async def test_list(self, cluster: FakeCluster, client: ActionsClient, bare: bool) -> None:
        """One list serves many tasks; a task that is missing there is fetched alone."""
        cluster.bare_crdb_tasks = bare
        ids = [
            cluster.start_crdb_task(plan=Plan(duration=100 + 20 * number)) for number in range(10)
        ]

        actions = await client.wait_for(*(f"crdb:{each}" for each in ids))
        assert [action.uid for action in actions] == ids
        assert {action.status for action in actions} == {"finished"}
        singles = [path for path in requested_paths(cluster) if path != TASKS]
        assert len(singles) <= 2 * len(ids)
        for each in ids[:-1]:  # the last one is alone in the end
            times = [one.time for one in cluster.requests if one.path == f"{TASKS}/{each}"]
            assert min(times) >= cluster.crdb_tasks[each].ends_at

    async def test_empty_list(self, cluster: FakeCluster, tasks: CrdbTasksApi) -> None:
        """A 404 in the API's words on the list means that there is nothing."""
        cluster.inject(path=TASKS, times=2, status=404, body='{"title": "x", "status": 404}')

        assert await tasks.list_tasks() == []
        assert await tasks.fetch_many(
            wanted_of({parse_reference("crdb:t1"): None}), None
        ) == ListResult({}, cost=1.0)

    async def test_cost(self, cluster: FakeCluster, tasks: CrdbTasksApi) -> None:
        """A long list costs more than a short one, by its size."""
        entries = [{"id": f"t{number}", "status": "queued"} for number in range(3000)]
        cluster.inject(path=TASKS, status=200, body=json.dumps(entries))

        refs = {parse_reference("crdb:t7"): None, parse_reference("crdb:x"): None}
        found = await tasks.fetch_many(wanted_of(refs), None)
        assert [action.uid for action in found.changed.values()] == ["t7"]
        assert found.cost == pytest.approx(len(json.dumps(entries)) / 2**15)

    async def test_same_time(self, cluster: FakeCluster) -> None:
        """Each wait has its own end, good or bad."""
        async with client_of(cluster) as client:
            good = cluster.start_crdb_task(plan=Plan(duration=50))
            bad = cluster.start_crdb_task(plan=Plan(duration=20, outcome="failed", error="no room"))
            gone = cluster.start_crdb_task(plan=Plan(duration=30, outcome="vanishes"))
            results = await client.wait_for(
                *[f"crdb:{each}" for each in (good, bad, gone, "never")], settle=True
            )

        assert [type(result) for result in results] == [
            FinishedAction,
            ActionFailed,
            ActionVanished,
            ActionNotFound,
        ]
