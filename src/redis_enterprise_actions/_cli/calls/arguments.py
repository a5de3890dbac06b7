"""Arguments of the commands `submit`, `get` and `cancel`."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.connection_options import add_connection_options
from redis_enterprise_actions._cli.durations import parse_time
from redis_enterprise_actions._cli.help import CLUSTER_CODES
from redis_enterprise_actions._cli.listing.arguments import add_output_option
from redis_enterprise_actions._cli.wait.arguments import (
    RARE_WAIT_OPTIONS,
    WAIT_CODES,
    add_wait_options,
)


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.parser import CommandParser
    from redis_enterprise_actions._model.secret import Secret

SUBMIT_CODES: Final = {**WAIT_CODES, 2: "wrong usage", 8: "the answer names nothing to follow"}
RARE_CALL_OPTIONS: Final = RARE_WAIT_OPTIONS | {
    *("--wait", "--header", "--param", "--accept-untracked"),
}  # fmt: skip
_REFERENCE: Final = "a reference that list prints, or the first 8 or more characters of a uid"


def add_submit(command: CommandParser) -> None:
    """Add the arguments of `submit`."""
    command.describe(
        "Send an API call that starts a long-running operation, and wait until that has ended.",
        examples=[
            "redis-actions submit POST /v1/bdbs/1/upgrade --timeout 1h",
            "redis-actions submit PUT /v1/bdbs/1 --data @changes.json --dry-run",
            "ref=$(redis-actions submit POST /v1/nodes/1/actions/maintenance_on --no-wait)",
        ],
        exit_codes=SUBMIT_CODES,
        rare=RARE_CALL_OPTIONS,
    )
    command.add_argument("method", metavar="METHOD", help="POST, PUT, PATCH or DELETE")
    command.add_argument("path", metavar="PATH", help="such as /v1/bdbs/1/upgrade")
    text = "request body, or @FILE, or @- for standard input; these hide secrets from other users"
    command.add_argument("--data", type=parse_secret, metavar="JSON", help=text)
    text = "let the cluster check the call, and start nothing; some calls have this"
    command.add_argument("--dry-run", action="store_true", help=text)
    add_call_options(command, confirms=True)


def add_call_options(command: CommandParser, *, confirms: bool) -> None:
    """Add the options of all commands that make a call. `confirms` is for calls that destroy."""
    if confirms:
        text = "do not ask for the name of what is destroyed"
        command.add_argument("--yes", action="store_true", help=text)
    text = "print the reference, which wait takes, and do not wait"
    command.add_argument("--no-wait", dest="wait", action="store_false", help=text)
    text = "wait for the operation to end (the default)"
    command.add_argument("--wait", action="store_true", help=text)
    command.set_defaults(wait=True)
    text = "repeat the call this long while it is refused as busy (default: 0)"
    command.add_argument("--busy-timeout", type=parse_time, default=0.0, metavar="TIME", help=text)
    add_pair = partial(command.add_argument, action="append", default=[], metavar="NAME=VALUE")
    add_pair("--param", type=name_and_value, help="query parameter; can be repeated")
    add_pair("--header", type=name_and_secret, help="request header; can be repeated")
    text = "an answer that names nothing to follow counts as completed"
    command.add_argument("--accept-untracked", action="store_true", help=text)
    add_wait_options(command)
    add_connection_options(command, default=argparse.SUPPRESS)


def add_get(command: CommandParser) -> None:
    """Add the arguments of `get`."""
    command.describe(
        "Show one operation as it is now.",
        examples=[
            "redis-actions get 6c93e2a5",
            'redis-actions get "$ref" --output json | jq .progress',
            "redis-actions get node:1/maintenance_on --profile prod",
        ],
        exit_codes={**CLUSTER_CODES, 4: "not found"},
    )
    command.add_argument("ref", metavar="REF", help=_REFERENCE)
    add_output_option(command)
    add_connection_options(command, default=argparse.SUPPRESS)


def add_cancel(command: CommandParser) -> None:
    """Add the arguments of `cancel`."""
    command.describe(
        "Cancel an operation, if the API can: an action of a node or of the cluster, or a task of "
        "an Active-Active database.",
        examples=[
            "redis-actions cancel node:1/maintenance_on",
            'redis-actions cancel crdb:"$id"',
            "redis-actions cancel 6c93e2a5 --force",
        ],
        exit_codes={**CLUSTER_CODES, 4: "not found"},
    )
    command.add_argument("ref", metavar="REF", help=_REFERENCE)
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
    return name, parse_secret(value)


def parse_secret(text: str) -> Secret:
    """Return a value that may be a secret."""
    from redis_enterprise_actions._model import secret  # noqa: PLC0415 - --help and Tab do not need it

    return secret.Secret(text)
