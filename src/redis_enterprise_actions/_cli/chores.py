"""What the command does on this machine alone: profiles, the keyring, completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.settings.connection import account_of, new_password
from redis_enterprise_actions._client.config.keyring import forget, store
from redis_enterprise_actions._client.config.profiles import NO_HOME, place, profiles
from redis_enterprise_actions._model.action import one_line
from redis_enterprise_actions._model.errors import UsageError

from .completion import script
from .output import print_line, put


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping


def _profiles(_: argparse.Namespace) -> int:
    """Print the names of the profiles, each with its cluster and user, in columns."""
    found, default = profiles()
    if not found:
        raise UsageError(f"there are no profiles in {place() or f'any file: {NO_HOME}'}")
    for profile in found:
        mark = "default" if profile.name == default else "-"
        columns = profile.name, profile.said("URL") or "-", profile.said("USER") or "-", mark
        print_line("\t".join(map(one_line, columns)))
    return 0


def _login(args: argparse.Namespace) -> int:
    account = account_of(args)
    store(account, new_password(args))
    print_line(
        one_line(f"the keyring has the password of {account}, for profiles with keyring = true")
    )
    return 0


def _logout(args: argparse.Namespace) -> int:
    account = account_of(args)
    if not forget(account):
        raise UsageError(f"the keyring has no password of {account}")
    print_line(one_line(f"the keyring has no password of {account} any more"))
    return 0


def _completion(args: argparse.Namespace) -> int:
    put(f"{script(args.shell)}\n")
    return 0


CHORES: Final[Mapping[str, Callable[[argparse.Namespace], int]]] = {
    "profiles": _profiles,
    "login": _login,
    "logout": _logout,
    "completion": _completion,
}
