"""Tests of the thread with the loop: its beginning, its end, and what a fork leaves of it."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.sync import ActionsClient, ClientClosed, Recorder, UsageError, _loop
from redis_enterprise_actions.sync import _caller as _caller_module
from redis_enterprise_actions.sync._caller import Caller
from redis_enterprise_actions.testing import Plan
from tests.sync.test_client import wait_for


if TYPE_CHECKING:
    from redis_enterprise_actions.sync import Action
    from redis_enterprise_actions.sync._loop import _Process
    from tests.threaded_cluster import ThreadedCluster

LONG = Plan(duration=60)
SHORT = Plan(duration=0.3)


def test_one_thread(threaded: ThreadedCluster, process: _Process) -> None:
    """All clients of a process share one thread, which begins with the first call."""
    clients = [ActionsClient.from_env() for _ in range(3)]
    assert clients[0].operation("a1").ref == "action:a1"
    assert process.thread is None
    for client in clients:
        client.list_actions()
    names = [each.name for each in threading.enumerate()]

    assert names.count("redis-enterprise-actions") == 1
    for client in clients:
        client.close()


STARTS = [
    pytest.param(RuntimeError, ClientClosed, False, id="at the end of the process"),
    pytest.param(KeyboardInterrupt, KeyboardInterrupt, False, id="interrupted before the start"),
    pytest.param(KeyboardInterrupt, KeyboardInterrupt, True, id="interrupted after the start"),
]


@pytest.mark.parametrize(("error", "raised", "has_started"), STARTS)
def test_thread_that_cannot_start(
    threaded: ThreadedCluster,
    process: _Process,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
    raised: type[BaseException],
    has_started: bool,
) -> None:
    """A process that ends starts no threads any more; an interrupted start leaves none."""
    start_thread = threading.Thread.start
    started: list[threading.Thread] = []

    def start(self: threading.Thread) -> None:
        if has_started:
            start_thread(self)
            started.append(self)
        raise error

    client = ActionsClient.from_env()
    with monkeypatch.context() as patch, pytest.raises(raised):
        patch.setattr(threading.Thread, "start", start)
        client.list_actions()
    assert process.thread is None
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()
    assert client.list_actions() == []
    client.close()


def test_end_of_the_process(
    threaded: ThreadedCluster, process: _Process, client: ActionsClient
) -> None:
    """At the end of the process contexts are left, iterations closed, and nobody is told."""
    threaded.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=0.1), times=None))
    recorder = Recorder()
    told: list[BaseException] = []
    uid = threaded.add("delete_crdb", plan=LONG)

    def wait() -> None:
        try:
            client.wait_for_action(uid, recorder=recorder)
        except BaseException as error:  # noqa: BLE001 - there must be none
            told.append(error)

    context = client.nodes.maintenance(1, check=False)
    context.__enter__()
    updates = client.watch_action(uid)
    next(updates)
    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    wait_for(lambda: bool(recorder.records()))
    thread = process.thread
    assert thread is not None

    _loop._stop()

    assert not thread._thread.is_alive()
    assert thread.loop.is_closed()
    assert (told, waiting.is_alive()) == ([], True)
    with pytest.raises(ClientClosed):
        client.list_actions()
    with pytest.raises(ClientClosed):
        thread.submit(print)
    assert len(recorder.records()) == 1
    thread.is_serving = True  # as a thread may see it that is a moment late
    with pytest.raises(ClientClosed):
        thread.submit(print)
    thread.is_serving = False
    thread.run_soon(client._link._client.aclose)  # as the garbage collector may
    updates.close()
    client.close()
    _loop._stop()
    path = "/v1/nodes/1/actions/maintenance_off"
    assert path in {request.path for request in threaded.cluster.requests}


def test_end_that_takes_too_long(
    process: _Process, client: ActionsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not end in time is left alone."""
    monkeypatch.setattr(_loop, "_EXIT_LIMIT", 0.1)
    go_on: Future[None] = Future()
    thread = client._link.use()[0]

    async def stubborn() -> None:
        while not go_on.done():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue

    thread.run_soon(stubborn)
    wait_for(lambda: bool(thread._tasks))
    process.thread = None
    thread.stop()

    assert thread._thread.is_alive()
    go_on.set_result(None)
    wait_for(lambda: not thread._tasks)
    thread._is_stopping = True
    thread.loop.call_soon_threadsafe(thread.loop.stop)
    thread._thread.join(10)
    assert not thread._thread.is_alive()


def test_daemon_threads_at_the_end(process: _Process, client: ActionsClient) -> None:
    """A call of a daemon thread at the end of the process does not return, nor raise."""
    client.list_actions()
    _loop._stop()
    told: list[object] = []

    def call() -> None:
        try:
            told.append(client.list_actions())
        except ClientClosed as error:
            told.append(error)

    daemon = threading.Thread(target=call, daemon=True)
    daemon.start()
    other = threading.Thread(target=call)
    other.start()
    other.join()
    daemon.join(0.2)

    assert [type(each) for each in told] == [ClientClosed]
    assert daemon.is_alive()


def test_end_while_a_call_begins(process: _Process, threaded: ThreadedCluster) -> None:
    """A call that comes between the end of the process and that of the loop is refused."""
    client = ActionsClient.from_env()
    check, process.has_ended = _loop.has_process_ended, True
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ClientClosed):
        assert check()
        patch.setattr("redis_enterprise_actions.sync._link.has_process_ended", lambda: False)
        client.list_actions()
    process.has_ended = False
    client.close()


def test_iterator_that_does_not_end(
    client: ActionsClient, threaded: ThreadedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The garbage collector does not wait for the loop for ever: it may hold what that needs."""
    monkeypatch.setattr(_caller_module, "_PATIENCE", 0.1)
    updates = client.watch_action(threaded.add(plan=LONG))
    next(updates)
    gate = threading.Event()
    client._link.use()[0].submit(gate.wait, 30)

    updates.close()

    gate.set()
    wait_for(lambda: len(client._link.use()[0]._kept) == 1)


def test_executor() -> None:
    """The executor works in daemon threads, and passes results and errors on."""
    executor = _loop._DaemonThreads()

    def name() -> str:
        assert threading.current_thread().daemon
        return threading.current_thread().name

    assert executor.submit(name).result() == "redis-enterprise-actions-call"
    assert isinstance(executor.submit(lambda: 1 / 0).exception(), ZeroDivisionError)


def test_executor_of_a_cancelled_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is cancelled before its thread runs is not made."""
    called: list[int] = []
    started: list[threading.Thread] = []
    start = threading.Thread.start
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda self: started.append(self))
        future = _loop._DaemonThreads().submit(called.append, 1)
    future.cancel()
    start(started[0])
    started[0].join()

    assert called == []
    with pytest.raises(CancelledError):
        future.result()


def test_interrupted_before_the_loop_has_begun(client: ActionsClient) -> None:
    """An interruption before the coroutine begins keeps it from beginning."""
    begun: list[int] = []
    thread = client._link.use()[0]
    caller = Caller(thread)
    gate = threading.Event()
    thread.submit(gate.wait, 30)

    async def begin() -> None:
        begun.append(1)

    run = _caller_module._Run(thread, begin)
    thread.submit(run._interrupt)
    thread.submit(run._begin)
    gate.set()

    assert caller.run(_nothing) is None
    assert begun == []
    assert run._has_ended
    assert run._inbox.get(timeout=10) is None


async def _nothing() -> None:
    pass


def test_coroutine_that_does_not_end(client: ActionsClient) -> None:
    """An interruption goes on after a while, although the coroutine has not ended."""
    ended: Future[str] = Future()
    go_on = threading.Event()
    caller = Caller(client._link.use()[0])

    async def stubborn() -> None:
        wrapped = caller.callback(interrupt, "on_progress")
        try:
            await wrapped(None)  # type: ignore[misc, arg-type]
        except asyncio.CancelledError:
            with pytest.raises(asyncio.CancelledError):
                await wrapped(None)  # type: ignore[misc, arg-type]
            await asyncio.to_thread(go_on.wait, 30)
            ended.set_result("at last")

    def interrupt(_: Action) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        caller.run(stubborn, patience=0.2)
    assert not ended.done()
    go_on.set()
    assert ended.result(10) == "at last"


def test_system_that_does_not_interrupt_locks(
    client: ActionsClient, threaded: ThreadedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a lock cannot be interrupted, a thread waits for short times."""
    monkeypatch.setattr(_caller_module, "_LONGEST_WAIT", 0.01)

    assert client.wait_for_action(threaded.add(plan=SHORT)).phase.terminal


def test_fork(threaded: ThreadedCluster, process: _Process) -> None:
    """After a fork, clients, operations and observers begin anew; the old ones say so."""
    threaded.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=0.1), times=None))
    seen: list[str] = []
    client = ActionsClient.from_env()
    client.observe(lambda begun: seen.append(begun.ref) or (lambda ended: None))
    variable: ContextVar[str] = ContextVar("variable", default="")
    client.poll_context.run(variable.set, "of the parent")
    uid = threaded.add("delete_crdb", plan=SHORT)
    operation = client.operation(uid)
    assert operation.get().uid == uid
    updates = client.watch_action(uid)
    next(updates)
    context = client.nodes.maintenance(1, check=False)
    context.__enter__()
    parent, its_client = client._link.use()

    _loop._forget_parent()  # as the child of a fork does

    assert client.wait_for(operation)[0].uid == uid
    assert operation.wait().uid == uid
    child, own_client = client._link.use()
    assert child is not parent
    assert own_client is not its_client
    assert client.poll_context.run(variable.get) == "of the parent"
    assert seen[-1] == f"action:{uid}"
    with pytest.raises(UsageError, match=r"^this was begun before a fork"):
        next(updates)
    with pytest.raises(UsageError, match=r"^this was begun before a fork"):
        parent.submit(print)
    count = len(threaded.cluster.requests)
    assert context.__exit__(None, None, None) is None
    assert len(threaded.cluster.requests) == count
    assert len(parent._kept) == 3  # nothing of the parent is finalized
    client.close()

    parent.is_of_parent, parent.is_serving = False, True
    parent.stop()
    assert not parent._thread.is_alive()


def test_fork_twice(process: _Process) -> None:
    """A process that has no thread forks, and so does its child."""
    _loop._forget_parent()
    _loop._forget_parent()

    assert _loop.present_thread() is None


def test_register_at_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no fork to register for."""
    monkeypatch.delattr(os, "register_at_fork", raising=False)

    _loop._register_at_fork()
