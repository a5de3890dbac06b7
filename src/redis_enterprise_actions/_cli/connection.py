"""The client that the connection options ask for.

A password or a token comes from the environment, a file, the keyring or a prompt, never from an
argument, which other users could see.
"""

from __future__ import annotations

import getpass
import re
import sys
from typing import TYPE_CHECKING, Any

from redis_enterprise_actions._client.client import ActionsClient
from redis_enterprise_actions._client.config.config_file import words_of
from redis_enterprise_actions._client.config.resolve import resolve_options
from redis_enterprise_actions._client.config.secrets import read_secret
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.secret import Secret
from redis_enterprise_actions._model.text import one_line


if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from redis_enterprise_actions._cli.execution import Execution
    from redis_enterprise_actions._client.config.resolve import ResolvedOptions


def client_from_args(
    args: argparse.Namespace, execution: Execution, *, needs_user: bool = True
) -> ActionsClient:
    """Return the client that the options, the environment and the profile ask for."""
    client = ActionsClient(**settings_from_args(args, needs_user=needs_user).options)
    if args.capture is not None:
        execution.capture = client.capture(args.capture)
    return client


def settings_from_args(args: argparse.Namespace, *, needs_user: bool = True) -> ResolvedOptions:
    """Return the options of the client, completed by the environment and the profile."""
    secrets = {
        "password": _secret(args.password_file, "--password-file"),
        "token": _secret(args.token_file, "--token-file"),
    }
    return resolve_options(
        options_from_args(args) | secrets, args.profile, ask_password, needs_user=needs_user
    )


def options_from_args(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the command line, but for secrets; those not given are None."""
    return {
        "url": [url for text in args.url for url in words_of(text)] if args.url else None,
        "username": args.user or None,
        "auth": args.auth,
        "client_cert": args.client_cert,
        "client_key": args.client_key,
        "ca_cert": args.ca_cert,
        "fingerprint": args.fingerprint,
        "verify": False if args.insecure else None,
        "trusted_hosts": args.trusted_host,
        "request_timeout": args.request_timeout,
    }


def ask_password(user: str, urls: Sequence[str]) -> Secret | None:
    """Ask for a user's password on the terminal; return None if there is none."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    hosts = ", ".join(re.sub(r"^[^/]*//([^/]*@)?|/.*$", "", url) for url in urls)
    try:
        password = getpass.getpass(one_line(f"Password for {user} at {hosts}:") + " ")
    except EOFError:
        password = ""
    if not password:
        raise UsageError("no password was given")
    return Secret(password)


def _secret(file: Path | None, option: str) -> str | None:
    return None if file is None else read_secret(file, option).reveal()
