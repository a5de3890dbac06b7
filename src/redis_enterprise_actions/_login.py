"""How the command learns which cluster to ask, and who we are.

A password or a token comes from the environment, a file or a prompt, never from an argument, which
other users could see.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import Final

from ._access import Secret
from ._client import ActionsClient
from ._errors import UsageError


ENVIRONMENT: Final = """\
environment:
  REDIS_ENTERPRISE_URL            the cluster's REST API, such as https://cluster.example.com:9443,
                                  or those of its nodes, with spaces between them
  REDIS_ENTERPRISE_TRUSTED_HOSTS  other hosts that its nodes may redirect to
  REDIS_ENTERPRISE_USER           the user's name, often an e-mail address
  REDIS_ENTERPRISE_PASSWORD       the password; it is never an argument
  REDIS_ENTERPRISE_AUTH           "basic", or "jwt" to send the password for tokens only
  REDIS_ENTERPRISE_TOKEN          a token to send instead
  REDIS_ENTERPRISE_CLIENT_CERT    a PEM file with a client certificate
  REDIS_ENTERPRISE_CLIENT_KEY     a PEM file with its key, if that is not in there
  REDIS_ENTERPRISE_CA_CERT        a PEM file with the CA that signed the cluster's certificate
  REDIS_ENTERPRISE_FINGERPRINT    the SHA-256 fingerprint of the one certificate to trust
  REDIS_ENTERPRISE_INSECURE       "true", "1", "yes" or "on" accepts any certificate"""


def client_of(args: argparse.Namespace) -> ActionsClient:
    """Return the client that the options and the environment ask for."""
    token = None if args.token_file is None else _secret_in(args.token_file, "--token-file")
    by_name = args.user is not None or args.password_file is not None or args.auth is not None
    otherwise = args.client_cert or os.environ.get("REDIS_ENTERPRISE_TOKEN")
    username = args.user or None
    if token is None and (by_name or not otherwise):
        username = username or os.environ.get("REDIS_ENTERPRISE_USER") or None
    if args.password_file is not None and username is None:
        raise UsageError("--password-file needs --user, or REDIS_ENTERPRISE_USER")
    password = None if username is None else _password(args.password_file)
    return ActionsClient.from_env(
        url=args.url,
        username=username,
        password=None if password is None else password.reveal(),
        token=None if token is None else token.reveal(),
        auth=args.auth,
        client_cert=args.client_cert,
        client_key=args.client_key,
        ca_file=args.ca_cert,
        fingerprint=args.fingerprint,
        verify=False if args.insecure else None,
        trusted_hosts=args.trusted_host,
    )


def _password(file: Path | None) -> Secret:
    if file is not None:
        return _secret_in(file, "--password-file")
    password = Secret(os.environ.get("REDIS_ENTERPRISE_PASSWORD", ""))
    if password.reveal():
        return password
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("no password: set REDIS_ENTERPRISE_PASSWORD, or give --password-file")
    try:
        return Secret(getpass.getpass("Password: "))
    except EOFError:
        raise UsageError("no password") from None


def _secret_in(file: Path, option: str) -> Secret:
    try:
        secret = Secret(file.read_text("utf-8").rstrip("\r\n"))
    except OSError as error:
        raise UsageError(f"{option} cannot be read: {error}") from error
    except UnicodeError:  # which holds the secret
        secret = None
    if secret is None:
        raise UsageError(f"{option} cannot be read: it is not UTF-8")
    if not secret.reveal():
        raise UsageError(f"{option} is empty")
    return secret


def connection_options() -> argparse.ArgumentParser:
    """Return the options that every command has which asks a cluster."""
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group("connection", "each overrides its environment variable")
    text = "the cluster's REST API, or a node's; can be repeated (REDIS_ENTERPRISE_URL)"
    group.add_argument("--url", action="append", help=text)
    group.add_argument("--user", metavar="NAME", help="the user's name (REDIS_ENTERPRISE_USER)")
    text = "holds the password (REDIS_ENTERPRISE_PASSWORD is the password itself)"
    group.add_argument("--password-file", type=Path, metavar="FILE", help=text)
    for name in ("--password", "--token"):
        group.add_argument(name, nargs="?", action=_NeverAnArgument, help=argparse.SUPPRESS)
    text = "send the password with each request, or for tokens only (REDIS_ENTERPRISE_AUTH)"
    group.add_argument("--auth", choices=("basic", "jwt"), help=text)
    text = "holds a token to send instead (REDIS_ENTERPRISE_TOKEN is the token itself)"
    group.add_argument("--token-file", type=Path, metavar="FILE", help=text)
    text = "PEM file of a client certificate (REDIS_ENTERPRISE_CLIENT_CERT)"
    group.add_argument("--client-cert", metavar="FILE", help=text)
    text = "PEM file of its key, if that is not in there (REDIS_ENTERPRISE_CLIENT_KEY)"
    group.add_argument("--client-key", metavar="FILE", help=text)
    text = "PEM file of the CA to trust (REDIS_ENTERPRISE_CA_CERT)"
    group.add_argument("--ca-cert", metavar="FILE", help=text)
    text = "SHA-256 of the one certificate to trust (REDIS_ENTERPRISE_FINGERPRINT)"
    group.add_argument("--fingerprint", metavar="HEX", help=text)
    text = "accept any certificate (REDIS_ENTERPRISE_INSECURE)"
    group.add_argument("--insecure", action="store_true", help=text)
    text = "a host to follow redirects to; can be repeated (REDIS_ENTERPRISE_TRUSTED_HOSTS)"
    group.add_argument("--trusted-host", action="append", metavar="HOST", help=text)
    return options


class _NeverAnArgument(argparse.Action):
    """Refuses a secret on the command line, without repeating it as argparse would."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error("a secret is no argument: use the environment or a file")
