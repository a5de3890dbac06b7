"""Arguments of the commands `submit`, `get` and `cancel`."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from redis_enterprise_actions._cli.connection_options import add_connection_options
from redis_enterprise_actions._cli.durations import parse_time
from redis_enterprise_actions._cli.help import CLUSTER_CODES
from redis_enterprise_actions._cli.values import deferred
from redis_enterprise_actions._cli.wait.arguments import (
    RARE_WAIT_OPTIONS,
    WAIT_CODES,
    add_wait_options,
)


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.parser import CommandParser
    from redis_enterprise_actions._client.http.redaction import Secret

parse_secret = deferred("_client.http.redaction:Secret")


def add_submit(command: CommandParser) -> None:
    """Add the arguments of `submit`."""
    command.describe(
        "Send an API call that starts a long-running operation, and print the reference to that "
        "operation, which wait takes.",
        examples=[
            "redis-actions submit POST /v1/bdbs/1/upgrade --wait --timeout 1h",
            "redis-actions submit PUT /v1/bdbs/1 --data @changes.json --busy-timeout 10m",
            "ref=$(redis-actions submit POST /v1/nodes/1/actions/maintenance_on)",
        ],
        exit_codes={**WAIT_CODES, 2: "wrong usage", 8: "the answer names nothing to follow"},
        rare=RARE_WAIT_OPTIONS | {"--header", "--accept-untracked"},
    )
    command.add_argument("method", metavar="METHOD", help="POST, PUT, PATCH or DELETE")
    command.add_argument("path", metavar="PATH", help="such as /v1/bdbs/1/upgrade")
    text = "request body, or @FILE, or @- for standard input; these hide secrets from other users"
    command.add_argument("--data", type=parse_secret, metavar="JSON", help=text)
    add_pair = partial(command.add_argument, action="append", default=[], metavar="NAME=VALUE")
    add_pair("--param", type=name_and_value, help="query parameter; can be repeated")
    add_pair("--header", type=name_and_secret, help="request header; can be repeated")
    text = "repeat the call for this long while the answer is 409, busy (default: do not repeat it)"
    command.add_argument("--busy-timeout", type=parse_time, default=0.0, metavar="TIME", help=text)
    command.add_argument("--wait", action="store_true", help="wait for the operation to end")
    text = "with --wait: an answer that names nothing to follow counts as completed"
    command.add_argument("--accept-untracked", action="store_true", help=text)
    add_wait_options(command)
    add_connection_options(command, default=argparse.SUPPRESS)


def add_get(command: CommandParser) -> None:
    """Add the arguments of `get`."""
    command.describe(
        "Show one action.",
        examples=[
            "redis-actions get 6c93e2a5-3f7e-4f2e-9a5b-0b0f5a0f5a0f",
            'redis-actions get "$uid" --json | jq .progress',
            'redis-actions get "$uid" --profile prod',
        ],
        exit_codes={**CLUSTER_CODES, 4: "not found"},
    )
    command.add_argument("uid", metavar="UID", help="an action_uid or a task_id")
    command.add_argument("--json", action="store_true", help="print a JSON object")
    add_connection_options(command, default=argparse.SUPPRESS)


def add_cancel(command: CommandParser) -> None:
    """Add the arguments of `cancel`."""
    command.describe(
        "Cancel an operation, if the API can: an action of a node or of the cluster, or a task of "
        "an Active-Active database.",
        examples=[
            "redis-actions cancel node:1/maintenance_on",
            'redis-actions cancel crdb:"$id"',
            'redis-actions cancel crdb:"$id" --force',
        ],
        exit_codes={**CLUSTER_CODES, 4: "not found"},
    )
    text = "a reference that begins with node:, cluster: or crdb:"
    command.add_argument("ref", metavar="REF", help=text)
    text = "cancel a CRDB task even while it is committing; this may do damage"
    command.add_argument("--force", action="store_true", help=text)
    add_connection_options(command, default=argparse.SUPPRESS)


def name_and_value(text: str) -> tuple[str, str]:
    """Parse `NAME=VALUE`. The error does not quote the text, which may be a secret."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("expected NAME=VALUE")
    return name, value


def name_and_secret(text: str) -> tuple[str, Secret]:
    """Parse the `NAME=VALUE` of a header, whose value may be a secret."""
    name, value = name_and_value(text)
    secret: Secret = parse_secret(value)
    return name, secret
