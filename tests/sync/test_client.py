"""Tests of the synchronous client: calls, waits, and their errors."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import contextvars
import gc
import json
import threading
import time
import traceback
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import redis_enterprise_actions as asynchronous
from redis_enterprise_actions.otel import instrument
from redis_enterprise_actions.sync import (
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    ActionStalled,
    AuthenticationError,
    ClientClosed,
    ClusterUnreachable,
    Database,
    FinishedAction,
    Node,
    Recorder,
    RequestRejected,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis_enterprise_actions.sync import Record
    from redis_enterprise_actions.sync._loop import _Process
    from tests.threaded_cluster import ThreadedCluster

SHORT = Plan(duration=0.2)
LONG = Plan(duration=60)


def test_wait_and_values(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """Calls return what those of the asynchronous client return, awaited."""
    uid = threaded.add(plan=SHORT)

    assert client.get_action(uid).uid == uid
    assert [each.uid for each in client.list_actions()] == [uid]
    done = client.wait_for_action(uid, timeout=30)
    assert isinstance(done, FinishedAction)
    assert done.record.elapsed < 10
    assert [each.uid for each in client.wait_for_actions([uid, uid])] == [uid, uid]
    assert client.get(f"action:{uid}").phase is done.phase
    assert client.urls == (threaded.cluster.url,)
    assert repr(client) == f"ActionsClient('{threaded.cluster.url}')"


def test_operation(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """An operation has the attributes and the methods of the asynchronous one."""
    threaded.do(lambda cluster: cluster.add_bdb(1))
    threaded.do(lambda cluster: cluster.plan("POST", "/v1/", SHORT, times=None))

    operation = client.databases.upgrade(1)

    assert operation.ref is not None
    assert operation.ref.startswith("action:")
    assert repr(operation) == f"<Operation {operation.ref}>"
    assert not operation.done
    assert operation.problem is None
    assert isinstance(operation.answer, dict)
    assert not operation.get().phase.terminal
    phases = [action.phase.terminal for action in operation]
    assert phases[-1]
    assert operation.done
    assert isinstance(operation.result(timeout=30), Database)
    assert client.wait_for(operation, operation.ref)[0].phase.terminal


def test_resources(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """Resources have their calls and looks."""
    threaded.do(lambda cluster: cluster.add_bdb(1, name="cache"))
    threaded.do(lambda cluster: cluster.plan("POST", "/v1/", SHORT, times=None))

    resources = [client.databases, client.nodes, client.cluster, client.shards, client.crdbs]
    names = ["<Databases>", "<Nodes>", "<Cluster>", "<Shards>", "<Crdbs>"]
    assert [repr(each) for each in resources] == names
    assert isinstance(client.nodes.get(1), Node)
    assert client.databases.names() == {1: "cache"}
    assert client.databases.find("none") is None
    assert client.cluster.check().is_healthy
    assert client.databases.wait("name:cache", not_found_grace=0.1).phase.terminal
    on = client.nodes.maintenance_on(1)
    assert isinstance(on.result(), Node)
    with pytest.raises(RequestRejected):
        on.cancel()  # it has ended
    assert client.nodes.maintenance_off(1).wait().phase.terminal
    assert client.cluster.wait_healthy().phase.terminal


def test_maintenance(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """A node is in maintenance while the body of `with` runs, and not after its error."""
    threaded.do(lambda cluster: cluster.plan("POST", "/v1/", SHORT, times=None))

    with client.nodes.maintenance(1, timeout=30) as on:
        assert on.uid == "node:1/maintenance_on"
        assert not client.cluster.check().is_healthy
    assert client.cluster.check().is_healthy
    with pytest.raises(KeyError, match="mine"), client.nodes.maintenance(1, timeout=30):
        raise KeyError("mine")
    assert client.cluster.check().is_healthy


def test_replicating(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """Clients of other clusters are synchronous ones."""
    with ActionsClient("http://127.0.0.1:1") as other:
        operation = client.crdbs.replicating("guid", others=[other])
        assert operation.ref == "crdb:guid@replicating,with=127.0.0.1:1"
        for wrong in ([asynchronous.ActionsClient("http://n1")], [object()]):
            with pytest.raises(UsageError, match=r"take them from redis_enterprise_actions\.sync"):
                client.crdbs.replicating("guid", others=wrong)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="others= is not a list"):
            client.crdbs.wait_replicating("guid", others=other)  # type: ignore[arg-type]


def unreachable() -> ActionsClient:
    """Return a client of a cluster that is not there."""
    return ActionsClient("http://127.0.0.1:1")


FAILURES = [
    pytest.param(Plan(duration=0.1, outcome="failed"), {}, ActionFailed, id="failed"),
    pytest.param(Plan(duration=0.1, outcome="cancelled"), {}, ActionCancelled, id="cancelled"),
    pytest.param(Plan(duration=0.1, outcome="aborted"), {}, ActionAborted, id="aborted"),
    pytest.param(None, {"not_found_grace": 0}, ActionNotFound, id="not found"),
    pytest.param(LONG, {"timeout": 0.2}, WaitTimeout, id="timed out"),
    pytest.param(
        Plan(duration=0.1, outcome="never", progress="none"),
        {"stall_timeout": 0.3},
        ActionStalled,
        id="stalled",
    ),
    pytest.param(LONG, {"timeout": b"5"}, UsageError, id="wrong usage"),
]


@pytest.mark.parametrize(("plan", "options", "error"), FAILURES)
def test_failures(
    client: ActionsClient,
    threaded: ThreadedCluster,
    plan: Plan | None,
    options: dict[str, object],
    error: type[Exception],
) -> None:
    """Errors of the asynchronous client reach the caller, with a short traceback."""
    uid = "a1" if plan is None else threaded.add("delete_crdb", plan=plan)

    with pytest.raises(error) as caught:
        client.wait_for_action(uid, **options)  # type: ignore[arg-type]

    assert type(caught.value) is error
    files = {frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)}
    assert not any("_client/" in file for file in files)
    assert len(caught.value.__traceback__ and traceback.extract_tb(caught.value.__traceback__)) < 7


def test_unreachable(process: _Process, threaded: ThreadedCluster) -> None:
    """A cluster that is not there, or that refuses the password, is an error like elsewhere."""
    with unreachable() as client, pytest.raises(ClusterUnreachable) as caught:
        client.wait_for_action("a1", outage_timeout=0.1)
    assert isinstance(caught.value.__cause__, OSError)
    wrong = ActionsClient(threaded.cluster.url, username="me", password="wrong")
    with wrong as client, pytest.raises(AuthenticationError):
        client.list_actions()


def test_settled(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """Several waits return their results, or raise the first error."""
    good = threaded.add(plan=SHORT)
    bad = threaded.add(plan=Plan(duration=0.1, outcome="failed"))

    first, second = client.wait_for_actions([good, bad], settle=True)

    assert isinstance(first, FinishedAction)
    assert isinstance(second, ActionFailed)
    with pytest.raises(ActionFailed):
        client.wait_for(bad, good)


def test_wait_for_takes_no_asynchronous_operation(client: ActionsClient) -> None:
    """An `Operation` of the other client is an error that names the cure."""
    other = asynchronous.ActionsClient("http://n1").operation("a1")

    with pytest.raises(
        UsageError, match=r"take it from a client of redis_enterprise_actions\.sync"
    ):
        client.wait_for(other)  # type: ignore[arg-type]


def test_closed(threaded: ThreadedCluster, process: _Process) -> None:
    """A client that is closed says so; one that was not used closes without a thread."""
    unused = ActionsClient.from_env()
    unused.close()
    unused.close()
    assert process.thread is None
    with pytest.raises(ClientClosed):
        unused.list_actions()
    with ActionsClient.from_env() as client:
        client.list_actions()
    client.close()
    with pytest.raises(ClientClosed):
        client.watch_action("a1")


def test_close_ends_waits_of_other_threads(
    client: ActionsClient, threaded: ThreadedCluster
) -> None:
    """Threads that wait on a client that another one closes get `ClientClosed`."""
    uids = [threaded.add(plan=LONG) for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        waits = [pool.submit(client.wait_for_action, uid) for uid in uids]
        wait_for(lambda: len(threaded.cluster.requests) > 0)
        client.close()

    assert [type(wait.exception()) for wait in waits] == [ClientClosed] * 5


def wait_for(condition: Callable[[], bool]) -> None:
    """Return when a condition is true."""
    ends_at = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.01)


def test_unclosed(threaded: ThreadedCluster, process: _Process) -> None:
    """A client that nothing refers to closes its session, with one warning that names it."""
    client = ActionsClient.from_env()
    client.list_actions()
    operation = client.operation("a1")
    assert process.thread is not None
    assert len(process.thread._kept) == 1
    del client
    gc.collect()
    assert len(process.thread._kept) == 1  # the operation may be used yet

    with pytest.warns(ResourceWarning, match=r"^unclosed ActionsClient\('http://") as warned:
        del operation

    assert len(warned) == 1
    wait_for(lambda: not process.thread._kept and not process.thread._tasks)  # type: ignore[union-attr]


def test_hundred_threads(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """A hundred threads that share a client are one poll loop."""
    uids = [threaded.add(plan=Plan(duration=1.5)) for _ in range(100)]
    began = time.monotonic()

    with ThreadPoolExecutor(100) as pool:
        ended = list(pool.map(client.wait_for_action, uids))

    assert [each.uid for each in ended] == uids
    elapsed = time.monotonic() - began
    assert len(threaded.cluster.requests) <= 3 * elapsed + 6  # alone, each makes about five


def test_inside_a_running_loop(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """A thread that runs an event loop, as in a notebook, may call; so may its workers."""
    uids = [threaded.add(plan=SHORT) for _ in range(3)]

    async def main() -> list[str]:
        first = client.wait_for_action(uids[0])
        others = [asyncio.to_thread(client.wait_for_action, uid) for uid in uids[1:]]
        return [each.uid for each in (first, *await asyncio.gather(*others))]

    assert asyncio.run(main()) == uids


def test_context(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """Observers see the context variables of the thread that waits."""
    variable = contextvars.ContextVar("variable", default="")
    seen: list[tuple[str, str]] = []

    def observer(begun: Record) -> Callable[[Record], None]:
        seen.append((variable.get(), threading.current_thread().name))
        return lambda ended: seen.append((variable.get(), str(ended.outcome)))

    client.observe(observer)
    variable.set("mine")
    client.wait_for_action(threaded.add(plan=SHORT))

    assert seen == [("mine", "redis-enterprise-actions"), ("mine", "completed")]


def test_no_garbage(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """Neither calls nor errors leave cycles for the garbage collector."""
    uid = threaded.add(plan=SHORT)

    def calls() -> None:
        client.wait_for_action(uid, on_progress=lambda _: None)
        with contextlib.suppress(ActionNotFound):
            client.wait_for_action("a1", not_found_grace=0)
        with contextlib.suppress(KeyError):
            client.wait_for_action(uid, on_progress=lambda _: {}["mine"])

    calls()
    gc.collect()
    gc.disable()
    try:
        calls()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [each for each in gc.garbage if type(each).__module__.startswith("redis_")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()

    assert left == []


def test_telemetry(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """The span that is current in the thread that waits is the parent of that of the wait."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    assert instrument(client, tracer_provider=provider) is client

    def wait(name: str) -> None:
        with provider.get_tracer("test").start_as_current_span(name):
            client.wait_for_action(threaded.add(plan=SHORT))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(wait, ["first", "second"]))

    spans = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    parents = [names[span.parent.span_id] for span in spans if span.parent is not None]
    assert sorted(parents) == ["first", "second"]
    assert sorted(names.values()) == ["first", "second", "wait action", "wait action"]


def test_recorder(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """Records may be read at any time: before, during and after waits, and on the loop."""
    recorder = Recorder()
    assert recorder.records() == []
    read: list[int] = []

    def observer(begun: Record) -> Callable[[Record], None]:
        read.append(len(recorder.records()))
        return lambda ended: None

    client.observe(observer)
    client.wait_for_action(
        threaded.add(plan=SHORT),
        recorder=recorder,
        on_progress=lambda _: read.append(len(recorder.records())),
    )

    assert set(read) == {1}
    assert [record.outcome for record in recorder.records()] == ["completed"]


def granted_token(threaded: ThreadedCluster) -> str:
    """Return a token that the cluster grants."""
    cluster = threaded.cluster
    request = urllib.request.Request(f"{cluster.url}/v1/users/authorize", b"{}", method="POST")
    pair = f"{cluster.username}:{cluster.password}"
    request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    with urllib.request.urlopen(request) as answer:
        token: str = json.load(answer)["access_token"]
    return token


def test_token_may_block(threaded: ThreadedCluster, process: _Process) -> None:
    """A token function runs in a thread of its own, so that other waits go on."""
    names: list[str] = []
    blocked = threading.Event()

    def token() -> str:
        names.append(threading.current_thread().name)
        assert blocked.wait(30)
        return granted_token(threaded)

    url = threaded.cluster.url
    with ActionsClient(url, token=token) as client, ThreadPoolExecutor(1) as pool:
        looks = pool.submit(client.list_actions)
        wait_for(lambda: bool(names))
        with ActionsClient.from_env() as other:
            assert other.list_actions() == []
        blocked.set()
        assert looks.result() == []

    assert names == ["redis-enterprise-actions-call"]


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (KeyError("mine"), KeyError, "mine"),
        (StopIteration(), UsageError, "token= raised StopIteration instead of a token"),
        (SystemExit(3), UsageError, "token= raised SystemExit instead of a token"),
        (GeneratorExit(), UsageError, "token= raised GeneratorExit instead of a token"),
        (OSError("no vault"), ClusterUnreachable, "no vault"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_token_errors(
    threaded: ThreadedCluster,
    process: _Process,
    error: BaseException,
    raised: type[Exception],
    message: str,
) -> None:
    """Errors of a token function are those of the asynchronous client."""

    def token() -> str:
        raise error

    with (
        ActionsClient(threaded.cluster.url, token=token) as client,
        pytest.raises(raised, match=message),
    ):
        client.wait_for_action("a1", outage_timeout=0.1)


def test_options(process: _Process, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that cannot work are errors where the client is made."""
    with pytest.raises(UsageError, match="username= and password= go together"):
        ActionsClient("http://n1", username="me")
    with pytest.raises(UsageError, match="REDIS_ENTERPRISE_URL"):
        ActionsClient.from_env()
    with pytest.raises(UsageError, match="nothing"):
        ActionsClient.from_profile("nothing")
    made = ActionsClient.from_env(url="http://n1", trusted_hosts=iter(["n2"]))
    assert made.urls == ("http://n1",)


def test_capture(client: ActionsClient, threaded: ThreadedCluster, tmp_path: Path) -> None:
    """A capture records what the client asks in its body, also if that raises an error."""
    path = tmp_path / "answers.json"
    uid = threaded.add(plan=SHORT)
    with pytest.raises(ZeroDivisionError), client.capture(path):
        client.wait_for_action(uid)
        with pytest.raises(UsageError, match="under way"), client.capture(tmp_path / "other"):
            raise AssertionError
        raise ZeroDivisionError
    client.list_actions()
    paths = {exchange["path"] for exchange in json.loads(path.read_text())["exchanges"]}

    assert paths == {"/v1/actions/00000001-0000-4000-8000-000000000000"}
    assert [file.name for file in tmp_path.iterdir()] == ["answers.json"]


def test_capture_that_cannot_be_written(client: ActionsClient, tmp_path: Path) -> None:
    """A missing directory is an error before the body."""
    with (
        pytest.raises(UsageError, match="there is no such directory"),
        client.capture(tmp_path / "no" / "answers.json"),
    ):
        raise AssertionError
