"""Arguments of the command `doctor`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from redis_enterprise_actions._cli.connection_options import add_connection_options
from redis_enterprise_actions._cli.durations import parse_interval


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.parser import CommandParser


def add_doctor(command: CommandParser) -> None:
    """Add the arguments of `doctor`."""
    command.describe(
        "Diagnose connection problems: print what was checked, and what to do about it.",
        examples=[
            "redis-actions doctor --profile prod",
            "redis-actions doctor --timeout 3s",
            "redis-actions doctor --json | jq -r 'select(.level == \"failure\").advice'",
        ],
        exit_codes={0: "the cluster can be used", 2: "wrong usage", 5: "a check failed"},
        notes="Checks the settings; DNS, TCP, TLS, HTTP and the clock of each node; and the "
        "credentials, versions and permissions. Each check prints a line: ok, warning or failure, "
        "and what to do about it. doctor changes nothing. It sends two requests to each node and "
        "six more, or a few more with tokens.",
    )
    text = "time limit for each step (default: 10s)"
    command.add_argument("--timeout", type=parse_interval, default=10.0, metavar="TIME", help=text)
    command.add_argument("--json", action="store_true", help="print one JSON object per line")
    add_connection_options(command, default=argparse.SUPPRESS)
