"""Tests of changes of a cluster that meet each other, fail, or are cancelled."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions.testing import FakeCluster, ScenarioError
from redis_enterprise_actions.testing.server.task_lock import TaskLock
from tests.http_client import http_client
from tests.testing.sessions import port_of


if TYPE_CHECKING:
    from collections.abc import Coroutine

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

BOOTSTRAP = {
    "action": "create_cluster",
    "cluster": {"name": "a.example"},
    "credentials": {"username": "a@example.com", "password": "b"},
}


async def turns(number: int) -> None:
    """Let the loop turn some times."""
    for _ in range(number):
        await asyncio.sleep(0)


async def result_of(work: asyncio.Task[Any]) -> BaseException | None:
    """Return the error of a task, or None."""
    (result,) = await asyncio.gather(work, return_exceptions=True)
    return result


def listens(port: int) -> bool:
    """Return True if a server listens at a port."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def ports(cluster: FakeCluster) -> list[int]:
    """Return the ports of the nodes."""
    return [port_of(url) for url in cluster.urls]


def start(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Start a task."""
    return asyncio.create_task(work)


class TestMeetings:
    """Changes at the same time."""

    async def test_two_resets(self) -> None:
        """Two resets are made one after the other."""
        async with FakeCluster(nodes=2, speed=0) as cluster:
            await asyncio.gather(cluster.reset(), cluster.reset())
            assert cluster._nodes.running == [1, 2]

    @pytest.mark.parametrize("wait", range(0, 60, 3))
    async def test_start_and_reset(self, wait: int) -> None:
        """A node that is started during a reset runs already afterwards."""
        async with FakeCluster(nodes=3, speed=0) as cluster:
            await cluster.stop_node(2)
            reset = start(cluster.reset())
            await turns(wait + 1)
            with pytest.raises(ValueError, match="node 2 runs already"):
                await cluster.start_node(2)
            assert await result_of(reset) is None
            assert cluster._nodes.running == [1, 2, 3]

    @pytest.mark.parametrize("wait", range(0, 80, 2))
    async def test_exit_and_reset(self, wait: int) -> None:
        """Nothing listens after the exit, whatever a reset did meanwhile."""
        before = asyncio.all_tasks()
        cluster = FakeCluster(nodes=3, speed=0)
        async with cluster:
            listening = ports(cluster)
            reset = start(cluster.reset())
            await turns(wait)
        assert not any(map(listens, listening))
        error = await result_of(reset)
        assert error is None or "runs inside" in str(error)
        assert cluster._nodes.running == []
        assert asyncio.all_tasks() == before

    @pytest.mark.parametrize("wait", range(0, 60, 2))
    async def test_cancelled_exit(self, wait: int) -> None:
        """An exit that is cancelled while a reset runs leaves nothing, either."""
        before, listening = asyncio.all_tasks(), list[int]()
        resets: list[asyncio.Task[None]] = []
        begun = asyncio.Event()

        async def run() -> None:
            async with FakeCluster(nodes=2, speed=0) as cluster:
                listening.extend(ports(cluster))
                resets.append(start(cluster.reset()))
                await asyncio.sleep(0)
                begun.set()

        task = start(run())
        await begun.wait()
        await turns(wait)
        task.cancel()
        await result_of(task)
        assert not any(map(listens, listening))
        await result_of(resets[0])
        assert asyncio.all_tasks() == before

    async def test_entered_twice(self) -> None:
        """A cluster that runs cannot be entered, and goes on."""
        async with FakeCluster() as cluster, http_client(cluster) as call:
            with pytest.raises(RuntimeError, match="the cluster runs already"):
                await cluster.__aenter__()
            assert (await call("GET", "/v1/actions"))[0] == 200

    async def test_both_enter(self) -> None:
        """Of two that enter a cluster at once, one does."""
        cluster = FakeCluster(nodes=2)
        entries = [start(cluster.__aenter__()) for _ in range(2)]
        errors = [await result_of(each) for each in entries]
        assert isinstance(errors[1], RuntimeError)
        async with http_client(cluster) as call:
            assert (await call("GET", "/v1/actions"))[0] == 200
        await cluster.__aexit__(None, None, None)


class TestFailures:
    """Resets that fail or are cancelled, and those after errors of tasks."""

    @pytest.mark.parametrize("wait", range(1, 80, 2))
    async def test_cancelled_reset(self, wait: int) -> None:
        """After a reset that was cancelled no node runs, and the next reset is complete."""
        async with FakeCluster(nodes=3, speed=0) as cluster, http_client(cluster) as call:
            cluster.chaos(1, horizon=60, episodes=9)
            reset = start(cluster.reset())
            await turns(wait)
            reset.cancel()
            error = await result_of(reset)
            assert cluster._nodes.running == ([1, 2, 3] if error is None else [])
            await cluster.reset()
            assert cluster._nodes.running == [1, 2, 3]
            assert (await call("GET", "/v1/actions"))[0] == 200

    async def test_taken_port(self) -> None:
        """A reset that fails stops all nodes; one that is started then answers."""
        async with FakeCluster(nodes=2, speed=0) as cluster, http_client(cluster) as call:
            await cluster.stop_node(2)
            taken = socket.create_server(("127.0.0.1", ports(cluster)[1]))
            with taken, pytest.raises(OSError, match="address"):
                await cluster.reset()
            assert cluster._nodes.running == []
            await cluster.start_node(1)
            assert (await call("GET", "/v1/actions"))[0] == 200

    async def test_after_chaos(self, caplog: pytest.LogCaptureFixture) -> None:
        """The error of an old task is logged and noted, and does not stop a reset."""
        async with FakeCluster(nodes=3, speed=0) as cluster, http_client(cluster) as call:
            cluster.chaos(3, horizon=100, episodes=30)
            while len(cluster._nodes.running) == 3:
                await cluster.advance(0.5)
            down = ({1, 2, 3} - {*cluster._nodes.running}).pop()
            with socket.create_server(("127.0.0.1", ports(cluster)[down - 1])):
                await cluster.advance(200)
            problems = [str(each) for each in cluster.problems]
            assert problems
            assert all(each.startswith("chaos: ") for each in problems)
            assert caplog.messages == problems
            await cluster.reset()
            assert cluster._nodes.running == [1, 2, 3]
            assert cluster.problems == []
            assert (await call("GET", "/v1/actions"))[0] == 200

    async def test_after_bootstrap(self) -> None:
        """A node that cannot be started after a downtime is a problem; no task stays behind."""
        before = asyncio.all_tasks()
        with pytest.raises(ScenarioError, match=r"bootstrap: .*address"):
            async with FakeCluster(nodes=2, bootstrapped=False, speed=0) as cluster:
                cluster.plan_bootstrap(1, duration=10, downtime=[(0.5, 5)])
                async with http_client(cluster) as call:
                    await call("POST", "/v1/bootstrap/create_cluster", BOOTSTRAP)
                cluster.chaos(3, horizon=1000, episodes=10)
                await cluster.advance(6)
                with socket.create_server(("127.0.0.1", ports(cluster)[0])):
                    await cluster.advance(6)
                assert [str(each)[:10] for each in cluster.problems] == ["bootstrap:"]
        assert asyncio.all_tasks() == before


class TestTaskLock:
    """The lock that its holder can take again."""

    async def test_again(self) -> None:
        """The holder takes the lock again, and others wait until it has left it as often."""
        lock, seen = TaskLock(), list[str]()

        async def other() -> None:
            async with lock:
                seen.append("other")

        async with lock:
            waiting = start(other())
            async with lock:
                await turns(3)
            await turns(3)
            seen.append("holder")
        await waiting
        assert seen == ["holder", "other"]

    async def test_cancelled(self) -> None:
        """A task that is cancelled while it waits does not hold the lock."""
        lock = TaskLock()
        async with lock:
            waiting = start(lock.__aenter__())
            await turns(1)
            waiting.cancel()
            await result_of(waiting)
        async with lock:
            pass

    def test_loops(self) -> None:
        """Each event loop has a lock, also if one ended while the lock was held."""
        lock = TaskLock()

        async def contend() -> None:
            async with lock:
                waiting = start(lock.__aenter__())
                await turns(2)
                assert not waiting.done()
            await waiting

        for _ in range(2):
            asyncio.run(contend())
