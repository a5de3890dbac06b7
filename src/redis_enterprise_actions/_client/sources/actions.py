"""Endpoints of actions: tasks and state machines. Vendor page: requests/actions.

The client uses /v1, which all versions have, and /v2 for what /v1 does not show. If the record of
an action is stuck or gone, the database that the action works on may show its end.
"""

from __future__ import annotations

import logging
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.protocols import ListResult, list_cost
from redis_enterprise_actions._client.wire.actions import (
    read_action,
    read_actions,
    split_families,
)
from redis_enterprise_actions._client.wire.databases import (
    DELETE_DATABASE,
    DELETE_PENDING,
    WireDatabase,
    failed_ops,
    is_settled,
    read_database,
)
from redis_enterprise_actions._client.wire.error_body import foreign_404, is_api_error
from redis_enterprise_actions._model.action import Action, Evidence, Kind, Phase, completed
from redis_enterprise_actions._model.errors import (
    ActionStalled,
    RequestError,
    RequestRejected,
    UnreadableReply,
)
from redis_enterprise_actions._model.text import one_line

from .actions_v2 import PATH as V2_PATH
from .actions_v2 import (
    VIEW_ACTIONS,
    Absence,
    ActionsV2Api,
    absence_of,
    is_on_database,
    is_v2_only,
    with_uid,
)
from .databases import DATABASES, VIEW_DATABASE, VIEW_DATABASES
from .list_cache import ListCache, ListEntry
from .not_found import confirm_gone, object_decoder
from .paths import checked_uid, quoted_uid
from .refused_lists import refusable


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import msgspec

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate, Wanted
    from redis_enterprise_actions._model.action import AmbiguousAnswer
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference

_log = logging.getLogger(__name__)
_PATH: Final = "/v1/actions"
_EMPTY_LIST: Final = b"[]"
_UNAUTHORIZED: Final = 401


class ActionsApi:
    """Status source for actions."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.v2 = ActionsV2Api(transport)
        self._cache = ListCache()

    async def list_actions(
        self, bdb_uid: int | None, *, allow_partial: bool = False
    ) -> list[Action]:
        """Return the actions of v1, or those on a database, and then those that only v2 shows.

        With `allow_partial`, if one of the two lists cannot be read, the other one is returned,
        with a warning.
        """
        path = _PATH if bdb_uid is None else f"{_PATH}/bdb/{checked_uid(bdb_uid)}"
        actions: list[Action] = []
        problem: UnreadableReply | None = None
        try:
            actions = await self._list(path, None)
        except UnreadableReply as error:
            if not allow_partial:
                raise
            problem = error
        try:
            of_v2 = await self.v2.list_actions()
        except UnreadableReply as error:
            if problem is not None or not allow_partial:
                raise
            of_v2, problem = [], error
        if problem is not None:
            if of_v2 is None:  # the cluster has no v2
                raise problem
            fields = {"event": "unreadable list", "path": problem.path, "reason": problem.detail}
            _log.warning("%s; the list lacks its actions", problem, extra=fields)
        known = {action.uid for action in actions}
        for action in of_v2 or ():
            if action.uid not in known and (bdb_uid is None or is_on_database(action, bdb_uid)):
                actions.append(action)
        return actions

    async def fetch(
        self, ref: Reference, last: Action | None, gate: Gate | None = None
    ) -> Action | AmbiguousAnswer | None:
        """Return an action, or None; a deletion whose record is gone is looked up by database.

        `last` is the action as last seen; it decides whether v2 is asked first.
        """
        v2_only = last is not None and last.kind is Kind.OTHER
        found = await self.v2.get_action(ref.uid, gate) if v2_only else None
        if found is None:
            path, decode = _action_route(ref.uid)
            answer = await self.transport.get(
                path, permission=VIEW_ACTIONS, decode=decode, gate=gate
            )
            if not isinstance(answer, Absence):
                return answer
            if answer is Absence.UNCLEAR:
                # The route may be missing instead of the action.
                try:
                    found = with_uid(await self._list(_PATH, gate), ref.uid)
                except RequestRejected as error:
                    if error.status == _UNAUTHORIZED:
                        raise
                    raise foreign_404(path) from error  # the list is refused, not the action
            if found is None and not v2_only:
                found = await self.v2.find_action(ref.uid, gate)
        if found is not None:
            return found
        deletion = _deletion_of(ref, last)
        return None if deletion is None else await self._confirm_deletion(ref, deletion, gate)

    def path(self, ref: Reference) -> str:
        """Return the path of an action in v1."""
        return _action_route(ref.uid)[0]

    @refusable
    async def fetch_many(self, wanted: Wanted, gate: Gate | None) -> ListResult:
        """Return what changed in the lists of v1 and, if need be, v2.

        An action may exist although no list shows it. v2 is asked if one of the missing actions is
        of a family that only v2 shows; the client then looks for all missing ones there. v1 is not
        asked if all are of such a family.
        """
        cache, costs = self._cache, list[float]()
        changed: Mapping[Reference, ListEntry | Action | None] = {}
        missing, read = list(wanted), None
        if not all(map(is_v2_only, wanted.values())):
            families, cost = await self.transport.get(
                _PATH, permission=VIEW_ACTIONS, decode=_decode_families, gate=gate
            )
            costs.append(cost)
            changed, read = cache.update(families, wanted), cache.read
            if not any(is_v2_only(wanted[ref]) for ref in cache.missing):
                return ListResult(changed, cost, read)
            missing = list(cache.missing)
            # Nothing is lost if the request for v2 is cut short, or another list comes before it.
            cache.postpone(changed)
        found: dict[Reference, Action] = {}
        try:
            uids = {ref.uid for ref in missing}
            decode = partial(_decode_v2, uids)
            listed = await self.v2.read_list(decode, gate) if missing else None
            if listed is not None:
                by_uid, cost = listed
                found = {ref: by_uid[ref.uid] for ref in missing if ref.uid in by_uid}
                costs.append(cost)
        except RequestError as error:
            if not costs:
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
        return ListResult({**changed, **in_v2}, sum(costs), read)

    async def verify(
        self, ref: Reference, unverified: WaitError, gate: Gate | None
    ) -> Action | None:
        """Return a stalled action as ended if its database shows that, otherwise None."""
        if unverified.action is None or not isinstance(unverified, ActionStalled):
            return None
        deletion = _deletion_of(ref, unverified.action)
        if deletion is None:
            return await self._confirm_end(ref, unverified.action, gate)
        found = await self._confirm_deletion(ref, deletion, gate)
        return found if isinstance(found, Action) and found.phase.terminal else None

    async def _list(self, path: str, gate: Gate | None) -> list[Action]:
        """Return the actions of a list of v1."""
        return await self.transport.get(
            path, permission=VIEW_ACTIONS, decode=partial(_decode_actions, path), gate=gate
        )

    async def _confirm_end(
        self, ref: Reference, action: Action, gate: Gate | None
    ) -> Action | None:
        """Return a stalled action as completed if its database is settled, otherwise None.

        A server bug (RS166122, up to 8.0.2) leaves finished state machines listed as running. An
        action that was seen running on a database where nothing is in progress has ended.
        """
        bdb_uid = _database_uid(action)
        if bdb_uid is None or action.phase is not Phase.RUNNING:
            return None
        database = await self._get_database(bdb_uid, ref, gate)
        if not isinstance(database, WireDatabase):
            return None
        return completed(action) if is_settled(database) and not failed_ops(database) else None

    async def _confirm_deletion(
        self, ref: Reference, deletion: Action, gate: Gate | None
    ) -> Action | AmbiguousAnswer | None:
        """Return the deletion of a database as completed if the database is gone.

        The record of a deletion disappears with its database, or a moment earlier. Return
        `deletion` unchanged while the database is being deleted, and None if it is not.
        """
        database = await self._get_database(deletion.object_uid or "", ref, gate)
        if database is None:
            return None
        if isinstance(database, WireDatabase):
            return deletion if database.status.strip().casefold() == DELETE_PENDING else None
        confirmed = await confirm_gone(
            self.transport,
            database,
            f"{DATABASES}/{deletion.object_uid}",
            list_permission=VIEW_DATABASES,
            gone=completed(deletion, Evidence.LIST),
            gate=gate,
        )
        return confirmed or deletion

    async def _get_database(
        self, uid: str, ref: Reference, gate: Gate | None
    ) -> WireDatabase | Reply | None:
        """Return the database of an action, or its 404, or None, with a warning, for a refusal."""
        path = f"{DATABASES}/{uid}"
        decode = object_decoder(path, partial(read_database, path=path))
        try:
            return await self.transport.get(
                path, permission=VIEW_DATABASE, decode=decode, gate=gate
            )
        except RequestRejected as error:
            fields = {"event": "database cannot tell", "ref": str(ref), "reason": error.detail}
            message = "cannot confirm the end of %s by its database: %s"
            _log.warning(message, one_line(str(ref)), error, extra=fields)
            return None


@lru_cache(1024)  # a wait asks for the same action again and again
def _action_route(uid: str) -> tuple[str, Callable[[Reply], Action | Absence]]:
    path = f"{_PATH}/{quoted_uid(uid)}"
    return path, partial(_decode_action, uid, path)


def _decode_action(uid: str, path: str, reply: Reply) -> Action | Absence:
    return absence_of(reply) if reply.status == 404 else read_action(reply.body, uid, path)


def _decode_actions(path: str, reply: Reply) -> list[Action]:
    return read_actions(_list_body(path, reply), path)


def _decode_families(reply: Reply) -> tuple[Mapping[Kind, Sequence[msgspec.Raw]], float]:
    """Return the undecoded entries of the list of v1 by family, and the cost of the request."""
    return split_families(_list_body(_PATH, reply), _PATH), list_cost(reply.body)


def _decode_v2(uids: set[str], body: bytes) -> tuple[dict[str, Action], float]:
    """Return the actions in the list of v2 that have one of these uids, and its cost."""
    actions = read_actions(body, V2_PATH, Kind.OTHER, uids)
    # The first one of each uid counts.
    return {action.uid: action for action in reversed(actions)}, list_cost(body)


def _list_body(path: str, reply: Reply) -> bytes:
    """Return the body of a list of v1. The page documents 404 for it, too: there are no actions."""
    if reply.status != 404:
        return reply.body
    if is_api_error(reply.body):
        return _EMPTY_LIST
    raise foreign_404(path, reply.body)


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
