"""The client that the connection options ask for.

A password or a token comes from the environment, a file, the keyring or a prompt, never from an
argument, which other users could see.
"""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from redis_enterprise_actions._client.client import ActionsClient
from redis_enterprise_actions._client.config.options import env_setting
from redis_enterprise_actions._client.config.profiles import load_profile
from redis_enterprise_actions._client.config.resolve import keyring_account, resolve_options
from redis_enterprise_actions._client.config.secrets import read_secret
from redis_enterprise_actions._client.http.redaction import Secret
from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from redis_enterprise_actions._client.config.resolve import ResolvedOptions


def client_from_args(args: argparse.Namespace) -> ActionsClient:
    """Return the client that the options, the environment and the profile ask for."""
    return ActionsClient(**settings_from_args(args).options)


def settings_from_args(args: argparse.Namespace) -> ResolvedOptions:
    """Return the options of the client, completed by the environment and the profile."""
    if args.password_file is not None and not (args.user or _setting(args, "user")):
        raise UsageError("--password-file needs --user, or REDIS_ENTERPRISE_USER")
    from_arguments = {
        "url": args.url,
        "username": args.user or None,
        "password": _secret(args.password_file, "--password-file"),
        "token": _secret(args.token_file, "--token-file"),
        "auth": args.auth,
        "client_cert": args.client_cert,
        "client_key": args.client_key,
        "ca_cert": args.ca_cert,
        "fingerprint": args.fingerprint,
        "verify": False if args.insecure else None,
        "trusted_hosts": args.trusted_host,
        "request_timeout": args.request_timeout,
    }
    return resolve_options(from_arguments, args.profile, _ask_password)


def account_from_args(args: argparse.Namespace) -> str:
    """Return the account whose password `login` stores: the user at the first URL."""
    urls = args.url or _setting(args, "url").split()
    user = args.user or _setting(args, "user")
    if not urls or not user:
        raise UsageError("the keyring keeps the password of a user (--user) of a cluster (--url)")
    return keyring_account(user, urls[0])


def read_new_password(args: argparse.Namespace) -> Secret:
    """Return the password that `login` stores: from a file, or a prompt."""
    if args.password_file is not None:
        return read_secret(args.password_file, "--password-file")
    return _ask_password()


def _setting(args: argparse.Namespace, name: str) -> str:
    """Return the text of a setting from the environment, or else from the profile."""
    profile = load_profile(args.profile)
    return env_setting(name) or ("" if profile is None else profile.setting(name))


def _secret(file: Path | None, option: str) -> str | None:
    return None if file is None else read_secret(file, option).reveal()


def _ask_password() -> Secret:
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "no password: set REDIS_ENTERPRISE_PASSWORD, give --password-file, or let a profile "
            "say where it is"
        )
    try:
        return Secret(getpass.getpass("Password: "))
    except EOFError:
        raise UsageError("no password") from None
