"""Connection options of the command, and the client that they ask for.

A password or a token comes from the environment, a file, the keyring or a prompt, never from an
argument, which other users could see.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.client import ActionsClient
from redis_enterprise_actions._client.config.options import env_setting
from redis_enterprise_actions._client.config.profiles import load_profile
from redis_enterprise_actions._client.config.resolve import keyring_account, resolve_options
from redis_enterprise_actions._client.config.secrets import read_secret
from redis_enterprise_actions._client.http.redaction import Secret
from redis_enterprise_actions._model.errors import UsageError

from .durations import parse_interval


if TYPE_CHECKING:
    from redis_enterprise_actions._client.config.resolve import ResolvedOptions

ENVIRONMENT: Final = """\
environment:
  REDIS_ENTERPRISE_URL              the cluster's REST API, such as https://cluster.example.com:9443,
                                    or those of its nodes, with spaces between them
  REDIS_ENTERPRISE_TRUSTED_HOSTS    other hosts that its nodes may redirect to
  REDIS_ENTERPRISE_USER             the user's name, often an e-mail address
  REDIS_ENTERPRISE_PASSWORD         the password; it is never an argument
  REDIS_ENTERPRISE_AUTH             "basic", or "jwt" to send the password for tokens only
  REDIS_ENTERPRISE_TOKEN            a token to send instead
  REDIS_ENTERPRISE_CLIENT_CERT      a PEM file with a client certificate
  REDIS_ENTERPRISE_CLIENT_KEY       a PEM file with its key, if the key is in a file of its own
  REDIS_ENTERPRISE_CA_CERT          a PEM file with the CA that signed the cluster's certificate
  REDIS_ENTERPRISE_FINGERPRINT      the SHA-256 fingerprint of the one certificate to trust
  REDIS_ENTERPRISE_INSECURE         "true", "1", "yes" or "on" accepts any certificate
  REDIS_ENTERPRISE_REQUEST_TIMEOUT  how long one request may take, such as 1m
  REDIS_ACTIONS_PROFILE             the profile to take the rest from
  REDIS_ACTIONS_CONFIG              the file of profiles, not ~/.config/redis-actions/config.toml
  REDIS_ACTIONS_TRACEBACK           "1" prints the traceback of an unexpected error, which
                                    may show secrets"""


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


def connection_options() -> argparse.ArgumentParser:
    """Return the parser of the options of all commands that connect to a cluster."""
    options = argparse.ArgumentParser(add_help=False)
    text = "each overrides its environment variable, which overrides the profile"
    group = options.add_argument_group("connection", text)
    text = "the profile to take the rest from (REDIS_ACTIONS_PROFILE)"
    group.add_argument("--profile", metavar="PROFILE", help=text)
    text = "the cluster's REST API, or a node's; can be repeated (REDIS_ENTERPRISE_URL)"
    group.add_argument("--url", action="append", help=text)
    group.add_argument("--user", metavar="NAME", help="the user's name (REDIS_ENTERPRISE_USER)")
    text = "holds the password (REDIS_ENTERPRISE_PASSWORD is the password itself)"
    group.add_argument("--password-file", type=Path, metavar="FILE", help=text)
    for name in ("--password", "--token"):
        group.add_argument(name, nargs="?", action=_RefuseSecret, help=argparse.SUPPRESS)
    text = "send the password with each request, or for tokens only (REDIS_ENTERPRISE_AUTH)"
    group.add_argument("--auth", choices=("basic", "jwt"), help=text)
    text = "holds a token to send instead (REDIS_ENTERPRISE_TOKEN is the token itself)"
    group.add_argument("--token-file", type=Path, metavar="FILE", help=text)
    text = "PEM file of a client certificate (REDIS_ENTERPRISE_CLIENT_CERT)"
    group.add_argument("--client-cert", metavar="FILE", help=text)
    text = "PEM file of its key, if the key is in a file of its own (REDIS_ENTERPRISE_CLIENT_KEY)"
    group.add_argument("--client-key", metavar="FILE", help=text)
    text = "PEM file of the CA to trust (REDIS_ENTERPRISE_CA_CERT)"
    group.add_argument("--ca-cert", metavar="FILE", help=text)
    text = "SHA-256 of the one certificate to trust (REDIS_ENTERPRISE_FINGERPRINT)"
    group.add_argument("--fingerprint", metavar="HEX", help=text)
    text = "accept any certificate (REDIS_ENTERPRISE_INSECURE)"
    group.add_argument("--insecure", action="store_true", help=text)
    text = "a host to follow redirects to; can be repeated (REDIS_ENTERPRISE_TRUSTED_HOSTS)"
    group.add_argument("--trusted-host", action="append", metavar="HOST", help=text)
    text = "limit of one request (default: 30s; REDIS_ENTERPRISE_REQUEST_TIMEOUT)"
    group.add_argument("--request-timeout", type=parse_interval, metavar="TIME", help=text)
    return options


class _RefuseSecret(argparse.Action):
    """Option that refuses a secret on the command line, without repeating it as argparse would."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error("a secret must not be an argument: use the environment or a file")
