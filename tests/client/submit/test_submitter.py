"""Tests of `_client.submit.submitter`."""

from __future__ import annotations

import asyncio
import itertools
import json
import pickle
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
    RequestRejected,
    UsageError,
)
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of, examples
from tests.recorder import NOT_FOUND, RecordingServer


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions.testing import Transfer
    from redis_enterprise_actions.testing.server.middleware import SeenRequest

    Result: TypeAlias = Literal["completed", "failed"]

pytestmark = pytest.mark.core

SECRET = "hunter2-hunter2"
URL = {"type": "url", "url": "ftp://nowhere"}
ON = "/v1/nodes/1/actions/maintenance_on"
OFF = "/v1/nodes/1/actions/maintenance_off"
MASTER = "/v1/cluster/actions/change_master"
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


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


def changes(cluster: FakeCluster) -> list[str]:
    """Return the calls that came in and may have changed something."""
    return [f"{seen.method} {seen.path}" for seen in cluster.requests if seen.method != "GET"]


class TestHandles:
    """What is read off an answer."""

    @pytest.mark.enable_socket
    @pytest.mark.parametrize(
        ("method", "path", "answer", "ref"),
        [
            ("PUT", "/v1/bdbs/1", {"uid": 1, "action_uid": "a1"}, "action:a1"),
            ("PUT", "/v1/bdbs/1", {"uid": 1, "name": "x"}, "bdb:1@after"),
            ("DELETE", "/v1/bdbs/1", None, "bdb:1@gone,after"),
            ("DELETE", "/v1/users/1", None, None),
            ("POST", ON, {"status": "queued", "task_id": "t1"}, "node:1/maintenance_on@t1"),
        ],
        ids=["action", "database", "empty", "nothing", "task"],
    )
    async def test_answers(self, method: str, path: str, answer: object, ref: str | None) -> None:
        """One call is made; the operation has its answer, and what was read off it."""
        said = "" if answer is None else json.dumps(answer)
        async with RecordingServer(**{method: [(200, said)]}) as server, server.client() as client:
            operation = await client.submit(method, path)

            assert (operation.ref, operation.done) == (ref, ref is None)
            assert operation.answer == answer
            assert [call.line for call in server.changes] == [f"{method} {path}"]

    @pytest.mark.enable_socket
    async def test_crdb_without_id(self) -> None:
        """A task whose answer names none goes by the id that it was given."""
        async with RecordingServer() as server, server.client() as client:
            operation = await client.submit("POST", "/v1/crdbs/g/flush")

        assert operation.ref == f"crdb:{server.changes[0].headers['X-Task-ID']}"

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("header", ["X-Task-ID", "x-task-id"])
    async def test_crdb_with_id(self, header: str) -> None:
        """Or by the id that the caller has given it."""
        async with RecordingServer() as server, server.client() as client:
            operation = await client.submit("PATCH", "/v1/crdbs/g", headers={header: "mine"})

        assert operation.ref == "crdb:mine"
        assert server.changes[0].headers.getall("X-Task-ID") == ["mine"]

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("headers", [{}, {"X-Task-ID": "mine"}])
    async def test_purge(self, headers: dict[str, str]) -> None:
        """A purge takes no id, so none is made up, and one that is given is not relied on."""
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
        """A dry run starts nothing, is over with its answer, and costs no other request."""
        cluster.add_bdb(1)
        body = None if "actions" in path else {"name": "x", "memory_size": 5000000}
        operation = await client.submit(method, path, body, params)
        action = await operation

        assert (operation.done, operation.ref) == (True, None)
        assert (action.phase, action.name) == (Phase.COMPLETED, f"{method} {path}")
        assert len(cluster.requests) == 1
        assert cluster.actions == {}

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("dry_run", [False, "false", 0, "no", None])
    async def test_no_dry_run(self, dry_run: object) -> None:
        """One that is switched off is none."""
        async with RecordingServer() as server, server.client() as client:
            operation = await client.submit("PUT", "/v1/bdbs/1", params={"dry_run": dry_run})

        assert operation.ref == "bdb:1@after"

    async def test_dry_run_of_a_crdb(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A dry run of an Active-Active database is a task with a verdict, and creates nothing."""
        config = {"name": "x"}
        operation = await client.submit("POST", "/v1/crdbs", config, {"dry_run": True})
        assert (await operation).status == "finished"
        assert cluster._crdbs.guids() == []

        cluster.plan("POST", "/v1/crdbs", Plan(outcome="failed"))
        with pytest.raises(ActionFailed):
            await (await client.submit("POST", "/v1/crdbs", config, {"dry_run": "true"}))

    async def test_wrong_place(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Settings that would not be read there are refused, and nothing is sent."""
        cluster.add_bdb(1)
        rebalance = "/v1/bdbs/1/actions/rebalance"
        for name in ("dry_run", "only_failovers", "max_operations"):
            with pytest.raises(UsageError, match=f"--param {name}="):
                await client.submit("PUT", rebalance, {name: 1})
        with pytest.raises(UsageError, match="json="):
            await client.submit("POST", "/v1/shards/actions/migrate", params={"dry_run": True})

        assert cluster.requests == []

    async def test_rebalance(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """What is given to the call by its name goes where the API reads it."""
        cluster.add_bdb(1)

        assert (await client.rebalance_bdb(1, {"dry_run": True})).done
        params = {"only_failovers": True}
        assert (await client.rebalance_bdb(1, {"dry_run": True}, params=params)).done
        assert cluster.actions == {}

    async def test_nothing_to_do(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A change that changes nothing has its database followed, and its answer is there."""
        cluster.add_bdb(1)
        operation = await client.update_bdb(1, {"name": "db1"})

        assert operation.ref == "bdb:1@unchanged"
        assert isinstance(operation.answer, dict)
        assert operation.answer["uid"] == 1

    async def test_method(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A method may be written small."""
        cluster.add_bdb(1)
        await client.submit("put", "/v1/bdbs/1", {"memory_size": 5})

        assert changes(cluster) == ["PUT /v1/bdbs/1"]

    @pytest.mark.enable_socket
    @settings(max_examples=examples(80))
    @given(BODIES)
    @example(b"[" * 5000)
    @example(b'{"action_uid": ".."}')
    @example(b'{"action_uid": "\\ud800"}')
    @example(b'{"action_uid": "a", "action_uid": 5}')
    def test_hostile(self, body: bytes) -> None:
        """Whatever is answered can be followed, or is nothing, or the answer counts as lost."""
        asyncio.run(submit_to(body))


async def submit_to(body: bytes) -> None:
    """Make a call that is answered with some bytes."""
    async with RecordingServer(PUT=[(200, body)]) as server, server.client() as client:
        try:
            operation = await client.submit("PUT", "/v1/bdbs/1")
        except AnswerLost as error:
            assert (error.ref, error.reason) == ("bdb:1@after", "the answer cannot be decoded")
        except RequestRejected as error:
            assert error.status == 200
        else:
            assert operation.ref is None or client.operation(operation.ref).ref == operation.ref
        assert len(server.changes) == 1


class Scene(NamedTuple):
    """A kind of work, and the call that starts it."""

    start: Callable[..., Any]
    path: str
    ref: str  # how its reference begins


# What shows whether it was begun: a run that can be told from others, or an id of our own.
SHOWN = {
    "maintenance_on": Scene(lambda c, **o: c.maintenance_on(1, **o), ON, "node:1/maintenance_on"),
    "change_primary": Scene(
        lambda c, **o: c.change_primary(1, **o), MASTER, "cluster:change_master"
    ),
    "create_crdb": Scene(lambda c, **o: c.create_crdb({}, **o), "/v1/crdbs", "crdb:"),
    "flush_crdb": Scene(lambda c, **o: c.flush_crdb("g", **o), "/v1/crdbs/g/flush", "crdb:"),
    "export": Scene(lambda c, **o: c.export_bdb(1, URL, **o), EXPORT, "export:1@idle,"),
    "import": Scene(lambda c, **o: c.import_bdb(1, [URL], **o), IMPORT, "import:1@idle,"),
}
# What does not, and what an `AnswerLost` refers to in its place.
HIDDEN = {
    "create_bdb": Scene(lambda c, **o: c.create_bdb({"name": "x"}, **o), "/v1/bdbs", ""),
    "update_bdb": Scene(
        lambda c, **o: c.update_bdb(1, {"memory_size": 5}, **o), "/v1/bdbs/1", "bdb:1@after"
    ),
    "delete_bdb": Scene(lambda c, **o: c.delete_bdb(1, **o), "/v1/bdbs/1", "bdb:1@gone,after"),
    "upgrade_bdb": Scene(lambda c, **o: c.upgrade_bdb(1, **o), "/v1/bdbs/1/upgrade", "bdb:1@after"),
    "rebalance": Scene(
        lambda c, **o: c.rebalance_bdb(1, **o), "/v1/bdbs/1/actions/rebalance", "bdb:1@after"
    ),
    "migrate": Scene(lambda c, **o: c.migrate_shards([1], 1, **o), "/v1/shards", ""),
    "purge_crdb": Scene(
        lambda c, **o: c.submit("PUT", "/v1/crdbs/g/purge", **o), "/v1/crdbs/g/purge", ""
    ),
    "cancel": Scene(lambda c, **o: c.submit("DELETE", ON, **o), ON, "node:1/maintenance_on"),
}
ALL = SHOWN | HIDDEN


@pytest.fixture
async def stage(cluster: FakeCluster) -> FakeCluster:
    """A cluster on which all of that can be done."""
    cluster.add_bdb(1)
    cluster.add_crdb("g")
    return cluster


def spoil(cluster: FakeCluster, scene: Scene, **fault: Any) -> None:  # noqa: ANN401 - a fault's
    """Make the answer to a call go wrong, and leave what is asked besides alone."""
    for method in ("POST", "PUT", "DELETE"):
        cluster.inject(path=scene.path, method=method, **fault)


def of_calls(cluster: FakeCluster, scene: Scene) -> list[SeenRequest]:
    """Return how often a call came in, and how it was answered."""
    return [
        seen
        for seen in cluster.requests
        if seen.method != "GET" and seen.path.startswith(scene.path) and "reset" not in seen.path
    ]


async def lost(call: Any) -> AnswerLost:  # noqa: ANN401 - what a call returns
    """Return how a call fails whose answer is lost."""
    with pytest.raises(AnswerLost) as caught:
        await call
    return caught.value


@pytest.mark.enable_socket
class TestLostAnswers:
    """A call whose answer is lost is not made again, and what it began is looked for."""

    @pytest.mark.parametrize("fault", ["lose", "truncate"])
    @pytest.mark.parametrize("kind", SHOWN)
    async def test_taken(
        self, stage: FakeCluster, client: ActionsClient, kind: str, fault: str
    ) -> None:
        """Where the call was taken, what it began is found and followed."""
        scene = SHOWN[kind]
        stage.plan("POST", "/", Plan(duration=60), times=None)
        stage.inject(method="PUT" if kind == "flush_crdb" else "POST", **{fault: True})
        operation = await scene.start(client)

        assert operation.ref.startswith(scene.ref)
        assert not operation.done
        assert operation.answer is None or fault == "truncate"
        assert (await operation).phase is Phase.COMPLETED
        assert len(of_calls(stage, scene)) == 1

    @pytest.mark.parametrize("kind", SHOWN)
    async def test_not_taken(self, stage: FakeCluster, client: ActionsClient, kind: str) -> None:
        """Where it was not, the error refers to what is not there; then it may be made again."""
        scene = SHOWN[kind]
        stage.inject(method="PUT" if kind == "flush_crdb" else "POST", drop=True)
        error = await lost(scene.start(client))

        assert error.ref is not None
        assert error.ref.startswith(scene.ref)
        assert len(of_calls(stage, scene)) == 1
        with pytest.raises(ActionNotFound):
            await client.operation(error.ref)
        assert (await (await scene.start(client))).phase is Phase.COMPLETED

    @pytest.mark.parametrize("kind", SHOWN)
    async def test_taken_out_of_sight(
        self, stage: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """Where nobody can look, the error refers to what is found later."""
        scene = SHOWN[kind]
        method = "PUT" if kind == "flush_crdb" else "POST"
        stage.plan(method, "/", Plan(duration=300))
        stage.inject(method=method, lose=True, delay=1)
        submitting = asyncio.create_task(scene.start(client))
        await asyncio.sleep(0.5)
        stage.inject(method="GET", status=503, times=None)
        error = await lost(submitting)
        stage.heal()
        action = await client.operation(error.ref or "")

        assert action.phase is Phase.COMPLETED
        assert len(of_calls(stage, scene)) == 1

    @pytest.mark.parametrize("kind", [kind for kind in SHOWN if "crdb" not in kind])
    @pytest.mark.parametrize("taken", [True, False])
    async def test_after_older_run(
        self, stage: FakeCluster, client: ActionsClient, kind: str, *, taken: bool
    ) -> None:
        """The result of an older run is not taken for that of the call, whatever became of it."""
        scene = SHOWN[kind]
        stage.plan("POST", scene.path, Plan(duration=5))
        stage.plan("POST", scene.path, Plan(duration=60, outcome="failed", error="disk full"))
        await (await scene.start(client))
        stage.inject(path=scene.path, method="POST", lose=taken, drop=not taken)

        if taken:
            with pytest.raises(ActionFailed, match="disk full"):
                await (await scene.start(client))
        else:
            error = await lost(scene.start(client))
            with pytest.raises(ActionNotFound):
                await client.operation(error.ref or "")
        assert len(of_calls(stage, scene)) == 2

    @pytest.mark.parametrize("fault", ["lose", "drop", "truncate"])
    @pytest.mark.parametrize("kind", HIDDEN)
    async def test_hidden(
        self, stage: FakeCluster, client: ActionsClient, kind: str, fault: str
    ) -> None:
        """Where nothing shows whether it was begun, that is said at once, and where to look."""
        scene = HIDDEN[kind]
        ref = scene.ref or None
        if kind == "cancel":
            ref += f"@{stage.start_node_action(1, 'maintenance_on', Plan(duration=600))}"
        spoil(stage, scene, **{fault: True})
        began = now()
        error = await lost(scene.start(client))

        assert error.ref == ref
        assert len(of_calls(stage, scene)) == 1
        assert now() - began < 1

    async def test_database_tells(self, stage: FakeCluster, client: ActionsClient) -> None:
        """The database that is referred to settles, or goes, as the call wants it."""
        for kind, status in (("update_bdb", "active"), ("delete_bdb", "gone")):
            stage.inject(method="PUT" if kind == "update_bdb" else "DELETE", lose=True)
            error = await lost(HIDDEN[kind].start(client))
            action = await client.operation(error.ref or "")

            assert action.phase is Phase.COMPLETED, status
        assert list(stage.bdbs) == []

    async def test_unreadable(self, stage: FakeCluster) -> None:
        """An answer that is no JSON is a lost one, of which no word is shown."""
        async with (
            RecordingServer(PUT=[(200, f'{{"pass": "{SECRET}"')]) as server,
            server.client() as c,
        ):
            error = await lost(c.update_bdb(1, {}))

        assert str(error) == (
            "PUT /v1/bdbs/1: no usable answer from the cluster: the answer cannot be decoded "
            "(1 attempt). It was sent, and may have been taken all the same; bdb:1@after may tell"
        )
        assert len(server.changes) == 1

    async def test_part_of_database(self) -> None:
        """Where a part of a database was to be deleted, the database is to settle, not to go."""
        async with RecordingServer(DELETE=[(200, "<html>")]) as server, server.client() as client:
            error = await lost(client.submit("DELETE", "/v1/bdbs/1/part"))

        assert error.ref == "bdb:1@after"

    async def test_unreadable_with_path(self) -> None:
        """Where the path tells what to follow, no answer is needed."""
        async with RecordingServer(POST=[(200, "<html>")]) as server, server.client() as client:
            operation = await client.maintenance_on(1)

        assert (operation.ref, operation.answer) == ("node:1/maintenance_on@after", None)

    async def test_dry_run(self, stage: FakeCluster, client: ActionsClient) -> None:
        """A dry run that is lost would have started nothing, so there is nothing to refer to."""
        stage.inject(method="PUT", lose=True)
        error = await lost(client.update_bdb(1, {}, params={"dry_run": True}))

        assert error.ref is None
        assert len(stage.requests) == 1

    async def test_dry_run_of_a_crdb(self, stage: FakeCluster, client: ActionsClient) -> None:
        """... but that of an Active-Active database is a task, by the id that it was given."""
        stage.inject(method="POST", lose=True)
        stage.inject(method="GET", path="/v1/crdb_tasks", status=403)
        error = await lost(client.create_crdb({"name": "x"}, task_id="t", params={"dry_run": True}))

        assert error.ref == "crdb:t"
        assert (await client.operation(error.ref)).status == "finished"

    async def test_says(self, stage: FakeCluster, client: ActionsClient) -> None:
        """The error says what was tried where, has what it says as attributes, and pickles."""
        stage.start_node_action(1, "maintenance_on", Plan(duration=0), task_id="t0")
        stage.inject(path=ON, method="POST", status=502, body='{"error_code": "bad_gateway"}')
        error = await lost(client.maintenance_on(1))
        twin = pickle.loads(pickle.dumps(error))

        assert (
            str(error)
            == str(twin)
            == (
                f"POST {ON}: no usable answer from the cluster: it answered 502: bad_gateway "
                f"(1 attempt at {stage.url}). It was sent, and may have been taken all the same; "
                "node:1/maintenance_on@lost,completed,t0 may tell"
            )
        )
        assert (error.status, error.error_code, error.ref) == (
            502,
            "bad_gateway",
            "node:1/maintenance_on@lost,completed,t0",
        )
        assert isinstance(error, ClusterUnreachable)
        assert not error.transient

    async def test_looks(self, stage: FakeCluster, client: ActionsClient) -> None:
        """It is looked for five times, a second apart: what was taken may show late."""
        stage.inject(path=ON, method="POST", drop=True)
        submitting = asyncio.create_task(client.maintenance_on(1))
        await asyncio.sleep(2.5)
        stage.start_node_action(1, "maintenance_on", task_id="late")
        operation = await submitting

        assert operation.ref == "node:1/maintenance_on@late"
        looks = [seen.time for seen in stage.requests if seen.method == "GET"][1:]
        assert [round(b - a) for a, b in itertools.pairwise(looks)] == [1, 1, 1]

    async def test_own_id(self, stage: FakeCluster, client: ActionsClient) -> None:
        """A task that was called for with an id of the caller's is found by that."""
        stage.inject(method="POST", lose=True)
        operation = await client.create_crdb({"name": "x"}, task_id="mine")

        assert operation.ref == "crdb:mine"
        assert list(stage.crdb_tasks) == ["mine"]

    async def test_purge_with_id(self, stage: FakeCluster, client: ActionsClient) -> None:
        """An id that a purge does not heed tells nothing about it: it is not made again."""
        stage.inject(method="PUT", status=503)
        error = await lost(client.submit("PUT", "/v1/crdbs/g/purge", headers={"X-Task-ID": "mine"}))

        assert error.ref is None
        assert len(stage.requests) == 1


@pytest.mark.enable_socket
class TestNotNow:
    """Calls that are answered "not now", or that nobody takes."""

    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize("kind", SHOWN)
    async def test_again(
        self, stage: FakeCluster, client: ActionsClient, kind: str, status: int
    ) -> None:
        """Where that is seen to have begun nothing, the call is made again; it is taken once."""
        scene = SHOWN[kind]
        method = "PUT" if kind == "flush_crdb" else "POST"
        stage.inject(path=scene.path, method=method, times=2, status=status)
        operation = await scene.start(client)

        assert [seen.status for seen in of_calls(stage, scene)] == [status, status, 200]
        assert (await operation).phase is Phase.COMPLETED

    @pytest.mark.parametrize("kind", HIDDEN)
    async def test_not_again(self, stage: FakeCluster, client: ActionsClient, kind: str) -> None:
        """Where nothing shows that, it is not."""
        scene = HIDDEN[kind]
        spoil(stage, scene, status=503)
        error = await lost(scene.start(client))

        assert (error.status, (error.ref or "").partition("@")[0]) == (
            503,
            scene.ref.partition("@")[0],
        )
        assert len(of_calls(stage, scene)) == 1

    @pytest.mark.parametrize("status", [408, 500, 502, 504])
    @pytest.mark.parametrize("kind", SHOWN)
    async def test_other_answers(
        self, stage: FakeCluster, client: ActionsClient, kind: str, status: int
    ) -> None:
        """An answer by which the call need not have ended is none: it is not made again."""
        scene = SHOWN[kind]
        method = "PUT" if kind == "flush_crdb" else "POST"
        stage.inject(path=scene.path, method=method, status=status)
        error = await lost(scene.start(client))

        assert error.status == status
        assert [seen.status for seen in of_calls(stage, scene)] == [status]

    @pytest.mark.parametrize("status", [429, 503])
    async def test_taken(self, stage: FakeCluster, client: ActionsClient, status: int) -> None:
        """What was begun all the same is followed."""
        stage.inject(path=ON, method="POST", status=status, delay=2)
        submitting = asyncio.create_task(client.maintenance_on(1))
        await asyncio.sleep(1)
        stage.start_node_action(1, "maintenance_on", task_id="t1")
        operation = await submitting

        assert operation.ref == "node:1/maintenance_on@t1"
        assert len(of_calls(stage, SHOWN["maintenance_on"])) == 1

    @pytest.mark.parametrize("answer", [(403, ""), (400, ""), (404, "<html>")])
    async def test_out_of_sight(self, answer: tuple[int, str]) -> None:
        """Where one may not look, nothing is seen not to have begun: it is not made again."""
        async with (
            RecordingServer(GET=[NOT_FOUND, answer], POST=[(503, "")]) as server,
            server.client() as client,
        ):
            error = await lost(client.maintenance_on(1))

        assert error.ref == "node:1/maintenance_on@lost"
        assert len(server.changes) == 1

    @pytest.mark.parametrize(("options", "limit"), [({}, 10), ({"outage_timeout": 20}, 20)])
    async def test_for_how_long(
        self, stage: FakeCluster, client: ActionsClient, options: dict[str, Any], limit: float
    ) -> None:
        """It is made again for `outage_timeout`, and the error says how often."""
        stage.inject(path=ON, method="POST", status=503, times=None)
        began = now()
        error = await lost(client.maintenance_on(1, **options))

        assert now() - began == pytest.approx(limit, abs=0.1)
        assert error.attempts == len(of_calls(stage, SHOWN["maintenance_on"])) > 3
        with pytest.raises(ActionNotFound):
            await client.operation(error.ref or "")

    async def test_once(self, stage: FakeCluster, client: ActionsClient) -> None:
        """With no time for that it is made once."""
        stage.inject(path=ON, method="POST", status=503, times=None)
        error = await lost(client.maintenance_on(1, outage_timeout=0))

        assert error.attempts == len(of_calls(stage, SHOWN["maintenance_on"])) == 1

    @pytest.mark.parametrize("status", [429, 503])
    async def test_retry_after(
        self, stage: FakeCluster, client: ActionsClient, status: int
    ) -> None:
        """It is made again when the cluster wants that."""
        stage.inject(path=ON, method="POST", status=status, retry_after=7)
        await client.maintenance_on(1)
        first, second = of_calls(stage, SHOWN["maintenance_on"])

        assert second.time - first.time == pytest.approx(7, abs=0.1)

    @pytest.mark.parametrize("kind", ALL)
    async def test_nobody_there(self, kind: str) -> None:
        """What nobody takes is not lost: it is tried until somebody is there, and taken once."""
        async with FakeCluster() as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.add_crdb("g")
            cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
            await client.list_actions()
            await cluster.stop_node(1)
            submitting = asyncio.create_task(ALL[kind].start(client, outage_timeout=60))
            await asyncio.sleep(4)
            await cluster.start_node(1)
            await submitting

            assert [seen.status for seen in of_calls(cluster, ALL[kind])] == [200]

    @pytest.mark.parametrize("kind", ALL)
    async def test_nobody_there_for_good(self, kind: str) -> None:
        """Nobody having taken it within `outage_timeout` is an outage, and nothing is lost."""
        async with FakeCluster() as cluster, client_of(cluster) as client:
            await cluster.stop_node(1)
            began = now()
            with pytest.raises(ClusterUnreachable) as caught:
                await ALL[kind].start(client, outage_timeout=5)

            assert type(caught.value) is ClusterUnreachable
            assert caught.value.attempts > 3
            assert now() - began <= 5
            assert cluster.requests == []

    @pytest.mark.parametrize("kind", ALL)
    async def test_next_node(self, kind: str) -> None:
        """Where one node is gone the next one is asked, at once, and the call is taken once."""
        async with FakeCluster(nodes=2) as cluster:
            cluster.add_bdb(1)
            cluster.add_crdb("g")
            cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
            await cluster.stop_node(1)
            async with ActionsClient(
                cluster.urls, username=cluster.username, password=cluster.password
            ) as client:
                if kind == "change_primary":
                    await client.change_primary(2)
                else:
                    await ALL[kind].start(client)

            assert [seen.status for seen in of_calls(cluster, ALL[kind])] == [200]

    @pytest.mark.parametrize("kind", ALL)
    async def test_redirected(self, kind: str) -> None:
        """A node that redirects has not taken the call: the primary does."""
        async with FakeCluster(nodes=2) as cluster:
            cluster.add_bdb(1)
            cluster.add_crdb("g")
            cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
            cluster.primary = 2
            async with ActionsClient(
                cluster.urls, username=cluster.username, password=cluster.password
            ) as client:
                await ALL[kind].start(client)

            taken = [seen.node for seen in of_calls(cluster, ALL[kind]) if seen.status == 200]
            assert taken == [2]


class TestBusy:
    """Calls that are answered 409."""

    @pytest.mark.parametrize("kind", ALL)
    async def test_at_once(self, stage: FakeCluster, client: ActionsClient, kind: str) -> None:
        """By default busy is an answer like any other, in the cluster's words."""
        body = '{"error_code": "busy", "description": "the database is busy"}'
        stage.inject(path=ALL[kind].path, method="POST", status=409, body=body)
        stage.inject(path=ALL[kind].path, method="PUT", status=409, body=body)
        stage.inject(path=ALL[kind].path, method="DELETE", status=409, body=body)
        with pytest.raises(RequestRejected, match="409: busy: the database is busy") as caught:
            await ALL[kind].start(client)

        assert (caught.value.status, caught.value.error_code) == (409, "busy")
        assert len(of_calls(stage, ALL[kind])) == 1

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
    async def test_in_the_end(
        self, stage: FakeCluster, client: ActionsClient, kind: str, busy: str
    ) -> None:
        """With `busy_timeout` it is taken when what is in the way has ended, and is followed."""
        stage.plan("POST", "/", Plan(duration=60))
        stage.plan("PUT", "/v1/bdbs/1", Plan(duration=60))
        began = now()
        await ALL[busy].start(client)
        operation = await ALL[kind].start(client, busy_timeout=600)

        assert 60 <= now() - began <= 80
        calls = [seen for seen in stage.requests if seen.method != "GET"][1:]
        statuses = [seen.status for seen in calls if "reset" not in seen.path]
        assert statuses == [409] * (len(statuses) - 1) + [200]
        assert len(statuses) > 5
        assert kind != "import" or operation.ref.startswith("import:1@idle,")
        assert (await operation).phase is Phase.COMPLETED
        assert now() - began >= 69

    @pytest.mark.parametrize("kind", ["update_bdb", "maintenance_on", "export"])
    async def test_too_long(self, stage: FakeCluster, client: ActionsClient, kind: str) -> None:
        """When `busy_timeout` is over it is tried once more, and then that is the answer."""
        stage.inject(path=ALL[kind].path, method="POST", status=409, times=None)
        stage.inject(path=ALL[kind].path, method="PUT", status=409, times=None)
        began = now()
        with pytest.raises(RequestRejected) as caught:
            await ALL[kind].start(client, busy_timeout=timedelta(seconds=45))

        tries = of_calls(stage, ALL[kind])
        assert caught.value.status == 409
        assert tries[-1].time - began == pytest.approx(45, abs=0.1)
        assert 8 <= len(tries) <= 60

    async def test_endless(self, stage: FakeCluster, client: ActionsClient) -> None:
        """With None it is tried for ever."""
        stage.inject(path="/v1/bdbs/1", method="PUT", status=409, times=300)
        operation = await client.update_bdb(1, {"memory_size": 5}, busy_timeout=None)

        assert operation.ref is not None
        assert len(of_calls(stage, ALL["update_bdb"])) == 301

    async def test_retry_after(self, stage: FakeCluster, client: ActionsClient) -> None:
        """It is tried again when the cluster wants that."""
        stage.inject(path="/v1/bdbs/1", method="PUT", status=409, retry_after=17)
        await client.update_bdb(1, {"memory_size": 5}, busy_timeout=60)
        first, second = of_calls(stage, ALL["update_bdb"])

        assert second.time - first.time == pytest.approx(17, abs=0.1)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 422, 501])
    @pytest.mark.parametrize("kind", ["update_bdb", "maintenance_on", "flush_crdb"])
    async def test_refused(
        self, stage: FakeCluster, client: ActionsClient, kind: str, status: int
    ) -> None:
        """Any other refusal is final."""
        body = '{"error_code": "no", "description": "not today"}'
        method = "POST" if kind == "maintenance_on" else "PUT"
        stage.inject(path=ALL[kind].path, method=method, status=status, body=body)
        with pytest.raises(RequestRejected, match=f"{status}: no: not today") as caught:
            await ALL[kind].start(client, busy_timeout=600)

        assert caught.value.status == status
        assert isinstance(caught.value, AuthenticationError) is (status in {401, 403})
        assert len(of_calls(stage, ALL[kind])) == 1

    async def test_problem(self, client: ActionsClient) -> None:
        """What Active-Active calls say of their refusal is read, too."""
        with pytest.raises(RequestRejected, match="404: CRDB nowhere does not exist"):
            await client.flush_crdb("nowhere")


class TestBefore:
    """What is found out before a call, so that its work is told from older work."""

    @pytest.mark.parametrize(
        ("kind", "paths"),
        [
            ("maintenance_on", [f"GET {ON}", f"POST {ON}"]),
            ("change_primary", [f"GET {MASTER}", f"POST {MASTER}"]),
            ("export", ["GET /v1/bdbs/1", f"POST {EXPORT}"]),
            ("import", ["GET /v1/bdbs/1", f"POST {IMPORT}"]),
            ("create_crdb", ["POST /v1/crdbs"]),
            ("create_bdb", ["POST /v1/bdbs"]),
            ("update_bdb", ["GET /v1/bdbs/1", "PUT /v1/bdbs/1"]),
            ("migrate", ["POST /v1/shards/actions/migrate"]),
        ],
    )
    async def test_cost(
        self, stage: FakeCluster, client: ActionsClient, kind: str, paths: list[str]
    ) -> None:
        """One request is made besides the call, for work that has no id of its own."""
        await ALL[kind].start(client)

        assert [f"{seen.method} {seen.path}" for seen in stage.requests] == paths

    @pytest.mark.parametrize("kind", ["export", "import"])
    @pytest.mark.parametrize("outcome", ["completed", "failed"])
    async def test_reset(
        self, stage: FakeCluster, client: ActionsClient, kind: Transfer, outcome: Result
    ) -> None:
        """The result of the last one is reset first; the next one starts from nothing."""
        stage.start_transfer(1, kind, Plan(duration=0, outcome=outcome))
        operation = await SHOWN[kind].start(client)

        path = f"/v1/bdbs/1/actions/{kind}"
        assert changes(stage) == [f"PUT {path}_reset_status", f"POST {path}"]
        assert operation.ref.startswith(f"{kind}:1@idle,")
        assert (await operation).phase is Phase.COMPLETED

    @pytest.mark.parametrize("status", [403, 404, 406, 409])
    async def test_no_reset(self, stage: FakeCluster, client: ActionsClient, status: int) -> None:
        """Where that is refused, the result is noted, and not taken for that of the next one."""
        stage.start_transfer(1, "export", Plan(duration=0))
        stage.inject(path=f"{EXPORT}_reset_status", status=status)
        stage.plan("POST", EXPORT, Plan(queued=20, duration=20))
        operation = await SHOWN["export"].start(client)
        began = now()

        assert operation.ref.startswith("export:1@succeeded,")
        assert (await operation).phase is Phase.COMPLETED
        assert now() - began >= 40

    @pytest.mark.parametrize("status", [400, 401, 403])
    @pytest.mark.parametrize("kind", ["maintenance_on", "change_primary", "export"])
    async def test_hidden(
        self, stage: FakeCluster, client: ActionsClient, kind: str, status: int
    ) -> None:
        """Who may not look may still be allowed to call."""
        stage.inject(method="GET", status=status)
        operation = await SHOWN[kind].start(client)

        assert not operation.done
        assert (await operation).phase is Phase.COMPLETED

    @pytest.mark.parametrize("kind", ["maintenance_on", "change_primary", "export"])
    async def test_outage(self, stage: FakeCluster, client: ActionsClient, kind: str) -> None:
        """Where nobody can look the call is not made, and so it is not lost."""
        stage.inject(method="GET", status=503, times=None)
        began = now()
        with pytest.raises(ClusterUnreachable) as caught:
            await SHOWN[kind].start(client, outage_timeout=20)

        assert type(caught.value) is ClusterUnreachable
        assert caught.value.method == "GET"
        assert caught.value.attempts > 4
        assert now() - began <= 20
        assert changes(stage) == []

    async def test_reset_outage(self, stage: FakeCluster, client: ActionsClient) -> None:
        """The same goes for the reset."""
        stage.start_transfer(1, "export", Plan(duration=0))
        stage.inject(method="PUT", status=503, times=None)
        with pytest.raises(ClusterUnreachable) as caught:
            await SHOWN["export"].start(client)

        assert type(caught.value) is ClusterUnreachable
        assert {call.rpartition("/")[2] for call in changes(stage)} == {"export_reset_status"}

    async def test_no_database(self, client: ActionsClient) -> None:
        """An export of what is not there is refused by the call, in the cluster's words."""
        with pytest.raises(RequestRejected, match="404: db_not_exist") as caught:
            await client.export_bdb(9, URL)

        assert caught.value.method == "POST"

    @pytest.mark.parametrize("sees", [True, False])
    @pytest.mark.parametrize("kind", ["export", "import"])
    async def test_foreign(
        self, stage: FakeCluster, client: ActionsClient, kind: Transfer, *, sees: bool
    ) -> None:
        """What ran before, and ended meanwhile, is looked at again: its result is not ours."""
        stage.start_transfer(1, kind, Plan(duration=5, outcome="failed", error="not ours"))
        stage.plan("POST", SHOWN[kind].path, Plan(queued=30, duration=30))
        stage.inject(method="POST", delay=8)
        submitting = asyncio.create_task(SHOWN[kind].start(client))
        await asyncio.sleep(7)
        if not sees:
            stage.inject(method="GET", status=403)
        operation = await submitting

        assert [seen.method for seen in stage.requests] == ["GET", "POST", "GET"]
        assert operation.ref.startswith(f"{kind}:1@{'failed' if sees else f'{kind}ing'},")
        if sees:
            assert (await operation).phase is Phase.COMPLETED

    @pytest.mark.parametrize("kind", ["export", "import"])
    @pytest.mark.parametrize("fault", [{"lose": True}, {"drop": True}, {"status": 503}], ids=str)
    async def test_foreign_and_lost(
        self, stage: FakeCluster, client: ActionsClient, kind: Transfer, fault: dict[str, Any]
    ) -> None:
        """If the answer is lost then, whose run there is cannot be told: nothing is claimed."""
        stage.start_transfer(1, kind, Plan(duration=5))
        stage.inject(method="POST", delay=8, **fault)
        error = await lost(SHOWN[kind].start(client))

        assert error.ref is not None
        assert [seen.method for seen in stage.requests] == ["GET", "POST"]


class TestAbandoned:
    """Cancelling the task that makes a call leaves nothing behind, and makes no further call."""

    @pytest.mark.parametrize("after", [0, 0.5, 1.5, 2.5, 3.5, 5.5])
    @pytest.mark.parametrize("kind", ["maintenance_on", "export", "create_crdb", "update_bdb"])
    async def test_cancelled(
        self, stage: FakeCluster, client: ActionsClient, kind: str, after: float
    ) -> None:
        """At any time: before it is sent, under way, between two looks, between two tries."""
        scene = ALL[kind]
        method = "PUT" if kind == "update_bdb" else "POST"
        stage.inject(method="GET", path="/", delay=1)
        stage.inject(method=method, delay=1, status=409)
        stage.inject(method=method, delay=1, drop=True)
        submitting = asyncio.create_task(scene.start(client, busy_timeout=60))
        await asyncio.sleep(after)
        submitting.cancel()
        with pytest.raises((asyncio.CancelledError, AnswerLost)):
            await submitting
        seen = len(stage.requests)
        await asyncio.sleep(600)

        assert len(stage.requests) == seen

    async def test_goes_on(self, stage: FakeCluster, client: ActionsClient) -> None:
        """What it has begun goes on, and the client can be used as before."""
        stage.inject(path=ON, method="POST", lose=True)
        stage.inject(path=ON, method="GET", delay=0.1)
        stage.inject(path=ON, method="GET", delay=5)
        submitting = asyncio.create_task(client.maintenance_on(1))
        await asyncio.sleep(1)
        submitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submitting

        assert (await client.wait_for_node_action(1, "maintenance_on")).phase is Phase.COMPLETED
        assert len(of_calls(stage, SHOWN["maintenance_on"])) == 1

    async def test_never_awaited(self, stage: FakeCluster, client: ActionsClient) -> None:
        """A call that is not awaited is not made."""
        client.delete_bdb(1).close()
        await asyncio.sleep(10)

        assert stage.requests == []
