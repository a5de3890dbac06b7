"""Connection options of the command, and the environment variables beside them."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .durations import parse_interval
from .help import CONNECTION


if TYPE_CHECKING:
    from collections.abc import Callable

# Variables that have no option.
ENVIRONMENT: Final = (
    (
        "REDIS_ACTIONS_CONFIG",
        "the file of profiles, not ~/.config/redis-actions/config.toml",
    ),
    (
        "REDIS_ACTIONS_TRACEBACK",
        '"1" prints the traceback of an unexpected error, which may show secrets',
    ),
)


def add_connection_options(parser: argparse.ArgumentParser, *, default: object) -> None:
    """Add the options of all commands that connect to a cluster.

    `default` is the value of an option that is not given. It is `argparse.SUPPRESS` for a command,
    as its options override those in front of the command.
    """
    group = parser.add_argument_group(CONNECTION)
    add: Callable[..., object] = partial(group.add_argument, default=default)
    trust: Callable[..., object] = partial(
        group.add_mutually_exclusive_group().add_argument, default=default
    )
    text = "the profile to take the rest from (REDIS_ACTIONS_PROFILE)"
    add("--profile", metavar="PROFILE", help=text)
    text = (
        "the cluster's REST API, such as https://cluster.example.com:9443, or a node's; can be "
        "repeated (REDIS_ENTERPRISE_URL)"
    )
    add("--url", action="append", help=text)
    add("--user", metavar="NAME", help="the user's name (REDIS_ENTERPRISE_USER)")
    text = "holds the password (REDIS_ENTERPRISE_PASSWORD is the password itself)"
    add("--password-file", type=Path, metavar="FILE", help=text)
    for name in ("--password", "--token"):
        add(name, nargs="?", action=_RefuseSecret, help=argparse.SUPPRESS)
    text = "send the password with each request, or for tokens only (REDIS_ENTERPRISE_AUTH)"
    add("--auth", choices=("basic", "jwt"), metavar="WAY", help=f"basic or jwt: {text}")
    text = "holds a token to send instead (REDIS_ENTERPRISE_TOKEN is the token itself)"
    add("--token-file", type=Path, metavar="FILE", help=text)
    text = "PEM file of a client certificate (REDIS_ENTERPRISE_CLIENT_CERT)"
    add("--client-cert", metavar="FILE", help=text)
    text = "PEM file of its key, if the key is in a file of its own (REDIS_ENTERPRISE_CLIENT_KEY)"
    add("--client-key", metavar="FILE", help=text)
    text = "PEM file of the CA to trust (REDIS_ENTERPRISE_CA_CERT)"
    trust("--ca-cert", metavar="FILE", help=text)
    text = "SHA-256 of the one certificate to trust (REDIS_ENTERPRISE_FINGERPRINT)"
    trust("--fingerprint", metavar="HEX", help=text)
    text = "accept any certificate (REDIS_ENTERPRISE_INSECURE=true)"
    trust("--insecure", action="store_true", help=text)
    text = "a host to follow redirects to; can be repeated (REDIS_ENTERPRISE_TRUSTED_HOSTS)"
    add("--trusted-host", action="append", metavar="HOST", help=text)
    text = "limit of one request (default: 30s; REDIS_ENTERPRISE_REQUEST_TIMEOUT)"
    add("--request-timeout", type=parse_interval, metavar="TIME", help=text)
    text = "record what the cluster answers, with names, addresses and secrets replaced"
    add("--capture", type=parse_capture_path, metavar="FILE", help=text)
    text = "write a line to standard error for each request: method, path, status, time and node"
    add("-v", "--verbose", action="store_true", help=text)


def parse_capture_path(text: str) -> str:
    """Return the path of a file that a capture can be written to."""
    from redis_enterprise_actions._client.capture.target import check_target  # noqa: PLC0415 - --help and Tab do not need it
    from redis_enterprise_actions._model.errors import UsageError  # noqa: PLC0415 - as above

    try:
        check_target(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


class _RefuseSecret(argparse.Action):
    """Option that refuses a secret on the command line, without repeating it as argparse would."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error("a secret must not be an argument: use the environment or a file")
