"""The command `fake-cluster --replay`: a cluster that gives the answers of a capture."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NoReturn

from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import duration_text, one_line
from redis_enterprise_actions.testing import CaptureError, FakeCluster

from .output import print_line


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import ReplayedCluster


async def serve_replay(path: str, port: int, speed: float) -> NoReturn:
    """Serve the answers of a capture until cancelled.

    Raises `UsageError` for a file that is no capture, and a port that cannot be used.
    """
    try:
        replayed = FakeCluster.replay(path, port=port, speed=speed)
    except CaptureError as error:
        raise UsageError(f"--replay {one_line(str(error))}") from error
    async with AsyncExitStack() as stack:
        try:
            cluster = await stack.enter_async_context(replayed)
        except (OSError, OverflowError) as error:
            raise UsageError(f"--port {port} cannot be used: {error}") from error
        print_line(f"A replay of {one_line(path)} is at {cluster.url} until Ctrl-C.")
        for line in describe(cluster):
            print_line(line)
        print_line("In another terminal:")
        print_line("")
        print_line(f"export REDIS_ENTERPRISE_URL={shlex.quote(' '.join(cluster.urls))}")
        print_line(f"export REDIS_ENTERPRISE_USER={shlex.quote(cluster.username)}")
        print_line(f"export REDIS_ENTERPRISE_PASSWORD={shlex.quote(cluster.password)}")
        while True:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(3600)


def describe(cluster: ReplayedCluster) -> list[str]:
    """Return what a capture holds, as lines."""
    requests = f"Requests: {len(cluster.exchanges)}, in {duration_text(cluster.seconds)}"
    made_with = one_line(cluster.made_with) or "unknown"
    lines = [f"{requests}; nodes: {len(cluster.urls)}; made with: {made_with}"]
    if cluster.unknown:
        words = [f"{name}: {', '.join(words)}" for name, words in cluster.unknown.items()]
        lines.append(one_line(f"Words that its client did not know: {'; '.join(words)}"))
    return lines
