"""The commands `submit`, `get` and `cancel`, and what `submit` shares with the named calls."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Required, TypedDict, cast

from redis_enterprise_actions._cli.connection import client_from_args
from redis_enterprise_actions._cli.listing.command import print_one
from redis_enterprise_actions._cli.output import print_error, print_line
from redis_enterprise_actions._cli.wait.command import display_of_call, submit
from redis_enterprise_actions._cli.wait.prefixes import resolve_references
from redis_enterprise_actions._cli.wait.reporter import LogCapture
from redis_enterprise_actions._client.goals import check_call
from redis_enterprise_actions._client.http.redaction import secrets_in, without_secrets
from redis_enterprise_actions._client.submit.calls import Follow, find_rule
from redis_enterprise_actions._client.submit.request import build_request
from redis_enterprise_actions._client.submit.subjects import kind_of_call
from redis_enterprise_actions._model.database_names import parse_any_reference
from redis_enterprise_actions._model.errors import (
    CancelNotSupported,
    RequestRejected,
    UsageError,
)
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.reference import is_reference
from redis_enterprise_actions._model.text import json_text, one_line

from .body import read_data
from .confirmation import check_terminal, confirm, destruction_by


if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from typing import Literal, TypeAlias

    from redis_enterprise_actions._cli.execution import Execution
    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._client.operation import Operation

    from .confirmation import Destruction

    Start: TypeAlias = Callable[[], Coroutine[object, object, Operation]]


class SharedArguments(TypedDict, total=False):
    """Keyword arguments of `ActionsClient.submit` that all calls have options for."""

    headers: Required[dict[str, str]]
    busy_timeout: float
    outage_timeout: float
    untracked: Literal["refused", "completed"]


def run_submit(args: argparse.Namespace, execution: Execution) -> Coroutine[object, object, int]:
    """Return the call, and the wait for what it starts."""
    log = execution.enter_context(LogCapture())
    method, shared = args.method.upper(), shared_arguments(args)
    build_request(  # checks what is known before the body is read, and the user is asked
        method,
        args.path,
        None,
        dict(args.param),
        shared["headers"],
        request_timeout=None,
        client_timeout=0.0,
    )
    if args.wait and not args.dry_run:
        check_call(args.until, kind_of_call(method, args.path), f"{method} {args.path}")
    destruction = None if args.yes or args.dry_run else destruction_by(method, args.path)
    if destruction is not None:
        check_terminal(destruction)
    body, params = read_data(args.data), dict(args.param)
    is_dry = False
    if args.dry_run:
        rule, _ = find_rule(method, args.path)
        is_dry = rule.follow is not Follow.CRDB_TASK  # whose dry run is a task, which is followed
        if "dry_run" in rule.query:
            params["dry_run"] = "true"
        elif "dry_run" in rule.body and isinstance(body, dict | None):
            body = {**cast("dict[str, object]", body or {}), "dry_run": True}
        else:
            raise UsageError("the call was not made, as the API has no dry run of it")
    client = client_from_args(args, execution)
    start = partial(client.submit, method, args.path, body, params=params, **shared)
    return make_call(args, client, [start], log, execution, destruction=destruction, is_dry=is_dry)


def shared_arguments(args: argparse.Namespace) -> SharedArguments:
    """Return the arguments of a call that the options of all calls give."""
    shared: SharedArguments = {
        "headers": {name: value.reveal() for name, value in args.header},
        "busy_timeout": args.busy_timeout,
        "untracked": "completed" if args.accept_untracked else "refused",
    }
    if args.outage_timeout is not None:
        shared["outage_timeout"] = args.outage_timeout
    return shared


async def make_call(
    args: argparse.Namespace,
    client: ActionsClient,
    starts: Sequence[Start],
    log: LogCapture,
    execution: Execution,
    *,
    destruction: Destruction | None,
    is_dry: bool,
    resolve: Callable[[Destruction], Awaitable[tuple[Start, Destruction]]] | None = None,
) -> int:
    """Make a call, or several, and follow what they start; return the exit code.

    With `destruction` the user is asked first; `resolve` returns the call and what it destroys with
    the uid of a database in place of its name. With `is_dry` the answer is printed, and there is
    nothing to follow.
    """
    async with client:
        display = None if is_dry else display_of_call(args, client)
        if destruction is not None:
            execution.interrupted_note = lambda: "; nothing was sent"
            if resolve is not None:
                start, destruction = await resolve(destruction)
                starts = [start]
            await confirm(client, destruction)
            execution.interrupted_note = str
        if display is None:
            return _print_dry_run(await starts[0]())
        return await submit(args, client, starts, log, execution, display=display)


def _print_dry_run(operation: Operation) -> int:
    """Print the answer to a dry run, without secrets; return the exit code."""
    if operation.ref is not None:
        print_line(one_line(operation.ref))
        print_error("this was no dry run: the cluster has started work, with the reference above")
        return Outcome.FAILED.exit_code
    if operation.answer is not None:
        secrets = secrets_in(operation.answer)
        print_line(without_secrets(secrets, json_text(operation.answer)) or "")
    print_error("the cluster accepts the call; this was a dry run, and nothing was started")
    return 0


def run_get(args: argparse.Namespace, execution: Execution) -> Coroutine[object, object, int]:
    """Return the request for one operation."""
    return _get(args, client_from_args(args, execution))


def run_cancel(args: argparse.Namespace, execution: Execution) -> Coroutine[object, object, int]:
    """Return the request to cancel an operation."""
    return _cancel(args, client_from_args(args, execution))


async def _get(args: argparse.Namespace, client: ActionsClient) -> int:
    text = args.ref if is_reference(args.ref) else f"action:{args.ref}"
    async with client:
        (ref,) = await resolve_references(client, [parse_any_reference(text)], print_error)
        print_one(await client.get(str(ref)), args.output)
    return 0


async def _cancel(args: argparse.Namespace, client: ActionsClient) -> int:
    """Cancel an operation. One that the cluster does not know, or not any more, is not found."""
    async with client:
        (ref,) = await resolve_references(client, [parse_any_reference(args.ref)], print_error)
        try:
            await client.operation(str(ref)).cancel(force=args.force)
        except CancelNotSupported:
            await client.get(str(ref))  # which raises `ActionNotFound`, or the work goes on
            raise
        except RequestRejected as error:
            if error.status != 404:
                raise
            print_error(f"redis-actions: {ref} was not found: {error.detail}")
            return Outcome.NOT_FOUND.exit_code
    return 0
