"""Arguments of the command `check`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.connection_options import add_connection_options
from redis_enterprise_actions._cli.values import whole_number


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.parser import CommandParser

_CODES: Final = {
    0: "go",
    2: "wrong usage",
    5: "the cluster could not be asked, or refused",
    7: "no go",
}


def add_check(command: CommandParser) -> None:
    """Add the arguments of `check`."""
    command.describe(
        "Check once whether the next node may be worked on, and print the reasons against it.",
        examples=[
            "redis-actions check --profile prod",
            "redis-actions check --ignore-maintenance 3",
            "redis-actions check --json | jq -r '.findings[].text'",
        ],
        exit_codes=_CODES,
        notes="The result is go if each node is active, passes its check and is not in "
        "maintenance mode, each shard is ok, each database is active and available, the primary "
        "node is known, and no action is under way. Each exception is printed on its own line. To "
        "wait until the cluster is healthy: redis-actions wait cluster@healthy.",
    )
    text = "nodes that may be in maintenance mode"
    command.add_argument(
        "--ignore-maintenance",
        action="extend",
        nargs="+",
        type=whole_number,
        default=[],
        metavar="NODE",
        help=text,
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    add_connection_options(command, default=argparse.SUPPRESS)
