"""What the terminal shows and what the exit code says: the command `redis-actions`.

Progress and results go to standard output, complaints to standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Final

from ._action import one_line
from ._arguments import arguments, json_of
from ._bars import Bars
from ._chores import CHORES
from ._errors import RedisActionsError, RequestError, WaitError
from ._login import client_of
from ._looking import look, watch
from ._reference import parse
from ._report import Report, end_of, print_json, print_line, show


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Mapping, Sequence

    from ._action import Action
    from ._calls import Starting
    from ._client import ActionsClient
    from ._desk import WaitOptions
    from ._operation import Operation
    from ._reference import Reference

_WORST_FIRST: Final = (1, 4, 3, 5, 0)  # of several waits, the most definite bad news decides
_CALL_PATIENCE: Final = 10.0  # seconds for which a call is tried
_INTERRUPTED: Final = 130
_PIPE_CLOSED: Final = 141
_NO_OUTPUT: Final = 74  # EX_IOERR of sysexits.h


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # a strange letter must not end a wait
    args = arguments(argv)
    del argv  # which may hold the passwords of a body
    try:
        work = _work(args)
        code = work if isinstance(work, int) else asyncio.run(work)
    except KeyboardInterrupt:
        _complain(f"interrupted{args.interrupted}")
        return _INTERRUPTED
    except RedisActionsError as error:
        _complain(f"redis-actions: {error}")
        return end_of(error)[1]
    except OSError as error:
        # Output goes nowhere any more; without this, Python complains once more as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return _PIPE_CLOSED
        _complain(f"redis-actions: the output cannot be written: {error}")
        return _NO_OUTPUT
    return code


def _work(args: argparse.Namespace) -> Coroutine[object, object, int] | int:
    """Return what is to be done, or the exit code of what is done at once.

    A password is asked for, and a body is read, before the loop runs, where Ctrl-C would not be
    heard.
    """
    if args.run in CHORES:
        return CHORES[args.run](args)
    if args.connects:
        return _CONNECTED[args.run](args, client_of(args))
    return _ALONE[args.run](args)


def _complain(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr)


# --- commands -----------------------------------------------------------------------------------


async def _get(args: argparse.Namespace, client: ActionsClient) -> int:
    async with client:
        show(await client.get_action(args.uid), as_json=args.json)
    return 0


async def _wait(args: argparse.Namespace, client: ActionsClient) -> int:
    refs = [parse(text) for text in args.ref]
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(client)
        return await _follow({ref: client.operation(str(ref)) for ref in refs}, args, stack)


def _submit(args: argparse.Namespace, client: ActionsClient) -> Coroutine[object, object, int]:
    patience = args.outage_timeout
    starting = client.submit(
        args.method,
        args.path,
        # In no variable, which a traceback might show.
        json_of(args.data),
        params=dict(args.param),
        headers={name: value.reveal() for name, value in args.header},
        busy_timeout=args.busy_timeout,
        outage_timeout=_CALL_PATIENCE if patience is None else patience,
    )
    return _submitted(args, client, starting)


async def _submitted(args: argparse.Namespace, client: ActionsClient, starting: Starting) -> int:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(client)
        operation = await starting
        ref = operation.ref
        if ref is None:
            _complain("nothing was started that lasts")
        if args.json:
            print_json({"event": "submitted", "ref": ref})
        elif ref is not None:
            print_line(one_line(ref))
        if ref is None or not args.wait:
            return 0
        return await _follow({parse(ref): operation}, args, stack)


async def _cancel(args: argparse.Namespace, client: ActionsClient) -> int:
    async with client:
        await client.operation(args.ref).cancel(force=args.force)
    return 0


async def _follow(
    operations: Mapping[Reference, Operation],
    args: argparse.Namespace,
    stack: contextlib.AsyncExitStack,
) -> int:
    """Follow operations to their ends; return the exit code."""
    watched = args.bars and sys.stdout is not None and sys.stdout.isatty()
    bars = stack.enter_context(Bars()) if watched else None
    report = Report(as_json=args.json, bars=bars)
    options: WaitOptions = {
        "timeout": args.timeout,
        "stall_timeout": args.stall_timeout,
        "on_progress": report.changed,
    }
    if args.outage_timeout is not None:
        options["outage_timeout"] = args.outage_timeout
    if args.not_found_grace is not None:
        options["not_found_grace"] = args.not_found_grace

    async def follow(ref: Reference, operation: Operation) -> int:
        result: Action | WaitError | RequestError
        try:
            result = await operation.wait(**options)
        except (WaitError, RequestError) as error:
            result = error
        return report.ended(ref.name, result)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follow(*each)) for each in operations.items()]
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    codes = {task.result() for task in tasks}
    return next(code for code in _WORST_FIRST if code in codes)


async def _fake_cluster(args: argparse.Namespace) -> int:
    from ._demo import serve  # noqa: PLC0415 - a web server that the other commands do not need

    await serve(args.port, args.version, print_line)


async def _demo(_: argparse.Namespace) -> int:
    from ._demo import demo  # noqa: PLC0415 - ditto

    return await demo(print_line)


_CONNECTED: Final = {
    "list": look,
    "watch": watch,
    "get": _get,
    "wait": _wait,
    "submit": _submit,
    "cancel": _cancel,
}
_ALONE: Final = {"fake-cluster": _fake_cluster, "demo": _demo}
