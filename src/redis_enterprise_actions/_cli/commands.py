"""Table of the commands of `redis-actions`.

A row names its functions as `module:function` below this package. The module that adds the
arguments is imported if the command line names the command, and that of the handler if the command
runs. So `--help`, Tab and errors of usage import no HTTP client.
"""

from __future__ import annotations

import enum
import importlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Callable


class Group(enum.Enum):
    """Group of commands in the help. The value is its title."""

    WAIT = "wait"
    LOOK = "look"
    START = "start"
    SET_UP = "set up"
    TRY = "try"
    HELP = "help"  # named at the end of the help only


class Command(NamedTuple):
    """Row of the table.

    `arguments` is a function, or the name of one, that gets the command's `CommandParser` and adds
    the help texts, the arguments and the options. `handler` names a function that gets the parsed
    arguments and an `Execution`, and returns the exit code, or a coroutine that does. A command
    that only has subcommands has no handler: its `arguments` calls `CommandParser.add_commands`.
    """

    name: str
    group: Group
    summary: str
    arguments: str | Callable[..., None]
    handler: str | None = None


COMMANDS: Final = (
    Command(
        "wait",
        Group.WAIT,
        "wait for actions and other long-running operations to end",
        "wait.arguments:add_wait",
        "wait.command:run_wait",
    ),
    Command(
        "list",
        Group.LOOK,
        "list the actions and tasks of the cluster",
        "listing.arguments:add_list",
        "listing.command:run_list",
    ),
    Command(
        "watch",
        Group.LOOK,
        "show the list of actions live",
        "listing.arguments:add_watch",
        "listing.command:run_watch",
    ),
    Command(
        "get",
        Group.LOOK,
        "show one operation",
        "calls.arguments:add_get",
        "calls.command:run_get",
    ),
    Command(
        "check",
        Group.LOOK,
        "check whether the next node of the cluster may be worked on",
        "check.arguments:add_check",
        "check.command:run_check",
    ),
    Command(
        "databases",
        Group.START,
        "create, change, upgrade, move and delete databases",
        "calls.named_arguments:add_databases",
    ),
    Command(
        "nodes",
        Group.START,
        "maintenance mode and removal of nodes",
        "calls.named_arguments:add_nodes",
    ),
    Command(
        "cluster",
        Group.START,
        "change the primary node",
        "calls.named_arguments:add_cluster",
    ),
    Command(
        "shards",
        Group.START,
        "move shards, and fail them over",
        "calls.named_arguments:add_shards",
    ),
    Command(
        "crdbs",
        Group.START,
        "create, change, flush and delete Active-Active databases",
        "calls.named_arguments:add_crdbs",
    ),
    Command(
        "submit",
        Group.START,
        "start a long-running operation with a call of the API",
        "calls.arguments:add_submit",
        "calls.command:run_submit",
    ),
    Command(
        "cancel",
        Group.START,
        "cancel an operation, if the API can",
        "calls.arguments:add_cancel",
        "calls.command:run_cancel",
    ),
    Command(
        "login",
        Group.SET_UP,
        "write a profile for a cluster, and keep its password",
        "setup.arguments:add_login",
        "setup.command:run_login",
    ),
    Command(
        "logout",
        Group.SET_UP,
        "remove a password from the keyring",
        "setup.arguments:add_logout",
        "setup.command:run_logout",
    ),
    Command(
        "profiles",
        Group.SET_UP,
        "list the profiles",
        "setup.arguments:add_profiles",
        "setup.command:run_profiles",
    ),
    Command(
        "doctor",
        Group.SET_UP,
        "diagnose connection problems",
        "doctor.arguments:add_doctor",
        "doctor.command:run_doctor",
    ),
    Command(
        "completion",
        Group.SET_UP,
        "print the script for Tab completion in a shell",
        "completion:add_completion",
        "completion:run_completion",
    ),
    Command(
        "demo",
        Group.TRY,
        "wait for several actions on a fake cluster",
        "demo_arguments:add_demo",
        "demo:run_demo",
    ),
    Command(
        "fake-cluster",
        Group.TRY,
        "serve a fake cluster with a few running actions",
        "demo_arguments:add_fake_cluster",
        "demo:run_fake_cluster",
    ),
    Command(
        "help",
        Group.HELP,
        "show the help of a command or a topic",
        "information:add_help",
        "information:run_help",
    ),
    Command(
        "version",
        Group.HELP,
        "print the version",
        "information:add_version",
        "information:run_version",
    ),
)  # fmt: skip


def load(name: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that a row of the table names, such as `wait.command:run_wait`."""
    if not isinstance(name, str):
        return name
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(
        importlib.import_module(f"{__package__}.{module}"), function
    )
    return found
