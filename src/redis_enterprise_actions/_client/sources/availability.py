"""Conditions of one database: that it serves requests, and that its sources are in sync.

Releases from 7.8 on check the availability of a database themselves. On 7.4 its status, endpoints
and shards tell the best that can be known. Vendor page: requests/bdbs/availability.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from redis_enterprise_actions._client.wire.availability import (
    availability_findings,
    object_findings,
    status_findings,
    sync_findings,
)
from redis_enterprise_actions._client.wire.conditions import condition_action
from redis_enterprise_actions._client.wire.databases import WireDatabase, read_database
from redis_enterprise_actions._client.wire.error_body import (
    error_code_of,
    foreign_404,
    has_error_code,
    unreadable_reply,
)
from redis_enterprise_actions._client.wire.lenient_json import decode_or_default
from redis_enterprise_actions._model.action import Evidence
from redis_enterprise_actions._model.errors import RequestRejected, UsageError
from redis_enterprise_actions._model.reference import Condition

from .check_route import CheckRoute
from .not_found import is_missing


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.reference import Reference

_DATABASES: Final = "/v1/bdbs"
_VIEW_DATABASE: Final = "view_bdb_info"
# The code of this route, and those of other routes of databases
_NOT_FOUND: Final = frozenset({"db_not_found", "bdb_not_found", "bdb_not_exist"})
_NO_LAG: Final = "This release cannot check how far replicas are behind: wait without lag_tolerance"


class AvailabilityLook(NamedTuple):
    """One look at a database: what speaks against its availability, and what told that."""

    findings: tuple[str, ...]
    evidence: Evidence = Evidence.ACTION


class AvailabilityApi:
    """Source of the conditions `available` and `in-sync` of databases."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._route = CheckRoute(transport)

    async def fetch(self, ref: Reference, gate: Gate | None) -> Action | None:
        """Return the state of a condition, or None if the database does not exist.

        Raises `UsageError` where a database that is to be in sync has no sources.
        """
        path = f"{_DATABASES}/{ref.numeric_uid}"
        if ref.condition is Condition.IN_SYNC:
            found = await self._get(path, partial(_decode_database, path), gate)
            return None if found is None else _sync_action(ref, found[0])
        look = await self._look(path, _lag_query(ref.settings), gate)
        return None if look is None else condition_action(ref, look.findings, look.evidence)

    async def look(
        self, bdb_uid: int, gate: Gate | None, *, tolerance_ms: int | None = None
    ) -> AvailabilityLook | None:
        """Return whether a database is available, or None if it does not exist.

        With `tolerance_ms`, its replicas may be so many milliseconds behind; that raises
        `RequestRejected` where the release cannot check it.
        """
        settings = "" if tolerance_ms is None else f"lag={tolerance_ms}"
        return await self._look(f"{_DATABASES}/{bdb_uid}", _lag_query(settings), gate)

    async def _look(self, path: str, query: str, gate: Gate | None) -> AvailabilityLook | None:
        if self._route.is_missing:
            return await self._look_at_objects(path, query, gate)
        check = f"{path}/availability"
        reply = await self._transport.get(
            check,
            permission=_VIEW_DATABASE,
            decode=partial(_decode_check, check),
            query=query,
            gate=gate,
            is_answer=has_error_code,
        )
        if reply.status != 404:
            self._route.on_answer()
            return AvailabilityLook(tuple(availability_findings(reply.status, reply.body, check)))
        if error_code_of(reply.body) in _NOT_FOUND:
            return None
        if not await self._route.confirm_missing(gate):
            raise foreign_404(check, reply.body)
        return await self._look_at_objects(path, query, gate)

    async def _look_at_objects(
        self, path: str, query: str, gate: Gate | None
    ) -> AvailabilityLook | None:
        """Return the best that can be known without a check of availability."""
        found = await self._get(path, partial(_decode_database, path), gate)
        if found is None:
            return None
        if query:
            raise RequestRejected("GET", f"{path}/availability", status=404, hint=_NO_LAG)
        shards_path = f"{path}/shards"
        shards = await self._transport.get(
            shards_path,
            permission=_VIEW_DATABASE,
            decode=partial(_decode_shards, shards_path),
            gate=gate,
        )
        try:
            findings = object_findings(*found, shards)
        except ValueError:
            raise unreadable_reply(shards_path, "not a list of shards", shards) from None
        return AvailabilityLook(tuple(findings), Evidence.OBJECTS)

    async def _get(
        self,
        path: str,
        decode: Callable[[Reply], tuple[WireDatabase, msgspec.Raw] | None],
        gate: Gate | None,
    ) -> tuple[WireDatabase, msgspec.Raw] | None:
        return await self._transport.get(path, permission=_VIEW_DATABASE, decode=decode, gate=gate)


def listed_condition(ref: Reference, wire: WireDatabase) -> Action | None:
    """Return the state of a condition as the list of databases shows it, or None if it does not.

    The list shows which sources are in sync, and that a database that is being created or recovered
    is not available. For any other one the cluster's check is asked.
    """
    if ref.condition is Condition.IN_SYNC:
        findings = sync_findings(wire)
        return None if findings is None else condition_action(ref, findings)
    return condition_action(ref, found) if (found := status_findings(wire)) else None


def _sync_action(ref: Reference, wire: WireDatabase) -> Action:
    findings = sync_findings(wire)
    if findings is None:
        raise UsageError(f"database {ref.uid} has no Replica Of sources that could be in sync")
    return condition_action(ref, findings)


def _lag_query(settings: str) -> str:
    """Return the query of a check that looks at the lag of replicas, if the settings want that."""
    if not settings:
        return ""
    milliseconds = settings.partition("=")[2]
    tolerance = f"&availability_lag_tolerance_ms={milliseconds}" if milliseconds else ""
    return f"?extend_check=lag{tolerance}"


def _decode_check(path: str, reply: Reply) -> Reply:
    """Return a reply that can be read; another node is asked instead if it cannot."""
    if reply.status != 404:
        availability_findings(reply.status, reply.body, path)
    return reply


class _Endpoints(msgspec.Struct):
    """The endpoints of a database."""

    endpoints: msgspec.Raw = msgspec.Raw()


def _decode_database(path: str, reply: Reply) -> tuple[WireDatabase, msgspec.Raw] | None:
    if is_missing(reply, path):
        return None
    return read_database(reply.body, path), decode_or_default(
        msgspec.Raw(reply.body), _Endpoints
    ).endpoints


def _decode_shards(path: str, reply: Reply) -> bytes:
    """Return the list of shards; the database was there a moment ago, and has one."""
    if reply.status == 404:
        raise foreign_404(path, reply.body)
    return reply.body
