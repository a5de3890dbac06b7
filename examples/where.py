"""Clients for the examples: of your cluster if one is configured, else of a fake one."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

from redis_enterprise_actions import ActionsClient, sync
from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@asynccontextmanager
async def somewhere(*names: str) -> AsyncIterator[tuple[ActionsClient, list[str]]]:
    """Yield a client and the uids to wait for: those on the command line, or some fake ones."""
    if "REDIS_ENTERPRISE_URL" in os.environ:
        if not sys.argv[1:]:
            sys.exit("give the uid of an action on your cluster")
        async with ActionsClient.from_env() as client:
            yield client, sys.argv[1:]
        return
    async with (
        FakeCluster() as cluster,
        ActionsClient(cluster.url, username=cluster.username, password=cluster.password) as client,
    ):
        yield client, [cluster.add_action(name, Plan(duration=2)) for name in names]


@asynccontextmanager
async def a_cluster(url: str | None = None) -> AsyncIterator[ActionsClient]:
    """Yield a client of your cluster, or of a fake one with three nodes and two databases."""
    if "REDIS_ENTERPRISE_URL" in os.environ:
        async with ActionsClient.from_env(url=url) as client:
            yield client
        return
    async with (
        FakeCluster(nodes=3) as cluster,
        ActionsClient(cluster.urls, username=cluster.username, password=cluster.password) as client,
    ):
        for uid in (1, 2):
            cluster.add_bdb(uid)
        for method in ("POST", "PUT"):
            cluster.plan(method, "/v1/", Plan(duration=0.5), times=None)
        yield client


@contextmanager
def a_cluster_for_threads() -> Iterator[sync.ActionsClient]:
    """Yield a synchronous client of your cluster, or of a fake one with two databases."""
    if "REDIS_ENTERPRISE_URL" in os.environ:
        with sync.ActionsClient.from_env() as client:
            yield client
        return
    started: SimpleQueue[tuple[FakeCluster, asyncio.AbstractEventLoop, asyncio.Event]]
    started = SimpleQueue()

    async def serve() -> None:
        async with FakeCluster() as cluster:
            for uid in (1, 2):
                cluster.add_bdb(uid)
            cluster.plan("POST", "/v1/", Plan(duration=1), times=None)
            end = asyncio.Event()
            started.put((cluster, asyncio.get_running_loop(), end))
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    cluster, loop, end = started.get()
    try:
        with sync.ActionsClient(
            cluster.url, username=cluster.username, password=cluster.password
        ) as client:
            yield client
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
