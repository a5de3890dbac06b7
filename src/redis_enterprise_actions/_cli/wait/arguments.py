"""Arguments of the command `wait`, and the options of a wait that `submit` takes, too."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.connection_options import add_connection_options
from redis_enterprise_actions._cli.durations import parse_interval, parse_time
from redis_enterprise_actions._cli.listing.arguments import add_filters, has_filters


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions._cli.parser import CommandParser

OUTPUTS: Final = ("auto", "plain", "rich", "json", "name", "github", "gitlab")

WAIT_CODES: Final[Mapping[int, str]] = {
    0: "completed",
    1: "failed or cancelled",
    2: "wrong usage",
    3: "timed out",
    4: "not found",
    5: "no answer or refused",
    6: "a report, the capture or the hook failed",
}
RARE_WAIT_OPTIONS: Final = frozenset({
    "--stall-timeout",
    "--not-found-grace",
    "--hold",
    "--interval",
    "--keep-alive",
})  # fmt: skip


def add_wait(command: CommandParser) -> None:
    """Add the arguments of `wait`."""
    command.describe(
        "Wait until operations have ended; show their progress, and how each ended.",
        examples=[
            'redis-actions wait "$uid" --until available --timeout 30m --report deploy.html',
            'redis-actions wait node:1/maintenance_on crdb:"$id" export:3 --fail-fast',
            "redis-actions wait --status running --bdb 3 --name 'SM*' --allow-empty",
        ],
        exit_codes=WAIT_CODES,
        rare=RARE_WAIT_OPTIONS | {"--all", "--with"},
    )
    text = (
        "an action's uid, or another reference (redis-actions help references); - reads them from "
        "standard input"
    )
    command.add_argument("ref", metavar="REF", nargs="*", help=text)
    add_filters(command, "instead of REF: all actions that match")
    text = "for crdb:GUID@replicating: ask the cluster of this profile, too; can be repeated"
    command.add_argument("--with", dest="others", action="append", metavar="PROFILE", help=text)
    _add_stop_options(command)
    add_wait_options(command)
    add_connection_options(command, default=argparse.SUPPRESS)
    command.set_defaults(check=_check_wait)


def add_wait_options(command: CommandParser) -> None:
    """Add the options of a wait: its limits, its display, its reports and the hook."""
    limits = command.add_argument_group("limits")
    for name, text in (
        ("--timeout", "give up after this long (default: never)"),
        ("--stall-timeout", "give up when nothing has moved for this long (default: never)"),
        (
            "--outage-timeout",
            "give up after an outage this long (default: 5m)",
        ),
        (
            "--not-found-grace",
            "tolerate 'not found' this long (default: 10s, and 60s for exports and the like)",
        ),
    ):
        limits.add_argument(name, type=parse_time, metavar="TIME", help=text)
    text = (
        "go on until available, in-sync, replicating, quiet or healthy; or end early: "
        "state=NAME, progress=50"
    )
    limits.add_argument("--until", metavar="GOAL", help=text)
    text = "a condition, such as available, has to stay true this long (default: 0)"
    limits.add_argument("--hold", type=parse_time, default=0.0, metavar="TIME", help=text)
    text = "ask this often (default: when the end is due)"
    limits.add_argument("--interval", type=parse_interval, metavar="TIME", help=text)

    display = command.add_argument_group("output")
    output = display.add_mutually_exclusive_group()
    text = f"{', '.join(OUTPUTS[1:])}, or auto (the default), which chooses"
    output.add_argument(
        "-o", "--output", choices=OUTPUTS, default="auto", metavar="WORD", help=text
    )
    text = "short for --output json: one JSON object a line"
    output.add_argument("--json", action="store_const", dest="output", const="json", help=text)
    text = "print a line at least this often while still waiting (default: 60s; 0: never)"
    display.add_argument("--keep-alive", type=parse_time, default=60.0, metavar="TIME", help=text)

    after = command.add_argument_group("afterwards")
    text = "write a report: .html, .svg, .md or .json; can be repeated"
    after.add_argument(
        "--report", type=parse_report_path, action="append", default=[], metavar="FILE", help=text
    )
    text = "run a shell command, with REDIS_ACTIONS_OUTCOME in its environment"
    after.add_argument("--hook", metavar="CMD", help=text)


def parse_report_path(text: str) -> str:
    """Return the path of a file that a report can be written to."""
    from redis_enterprise_actions._model.errors import UsageError  # noqa: PLC0415 - --help and Tab do not need it
    from redis_enterprise_actions._report.write import check_report  # noqa: PLC0415 - as above

    try:
        check_report(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _add_stop_options(command: CommandParser) -> None:
    """Add the options for the end of several waits, and for no waits at all."""
    group = command.add_argument_group("several waits")
    several = group.add_mutually_exclusive_group()
    for condition, text in (
        ("all", "follow each to its end, however the others end (the default)"),
        ("fail-fast", "stop at the first that does not complete"),
        ("any", "stop, with 0, at the first that completes"),
    ):
        several.add_argument(
            f"--{condition}", action="store_const", dest="stop", const=condition, help=text
        )
    text = "exit with 0, not 2, if there is nothing to wait for"
    group.add_argument("--allow-empty", action="store_true", help=text)
    command.set_defaults(stop="all")


def _check_wait(args: argparse.Namespace) -> str | None:
    """Return the problem with references and filters, or None."""
    if args.ref and has_filters(args):
        return "wait takes REF or filters, not both"
    if not args.ref and not has_filters(args):
        return "wait needs REF, or filters such as --status running or --bdb 3"
    return None
