"""Tests of `_client.submit.submitter`."""

from __future__ import annotations

import asyncio
import itertools
import json
import pickle
import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import (
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    AnswerLost,
    AuthenticationError,
    ClusterUnreachable,
    Phase,
    RequestError,
    RequestRejected,
    UsageError,
)
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of, examples
from tests.recorder import NOT_FOUND, RecordingServer


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from redis_enterprise_actions.testing import Transfer
    from redis_enterprise_actions.testing.settings import SeenRequest

    Result: TypeAlias = Literal["completed", "failed"]

pytestmark = pytest.mark.core

SECRET = "hunter2-hunter2"
URL = {"type": "url", "url": "ftp://nowhere"}
MAINTENANCE_ON = "/v1/nodes/1/actions/maintenance_on"
MAINTENANCE_OFF = "/v1/nodes/1/actions/maintenance_off"
CHANGE_MASTER = "/v1/cluster/actions/change_master"
EXPORT = "/v1/bdbs/1/actions/export"
IMPORT = "/v1/bdbs/1/actions/import"
EXPORTED = {"export_location": {"type": "url"}}
IMPORTED = {"dataset_import_sources": [{"type": "url"}]}
STARTED = '{"status": "queued", "task_id": "t1"}'


BODIES = st.binary() | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["action_uid", "id", "x"]), inner)
    ),
    max_leaves=5,
).map(json.dumps).map(str.encode)


def loop_time() -> float:
    """Return the time of the event loop."""
    return asyncio.get_running_loop().time()


def modifying_requests(cluster: FakeCluster) -> list[str]:
    """Return the requests that may have changed something."""
    return [f"{seen.method} {seen.path}" for seen in cluster.requests if seen.method != "GET"]


class TestAnswers:
    """Handles in the answers to requests."""

    @pytest.mark.enable_socket
    @pytest.mark.parametrize(
        ("method", "path", "answer", "ref"),
        [
            ("PUT", "/v1/bdbs/1", {"uid": 1, "action_uid": "a1"}, "action:a1"),
            ("PUT", "/v1/bdbs/1", {"uid": 1, "name": "x"}, "bdb:1@after"),
            ("DELETE", "/v1/bdbs/1", None, "bdb:1@gone,after"),
            ("DELETE", "/v1/users/1", None, None),
            (
                "POST",
                MAINTENANCE_ON,
                {"status": "queued", "task_id": "t1"},
                "node:1/maintenance_on@t1",
            ),
        ],
        ids=["action", "database", "empty", "nothing", "task"],
    )
    async def test_answers(self, method: str, path: str, answer: object, ref: str | None) -> None:
        """The client sends one request; the operation has the answer, and the reference in it."""
        text = "" if answer is None else json.dumps(answer)
        async with RecordingServer(**{method: [(200, text)]}) as server, server.client() as client:
            operation = await client.submit(method, path)

            assert (operation.ref, operation.done) == (ref, ref is None)
            assert operation.answer == answer
            assert [call.line for call in server.changes] == [f"{method} {path}"]

    @pytest.mark.enable_socket
    async def test_crdb_without_id(self) -> None:
        """If the answer names no task, the reference is the id that the request has sent."""
        async with RecordingServer() as server, server.client() as client:
            operation = await client.submit("POST", "/v1/crdbs/g/flush")

        assert operation.ref == f"crdb:{server.changes[0].headers['X-Task-ID']}"

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("header", ["X-Task-ID", "x-task-id"])
    @pytest.mark.parametrize("task_id", ["mine", " Mine", "A2F0C1AE-0A4B-4F43-9B1C-5D7E2A90C0DE"])
    async def test_crdb_with_id(self, header: str, task_id: str) -> None:
        """If the caller passes an id, the reference is that id, also with capitals."""
        async with RecordingServer() as server, server.client() as client:
            operation = await client.submit("PATCH", "/v1/crdbs/g", headers={header: task_id})
            resumed = client.operation(operation.ref or "")

        assert resumed.ref == operation.ref == f"crdb:{task_id.strip()}"
        assert server.changes[0].headers.getall("X-Task-ID") == [task_id.strip()]

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("headers", [{}, {"X-Task-ID": "mine"}])
    async def test_purge(self, headers: dict[str, str]) -> None:
        """The client sends no id for a purge, and does not rely on an id of the caller."""
        async with RecordingServer() as server, server.client() as client:
            operation = await client.submit("PUT", "/v1/crdbs/g/purge", headers=headers)

        assert (operation.ref, operation.done) == (None, False)
        assert server.changes[0].headers.get("X-Task-ID") == headers.get("X-Task-ID")

    @pytest.mark.parametrize(
        ("method", "path", "params"),
        [
            ("PUT", "/v1/bdbs/1", {"dry_run": True}),
            ("POST", "/v1/bdbs", {"dry_run": "1"}),
            ("PUT", "/v1/bdbs/1/actions/rebalance", {"dry_run": "", "max_operations": 3}),
            ("PUT", "/v1/bdbs/1/actions/revamp", {"dry_run": "YES"}),
        ],
    )
    async def test_dry_run(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        method: str,
        path: str,
        params: dict[str, object],
    ) -> None:
        """A dry run starts nothing, is done when it is answered, and costs no other request."""
        cluster.add_bdb(1)
        body = None if "actions" in path else {"name": "x", "memory_size": 5000000}
        operation = await client.submit(method, path, body, params=params)
        action = await operation

        assert (operation.done, operation.ref) == (True, None)
        assert (action.phase, action.name) == (Phase.COMPLETED, f"{method} {path}")
        assert len(cluster.requests) == 1
        assert cluster.actions == {}

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("dry_run", [False, "false", 0, "no", None])
    async def test_dry_run_off(self, dry_run: object) -> None:
        """A dry run that is switched off is an ordinary call."""
        async with RecordingServer() as server, server.client() as client:
            operation = await client.submit("PUT", "/v1/bdbs/1", params={"dry_run": dry_run})

        assert operation.ref == "bdb:1@after"

    async def test_dry_run_of_a_crdb(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A dry run of an Active-Active database is a task with a result, and creates nothing."""
        config = {"name": "x"}
        operation = await client.submit("POST", "/v1/crdbs", config, params={"dry_run": True})
        assert (await operation).status == "finished"
        assert cluster._crdbs.guids() == []

        cluster.plan("POST", "/v1/crdbs", Plan(outcome="failed"))
        with pytest.raises(ActionFailed):
            await (await client.submit("POST", "/v1/crdbs", config, params={"dry_run": "true"}))

    async def test_wrong_place(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Settings in a place where the API ignores them are refused, and nothing is sent."""
        cluster.add_bdb(1)
        rebalance = "/v1/bdbs/1/actions/rebalance"
        for name in ("dry_run", "only_failovers", "max_operations"):
            with pytest.raises(UsageError, match=f"--param {name}="):
                await client.submit("PUT", rebalance, {name: 1})
        with pytest.raises(UsageError, match="json="):
            await client.submit("POST", "/v1/shards/actions/migrate", params={"dry_run": True})

        assert cluster.requests == []

    async def test_rebalance(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Settings of a named call go where the API reads them."""
        cluster.add_bdb(1)

        assert (await client.databases.rebalance(1, {"dry_run": True})).done
        params = {"only_failovers": True}
        assert (await client.databases.rebalance(1, {"dry_run": True}, params=params)).done
        assert cluster.actions == {}

    async def test_nothing_to_do(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A change without effect has an answer, and its operation follows the database."""
        cluster.add_bdb(1)
        operation = await client.databases.update(1, {"name": "db1"})

        assert operation.ref == "bdb:1@unchanged"
        assert isinstance(operation.answer, dict)
        assert operation.answer["uid"] == 1

    async def test_method(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The method may be in lower case."""
        cluster.add_bdb(1)
        await client.submit("put", "/v1/bdbs/1", {"memory_size": 5})

        assert modifying_requests(cluster) == ["PUT /v1/bdbs/1"]

    @pytest.mark.enable_socket
    @settings(max_examples=examples(80))
    @given(BODIES)
    @example(b"[" * 5000)
    @example(b'{"action_uid": ".."}')
    @example(b'{"action_uid": "\\ud800"}')
    @example(b'{"action_uid": "a", "action_uid": 5}')
    def test_hostile(self, body: bytes) -> None:
        """Every answer has a handle, or has none, or counts as lost."""
        asyncio.run(submit_to(body))


async def submit_to(body: bytes) -> None:
    """Send a request that is answered with `body`."""
    async with RecordingServer(PUT=[(200, body)]) as server, server.client() as client:
        try:
            operation = await client.submit("PUT", "/v1/bdbs/1")
        except AnswerLost as error:
            assert (error.ref, error.reason) == ("bdb:1@lost", "the answer cannot be decoded")
        except RequestRejected as error:
            assert error.status == 200
        else:
            assert operation.ref is None or client.operation(operation.ref).ref == operation.ref
        assert len(server.changes) == 1


class Work(NamedTuple):
    """Kind of work, with the call that starts it."""

    start: Callable[..., Any]
    path: str
    ref: str  # beginning of its reference


# Work that is distinguished from older work: by its run, or by an id that the client chooses.
RECOVERABLE = {
    "maintenance_on": Work(
        lambda c, **o: c.nodes.maintenance_on(1, **o), MAINTENANCE_ON, "node:1/maintenance_on"
    ),
    "change_primary": Work(
        lambda c, **o: c.cluster.change_primary(1, **o), CHANGE_MASTER, "cluster:change_master"
    ),
    "create_crdb": Work(lambda c, **o: c.crdbs.create({}, **o), "/v1/crdbs", "crdb:"),
    "flush_crdb": Work(lambda c, **o: c.crdbs.flush("g", **o), "/v1/crdbs/g/flush", "crdb:"),
    "export": Work(lambda c, **o: c.databases.export(1, URL, **o), EXPORT, "export:1@idle,"),
    "import": Work(lambda c, **o: c.databases.import_(1, [URL], **o), IMPORT, "import:1@idle,"),
}
# Work that cannot, with the reference that `AnswerLost` has instead.
UNRECOVERABLE = {
    "create_bdb": Work(
        lambda c, **o: c.databases.create({"name": "x", "memory_size": 1}, **o), "/v1/bdbs", ""
    ),
    "update_bdb": Work(
        lambda c, **o: c.databases.update(1, {"memory_size": 5}, **o), "/v1/bdbs/1", "bdb:1@after"
    ),
    "delete_bdb": Work(lambda c, **o: c.databases.delete(1, **o), "/v1/bdbs/1", "bdb:1@gone,after"),
    "upgrade_bdb": Work(
        lambda c, **o: c.databases.upgrade(1, **o), "/v1/bdbs/1/upgrade", "bdb:1@after"
    ),
    "rebalance": Work(
        lambda c, **o: c.databases.rebalance(1, **o), "/v1/bdbs/1/actions/rebalance", "bdb:1@after"
    ),
    "migrate": Work(lambda c, **o: c.shards.migrate([1], 1, **o), "/v1/shards", ""),
    "purge_crdb": Work(
        lambda c, **o: c.submit("PUT", "/v1/crdbs/g/purge", **o), "/v1/crdbs/g/purge", ""
    ),
    "cancel": Work(
        lambda c, **o: c.submit("DELETE", MAINTENANCE_ON, **o),
        MAINTENANCE_ON,
        "node:1/maintenance_on",
    ),
}
ALL = RECOVERABLE | UNRECOVERABLE
# Calls that are sent again after a 503, and those that are not.
REPEATABLE = (
    *("change_primary", "create_crdb", "export"),
    *("update_bdb", "delete_bdb", "upgrade_bdb", "rebalance"),
)
UNREPEATABLE = sorted(ALL.keys() - set(REPEATABLE))
ONCE = {
    "maintenance_off": Work(
        lambda c, **o: c.nodes.maintenance_off(1, **o), MAINTENANCE_OFF, "node:1/maintenance_off"
    ),
    "remove": Work(
        lambda c, **o: c.nodes.remove(1, **o), "/v1/nodes/1/actions/remove", "node:1/remove"
    ),
    "flush_bdb": Work(
        lambda c, **o: c.submit("PUT", "/v1/bdbs/1/flush", **o), "/v1/bdbs/1/flush", "bdb:1@after"
    ),
    "create_user": Work(lambda c, **o: c.submit("POST", "/v1/users", {}, **o), "/v1/users", ""),
    "unknown": Work(lambda c, **o: c.submit("PUT", "/v1/x/1", **o), "/v1/x", ""),
}


class Begun(NamedTuple):
    """Work that a call began although it was answered with 503."""

    start: Callable[[FakeCluster], object]
    ref: str  # beginning of the reference to follow


BEGUN = {
    "change_primary": Begun(
        lambda cluster: cluster.start_cluster_action("change_master", node_uid=1),
        "cluster:change_master@",
    ),
    "maintenance_on": Begun(
        lambda cluster: cluster.start_node_action(1, "maintenance_on", task_id="t1"),
        "node:1/maintenance_on@t1",
    ),
    "export": Begun(lambda cluster: cluster.start_transfer(1, "export", Plan()), "export:1@idle,"),
    "import": Begun(lambda cluster: cluster.start_transfer(1, "import", Plan()), "import:1@idle,"),
    "create_crdb": Begun(lambda cluster: cluster.start_crdb_task(guid="g", id="mine"), "crdb:mine"),
    "flush_crdb": Begun(lambda cluster: cluster.start_crdb_task(guid="g", id="mine"), "crdb:mine"),
    **{
        kind: Begun(
            lambda cluster, kind=kind: cluster.add_action(uid=f"a-{kind}"),  # type: ignore[misc]
            f"action:a-{kind}",
        )
        for kind in ("update_bdb", "rebalance")
    },
    "upgrade_bdb": Begun(lambda cluster: cluster.add_action("SMUpgradeBDB", uid="a1"), "action:a1"),
    "delete_bdb": Begun(
        lambda cluster: cluster.add_action("SMDeleteBDB", uid="a1"), "action:a1@bdb:1"
    ),
}


def looks_between(
    cluster: FakeCluster, first: SeenRequest, last: SeenRequest | None
) -> list[SeenRequest]:
    """Return the GETs between two requests, or after one."""
    seen = cluster.requests
    end = None if last is None else seen.index(last)
    return [each for each in seen[seen.index(first) : end] if each.method == "GET"]


@pytest.fixture
async def populated(cluster: FakeCluster) -> FakeCluster:
    """Return a cluster with a database and an Active-Active database."""
    cluster.add_bdb(1)
    cluster.add_crdb("g")
    return cluster


def inject(cluster: FakeCluster, work: Work, **fault: Any) -> None:  # noqa: ANN401 - a fault's
    """Inject a fault into the call that starts some work, and into no other request."""
    for method in ("POST", "PUT", "DELETE"):
        cluster.inject(path=work.path, method=method, **fault)


def requests_of(cluster: FakeCluster, work: Work) -> list[SeenRequest]:
    """Return the requests that start some work."""
    return [
        seen
        for seen in cluster.requests
        if seen.method != "GET" and seen.path.startswith(work.path) and "reset" not in seen.path
    ]


async def answer_lost(call: Any) -> AnswerLost:  # noqa: ANN401 - what a call returns
    """Return the `AnswerLost` that a call raises."""
    with pytest.raises(AnswerLost) as caught:
        await call
    return caught.value


@pytest.mark.enable_socket
class TestLostAnswers:
    """A request whose answer is lost is not sent again; the client looks for the work."""

    @pytest.mark.parametrize("fault", ["lose", "truncate"])
    @pytest.mark.parametrize("kind", RECOVERABLE)
    async def test_started(
        self, populated: FakeCluster, client: ActionsClient, kind: str, fault: str
    ) -> None:
        """Work that was started is found and followed."""
        work = RECOVERABLE[kind]
        populated.plan("POST", "/", Plan(duration=60), times=None)
        populated.inject(method="PUT" if kind == "flush_crdb" else "POST", **{fault: True})
        operation = await work.start(client)

        assert operation.ref.startswith(work.ref)
        assert not operation.done
        assert operation.answer is None or fault == "truncate"
        assert (await operation).phase is Phase.COMPLETED
        assert len(requests_of(populated, work)) == 1

    @pytest.mark.parametrize("kind", RECOVERABLE)
    async def test_not_started(
        self, populated: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """If nothing was started, the error refers to no work, and the call may be made again."""
        work = RECOVERABLE[kind]
        populated.inject(method="PUT" if kind == "flush_crdb" else "POST", drop=True)
        error = await answer_lost(work.start(client))

        assert error.ref is not None
        assert error.ref.startswith(work.ref)
        assert len(requests_of(populated, work)) == 1
        with pytest.raises(ActionNotFound):
            await client.operation(error.ref)
        assert (await (await work.start(client))).phase is Phase.COMPLETED

    @pytest.mark.parametrize("kind", RECOVERABLE)
    async def test_started_and_unobservable(
        self, populated: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """If the cluster does not answer, the error refers to the work, which is found later."""
        work = RECOVERABLE[kind]
        method = "PUT" if kind == "flush_crdb" else "POST"
        populated.plan(method, "/", Plan(duration=300))
        populated.inject(method=method, lose=True, delay=1)
        submission = asyncio.create_task(work.start(client))
        await asyncio.sleep(0.5)
        populated.inject(method="GET", status=503, times=None)
        error = await answer_lost(submission)
        populated.heal()
        action = await client.operation(error.ref or "")

        assert action.phase is Phase.COMPLETED
        assert len(requests_of(populated, work)) == 1

    @pytest.mark.parametrize("kind", [kind for kind in RECOVERABLE if "crdb" not in kind])
    @pytest.mark.parametrize("taken", [True, False])
    async def test_after_older_run(
        self, populated: FakeCluster, client: ActionsClient, kind: str, *, taken: bool
    ) -> None:
        """The result of an older run is never taken for that of the call."""
        work = RECOVERABLE[kind]
        populated.plan("POST", work.path, Plan(duration=5))
        populated.plan("POST", work.path, Plan(duration=60, outcome="failed", error="disk full"))
        await (await work.start(client))
        populated.inject(path=work.path, method="POST", lose=taken, drop=not taken)

        if taken:
            with pytest.raises(ActionFailed, match="disk full"):
                await (await work.start(client))
        else:
            error = await answer_lost(work.start(client))
            with pytest.raises(ActionNotFound):
                await client.operation(error.ref or "")
        assert len(requests_of(populated, work)) == 2

    @pytest.mark.parametrize("fault", ["lose", "drop", "truncate"])
    @pytest.mark.parametrize("kind", UNRECOVERABLE)
    async def test_not_observable(
        self, populated: FakeCluster, client: ActionsClient, kind: str, fault: str
    ) -> None:
        """Work that cannot be observed is reported as lost at once, with a reference to look at."""
        work = UNRECOVERABLE[kind]
        ref = work.ref or None
        if kind == "cancel":
            ref += f"@{populated.start_node_action(1, 'maintenance_on', Plan(duration=600))}"
        inject(populated, work, **{fault: True})
        began = loop_time()
        error = await answer_lost(work.start(client))

        assert error.ref == (ref and ref.replace("bdb:1@after", "bdb:1@lost"))
        assert len(requests_of(populated, work)) == 1
        assert loop_time() - began < 1

    async def test_database_followed(self, populated: FakeCluster, client: ActionsClient) -> None:
        """The database in the reference settles, or goes, as the call requires."""
        for kind, status in (("update_bdb", "active"), ("delete_bdb", "gone")):
            populated.inject(method="PUT" if kind == "update_bdb" else "DELETE", lose=True)
            error = await answer_lost(UNRECOVERABLE[kind].start(client))
            action = await client.operation(error.ref or "")

            assert action.phase is Phase.COMPLETED, status
        assert list(populated.bdbs) == []

    async def test_unreadable(self, populated: FakeCluster) -> None:
        """An answer that is not JSON is a lost one. Nothing of it is shown."""
        async with (
            RecordingServer(PUT=[(200, f'{{"pass": "{SECRET}"')]) as server,
            server.client() as c,
        ):
            error = await answer_lost(c.databases.update(1, {}))

        assert str(error) == (
            "PUT /v1/bdbs/1: no usable answer from the cluster: the answer cannot be decoded "
            "(1 attempt). The cluster may have executed it; to find out, run: redis-actions "
            "list --bdb 1"
        )
        assert len(server.changes) == 1

    async def test_part_of_database(self) -> None:
        """If a part of a database was deleted, the reference is to the settled database."""
        async with RecordingServer(DELETE=[(200, "<html>")]) as server, server.client() as client:
            error = await answer_lost(client.submit("DELETE", "/v1/bdbs/1/part"))

        assert error.ref == "bdb:1@lost"

    async def test_unreadable_with_path(self) -> None:
        """If the path names the work, no answer is needed, but the work may not have begun."""
        async with RecordingServer(POST=[(200, "<html>")]) as server, server.client() as client:
            operation = await client.nodes.maintenance_on(1)

        assert (operation.ref, operation.answer) == ("node:1/maintenance_on@lost", None)

    async def test_page_of_another_server(
        self, populated: FakeCluster, client: ActionsClient
    ) -> None:
        """A login page as the answer does not make the result of the last run that of the call."""
        populated.start_cluster_action("change_master", Plan(duration=0), node_uid=1)
        await asyncio.sleep(10)
        populated.inject(method="POST", path=CHANGE_MASTER, status=200, body="<html>log in</html>")

        with pytest.raises(ActionNotFound):
            await (await client.cluster.change_primary(2))

    @pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}], ids=str)
    async def test_id_of_an_ended_task(
        self, populated: FakeCluster, client: ActionsClient, fault: dict[str, Any]
    ) -> None:
        """A task that ended before the call is not taken for the one that the call starts."""
        await (await client.crdbs.flush("g", task_id="nightly"))
        populated.inject(method="PUT", **fault)

        assert (await answer_lost(client.crdbs.flush("g", task_id="nightly"))).ref is None
        assert len([each for each in populated.requests if each.method == "PUT"]) == 2

    async def test_id_of_a_running_task(
        self, populated: FakeCluster, client: ActionsClient
    ) -> None:
        """A call with the id of a task that goes on is followed by that task."""
        populated.start_crdb_task(guid="g", id="nightly", plan=Plan(duration=60))
        populated.inject(method="PUT", drop=True)

        operation = await client.crdbs.flush("g", task_id="nightly")
        assert (await operation).phase is Phase.COMPLETED

    async def test_dry_run(self, populated: FakeCluster, client: ActionsClient) -> None:
        """A lost dry run has started nothing, so the error has no reference."""
        populated.inject(method="PUT", lose=True)
        error = await answer_lost(client.databases.update(1, {}, params={"dry_run": True}))

        assert error.ref is None
        assert len(populated.requests) == 1

    async def test_dry_run_of_a_crdb(self, populated: FakeCluster, client: ActionsClient) -> None:
        """A lost dry run of an Active-Active database is a task with the id that was sent."""
        populated.inject(method="POST", lose=True)
        populated.inject(method="GET", path="/v1/crdb_tasks", status=403, times=2)
        error = await answer_lost(
            client.crdbs.create({"name": "x"}, task_id="t", params={"dry_run": True})
        )

        assert error.ref == "crdb:t"
        assert (await client.operation(error.ref)).status == "finished"

    async def test_message(self, populated: FakeCluster, client: ActionsClient) -> None:
        """The error has its facts in the message and as attributes, and pickles."""
        populated.start_node_action(1, "maintenance_on", Plan(duration=0), task_id="t0")
        populated.inject(
            path=MAINTENANCE_ON, method="POST", status=502, body='{"error_code": "bad_gateway"}'
        )
        error = await answer_lost(client.nodes.maintenance_on(1))
        twin = pickle.loads(pickle.dumps(error))

        assert (
            str(error)
            == str(twin)
            == (
                f"POST {MAINTENANCE_ON}: no usable answer from the cluster: it answered 502: "
                f"bad_gateway (1 attempt at {populated.url}). "
                "The cluster may have executed it; follow "
                "node:1/maintenance_on@lost,completed,t0 to find out, or run: "
                "redis-actions list --node 1"
            )
        )
        assert (error.status, error.error_code, error.ref) == (
            502,
            "bad_gateway",
            "node:1/maintenance_on@lost,completed,t0",
        )
        assert isinstance(error, ClusterUnreachable)
        assert not error.transient

    async def test_polls(self, populated: FakeCluster, client: ActionsClient) -> None:
        """The client looks for lost work five times, a second apart, as it may appear late."""
        populated.inject(path=MAINTENANCE_ON, method="POST", drop=True)
        submission = asyncio.create_task(client.nodes.maintenance_on(1))
        await asyncio.sleep(2.5)
        populated.start_node_action(1, "maintenance_on", task_id="late")
        operation = await submission

        assert operation.ref == "node:1/maintenance_on@late"
        times = [seen.time for seen in populated.requests if seen.method == "GET"][1:]
        assert [round(b - a) for a, b in itertools.pairwise(times)] == [1, 1, 1]

    async def test_own_id(self, populated: FakeCluster, client: ActionsClient) -> None:
        """A task with an id of the caller's choice is found by that id."""
        populated.inject(method="POST", lose=True)
        operation = await client.crdbs.create({"name": "x"}, task_id="mine")

        assert operation.ref == "crdb:mine"
        assert list(populated.crdb_tasks) == ["mine"]

    async def test_purge_with_id(self, populated: FakeCluster, client: ActionsClient) -> None:
        """The cluster ignores the id of a purge, so a purge is not sent again."""
        populated.inject(method="PUT", status=503)
        error = await answer_lost(
            client.submit("PUT", "/v1/crdbs/g/purge", headers={"X-Task-ID": "mine"})
        )

        assert error.ref is None
        assert len(populated.requests) == 1


@pytest.mark.enable_socket
class TestRefused:
    """Requests that are answered with 429 or 503, or that reach no node."""

    @pytest.mark.parametrize("kind", ALL)
    async def test_not_taken(
        self, populated: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """A 429 says that nothing was taken: any call is sent again, without a look."""
        work = ALL[kind]
        if kind == "cancel":
            populated.start_node_action(1, "maintenance_on", Plan(duration=600))
        inject(populated, work, times=2, status=429)
        await work.start(client)

        calls = [seen for seen in populated.requests if seen in requests_of(populated, work)]
        assert [seen.status for seen in calls] == [429, 429, 200]
        first, last = (populated.requests.index(calls[at]) for at in (0, -1))
        assert {seen.method for seen in populated.requests[first:last]} == {calls[0].method}

    @pytest.mark.parametrize("kind", ALL)
    async def test_never_taken(
        self, populated: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """A call that is answered 429 for `outage_timeout` was not executed: nothing is lost."""
        inject(populated, ALL[kind], times=None, status=429)
        began = loop_time()
        with pytest.raises(ClusterUnreachable) as caught:
            await ALL[kind].start(client, outage_timeout=40)

        assert type(caught.value) is ClusterUnreachable
        assert (caught.value.status, loop_time() - began <= 40) == (429, True)
        assert caught.value.attempts == len(requests_of(populated, ALL[kind])) > 4

    @pytest.mark.parametrize("kind", REPEATABLE)
    async def test_repeated(self, populated: FakeCluster, client: ActionsClient, kind: str) -> None:
        """After a 503 without new work at two looks, 3 s apart, the call is sent again."""
        work = ALL[kind]
        inject(populated, work, times=2, status=503)
        operation = await work.start(client)
        calls = requests_of(populated, work)

        assert [seen.status for seen in calls] == [503, 503, 200]
        for before, after in itertools.pairwise(calls):
            looks = looks_between(populated, before, after)
            assert looks[-1].time - looks[0].time >= 2.999
        assert (await operation).phase is Phase.COMPLETED

    @pytest.mark.parametrize("path", ["/v1/actions", "/v2/actions"])
    async def test_not_repeated_without_both_lists(
        self, populated: FakeCluster, client: ActionsClient, path: str
    ) -> None:
        """If one of the lists of actions cannot be read, nothing shows that no work has begun."""
        populated.inject(method="POST", status=503)
        populated.inject(method="GET", path=path, status=200, body="<html>", times=None)
        await answer_lost(client.databases.upgrade(1, outage_timeout=20))

        assert [seen.method for seen in populated.requests].count("POST") == 1

    @pytest.mark.parametrize("kind", [*ONCE, *UNREPEATABLE])
    async def test_not_repeated(
        self, populated: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """A call that does harm a second time, or cannot be looked at, is sent once.

        The error has a command that shows what came of the call.
        """
        work = (ONCE | ALL)[kind]
        inject(populated, work, status=503)
        error = await answer_lost(work.start(client))

        ref, expected = ((each or "").partition("@")[0] for each in (error.ref, work.ref))
        assert error.status == 503
        assert ref == expected or (expected == "crdb:" and ref.startswith(expected))
        assert len(requests_of(populated, work)) == 1
        assert str(error).endswith(f"run: {error.command}")
        assert error.command.startswith("redis-actions ")

    @pytest.mark.parametrize("kind", ["maintenance_on", "remove", "import"])
    async def test_looked_at(
        self, populated: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """A call that is not repeated is looked at twice, too, and followed if it has begun."""
        work = (ONCE | ALL)[kind]
        inject(populated, work, status=503, times=2)
        await answer_lost(work.start(client))
        call = requests_of(populated, work)[0]
        looks = looks_between(populated, call, None)
        assert looks[-1].time - looks[0].time == pytest.approx(3, abs=0.1)

        submission = asyncio.create_task(work.start(client))
        await asyncio.sleep(1)
        populated.heal()
        if kind == "import":
            populated.start_transfer(1, "import", Plan(duration=60))
        else:
            populated.start_node_action(1, kind, Plan(duration=60), task_id="t1")
        operation = await submission
        ref = "import:1@idle," if kind == "import" else f"node:1/{kind}@t1"
        assert operation.ref.startswith(ref)
        assert len(requests_of(populated, work)) == 2

    @pytest.mark.parametrize("status", [408, 500, 502, 504])
    @pytest.mark.parametrize("kind", RECOVERABLE)
    async def test_other_answers(
        self, populated: FakeCluster, client: ActionsClient, kind: str, status: int
    ) -> None:
        """After an answer that does not end the request on the server, it is not sent again."""
        work = RECOVERABLE[kind]
        method = "PUT" if kind == "flush_crdb" else "POST"
        populated.inject(path=work.path, method=method, status=status)
        error = await answer_lost(work.start(client))

        assert error.status == status
        assert [seen.status for seen in requests_of(populated, work)] == [status]

    async def test_work_of_others(self, populated: FakeCluster, client: ActionsClient) -> None:
        """A deletion does not end with what another call has begun: the database is still there."""
        populated.inject(method="DELETE", status=503, delay=1)
        submission = asyncio.create_task(client.databases.delete(1, busy_timeout=300))
        await asyncio.sleep(0.5)
        update = populated.add_action(plan=Plan(duration=60))
        operation = await submission

        assert update not in str(operation.ref)
        await operation
        deletes = [each.status for each in populated.requests if each.method == "DELETE"]
        assert deletes == [503, *[409] * (len(deletes) - 2), 200]

    @pytest.mark.parametrize("late", [0, 1.5], ids=["first look", "second look"])
    @pytest.mark.parametrize("kind", BEGUN)
    async def test_begun(
        self, populated: FakeCluster, client: ActionsClient, kind: str, late: float
    ) -> None:
        """Work that a look shows, the first or the second, is followed, and nothing sent again."""
        work, begun = ALL[kind], BEGUN[kind]
        inject(populated, work, status=503, delay=1)
        options = {"task_id": "mine"} if "crdb" in kind else {}
        submission = asyncio.create_task(work.start(client, **options))
        await asyncio.sleep(0.5 + late)
        begun.start(populated)
        operation = await submission

        assert operation.ref.startswith(begun.ref)
        assert len(requests_of(populated, work)) == 1
        assert (await operation).phase is Phase.COMPLETED

    @pytest.mark.parametrize("kind", [kind for kind in REPEATABLE if "bdb" in kind])
    async def test_other_work(
        self, populated: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """Work that was under way on the database before the call is not taken for the call's."""
        populated.plan("POST", "/v1/bdbs/1/upgrade", Plan(duration=60))
        other = await client.databases.upgrade(1)
        work = ALL[kind]
        inject(populated, work, status=503)
        with pytest.raises(RequestRejected) as caught:
            await work.start(client)

        assert caught.value.status == 409
        assert [seen.status for seen in requests_of(populated, work)][-2:] == [503, 409]
        assert (await other).phase is Phase.COMPLETED

    async def test_dry_run(self, populated: FakeCluster, client: ActionsClient) -> None:
        """A dry run that is answered with 503 is sent again, without a look."""
        populated.inject(method="PUT", status=503, times=2)
        operation = await client.databases.update(1, {}, params={"dry_run": True})

        assert operation.done
        assert [seen.status for seen in populated.requests] == [503, 503, 200]

    async def test_look_in_an_outage(self, populated: FakeCluster, client: ActionsClient) -> None:
        """A look is repeated until the cluster answers it, within `outage_timeout`."""
        populated.inject(path="/v1/bdbs/1/upgrade", status=503, delay=1)
        submission = asyncio.create_task(client.databases.upgrade(1, outage_timeout=100))
        await asyncio.sleep(0.5)
        populated.inject(method="GET", status=503, times=8)
        await submission

        statuses = [seen.status for seen in requests_of(populated, ALL["upgrade_bdb"])]
        assert statuses == [503, 200]

    async def test_outage_without_look(self, populated: FakeCluster, client: ActionsClient) -> None:
        """If no look is answered within `outage_timeout`, the call counts as lost."""
        populated.inject(path="/v1/bdbs/1/upgrade", status=503, delay=1)
        began = loop_time()
        submission = asyncio.create_task(client.databases.upgrade(1, outage_timeout=50))
        await asyncio.sleep(0.5)
        populated.inject(method="GET", status=503, times=None)
        error = await answer_lost(submission)

        assert error.ref == "bdb:1@lost"
        assert loop_time() - began <= 50

    @pytest.mark.parametrize("answer", [(403, ""), (400, ""), (404, "<html>")])
    async def test_unobservable(self, answer: tuple[int, str]) -> None:
        """If the user may not read the state, the request is not sent again."""
        async with (
            RecordingServer(GET=[NOT_FOUND, answer], POST=[(503, "")]) as server,
            server.client() as client,
        ):
            error = await answer_lost(client.nodes.maintenance_on(1))

        assert error.ref == "node:1/maintenance_on@lost"
        assert len(server.changes) == 1

    async def test_unknown_before(self, populated: FakeCluster, client: ActionsClient) -> None:
        """If the user could not read the database before the call, the call is not sent again."""
        populated.inject(method="GET", status=403)
        populated.inject(method="PUT", status=503)
        error = await answer_lost(client.databases.update(1, {"memory_size": 5}))

        assert error.ref == "bdb:1@lost-busy"
        assert [seen.method for seen in populated.requests] == ["GET", "PUT"]

    @pytest.mark.parametrize(("options", "limit"), [({}, 300), ({"outage_timeout": 40}, 40)])
    async def test_for_how_long(
        self, populated: FakeCluster, client: ActionsClient, options: dict[str, Any], limit: float
    ) -> None:
        """The client retries for `outage_timeout`, and the error has the number of attempts."""
        populated.inject(path=CHANGE_MASTER, method="POST", status=503, times=None)
        began = loop_time()
        error = await answer_lost(client.cluster.change_primary(1, **options))

        assert limit - 3 < loop_time() - began <= limit + 0.1
        assert error.attempts == len(requests_of(populated, RECOVERABLE["change_primary"])) > 3
        with pytest.raises(ActionNotFound):
            await client.operation(error.ref or "")

    async def test_once(self, populated: FakeCluster, client: ActionsClient) -> None:
        """With `outage_timeout=0` there is one attempt, and one look."""
        populated.inject(path=CHANGE_MASTER, method="POST", status=503, times=None)
        error = await answer_lost(client.cluster.change_primary(1, outage_timeout=0))

        assert error.attempts == len(requests_of(populated, RECOVERABLE["change_primary"])) == 1
        assert [seen.method for seen in populated.requests] == ["GET", "POST", "GET"]

    @pytest.mark.parametrize("kind", ["change_primary", "upgrade_bdb", "export", "create_crdb"])
    @pytest.mark.parametrize(
        ("status", "asked", "pause"), [(429, 7, 7), (503, 7, 7), (503, 1, 3), (429, 1, 1)]
    )
    async def test_retry_after(
        self,
        populated: FakeCluster,
        client: ActionsClient,
        kind: str,
        status: int,
        asked: float,
        pause: float,
    ) -> None:
        """The client retries after `Retry-After`; the second look, after a 503, is not before it.

        The looks are at least 3 s apart.
        """
        work = ALL[kind]
        inject(populated, work, status=status, retry_after=asked)
        await work.start(client)
        first, second = requests_of(populated, work)
        looks = looks_between(populated, first, second)

        assert second.time - first.time == pytest.approx(pause, abs=0.1)
        assert [seen.time - first.time for seen in looks][-1:] == (
            [] if status == 429 else [pytest.approx(pause, abs=0.1)]
        )

    @pytest.mark.parametrize("status", [429, 503])
    async def test_retry_after_the_budget(
        self, populated: FakeCluster, client: ActionsClient, status: int
    ) -> None:
        """A `Retry-After` beyond `outage_timeout` ends the call at once."""
        populated.inject(path=CHANGE_MASTER, method="POST", status=status, retry_after=60)
        began = loop_time()
        with pytest.raises(ClusterUnreachable) as caught:
            await client.cluster.change_primary(1, outage_timeout=50)

        assert type(caught.value) is (ClusterUnreachable if status == 429 else AnswerLost)
        assert loop_time() - began < 1

    @pytest.mark.parametrize("kind", ALL)
    async def test_unreachable_for_a_while(self, kind: str) -> None:
        """A request that reaches no node is retried until one answers, and is executed once."""
        async with FakeCluster() as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.add_crdb("g")
            cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
            await client.list_actions()
            await cluster.stop_node(1)
            submission = asyncio.create_task(ALL[kind].start(client, outage_timeout=60))
            await asyncio.sleep(4)
            await cluster.start_node(1)
            await submission

            assert [seen.status for seen in requests_of(cluster, ALL[kind])] == [200]

    @pytest.mark.parametrize("kind", ALL)
    async def test_unreachable_for_good(self, kind: str) -> None:
        """A request that reaches no node within `outage_timeout` is an outage: nothing is lost."""
        async with FakeCluster() as cluster, client_of(cluster) as client:
            await cluster.stop_node(1)
            began = loop_time()
            with pytest.raises(ClusterUnreachable) as caught:
                await ALL[kind].start(client, outage_timeout=5)

            assert type(caught.value) is ClusterUnreachable
            assert caught.value.attempts > 3
            assert loop_time() - began <= 5
            assert cluster.requests == []

    @pytest.mark.parametrize("kind", ALL)
    async def test_next_node(self, kind: str) -> None:
        """If a node is down the client tries the next one at once. The request is executed once."""
        async with FakeCluster(nodes=2) as cluster:
            cluster.add_bdb(1)
            cluster.add_crdb("g")
            cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
            await cluster.stop_node(1)
            async with ActionsClient(
                cluster.urls, username=cluster.username, password=cluster.password
            ) as client:
                if kind == "change_primary":
                    await client.cluster.change_primary(2)
                else:
                    await ALL[kind].start(client)

            assert [seen.status for seen in requests_of(cluster, ALL[kind])] == [200]

    @pytest.mark.parametrize("kind", ALL)
    async def test_redirected(self, kind: str) -> None:
        """A node that redirects has not executed the request: the primary does."""
        async with FakeCluster(nodes=2) as cluster:
            cluster.add_bdb(1)
            cluster.add_crdb("g")
            cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
            cluster.primary = 2
            async with ActionsClient(
                cluster.urls, username=cluster.username, password=cluster.password
            ) as client:
                await ALL[kind].start(client)

            taken = [seen.node for seen in requests_of(cluster, ALL[kind]) if seen.status == 200]
            assert taken == [2]


class Wrong(NamedTuple):
    """URL that looks wrong, and the advice about it."""

    url: str
    advice: str


WRONG = {
    "refused": Wrong("http://127.0.0.1:1", "port"),
    "name": Wrong("http://no-such-host.invalid:9443", "name"),
    "plain": Wrong("https://{plain}", "http://"),
    "404": Wrong("http://{other}", "REST API"),
}


@pytest.mark.enable_socket
class TestNeverReached:
    """Calls to a cluster that has never answered."""

    @pytest.fixture(params=WRONG)
    async def wrong(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncGenerator[Wrong]:
        """Return a URL that looks wrong."""
        known = socket.getaddrinfo

        def look_up(host: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the original
            if host == "no-such-host.invalid":
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return known(host, *args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        foreign = (404, "<html>no such page</html>")
        answers = {method: [foreign] for method in ("GET", "POST", "PUT")}
        wrong = WRONG[request.param]
        async with RecordingServer(**answers) as other, FakeCluster() as plain:
            where = {"other": other.url.partition("//")[2], "plain": plain.url.partition("//")[2]}
            yield wrong._replace(url=wrong.url.format(**where))

    @pytest.mark.parametrize("kind", ["create_bdb", "update_bdb", "maintenance_on", "create_crdb"])
    async def test_by_default(self, wrong: Wrong, kind: str) -> None:
        """The call ends after ten seconds, with advice, and counts as not executed."""
        began = loop_time()
        async with ActionsClient(wrong.url, username="u", password="p", verify=False) as client:
            with pytest.raises(ClusterUnreachable, match=wrong.advice) as caught:
                await ALL[kind].start(client)

        assert type(caught.value) is ClusterUnreachable
        assert 9.9 < loop_time() - began < 11
        assert caught.value.advice in str(caught.value)

    @pytest.mark.parametrize("kind", ["create_bdb", "update_bdb"])
    async def test_with_limit(
        self, wrong: Wrong, kind: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With `outage_timeout`, whatever its value, there is one warning after ten seconds."""
        began = loop_time()
        async with ActionsClient(wrong.url, username="u", password="p", verify=False) as client:
            with pytest.raises(RequestError) as caught:
                await ALL[kind].start(client, outage_timeout=300)

        warnings = [text for text in caplog.messages if "has not been reached yet" in text]
        assert len(warnings) == 1
        assert wrong.advice in warnings[0]
        assert loop_time() - began > 280
        assert not isinstance(caught.value, AnswerLost)

    async def test_late(self) -> None:
        """A cluster that answers within ten seconds is not reported."""
        async with FakeCluster() as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            await cluster.stop_node(1)
            submission = asyncio.create_task(client.databases.upgrade(1))
            await asyncio.sleep(7)
            await cluster.start_node(1)
            assert (await submission).ref.startswith("action:")

    async def test_known(self) -> None:
        """A cluster that has answered once has the whole five minutes."""
        async with FakeCluster() as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            await client.list_actions()
            await cluster.stop_node(1)
            began = loop_time()
            with pytest.raises(ClusterUnreachable):
                await client.databases.upgrade(1)

            assert 280 < loop_time() - began <= 300

    async def test_404_of_a_known_cluster(self) -> None:
        """A 404 of another server than the API ends a call at once if the API has answered."""
        answers = {"GET": [(200, "[]")], "POST": [(404, "<html>")]}
        async with RecordingServer(**answers) as server, server.client() as client:
            await client.crdbs.tasks()
            with pytest.raises(RequestRejected) as caught:
                await client.databases.create({})

        assert caught.value.status == 404
        assert len(server.changes) == 1


class TestBusy:
    """Requests that are answered with 409."""

    @pytest.mark.parametrize("kind", ALL)
    async def test_not_retried_by_default(
        self, populated: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """Without `busy_timeout` a 409 is an error with the cluster's description."""
        body = '{"error_code": "busy", "description": "the database is busy"}'
        populated.inject(path=ALL[kind].path, method="POST", status=409, body=body)
        populated.inject(path=ALL[kind].path, method="PUT", status=409, body=body)
        populated.inject(path=ALL[kind].path, method="DELETE", status=409, body=body)
        with pytest.raises(RequestRejected, match="409: busy: the database is busy") as caught:
            await ALL[kind].start(client)

        assert (caught.value.status, caught.value.error_code) == (409, "busy")
        assert len(requests_of(populated, ALL[kind])) == 1

    @pytest.mark.parametrize(
        ("kind", "busy"),
        [
            ("update_bdb", "upgrade_bdb"),
            ("upgrade_bdb", "update_bdb"),
            ("delete_bdb", "update_bdb"),
            ("rebalance", "update_bdb"),
            ("migrate", "update_bdb"),
            ("export", "update_bdb"),
            ("import", "import"),
            ("maintenance_on", "maintenance_on"),
            ("change_primary", "change_primary"),
        ],
    )
    async def test_started_in_the_end(
        self, populated: FakeCluster, client: ActionsClient, kind: str, busy: str
    ) -> None:
        """With `busy_timeout` the work starts, and is followed, when the work in the way ends."""
        populated.plan("POST", "/", Plan(duration=60))
        populated.plan("PUT", "/v1/bdbs/1", Plan(duration=60))
        began = loop_time()
        await ALL[busy].start(client)
        operation = await ALL[kind].start(client, busy_timeout=600)

        assert 60 <= loop_time() - began <= 80
        calls = [seen for seen in populated.requests if seen.method != "GET"][1:]
        statuses = [seen.status for seen in calls if "reset" not in seen.path]
        assert statuses == [409] * (len(statuses) - 1) + [200]
        assert len(statuses) > 5
        assert kind != "import" or operation.ref.startswith("import:1@idle,")
        assert (await operation).phase is Phase.COMPLETED
        assert loop_time() - began >= 69

    @pytest.mark.parametrize("kind", ["update_bdb", "maintenance_on", "export"])
    async def test_too_long(self, populated: FakeCluster, client: ActionsClient, kind: str) -> None:
        """At the end of `busy_timeout` there is one more attempt, whose answer is final."""
        populated.inject(path=ALL[kind].path, method="POST", status=409, times=None)
        populated.inject(path=ALL[kind].path, method="PUT", status=409, times=None)
        began = loop_time()
        with pytest.raises(RequestRejected) as caught:
            await ALL[kind].start(client, busy_timeout=timedelta(seconds=45))

        tries = requests_of(populated, ALL[kind])
        assert caught.value.status == 409
        assert tries[-1].time - began == pytest.approx(45, abs=0.1)
        assert 8 <= len(tries) <= 60

    async def test_without_limit(self, populated: FakeCluster, client: ActionsClient) -> None:
        """With `busy_timeout=None` the client retries without limit."""
        populated.inject(path="/v1/bdbs/1", method="PUT", status=409, times=300)
        operation = await client.databases.update(1, {"memory_size": 5}, busy_timeout=None)

        assert operation.ref is not None
        assert len(requests_of(populated, ALL["update_bdb"])) == 301

    async def test_retry_after(self, populated: FakeCluster, client: ActionsClient) -> None:
        """The client retries after `Retry-After`."""
        populated.inject(path="/v1/bdbs/1", method="PUT", status=409, retry_after=17)
        await client.databases.update(1, {"memory_size": 5}, busy_timeout=60)
        first, second = requests_of(populated, ALL["update_bdb"])

        assert second.time - first.time == pytest.approx(17, abs=0.1)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 422, 501])
    @pytest.mark.parametrize("kind", ["update_bdb", "maintenance_on", "flush_crdb"])
    async def test_rejected(
        self, populated: FakeCluster, client: ActionsClient, kind: str, status: int
    ) -> None:
        """Any other error status is final."""
        body = '{"error_code": "no", "description": "not today"}'
        method = "POST" if kind == "maintenance_on" else "PUT"
        populated.inject(path=ALL[kind].path, method=method, status=status, body=body)
        with pytest.raises(RequestRejected, match=f"{status}: no: not today") as caught:
            await ALL[kind].start(client, busy_timeout=600)

        assert caught.value.status == status
        assert isinstance(caught.value, AuthenticationError) is (status in {401, 403})
        assert len(requests_of(populated, ALL[kind])) == 1

    async def test_problem(self, client: ActionsClient) -> None:
        """The description in the errors of Active-Active calls is read."""
        with pytest.raises(RequestRejected, match="404: CRDB nowhere does not exist"):
            await client.crdbs.flush("nowhere")


class TestStateBefore:
    """State that is read before a request, which distinguishes its work from older work."""

    @pytest.mark.parametrize(
        ("kind", "paths"),
        [
            ("maintenance_on", [f"GET {MAINTENANCE_ON}", f"POST {MAINTENANCE_ON}"]),
            ("change_primary", [f"GET {CHANGE_MASTER}", f"POST {CHANGE_MASTER}"]),
            ("export", ["GET /v1/bdbs/1", f"POST {EXPORT}"]),
            ("import", ["GET /v1/bdbs/1", f"POST {IMPORT}"]),
            ("create_crdb", ["POST /v1/crdbs"]),
            ("create_bdb", ["POST /v1/bdbs"]),
            ("update_bdb", ["GET /v1/bdbs/1", "PUT /v1/bdbs/1"]),
            ("migrate", ["POST /v1/shards/actions/migrate"]),
        ],
    )
    async def test_cost(
        self, populated: FakeCluster, client: ActionsClient, kind: str, paths: list[str]
    ) -> None:
        """Work that has no id of its own costs one more request."""
        await ALL[kind].start(client)

        assert [f"{seen.method} {seen.path}" for seen in populated.requests] == paths

    @pytest.mark.parametrize("kind", ["export", "import"])
    @pytest.mark.parametrize("outcome", ["completed", "failed"])
    async def test_reset(
        self, populated: FakeCluster, client: ActionsClient, kind: Transfer, outcome: Result
    ) -> None:
        """The client resets the result of the last transfer, so the next one has none before it."""
        populated.start_transfer(1, kind, Plan(duration=0, outcome=outcome))
        operation = await RECOVERABLE[kind].start(client)

        path = f"/v1/bdbs/1/actions/{kind}"
        assert modifying_requests(populated) == [f"PUT {path}_reset_status", f"POST {path}"]
        assert operation.ref.startswith(f"{kind}:1@idle,")
        assert (await operation).phase is Phase.COMPLETED

    @pytest.mark.parametrize("status", [403, 404, 406, 409])
    async def test_no_reset(
        self, populated: FakeCluster, client: ActionsClient, status: int
    ) -> None:
        """If the reset is refused, the old result is noted, and is not taken for the new one."""
        populated.start_transfer(1, "export", Plan(duration=0))
        populated.inject(path=f"{EXPORT}_reset_status", status=status)
        populated.plan("POST", EXPORT, Plan(queued=20, duration=20))
        operation = await RECOVERABLE["export"].start(client)
        began = loop_time()

        assert operation.ref.startswith("export:1@succeeded,")
        assert (await operation).phase is Phase.COMPLETED
        assert loop_time() - began >= 40

    @pytest.mark.parametrize("status", [400, 401, 403])
    @pytest.mark.parametrize("kind", ["maintenance_on", "change_primary", "export"])
    async def test_not_observable(
        self, populated: FakeCluster, client: ActionsClient, kind: str, status: int
    ) -> None:
        """A user who may not read the state may still make the call."""
        populated.inject(method="GET", status=status)
        operation = await RECOVERABLE[kind].start(client)

        assert not operation.done
        assert (await operation).phase is Phase.COMPLETED

    @pytest.mark.parametrize("kind", ["maintenance_on", "change_primary", "export"])
    async def test_outage(self, populated: FakeCluster, client: ActionsClient, kind: str) -> None:
        """If the state cannot be read because of an outage, the request is not sent."""
        populated.inject(method="GET", status=503, times=None)
        began = loop_time()
        with pytest.raises(ClusterUnreachable) as caught:
            await RECOVERABLE[kind].start(client, outage_timeout=20)

        assert type(caught.value) is ClusterUnreachable
        assert caught.value.method == "GET"
        assert caught.value.attempts > 4
        assert loop_time() - began <= 20
        assert modifying_requests(populated) == []

    async def test_reset_outage(self, populated: FakeCluster, client: ActionsClient) -> None:
        """If the reset fails because of an outage, the request is not sent."""
        populated.start_transfer(1, "export", Plan(duration=0))
        populated.inject(method="PUT", status=503, times=None)
        with pytest.raises(ClusterUnreachable) as caught:
            await RECOVERABLE["export"].start(client)

        assert type(caught.value) is ClusterUnreachable
        assert {call.rpartition("/")[2] for call in modifying_requests(populated)} == {
            "export_reset_status"
        }

    async def test_no_database(self, client: ActionsClient) -> None:
        """The export of a missing database raises the cluster's error for the export."""
        with pytest.raises(RequestRejected, match="404: db_not_exist") as caught:
            await client.databases.export(9, URL)

        assert caught.value.method == "POST"

    @pytest.mark.parametrize("sees", [True, False])
    @pytest.mark.parametrize("kind", ["export", "import"])
    async def test_other_run(
        self, populated: FakeCluster, client: ActionsClient, kind: Transfer, *, sees: bool
    ) -> None:
        """If an older run ends before the call, its result is read again, as an old one."""
        populated.start_transfer(1, kind, Plan(duration=5, outcome="failed", error="not ours"))
        populated.plan("POST", RECOVERABLE[kind].path, Plan(queued=30, duration=30))
        populated.inject(method="POST", delay=8)
        submission = asyncio.create_task(RECOVERABLE[kind].start(client))
        await asyncio.sleep(7)
        if not sees:
            populated.inject(method="GET", status=403)
        operation = await submission

        assert [seen.method for seen in populated.requests] == ["GET", "POST", "GET"]
        assert operation.ref.startswith(f"{kind}:1@{'failed' if sees else f'{kind}ing'},")
        if sees:
            assert (await operation).phase is Phase.COMPLETED

    @pytest.mark.parametrize("kind", ["export", "import"])
    @pytest.mark.parametrize("fault", [{"lose": True}, {"drop": True}, {"status": 503}], ids=str)
    async def test_other_run_and_lost(
        self, populated: FakeCluster, client: ActionsClient, kind: Transfer, fault: dict[str, Any]
    ) -> None:
        """If an older run was under way and the answer is lost, the error claims no run."""
        populated.start_transfer(1, kind, Plan(duration=5))
        populated.inject(method="POST", delay=8, **fault)
        error = await answer_lost(RECOVERABLE[kind].start(client))

        assert error.ref is not None
        assert [seen.method for seen in populated.requests] == ["GET", "POST"]


class TestTaskCancelled:
    """Cancelling the Python task of a call leaves no request behind."""

    @pytest.mark.parametrize("after", [0, 0.5, 1.5, 2.5, 3.5, 5.5])
    @pytest.mark.parametrize("kind", ["maintenance_on", "export", "create_crdb", "update_bdb"])
    async def test_cancelled(
        self, populated: FakeCluster, client: ActionsClient, kind: str, after: float
    ) -> None:
        """No request follows a cancellation before a request, during it, or between two."""
        work = ALL[kind]
        method = "PUT" if kind == "update_bdb" else "POST"
        populated.inject(method="GET", path="/", delay=1)
        populated.inject(method=method, delay=1, status=409)
        populated.inject(method=method, delay=1, drop=True)
        submission = asyncio.create_task(work.start(client, busy_timeout=60))
        await asyncio.sleep(after)
        submission.cancel()
        with pytest.raises((asyncio.CancelledError, AnswerLost)):
            await submission
        seen = len(populated.requests)
        await asyncio.sleep(600)

        assert len(populated.requests) == seen

    @pytest.mark.parametrize("after", [0.5, 1.5, 2.5, 4, 6.5, 8])
    @pytest.mark.parametrize("kind", ["change_primary", "export", "create_crdb", "update_bdb"])
    async def test_cancelled_between_looks(
        self, populated: FakeCluster, client: ActionsClient, kind: str, after: float
    ) -> None:
        """No request follows a cancellation after a 503: during a look, or between two."""
        work = ALL[kind]
        inject(populated, work, delay=1, status=503, times=None)
        populated.inject(method="GET", path="/", delay=1, times=None)
        submission = asyncio.create_task(work.start(client))
        await asyncio.sleep(after)
        submission.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submission
        seen = len(populated.requests)
        await asyncio.sleep(600)

        assert len(populated.requests) == seen

    async def test_work_continues(self, populated: FakeCluster, client: ActionsClient) -> None:
        """The work continues, and the client remains usable."""
        populated.inject(path=MAINTENANCE_ON, method="POST", lose=True)
        populated.inject(path=MAINTENANCE_ON, method="GET", delay=0.1)
        populated.inject(path=MAINTENANCE_ON, method="GET", delay=5)
        submission = asyncio.create_task(client.nodes.maintenance_on(1))
        await asyncio.sleep(1)
        submission.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submission

        assert (await client.nodes.wait(1, "maintenance_on")).phase is Phase.COMPLETED
        assert len(requests_of(populated, RECOVERABLE["maintenance_on"])) == 1

    async def test_never_awaited(self, populated: FakeCluster, client: ActionsClient) -> None:
        """A call that is not awaited sends nothing."""
        client.databases.delete(1).close()
        await asyncio.sleep(10)

        assert populated.requests == []
