"""Arguments of the named calls, such as `databases upgrade`, made from the table of calls."""

from __future__ import annotations

import argparse
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from redis_enterprise_actions._cli.commands import Command, Group
from redis_enterprise_actions._cli.durations import parse_time
from redis_enterprise_actions._cli.help import LOCAL_CODES
from redis_enterprise_actions._cli.values import database, whole_number

from .arguments import RARE_CALL_OPTIONS, SUBMIT_CODES, add_call_options, parse_secret
from .signatures import ArgumentKind
from .table import CALLS


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions._cli.parser import CommandParser

    from .signatures import CallArgument, NamedCall

_JSON: Final = "JSON, or @FILE, or @- for standard input"
_HELP: Final = {
    "bdb_uid": "uid of the database, or name:NAME",
    "node_uid": "uid of the node",
    "shard_uids": "uid of a shard",
    "target_node_uid": "uid of the node that they move to",
    "guid": "GUID of the Active-Active database",
    "config": f"the configuration of the call: {_JSON}",
    "node": "host, or host:port, of one of the URLs (default: the first one)",
    "file": "the package of the module",
    "name": "the file name to send (default: the name of FILE)",
    "changes": f"the settings to change: {_JSON}",
    "settings": f"settings of the call: {_JSON}",
    "location": f"an export_location object: {_JSON}",
    "sources": f"a dataset_import_sources object, or a list; can be repeated: {_JSON}",
    "check": "make the call only if the cluster is healthy, as `redis-actions check` sees it",
    "dry_run": "let the cluster check the call, and start nothing",
    "task_id": "the id that the task is to have",
    "result_ttl": "seconds for which the cluster keeps the result (default: 500)",
}
_SAMPLES: Final = {
    ArgumentKind.NUMBER: "1",
    ArgumentKind.DATABASE: "1",
    ArgumentKind.TEXT: '"$guid"',
    ArgumentKind.TEXTS: "3 4",
    ArgumentKind.FILE: "module.zip",
    ArgumentKind.OBJECT: "@file.json",
    ArgumentKind.OBJECTS: "@file.json",
}


def add_databases(command: CommandParser) -> None:
    """Add the calls on databases."""
    _add_calls("databases", command, "Create, change, upgrade, move and delete databases.")


def add_nodes(command: CommandParser) -> None:
    """Add the calls on nodes."""
    _add_calls("nodes", command, "Put nodes into maintenance mode, take them out, remove them.")


def add_cluster(command: CommandParser) -> None:
    """Add the calls on the cluster."""
    sentence = "Create, join and recover a cluster; change it as a whole."
    _add_calls("cluster", command, sentence)


def add_shards(command: CommandParser) -> None:
    """Add the calls on shards."""
    _add_calls("shards", command, "Move shards, and fail them over.")


def add_crdbs(command: CommandParser) -> None:
    """Add the calls on Active-Active databases."""
    _add_calls("crdbs", command, "Create, change, flush and delete Active-Active databases.")


def _add_calls(resource: str, command: CommandParser, sentence: str) -> None:
    calls = CALLS[resource]
    command.describe(
        f"{sentence} Each call waits until the work that it starts has ended.",
        examples=[_example(resource, call) for call in calls[:3]],
        exit_codes=LOCAL_CODES,
    )
    command.add_commands(
        Command(
            call.name,
            Group.START,
            f"{call.summary[:1].lower()}{call.summary[1:]}",
            partial(_add_call, resource, call),
            "calls.named:run_named_call",
        )
        for call in calls
    )


def _add_call(resource: str, call: NamedCall, command: CommandParser) -> None:
    """Add the arguments of one call; those of its own are stored under `call_` and the name."""
    example = _example(resource, call)
    examples = [f"{example} --timeout 30m", f"ref=$({example} --no-wait)"]
    if any(argument.name == "dry_run" for argument in call.arguments):
        examples.append(f"{example} --dry-run")
    if call.verb is not None:
        examples = [example, *(each.replace(example, f"{example} --yes") for each in examples)]
    exit_codes = dict(SUBMIT_CODES)
    if any(argument.name == "check" for argument in call.arguments):
        exit_codes[7] = "no go: the cluster is not healthy"
    command.describe(
        f"{call.summary}, and wait until that has ended.",
        examples=examples,
        exit_codes=dict(sorted(exit_codes.items())),
        rare=RARE_CALL_OPTIONS | {"--task-id", "--result-ttl"},
    )
    for argument in call.arguments:
        name = f"call_{argument.name}"
        if argument.option is None:
            command.add_argument(name, **_options_of(argument))
        else:
            command.add_argument(argument.option, dest=name, **_options_of(argument))
    add_call_options(command, confirms=call.verb is not None)
    command.set_defaults(resource=resource, call=call)


_TYPES: Final[Mapping[ArgumentKind, Mapping[str, Any]]] = {
    ArgumentKind.NUMBER: {"type": whole_number},
    ArgumentKind.DATABASE: {"type": database},
    ArgumentKind.DURATION: {"type": parse_time, "metavar": "TIME"},
    ArgumentKind.OBJECT: {"type": parse_secret, "metavar": "JSON"},
    ArgumentKind.OBJECTS: {"type": parse_secret, "metavar": "JSON"},
}


def _options_of(argument: CallArgument) -> Mapping[str, Any]:
    """Return the keyword arguments of `add_argument` for an argument of a call."""
    options: dict[str, Any] = {
        "help": _HELP.get(argument.name, argument.name.replace("_", " ")),
    }
    if argument.kind is ArgumentKind.EACH:
        options["help"] += "; repeat it to make the call for several at once"
    if argument.option is not None:
        options["required"] = argument.required
    if argument.kind is ArgumentKind.SWITCH:
        action = argparse.BooleanOptionalAction if argument.is_on else "store_true"
        return options | {"action": action, "default": argument.is_on}
    options["metavar"] = re.sub("_uids?$", "", argument.name).rpartition("_")[2].upper()
    options |= _TYPES.get(argument.kind, {})
    if argument.kind is ArgumentKind.CHOICE:
        options["choices"] = argument.choices
    if argument.kind is ArgumentKind.TEXTS and argument.option is None:
        options["nargs"] = "+"
    elif argument.kind in {ArgumentKind.TEXTS, ArgumentKind.OBJECTS, ArgumentKind.EACH}:
        options["action"] = "append"
    return options


def _example(resource: str, call: NamedCall) -> str:
    """Return a command line that makes a call, with only the arguments that it needs."""
    words = ["redis-actions", resource, call.name]
    for argument in call.arguments:
        if argument.required:
            words += [argument.option] if argument.option is not None else []
            words.append(_SAMPLES[argument.kind])
    return " ".join(words)
