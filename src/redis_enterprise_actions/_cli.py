"""What the terminal shows and what the exit code says: the command `redis-actions`.

Progress and results go to standard output, complaints to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import sys
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import msgspec

from ._action import Action, one_line
from ._bars import Bars
from ._errors import (
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionStalled,
    ActionVanished,
    RedisActionsError,
    RequestError,
    WaitError,
    WaitTimeout,
)
from ._login import ENVIRONMENT, client_of, connection_options


if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._client import ActionsClient

# How a wait can end otherwise than well: the error, the word for it, the exit code.
_ENDS: Final[tuple[tuple[type[RedisActionsError], str, int], ...]] = (
    (ActionFailed, "failed", 1),
    (ActionCancelled, "cancelled", 1),
    (ActionAborted, "aborted", 1),
    (WaitTimeout, "timed out", 3),
    (ActionStalled, "stalled", 3),
    (ActionNotFound, "not found", 4),
    (ActionVanished, "vanished", 4),
    (RequestError, "unreachable", 5),
    (RedisActionsError, "wrong usage", 2),
)
_WORST_FIRST: Final = (1, 4, 3, 5, 0)  # of several waits, the most definite bad news decides
_NAME: Final = "redis-enterprise-actions"
_INTERRUPTED: Final = 130
_PIPE_CLOSED: Final = 141
_NO_OUTPUT: Final = 74  # EX_IOERR of sysexits.h

_EPILOG: Final = f"""\
{ENVIRONMENT}

exit codes of wait:
  0  completed                        4  not found, or vanished
  1  failed, cancelled or aborted     5  the cluster could not be asked
  2  wrong usage                    130  interrupted
  3  timed out, or stalled           74, 141  the output could not be written
  With several actions, the first of 1, 4, 3, 5 that occurred. The other commands end with 0 when
  they were answered, whatever the answer is; otherwise with 2, 4 or 5, as above.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # a strange letter must not end a wait
    args = _parser().parse_args(argv)
    try:
        # The password is asked for before the loop runs, where Ctrl-C would not be heard.
        work = args.run(args, client_of(args)) if args.connects else args.run(args)
        code: int = asyncio.run(work)
    except KeyboardInterrupt:
        _complain(f"interrupted{args.interrupted}")
        return _INTERRUPTED
    except RedisActionsError as error:
        _complain(f"redis-actions: {error}")
        return _end_of(error)[1]
    except OSError as error:
        # Output goes nowhere any more; without this, Python complains once more as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return _PIPE_CLOSED
        _complain(f"redis-actions: the output cannot be written: {error}")
        return _NO_OUTPUT
    return code


def _complain(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr)


def _end_of(result: Action | RedisActionsError) -> tuple[str, int]:
    """Return the word and the exit code for how a wait ended."""
    if isinstance(result, Action):
        return "completed", 0
    return next((word, code) for kind, word, code in _ENDS if isinstance(result, kind))


# --- commands -----------------------------------------------------------------------------------


async def _list(args: argparse.Namespace, client: ActionsClient) -> int:
    async with client:
        actions = await client.list_actions(bdb_uid=args.bdb)
    for action in actions:
        _show(action, as_json=args.json)
    if not actions:
        _complain("no actions")
    return 0


async def _get(args: argparse.Namespace, client: ActionsClient) -> int:
    async with client:
        _show(await client.get_action(args.uid), as_json=args.json)
    return 0


async def _wait(args: argparse.Namespace, client: ActionsClient) -> int:
    async def follow(uid: str) -> int:
        result: Action | WaitError | RequestError
        try:
            result = await client.wait_for_action(
                uid,
                on_progress=report.changed,
                timeout=args.timeout,
                stall_timeout=args.stall_timeout,
                outage_timeout=args.outage_timeout,
                not_found_grace=args.not_found_grace,
            )
        except (WaitError, RequestError) as error:
            result = error
        return report.ended(uid, result)

    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(client)
        watched = args.bars and sys.stdout is not None and sys.stdout.isatty()
        bars = stack.enter_context(Bars()) if watched else None
        report = _Report(as_json=args.json, bars=bars)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(follow(uid)) for uid in dict.fromkeys(args.uid)]
        except ExceptionGroup as several:
            raise several.exceptions[0] from None
    codes = {task.result() for task in tasks}
    return next(code for code in _WORST_FIRST if code in codes)


class _Report:
    """Tells of waits under way, a line for each change and one for each end."""

    def __init__(self, *, as_json: bool, bars: Bars | None) -> None:
        self._as_json = as_json
        self._bars = bars
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()

    def changed(self, action: Action) -> None:
        """Tell how an action stands."""
        elapsed = self._clock() - self._began
        if self._bars is not None:
            self._bars.changed(action)
        elif self._as_json:
            _print_json({"event": "change", "elapsed": round(elapsed, 3), "action": action})
        else:
            _print(f"{elapsed:8.1f} s  {action}")

    def ended(self, uid: str, result: Action | WaitError | RequestError) -> int:
        """Tell how a wait ended; return its exit code."""
        elapsed = self._clock() - self._began
        outcome, code = _end_of(result)
        if isinstance(result, Action):
            said = f"{result.title} [{one_line(uid)}] completed after {elapsed:.1f} s"
        else:
            said = str(result)
        if self._as_json:
            _print_json({
                "event": "end",
                "uid": uid,
                "outcome": outcome,
                "exit_code": code,
                "elapsed": round(elapsed, 3),
                "message": said,
                "action": result if isinstance(result, Action) else result.action,
            })  # fmt: skip
        else:
            _print(said)
        return code


async def _fake_cluster(args: argparse.Namespace) -> int:
    from ._demo import serve  # noqa: PLC0415 - a web server that the other commands do not need

    await serve(args.port, args.version, _print)


async def _demo(_: argparse.Namespace) -> int:
    from ._demo import demo  # noqa: PLC0415 - ditto

    return await demo(_print)


# --- input and output ---------------------------------------------------------------------------


def _show(action: Action, *, as_json: bool) -> None:
    if as_json:
        _print_json(action)
    else:
        _print(str(action))


def _print_json(value: object) -> None:
    _print(msgspec.json.encode(value).decode())


def _print(line: str) -> None:
    print(line, flush=True)


_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}


def duration(text: str) -> float:
    """Read a duration from the command line: `90`, `90s`, `1.5m`, `2h`; in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90, 30s, 15m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="redis-actions",
        description="See and await long-running actions on a Redis Software cluster.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version(_NAME))
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    connection = connection_options()

    add = partial(commands.add_parser, allow_abbrev=False)
    command = add("list", parents=[connection], help="show what the cluster does")
    command.add_argument("--bdb", type=int, metavar="UID", help="only what works on this database")
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    command.set_defaults(run=_list, connects=True, interrupted="")

    command = add("get", parents=[connection], help="show one action as it is now")
    command.add_argument("uid", metavar="UID", help="an action_uid or a task_id")
    command.add_argument("--json", action="store_true", help="as a JSON object")
    command.set_defaults(run=_get, connects=True, interrupted="")

    command = add(
        "wait",
        parents=[connection],
        help="wait until actions have ended",
        description="Wait until every action given has ended: a line for each change, then a "
        "line for each action that says how it ended. Durations are seconds, or as in 30s, 15m, "
        "2h.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("uid", metavar="UID", nargs="+", help="an action_uid or a task_id")
    shown = command.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="one JSON object a line")
    shown.add_argument(
        "--bars",
        action="store_true",
        help="live bars instead of lines, where the output is a terminal; needs rich",
    )
    for name, default, text in (
        ("--timeout", None, "give up after this long (default: never)"),
        ("--stall-timeout", None, "give up when nothing has moved for this long (default: never)"),
        ("--outage-timeout", 300.0, "how long it may not answer, as in 5m, the default, or 999h"),
        ("--not-found-grace", 10.0, "how long it may not know the action yet (default: 10s)"),
    ):
        command.add_argument(name, type=duration, default=default, metavar="TIME", help=text)
    command.set_defaults(
        run=_wait, connects=True, interrupted="; what runs on the cluster goes on running"
    )

    command = add("fake-cluster", help="serve a fake cluster with actions under way")
    command.add_argument("--port", type=int, default=0, help="on 127.0.0.1 (default: a free one)")
    versions = ("7.4", "7.8", "7.22", "8.0")
    text = "the version of Redis Software to imitate (default: 8.0)"
    command.add_argument("--version", choices=versions, default="8.0", help=text)
    command.set_defaults(run=_fake_cluster, connects=False, interrupted="")

    command = add("demo", help="wait for several actions on a fake cluster")
    command.set_defaults(run=_demo, connects=False, interrupted="")
    return parser
