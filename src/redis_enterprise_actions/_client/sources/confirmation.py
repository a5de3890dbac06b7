"""Confirmation by a database that the action on it has ended."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.http.failover import failover
from redis_enterprise_actions._client.wire.databases import (
    DELETE_DATABASE,
    DELETE_PENDING,
    failed_ops,
    is_settled,
    read_database,
)
from redis_enterprise_actions._model.action import (
    Action,
    Evidence,
    Kind,
    Phase,
    completed,
)
from redis_enterprise_actions._model.errors import RequestRejected
from redis_enterprise_actions._model.text import one_line

from .not_found import confirm_gone, get
from .paths import DATABASES


if TYPE_CHECKING:
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._model.action import AmbiguousAnswer
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference

_log = logging.getLogger(__name__)
# requests/bdbs
VIEW_DATABASE: Final = "view_bdb_info"
VIEW_DATABASES: Final = "view_all_bdbs_info"


class DatabaseConfirmation:
    """Looks at the database of an action whose own record is stuck or gone."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @failover
    async def finished(self, ref: Reference, doubt: WaitError) -> Action | None:
        """Return a stalled action as completed if its database is settled, otherwise None.

        A server bug (RS166122, up to 8.0.2) leaves finished state machines listed as running. An
        action that was seen running on a database where nothing is in progress has ended.
        """
        action = doubt.action
        bdb_uid = None if action is None else _database_uid(action)
        if action is None or bdb_uid is None or action.phase is not Phase.RUNNING:
            return None
        path = f"{DATABASES}/{bdb_uid}"
        try:
            reply = await get(self.transport, path, permission=VIEW_DATABASE)
        except RequestRejected as error:
            _log_refusal(ref, error)
            return None
        if reply.status == 404:
            return None
        database = read_database(reply.body, path)
        return completed(action) if is_settled(database) and not failed_ops(database) else None

    @failover
    async def deleted(self, ref: Reference, deletion: Action) -> Action | AmbiguousAnswer | None:
        """Return the deletion of a database as completed if the database is gone.

        The record of a deletion disappears with its database, or a moment earlier. Return
        `deletion` unchanged while the database is being deleted, and None if it is not.
        """
        path = f"{DATABASES}/{deletion.object_uid}"
        try:
            reply = await get(self.transport, path, permission=VIEW_DATABASE)
        except RequestRejected as error:
            _log_refusal(ref, error)
            return None
        if reply.status != 404:
            status = read_database(reply.body, path).status.strip().casefold()
            return deletion if status == DELETE_PENDING else None
        gone = completed(deletion, Evidence.LIST)
        confirmed = await confirm_gone(
            self.transport, reply, path, list_permission=VIEW_DATABASES, gone=gone
        )
        return confirmed or deletion


def deletion_of(ref: Reference, last: Action | None) -> Action | None:
    """Return the deletion of a database that a reference, or the action as last seen, is about."""
    if last is not None:
        return last if last.name == DELETE_DATABASE and _database_uid(last) is not None else None
    if not ref.run:
        return None
    return Action(
        uid=ref.uid,
        name=DELETE_DATABASE,
        status="",
        phase=Phase.RUNNING,
        kind=Kind.STATE_MACHINE,
        object_type="bdb",
        object_uid=ref.run.partition(":")[2],
    )


def _database_uid(action: Action) -> str | None:
    """Return the uid of the database that a state machine works on."""
    uid = action.object_uid or ""
    is_database = action.object_type == "bdb" and uid.isascii() and uid.isdecimal()
    return uid if is_database and action.kind is Kind.STATE_MACHINE else None


def _log_refusal(ref: Reference, error: RequestRejected) -> None:
    fields = {"event": "database cannot tell", "ref": str(ref), "reason": error.detail}
    message = "cannot confirm the end of %s by its database: %s"
    _log.warning(message, one_line(str(ref)), error, extra=fields)
