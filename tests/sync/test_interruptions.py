"""Tests of interruptions at the worst moments: of exceptions that signal handlers raise."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.sync import ActionsClient, ClientClosed, ClusterUnhealthy, _link
from redis_enterprise_actions.sync import _caller as _caller_module
from redis_enterprise_actions.sync._caller import Caller, _Post, _Run
from redis_enterprise_actions.testing import Plan
from tests.sync.test_client import wait_for


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions.sync import Action
    from redis_enterprise_actions.sync._loop import LoopThread, _Process
    from tests.threaded_cluster import ThreadedCluster

LONG = Plan(duration=60)
SHORT = Plan(duration=0.2)
_AT_ONCE = 2.0  # seconds


class Stop(BaseException):
    """Exception of a signal handler."""


def interrupt(
    monkeypatch: pytest.MonkeyPatch, kind: type, name: str, *, is_before: bool = False
) -> None:
    """Let the next call of a method raise `Stop`, before it does its work or after that."""
    method: Callable[..., object] = getattr(kind, name)
    calls: list[int] = []

    def interrupted(*args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 1 and is_before:
            raise Stop
        result = method(*args, **options)
        if len(calls) == 1:
            raise Stop
        return result

    monkeypatch.setattr(kind, name, interrupted)


class Inbox(SimpleQueue):  # type: ignore[type-arg]
    """Queue whose first message is lost, as an interruption comes."""

    is_lost = False

    def get(self, block: bool = True, timeout: float | None = None) -> object:  # noqa: FBT002 - as in the base
        message = super().get(block, timeout)
        if not Inbox.is_lost:
            Inbox.is_lost = True
            raise Stop
        return message


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next message be lost."""
    monkeypatch.setattr(Inbox, "is_lost", False)
    monkeypatch.setattr(_caller_module, "SimpleQueue", Inbox)


def posts(threaded: ThreadedCluster) -> list[str]:
    """Return the last parts of the paths of the calls that were made."""
    requests = threaded.cluster.requests
    return [each.path.rpartition("/")[2] for each in requests if each.method == "POST"]


def test_lost_end(client: ActionsClient, losing: None) -> None:
    """An interruption that comes with the end of a coroutine is not delayed."""
    began = time.monotonic()
    with pytest.raises(Stop):
        client.list_actions()

    assert time.monotonic() - began < _AT_ONCE
    assert client.list_actions() == []


def test_callback_after_the_end(client: ActionsClient) -> None:
    """A callback whose wait has ended by its time limit is not called any more."""
    called: list[object] = []

    async def nothing() -> None: ...

    run = _Run(client._link.use()[0], nothing)
    for is_over in (True, False):
        answer = client._link.use()[0].loop.create_future()
        if is_over:
            answer.cancel()
        run._call(_Post(called.append, is_over, "on_progress", answer))  # type: ignore[arg-type]

    assert called == [False]


def test_lost_call(client: ActionsClient, threaded: ThreadedCluster, losing: None) -> None:
    """A callback whose call is lost is not awaited, even by a coroutine that goes on."""
    caller = Caller(client._link.use()[0])
    called: list[object] = []
    ended: list[int] = []

    async def stubborn() -> None:
        wrapped = caller.callback(called.append, "on_progress")
        assert wrapped is not None
        shielded = asyncio.ensure_future(wrapped(None))  # type: ignore[arg-type]
        for each in (asyncio.shield(shielded), shielded, wrapped(None)):  # type: ignore[arg-type]
            with pytest.raises(asyncio.CancelledError):
                await each  # type: ignore[misc]
        ended.append(1)

    with pytest.raises(Stop):
        caller.run(stubborn, patience=30)

    assert (called, ended) == ([], [1])


@pytest.mark.parametrize("is_checked", [False, True])
def test_interrupted_as_maintenance_is_on(
    client: ActionsClient,
    threaded: ThreadedCluster,
    monkeypatch: pytest.MonkeyPatch,
    is_checked: bool,
) -> None:
    """An interruption when maintenance has been switched on switches it off again."""
    threaded.do(lambda cluster: cluster.plan("POST", "/v1/", SHORT, times=None))
    context = client.nodes.maintenance(1, check=is_checked)
    interrupt(monkeypatch, _Run, "_result")

    with pytest.raises(Stop), context:
        pytest.fail("there is no body")

    assert posts(threaded) == ["maintenance_on", "maintenance_off"]
    assert client.cluster.check().is_healthy
    assert list(client._link.use()[0]._kept) == [client._link._client]


@pytest.mark.parametrize("is_before", [True, False])
def test_interrupted_as_maintenance_ends(
    client: ActionsClient,
    threaded: ThreadedCluster,
    monkeypatch: pytest.MonkeyPatch,
    is_before: bool,
) -> None:
    """An interruption at either end of switching it off does not prevent that."""
    threaded.do(lambda cluster: cluster.plan("POST", "/v1/", SHORT, times=None))
    with pytest.raises(Stop), client.nodes.maintenance(1, check=False):
        interrupt(monkeypatch, Caller, "finish", is_before=is_before)

    assert posts(threaded) == ["maintenance_on", "maintenance_off"]
    assert client.cluster.check().is_healthy
    assert list(client._link.use()[0]._kept) == [client._link._client]


def test_interrupted_while_maintenance_ends(
    client: ActionsClient, threaded: ThreadedCluster, losing: None
) -> None:
    """An interruption before the loop has begun to switch it off does not prevent that."""
    threaded.do(lambda cluster: cluster.plan("POST", "/v1/", SHORT, times=None))
    Inbox.is_lost = True
    with pytest.raises(Stop), client.nodes.maintenance(1, check=False):
        Inbox.is_lost = False

    assert posts(threaded) == ["maintenance_on", "maintenance_off"]
    assert client.cluster.check().is_healthy


def test_maintenance_that_is_refused(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """Nothing is kept of maintenance that was not switched on."""
    client.nodes.maintenance_on(1).wait()
    with pytest.raises(ClusterUnhealthy), client.nodes.maintenance(1, busy_timeout=0):
        pytest.fail("there is no body")

    assert posts(threaded) == ["maintenance_on"]
    assert list(client._link.use()[0]._kept) == [client._link._client]


def test_maintenance_that_was_not_entered(
    client: ActionsClient, threaded: ThreadedCluster, process: _Process
) -> None:
    """The end of the process switches nothing on that was not."""
    context = client.nodes.maintenance(1, check=False)
    thread = client._link.use()[0]
    thread.keep(context, context._leave)  # type: ignore[attr-defined]  # as if it is being entered

    process.thread = None
    thread.stop()

    assert posts(threaded) == []


def test_interrupted_close(
    client: ActionsClient, threaded: ThreadedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interruption before the loop has begun to close a client does not prevent that."""
    uid = threaded.add(plan=LONG)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            client.wait_for_action(uid)
        except ClientClosed as error:
            errors.append(error)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    wait_for(lambda: bool(threaded.cluster.requests))
    thread = client._link.use()[0]
    gate = threading.Event()
    thread.submit(gate.wait, 30)
    threading.Timer(0.2, gate.set).start()
    interrupt(monkeypatch, _Run, "_next", is_before=True)

    with pytest.raises(Stop):
        client.close()

    waiting.join(10)
    assert len(errors) == 1
    assert thread._kept == {}
    with pytest.raises(ClientClosed):
        client.list_actions()


def test_interrupted_before_close(client: ActionsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of which nothing was closed does not count as closed."""
    assert client.list_actions() == []
    interrupt(monkeypatch, Caller, "__init__", is_before=True)

    with pytest.raises(Stop):
        client.close()

    assert client.list_actions() == []


def test_handler_that_calls(
    threaded: ThreadedCluster, process: _Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal handler may call a client while another call has the lock of the process."""
    loop_thread = _link.loop_thread
    called: list[list[Action]] = []

    def interrupted() -> LoopThread:
        monkeypatch.setattr(_link, "loop_thread", loop_thread)
        with ActionsClient.from_env() as other:
            called.append(other.list_actions())
        return loop_thread()

    monkeypatch.setattr(_link, "loop_thread", interrupted)
    client = ActionsClient.from_env()
    calling = threading.Thread(target=lambda: called.append(client.list_actions()), daemon=True)
    calling.start()
    calling.join(10)

    assert called == [[], []]
    client.close()


def test_handler_that_calls_first(
    threaded: ThreadedCluster, process: _Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal handler may make the first call while the thread of another one starts."""
    start_thread = threading.Thread.start
    client = ActionsClient.from_env()
    used: list[LoopThread] = []

    def start(self: threading.Thread) -> None:
        if self.name == "redis-enterprise-actions" and not used:
            monkeypatch.setattr(threading.Thread, "start", start_thread)
            client.list_actions()
            used.append(client._link.use()[0])
        start_thread(self)

    calling = threading.Thread(target=client.list_actions, daemon=True)
    monkeypatch.setattr(threading.Thread, "start", start)
    start_thread(calling)
    calling.join(10)

    assert not calling.is_alive()
    assert used == [client._link.use()[0]]
    wait_for(
        lambda: [each.name for each in threading.enumerate()].count("redis-enterprise-actions") == 1
    )
    client.close()


def test_no_lock_in_use(client: ActionsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is in use takes no lock, which a fork or a finalizer might find taken."""
    client.list_actions()
    monkeypatch.setattr(_link, "process_lock", lambda: pytest.fail("a lock"))

    assert client.list_actions() == []


def test_task_is_freed_on_the_loop(client: ActionsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that waits frees no task: an interruption in a finalizer would be ignored."""
    threads: list[int] = []
    result = _Run._result

    def freed() -> None:
        threads.append(threading.get_ident())

    def began(self: _Run[object]) -> object:
        assert self._task is None
        return result(self)

    async def nothing() -> None:
        task = asyncio.current_task()
        assert task is not None
        weakref.finalize(task, freed)

    monkeypatch.setattr(_Run, "_result", began)
    thread = client._link.use()[0]
    for _ in range(20):
        Caller(thread).run(nothing)
    wait_for(lambda: len(threads) == 20)

    assert set(threads) == {thread._thread.ident}
