"""Conditions of one database: that it serves requests, and that its sources are in sync.

Releases from 7.8 on check the availability of a database themselves. On 7.4 its status, endpoints
and shards tell the best that can be known. Vendor page: requests/bdbs/availability.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

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
_NOT_FOUND: Final = "db_not_found"
_NO_LAG: Final = "This release cannot check how far replicas are behind: wait without lag_tolerance"


class AvailabilityApi:
    """Source of the conditions `available` and `in-sync` of databases."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._has_check: bool | None = None  # of availability; None until the cluster has told

    async def fetch(self, ref: Reference, gate: Gate | None) -> Action | None:
        """Return the state of a condition, or None if the database does not exist.

        Raises `UsageError` where a database that is to be in sync has no sources.
        """
        path = f"{_DATABASES}/{ref.numeric_uid}"
        if ref.condition is Condition.IN_SYNC:
            found = await self._get(path, partial(_decode_database, path), gate)
            return None if found is None else _sync_action(ref, found[0])
        if self._has_check is not False:
            reply = await self._check(ref, f"{path}/availability", gate)
            if reply.status != 404:
                self._has_check = True
                findings = availability_findings(reply.status, reply.body, f"{path}/availability")
                return condition_action(ref, findings)
            if error_code_of(reply.body) == _NOT_FOUND:
                return None
            if self._has_check:
                raise foreign_404(f"{path}/availability", reply.body)
        return await self._look(ref, path, gate)

    async def _look(self, ref: Reference, path: str, gate: Gate | None) -> Action | None:
        """Return the best that can be known without a check of availability."""
        found = await self._get(path, partial(_decode_database, path), gate)
        if found is None:
            return None
        self._has_check = False
        if ref.settings:
            raise RequestRejected("GET", f"{path}/availability", status=404, hint=_NO_LAG)
        shards_path = f"{path}/shards"
        shards = await self._transport.get(
            shards_path,
            permission=_VIEW_DATABASE,
            decode=partial(_decode_shards, shards_path),
            gate=gate,
        )
        if shards is None:
            return None
        try:
            findings = object_findings(*found, shards)
        except ValueError:
            raise unreadable_reply(shards_path, "not a list of shards", shards) from None
        return condition_action(ref, findings, Evidence.OBJECTS)

    async def _check(self, ref: Reference, path: str, gate: Gate | None) -> Reply:
        return await self._transport.get(
            path,
            permission=_VIEW_DATABASE,
            decode=partial(_decode_check, path),
            query=_lag_query(ref.settings),
            gate=gate,
            is_answer=has_error_code,
        )

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


def _decode_shards(path: str, reply: Reply) -> bytes | None:
    return None if is_missing(reply, path) else reply.body
