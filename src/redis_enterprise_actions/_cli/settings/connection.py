"""How the command learns which cluster to ask, and who we are.

An option goes before the environment, and the environment before a profile. A password or a token
comes from the environment, a file, the keyring or a prompt, never from an argument, which other
users could see.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from redis_enterprise_actions._client.client import ActionsClient
from redis_enterprise_actions._client.config.environment import (
    environment,
    fill,
    warn_of_wrong_names,
)
from redis_enterprise_actions._client.config.options import Masked
from redis_enterprise_actions._client.config.profiles import load_profile
from redis_enterprise_actions._client.config.secrets import load_password, read_secret
from redis_enterprise_actions._client.http.auth import Secret
from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    from redis_enterprise_actions._client.config.options import Arguments
    from redis_enterprise_actions._client.config.profiles import Profile

_SECRETS: Final = {"PASSWORD": "password_file", "TOKEN": "token_file"}
_ANYWHERE: Final = frozenset({"USER", "AUTH"})

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
  REDIS_ENTERPRISE_INSECURE       "true", "1", "yes" or "on" accepts any certificate
  REDIS_ACTIONS_PROFILE           the profile to take the rest from
  REDIS_ACTIONS_CONFIG            the file of profiles, not ~/.config/redis-actions/config.toml
  REDIS_ACTIONS_TRACEBACK         "1" prints the traceback of an error that was not foreseen, which
                                  may show secrets"""


class Settings(NamedTuple):
    """What a client is to be made with, and where each of it comes from."""

    options: Masked
    sources: dict[str, str]


def client_from_args(args: argparse.Namespace) -> ActionsClient:
    """Return the client that the options, the environment and the profile ask for."""
    return ActionsClient(**cast("Arguments", settings_from_args(args).options))


def settings_from_args(args: argparse.Namespace) -> Settings:
    """Return what the options, the environment and the profile say."""
    given = _options(args)
    warn_of_wrong_names()
    sources = {name: "an option" for name, value in given.items() if value is not None}
    fill(given, environment)
    sources |= dict.fromkeys(given.keys() - sources.keys(), "the environment")
    profile = load_profile(args.profile)
    if profile is not None:
        fill(given, partial(_said, profile, given))
        sources |= dict.fromkeys(given.keys() - sources.keys(), f"profile {profile.name}")
    if args.password_file is not None and "username" not in given:
        raise UsageError("--password-file needs --user, or REDIS_ENTERPRISE_USER")
    if "username" in given and "token" not in given:
        given["password"] = _password(given, args.password_file, profile).reveal()
    if not given.get("url"):
        raise UsageError("no cluster is given: REDIS_ENTERPRISE_URL is not set, and no profile")
    sources |= dict.fromkeys(given.keys() - sources.keys(), "the keyring, or a prompt")
    return Settings(given, {name: sources[name] for name in given})


def keyring_account(args: argparse.Namespace) -> str:
    """Return whose password the keyring is to keep, as `user@host`, without looking for it."""
    given = _options(args)
    profile = load_profile(args.profile)
    for said in (environment, *([profile.setting] if profile else [])):
        for name, variable in (("url", "URL"), ("username", "USER")):
            given[name] = given.get(name) or said(variable)
    if not given["url"] or not given["username"]:
        raise UsageError("the keyring keeps the password of a user (--user) of a cluster (--url)")
    url, *_ = given["url"].split() if isinstance(given["url"], str) else given["url"]
    return _account(given["username"], url)


def read_new_password(args: argparse.Namespace) -> Secret:
    """Return the password that the keyring is to keep: from a file, or a prompt."""
    if args.password_file is not None:
        return read_secret(args.password_file, "--password-file")
    return _prompt()


def _options(args: argparse.Namespace) -> Masked:
    """Return what the options say. A file stands for the password until it is needed."""
    token = None if args.token_file is None else read_secret(args.token_file, "--token-file")
    return Masked(
        url=args.url,
        username=args.user or None,
        password=args.password_file,
        token=None if token is None else token.reveal(),
        auth=args.auth,
        client_cert=args.client_cert,
        client_key=args.client_key,
        ca_cert=args.ca_cert,
        fingerprint=args.fingerprint,
        verify=False if args.insecure else None,
        trusted_hosts=args.trusted_host,
    )


def _said(profile: Profile, given: Masked, variable: str) -> str:
    """Return what a profile says.

    If it has URLs, its secrets are for them alone, and so is what it trusts: of another cluster it
    says no more than who we are.
    """
    own = {url.rstrip("/") for url in profile.urls}
    asked = {url.rstrip("/") for url in given.get("url", ())}
    if own and not asked <= own and variable not in _ANYWHERE:
        return ""
    key = _SECRETS.get(variable)
    if key is None:
        return profile.setting(variable)
    file = profile.path(key)
    return "" if file is None else read_secret(file, f"{key} of profile {profile.name}").reveal()


def _password(given: Masked, file: Path | None, profile: Profile | None) -> Secret:
    if file is not None:
        return read_secret(file, "--password-file")
    if given.get("password"):
        return Secret(given["password"])
    kept = profile is not None and profile.keyring
    for url in given.get("url", ()) if kept else ():
        password = load_password(_account(given["username"], url))
        if password is not None:
            return password
    return _prompt()


def _account(user: str, url: str) -> str:
    """Return what the keyring knows a user by. The host is of the URL, without what is secret."""
    return f"{user}@{url.partition('//')[2].partition('/')[0].rpartition('@')[2].lower()}"


def _prompt() -> Secret:
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
    """Return the options that every command has which asks a cluster."""
    options = argparse.ArgumentParser(add_help=False)
    text = "each overrides its environment variable, which overrides the profile"
    group = options.add_argument_group("connection", text)
    text = "what the file of profiles has under this name (REDIS_ACTIONS_PROFILE)"
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


class _RefuseSecret(argparse.Action):
    """Refuses a secret on the command line, without repeating it as argparse would."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error("a secret is no argument: use the environment or a file")
