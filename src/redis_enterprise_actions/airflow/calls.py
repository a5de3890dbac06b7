"""Calls that operators make, checks before them, and looks at their work."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, cast

from redis_enterprise_actions import ActionNotFound, RedisActionsError, UsageError

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


def mapping(value: object, name: str) -> dict[str, object] | None:
    """Return the fields of a body, or None. Raises `UsageError` for what is no JSON object."""
    fields = decoded(value, name)
    if fields is not None and not isinstance(fields, dict):
        raise UsageError(f"{name} is not a JSON object")
    return cast("dict[str, object] | None", fields)


def number(value: int | str) -> int | str:
    """Return a uid that a template has made to text; any other text is kept, as a name may be."""
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() else value


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


async def may_have_ended(client: ActionsClient, ref: str) -> bool:
    """Return True if work is known to have ended, or the cluster does not say so."""
    async with client:
        try:
            return (await client.get(ref)).phase.terminal
        except ActionNotFound:
            return False
        except RedisActionsError:
            return True


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
