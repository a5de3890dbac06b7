"""Databases: whether one has settled, and how its export, import or backup stands.

Those three have no handle: they are fields of the database, which keep the result of the last run
until they are reset, or the next one has begun. So a run is told from the last one by how the
database stood before. Vendor pages: requests/bdbs, requests/bdbs/actions, objects/bdb.
"""

from __future__ import annotations

import email.utils
import re
from typing import TYPE_CHECKING, Final, TypeGuard

import msgspec

from ._action import Kind, completed, phase_of
from ._errors import ActionVanished, RequestError, RequestRejected, UnreadableReply
from ._lenient import instant
from ._moving import moving_on
from ._reference import TRANSFERS, Track
from ._refusal import is_error_object
from ._routes import STRANGE_404, WORTH_A_REQUEST, age
from ._tick import Found
from ._wire_work import DATABASE_FIELDS, read_database, read_databases, settling, standing


if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._action import Action
    from ._errors import WaitError
    from ._reference import Reference
    from ._routes import Routes
    from ._transport import Reply, Transport
    from ._wire_work import Standing, WireDatabase

_ALL: Final = "/v1/bdbs"
_SEE_ALL: Final = "view_all_bdbs_info"
_IDLE: Final = "idle"
_SKEW: Final = 2.0  # seconds that clocks of nodes may be apart
_NO_FIELDS: Final = frozenset({400, 406})  # what some versions answer to `fields=`
_NOT_PLAIN: Final = re.compile(r"[^\w.:+-]", re.ASCII)  # what a reference is spared
_LONGEST: Final = 40  # characters of a word or a time


class Databases:
    """Asks for databases. `actions` may know more of their exports, imports and backups."""

    def __init__(self, transport: Transport, actions: Routes) -> None:
        self.transport = transport
        self._actions = actions
        self._query = f"?fields={DATABASE_FIELDS}"

    @moving_on
    async def one(self, ref: Reference, last: Action | None) -> Action | None:
        """Return how it stands, or None where there is nothing of it, or of an older run only."""
        wire, _ = await self._get(ref.number)
        action = _seen(wire, ref, last)
        if action is None and wire is not None and ref.track is not Track.BDB:
            return await self._shown_by_v2(ref, last)
        return action

    @moving_on
    async def many(self, wanted: Mapping[Reference, Action | None]) -> Found:
        """Return what the list of databases tells of several."""
        reply = await self._get_all()
        wires = read_databases(reply.body, _ALL)
        seen = {ref: _seen(wires.get(ref.number), ref, last) for ref, last in wanted.items()}
        found = {
            ref: action
            for ref, action in seen.items()
            if action is not None and ref.number in wires  # a missing one is asked for alone
        }
        return Found(found, cost=max(1.0, len(reply.body) / WORTH_A_REQUEST))

    @moving_on
    async def settle(self, ref: Reference, doubt: WaitError) -> Action | None:
        """Return a transfer as ended well if one has since; its status may have been reset."""
        if not _is_told_apart(ref) or doubt.action is None or not isinstance(doubt, ActionVanished):
            return None
        wire, _ = await self._get(ref.number)
        last_time = "" if wire is None else _mark(standing(wire, ref.track))[1]
        succeeded = last_time and last_time != _parts(ref.run)[1]
        return completed(doubt.action) if succeeded else None

    @moving_on
    async def before(self, ref: Reference) -> Reference:
        """Return `ref` with how the database stands now, from which a new run is told."""
        wire, reply = await self._get(ref.number)
        now = reply.headers.get("Date", "")
        if wire is None:
            return ref
        return msgspec.structs.replace(ref, run=_run(standing(wire, ref.track), now))

    async def _shown_by_v2(self, ref: Reference, last: Action | None) -> Action | None:
        """Return the run as v2 shows it, if it began after the database stood as it still does."""
        since = instant(_parts(ref.run)[2])
        if since is None:
            return None
        try:
            other = await self._actions.newest_other(ref.number, ref.track.value)
        except RequestError:
            return None  # of no more than a hint
        if other is None or not _is_new(other, since.timestamp(), last):
            return None
        return msgspec.structs.replace(other, uid=ref.name)

    async def _get(self, bdb_uid: int) -> tuple[WireDatabase | None, Reply]:
        path = f"{_ALL}/{bdb_uid}"
        reply = await self.transport.get(path, permission="view_bdb_info")
        if reply.status != 404:
            return read_database(reply.body, path), reply
        if not is_error_object(reply.body):
            raise UnreadableReply("GET", path, problem=STRANGE_404)
        return None, reply

    async def _get_all(self) -> Reply:
        try:
            reply = await self.transport.get(_ALL, permission=_SEE_ALL, query=self._query)
        except RequestRejected as error:
            if not self._query or error.status not in _NO_FIELDS:
                raise
            self._query = ""
            return await self._get_all()
        if reply.status == 404:
            raise UnreadableReply("GET", _ALL, problem=STRANGE_404)
        return reply


def _seen(wire: WireDatabase | None, ref: Reference, last: Action | None) -> Action | None:
    if ref.track is Track.BDB:
        return settling(wire, ref, last)
    if wire is None:
        return None
    now = standing(wire, ref.track)
    unseen = last is None or last.kind is Kind.OTHER  # by the database
    if now.idle or (now.over and unseen and _is_old(now, ref)):
        return None
    return now.action(ref)


def _is_old(now: Standing, ref: Reference) -> bool:
    """Whether a result may be that of an older run, as it was there before or may have been."""
    status, last_time, _ = _parts(ref.run)
    return not ref.run or (status, last_time) == _mark(now)


def _is_new(other: Action, since: float, last: Action | None) -> bool:
    """Whether what v2 shows began after `since`, when nothing was under way.

    So whatever is under way is new. A result is new if we have seen it coming, or its run began
    in a later second: in the same one, an older run may have begun and ended.
    """
    began = age(other)
    if not other.phase.terminal:
        return began >= since - _SKEW
    seen_coming = last is not None and last.kind is Kind.OTHER and age(last) == began
    return seen_coming or began > since


# --- what is written down -----------------------------------------------------------------------


def was_under_way(before: Reference | None) -> TypeGuard[Reference]:
    """Whether another run was under way when we looked, before ours was to begin."""
    if before is None or not _is_told_apart(before):
        return False
    status, _, _ = _parts(before.run)
    return status != _IDLE and not phase_of(status).terminal


def _is_told_apart(ref: Reference) -> bool:
    """Whether it is known how the database stood before."""
    return ref.track in TRANSFERS and bool(ref.run)


def _run(before: Standing, date: str) -> str:
    """Write down how a database stood, and when, by the cluster's clock."""
    try:
        since = f"{email.utils.parsedate_to_datetime(date).timestamp():.0f}"
    except (OverflowError, TypeError, ValueError):
        since = ""
    return ",".join([*_mark(before), since])


def _mark(standing: Standing) -> tuple[str, str]:
    """Return what tells one result from another: the status, and when one last succeeded."""
    status = _IDLE if standing.idle else standing.status.strip().casefold()
    return _plain(status), _plain(standing.last_time)


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub("", text)[:_LONGEST]


def _parts(run: str) -> tuple[str, str, str]:
    status, last_time, since = [*run.split(","), "", ""][:3]
    return status, last_time, since
