"""The commands `login`, `logout` and `profiles`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._cli.connection import account_from_args, read_new_password
from redis_enterprise_actions._cli.output import print_line
from redis_enterprise_actions._client.config.config_file import NO_HOME, config_path
from redis_enterprise_actions._client.config.profiles import load_profiles
from redis_enterprise_actions._client.config.secrets import delete_password, save_password
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import one_line


if TYPE_CHECKING:
    import argparse

    from redis_enterprise_actions._cli.execution import Execution


def run_profiles(_: argparse.Namespace, __: Execution) -> int:
    """Print a line for each profile: name, URLs, user, and `default` or `-`."""
    found, default = load_profiles()
    if not found:
        raise UsageError(f"there are no profiles in {config_path() or f'any file: {NO_HOME}'}")
    for profile in found:
        mark = "default" if profile.name == default else "-"
        columns = profile.name, profile.setting("url") or "-", profile.setting("user") or "-", mark
        print_line("\t".join(map(one_line, columns)))
    return 0


def run_login(args: argparse.Namespace, _: Execution) -> int:
    """Store a password in the keyring."""
    account = account_from_args(args)
    save_password(account, read_new_password(args))
    text = f"stored the password of {account} in the keyring, for profiles with keyring = true"
    print_line(one_line(text))
    return 0


def run_logout(args: argparse.Namespace, _: Execution) -> int:
    """Remove a password from the keyring."""
    account = account_from_args(args)
    if not delete_password(account):
        raise UsageError(f"the keyring has no password of {account}")
    print_line(one_line(f"removed the password of {account} from the keyring"))
    return 0
