"""The command `fake-cluster --replay`: a cluster that gives the answers of a capture."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import duration_text, one_line
from redis_enterprise_actions.testing import CaptureError, FakeCluster

from .output import print_json, print_line
from .scripted import addresses, print_exports
from .serving import serve


if TYPE_CHECKING:
    import argparse

    from redis_enterprise_actions.testing import ReplayedCluster


# Options that a replay has no use for.
_NOT_COMBINED: Final = ("scenario", "version", "nodes", "seed", "control", "control_host")


async def serve_replay(args: argparse.Namespace) -> int:
    """Serve the answers of a capture to its end.

    Raises `UsageError` for a file that is no capture, a port that cannot be used, and options that
    a replay has no use for.
    """
    for name in _NOT_COMBINED:
        if getattr(args, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} cannot be combined with --replay")
    if args.speed == 0:
        raise UsageError("--speed must be more than 0 with --replay: nothing else moves its clock")
    path, port = args.replay, args.port or 0
    try:
        replayed = FakeCluster.replay(path, port=port, speed=args.speed or 1.0)
    except CaptureError as error:
        raise UsageError(f"--replay {one_line(str(error))}") from error
    except ValueError as error:
        raise UsageError(f"--port {port} cannot be used: {error}") from error
    async with AsyncExitStack() as stack:
        try:
            cluster = await stack.enter_async_context(replayed)
        except OSError as error:
            raise UsageError(f"--port {port} cannot be used: {error}") from error
        if args.json:
            print_json(addresses(cluster))
            return await serve(until_eof=args.until_eof)
        print_line(f"A replay of {one_line(path)} is at {cluster.url} until Ctrl-C.")
        for line in describe(cluster):
            print_line(line)
        print_exports(cluster)
        return await serve(until_eof=args.until_eof)


def describe(cluster: ReplayedCluster) -> list[str]:
    """Return what a capture holds, as lines."""
    requests = f"Requests: {len(cluster.exchanges)}, in {duration_text(cluster.seconds)}"
    made_with = one_line(cluster.made_with) or "unknown"
    lines = [f"{requests}; nodes: {len(cluster.urls)}; made with: {made_with}"]
    if cluster.unknown:
        words = [f"{name}: {', '.join(words)}" for name, words in cluster.unknown.items()]
        lines.append(one_line(f"Words that its client did not know: {'; '.join(words)}"))
    return lines
