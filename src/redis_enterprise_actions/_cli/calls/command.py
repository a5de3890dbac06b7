"""The commands `submit`, `get` and `cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._cli.connection import client_from_args
from redis_enterprise_actions._cli.output import print_action
from redis_enterprise_actions._cli.wait.command import submit
from redis_enterprise_actions._cli.wait.reporter import LogCapture
from redis_enterprise_actions._client.submit.calls import reason_not_followable
from redis_enterprise_actions._model.errors import UsageError

from .body import read_data


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine

    from redis_enterprise_actions._cli.execution import Execution
    from redis_enterprise_actions._client.client import ActionsClient


def run_submit(args: argparse.Namespace, execution: Execution) -> Coroutine[object, object, int]:
    """Return the call, and the wait for what it starts."""
    log = execution.enter_context(LogCapture())
    client = client_from_args(args)
    problem = reason_not_followable(args.method.upper(), args.path) if args.wait else None
    if problem is not None:
        raise UsageError(f"--wait cannot follow this call, which was not made: {problem}")
    limits = {} if args.outage_timeout is None else {"outage_timeout": args.outage_timeout}
    call = client.submit(
        args.method,
        args.path,
        read_data(args.data),
        params=dict(args.param),
        headers={name: value.reveal() for name, value in args.header},
        busy_timeout=args.busy_timeout,
        untracked="completed" if args.accept_untracked else "refused",
        **limits,
    )
    return submit(args, client, call, log, execution)


def run_get(args: argparse.Namespace, _: Execution) -> Coroutine[object, object, int]:
    """Return the request for one action."""
    return _get(args, client_from_args(args))


def run_cancel(args: argparse.Namespace, _: Execution) -> Coroutine[object, object, int]:
    """Return the request to cancel an operation."""
    return _cancel(args, client_from_args(args))


async def _get(args: argparse.Namespace, client: ActionsClient) -> int:
    async with client:
        print_action(await client.get_action(args.uid), as_json=args.json)
    return 0


async def _cancel(args: argparse.Namespace, client: ActionsClient) -> int:
    async with client:
        await client.operation(args.ref).cancel(force=args.force)
    return 0
