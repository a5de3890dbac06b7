"""Endpoints of actions: tasks and state machines. Vendor page: requests/actions.

The client uses /v1, which all versions have, and /v2 for what /v1 does not show. If the record of
an action is stuck or gone, the database that the action works on may show its end.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.http.failover import failover
from redis_enterprise_actions._client.protocols import ListResult, list_cost
from redis_enterprise_actions._client.wire.actions import (
    read_action,
    read_actions,
    read_actions_v2,
    split_families,
)
from redis_enterprise_actions._client.wire.databases import (
    DELETE_DATABASE,
    DELETE_PENDING,
    failed_ops,
    is_settled,
    read_database,
)
from redis_enterprise_actions._client.wire.error_body import (
    error_code_of,
    is_api_error,
    unreadable_reply,
)
from redis_enterprise_actions._model.action import Action, Evidence, Kind, Phase, completed
from redis_enterprise_actions._model.errors import ActionStalled, RequestError, RequestRejected
from redis_enterprise_actions._model.text import one_line

from .actions_v2 import (
    ACTION_NOT_FOUND,
    VIEW_ACTIONS,
    ActionsV2Api,
    is_on_database,
    is_v2_only,
    with_uid,
)
from .actions_v2 import PATH as V2_PATH
from .databases import DATABASES, VIEW_DATABASE, VIEW_DATABASES
from .list_cache import ListCache, ListEntry
from .not_found import FOREIGN_404, confirm_gone, get
from .paths import checked_uid, quoted_uid


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions._client.http.transport import Reply, Transport
    from redis_enterprise_actions._client.protocols import Gate, Wanted
    from redis_enterprise_actions._model.action import AmbiguousAnswer
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference

_log = logging.getLogger(__name__)
_PATH: Final = "/v1/actions"
_EMPTY_LIST: Final = b"[]"


class ActionsApi:
    """Status source for actions."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.v2 = ActionsV2Api(transport)
        self._cache = ListCache()

    @failover
    async def list_actions(self, bdb_uid: int | None) -> list[Action]:
        """Return the actions of v1, or those on a database, and then those that only v2 shows."""
        path = _PATH if bdb_uid is None else f"{_PATH}/bdb/{checked_uid(bdb_uid)}"
        actions = read_actions(await self._list_body(path), path)
        known = {action.uid for action in actions}
        for action in await self.v2.list_actions() or ():
            if action.uid not in known and (bdb_uid is None or is_on_database(action, bdb_uid)):
                actions.append(action)
        return actions

    @failover
    async def find_action(self, uid: str, last: Action | None = None) -> Action | None:
        """Return an action, or None if the cluster does not know it.

        `last` is the action as last seen; it decides whether v2 is asked first.
        """
        v2_only = is_v2_only(last)
        found = await self.v2.get_action(uid) if v2_only else None
        if found is not None:
            return found
        path = _action_path(uid)
        reply = await self.transport.get(path, permission=VIEW_ACTIONS)
        if reply.status != 404:
            return read_action(reply.body, uid, path)
        if error_code_of(reply.body) != ACTION_NOT_FOUND:
            # The route may be missing instead of the action.
            found = with_uid(read_actions(await self._list_body(_PATH), _PATH), uid)
        return found if found is not None or v2_only else await self.v2.find_action(uid)

    async def fetch(self, ref: Reference, last: Action | None) -> Action | AmbiguousAnswer | None:
        """Return an action, or None; a deletion whose record is gone is looked up by database."""
        found = await self.find_action(ref.uid, last)
        if found is not None:
            return found
        deletion = _deletion_of(ref, last)
        return None if deletion is None else await self._confirm_deletion(ref, deletion)

    @failover
    async def fetch_many(self, wanted: Wanted, _gate: Gate | None = None, /) -> ListResult:
        """Return what changed in the lists of v1 and, if need be, v2.

        An action may exist although no list shows it. v2 is asked if one of the missing actions is
        of a family that only v2 shows; the client then looks for all missing ones there. v1 is not
        asked if all are of such a family.
        """
        cache, bodies = self._cache, list[bytes]()
        changed: Mapping[Reference, ListEntry | Action | None] = {}
        missing, read = list(wanted), None
        if not all(map(is_v2_only, wanted.values())):
            bodies.append(await self._list_body(_PATH))
            changed, read = cache.update(split_families(bodies[0], _PATH), wanted), cache.read
            if not any(is_v2_only(wanted[ref]) for ref in cache.missing):
                return ListResult(changed, list_cost(*bodies), read)
            missing = list(cache.missing)
            # Nothing is lost if the request for v2 is cut short, or another list comes before it.
            cache.postpone(changed)
        found: dict[Reference, Action] = {}
        try:
            v2_body = await self.v2.list_body() if missing else None
            if v2_body is not None:
                uids = {ref.uid for ref in missing}
                actions = reversed(read_actions_v2(v2_body, V2_PATH, uids))
                by_uid = {action.uid: action for action in actions}
                found = {ref: by_uid[ref.uid] for ref in missing if ref.uid in by_uid}
                bodies.append(v2_body)
        except RequestError as error:
            if not bodies:
                raise
            _log.debug("%s; the list of v1 is used alone", str(error))
        cache.want(wanted)
        if read is not None:
            changed = cache.take_postponed()
        in_v2 = {
            ref: found.get(ref)
            for ref in missing
            if ref in wanted and (ref in found or is_v2_only(wanted[ref]))
        }
        cache.postpone(in_v2)
        cache.others = found
        return ListResult({**changed, **in_v2}, list_cost(*bodies), read)

    async def verify(self, ref: Reference, unverified: WaitError) -> Action | None:
        """Return a stalled action as ended if its database shows that, otherwise None."""
        if unverified.action is None or not isinstance(unverified, ActionStalled):
            return None
        deletion = _deletion_of(ref, unverified.action)
        if deletion is None:
            return await self._confirm_end(ref, unverified.action)
        found = await self._confirm_deletion(ref, deletion)
        return found if isinstance(found, Action) and found.phase.terminal else None

    async def _list_body(self, path: str) -> bytes:
        """Return a list of v1, undecoded."""
        reply = await self.transport.get(path, permission=VIEW_ACTIONS)
        if reply.status != 404:
            return reply.body
        # The page documents 404 for lists, too: there are no actions.
        if is_api_error(reply.body):
            return _EMPTY_LIST
        raise unreadable_reply(path, FOREIGN_404, reply.body)

    @failover
    async def _confirm_end(self, ref: Reference, action: Action) -> Action | None:
        """Return a stalled action as completed if its database is settled, otherwise None.

        A server bug (RS166122, up to 8.0.2) leaves finished state machines listed as running. An
        action that was seen running on a database where nothing is in progress has ended.
        """
        bdb_uid = _database_uid(action)
        if bdb_uid is None or action.phase is not Phase.RUNNING:
            return None
        path = f"{DATABASES}/{bdb_uid}"
        reply = await self._get_database(path, ref)
        if reply is None or reply.status == 404:
            return None
        database = read_database(reply.body, path)
        return completed(action) if is_settled(database) and not failed_ops(database) else None

    @failover
    async def _confirm_deletion(
        self, ref: Reference, deletion: Action
    ) -> Action | AmbiguousAnswer | None:
        """Return the deletion of a database as completed if the database is gone.

        The record of a deletion disappears with its database, or a moment earlier. Return
        `deletion` unchanged while the database is being deleted, and None if it is not.
        """
        path = f"{DATABASES}/{deletion.object_uid}"
        reply = await self._get_database(path, ref)
        if reply is None:
            return None
        if reply.status != 404:
            status = read_database(reply.body, path).status.strip().casefold()
            return deletion if status == DELETE_PENDING else None
        gone = completed(deletion, Evidence.LIST)
        confirmed = await confirm_gone(
            self.transport, reply, path, list_permission=VIEW_DATABASES, gone=gone
        )
        return confirmed or deletion

    async def _get_database(self, path: str, ref: Reference) -> Reply | None:
        """GET the database of an action; return None, and log a warning, if that is refused."""
        try:
            return await get(self.transport, path, permission=VIEW_DATABASE)
        except RequestRejected as error:
            fields = {"event": "database cannot tell", "ref": str(ref), "reason": error.detail}
            message = "cannot confirm the end of %s by its database: %s"
            _log.warning(message, one_line(str(ref)), error, extra=fields)
            return None


@lru_cache(1024)  # a wait asks for the same action again and again
def _action_path(uid: str) -> str:
    return f"{_PATH}/{quoted_uid(uid)}"


def _deletion_of(ref: Reference, last: Action | None) -> Action | None:
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
