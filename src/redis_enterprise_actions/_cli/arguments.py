"""Parser of the command line, and the help texts of the subcommands and their options."""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, cast

import msgspec

from redis_enterprise_actions._cli.connection import ENVIRONMENT, connection_options
from redis_enterprise_actions._cli.listing.query import Selection, selection_from
from redis_enterprise_actions._cli.wait.displays import OUTPUTS
from redis_enterprise_actions._cli.wait.follow import StopCondition
from redis_enterprise_actions._client.config.options import similar_name
from redis_enterprise_actions._client.http.redaction import Secret
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import one_line
from redis_enterprise_actions._report.write import check_report

from .completion import SHELLS, answer_completion
from .durations import parse_interval, parse_time
from .help import add_examples
from .output import escape_ci_commands


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeAlias

    _AddParser: TypeAlias = Callable[..., argparse.ArgumentParser]


_WAIT_DESCRIPTION: Final = """\
Wait until all given operations have ended; show their progress, with live bars on a terminal and
lines elsewhere, and how each ended.

The operations are references, or all that match the filters. With filters, wait lists actions once,
as list does, and waits for those that match all filters and have not ended; with --status, also for
ended ones with that status. --name '*' matches everything. Nothing to wait for is an error, unless
--allow-empty is given.

Durations (TIME) are seconds, or as in 500ms, 30s, 15m, 1h30m, 1d.

A reference (REF) is one of
  UID, or action:UID         an action, by its action_uid or task_id
  node:UID/ACTION            an action of a node, such as node:1/maintenance_on
  cluster:ACTION             an action of the cluster, such as cluster:change_master
  crdb:ID                    a task of an Active-Active database
  export:BDB import:BDB backup:BDB   that of a database, by its uid
  bdb:UID, bdb:UID@gone      a change to a database, or its deletion
or what submit prints, which distinguishes one run from another.
"""
_EPILOG: Final = f"""\
{ENVIRONMENT}

exit codes of wait:
  0  completed                         4  not found, or vanished
  1  failed, cancelled or aborted      5  the cluster could not be asked, or refused
  2  wrong usage, nothing to wait for  6  completed, but a report or the hook failed
  3  timed out, or stalled             8  not followed: the answer to a call names nothing
  70 unexpected error                  74, 141  the output could not be written
                                       130, 143, 129  interrupted: SIGINT, SIGTERM, SIGHUP
  With several actions, the first of 1, 4, 3, 5 that occurred; with --any, 0 if one has completed.
  The other commands exit with 0 if the cluster answered, whatever the answer is; otherwise with 2,
  4, 5 or 70, as above.
"""
_MAX_DEPTH: Final = 100  # the bodies of the API are ten levels deep at most
_OPTION: Final = re.compile("--[a-z-]+(?==|$)")
_SHOWN: Final = "only actions that match all given filters are shown"


def read_data(data: Secret | None) -> object:
    """Return the request body that `--data` gives: JSON, or `@FILE`, or `@-` for standard input.

    Raises `UsageError`, whose message quotes nothing of the body, as that may hold passwords.
    """
    if data is None:
        return None
    text = data.reveal()
    body: str | bytes = text
    if text.startswith("@"):
        path = text.removeprefix("@")
        if path == "-" and sys.stdin is None:
            raise UsageError("--data @- cannot be read: there is no standard input")
        try:
            body = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        except (OSError, ValueError) as error:
            raise UsageError(f"--data @{path} cannot be read: {error}") from None
    problem = "is not JSON"  # raised below, as the decoder's error may quote the body
    try:
        value: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        pass
    else:
        if not _is_too_deep(value):
            return value
        problem = f"is nested more than {_MAX_DEPTH} levels deep"
    raise UsageError(f"--data {problem}")


def _is_too_deep(value: object) -> bool:
    """Return True if a JSON value is too deep for recursive functions."""
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


def name_and_value(text: str) -> tuple[str, str]:
    """Parse `NAME=VALUE`. The error does not quote the text, which may be a secret."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("expected NAME=VALUE")
    return name, value


def name_and_secret(text: str) -> tuple[str, Secret]:
    """Parse the `NAME=VALUE` of a header, whose value may be a secret."""
    name, value = name_and_value(text)
    return name, Secret(value)


def parse_statuses(text: str) -> frozenset[str]:
    """Parse statuses with commas between them; return them casefolded."""
    words = [word.strip().casefold() for word in text.split(",")]
    return frozenset(word for word in words if word)


def _watch_interval(text: str) -> float:
    seconds = parse_time(text)
    if seconds < 1:  # would load the cluster too much
        raise argparse.ArgumentTypeError("the shortest interval is 1s")
    return seconds


def parse_report_path(text: str) -> str:
    """Return the path of a file that a report can be written to."""
    try:
        check_report(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line, by default that of the process. Exit with 2 on wrong usage.

    The error for superfluous arguments names only the options among them, as a body without its
    `--data` may hold secrets. It suggests an option that is similar to the first of them.
    """
    top = build_parser()
    answer_completion(top)
    args, rest = top.parse_known_args(argv)
    if rest:
        matches = [_OPTION.match(text) for text in rest]
        words = [match[0] if match else "..." for match in matches]
        message = "unrecognized arguments: " + " ".join(words)
        known = {
            option.removeprefix("--").replace("-", "_"): option
            for option in re.findall("--[a-z-]+", args.usage())
        }
        similar = similar_name(words[0].removeprefix("--").replace("-", "_"), known)
        top.error(message if similar is None else f"{message}; did you mean {known[similar]}?")
    if args.run == "wait":
        has_filters = selection_from(args) != Selection()
        if args.ref and has_filters:
            top.error("wait takes REF or filters, not both")
        if not args.ref and not has_filters:
            top.error("wait needs REF, or filters such as --status running or --bdb 3")
    return args


class _Parser(argparse.ArgumentParser):
    """Argument parser whose errors are one printable line, without commands to a CI system."""

    def error(self, message: str) -> NoReturn:
        super().error(escape_ci_commands(one_line(message)))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command and of its subcommands."""
    made = _Parser(
        prog="redis-actions",
        description="List and await long-running actions of a Redis Software cluster.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top = cast("argparse.ArgumentParser", made)  # `parents` takes any ArgumentParser
    top.add_argument("--version", action="version", version=version("redis-enterprise-actions"))
    top.set_defaults(interrupted="")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    connection = connection_options()
    add = partial(commands.add_parser, allow_abbrev=False)
    _add_reading_commands(add, connection)
    _add_waiting_commands(add, connection)
    _add_local_commands(add, connection)
    for name, command in commands.choices.items():
        # The usage line has all options: `parse_arguments` looks for a similar one.
        command.set_defaults(run=name, usage=command.format_usage)
        add_examples(name, command)
    return top


def _add_reading_commands(add: _AddParser, connection: argparse.ArgumentParser) -> None:
    """Add `list`, `doctor`, `watch` and `get`."""
    command = add("list", parents=[connection], help="list the actions and tasks of the cluster")
    _add_filters(command, _SHOWN)
    command.add_argument("--json", action="store_true", help="print one JSON object per line")

    command = add("doctor", parents=[connection], help="diagnose connection problems")
    text = "time limit for each step (default: 10s)"
    command.add_argument("--timeout", type=parse_time, default=10.0, metavar="TIME", help=text)
    command.add_argument("--json", action="store_true", help="print one JSON object per line")

    command = add("watch", parents=[connection], help="show the list of actions live")
    _add_filters(command, _SHOWN)
    text = "time between two requests for the list (default: 5s)"
    command.add_argument("--interval", type=_watch_interval, default=5.0, metavar="TIME", help=text)
    text = "print the list once, as list does, and exit"
    command.add_argument("--once", action="store_true", help=text)
    command.set_defaults(json=False)

    command = add("get", parents=[connection], help="show one action")
    command.add_argument("uid", metavar="UID", help="an action_uid or a task_id")
    command.add_argument("--json", action="store_true", help="print a JSON object")


def _add_waiting_commands(add: _AddParser, connection: argparse.ArgumentParser) -> None:
    """Add `wait`, `submit` and `cancel`."""
    work_goes_on = "; what runs on the cluster goes on running"
    command = add(
        "wait",
        parents=[connection],
        help="wait for actions and other long-running operations to end",
        description=_WAIT_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    text = "an action's uid, or a reference; - reads standard input: one per line, or JSON"
    command.add_argument("ref", metavar="REF", nargs="*", help=text)
    _add_filters(command, "instead of REF: wait for all actions that match all given filters")
    _add_stop_options(command)
    _add_wait_options(command)
    command.set_defaults(interrupted=work_goes_on)

    command = add(
        "submit",
        parents=[connection],
        help="start a long-running operation and, with --wait, wait for it to end",
        description="Send an API call that starts a long-running operation, and print the "
        "reference to that operation, which wait takes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("method", metavar="METHOD", help="POST, PUT, PATCH or DELETE")
    command.add_argument("path", metavar="PATH", help="such as /v1/bdbs/1/upgrade")
    text = "request body, or @FILE, or @- for standard input; these hide secrets from other users"
    command.add_argument("--data", type=Secret, metavar="JSON", help=text)
    add_pair = partial(command.add_argument, action="append", default=[], metavar="NAME=VALUE")
    add_pair("--param", type=name_and_value, help="query parameter; can be repeated")
    add_pair("--header", type=name_and_secret, help="request header; can be repeated")
    text = "repeat the call for this long while the answer is 409, busy (default: do not repeat it)"
    command.add_argument("--busy-timeout", type=parse_time, default=0.0, metavar="TIME", help=text)
    command.add_argument("--wait", action="store_true", help="wait for the operation to end")
    text = "with --wait: an answer that names nothing to follow counts as completed"
    command.add_argument("--accept-untracked", action="store_true", help=text)
    _add_wait_options(command)
    command.set_defaults(interrupted=work_goes_on)

    text = "cancel an operation, if the API can: node:, cluster:, crdb:"
    command = add("cancel", parents=[connection], help=text)
    command.add_argument("ref", metavar="REF", help="a reference, as for wait")
    text = "cancel a CRDB task even while it is committing; this may do damage"
    command.add_argument("--force", action="store_true", help=text)


def _add_wait_options(command: argparse.ArgumentParser) -> None:
    """Add the options of a wait: its limits, its display, its reports and the hook."""
    limits = command.add_argument_group("how long to wait")
    for name, text in (
        ("--timeout", "give up after this long (default: never)"),
        ("--stall-timeout", "give up when nothing has moved for this long (default: never)"),
        (
            "--outage-timeout",
            "give up after an outage this long (default: 5m; 10s for a cluster never reached)",
        ),
        (
            "--not-found-grace",
            "tolerate 'not found' this long (default: 10s, and 60s for exports and the like)",
        ),
    ):
        limits.add_argument(name, type=parse_time, metavar="TIME", help=text)
    text = "ask this often (default: when the end is due)"
    limits.add_argument("--interval", type=parse_interval, metavar="TIME", help=text)

    display = command.add_argument_group("what is shown")
    output = display.add_mutually_exclusive_group()
    text = (
        "auto (the default) is github or gitlab in their pipelines, rich (live bars) on a terminal "
        "if rich is installed, and plain otherwise"
    )
    output.add_argument("--output", choices=OUTPUTS, default="auto", help=text)
    text = "short for --output json: one JSON object a line"
    output.add_argument("--json", action="store_const", dest="output", const="json", help=text)
    text = "print a line at least this often while still waiting (default: 60s; 0: never)"
    display.add_argument("--keep-alive", type=parse_time, default=60.0, metavar="TIME", help=text)

    after = command.add_argument_group("what follows the wait")
    text = "write a record of the wait, as .html, .svg, .md or .json; can be repeated"
    after.add_argument(
        "--report", type=parse_report_path, action="append", default=[], metavar="FILE", help=text
    )
    text = "run a command in the shell, with REDIS_ACTIONS_OUTCOME and more in its environment"
    after.add_argument("--hook", metavar="CMD", help=text)


def _add_stop_options(command: argparse.ArgumentParser) -> None:
    """Add the options for the end of several waits, and for no waits at all."""
    group = command.add_argument_group("of several")
    several = group.add_mutually_exclusive_group()
    for condition, text in (
        (StopCondition.ALL, "follow each to its end, however the others end (the default)"),
        (StopCondition.FAIL_FAST, "stop at the first that does not complete"),
        (StopCondition.ANY, "stop, with 0, at the first that completes"),
    ):
        several.add_argument(
            f"--{condition}", action="store_const", dest="until", const=condition, help=text
        )
    text = "exit with 0, not 2, if there is nothing to wait for"
    group.add_argument("--allow-empty", action="store_true", help=text)
    command.set_defaults(until=StopCondition.ALL)


def _add_local_commands(add: _AddParser, connection: argparse.ArgumentParser) -> None:
    """Add the commands that connect to no cluster of the user."""
    command = add("fake-cluster", help="serve a fake cluster with a few running actions")
    text = "port on 127.0.0.1 (default: any free port)"
    command.add_argument("--port", type=int, default=0, help=text)
    versions = ("7.4", "7.8", "7.22", "8.0", "8.2")
    text = "the version of Redis Software to imitate (default: 8.0)"
    command.add_argument("--version", choices=versions, default="8.0", help=text)

    add("demo", help="wait for several actions on a fake cluster")
    add("profiles", help="list the profiles")
    text = "store a password in the system's keyring, for profiles"
    add("login", parents=[connection], help=text)
    add("logout", parents=[connection], help="remove a password from the keyring")

    command = add("completion", help="print the script for Tab completion in a shell")
    command.add_argument("shell", choices=SHELLS, help="the shell that runs the script")


def _add_filters(command: argparse.ArgumentParser, description: str) -> None:
    """Add the filters that `selection_from` reads."""
    filters = command.add_argument_group("filters", description)
    filters.add_argument("--bdb", type=int, metavar="UID", help="actions on this database")
    filters.add_argument("--node", type=int, metavar="UID", help="actions on this node")
    text = "actions with one of these statuses or phases, such as running,failed"
    filters.add_argument(
        "--status", type=parse_statuses, default=frozenset(), metavar="STATUS", help=text
    )
    text = "actions whose name matches this pattern, such as 'SM*'"
    filters.add_argument("--name", metavar="PATTERN", help=text)
