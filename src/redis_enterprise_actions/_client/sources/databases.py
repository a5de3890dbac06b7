"""Endpoints of databases: changes, deletions, and exports, imports and backups.

Vendor pages: requests/bdbs, requests/bdbs/actions, objects/bdb.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from redis_enterprise_actions._client.protocols import ListResult, list_cost
from redis_enterprise_actions._client.wire.databases import (
    DATABASE_FIELDS,
    DELETE_PENDING,
    database_action,
    deleted_database_action,
    read_database,
    read_databases,
    transfer_status,
)
from redis_enterprise_actions._client.wire.error_body import foreign_404
from redis_enterprise_actions._model.action import (
    Action,
    Ambiguity,
    AmbiguousAnswer,
    Evidence,
    Phase,
    completed,
)
from redis_enterprise_actions._model.errors import (
    ActionVanished,
    RequestError,
    RequestRejected,
)
from redis_enterprise_actions._model.reference import ReferenceKind

from .availability import AvailabilityApi, listed_condition
from .not_found import FIELDS_UNSUPPORTED, confirm_gone, is_missing
from .refused_lists import refusable
from .transfer_runs import (
    Baseline,
    baseline_of,
    needs_v2,
    parse_baseline,
    replaced,
    transfer_action,
    transfer_action_from_v2,
)


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate, Wanted
    from redis_enterprise_actions._client.wire.databases import WireDatabase
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference

    from .actions_v2 import ActionsV2Api

_T = TypeVar("_T")
# requests/bdbs
DATABASES: Final = "/v1/bdbs"
VIEW_DATABASE: Final = "view_bdb_info"
VIEW_DATABASES: Final = "view_all_bdbs_info"
_RESENT: Final = 5.0  # seconds after which the time of a call is not that of its first request


class DatabasesApi:
    """Status source for databases, and for their exports, imports and backups."""

    def __init__(self, transport: Transport, actions_v2: ActionsV2Api) -> None:
        self.transport = transport
        self._actions_v2 = actions_v2
        self.availability = AvailabilityApi(transport)
        self._list_query = f"?fields={DATABASE_FIELDS}"
        # In milliseconds: the last time that was given to a call, and the last calls by transfer.
        self._last_call_time = 0
        self._last_calls: dict[tuple[ReferenceKind, int], int] = {}

    def path(self, ref: Reference) -> str:
        """Return the path of a database."""
        return f"{DATABASES}/{ref.numeric_uid}"

    async def fetch(
        self, ref: Reference, last: Action | None, gate: Gate | None = None
    ) -> Action | AmbiguousAnswer | None:
        """Return the state of a database, a transfer or a condition; None without the database."""
        if ref.condition is not None:
            return await self.availability.fetch(ref, gate)
        if self._is_replaced(ref):
            return replaced(ref)
        wire, reply = await self._get(ref.numeric_uid, gate)
        if ref.kind is not ReferenceKind.BDB:
            return None if wire is None else await self._transfer(wire, ref, last, gate)
        if wire is not None:
            return database_action(wire, ref)
        deleted = deleted_database_action(ref, last)
        if deleted is None:
            return None
        confirmed = await confirm_gone(
            self.transport,
            reply,
            f"{DATABASES}/{ref.numeric_uid}",
            list_permission=VIEW_DATABASES,
            gone=msgspec.structs.replace(deleted, evidence=Evidence.LIST),
            gate=gate,
        )
        return confirmed or msgspec.structs.replace(
            deleted, status=DELETE_PENDING, phase=Phase.RUNNING
        )

    @refusable
    async def fetch_many(self, wanted: Wanted, gate: Gate | None) -> ListResult:
        """Return the states that the list of databases shows.

        It leaves out missing databases, and results of transfers that v2 may have to confirm; it
        tells nothing about conditions that only the database itself tells.
        """
        wires, cost = await self._list(gate)
        found: dict[Reference, Action | AmbiguousAnswer] = {}
        untold: set[Reference] = set()
        for ref in wanted:
            wire = wires.get(ref.numeric_uid)
            if wire is None or self._is_replaced(ref):
                continue
            if ref.condition is not None:
                if (state := listed_condition(ref, wire)) is not None:
                    found[ref] = state
                else:
                    untold.add(ref)
                continue
            if ref.kind is ReferenceKind.BDB:
                found[ref] = database_action(wire, ref)
                continue
            seen = transfer_action(wire, ref)
            in_progress = isinstance(seen, Action) and not seen.phase.terminal
            if in_progress or not parse_baseline(ref).call_time:
                found[ref] = seen
        return ListResult(found, cost, untold=untold)

    async def verify(
        self, ref: Reference, unverified: WaitError, gate: Gate | None
    ) -> Action | None:
        """Return a vanished transfer as ended if its result, which may have been reset, was seen.

        Return None for a transfer without a baseline, and for one that began during another.
        """
        action, baseline = unverified.action, parse_baseline(ref)
        if action is None or not isinstance(unverified, ActionVanished):
            return None
        if not baseline.status or baseline.was_busy or self._is_replaced(ref):
            return None
        wire, _ = await self._get(ref.numeric_uid, gate)
        if wire is None:
            return None
        seen = await self._transfer(wire, ref, action, gate)
        if not isinstance(seen, AmbiguousAnswer) or seen.ambiguity is not Ambiguity.IDLE:
            return seen if isinstance(seen, Action) and seen.phase.terminal else None
        last_time = baseline_of(transfer_status(wire, ref.kind)).last_time
        return completed(action) if last_time and last_time != baseline.last_time else None

    def find(self, bdb_uid: int) -> Awaitable[WireDatabase | None]:
        """Return a database, or None if it does not exist."""
        path = f"{DATABASES}/{bdb_uid}"
        decode = partial(_decode_database, path)
        return self.transport.get(path, permission=VIEW_DATABASE, decode=decode)

    async def with_baseline(self, ref: Reference) -> Reference:
        """Return a reference to a transfer with the state before a call, and the time of the call.

        A new run is compared to that state.
        """
        wire, reply = await self._get(ref.numeric_uid, None)
        status = None if wire is None else transfer_status(wire, ref.kind)
        baseline = Baseline() if status is None else baseline_of(status)
        return self.with_call_time(baseline.write_to(ref), reply)

    def with_call_time(self, ref: Reference, reply: Reply) -> Reference:
        """Return a reference to a transfer with the time of its call.

        The time is by the clock of the cluster, which a `Date` header tells to the second, or else
        by the client's. No two calls of this client have the same time.
        """
        now = time.time_ns() // 1_000_000
        second = None if reply.date is None else int(reply.date.timestamp()) * 1000
        call_time = now if second is None else min(max(now, second), second + 999)
        self._last_call_time = max(call_time, self._last_call_time + 1)
        baseline = parse_baseline(ref).with_call_time(
            self._last_call_time, by_cluster_clock=second is not None
        )
        return baseline.write_to(ref)

    def with_later_call(self, ref: Reference, delay: float) -> Reference:
        """Return a reference to a transfer whose call was sent again, `delay` seconds later.

        The time of the call is at most a second earlier than that, and not later, as it may be that
        of a `Date` header, which is in seconds.
        """
        baseline = parse_baseline(ref)
        if delay < _RESENT or not baseline.call_time:
            return ref
        self._last_call_time = max(
            baseline.call_time + int((delay - 1) * 1000), self._last_call_time + 1
        )
        return baseline.with_call_time(
            self._last_call_time, by_cluster_clock=baseline.by_cluster_clock
        ).write_to(ref)

    def record_call(self, ref: Reference) -> None:
        """Record a call for a transfer, which replaces earlier ones of its kind."""
        key = ref.kind, ref.numeric_uid
        self._last_calls[key] = max(self._last_calls.get(key, 0), parse_baseline(ref).call_time)

    def _is_replaced(self, ref: Reference) -> bool:
        """Return True if this client has called for a later transfer of the same kind."""
        last_call = self._last_calls.get((ref.kind, ref.numeric_uid), 0)
        return 0 < parse_baseline(ref).call_time < last_call

    async def _transfer(
        self, wire: WireDatabase, ref: Reference, last: Action | None, gate: Gate | None
    ) -> Action | AmbiguousAnswer:
        """Return the state of a transfer, from the database and, if need be, from v2."""
        seen = transfer_action(wire, ref)
        if not needs_v2(seen, ref):
            return seen
        try:
            runs = await self._actions_v2.list_transfers(ref.numeric_uid, ref.kind.value, gate)
        except RequestError:
            return seen
        last_call = self._last_calls.get((ref.kind, ref.numeric_uid))
        is_last_call = last_call == parse_baseline(ref).call_time
        return transfer_action_from_v2(runs, ref, last, seen, is_last_call=is_last_call)

    def _get(self, bdb_uid: int, gate: Gate | None) -> Awaitable[tuple[WireDatabase | None, Reply]]:
        path = f"{DATABASES}/{bdb_uid}"
        decode = partial(_decode_with_reply, path)
        return self.transport.get(path, permission=VIEW_DATABASE, decode=decode, gate=gate)

    def _list(self, gate: Gate | None) -> Awaitable[tuple[dict[int, WireDatabase], float]]:
        """Return the databases of the list by uid, and the cost of the request."""
        return self.read_list(_decode_list, gate)

    async def read_list(self, decode: Callable[[Reply], _T], gate: Gate | None) -> _T:
        """Return what `decode` makes of the list, with the fields of `WireDatabase` at least."""
        query = self._list_query
        try:
            return await self.transport.get(
                DATABASES, permission=VIEW_DATABASES, decode=decode, query=query, gate=gate
            )
        except RequestRejected as error:
            if not query or error.status not in FIELDS_UNSUPPORTED:
                raise
        self._list_query = ""
        return await self.read_list(decode, gate)


def _decode_database(path: str, reply: Reply) -> WireDatabase | None:
    return None if is_missing(reply, path) else read_database(reply.body, path)


def _decode_with_reply(path: str, reply: Reply) -> tuple[WireDatabase | None, Reply]:
    return _decode_database(path, reply), reply


def _decode_list(reply: Reply) -> tuple[dict[int, WireDatabase], float]:
    if reply.status == 404:
        raise foreign_404(DATABASES)
    return read_databases(reply.body, DATABASES), list_cost(reply.body)
