"""What can be shown without a cluster: `redis-actions fake-cluster` and `redis-actions demo`."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NoReturn

from redis_enterprise_actions._client.client import ActionsClient
from redis_enterprise_actions._model.action import Action
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions.testing import Version

_EXPECTED = 4, 1  # completed, failed


async def serve_fake_cluster(port: int, version: Version, say: Callable[[str], None]) -> NoReturn:
    """Serve a fake cluster with a few actions under way, until cancelled."""
    async with AsyncExitStack() as stack:
        try:
            cluster = await stack.enter_async_context(FakeCluster(version=version, port=port))
        except (OSError, OverflowError) as error:
            raise UsageError(f"--port {port} cannot be used: {error}") from error
        say(f"A fake cluster, version {version}, is at {cluster.url} until Ctrl-C.")
        say("In another terminal:")
        say("")
        say(f"export REDIS_ENTERPRISE_URL={cluster.url}")
        say(f"export REDIS_ENTERPRISE_USER={shlex.quote(cluster.username)}")
        say(f"export REDIS_ENTERPRISE_PASSWORD={shlex.quote(cluster.password)}")
        say("")
        for uid, note in _start_some(cluster):
            say(f"redis-actions wait {uid}  # {note}")
        while True:  # noqa: ASYNC110 - nothing will ever happen, and that is the point
            await asyncio.sleep(3600)


def _start_some(cluster: FakeCluster) -> list[tuple[str, str]]:
    add = cluster.add_action
    return [
        (add("SMUpdateBDB", Plan(duration=60), shards=(1, 2)), "completes after a minute"),
        (
            add(
                "retry_bdb", Plan(duration=30, outcome="failed", error="node 1 is full"), node_uid=1
            ),
            "fails after half a minute",
        ),
        (
            add("module_installation", Plan(duration=45, outcome="cancelled", progress="linear")),
            "is cancelled after 45 s",
        ),
        (
            add("SMDeleteBDB", Plan(duration=90), bdb_uid=2),
            "deletes a database: completed once that is gone",
        ),
        (add("maintenance_on", Plan(outcome="never"), node_uid=2), "never ends: try --timeout 10"),
    ]


async def run_demo(say: Callable[[str], None]) -> int:
    """Await several actions on a fake cluster; return 0 if they ended as they were meant to."""
    clock = asyncio.get_running_loop().time
    began = clock()

    def show(action: Action) -> None:
        say(f"{clock() - began:6.1f} s  {action}")

    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(FakeCluster())
        client = await stack.enter_async_context(
            ActionsClient(cluster.url, username=cluster.username, password=cluster.password)
        )
        add = cluster.add_action
        uids = [
            add("SMCreateBDB", Plan(duration=4), bdb_uid=1),
            add("SMUpdateBDB", Plan(duration=7), bdb_uid=2, shards=(3,)),
            add(
                "retry_bdb", Plan(duration=3, outcome="failed", error="node 1 is full"), node_uid=1
            ),
            add("SMDeleteBDB", Plan(duration=5), bdb_uid=3),
            add("export", Plan(duration=6, progress="linear"), bdb_uid=4),
        ]
        say(f"Waiting for {len(uids)} actions on a fake cluster at {cluster.url}:")
        results = await client.wait_for_actions(uids, settle=True, on_progress=show)
        asked = len(cluster.requests)
    say("")
    for result in results:
        if isinstance(result, Action):
            say(f"completed  {result.title}")
        else:
            say(f"failed     {result}")
    completed = sum(isinstance(result, Action) for result in results)
    failed = len(results) - completed
    say(
        f"\n{completed} completed, {failed} failed (as it was meant to), "
        f"in {clock() - began:.1f} s and {asked} requests"
    )
    return 0 if (completed, failed) == _EXPECTED else 1
