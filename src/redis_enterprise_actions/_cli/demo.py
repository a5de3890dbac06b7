"""The commands `fake-cluster` and `demo`, which need no real cluster."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.client import ActionsClient
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.reference import parse_reference
from redis_enterprise_actions._model.text import duration_text
from redis_enterprise_actions.testing import FakeCluster, Plan

from .output import print_error, print_line
from .replay import serve_replay
from .scripted import make_cluster, print_exports, serve_scripted
from .serving import check_standard_input, serve
from .wait.displays import ci_output, create_display
from .wait.follow import StopCondition, follow
from .wait.progress import format_counts, format_summary
from .wait.reporter import LogCapture, ProgressReporter


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine

    from .execution import Execution
    from .wait.events import SummaryEvent
    from .wait.progress import Progress

_PLANNED: Final = {"completed": 4, "failed": 1}  # ends of the demonstration


def run_fake_cluster(
    args: argparse.Namespace, execution: Execution
) -> Coroutine[object, object, int]:
    """Return the fake cluster, which runs until a signal or the end of standard input."""
    execution.is_service = True
    if args.until_eof:
        check_standard_input()
    if args.replay is not None:
        return serve_replay(args)
    cluster = make_cluster(args)
    if args.scenario is None and args.control is None and not args.json:
        return serve_fake_cluster(cluster, args)
    return serve_scripted(cluster, args)


def run_demo(_: argparse.Namespace, __: Execution) -> Coroutine[object, object, int]:
    """Return the demonstration."""
    return demonstrate()


async def serve_fake_cluster(cluster: FakeCluster, args: argparse.Namespace) -> int:
    """Serve a fake cluster with a few running actions, to its end."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(cluster)
        except OSError as error:
            raise UsageError(f"--port {args.port} cannot be used: {error}") from error
        print_line(f"A fake cluster, version {cluster.version}, is at {cluster.url} until Ctrl-C.")
        print_exports(cluster)
        print_line("")
        print_line("# Each of these begins when it is first asked for, also by list.")
        if cluster.speed != 1:
            print_line(f"# Times are of the cluster's clock: {cluster.speed:g} s pass in a second.")
        add = partial(cluster.add_action, when_asked_for=True)
        for uid, note in (
            (add("SMUpdateBDB", Plan(duration=60), shards=(1, 2)), "completes after a minute"),
            (
                add(
                    "retry_bdb",
                    Plan(duration=30, outcome="failed", error="node 1 is full"),
                    node_uid=1,
                ),
                "fails after half a minute",
            ),
            (
                add(
                    "module_installation",
                    Plan(duration=45, outcome="cancelled", progress="linear"),
                ),
                "is cancelled after 45 s",
            ),
            (
                add("SMDeleteBDB", Plan(duration=90), bdb_uid=2),
                "deletes a database: completed once that is gone",
            ),
            (
                add("maintenance_on", Plan(outcome="never"), node_uid=1),
                "never ends: try --timeout 10",
            ),
        ):
            print_line(f"# {note}")
            print_line(f"redis-actions wait {uid}")
        path = f"/v1/bdbs/{cluster.add_bdb()}/upgrade"
        cluster.plan("POST", path, Plan(duration=20), times=None)
        print_line("# starts what completes after 20 s")
        print_line(f"redis-actions submit POST {path}")
        return await serve(until_eof=args.until_eof)


async def demonstrate() -> int:
    """Wait for actions on a fake cluster, as `wait` does; return 0 if they ended as planned."""
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

        def summary(done: SummaryEvent, _: Progress) -> str:
            if done.why is not None:  # nothing can be resumed, as the cluster ends, too
                return f"{format_summary(done)} (exit code {done.exit_code})"
            counts = format_counts(done.ended, done.left)
            how = "as planned" if done.ended == _PLANNED else "not as planned"
            took, requests = duration_text(done.elapsed), len(cluster.requests)
            return f"{counts} ({how}), in {took} and {requests} requests"

        log = stack.enter_context(LogCapture())
        # An annotation or a job summary would tell of the planned failure as one of the job.
        output = "auto" if ci_output(os.environ) is None else "plain"
        display = create_display(output, print_error, cluster.url, summary)
        reporter = await stack.enter_async_context(ProgressReporter(display, log, keep_alive=60))
        await follow(
            {parse_reference(uid): client.operation(uid) for uid in uids},
            stop=StopCondition.ALL,
            options={},
            reporter=reporter,
        )
    return 0 if reporter.progress.outcome_counts == _PLANNED else 1
