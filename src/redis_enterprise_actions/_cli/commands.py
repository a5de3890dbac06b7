"""Which commands there are to look around and to set up, and what they take."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.wait.options import duration

from .completion import SHELLS


if TYPE_CHECKING:
    from collections.abc import Callable

_LEAST_INTERVAL: Final = 1.0  # seconds between two looks, to spare the cluster
_SHOWN: Final = "what is shown has to match each that is given"
_TO_SET_UP: Final = {
    "profiles": "show which profiles there are",
    "login": "store a password in the system's keyring, for profiles",
    "logout": "remove a password from the keyring",
}


def add_looks(
    add: Callable[..., argparse.ArgumentParser],
    connection: argparse.ArgumentParser,
) -> None:
    """Add `list` and `watch`."""
    command = add("list", parents=[connection], help="show what the cluster does")
    add_filters(command, _SHOWN)
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    command.set_defaults(run="list", connects=True, interrupted="")

    command = add("doctor", parents=[connection], help="find out what keeps you from the cluster")
    text = "how long each step may take (default: 10s)"
    command.add_argument("--timeout", type=duration, default=10.0, metavar="TIME", help=text)
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    command.set_defaults(run="doctor", connects=False, interrupted="")

    command = add("watch", parents=[connection], help="see live what the cluster does")
    add_filters(command, _SHOWN)
    text = "from one look to the next (default: 5s)"
    command.add_argument("--interval", type=_interval, default=5.0, metavar="TIME", help=text)
    text = "look once, and print what list prints"
    command.add_argument("--once", action="store_true", help=text)
    command.set_defaults(run="watch", connects=True, interrupted="", json=False)


def add_chores(
    add: Callable[..., argparse.ArgumentParser], connection: argparse.ArgumentParser
) -> None:
    """Add what needs no cluster."""
    for name, text in _TO_SET_UP.items():
        command = add(name, parents=[] if name == "profiles" else [connection], help=text)
        command.set_defaults(run=name, connects=False, interrupted="")
    command = add("completion", help="print what lets Tab complete, for a shell")
    command.add_argument("shell", choices=SHELLS, help="the shell that is to run it")
    command.set_defaults(run="completion", connects=False, interrupted="")


def add_filters(command: argparse.ArgumentParser, said: str) -> None:
    """Add the filters that `_select.selection_of` reads; `said` tells what they are for."""
    filters = command.add_argument_group("filters", said)
    filters.add_argument("--bdb", type=int, metavar="UID", help="what works on this database")
    filters.add_argument("--node", type=int, metavar="UID", help="what works on this node")
    text = "such as running,failed: phases, or the cluster's own words"
    filters.add_argument(
        "--status", type=statuses, default=frozenset(), metavar="STATUS", help=text
    )
    text = "a pattern for the action's name, such as 'SM*'"
    filters.add_argument("--name", metavar="PATTERN", help=text)


def _interval(text: str) -> float:
    seconds = duration(text)
    if seconds < _LEAST_INTERVAL:
        raise argparse.ArgumentTypeError(f"look every {_LEAST_INTERVAL:g}s at most")
    return seconds


def statuses(text: str) -> frozenset[str]:
    """Read words with commas between them."""
    words = [word.strip().casefold() for word in text.split(",")]
    return frozenset(word for word in words if word)
