"""Databases: whether one has settled, and how its export, import or backup stands.

Those three have no handle: they are fields of the database, which keep the result of the last run
until they are reset, or the next one has begun. So a run is told from the last one by how the
database stood before it was called for, and from 7.22 on by when it began, which v2 shows. Vendor
pages: requests/bdbs, requests/bdbs/actions, requests/actions, objects/bdb.
"""

from __future__ import annotations

import email.utils
import re
import time
from typing import TYPE_CHECKING, Final, TypeGuard

import msgspec

from redis_enterprise_actions._client.http.failover import failover
from redis_enterprise_actions._client.protocols import ListResult
from redis_enterprise_actions._client.wire.databases import (
    DATABASE_FIELDS,
    database_action,
    failure_marks,
    is_busy,
    is_settled,
    read_database,
    read_databases,
)
from redis_enterprise_actions._client.wire.error_body import is_api_error
from redis_enterprise_actions._client.wire.transfers import transfer_status
from redis_enterprise_actions._model.action import (
    Action,
    Ambiguity,
    AmbiguousAnswer,
    Evidence,
    Kind,
    Phase,
    completed,
    phase_of,
)
from redis_enterprise_actions._model.errors import (
    ActionVanished,
    RequestError,
    RequestRejected,
    UnreadableReply,
)
from redis_enterprise_actions._model.reference import AFTER, BUSY, GONE, TRANSFERS, ReferenceKind

from .actions import (
    BYTES_PER_REQUEST,
    FIELDS_UNSUPPORTED,
    FOREIGN_404,
    SEE_DATABASES,
    confirm_gone,
    creation_timestamp,
)


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis_enterprise_actions._client.http.transport import Reply, Transport
    from redis_enterprise_actions._client.wire.databases import WireDatabase
    from redis_enterprise_actions._client.wire.transfers import TransferStatus
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference

    from .actions import ActionsApi

_ALL: Final = "/v1/bdbs"
_IDLE: Final = "idle"
_SKEW: Final = 2  # seconds that clocks of nodes may be apart
_LATEST: Final = 60  # seconds after the call by which a run has begun
_NOT_PLAIN: Final = re.compile(r"[^\w.:+-]", re.ASCII)  # what a reference is spared
_MILLISECONDS: Final = re.compile(r"\d{1,15}", re.ASCII)
_LONGEST: Final = 40  # characters of a word or a time


class DatabasesApi:
    """Asks for databases. `actions` may know more of their exports, imports and backups."""

    def __init__(self, transport: Transport, actions: ActionsApi) -> None:
        self.transport = transport
        self._actions = actions
        self._query = f"?fields={DATABASE_FIELDS}"
        self._last_stamp = 0
        self._latest: dict[
            tuple[ReferenceKind, int], int
        ] = {}  # when this client called for a transfer

    @failover
    async def fetch(self, ref: Reference, last: Action | None) -> Action | AmbiguousAnswer | None:
        """Return how it stands, with a doubt where that may be an older run; None for nothing."""
        if self._is_replaced(ref):
            return _replaced(ref)
        wire, reply = await self._get(ref.numeric_uid)
        if ref.kind is ReferenceKind.BDB:
            found = database_action(wire, ref, last)
            if wire is not None or not isinstance(found, Action):
                return found
            gone = msgspec.structs.replace(found, evidence=Evidence.LIST)
            path = f"{_ALL}/{ref.numeric_uid}"
            listed = msgspec.structs.replace(found, status="delete-pending", phase=Phase.RUNNING)
            return await confirm_gone(self.transport, reply, path, SEE_DATABASES, gone) or listed
        if wire is None:
            return None
        return await self._told_by_v2(ref, last, _seen(wire, ref))

    @failover
    async def fetch_many(self, wanted: Mapping[Reference, Action | None]) -> ListResult:
        """Return what the list of databases tells of several.

        Those that are missing there, or whose end something else has to confirm, are asked for
        alone.
        """
        reply = await self._get_all()
        wires = read_databases(reply.body, _ALL)
        found: dict[Reference, Action | AmbiguousAnswer] = {}
        for ref, last in wanted.items():
            wire = wires.get(ref.numeric_uid)
            if wire is None or self._is_replaced(ref):
                continue
            if ref.kind is ReferenceKind.BDB:
                seen = database_action(wire, ref, last)
                found |= {} if seen is None else {ref: seen}
                continue
            of_run = _seen(wire, ref)
            goes_on = isinstance(of_run, Action) and not of_run.phase.terminal
            if goes_on or not _call_time(ref):
                found[ref] = of_run
        return ListResult(found, cost=max(1.0, len(reply.body) / BYTES_PER_REQUEST))

    @failover
    async def verify(self, ref: Reference, doubt: WaitError) -> Action | None:
        """Return a transfer as ended well if one has since; its status may have been reset."""
        action = doubt.action
        if not _has_baseline(ref) or action is None or not isinstance(doubt, ActionVanished):
            return None
        if self._is_replaced(ref):
            return None
        wire, _ = await self._get(ref.numeric_uid)
        if wire is None:
            return None
        seen = await self._told_by_v2(ref, action, _seen(wire, ref))
        if not isinstance(seen, AmbiguousAnswer) or seen.ambiguity is not Ambiguity.IDLE:
            return seen if isinstance(seen, Action) and seen.phase.terminal else None
        last_time = _result_mark(transfer_status(wire, ref.kind))[1]
        succeeded = last_time and last_time != _parts(ref.run)[1]
        return completed(action) if succeeded else None

    @failover
    async def with_baseline(self, ref: Reference) -> Reference:
        """Return `ref` with how the database stands now, from which a new run is told."""
        wire, reply = await self._get(ref.numeric_uid)
        if ref.kind is ReferenceKind.BDB:
            failure = "" if wire is None else failure_marks(wire, deletes=ref.is_deletion)
            goal = f"{GONE},{AFTER}" if ref.is_deletion else AFTER
            if wire is not None and not ref.is_deletion:
                settled = is_settled(wire) or (failure and not is_busy(wire))
                goal = goal if settled else BUSY
            return msgspec.structs.replace(ref, run=f"{goal},{failure}" if failure else goal)
        mark = ("", "") if wire is None else _result_mark(transfer_status(wire, ref.kind))
        return self.with_call_time(_with_run(ref, *mark), reply)

    def with_call_time(self, ref: Reference, reply: Reply) -> Reference:
        """Return `ref` with when it was called for, in milliseconds of the cluster's clock.

        Where that is not told, it is our own, after a `~`. No two that this client gives out have
        the same time.
        """
        now = time.time_ns() // 1_000_000
        second = _date_of(reply)
        told = now if second is None else min(max(now, second), second + 999)
        self._last_stamp = max(told, self._last_stamp + 1)
        own = "~" if second is None else ""
        status, last_time, _ = _parts(ref.run)
        return _with_run(ref, status, last_time, f"{own}{self._last_stamp}")

    def record_call(self, ref: Reference) -> None:
        """Note that a transfer was called for, which is the latest of its kind from now on."""
        known = self._latest.get((ref.kind, ref.numeric_uid), 0)
        self._latest[ref.kind, ref.numeric_uid] = max(known, _call_time(ref))

    def _is_replaced(self, ref: Reference) -> bool:
        """Return True where this client has called for a later transfer of this kind."""
        since = _call_time(ref)
        return 0 < since < self._latest.get((ref.kind, ref.numeric_uid), 0)

    async def _told_by_v2(
        self, ref: Reference, last: Action | None, seen: Action | AmbiguousAnswer
    ) -> Action | AmbiguousAnswer:
        """Return a run as v2 shows it, where the database shows an end, or none of it.

        v2 alone tells when a run began, and so which of several is meant.
        """
        since = _call_time(ref)
        own = _parts(ref.run)[2].startswith("~")
        if not since or own or (isinstance(seen, Action) and not seen.phase.terminal):
            return seen
        try:
            runs = await self._actions.list_transfers(ref.numeric_uid, ref.kind.value)
        except RequestError:
            return seen  # of no more than a hint
        ours = _find_run(runs, since, last)
        if ours is None:
            mine = self._latest.get((ref.kind, ref.numeric_uid)) == since
            idle = isinstance(seen, AmbiguousAnswer) and seen.ambiguity is Ambiguity.IDLE
            return seen if idle or not _may_be_later_run(runs, since, mine=mine) else _replaced(ref)
        if any(creation_timestamp(run) > creation_timestamp(ours) for run in runs):
            return msgspec.structs.replace(ours, uid=ref.name)
        if isinstance(seen, Action):  # which gives the reason of a failure
            goes_on = ours.phase in {seen.phase, Phase.RUNNING}
            return seen if goes_on else msgspec.structs.replace(ours, uid=ref.name)
        was_seen = last is not None and last.kind is Kind.OTHER
        # In the second of the call, an older run may have begun and ended, too.
        is_new = was_seen or not ours.phase.terminal or creation_timestamp(ours) > since // 1000
        return msgspec.structs.replace(ours, uid=ref.name) if is_new else seen

    async def _get(self, bdb_uid: int) -> tuple[WireDatabase | None, Reply]:
        path = f"{_ALL}/{bdb_uid}"
        reply = await self.transport.get(path, permission="view_bdb_info")
        if reply.status != 404:
            return read_database(reply.body, path), reply
        if not is_api_error(reply.body):
            raise UnreadableReply("GET", path, problem=FOREIGN_404)
        return None, reply

    async def _get_all(self) -> Reply:
        try:
            reply = await self.transport.get(_ALL, permission=SEE_DATABASES, query=self._query)
        except RequestRejected as error:
            if not self._query or error.status not in FIELDS_UNSUPPORTED:
                raise
            self._query = ""
            return await self._get_all()
        if reply.status == 404:
            raise UnreadableReply("GET", _ALL, problem=FOREIGN_404)
        return reply


def _seen(wire: WireDatabase, ref: Reference) -> Action | AmbiguousAnswer:
    """Return what a database shows of a transfer; with a doubt unless it is that of this run."""
    now = transfer_status(wire, ref.kind)
    action = now.to_action(ref)
    if now.is_idle:
        return AmbiguousAnswer(Ambiguity.IDLE, action)
    if not now.is_result:
        return action
    if was_busy_before(ref):  # whose end this may be
        return _replaced(ref)
    return AmbiguousAnswer(Ambiguity.OLD_RESULT, action) if _is_old(now, ref) else action


def _is_old(now: TransferStatus, ref: Reference) -> bool:
    """Return True for a result that was there before the call, or may have been."""
    status, last_time, _ = _parts(ref.run)
    return not status or (status, last_time) == _result_mark(now)


def _replaced(ref: Reference) -> AmbiguousAnswer:
    """Return what tells that another run has taken the place of this one."""
    word = ref.kind.value
    nothing = Action(uid=ref.name, name=word, kind=Kind(word), status="", phase=Phase.UNKNOWN)
    return AmbiguousAnswer(Ambiguity.REPLACED, nothing)


def _find_run(runs: Sequence[Action], since: int, last: Action | None) -> Action | None:
    """Return the run that was called for at `since`, in milliseconds, or None if v2 cannot tell.

    When a run began is given in seconds, by clocks that may be apart.
    """
    if last is not None and last.kind is Kind.OTHER:
        return next(
            (run for run in runs if creation_timestamp(run) == creation_timestamp(last)), None
        )
    second = since // 1000
    same = [run for run in runs if creation_timestamp(run) == second]
    later = [run for run in runs if second < creation_timestamp(run) <= second + _LATEST]
    if same or later:
        return min([*same, *later], key=creation_timestamp) if len(same) < 2 else None
    before = [run for run in runs if second - _SKEW <= creation_timestamp(run) < second]
    return before[0] if len(before) == 1 and not before[0].phase.terminal else None


def _may_be_later_run(runs: Sequence[Action], since: int, *, mine: bool) -> bool:
    """Return True if a result may be that of a run which began after ours.

    If the last call for one was `mine`, those that began about then are ours and older ones.
    """
    second = since // 1000
    begun = [creation_timestamp(run) for run in runs if creation_timestamp(run) >= second - _SKEW]
    return (len(begun) > 1 and not mine) or max(begun, default=0) > second + _LATEST


# --- what is written down -----------------------------------------------------------------------


def was_busy_before(before: Reference | None) -> TypeGuard[Reference]:
    """Return True where another run was under way when we looked, before ours was to begin."""
    if before is None or before.kind not in TRANSFERS:
        return False
    status = _parts(before.run)[0]
    return status not in {"", _IDLE} and not phase_of(status).terminal


def _has_baseline(ref: Reference) -> bool:
    """Return True where the database was seen before the call, and nothing was under way."""
    return ref.kind in TRANSFERS and bool(_parts(ref.run)[0]) and not was_busy_before(ref)


def _with_run(ref: Reference, status: str, last_time: str, since: str = "") -> Reference:
    """Write down how a database stood before a transfer, and when that was called for."""
    return msgspec.structs.replace(ref, run=f"{status},{last_time},{since}")


def _date_of(reply: Reply) -> int | None:
    """Return the time that an answer gives, in milliseconds, of which it tells the second."""
    try:
        date = email.utils.parsedate_to_datetime(reply.headers.get("Date", ""))
        return int(date.timestamp()) * 1000
    except (OverflowError, TypeError, ValueError):
        return None


def _call_time(ref: Reference) -> int:
    """Return when a transfer was called for, in milliseconds, or 0 where that is not known."""
    since = _parts(ref.run)[2].removeprefix("~") if ref.kind in TRANSFERS else ""
    return int(since) if _MILLISECONDS.fullmatch(since) else 0


def _result_mark(standing: TransferStatus) -> tuple[str, str]:
    """Return what tells one result from another: the status, and when one last succeeded."""
    status = _IDLE if standing.is_idle else standing.status.strip().casefold()
    return _plain(status), _plain(standing.last_time)


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub("", text)[:_LONGEST]


def _parts(run: str) -> tuple[str, str, str]:
    status, last_time, since = [*run.split(","), "", ""][:3]
    return status, last_time, since
