"""Tests of `_client.operation`: wait, watch, get and cancel."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import (
    Action,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    AnswerLost,
    AuthenticationError,
    CancelNotSupported,
    ClientClosed,
    ClusterUnreachable,
    Evidence,
    Kind,
    NothingToFollow,
    Operation,
    Outcome,
    Phase,
    RedisActionsError,
    RequestRejected,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions import Recorder as FlightRecorder
from redis_enterprise_actions._model.record import without_record
from redis_enterprise_actions.testing import Plan
from tests.conftest import client_of
from tests.recorder import RecordingServer


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions.testing import FakeCluster

pytestmark = pytest.mark.core


URL = {"type": "url", "url": "ftp://nowhere"}
ON = "/v1/nodes/1/actions/maintenance_on"
MASTER = "/v1/cluster/actions/change_master"


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


@pytest.fixture
async def cluster_with_data(cluster: FakeCluster) -> FakeCluster:
    """A cluster with a database, an Active-Active database, and nothing to do."""
    cluster.add_bdb(1)
    cluster.add_crdb("g")
    return cluster


async def done(client: ActionsClient) -> Operation:
    """Return an operation that was over with the answer to its call."""
    operation = await client.databases.update(1, {"name": "db1"}, params={"dry_run": True})
    assert operation.done
    return operation


STARTS: dict[str, Callable[[ActionsClient], Any]] = {
    "action": lambda c: c.databases.upgrade(1),
    "node": lambda c: c.nodes.maintenance_on(1),
    "cluster": lambda c: c.cluster.change_primary(1),
    "crdb": lambda c: c.crdbs.flush("g"),
    "export": lambda c: c.databases.export(1, URL),
    "import": lambda c: c.databases.import_(1, [URL]),
}


class TestFollowing:
    """An operation is awaited, waited for, and iterated over."""

    @pytest.mark.parametrize("kind", STARTS)
    async def test_await(
        self, cluster_with_data: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """Awaiting an operation returns its completed `Action`, any number of times."""
        operation = await STARTS[kind](client)
        first, again = await operation, await operation

        assert first.phase is again.phase is Phase.COMPLETED
        assert first.uid == client.operation(operation.ref)._ref.name  # type: ignore[union-attr]

    @pytest.mark.parametrize("kind", STARTS)
    async def test_wait(
        self, cluster_with_data: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """`wait` takes the settings of any wait, and reports each change."""
        cluster_with_data.plan("POST", "/", Plan(duration=60, progress="linear"))
        cluster_with_data.plan("PUT", "/", Plan(duration=60))
        seen: list[Action] = []
        operation = await STARTS[kind](client)
        action = await operation.wait(
            timeout=timedelta(minutes=10), poll=wait_fixed(5), on_progress=seen.append
        )

        assert seen[-1] == without_record(action)
        assert len(seen) > 1
        polls = [
            request.time
            for request in cluster_with_data.requests
            if request.method == "GET" and request.path != "/v2/actions"
        ]
        pauses = {round(b - a, 2) for a, b in itertools.pairwise(polls[-5:])}
        assert pauses == {5}

        again: list[Action] = []
        watched = [without_record(each) async for each in operation.watch(on_progress=again.append)]
        assert watched == again

    @pytest.mark.parametrize("kind", STARTS)
    async def test_watch(
        self, cluster_with_data: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """Iterating over an operation yields each change and the end, which may be a failure."""
        cluster_with_data.plan("POST", "/", Plan(duration=60, outcome="failed", error="disk full"))
        cluster_with_data.plan("PUT", "/", Plan(duration=60, outcome="failed", error="disk full"))
        operation = await STARTS[kind](client)
        seen = [action async for action in operation]

        assert seen[-1].phase is Phase.FAILED
        assert "disk full" in (seen[-1].error or "")
        assert not any(action.phase.terminal for action in seen[:-1])
        with pytest.raises(ActionFailed, match="disk full"):
            await operation

    @pytest.mark.parametrize("kind", STARTS)
    async def test_timeout(
        self, cluster_with_data: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """A wait that times out leaves the operation to be waited for again."""
        cluster_with_data.plan("POST", "/", Plan(duration=60))
        cluster_with_data.plan("PUT", "/", Plan(duration=60))
        operation = await STARTS[kind](client)
        began = now()
        with pytest.raises(WaitTimeout):
            await operation.wait(timeout=30)

        assert now() - began == pytest.approx(30, abs=0.1)
        assert (await operation).phase is Phase.COMPLETED

    @pytest.mark.parametrize("kind", STARTS)
    async def test_elsewhere(
        self, cluster_with_data: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """Another client, as in another process, follows the reference of an operation."""
        cluster_with_data.plan("POST", "/", Plan(duration=60))
        operation = await STARTS[kind](client)
        async with client_of(cluster_with_data) as other:
            same = other.operation(str(operation.ref))

            assert (same.ref, same.done, same.answer) == (operation.ref, False, None)
            assert repr(same) == f"<Operation {operation.ref}>"
            assert (await same).phase is Phase.COMPLETED

    @pytest.mark.parametrize("kind", STARTS)
    async def test_abandoned(
        self, cluster_with_data: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """Cancelling the waiting task cancels nothing on the cluster, and stops the polls."""
        cluster_with_data.plan("POST", "/", Plan(duration=60))
        cluster_with_data.plan("PUT", "/", Plan(duration=60))
        operation = await STARTS[kind](client)
        waiting = asyncio.create_task(operation.wait())
        await asyncio.sleep(20)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        requests_before = len(cluster_with_data.requests)
        await asyncio.sleep(100)

        assert len(cluster_with_data.requests) == requests_before
        assert not any(seen.path.endswith("cancel") for seen in cluster_with_data.requests)
        assert "DELETE" not in {seen.method for seen in cluster_with_data.requests}
        assert (await operation).phase is Phase.COMPLETED

    async def test_nothing_known(self, client: ActionsClient) -> None:
        """A reference may name an object that does not exist, which is then not found."""
        began = now()
        with pytest.raises(ActionNotFound):
            await client.operation("node:1/maintenance_on")

        assert now() - began == pytest.approx(10, abs=0.1)

    @pytest.mark.parametrize("kind", ["export", "import", "backup"])
    async def test_grace_of_transfers(
        self, cluster_with_data: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """An export may be about to begin for a minute, by default."""
        began = now()
        with pytest.raises(ActionNotFound):
            await client.operation(f"{kind}:1")
        assert now() - began == pytest.approx(60, abs=0.1)

        began = now()
        with pytest.raises(ActionNotFound):
            await client.operation(f"{kind}:1").wait(not_found_grace=5)
        assert now() - began == pytest.approx(5, abs=0.1)


async def test_hostile_uids(client: ActionsClient) -> None:
    """The repr of an operation, and the names of tasks that wait, are one printable line."""
    uids = ["a\nCRITICAL b\x1b[31m", "\u202ec"]
    waiting = asyncio.create_task(client.wait_for(*uids, settle=True))
    await asyncio.sleep(1)
    names = {task.get_name() for task in asyncio.all_tasks()}
    await waiting

    assert repr(client.operation(f"action:{uids[0]}")) == "<Operation action:a CRITICAL b [31m>"
    assert names >= {"wait for action:a CRITICAL b [31m", "wait for action: c"}


class TestGet:
    """A single read of the work of an operation."""

    @pytest.mark.parametrize("kind", STARTS)
    async def test_under_way(
        self, cluster_with_data: FakeCluster, client: ActionsClient, kind: str
    ) -> None:
        """`get` returns the work as it is now, and `done` is true once the end was seen."""
        cluster_with_data.plan("POST", "/", Plan(duration=60))
        cluster_with_data.plan("PUT", "/", Plan(duration=60))
        operation = await STARTS[kind](client)
        await asyncio.sleep(10)
        running = await operation.get()

        assert (running.phase.terminal, operation.done) == (False, False)
        await asyncio.sleep(100)
        assert not operation.done
        ended = await operation.get()
        assert (ended.phase, operation.done) == (Phase.COMPLETED, True)
        assert await client.get(str(operation.ref)) == ended

    @pytest.mark.parametrize("failing", [True, False], ids=["failed", "completed"])
    async def test_done_after_a_wait(
        self, cluster_with_data: FakeCluster, client: ActionsClient, *, failing: bool
    ) -> None:
        """A wait that saw the end makes `done` true, whatever the end was."""
        cluster_with_data.plan(
            "POST", "/", Plan(duration=60, outcome="failed" if failing else "completed")
        )
        operation = await client.databases.upgrade(1)
        with pytest.raises(WaitTimeout):
            await operation.wait(timeout=10)
        assert not operation.done
        with suppress(ActionFailed):
            await operation

        assert operation.done
        cluster_with_data.inject(method="GET", delay=30, times=None)
        with pytest.raises(WaitTimeout):
            await operation.wait(timeout=1)
        assert operation.done

    async def test_not_found(self, client: ActionsClient) -> None:
        """Work that the cluster does not know is not found, at once, by its reference."""
        with pytest.raises(ActionNotFound) as caught:
            await client.get("node:1/remove")

        assert (caught.value.ref, caught.value.uid) == ("node:1/remove", "node:1/remove")
        assert (caught.value.polls, caught.value.elapsed) == (1, pytest.approx(0, abs=0.5))

    async def test_answered(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """An operation that was over with the answer to its call needs no request."""
        operation = await done(client)
        requests = len(cluster_with_data.requests)
        action = await operation.get()

        assert (action.kind, action.phase) == (Kind.CALL, Phase.COMPLETED)
        assert len(cluster_with_data.requests) == requests

    @pytest.mark.enable_socket
    async def test_nothing_to_follow(self) -> None:
        """`get` raises an error if nothing can be followed."""
        async with RecordingServer(POST=[(200, "{}")]) as server, server.client() as other:
            operation = await other.submit("POST", "/v1/unheard_of")
        with pytest.raises(NothingToFollow):
            await operation.get()
        assert not operation.done


class TestSeveral:
    """`wait_for` takes operations and references together."""

    async def test_one_wait_for_a_reference(
        self, cluster_with_data: FakeCluster, client: ActionsClient
    ) -> None:
        """A reference that is given twice, in two spellings, is waited for once."""
        uid = cluster_with_data.add_action("retry_bdb", Plan(duration=30))
        seen: list[str] = []
        first, second = await client.wait_for(
            uid, f"action:{uid}", on_progress=lambda action: seen.append(action.status)
        )

        assert first is second
        assert seen.count("completed") == 1

    @pytest.mark.parametrize(
        ("call", "use"),
        [
            (lambda c, ref: c.get_action(ref), "use get('{}')"),
            (lambda c, ref: c.wait_for_action(ref), "use wait_for('{}')"),
            (lambda c, ref: c.wait_for_actions(["u1", ref]), "use wait_for('{}')"),
            (lambda c, ref: anext(c.watch_action(ref)), "use operation('{}').watch()"),
        ],
        ids=["get", "wait", "wait for several", "watch"],
    )
    @pytest.mark.parametrize("ref", ["node:1/remove", "action:u1", "bdb:1@gone", "crdb:t"])
    async def test_reference_for_a_uid(
        self, client: ActionsClient, call: Callable[..., Any], use: str, ref: str
    ) -> None:
        """A reference is not accepted as a uid: the error names the call that takes it."""
        with pytest.raises(UsageError) as caught:
            await call(client, ref)

        assert str(caught.value) == (
            f"{ref!r} is a reference, not the uid of an action: {use.format(ref)}"
        )


class TestDone:
    """An operation that was over with the answer to its call."""

    async def test_await(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """Awaiting such an operation returns an action with evidence `call`, without a request."""
        operation = await done(client)
        began, requests_before = now(), len(cluster_with_data.requests)

        assert without_record(await operation) == Action(
            uid="",
            name="PUT /v1/bdbs/1",
            kind=Kind.CALL,
            status="completed",
            phase=Phase.COMPLETED,
            evidence=Evidence.CALL,
        )
        assert (now(), len(cluster_with_data.requests)) == (began, requests_before)
        assert operation.ref is None
        assert repr(operation) == "<Operation PUT /v1/bdbs/1: completed>"

    async def test_watch(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """Iterating over it yields that action once; callbacks are called, and awaited."""
        updates: list[Action] = []

        async def callback(action: Action) -> None:
            await asyncio.sleep(1)
            updates.append(action)

        operation = await done(client)
        action = await operation.wait(on_progress=updates.append)
        await operation.wait(on_progress=callback)

        assert [without_record(each) async for each in operation] == [without_record(action)]
        assert [
            without_record(each) async for each in operation.watch(on_progress=callback)
        ] == updates[:1]
        assert updates == [without_record(action)] * 3

    async def test_record(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """The record of such an operation is that of a wait without duration and polls."""
        recorder = FlightRecorder()
        operation = await done(client)
        action = await operation.wait(recorder=recorder)
        record = action.record

        assert recorder.records() == [record]
        assert (record.ref, record.title, record.polls, record.elapsed) == (
            *("", "PUT /v1/bdbs/1"),
            *(0, 0),
        )
        assert (record.outcome, record.evidence) == (Outcome.COMPLETED, Evidence.CALL)

    async def test_callback_fails(
        self, cluster_with_data: FakeCluster, client: ActionsClient
    ) -> None:
        """An exception of a callback reaches the caller."""

        def fail(_: Action) -> None:
            raise OSError("no terminal")

        with pytest.raises(OSError, match="no terminal"):
            await (await done(client)).wait(on_progress=fail)

    @pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
    async def test_end_of_an_iteration(
        self, cluster_with_data: FakeCluster, client: ActionsClient, error: type[Exception]
    ) -> None:
        """The end of an iterator of the callback is an error that names the callback."""

        def report_next(_: Action) -> None:
            raise error

        operation = await done(client)
        for wait in (
            operation.wait(on_progress=report_next),
            anext(operation.watch(on_progress=report_next)),
        ):
            with pytest.raises(RuntimeError, match=rf"report_next.* raised {error.__name__}$"):
                await wait

    async def test_among_others(
        self, cluster_with_data: FakeCluster, client: ActionsClient
    ) -> None:
        """Such an operation can be waited for together with others."""
        operations = [await done(client), await done(client), await client.databases.upgrade(1)]
        actions = await client.wait_for(*operations)

        assert [action.kind for action in actions] == [Kind.CALL, Kind.CALL, Kind.STATE_MACHINE]

    async def test_cancel(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """Such an operation can no longer be cancelled."""
        operation = await done(client)
        with pytest.raises(CancelNotSupported, match=r"^PUT /v1/bdbs/1 cannot be cancelled"):
            await operation.cancel()


BAD_OPTIONS = [
    *[
        ({name: value}, UsageError, f"{name}=")
        for name in ("timeout", "stall_timeout", "outage_timeout", "not_found_grace")
        for value in (-1, "soon", float("nan"), True)
    ],
    ({"poll": 5}, UsageError, "poll=5 is not a tenacity wait strategy"),
    ({"poll": wait_fixed}, UsageError, "is not a tenacity wait strategy"),
    ({"on_progress": 5}, UsageError, "on_progress=5 cannot be called"),
    ({"timeuot": 5}, TypeError, "unexpected keyword argument 'timeuot'"),
    ({"uid": "a1"}, TypeError, "unexpected keyword argument 'uid'"),
]


@pytest.mark.parametrize(("options", "error", "expected"), BAD_OPTIONS, ids=str)
@pytest.mark.parametrize("is_done", [True, False], ids=["done", "under way"])
async def test_bad_options(
    cluster_with_data: FakeCluster,
    client: ActionsClient,
    options: dict[str, Any],
    error: type[Exception],
    expected: str,
    *,
    is_done: bool,
) -> None:
    """An invalid setting is refused, whether or not there is anything to wait for."""
    operation = await done(client) if is_done else client.operation("node:1/maintenance_on")
    requests_before = len(cluster_with_data.requests)

    with pytest.raises(error, match=expected):
        await operation.wait(**options)
    with pytest.raises(error, match=expected):
        operation.watch(**options)
    assert len(cluster_with_data.requests) == requests_before


@pytest.mark.enable_socket
class TestCancel:
    """Cancelling what runs on the cluster."""

    @pytest.mark.parametrize(
        ("kind", "line"),
        [("node", f"DELETE {ON}"), ("crdb", "POST /v1/crdb_tasks/ID/actions/cancel")],
    )
    async def test_cancelled(
        self, cluster_with_data: FakeCluster, client: ActionsClient, kind: str, line: str
    ) -> None:
        """`cancel` sends the documented call; a wait then ends."""
        cluster_with_data.plan("POST", "/", Plan(duration=600))
        cluster_with_data.plan("PUT", "/", Plan(duration=600))
        operation = await STARTS[kind](client)
        waiting = asyncio.create_task(operation.wait())
        await asyncio.sleep(20)
        before = len(cluster_with_data.requests)
        await operation.cancel()
        calls = [
            f"{s.method} {s.path}" for s in cluster_with_data.requests[before:] if s.method != "GET"
        ]

        assert calls == [line.replace("ID", operation.ref.removeprefix("crdb:"))]
        with pytest.raises(ActionCancelled if kind == "node" else ActionFailed) as caught:
            await waiting
        assert caught.value.elapsed < 60

    @pytest.mark.parametrize(
        "ref",
        [
            *("action:a1", "export:1", "import:1", "backup:1", "bdb:1", "bdb:1@gone"),
            "export:1@idle,,5",
        ],
    )
    @pytest.mark.parametrize("force", [True, False])
    async def test_not_supported(
        self, cluster_with_data: FakeCluster, client: ActionsClient, ref: str, *, force: bool
    ) -> None:
        """Work for which the API has no cancel goes on; no request is sent."""
        with pytest.raises(CancelNotSupported) as caught:
            await client.operation(ref).cancel(force=force)

        assert caught.value.ref == ref
        assert str(caught.value).startswith(f"{ref} cannot be cancelled")
        assert cluster_with_data.requests == []

    @pytest.mark.parametrize("ref", ["node:1/maintenance_on", "cluster:change_master@t1"])
    async def test_no_force(
        self, cluster_with_data: FakeCluster, client: ActionsClient, ref: str
    ) -> None:
        """Only tasks of Active-Active databases can be cancelled by force."""
        with pytest.raises(UsageError, match=r"force= is for tasks of Active-Active databases"):
            await client.operation(ref).cancel(force=True)

        assert cluster_with_data.requests == []

    async def test_cluster(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """No cluster action can be cancelled, although the API documents the call."""
        cluster_with_data.plan("POST", MASTER, Plan(duration=60))
        operation = await client.cluster.change_primary(1)
        with pytest.raises(RequestRejected, match="404: action_not_found: Action change_master"):
            await operation.cancel()

        assert cluster_with_data.requests[-1].method == "DELETE"
        assert cluster_with_data.requests[-1].path == MASTER
        assert (await operation).phase is Phase.COMPLETED

    async def test_queued(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """Queued work is cancelled at once."""
        cluster_with_data.plan("POST", ON, Plan(queued=600))
        operation = await client.nodes.maintenance_on(1)
        await operation.cancel()

        with pytest.raises(ActionCancelled):
            await operation.wait(timeout=1)
        assert cluster_with_data.maintenance == {1: 0}

    async def test_refused(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """A cancel that the cluster refuses raises its message; the work goes on."""
        cluster_with_data.not_cancellable = {"maintenance_on"}
        operation = await client.nodes.maintenance_on(1)
        with pytest.raises(RequestRejected, match="409: action_not_cancellable") as caught:
            await operation.cancel()

        assert (caught.value.status, caught.value.method) == (409, "DELETE")
        assert (await operation).phase is Phase.COMPLETED

    async def test_not_allowed(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """The error of a forbidden cancel names the permission."""
        operation = await client.nodes.maintenance_on(1)
        cluster_with_data.inject(method="DELETE", status=403)
        with pytest.raises(AuthenticationError, match="needs the permission cancel_node_action"):
            await operation.cancel()

        cluster_with_data.inject(method="DELETE", status=403)
        with pytest.raises(AuthenticationError, match="the permission cancel_cluster_action"):
            await client.operation("cluster:change_master").cancel()

    @pytest.mark.parametrize("named", [True, False])
    async def test_over(
        self, cluster_with_data: FakeCluster, client: ActionsClient, *, named: bool
    ) -> None:
        """Work that has ended is not cancelled, and keeps its result."""
        operation = await client.nodes.maintenance_on(1)
        await operation
        ref = operation.ref if named else "node:1/maintenance_on"
        with pytest.raises(RequestRejected, match=r"404\. This run has ended") as caught:
            await client.operation(str(ref)).cancel()

        assert caught.value.status == 404
        assert "DELETE" not in {seen.method for seen in cluster_with_data.requests}
        assert (await client.operation(str(ref))).phase is Phase.COMPLETED

    async def test_never_began(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """The cancel of unknown work raises the cluster's "not found"."""
        with pytest.raises(RequestRejected, match="404: action_not_found"):
            await client.operation("node:1/maintenance_on").cancel()

    async def test_another_run(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """A run that has ended is not taken for the one that runs now, which goes on."""
        first = await client.nodes.maintenance_on(1)
        await first
        second = await client.nodes.maintenance_on(1)
        with pytest.raises(RequestRejected, match="a later one has begun"):
            await first.cancel()

        assert (await second).phase is Phase.COMPLETED

    async def test_forgotten(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """Work that this client cancelled, and that the cluster then forgot, ends as cancelled."""
        cluster_with_data.plan("POST", ON, Plan(duration=600))
        operation = await client.nodes.maintenance_on(1)
        waiting = asyncio.create_task(operation.wait(poll=wait_fixed(1)))
        await asyncio.sleep(5)
        await operation.cancel()
        cluster_with_data.forget_node_action(1, "maintenance_on")

        with pytest.raises(ActionCancelled) as caught:
            await waiting
        assert caught.value.action is not None
        assert caught.value.action.evidence is Evidence.CALL

    @pytest.mark.parametrize("status", [404, 406, 409])
    async def test_task_refused(self, status: int) -> None:
        """A task that has ended, or is being committed, is not cancelled; the cluster says why."""
        body = f'{{"detail": "not now", "title": "No", "status": {status}}}'
        async with RecordingServer(POST=[(status, body)]) as server, server.client() as client:
            with pytest.raises(RequestRejected, match=f"{status}: not now") as caught:
                await client.operation("crdb:a/b").cancel()

        assert caught.value.status == status
        [call] = server.calls
        assert (call.line, call.body) == ("POST /v1/crdb_tasks/a%2Fb/actions/cancel", {})

    async def test_force(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """A task that is being committed is cancelled by force only."""
        task = cluster_with_data.start_crdb_task(plan=Plan(duration=100), guid="g")
        operation = client.operation(f"crdb:{task}")
        await asyncio.sleep(80)
        with pytest.raises(RequestRejected, match=r"406: .*committing"):
            await operation.cancel()
        await operation.cancel(force=True)

        assert (
            cluster_with_data.requests[-1].path
            == f"/v1/crdb_tasks/{task}/actions/cancel?force=true"
        )
        with pytest.raises(ActionFailed, match="cancelled"):
            await operation

    @pytest.mark.parametrize("ref", ["node:1/maintenance_on", "crdb:t1"])
    @pytest.mark.parametrize(
        "fault", [{"lose": True}, {"drop": True}, {"status": 503}, {"truncate": True}], ids=str
    )
    async def test_lost(
        self, cluster_with_data: FakeCluster, client: ActionsClient, ref: str, fault: dict[str, Any]
    ) -> None:
        """A cancel whose answer is lost is not sent again; the error refers to the work."""
        cluster_with_data.start_node_action(1, "maintenance_on", Plan(duration=600))
        cluster_with_data.start_crdb_task(plan=Plan(duration=600), guid="g", id="t1")
        for method in ("POST", "DELETE"):
            cluster_with_data.inject(method=method, **fault)
        with pytest.raises(AnswerLost) as caught:
            await client.operation(ref).cancel()

        assert caught.value.ref == ref
        assert [seen.method != "GET" for seen in cluster_with_data.requests].count(True) == 1
        action = await anext(aiter(client.operation(ref)))
        assert action.phase is not Phase.COMPLETED

    async def test_nobody_there(
        self, cluster_with_data: FakeCluster, client: ActionsClient
    ) -> None:
        """A cancel that no node accepts is retried for ten seconds, and is not an `AnswerLost`."""
        await cluster_with_data.stop_node(1)
        began = now()
        with pytest.raises(ClusterUnreachable) as caught:
            await client.operation("crdb:t1").cancel()

        assert type(caught.value) is ClusterUnreachable
        assert caught.value.attempts > 4
        assert now() - began <= 10

    async def test_again(self, cluster_with_data: FakeCluster, client: ActionsClient) -> None:
        """Work that is being cancelled can be cancelled again."""
        operation = await client.nodes.maintenance_on(1)
        await operation.cancel()
        await operation.cancel()

        with pytest.raises(ActionCancelled):
            await operation

    async def test_closed(self, cluster_with_data: FakeCluster) -> None:
        """A closed client starts, follows and cancels nothing."""
        async with client_of(cluster_with_data) as client:
            operation = await client.nodes.maintenance_on(1)
        requests_before = len(cluster_with_data.requests)
        for call in (operation.wait, operation.cancel, lambda: client.databases.upgrade(1)):
            with pytest.raises(ClientClosed):
                await call()

        assert len(cluster_with_data.requests) == requests_before


def test_not_supported_is_ours() -> None:
    """`CancelNotSupported` is a `RedisActionsError`."""
    assert issubclass(CancelNotSupported, RedisActionsError)


@pytest.mark.parametrize("limit", ["timeout", "stall_timeout", "outage_timeout"])
@pytest.mark.parametrize("value", [[], {}, object(), "soon", True, -1.0])
async def test_limits_that_are_none(client: ActionsClient, limit: str, value: object) -> None:
    """What is no duration, hashable or not, is refused with the name of the argument."""
    with pytest.raises(UsageError, match=f"{limit}="):
        await client.operation("action:a").wait(**{limit: value})  # type: ignore[arg-type]
