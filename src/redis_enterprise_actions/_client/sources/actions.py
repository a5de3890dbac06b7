"""Which route to ask: /v1, /v2 or the database itself.

Knows the vendor's paths, their permissions and what a 404 means on each. Use v1 everywhere;
v2 exists from 7.22 on, and alone shows import, export and backup. Refuses to know about
waiting.
"""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.http.failover import failover
from redis_enterprise_actions._client.protocols import ListResult
from redis_enterprise_actions._client.wire.action_list import ActionListReader
from redis_enterprise_actions._client.wire.actions import (
    read_action,
    read_action_v2,
    read_actions,
    read_actions_v2,
)
from redis_enterprise_actions._client.wire.databases import (
    DELETE_DATABASE,
    failed_ops,
    is_settled,
    read_database,
)
from redis_enterprise_actions._client.wire.error_body import (
    error_code_of,
    is_api_error,
    unreadable_reply,
)
from redis_enterprise_actions._client.wire.lists import read_uids
from redis_enterprise_actions._model.action import (
    Action,
    Ambiguity,
    AmbiguousAnswer,
    Evidence,
    Kind,
    Phase,
    completed,
)
from redis_enterprise_actions._model.errors import (
    ActionStalled,
    ClusterUnreachable,
    RequestError,
    RequestRejected,
    UnreadableReply,
)

from .paths import checked_uid, quoted_uid


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from redis_enterprise_actions._client.http.transport import Reply, Transport
    from redis_enterprise_actions._client.wire.databases import WireDatabase
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference


_log = logging.getLogger(__name__)
_V1: Final = "/v1/actions"
_V2: Final = "/v2/actions"
_SEE_ACTIONS: Final = "view_status_of_cluster_action"  # requests/actions
_SEE_DATABASE: Final = "view_bdb_info"  # requests/bdbs
SEE_DATABASES: Final = "view_all_bdbs_info"
_MISSING: Final = "action_not_found"
_V2_BUG: Final = "invalid_schema"  # RS200753: /v2/actions could fail so before 8.2.0-46
_NOTHING: Final = b"[]"
BYTES_PER_REQUEST: Final = 2**15  # bytes of a body that burden a cluster like a request
FOREIGN_404: Final = "404 in no words of the API's; is the URL that of the REST API (port 9443)?"
_DATABASES: Final = "/v1/bdbs"
_DELETING: Final = "delete-pending"
FIELDS_UNSUPPORTED: Final = frozenset({400, 406})  # what some versions answer to `fields=`


class ActionsApi:
    """Asks the cluster about actions, by whichever route knows."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._v2: bool | None = None  # None until the list route has told
        self._finding_out = asyncio.Lock()
        self._warned = False
        self._reader = ActionListReader()  # of lists, for those that were wanted last
        self._refs: AbstractSet[Reference] = frozenset()
        self._by_uid: dict[str, list[Reference]] = {}
        self._uids: AbstractSet[str] = frozenset()
        self._found: dict[Reference, Action] = {}  # what the last list of v1 has shown of them

    @failover
    async def list_actions(self, bdb_uid: int | None) -> list[Action]:
        """Return what v1 lists, and what only v2 knows after it."""
        path = _V1 if bdb_uid is None else f"{_V1}/bdb/{checked_uid(bdb_uid)}"
        actions = await self._v1_list(path)
        known = {action.uid for action in actions}
        for action in await self._v2_list() or ():
            if action.uid not in known and (bdb_uid is None or _is_on(action, bdb_uid)):
                actions.append(action)
        return actions

    @failover
    async def find_action(self, uid: str, last: Action | None = None) -> Action | None:
        """Return the action, or None if the cluster says that it knows no such action.

        `last` is the action as last seen, which tells where to look first.
        """
        is_other = _is_other(last)
        found = await self._v2_single(uid) if is_other else None
        if found is not None:
            return found
        path = _v1_path(uid)
        reply = await self.transport.get(path, permission=_SEE_ACTIONS)
        if reply.status != 404:
            return read_action(reply.body, uid, path)
        found = await self._missing_in_v1(uid, reply)
        return found if found is not None or is_other else await self._v2_find(uid)

    async def fetch(self, ref: Reference, last: Action | None) -> Action | AmbiguousAnswer | None:
        """Return the action, or None; see `find_action`.

        The record of a delete goes with its database, so that the database has to tell its end.
        """
        found = await self.find_action(ref.uid, last)
        if found is not None:
            return found
        begun = _delete_of(ref, last)
        return None if begun is None else await self._deleted(ref, begun)

    @failover
    async def fetch_many(self, wanted: Mapping[Reference, Action | None]) -> ListResult:
        """Return what the lists hold of several actions, each given as last seen.

        One that is missing may be there all the same. v2 is asked if it alone showed one of them,
        and then for all that v1 does not list.
        """
        if not wanted.keys() <= self._refs:
            self._want(wanted)
        found: Mapping[Reference, Action] = {}
        changed: Mapping[Reference, Action | None] | None = None
        sizes: list[int] = []
        if not all(map(_is_other, wanted.values())):
            body = await self._v1_body(_V1)
            found, changed = self._found, self._listed(body)
            sizes.append(len(body))
        missing = () if wanted.keys() <= found.keys() else wanted.keys() - found.keys()
        others = [ref for ref in missing if _is_other(wanted[ref])]
        try:
            others_body = await self._v2_body() if others else None
            if others_body is not None:
                found, changed = {**found, **self._listed_by_v2(others_body)}, None
                sizes.append(len(others_body))
        except RequestError as error:
            if not sizes:
                raise
            _log.debug("%s; what v1 shows goes on without it", str(error))
        cost = max(len(sizes), sum(sizes) / BYTES_PER_REQUEST)
        return ListResult(found, cost, changed)

    def _want(self, wanted: Iterable[Reference]) -> None:
        """Look for these in lists from now on; those that are not wanted any more do not matter."""
        self._refs = dict.fromkeys(wanted).keys()
        self._by_uid = {}
        for ref in self._refs:
            self._by_uid.setdefault(ref.uid, []).append(ref)
        self._uids = frozenset(self._by_uid)
        read = self._reader.actions
        self._found = {ref: read[ref.uid] for ref in self._refs if ref.uid in read}

    def _listed(self, body: bytes) -> dict[Reference, Action | None]:
        """Read a list of v1 into `_found`; return what has changed of it, come or gone."""
        uids = self._reader.read(body, self._uids, _V1)
        read, refs = self._reader.actions, self._by_uid
        gone = [ref for uid in uids if uid not in read for ref in refs.get(uid, ())]
        there = {ref: read[uid] for uid in uids if uid in read for ref in refs.get(uid, ())}
        self._found.update(there)
        for ref in gone:
            del self._found[ref]
        return {**there, **dict.fromkeys(gone)}

    def _is_listed(self, uid: str) -> bool:
        return any(ref in self._found for ref in self._by_uid[uid])

    def _listed_by_v2(self, body: bytes) -> dict[Reference, Action]:
        """Return what a list of v2 shows of what the last list of v1 did not."""
        missing = {uid for uid in self._uids if not self._is_listed(uid)}
        actions = read_actions_v2(body, _V2, missing)
        return {ref: action for action in actions for ref in self._by_uid[action.uid]}

    async def verify(self, ref: Reference, doubt: WaitError) -> Action | None:
        """Return a stalled action as ended if its database shows that it is; None otherwise."""
        action = doubt.action
        if action is None or not isinstance(doubt, ActionStalled):
            return None
        begun = _delete_of(ref, action)
        if begun is None:
            return await self._finished(ref, action, doubt)
        found = await self._deleted(ref, begun)
        return found if isinstance(found, Action) and found.phase.terminal else None

    @failover
    async def _finished(self, ref: Reference, action: Action, doubt: WaitError) -> Action | None:
        """Return what runs no more, by its database, as completed.

        A server bug (RS166122, up to 8.0.2) leaves finished state machines listed as running. So
        what was seen to run, on a database to which nothing is done any more, has ended.
        """
        bdb_uid = _database_of(action)
        if bdb_uid is None or action.phase is not Phase.RUNNING:
            return None
        try:
            database = await self._database(bdb_uid)
        except RequestRejected as error:
            fields = _untold(ref, error)
            _log.warning("%s, so its database cannot tell: %s", doubt, error, extra=fields)
            return None
        if database is None or not is_settled(database) or failed_ops(database):
            return None
        return completed(action)

    @failover
    async def _deleted(self, ref: Reference, begun: Action) -> Action | AmbiguousAnswer | None:
        """Return a delete, of which there is no record any more, as ended if its database is."""
        bdb_uid = begun.object_uid or ""
        path = f"{_DATABASES}/{bdb_uid}"
        try:
            reply = await self.transport.get(path, permission=_SEE_DATABASE)
        except RequestRejected as error:
            fields = _untold(ref, error)
            _log.warning("%s, so the database cannot tell of its delete", error, extra=fields)
            return None
        if reply.status != 404:  # a record may go a moment before its database
            status = read_database(reply.body, path).status.strip().casefold()
            return begun if status == _DELETING else None
        gone = completed(begun, Evidence.LIST)
        return await confirm_gone(self.transport, reply, path, SEE_DATABASES, gone) or begun

    async def _database(self, bdb_uid: str) -> WireDatabase | None:
        """Return a database, or None if the cluster says that there is none."""
        path = f"{_DATABASES}/{bdb_uid}"
        reply = await self.transport.get(path, permission=_SEE_DATABASE)
        if reply.status != 404:
            return read_database(reply.body, path)
        if not is_api_error(reply.body):
            raise UnreadableReply("GET", path, problem=FOREIGN_404)
        return None

    async def _missing_in_v1(self, uid: str, reply: Reply) -> Action | None:
        """Return an action after a 404: None only if that is the cluster's own word."""
        if error_code_of(reply.body) == _MISSING:
            return None
        # Not the cluster's own words: a missing route is not a missing action.
        return _among(await self._v1_list(_V1), uid)

    async def _v1_list(self, path: str) -> list[Action]:
        return read_actions(await self._v1_body(path), path)

    async def _v1_body(self, path: str) -> bytes:
        reply = await self.transport.get(path, permission=_SEE_ACTIONS)
        if reply.status != 404:
            return reply.body
        # Documented for the lists too: nothing runs and nothing is remembered.
        if is_api_error(reply.body):
            return _NOTHING
        raise unreadable_reply(path, FOREIGN_404, reply.body)

    async def _v2_find(self, uid: str) -> Action | None:
        """Look up what v1 does not know, as far as there is a v2 that works."""
        if self._v2 is None:
            listed = await self._v2_list()
            found = _among(listed or (), uid)
            if found is not None:
                return found
        try:
            return await self._v2_single(uid) if self._v2 else None
        except (RequestRejected, ClusterUnreachable) as error:
            self._forgive(error)
            return None

    async def _v2_single(self, uid: str) -> Action | None:
        path = f"{_V2}/{quoted_uid(uid)}"
        reply = await self.transport.get(path, permission=_SEE_ACTIONS)
        if reply.status != 404:
            return read_action_v2(reply.body, uid, path)
        if error_code_of(reply.body) == _MISSING:
            return None
        # As in v1; and here the list cannot be missing, as it was seen before.
        reply = await self.transport.get(_V2, permission=_SEE_ACTIONS)
        if reply.status == 404:
            raise unreadable_reply(_V2, FOREIGN_404, reply.body)
        return _among(read_actions_v2(reply.body, _V2), uid)

    async def list_transfers(self, bdb_uid: int, word: str) -> list[Action]:
        """Return the exports, imports or backups of a database that v2 shows, if it does."""
        return [
            action
            for action in await self._v2_list() or ()
            if _is_other(action) and _is_on(action, bdb_uid) and word in action.name.casefold()
        ]

    async def _v2_list(self) -> list[Action] | None:
        """Return v2's list, or None where there is no v2 or its list is broken."""
        body = await self._v2_body()
        return None if body is None else read_actions_v2(body, _V2)

    async def _v2_body(self) -> bytes | None:
        if self._v2 is not None:
            return await self._v2_ask()
        async with self._finding_out:
            return await self._v2_ask()

    async def _v2_ask(self) -> bytes | None:
        if self._v2 is False:
            return None
        try:
            reply = await self.transport.get(_V2, permission=_SEE_ACTIONS)
        except (RequestRejected, ClusterUnreachable) as error:
            self._forgive(error)
            self._v2 = True  # what is broken is there
            return None
        self._v2 = reply.status != 404
        return reply.body if self._v2 else None

    def _forgive(self, error: RequestRejected | ClusterUnreachable) -> None:
        """Raise `error` again, unless it is the known bug of v2; v1 must do then."""
        if error.error_code != _V2_BUG:
            raise error
        if not self._warned:
            self._warned = True
            fields = {"event": "no v2", "reason": error.detail}
            _log.warning("%s; going on with /v1 alone", error, extra=fields)


def _database_of(action: Action) -> str | None:
    """Return the uid of the database that a state machine works on."""
    uid = action.object_uid or ""
    is_database = action.object_type == "bdb" and uid.isascii() and uid.isdecimal()
    return uid if is_database and action.kind is Kind.STATE_MACHINE else None


def _delete_of(ref: Reference, last: Action | None) -> Action | None:
    """Return the delete of a database that a reference, or what was last seen, is about."""
    if last is not None:
        return last if last.name == DELETE_DATABASE and _database_of(last) is not None else None
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


async def confirm_gone(
    transport: Transport, reply: Reply, path: str, permission: str, gone: Action
) -> Action | AmbiguousAnswer | None:
    """Return `gone` if the list has no such object, either; and with a doubt if it cannot tell.

    `reply` is the 404 of the object itself, at `path`, and `permission` what the list needs.
    Return None where the list has it. Raises `UnreadableReply` for a 404 that is not the API's.
    """
    if not is_api_error(reply.body):
        raise UnreadableReply("GET", path, problem=FOREIGN_404)
    everywhere, _, uid = path.rpartition("/")
    listed = await _uids_listed(transport, everywhere, permission)
    if listed is None:
        return AmbiguousAnswer(Ambiguity.GONE, gone, mark=error_code_of(reply.body) or "")
    return None if int(uid) in listed else gone


async def _uids_listed(transport: Transport, path: str, permission: str) -> frozenset[int] | None:
    """Return the uids of all databases, or nodes; None where the list gives no answer."""
    for query in ("?fields=uid", ""):
        try:
            reply = await transport.get(path, permission=permission, query=query)
        except RequestError as error:
            if isinstance(error, RequestRejected) and error.status in FIELDS_UNSUPPORTED:
                continue
            return None  # the object itself was answered
        return None if reply.status == 404 else read_uids(reply.body, path.rpartition("/")[2])
    return None


def _untold(ref: Reference, error: RequestRejected) -> dict[str, str]:
    """Return the fields of a log record about a database that may not be asked."""
    return {"event": "database cannot tell", "ref": str(ref), "reason": error.detail}


def _is_other(last: Action | None) -> bool:
    return last is not None and last.kind is Kind.OTHER


def creation_timestamp(action: Action) -> float:
    """Return when an action began, in Unix time, or 0 where that is not known."""
    return 0.0 if action.creation_time is None else action.creation_time.timestamp()


def _among(actions: Iterable[Action], uid: str) -> Action | None:
    return next((action for action in actions if action.uid == uid), None)


@lru_cache(1024)  # a wait asks for the same one again and again
def _v1_path(uid: str) -> str:
    return f"{_V1}/{quoted_uid(uid)}"


def _is_on(action: Action, bdb_uid: int) -> bool:
    return action.object_type == "bdb" and action.object_uid == str(bdb_uid)
