"""Tests of clients in several event loops."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionsClient, ClientClosed, UsageError
from redis_enterprise_actions._client.http.auth import TokenAuth
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator

    from redis_enterprise_actions import Action
    from tests.threaded_cluster import ThreadedCluster

    Call = Callable[[ActionsClient], Coroutine[object, object, object]]

OTHER = (
    "the client belongs to the event loop that it was first used in, and this is another one: make "
    "a client inside the coroutine that asyncio.run() runs, or use redis_enterprise_actions.sync"
)
UID = "11111111-1111-1111-1111-111111111111"


async def watch(client: ActionsClient, ref: str) -> None:
    """Watch some work to its end."""
    async for _ in client.operation(ref):
        pass


async def watch_action(client: ActionsClient) -> None:
    """Watch an action to its end."""
    async for _ in client.watch_action(UID):
        pass


async def keep(client: ActionsClient, *, check: bool) -> None:
    """Keep a node in maintenance."""
    async with client.nodes.maintenance(1, check=check):
        pass


async def enter(client: ActionsClient) -> None:
    """Use a client as a context manager."""
    async with client:
        pass


CALLS: dict[str, Call] = {
    "async with": enter,
    "list_actions": lambda client: client.list_actions(),
    "get_action": lambda client: client.get_action(UID),
    "wait_for_action": lambda client: client.wait_for_action(UID),
    "watch_action": watch_action,
    "wait_for_actions": lambda client: client.wait_for_actions([UID]),
    "submit": lambda client: client.submit("POST", "/v1/bdbs/1/upgrade"),
    "get": lambda client: client.get("bdb:1"),
    "get by name": lambda client: client.get("bdb:name:db"),
    "wait_for": lambda client: client.wait_for("bdb:1@available"),
    "wait_for a name": lambda client: client.wait_for("bdb:name:db"),
    "Operation.wait": lambda client: client.operation(UID).wait(),
    "Operation.watch": lambda client: watch(client, "bdb:name:db"),
    "Operation.result": lambda client: client.operation(UID).result(),
    "Operation.cancel": lambda client: client.operation("node:1/remove").cancel(),
    "databases.upgrade": lambda client: client.databases.upgrade(1),
    "databases.get": lambda client: client.databases.get("name:db"),
    "databases.wait": lambda client: client.databases.wait(1),
    "nodes.maintenance_on": lambda client: client.nodes.maintenance_on(1, check=True),
    "nodes.maintenance": lambda client: keep(client, check=True),
    "nodes.maintenance unchecked": lambda client: keep(client, check=False),
    "cluster.check": lambda client: client.cluster.check(),
}


@pytest.fixture
def used(threaded: ThreadedCluster) -> Iterator[ActionsClient]:
    """Return a client that is in use in another event loop, with all its locks taken.

    A wait for a lock of another loop would never end.
    """
    client = ActionsClient.from_env(auth="jwt")
    with asyncio.Runner() as runner:
        runner.run(client.list_actions())
        authenticator = client._transport.authenticator
        assert isinstance(authenticator, TokenAuth)
        for lock in (
            authenticator._lock,
            client._parts.sources.actions.v2._first_request,
            client.nodes._guard._checking,
        ):
            runner.run(lock.acquire())
        yield client
        runner.run(client.aclose())


@pytest.mark.parametrize("call", CALLS)
def test_other_loop(threaded: ThreadedCluster, used: ActionsClient, call: str) -> None:
    """In another loop, each call is an error that names the cure; nothing is sent."""
    requests_before = len(threaded.cluster.requests)
    with pytest.raises(UsageError) as caught:
        asyncio.run(CALLS[call](used))

    assert str(caught.value) == OTHER
    assert len(threaded.cluster.requests) == requests_before


def test_second_run(threaded: ThreadedCluster) -> None:
    """The same holds after the end of the first loop; closing the client is no error."""
    client = ActionsClient.from_env()

    async def first() -> None:
        waiting = asyncio.create_task(client.wait_for_action(UID))
        await client.list_actions()
        waiting.cancel()
        await asyncio.wait([waiting])
        # No idle connections, of whose sockets the interpreter would warn.
        session = client._transport._session
        assert session is not None
        assert session.connector is not None
        await session.connector.close()

    asyncio.run(first())
    with pytest.raises(UsageError) as caught:
        asyncio.run(client.wait_for_action(UID))
    assert str(caught.value) == OTHER
    asyncio.run(client.aclose())
    for call in (client.list_actions(), client.wait_for_action(UID)):
        with pytest.raises(ClientClosed):
            asyncio.run(call)
    asyncio.run(client.aclose())


ITERATION = (
    "the iteration began in another event loop and cannot go on in this one: make the client and "
    "iterate inside one coroutine that asyncio.run() runs, or use redis_enterprise_actions.sync"
)


async def end(updates: AsyncGenerator[Action, None]) -> list[Action]:
    """Return what is left of an iteration."""
    return [action async for action in updates]


@pytest.mark.parametrize(
    "step", [end, anext, lambda updates: updates.asend(None), lambda updates: end(aiter(updates))]
)
@pytest.mark.parametrize("ref", [None, "bdb:name:db1@gone"])
def test_second_run_of_iteration(
    threaded: ThreadedCluster, step: Callable[[object], Awaitable[object]], ref: str | None
) -> None:
    """An iteration that the end of its loop has closed does not look complete in another loop."""
    uid = threaded.add("retry_bdb", plan=Plan(duration=300))
    threaded.do(lambda cluster: cluster.add_bdb(1, name="db1"))

    async def first() -> AsyncGenerator[Action, None]:
        async with ActionsClient.from_env() as client:
            updates = client.operation(ref).watch() if ref else client.watch_action(uid)
            assert (await anext(updates)).phase.unfinished
            return updates

    async def second(updates: AsyncGenerator[Action, None]) -> None:
        with pytest.raises(UsageError) as caught:
            await step(updates)
        assert str(caught.value) == ITERATION
        await updates.aclose()

    asyncio.run(second(asyncio.run(first())))


def test_step_outside_of_a_loop(threaded: ThreadedCluster) -> None:
    """A step may be made outside of a loop and awaited in it, until the loop is closed."""
    uid = threaded.add(plan=Plan(duration=0.1))

    async def awaited(step: Awaitable[Action | None]) -> Action | None:
        return await step

    async def begin() -> AsyncGenerator[Action, None]:
        return client.watch_action(uid)

    with asyncio.Runner() as runner:
        client = ActionsClient.from_env()
        updates = runner.run(begin())
        assert runner.run(awaited(anext(updates))) is not None
        assert runner.run(end(updates))[-1].status == "completed"
        assert runner.run(awaited(anext(updates, None))) is None
        runner.run(client.aclose())
    with pytest.raises(UsageError) as caught:
        anext(updates)
    assert str(caught.value) == ITERATION


def test_closed_iteration(threaded: ThreadedCluster) -> None:
    """In its own loop, an iteration that was closed or has ended yields nothing."""
    uid = threaded.add(plan=Plan(duration=0.1))

    async def main() -> None:
        async with ActionsClient.from_env() as client:
            ended, closed, unused = (client.watch_action(uid) for _ in range(3))
            assert (await end(ended))[-1].status == "completed"
            await anext(closed)
            await closed.aclose()
            await unused.aclose()
            assert [await end(each) for each in (ended, closed, unused)] == [[], [], []]

    asyncio.run(main())


LEFT = """
import asyncio
from redis_enterprise_actions import ActionsClient, ClientClosed

client, loop = ActionsClient("http://127.0.0.1:9"), asyncio.new_event_loop()
waiting = loop.create_task(client.wait_for_action("a"))
for _ in range(2):  # the wait and the poll loop begin, and nothing is sent
    loop.call_soon(loop.stop)
    loop.run_forever()
loop.close()
asyncio.run(asyncio.wait_for(client.aclose(), 10))
try:
    asyncio.run(client.get_action("a"))
except ClientClosed as error:
    print(error)
"""


@pytest.mark.enable_socket
def test_close_with_waits_left() -> None:
    """A client whose loop was closed under its waits is closed without a hang."""
    # In a process of its own, as the interpreter complains about the tasks that are left.
    ran = subprocess.run(
        [sys.executable, "-c", LEFT], capture_output=True, text=True, check=True, timeout=60
    )

    assert ran.stdout == "the client is closed\n"


def test_first_use_binds(threaded: ThreadedCluster) -> None:
    """A client that has sent nothing may be used in any loop: it binds at its first use."""
    client = ActionsClient.from_env()

    async def idle() -> None:
        client.operation(UID)
        with pytest.raises(UsageError, match="is not the uid"):
            await client.get_action("")

    async def works() -> None:
        async with client:
            await client.list_actions()

    asyncio.run(idle())
    asyncio.run(works())


def test_loop_of_another_thread(threaded: ThreadedCluster) -> None:
    """The same holds for a loop of another thread at the same time, closing included."""
    errors: list[BaseException] = []

    async def main() -> None:
        async with ActionsClient.from_env() as client:
            uid = threaded.add(plan=Plan(duration=2))
            waiting = asyncio.create_task(client.wait_for_action(uid))
            await asyncio.sleep(0.2)

            def use() -> None:
                for call in (client.wait_for_action(uid), client.list_actions(), client.aclose()):
                    try:
                        asyncio.run(call)
                    except UsageError as error:
                        errors.append(error)

            thread = threading.Thread(target=use)
            thread.start()
            await asyncio.to_thread(thread.join)
            assert (await waiting).status == "completed"

    asyncio.run(main())
    closing = (
        "the client belongs to another event loop, which is still open: close the client in that "
        "loop"
    )
    assert [str(error) for error in errors] == [OTHER, OTHER, closing]
