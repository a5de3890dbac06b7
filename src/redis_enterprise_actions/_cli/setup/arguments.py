"""Arguments of the commands `login`, `logout` and `profiles`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.connection_options import add_connection_options
from redis_enterprise_actions._cli.help import LOCAL_CODES


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.parser import CommandParser

_PROFILES: Final = """\
Profiles are in ~/.config/redis-actions/config.toml, unless XDG_CONFIG_HOME or \
REDIS_ACTIONS_CONFIG is set; on Windows, in %APPDATA%\\redis-actions:
  default = "prod"

  [profiles.prod]
  url = ["https://node1.example.com:9443", "https://node2.example.com:9443"]
  user = "ops@example.com"
  password_file = "prod-password"

A profile may have: url, user, password_file, token_file, keyring, auth, ca_cert, fingerprint, \
insecure, client_cert, client_key, trusted_hosts, request_timeout. Relative paths are relative to \
the folder of the file. The file holds no password; a file that holds one must not be readable by \
other users. Options override environment variables, which override the profile. A profile's \
secrets, and the certificates that it trusts, apply to its own URLs only.

This command prints name, URLs, user, and default or -, between tabs."""


def add_login(command: CommandParser) -> None:
    """Add the arguments of `login`."""
    command.describe(
        "Store a password in the system's keyring, for profiles.",
        examples=[
            "redis-actions login --profile prod",
            "redis-actions login --url https://cluster.example.com:9443 --user ops",
            "redis-actions login --profile prod --password-file password",
        ],
        exit_codes=LOCAL_CODES,
        notes="login asks for the password, or reads it from --password-file, and stores it for "
        'this user at this host. Profiles with "keyring = true" use it. The extra keyring installs '
        "what this needs.",
    )
    add_connection_options(command, default=argparse.SUPPRESS)


def add_logout(command: CommandParser) -> None:
    """Add the arguments of `logout`."""
    command.describe(
        "Remove a password from the keyring.",
        examples=[
            "redis-actions logout --profile prod",
            "redis-actions logout --url https://cluster.example.com:9443 --user ops",
        ],
        exit_codes=LOCAL_CODES,
    )
    add_connection_options(command, default=argparse.SUPPRESS)


def add_profiles(command: CommandParser) -> None:
    """Add the help of `profiles`."""
    command.describe(
        "List the profiles: clusters by name, each with its settings.",
        examples=[
            "redis-actions profiles",
            "redis-actions list --profile prod",
            "REDIS_ACTIONS_PROFILE=prod redis-actions list",
        ],
        exit_codes=LOCAL_CODES,
        notes=_PROFILES,
    )
