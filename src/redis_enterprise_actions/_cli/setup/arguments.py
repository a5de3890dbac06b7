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
  password_command = "pass show redis/prod"

A profile may have: url, user, password_file, password_command, token_file, keyring, auth, \
ca_cert, fingerprint, insecure, client_cert, client_key, trusted_hosts, request_timeout. Relative \
paths are relative to the folder of the file. The file holds no password; a file that holds one \
must not be readable by other users. password_command runs without a shell, for 30s at most; the \
first line that it prints is the password. Options override environment variables, which override \
the profile. A profile's secrets, and the certificates that it trusts, apply to its own URLs only.

This command prints name, URLs, user, and default or -, between tabs."""


def add_login(command: CommandParser) -> None:
    """Add the arguments of `login`."""
    command.describe(
        "Write a profile for a cluster, after a request to it, and keep the password.",
        examples=[
            "redis-actions login --url https://cluster.example.com:9443 --user ops",
            "redis-actions login --profile prod --password-command 'pass show redis/prod'",
            "redis-actions login --profile prod",
        ],
        exit_codes={
            0: "the profile is written",
            2: "wrong usage; nothing is written",
            5: "the cluster could not be asked, or refused; nothing is written",
        },
        notes="login asks for the password, and keeps it in the system's keyring. With "
        "--password-file, it keeps the password in that file, or uses the one that is there; with "
        "--password-command, the profile has the command. Connection options become settings of "
        "the profile. Without --profile, that is the default profile or, for another cluster, one "
        "named after the host. The first profile is the default.",
    )
    text = "keep the password in the keyring, whatever gives it"
    command.add_argument("--keyring", action="store_true", help=text)
    text = "a command that prints the password; it runs without a shell"
    command.add_argument("--password-command", metavar="COMMAND", help=text)
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
