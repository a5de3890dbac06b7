"""Tests of the callbacks of the synchronous client: plain functions in the thread that waits."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.sync import (
    Action,
    ActionFailed,
    ActionsClient,
    ClientClosed,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions.sync._caller import Caller, _answer
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions.sync import Record
    from tests.threaded_cluster import ThreadedCluster

SHORT = Plan(duration=0.3)
LONG = Plan(duration=60)


def test_thread(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """Callbacks run in the thread that has called the wait, and may call the client."""
    threads: set[threading.Thread] = set()
    seen: list[int] = []

    def callback(action: Action) -> None:
        threads.add(threading.current_thread())
        seen.append(len(client.list_actions()))

    def until(action: Action) -> bool:
        threads.add(threading.current_thread())
        return client.get_action(action.uid).progress is not None

    done = client.wait_for_action(threaded.add(plan=LONG), on_progress=callback, until=until)

    assert not done.phase.terminal
    assert threads == {threading.current_thread()}
    assert seen == [1]
    assert client.wait_for_action(threaded.add(plan=LONG), until="progress=0").progress == 0


def test_slow_callback_delays_no_other_wait(
    client: ActionsClient, threaded: ThreadedCluster
) -> None:
    """A callback that blocks holds up its own wait alone."""
    blocked, go_on = threading.Event(), threading.Event()

    def block(_: Action) -> None:
        blocked.set()
        assert go_on.wait(30)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.wait_for_action, threaded.add(plan=SHORT), on_progress=block)
        assert blocked.wait(30)
        assert client.wait_for_action(threaded.add(plan=SHORT), timeout=20).phase.terminal
        assert not slow.done()
        go_on.set()
        assert slow.result().phase.terminal


def test_slow_callback_at_the_deadline(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """A callback that blocks beyond the deadline ends in `WaitTimeout`; no other is called."""
    called: list[Action] = []

    def block(action: Action) -> None:
        called.append(action)
        time.sleep(1)

    uids = [threaded.add(plan=LONG) for _ in range(2)]
    with pytest.raises(WaitTimeout):
        client.wait_for_actions(uids, timeout=0.4, on_progress=block)

    assert len(called) == 1


class OwnError(Exception):
    """Error of a callback."""


@pytest.mark.parametrize("argument", ["on_progress", "until"])
def test_error(client: ActionsClient, threaded: ThreadedCluster, argument: str) -> None:
    """The error of a callback reaches its caller unchanged, and shows where it was raised."""
    error = OwnError("mine")

    def fail(_: Action) -> None:
        raise error

    with pytest.raises(OwnError) as caught:
        client.wait_for_action(threaded.add(plan=LONG), **{argument: fail})  # type: ignore[arg-type]

    assert caught.value is error
    frames = traceback.extract_tb(error.__traceback__)
    assert frames[-1].name == "fail"
    assert not any("_client/" in frame.filename for frame in frames)


def test_error_of_this_package(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """An error of this package that a callback lets pass is not mistaken for that of its wait."""
    bad = threaded.add(plan=Plan(duration=0.1, outcome="failed"))

    def nested(_: Action) -> None:
        client.wait_for_action(bad)

    with pytest.raises(ActionFailed) as caught:
        client.wait_for_action(threaded.add(plan=LONG), on_progress=nested)

    assert caught.value.uid == bad
    assert "nested" in {frame.name for frame in traceback.extract_tb(caught.value.__traceback__)}


def test_stop_iteration(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """A callback that raises `StopIteration` is named, as in the asynchronous client."""

    def stop(_: Action) -> None:
        raise StopIteration

    with pytest.raises(RuntimeError, match=r"^on_progress=\S*stop raised StopIteration$"):
        client.wait_for_action(threaded.add(plan=LONG), on_progress=stop)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interruption(
    client: ActionsClient, threaded: ThreadedCluster, error: type[BaseException]
) -> None:
    """What is no `Exception` ends the wait in order, and the client goes on."""

    def interrupt(_: Action) -> None:
        raise error

    with pytest.raises(error):
        client.wait_for_actions([threaded.add(plan=LONG) for _ in range(2)], on_progress=interrupt)

    assert len(client.list_actions()) == 2


def test_callback_that_closes(threaded: ThreadedCluster) -> None:
    """A callback may close the client, which ends its own wait."""
    with (
        ActionsClient.from_env() as client,
        pytest.raises(ClientClosed),
    ):
        client.wait_for_action(threaded.add(plan=LONG), on_progress=lambda _: client.close())


async def coroutine_function(_: Action) -> None:
    """Coroutine function."""


class CoroutineCallable:
    """Object whose call is a coroutine function."""

    async def __call__(self, _: Action) -> None: ...


ASYNCHRONOUS: list[Callable[[Action], object]] = [
    coroutine_function,
    partial(partial(coroutine_function)),
    CoroutineCallable(),
]


@pytest.mark.parametrize("function", ASYNCHRONOUS)
@pytest.mark.parametrize("argument", ["on_progress", "until"])
def test_coroutine_functions(
    client: ActionsClient, argument: str, function: Callable[[Action], object]
) -> None:
    """A coroutine function is refused, with the cure, before anything is sent."""
    message = rf"^{argument}= is a coroutine function: the synchronous client takes plain functions"
    with pytest.raises(UsageError, match=message):
        client.wait_for_action("a1", **{argument: function})  # type: ignore[arg-type]


def test_other_coroutine_functions(client: ActionsClient) -> None:
    """So is one that is an observer or a token function."""
    with pytest.raises(UsageError, match=r"^observer= is a coroutine function"):
        client.observe(coroutine_function)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^token= is a coroutine function"):
        ActionsClient("http://n1", token=coroutine_function)  # type: ignore[arg-type]


class Awaitable:
    """Awaitable that is no coroutine."""

    def __await__(self) -> object:
        raise NotImplementedError


@pytest.mark.parametrize("result", [coroutine_function, lambda _: Awaitable()])
def test_awaitable_results(
    client: ActionsClient, threaded: ThreadedCluster, result: Callable[[Action], object]
) -> None:
    """A function that returns what nothing would await is an error."""
    with pytest.raises(UsageError, match=r"^on_progress= returned an awaitable: "):
        client.wait_for_action(threaded.add(plan=LONG), on_progress=lambda action: result(action))


def test_wrong_callbacks(client: ActionsClient) -> None:
    """What cannot be called is refused as by the asynchronous client."""
    with pytest.raises(UsageError, match="on_progress='x' cannot be called"):
        client.wait_for_action("a1", on_progress="x")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="until=5 is neither text nor a function"):
        client.wait_for_action("a1", until=5)  # type: ignore[arg-type]


def test_calls_in_the_thread_of_the_loop(
    client: ActionsClient, threaded: ThreadedCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """A call in an observer, which would wait for itself, is an error instead."""
    errors: list[str] = []

    def observer(_: Record) -> Callable[[Record], None]:
        for call in (client.list_actions, client.close, lambda: client.watch_action("a1")):
            with pytest.raises(UsageError) as caught:
                call()
            errors.append(str(caught.value))
        client.list_actions()
        raise NotImplementedError

    client.observe(observer)
    assert client.wait_for_action(threaded.add(plan=SHORT)).phase.terminal

    assert len(errors) == 3
    assert all("call the client in another thread" in error for error in errors)
    assert "an observer of the wait" in caplog.text


def test_observer_that_forks(
    client: ActionsClient,
    threaded: ThreadedCluster,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An observer that returns in another process than it was called in ends that."""
    codes: list[int] = []

    def observer(_: Record) -> Callable[[Record], None]:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        return lambda ended: None

    monkeypatch.setattr(os, "_exit", codes.append)
    client.observe(observer)
    client.wait_for_action(threaded.add(plan=SHORT))

    assert codes == [1]
    assert "an observer has forked, which it must not: the child ends here" in caplog.messages


def test_schedule_that_ends_the_loop(
    client: ActionsClient, threaded: ThreadedCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """A `SystemExit` on the loop does not end it."""
    assert client.list_actions() == []
    thread = client._link.use()[0]

    def exit_() -> None:
        raise SystemExit(3)

    thread.submit(exit_)

    assert client.wait_for_action(threaded.add(plan=SHORT)).phase.terminal
    assert "a function that was called on the event loop has failed" in caplog.text


def test_result_that_comes_late(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """A result of a callback whose wait was cancelled meanwhile is dropped."""
    thread = client._link.use()[0]
    answer = thread.loop.create_future()
    answer.cancel()

    _answer(answer, "late", None)

    assert answer.cancelled()


def test_call_that_comes_late(client: ActionsClient) -> None:
    """A callback whose wait was cancelled before its turn is not called."""
    caller = Caller(client._link.use()[0])
    called: list[object] = []
    go_on = threading.Event()

    def callback(value: object) -> None:
        called.append(value)
        assert go_on.wait(30)

    async def waits() -> None:
        wrapped = caller.callback(callback, "on_progress")
        first, second = (asyncio.ensure_future(wrapped(each)) for each in "ab")  # type: ignore[arg-type, misc]
        await asyncio.sleep(0.1)
        second.cancel()
        await asyncio.wait([second])
        go_on.set()
        await first

    caller.run(waits)

    assert called == ["a"]
