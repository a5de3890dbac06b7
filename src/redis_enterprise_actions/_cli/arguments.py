"""What the command line takes, and says of itself."""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, cast

import msgspec

from redis_enterprise_actions._cli.listing.query import Selection, selection_from
from redis_enterprise_actions._cli.settings.connection import ENVIRONMENT, connection_options
from redis_enterprise_actions._cli.wait.options import (
    add_stop_options,
    add_wait_options,
    parse_duration,
)
from redis_enterprise_actions._client.config.options import similar_name
from redis_enterprise_actions._client.http.auth import Secret
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import one_line

from .completion import SHELLS, answer_completion
from .help import add_examples
from .output import escape_ci_commands


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


_NAME: Final = "redis-enterprise-actions"
_SELECTED: Final = """\
It takes references, or filters. With filters it looks once, as list does, and waits for everything
that matches all of them and has not ended; with --status, also for ended work of that status.
--name '*' matches everything. Nothing to wait for is an error, unless --allow-empty is given."""
_FILTERS: Final = "instead of REF; what matches all that are given is waited for"
_REFERENCES: Final = """Durations are seconds, or as in 30s, 15m, 2h.

A reference (REF) is one of
  UID, or action:UID         an action, by its action_uid or task_id
  node:UID/ACTION            an action of a node, such as node:1/maintenance_on
  cluster:ACTION             an action of the cluster, such as cluster:change_master
  crdb:ID                    a task of an Active-Active database
  export:BDB import:BDB backup:BDB   that of a database, by its uid
  bdb:UID, bdb:UID@gone      a database that is to settle, or to be gone
or what submit prints, which tells one run from another.
"""
_EPILOG: Final = f"""\
{ENVIRONMENT}

exit codes of wait:
  0  completed                         4  not found, or vanished
  1  failed, cancelled or aborted      5  the cluster could not be asked, or refused
  2  wrong usage, nothing to wait for  6  completed, but a report or the hook failed
  3  timed out, or stalled             8  not followed: the answer to a call names nothing
  70 an error that was not foreseen    130, 143  interrupted: SIGINT, SIGTERM
                                       74, 141  the output could not be written
  With several actions, the first of 1, 4, 3, 5 that occurred; with --any, 0 if one has completed.
  The other commands end with 0 when they were answered, whatever the answer is; otherwise with 2,
  4, 5 or 70, as above.
"""
_NEITHER: Final = "wait for what? Give REF, or filters such as --status running or --bdb 3"
_BOTH: Final = "wait takes REF or filters, not both"
_MAX_DEPTH: Final = 100  # the API's own are ten deep at most
_OPTION: Final = re.compile("--[a-z-]+(?==|$)")
_MIN_INTERVAL: Final = 1.0  # seconds between two looks, to spare the cluster
_SHOWN: Final = "what is shown has to match each that is given"
_TO_SET_UP: Final = {
    "profiles": "show which profiles there are",
    "login": "store a password in the system's keyring, for profiles",
    "logout": "remove a password from the keyring",
}


def read_data(data: Secret | None) -> object:
    """Read what `--data` gives: JSON, or `@` and the file that it is in, `-` for standard input.

    No error shows a word of it, as it may hold passwords.
    """
    if data is None:
        return None
    text = data.reveal()
    given = _read_bytes(text.removeprefix("@")) if text.startswith("@") else text
    problem = "is not JSON"
    try:
        read: object = msgspec.json.decode(given)
    except (ValueError, RecursionError):
        del text, given  # which a traceback that shows variables would show
    else:
        if not _is_too_deep(read):
            return read
        problem = f"has more than {_MAX_DEPTH} lists and objects in each other"
        del text, given, read  # ditto
    raise UsageError(f"--data {problem}")


def _is_too_deep(value: object) -> bool:
    """Return True if a JSON value is too deep for functions that call themselves."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            each
            for outer in level
            if isinstance(outer, (dict, list))
            for each in cast(
                "Iterable[object]", outer.values() if isinstance(outer, dict) else outer
            )
        ]
    return any(isinstance(each, (dict, list)) for each in level)


def _read_bytes(path: str) -> bytes:
    if path == "-" and sys.stdin is None:
        raise UsageError("--data @- cannot be read: there is no standard input")
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(f"--data @{path} cannot be read: {error}") from None


def name_and_value(text: str) -> tuple[str, str]:
    """Read `NAME=VALUE` from the command line, and repeat none of it, as it may be a secret."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("give it as NAME=VALUE")
    return name, value


def name_and_secret(text: str) -> tuple[str, Secret]:
    """Read a header, whose value may be a secret, likewise."""
    name, value = name_and_value(text)
    return name, Secret(value)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; by default, the process's.

    Of what is too much no more than options' names are repeated: a body without its `--data` holds
    secrets. The first of them is answered with the option that has a similar name.
    """
    top = build_parser()
    answer_completion(top)
    args, rest = top.parse_known_args(argv)
    if rest:
        shown = [_OPTION.match(text) for text in rest]
        words = [option[0] if option else "..." for option in shown]
        message = "unrecognized arguments: " + " ".join(words)
        known = {
            option.removeprefix("--").replace("-", "_"): option
            for option in re.findall("--[a-z-]+", args.usage())
        }
        similar = similar_name(words[0].removeprefix("--").replace("-", "_"), known)
        top.error(message if similar is None else f"{message}; did you mean {known[similar]}?")
    if args.run == "wait" and bool(args.ref) is (selection_from(args) != Selection()):
        top.error(_BOTH if args.ref else _NEITHER)
    return args


class _Parser(argparse.ArgumentParser):
    """A parser, and those of its commands, whose complaints are one printable line each."""

    def error(self, message: str) -> NoReturn:
        super().error(escape_ci_commands(one_line(message)))


def build_parser() -> argparse.ArgumentParser:
    made = _Parser(
        prog="redis-actions",
        description="See and await long-running actions on a Redis Software cluster.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top = cast("argparse.ArgumentParser", made)  # whose commands take any as parents
    top.add_argument("--version", action="version", version=version(_NAME))
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    connection = connection_options()

    add = partial(commands.add_parser, allow_abbrev=False)
    add_looks(add, connection)

    command = add("get", parents=[connection], help="show one action as it is now")
    command.add_argument("uid", metavar="UID", help="an action_uid or a task_id")
    command.add_argument("--json", action="store_true", help="as a JSON object")
    command.set_defaults(run="get", connects=True, interrupted="")

    left_alone = "; what runs on the cluster goes on running"
    command = add(
        "wait",
        parents=[connection],
        help="wait until actions, or other long-running work, have ended",
        description=f"Wait until everything given has ended, show how it goes, and say how each "
        f"ended: with live bars on a terminal, or lines.\n\n{_SELECTED}\n\n{_REFERENCES}",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    text = "an action's uid, or a reference; - for those on standard input, one a line, or JSON"
    command.add_argument("ref", metavar="REF", nargs="*", help=text)
    _add_filters(command, _FILTERS)
    add_stop_options(command)
    add_wait_options(command)
    command.set_defaults(run="wait", connects=True, interrupted=left_alone)

    command = add(
        "submit",
        parents=[connection],
        help="start something long-running, and wait for it if told to",
        description="Send a call of the API that starts something, and print the reference to "
        "what it has started, for wait.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("method", metavar="METHOD", help="POST, PUT, PATCH or DELETE")
    command.add_argument("path", metavar="PATH", help="such as /v1/bdbs/1/upgrade")
    command.add_argument(
        "--data",
        type=Secret,
        metavar="JSON",
        help="the body, or @FILE, or @- for standard input, which keep secrets from other users",
    )
    command.add_argument(
        "--param",
        type=name_and_value,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for the query",
    )
    command.add_argument(
        "--header",
        type=name_and_secret,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a header",
    )
    command.add_argument(
        "--busy-timeout",
        type=parse_duration,
        default=0.0,
        metavar="TIME",
        help="how long to ask again where the answer is 409, busy (default: not at all)",
    )
    command.add_argument("--wait", action="store_true", help="wait until it has ended")
    text = "with --wait: take the answer for the end where it names nothing to follow"
    command.add_argument("--accept-untracked", action="store_true", help=text)
    add_wait_options(command)
    command.set_defaults(run="submit", connects=True, interrupted=left_alone)

    command = add(
        "cancel",
        parents=[connection],
        help="cancel what the API can cancel: node:, cluster:, crdb:",
    )
    command.add_argument("ref", metavar="REF", help="a reference, as wait takes")
    command.add_argument(
        "--force", action="store_true", help="of a CRDB's task that is committing; may do damage"
    )
    command.set_defaults(run="cancel", connects=True, interrupted="")

    command = add("fake-cluster", help="serve a fake cluster with actions under way")
    command.add_argument("--port", type=int, default=0, help="on 127.0.0.1 (default: a free one)")
    versions = ("7.4", "7.8", "7.22", "8.0")
    text = "the version of Redis Software to imitate (default: 8.0)"
    command.add_argument("--version", choices=versions, default="8.0", help=text)
    command.set_defaults(run="fake-cluster", connects=False, interrupted="")

    command = add("demo", help="wait for several actions on a fake cluster")
    command.set_defaults(run="demo", connects=False, interrupted="")

    add_chores(add, connection)
    for name, command in commands.choices.items():
        command.set_defaults(usage=command.format_usage)  # which has all options
        add_examples(name, command)
    return top


def add_looks(
    add: Callable[..., argparse.ArgumentParser],
    connection: argparse.ArgumentParser,
) -> None:
    """Add `list` and `watch`."""
    command = add("list", parents=[connection], help="show what the cluster does")
    _add_filters(command, _SHOWN)
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    command.set_defaults(run="list", connects=True, interrupted="")

    command = add("doctor", parents=[connection], help="find out what keeps you from the cluster")
    text = "how long each step may take (default: 10s)"
    command.add_argument("--timeout", type=parse_duration, default=10.0, metavar="TIME", help=text)
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    command.set_defaults(run="doctor", connects=False, interrupted="")

    command = add("watch", parents=[connection], help="see live what the cluster does")
    _add_filters(command, _SHOWN)
    text = "from one look to the next (default: 5s)"
    command.add_argument("--interval", type=_watch_interval, default=5.0, metavar="TIME", help=text)
    text = "look once, and print what list prints"
    command.add_argument("--once", action="store_true", help=text)
    command.set_defaults(run="watch", connects=True, interrupted="", json=False)


def add_chores(
    add: Callable[..., argparse.ArgumentParser], connection: argparse.ArgumentParser
) -> None:
    """Add what needs no cluster."""
    for name, text in _TO_SET_UP.items():
        command = add(name, parents=[] if name == "profiles" else [connection], help=text)
        command.set_defaults(run=name, connects=False, interrupted="")
    command = add("completion", help="print what lets Tab complete, for a shell")
    command.add_argument("shell", choices=SHELLS, help="the shell that is to run it")
    command.set_defaults(run="completion", connects=False, interrupted="")


def _add_filters(command: argparse.ArgumentParser, said: str) -> None:
    """Add the filters that `selection_from` reads; `said` tells what they are for."""
    filters = command.add_argument_group("filters", said)
    filters.add_argument("--bdb", type=int, metavar="UID", help="what works on this database")
    filters.add_argument("--node", type=int, metavar="UID", help="what works on this node")
    text = "such as running,failed: phases, or the cluster's own words"
    filters.add_argument(
        "--status", type=parse_statuses, default=frozenset(), metavar="STATUS", help=text
    )
    text = "a pattern for the action's name, such as 'SM*'"
    filters.add_argument("--name", metavar="PATTERN", help=text)


def _watch_interval(text: str) -> float:
    seconds = parse_duration(text)
    if seconds < _MIN_INTERVAL:
        raise argparse.ArgumentTypeError(f"look every {_MIN_INTERVAL:g}s at most")
    return seconds


def parse_statuses(text: str) -> frozenset[str]:
    """Read words with commas between them."""
    words = [word.strip().casefold() for word in text.split(",")]
    return frozenset(word for word in words if word)
