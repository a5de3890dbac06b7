"""Arguments of the commands `list` and `watch`, and the filters that `wait` takes, too."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.connection_options import add_connection_options
from redis_enterprise_actions._cli.durations import parse_time
from redis_enterprise_actions._cli.help import CLUSTER_CODES
from redis_enterprise_actions._cli.values import database, whole_number


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.parser import CommandParser

OUTPUTS: Final = ("table", "json", "name")


# The words of `Phase`, which Tab completes without loading the model.
PHASES: Final = (
    *("pending", "running", "cancelling", "completed", "failed", "cancelled", "aborted"),
    "unknown",
)


def add_list(command: CommandParser) -> None:
    """Add the arguments of `list`."""
    command.describe(
        "List the actions and tasks of the cluster, newest first.",
        examples=[
            "redis-actions list --status running,failed",
            "redis-actions list --name 'SM*' --bdb 3",
            "redis-actions list --json | jq -r 'select(.progress > 50).uid'",
        ],
        exit_codes=CLUSTER_CODES,
        notes="On a terminal, list prints a table. In a pipe, each line is an action, as fields "
        "between tabs: the reference for wait, name and object, status, percent done, state or "
        "reason of a failure, and age in seconds; - stands for none.",
    )
    add_filters(command, "filters: actions that match all of")
    command.add_argument("--limit", type=_limit, metavar="N", help="the newest N actions only")
    add_output_option(command)
    add_connection_options(command, default=argparse.SUPPRESS)


def add_watch(command: CommandParser) -> None:
    """Add the arguments of `watch`."""
    command.describe(
        "Show the list of actions live, until Ctrl-C.",
        examples=[
            "redis-actions watch --status running",
            "redis-actions watch --node 2 --interval 30s",
            "redis-actions watch --once | awk -F '\\t' '$6 > 3600 { print $1 }'",
        ],
        exit_codes=CLUSTER_CODES,
        notes="If the output is no terminal, and without rich (which the extra cli installs), "
        "watch prints a line for each change. A list that the user's role does not permit is left "
        "out.",
    )
    add_filters(command, "filters: actions that match all of")
    text = "time between two requests for the list (default: 5s)"
    command.add_argument("--interval", type=_watch_interval, default=5.0, metavar="TIME", help=text)
    text = "print the list once, as list does, and exit"
    command.add_argument("--once", action="store_true", help=text)
    command.set_defaults(output="table", limit=None)
    add_connection_options(command, default=argparse.SUPPRESS)


def add_output_option(command: CommandParser) -> None:
    """Add the option for the form in which actions are printed."""
    group = command.add_mutually_exclusive_group()
    text = "table (the default), json (an object a line), or name (the references alone)"
    group.add_argument(
        "-o", "--output", choices=OUTPUTS, default="table", metavar="FORM", help=text
    )
    text = "short for --output json"
    group.add_argument("--json", action="store_const", dest="output", const="json", help=text)


def add_filters(command: CommandParser, title: str) -> None:
    """Add the filters that `selection_from` reads."""
    filters = command.add_argument_group(title)
    text = "actions on this database: its uid, or name:NAME"
    filters.add_argument("--bdb", type=database, metavar="UID", help=text)
    filters.add_argument("--node", type=whole_number, metavar="UID", help="actions on this node")
    text = "actions with one of these statuses: running,failed"
    filters.add_argument(
        "--status", type=parse_statuses, default=frozenset(), metavar="STATUS", help=text
    )
    text = "actions whose name matches this pattern, such as 'SM*'"
    filters.add_argument("--name", metavar="PATTERN", help=text)


def has_filters(args: argparse.Namespace) -> bool:
    """Return True if a filter is given."""
    return bool(args.status) or (args.bdb, args.node, args.name) != (None, None, None)


def parse_statuses(text: str) -> frozenset[str]:
    """Parse statuses with commas between them; return them casefolded.

    A word that is nearly a known one is an error: nothing would match it. Others may be new.
    """
    words = frozenset(word.strip().casefold() for word in text.split(",")) - {""}
    for word in words.difference(PHASES):
        from redis_enterprise_actions._client.config.options import similar_name  # noqa: PLC0415 - rarely needed
        from redis_enterprise_actions._model import action  # noqa: PLC0415 - as above

        known = {*PHASES, *action.ACTION_PHASES, *action.CRDB_TASK_PHASES}
        known |= {*action.TRANSFER_PHASES, *action.DATABASE_PHASES}
        similar = None if word in known else similar_name(word, sorted(known))
        if similar is not None:
            raise argparse.ArgumentTypeError(f"{word} is unknown; did you mean {similar}?")
    return words


def _limit(text: str) -> int:
    number = whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError("the smallest limit is 1")
    return number


def _watch_interval(text: str) -> float:
    seconds = parse_time(text)
    if seconds < 1:  # would load the cluster too much
        raise argparse.ArgumentTypeError("the shortest interval is 1s")
    return seconds
