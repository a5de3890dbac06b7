"""Tests of `testing.routes.crdbs` and `testing.state.crdbs`, over HTTP."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from redis_enterprise_actions.testing.state.databases import DATABASE_SECRET
from tests.http_client import HttpClient, http_client


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import Outcome

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

CRDBS = "/v1/crdbs"
TASKS = "/v1/crdb_tasks"
STARTS = [
    ("PATCH", "", "update_crdb"),
    ("DELETE", "", "delete_crdb"),
    ("POST", "/updates", "update_crdb"),
    ("PUT", "/flush", "flush_crdb"),
    ("PUT", "/purge", "purge_crdb"),
    ("POST", "/upgrade", "upgrade_crdb"),
]


async def task_of(call: HttpClient, task_id: str) -> Any:  # noqa: ANN401 - JSON
    """Return a task; check that the cluster has it."""
    return await call.ok("GET", f"{TASKS}/{task_id}")


async def cancel(call: HttpClient, task_id: str, *, force: str = "") -> int:
    """Cancel a task and return the status of the answer."""
    status, _ = await call("POST", f"{TASKS}/{task_id}/actions/cancel{force}")
    return status


def not_found(detail: str) -> tuple[int, dict[str, object]]:
    """Return the answer to requests for missing objects."""
    body: dict[str, object] = {"detail": detail, "status": 404, "title": "Not Found"}
    return 404, body | {"type": "about:blank"}


class TestCrdbs:
    """Active-Active databases and their lists."""

    async def test_seen(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A database is in the list, has a route of its own, and holds a secret."""
        guid = cluster.add_crdb(name="orders")
        body = await call.ok("GET", f"{CRDBS}/{guid}")

        assert (body["guid"], body["name"]) == (guid, "orders")
        assert DATABASE_SECRET in str(body)
        assert await call.ok("GET", CRDBS) == {"crdbs": [body]}

    async def test_created(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A database exists when the task that creates it has finished."""
        task_id = (await call.ok("POST", CRDBS, json={"name": "orders"}))["id"]
        await asyncio.sleep(9)
        task = await task_of(call, task_id)
        assert await call.ok("GET", CRDBS) == {"crdbs": []}
        assert (await call("GET", f"{CRDBS}/{task['crdb_guid']}"))[0] == 404
        await asyncio.sleep(1)

        assert task["operation"] == "create_crdb"
        assert (await call.ok("GET", f"{CRDBS}/{task['crdb_guid']}"))["name"] == "orders"

    @pytest.mark.parametrize("outcome", ["failed", "never"])
    async def test_not_created(
        self, cluster: FakeCluster, call: HttpClient, outcome: Outcome
    ) -> None:
        """A database whose creation fails does not exist."""
        cluster.plan("POST", CRDBS, Plan(duration=1, outcome=outcome))
        await call.ok("POST", CRDBS, json={})
        await asyncio.sleep(2)

        assert await call.ok("GET", CRDBS) == {"crdbs": []}

    async def test_deleted(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A database is gone when the task that deletes it has finished."""
        guid = cluster.add_crdb()
        await call.ok("DELETE", f"{CRDBS}/{guid}")
        await asyncio.sleep(9)
        await call.ok("GET", f"{CRDBS}/{guid}")
        await asyncio.sleep(1)

        answer = await call("GET", f"{CRDBS}/{guid}")
        assert answer == not_found(f"CRDB {guid} does not exist")
        assert await call.ok("GET", CRDBS) == {"crdbs": []}

    async def test_direct(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Tasks that a test starts create, delete and change databases, too."""
        cluster.start_crdb_task("create_crdb", Plan(duration=5), guid="g1")
        cluster.start_crdb_task(guid="g2")
        cluster.start_crdb_task("delete_crdb", Plan(duration=5), guid="g2")
        before = await call.ok("GET", CRDBS)
        await asyncio.sleep(5)
        after = await call.ok("GET", CRDBS)

        assert [crdb["guid"] for crdb in before["crdbs"]] == ["g2"]
        assert [crdb["guid"] for crdb in after["crdbs"]] == ["g1"]


class TestStart:
    """Calls that start a task."""

    @pytest.mark.parametrize(("method", "path", "operation"), STARTS)
    async def test_answer(
        self, cluster: FakeCluster, call: HttpClient, method: str, path: str, operation: str
    ) -> None:
        """The answer says "queued" and has an id, and nothing more."""
        guid = cluster.add_crdb()
        body = await call.ok(method, f"{CRDBS}/{guid}{path}", json={})
        task_id = body.pop("id")
        task = await task_of(call, task_id)

        assert body == {"status": "queued"}
        assert (task["operation"], task["crdb_guid"]) == (operation, guid)
        assert cluster.crdb_tasks[task_id].guid == guid

    @pytest.mark.parametrize(("method", "path", "operation"), STARTS)
    async def test_unknown(self, call: HttpClient, method: str, path: str, operation: str) -> None:
        """Work on a missing database is answered 404."""
        answer = await call(method, f"{CRDBS}/g1{path}", json={})

        assert answer == not_found("CRDB g1 does not exist")

    async def test_errors_are_problems(self, call: HttpClient) -> None:
        """An error has the content type that belongs to its body."""
        async with call.session.get(f"{call.cluster.url}{CRDBS}/g1") as response:
            assert response.content_type == "application/problem+json"

    async def test_put(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A database is changed with PATCH; PUT is not allowed."""
        assert (await call("PUT", f"{CRDBS}/{cluster.add_crdb()}", json={}))[0] == 405

    async def test_upgrade(self) -> None:
        """An older cluster cannot upgrade a database."""
        async with FakeCluster(version="7.22") as cluster, http_client(cluster) as call:
            guid = cluster.add_crdb()

            assert (await call("POST", f"{CRDBS}/{guid}/upgrade", json={}))[0] == 404

    async def test_bad_request(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Every body has to be a JSON object, except with DELETE."""
        guid = cluster.add_crdb()

        assert (await call("POST", CRDBS, data=b"{}"))[0] == 400
        assert (await call("POST", CRDBS, json=[]))[0] == 400
        assert (await call("PUT", f"{CRDBS}/{guid}/flush"))[0] == 400
        assert cluster.crdb_tasks == {}
        await call.ok("DELETE", f"{CRDBS}/{guid}")

    async def test_planned(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A task goes as planned for the call that starts it."""
        guid = cluster.add_crdb()
        cluster.plan("PUT", f"{CRDBS}/{guid}/flush", Plan(queued=5, duration=5, outcome="failed"))
        task_id = (await call.ok("PUT", f"{CRDBS}/{guid}/flush", json={}))["id"]
        seen = []
        for _ in range(3):
            seen.append((await task_of(call, task_id))["status"])
            await asyncio.sleep(5)

        assert seen == ["queued", "started", "failed"]

    @pytest.mark.parametrize(
        ("method", "path"), [("POST", CRDBS), ("DELETE", f"{CRDBS}/g1"), ("PATCH", f"{CRDBS}/g1")]
    )
    async def test_chosen_id(
        self, cluster: FakeCluster, call: HttpClient, method: str, path: str
    ) -> None:
        """A repeated call with the same id starts nothing more."""
        cluster.add_crdb("g1")
        cluster.plan(method, path, Plan(duration=20, queued=2))
        headers = {"X-Task-ID": "t1"}
        first = await call.ok(method, path, json={}, headers=headers)
        await asyncio.sleep(5)
        second = await call.ok(method, path, json={}, headers=headers)
        await asyncio.sleep(20)
        third = await call.ok(method, path, json={}, headers=headers)

        assert first == {"id": "t1", "status": "queued"}
        assert second == {"id": "t1", "status": "started"}
        assert third == {"id": "t1", "status": "finished"}
        assert list(cluster.crdb_tasks) == ["t1"]

    async def test_id_of_a_purge(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The id of a purge cannot be chosen."""
        path = f"{CRDBS}/{cluster.add_crdb()}/purge"

        assert (await call.ok("PUT", path, json={}, headers={"X-Task-ID": "t1"}))["id"] != "t1"


DRY = ["?dry_run", "?dry_run=true", "?dry_run=1"]


class TestDry:
    """Dry runs, which end with a verdict and change nothing."""

    @pytest.mark.parametrize("query", DRY)
    async def test_create(self, cluster: FakeCluster, call: HttpClient, query: str) -> None:
        """A dry run creates no database; its task runs and ends."""
        cluster.plan("POST", CRDBS, Plan(queued=5, duration=5))
        body = await call.ok("POST", f"{CRDBS}{query}", json={"name": "orders"})
        seen = []
        for _ in range(3):
            seen.append(await task_of(call, body["id"]))
            await asyncio.sleep(5)

        assert body == {"id": body["id"], "status": "queued"}
        assert [task["status"] for task in seen] == ["queued", "started", "finished"]
        assert all("crdb_guid" not in task for task in seen)
        assert await call.ok("GET", CRDBS) == {"crdbs": []}
        assert cluster.bdbs == {}
        assert cluster.crdb_tasks[body["id"]].dry

    async def test_updates(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A dry run of updates is a task on the database that it would change."""
        guid = cluster.add_crdb()
        before = await call.ok("GET", CRDBS)
        task_id = (await call.ok("POST", f"{CRDBS}/{guid}/updates?dry_run", json={}))["id"]
        await asyncio.sleep(10)
        task = await task_of(call, task_id)

        assert (task["status"], task["crdb_guid"]) == ("finished", guid)
        assert cluster.crdb_tasks[task_id].dry
        assert await call.ok("GET", CRDBS) == before

    @pytest.mark.parametrize("path", ["", "/{guid}/updates"])
    async def test_failed(self, cluster: FakeCluster, call: HttpClient, path: str) -> None:
        """The verdict of a dry run can be a failure."""
        path = CRDBS + path.format(guid=cluster.add_crdb())
        cluster.plan("POST", path, Plan(duration=1, outcome="failed", error="no quorum"))
        task_id = (await call.ok("POST", f"{path}?dry_run", json={}))["id"]
        await asyncio.sleep(1)
        task = await task_of(call, task_id)

        assert (task["status"], task["errors"][0]["description"]) == ("failed", "no quorum")
        assert len((await call.ok("GET", CRDBS))["crdbs"]) == 1

    async def test_unknown(self, call: HttpClient) -> None:
        """A dry run on a missing database is answered 404."""
        answer = await call("POST", f"{CRDBS}/g1/updates?dry_run", json={})

        assert answer == not_found("CRDB g1 does not exist")

    @pytest.mark.parametrize("query", ["", "?dry_run=false", "?dry_run=0"])
    async def test_not_dry(self, call: HttpClient, query: str) -> None:
        """Nothing but the query makes a run dry."""
        body = {"name": "orders", "dry_run": True, "only_failovers": True}
        await call.ok("POST", f"{CRDBS}{query}", json=body)
        await asyncio.sleep(10)

        assert len((await call.ok("GET", CRDBS))["crdbs"]) == 1

    async def test_of_no_other_call(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A call whose page has no dry run does its work."""
        guid = cluster.add_crdb()
        await call.ok("DELETE", f"{CRDBS}/{guid}?dry_run=true")
        await asyncio.sleep(10)

        assert await call.ok("GET", CRDBS) == {"crdbs": []}


class TestTasks:
    """Tasks and their list."""

    async def test_queued(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A queued task shows neither its database nor its worker."""
        task_id = cluster.start_crdb_task(plan=Plan(queued=5))

        assert await task_of(call, task_id) == {
            "id": task_id,
            "status": "queued",
            "operation": "update_crdb",
        }

    async def test_started(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A started task shows the steps of its worker and of the clusters."""
        cluster.start_crdb_task("flush_crdb", guid="g1", id="t1")
        await asyncio.sleep(5)
        body = await task_of(call, "t1")

        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body.pop("started"))
        assert body == {
            "id": "t1",
            "status": "started",
            "operation": "flush_crdb",
            "crdb_guid": "g1",
            "worker_name": "crdb_worker:1:0",
            "progress": {
                "clusters": [
                    {"name": "cluster1.local", "progress": "execute"},
                    {"name": "cluster2.local", "progress": "execute"},
                ],
                "worker": "execute",
            },
        }

    async def test_steps(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The steps follow each other, and the last one stays."""
        cluster.start_crdb_task(id="t1")
        seen = []
        for _ in range(5):
            seen.append((await task_of(call, "t1"))["progress"]["worker"])
            await asyncio.sleep(2.6)

        assert seen == ["prepare", "execute", "execute", "commit", "commit"]

    async def test_finished(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A finished task shows its start and its end."""
        cluster.start_crdb_task(plan=Plan(duration=0), id="t1")
        body = await task_of(call, "t1")

        assert body["status"] == "finished"
        assert body["started"] == body["ended"]
        assert "errors" not in body

    @pytest.mark.parametrize(
        ("outcome", "status"),
        [
            ("completed", "finished"),
            ("failed", "failed"),
            ("cancelled", "failed"),
            ("aborted", "failed"),
            ("never", "started"),
            ("stuck", "started"),
        ],
    )
    async def test_outcomes(
        self, cluster: FakeCluster, call: HttpClient, outcome: Outcome, status: str
    ) -> None:
        """A task has two ways to end."""
        cluster.start_crdb_task(plan=Plan(duration=5, outcome=outcome), id="t1")
        await asyncio.sleep(6)
        listed = await call.ok("GET", TASKS)

        assert (await task_of(call, "t1"))["status"] == status
        assert len(listed) == (status == "started")

    async def test_errors(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A failed task has an error of each cluster, one of which has no name."""
        cluster.start_crdb_task(
            plan=Plan(duration=0, outcome="failed", error="no", error_code="e1"), id="t1"
        )

        assert (await task_of(call, "t1"))["errors"] == [
            {"cluster_name": "cluster1.local", "description": "no", "error_code": "e1"},
            {"cluster_name": "", "description": "no", "error_code": "e1"},
        ]

    async def test_list(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The list has the tasks that have not ended, in one of two shapes."""
        cluster.start_crdb_task(plan=Plan(queued=5), id="t1")
        cluster.start_crdb_task(plan=Plan(duration=1), id="t2")
        await asyncio.sleep(2)
        entry = await task_of(call, "t1")

        assert await call.ok("GET", TASKS) == [entry]
        cluster.bare_crdb_tasks = False
        assert await call.ok("GET", TASKS) == {"crdb_tasks": [entry]}

    @pytest.mark.parametrize("bare", [True, False])
    async def test_bad_entry(self, cluster: FakeCluster, call: HttpClient, *, bare: bool) -> None:
        """An entry can be spoiled in either shape."""
        cluster.bare_crdb_tasks = bare
        cluster.start_crdb_task()
        cluster.inject(bad_entry=True)
        body = await call.ok("GET", TASKS)

        assert (body if bare else body["crdb_tasks"])[0]["status"] == 42


class TestRetention:
    """Results of tasks and the time for which they are kept."""

    async def test_default(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A result is kept for 500 s."""
        task_id = cluster.start_crdb_task(plan=Plan(duration=10))
        await asyncio.sleep(509)
        await task_of(call, task_id)
        await asyncio.sleep(1)

        answer = await call("GET", f"{TASKS}/{task_id}")
        assert answer == not_found(f"Task {task_id} does not exist")
        assert await cancel(call, task_id) == 404

    async def test_chosen(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The time can be chosen when the task is started."""
        headers = {"X-Result-TTL": "5"}
        task_id = (await call.ok("POST", CRDBS, json={}, headers=headers))["id"]
        await asyncio.sleep(14)
        await task_of(call, task_id)
        await asyncio.sleep(1)

        assert (await call("GET", f"{TASKS}/{task_id}"))[0] == 404

    @pytest.mark.parametrize("ttl", ["soon", "-1", "1.5", ""])
    async def test_not_seconds(self, cluster: FakeCluster, call: HttpClient, ttl: str) -> None:
        """The time has to be a number of seconds."""
        answer = await call("POST", CRDBS, json={}, headers={"X-Result-TTL": ttl})

        assert answer[0] == 400
        assert cluster.crdb_tasks == {}

    async def test_again(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A forgotten id can be used again, and the work of its first task stays done."""
        headers = {"X-Task-ID": "t1", "X-Result-TTL": "1"}
        await call.ok("POST", CRDBS, json={}, headers=headers)
        await asyncio.sleep(12)
        assert (await call.ok("POST", CRDBS, json={}, headers=headers))["status"] == "queued"
        await asyncio.sleep(10)

        assert len((await call.ok("GET", CRDBS))["crdbs"]) == 2

    async def test_vanishes(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The result of a task that vanishes is not kept; its work is done."""
        guid = cluster.add_crdb()
        cluster.plan("DELETE", CRDBS, Plan(duration=5, outcome="vanishes"))
        task_id = (await call.ok("DELETE", f"{CRDBS}/{guid}"))["id"]
        await task_of(call, task_id)
        await asyncio.sleep(5)

        assert (await call("GET", f"{TASKS}/{task_id}"))[0] == 404
        assert await call.ok("GET", CRDBS) == {"crdbs": []}


class TestCancel:
    """Calls that cancel a task."""

    async def test_started(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A task has failed two seconds after it was cancelled, and shows the reason."""
        task_id = (await call.ok("POST", CRDBS, json={}))["id"]
        await asyncio.sleep(7)
        assert await cancel(call, task_id) == 200
        await asyncio.sleep(1)
        assert await cancel(call, task_id) == 200
        assert (await task_of(call, task_id))["status"] == "started"
        await asyncio.sleep(1)
        body = await task_of(call, task_id)

        assert body["status"] == "failed"
        assert body["errors"][1] == {
            "cluster_name": "",
            "description": "the task was cancelled",
            "error_code": "cancelled",
        }
        await asyncio.sleep(10)
        assert await call.ok("GET", CRDBS) == {"crdbs": []}

    async def test_queued(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A task that was cancelled in the queue never had a database."""
        cluster.start_crdb_task("create_crdb", Plan(queued=1), id="t1")
        assert await cancel(call, "t1") == 200
        await asyncio.sleep(1.5)
        assert (await task_of(call, "t1"))["status"] == "queued"
        await asyncio.sleep(1)
        body = await task_of(call, "t1")

        assert body["status"] == "failed"
        assert "crdb_guid" not in body

    async def test_committing(self, cluster: FakeCluster, call: HttpClient) -> None:
        """In the last quarter of its time the cancel of a task has to be forced."""
        cluster.start_crdb_task(id="t1")
        await asyncio.sleep(8)

        assert await cancel(call, "t1") == 406
        assert await cancel(call, "t1", force="?force=false") == 406
        assert await cancel(call, "t1", force="?force=true") == 200
        await asyncio.sleep(2)
        assert (await task_of(call, "t1"))["status"] == "failed"

    @pytest.mark.parametrize("outcome", ["completed", "failed"])
    async def test_ended(self, cluster: FakeCluster, call: HttpClient, outcome: Outcome) -> None:
        """An ended task cannot be cancelled."""
        cluster.start_crdb_task(plan=Plan(duration=0, outcome=outcome), id="t1")

        assert await cancel(call, "t1") == 409
        assert await cancel(call, "t1", force="?force=true") == 409

    async def test_unknown(self, call: HttpClient) -> None:
        """An unknown task cannot be cancelled."""
        assert await cancel(call, "t1") == 404


class TestMisuse:
    """Arguments that no cluster could obey."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"result_ttl": -1}, "0 or more"),
            ({"id": "taken"}, "task taken has not ended"),
        ],
    )
    async def test_options(
        self, cluster: FakeCluster, options: dict[str, Any], message: str
    ) -> None:
        """Times are 0 or more, and ids are free."""
        cluster.start_crdb_task(id="taken")
        with pytest.raises(ValueError, match=message):
            cluster.start_crdb_task(**options)

    async def test_twice(self, cluster: FakeCluster) -> None:
        """An id belongs to one unfinished task, a guid to one database for ever."""
        cluster.start_crdb_task(plan=Plan(duration=1), guid="g1", id="t1")

        with pytest.raises(ValueError, match="task t1 has not ended"):
            cluster.start_crdb_task(id="t1")
        for again in (
            cluster.add_crdb,
            lambda guid: cluster.start_crdb_task("create_crdb", guid=guid),
        ):
            with pytest.raises(ValueError, match="there is, or was, a CRDB g1"):
                again("g1")
        await asyncio.sleep(1)
        cluster.start_crdb_task(id="t1")
