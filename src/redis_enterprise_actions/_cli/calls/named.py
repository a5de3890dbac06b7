"""Handler of the named calls, such as `databases upgrade`."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final, cast

from redis_enterprise_actions._cli.connection import client_from_args
from redis_enterprise_actions._cli.wait.reporter import LogCapture
from redis_enterprise_actions._client.goals import check_call
from redis_enterprise_actions._client.http.nodes import find_node
from redis_enterprise_actions._client.submit.subjects import SubjectKind
from redis_enterprise_actions._model.database_names import name_in, uid_of
from redis_enterprise_actions._model.errors import UsageError

from .body import read_data
from .command import make_call, shared_arguments
from .confirmation import Destruction, check_terminal
from .signatures import ArgumentKind


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine

    from redis_enterprise_actions._cli.execution import Execution
    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._model.secret import Secret

    from .command import Start
    from .signatures import CallArgument, NamedCall

# What the calls of a resource are for; those for shards are on a database, as a rule.
_KINDS: Final = {
    "databases": SubjectKind.DATABASE,
    "nodes": SubjectKind.NODE,
    "crdbs": SubjectKind.CRDB,
    "cluster": SubjectKind.NOTHING,
}


def run_named_call(
    args: argparse.Namespace, execution: Execution
) -> Coroutine[object, object, int]:
    """Return the call that the arguments name, and the wait for what it starts."""
    log = execution.enter_context(LogCapture())
    call: NamedCall = args.call
    if args.wait:
        kind = SubjectKind.NOTHING if call.method == "delete" else _KINDS.get(args.resource)
        check_call(args.until, kind, f"{args.resource} {call.name}")
    destruction = None
    if call.verb is not None and not args.yes:
        uid = getattr(args, f"call_{call.arguments[0].name}")
        destruction = Destruction(call.verb, args.resource, str(uid))
        check_terminal(destruction)
    values = _values(args, call)
    client = client_from_args(args, execution)
    method = attrgetter(f"{args.resource}.{call.method}")(client)
    several = {
        argument.name: _distinct_nodes(client, cast("list[str]", values.pop(argument.name)))
        for argument in call.arguments
        if argument.kind is ArgumentKind.EACH and argument.name in values
    }
    start = partial(method, **values, params=dict(args.param), **shared_arguments(args))
    starts = [partial(start, **{name: each}) for name, given in several.items() for each in given]
    # The dry run of an Active-Active database is a task, which is followed.
    is_dry = bool(values.get("dry_run")) and args.resource != "crdbs"

    async def resolve(destruction: Destruction) -> tuple[Start, Destruction]:
        argument = call.arguments[0]
        name = (
            name_in(cast("int | str", values[argument.name]))
            if argument.kind is ArgumentKind.DATABASE
            else None
        )
        if name is None:
            return start, destruction
        uid = uid_of(name, await client.databases.names())
        return partial(start, **{argument.name: uid}), destruction._replace(uid=str(uid))

    return make_call(
        args,
        client,
        starts or [start],
        log,
        execution,
        destruction=destruction,
        is_dry=is_dry,
        resolve=resolve,
    )


def _distinct_nodes(client: ActionsClient, names: list[str]) -> list[str]:
    """Return a name for each of the nodes that are named. Raises `UsageError`, before any call."""
    return list({find_node(client.urls, name): name for name in names}.values())


def _values(args: argparse.Namespace, call: NamedCall) -> dict[str, object]:
    """Return the arguments of the call's method that the command line gives."""
    given = {
        argument: value
        for argument in call.arguments
        if (value := getattr(args, f"call_{argument.name}")) is not None
    }
    return {argument.name: _value(argument, value) for argument, value in given.items()}


def _value(argument: CallArgument, value: object) -> object:
    if argument.kind is ArgumentKind.OBJECT:
        return _objects(argument, cast("Secret", value))[0]
    if argument.kind is ArgumentKind.OBJECTS:
        return [each for one in cast("list[Secret]", value) for each in _objects(argument, one)]
    return value


def _objects(argument: CallArgument, value: Secret) -> list[object]:
    """Return the JSON object that an option gives, or those of the list that it gives."""
    option = argument.option or ""
    read = read_data(value, option)
    is_list = argument.kind is ArgumentKind.OBJECTS and isinstance(read, list)
    found = cast("list[object]", read if is_list else [read])
    if not all(isinstance(each, dict) for each in found):
        raise UsageError(f"{option} is not a JSON object")
    return found
