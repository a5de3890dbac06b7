"""Calls that operators make, checks before them, and looks at their work."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypedDict, cast

from redis_enterprise_actions import (
    ActionNotFound,
    RedisActionsError,
    RequestRejected,
    UsageError,
)

from .hooks import RedisEnterpriseHook
from .job import run


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import TypeAlias

    from redis_enterprise_actions import ActionsClient, Operation

    from .connection import ConnectionSettings
    from .waits import Wait

    # A function without arguments that makes the call
    Call: TypeAlias = Callable[[], Coroutine[object, object, Operation[Any]]]


CRDB_TASK: Final = "crdb:any"
# Actions of a node or the cluster, which are on no database
_OTHER_WORK: Final = re.compile(r"/v\d+/(?:nodes/\d+|cluster)/actions/([a-z_]+)$")
_DATABASE: Final = re.compile(r"/v\d+/bdbs/(\d+)$")
_CRDB: Final = re.compile(r"/v\d+/crdbs(?:/|$)")
_TRUE: Final = frozenset({"", "true", "1", "yes"})  # values of the query


class _Log(Protocol):
    """The methods of a task's log that are used."""

    def info(self, event: str, /, *args: object) -> object: ...
    def warning(self, event: str, /, *args: object) -> object: ...


class CallOptions(TypedDict):
    """Arguments that all calls of the client take."""

    busy_timeout: float | None
    outage_timeout: float | None
    untracked: Literal["refused", "completed"]


def decoded(value: object, name: str) -> object:
    """Return a body: text is read as JSON. Raises `UsageError`, which does not show the text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        problem = str(error)
    # Not in the handler: the error, as the context, would hold the whole text.
    raise UsageError(f"{name} is not valid JSON: {problem}")


def mapping(value: object, name: str) -> Mapping[str, object] | None:
    """Return the fields of a body, or None. Raises `UsageError` for what is no JSON object."""
    fields = decoded(value, name)
    if fields is not None and not isinstance(fields, Mapping):
        raise UsageError(f"{name} is not a JSON object")
    return cast("Mapping[str, object] | None", fields)


def text(value: object, name: str) -> str:
    """Return text. Raises `UsageError` for anything else."""
    if not isinstance(value, str):
        raise UsageError(f"{name}={value!r} is no text")
    return value


def number(value: int | str) -> int | str:
    """Return a uid that a template has made to text; any other text is kept, as a name may be."""
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() else value


def expected_ref(method: str, path: str) -> str:
    """Return a reference of the kind that a call leads to, as far as that is clear."""
    if found := _OTHER_WORK.match(path):
        return f"cluster:{found[1]}"
    if _CRDB.match(path):
        return CRDB_TASK
    found = _DATABASE.match(path)
    return f"bdb:{found[1]}@gone" if found and method.upper() == "DELETE" else "action:any"


def asks_dry_run(query: Mapping[str, object] | None, body: object) -> bool:
    """Return True if the query or the body of a call asks for a dry run."""
    if query is not None and "dry_run" in query:
        return str(query["dry_run"]).casefold() in _TRUE
    fields = cast("Mapping[str, object]", body if isinstance(body, Mapping) else {})
    return fields.get("dry_run") is True


def checked_settings(conn_id: str, wait: Wait) -> ConnectionSettings:
    """Return the settings of a connection; nothing is sent.

    Raises `UsageError` if they cannot work, or if the reference or the condition of a wait cannot,
    and Airflow's error for a missing connection.
    """
    settings = RedisEnterpriseHook(conn_id).get_settings()
    check(settings, wait)
    return settings


def check(settings: ConnectionSettings, wait: Wait) -> None:
    """Raise `UsageError` if the settings or the wait cannot work. Nothing is sent."""
    run(_check(settings.make_client(), wait))


async def _check(client: ActionsClient, wait: Wait) -> None:
    async with client:
        wait.check(client)


async def is_unused(client: ActionsClient, ref: str) -> bool:
    """Return True if there is no task with the id that a call chooses; False if that is not known.

    Raises `UsageError` if there is one: the cluster would take the call for that task's.
    """
    async with client:
        try:
            task = await client.get(ref)
        except ActionNotFound:
            return True
        except RequestRejected:
            return False
    raise UsageError(
        f"there is a task {ref!r} already ({task.phase}); each run needs an id of its own, "
        "such as {{ run_id }}-{{ ti.try_number }}"
    )


async def has_ended(client: ActionsClient, ref: str) -> bool:
    """Return True if work has ended, or the cluster does not know it any more."""
    async with client:
        try:
            return (await client.get(ref)).phase.terminal
        except ActionNotFound:
            return True


async def cancel(client: ActionsClient, ref: str, log: _Log) -> None:
    """Cancel work on the cluster, and write to the log whether that works."""
    async with client:
        try:
            await client.operation(ref).cancel()
        except RedisActionsError as error:
            log.warning("%s", error)
        else:
            log.info("%r is being cancelled", ref)
