"""Endpoints of /v2/actions, which alone show imports, exports and backups.

They exist from 7.22 on. Vendor page: requests/actions.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions._client.wire.actions import read_action, read_actions
from redis_enterprise_actions._client.wire.error_body import error_code_of, foreign_404
from redis_enterprise_actions._model.action import Action, Kind
from redis_enterprise_actions._model.errors import ClusterUnreachable, RequestRejected

from .paths import quoted_uid


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
PATH: Final = "/v2/actions"
VIEW_ACTIONS: Final = "view_status_of_cluster_action"  # requests/actions, for /v1 and /v2
_ACTION_NOT_FOUND: Final = "action_not_found"
_LIST_BUG: Final = "invalid_schema"  # RS200753, before 8.2.0-46


class ActionsV2Api:
    """Endpoints of /v2/actions, if the cluster has them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._exists: bool | None = None  # None until the list was asked for
        self._first_request = asyncio.Lock()
        self._has_warned = False

    async def list_actions(self, gate: Gate | None = None) -> list[Action] | None:
        """Return all actions, or None if the cluster has no v2 or its list is broken."""
        return await self.read_list(partial(read_actions, path=PATH, kind=Kind.OTHER), gate)

    async def read_list(self, read: Callable[[bytes], _T], gate: Gate | None) -> _T | None:
        """Return what `read` makes of the list, or None as `list_actions` does."""
        if self._exists is not None:
            return await self._get_list(read, gate)
        async with self._first_request:
            return await self._get_list(read, gate)

    async def list_transfers(self, bdb_uid: int, word: str, gate: Gate | None) -> list[Action]:
        """Return the exports, imports or backups (`word`) of a database."""
        return [
            action
            for action in await self.list_actions(gate) or ()
            if is_v2_only(action)
            and is_on_database(action, bdb_uid)
            and word in action.name.casefold()
        ]

    async def find_action(self, uid: str, gate: Gate | None = None) -> Action | None:
        """Return an action that v1 does not know, or None if v2 has none or does not work."""
        if self._exists is None:
            found = with_uid(await self.list_actions(gate) or (), uid)
            if found is not None:
                return found
        try:
            return await self.get_action(uid, gate) if self._exists else None
        except (RequestRejected, ClusterUnreachable) as error:
            self._ignore_known_bug(error)
            return None

    async def get_action(self, uid: str, gate: Gate | None = None) -> Action | None:
        """Return an action, or None if v2 does not know it."""
        path = f"{PATH}/{quoted_uid(uid)}"
        found = await self._transport.get(
            path, permission=VIEW_ACTIONS, decode=partial(_decode_action, uid, path), gate=gate
        )
        if not isinstance(found, Absence):
            return found
        if found is Absence.CERTAIN:
            return None
        # The route may be missing instead of the action. The list was seen before, so it exists.
        listed = await self._transport.get(
            PATH, permission=VIEW_ACTIONS, decode=_decode_existing_list, gate=gate
        )
        return with_uid(listed, uid)

    async def _get_list(self, read: Callable[[bytes], _T], gate: Gate | None) -> _T | None:
        if self._exists is False:
            return None

        def decode(reply: Reply) -> tuple[_T] | None:
            if reply.status != 404:
                return (read(reply.body),)
            if self._exists:
                raise foreign_404(PATH, reply.body)
            return None

        try:
            answer = await self._transport.get(
                PATH, permission=VIEW_ACTIONS, decode=decode, gate=gate
            )
        except (RequestRejected, ClusterUnreachable) as error:
            self._ignore_known_bug(error)
            self._exists = True
            return None
        self._exists = answer is not None
        return None if answer is None else answer[0]

    def _ignore_known_bug(self, error: RequestRejected | ClusterUnreachable) -> None:
        """Raise `error` unless it is the known bug of v2; the client uses v1 alone then."""
        if error.error_code != _LIST_BUG:
            raise error
        if not self._has_warned:
            self._has_warned = True
            fields = {"event": "no v2", "reason": error.detail}
            _log.warning("%s; the client uses /v1 alone", error, extra=fields)


class Absence(enum.Enum):
    """Meaning of a 404 for an action: it is not there, or perhaps the route is not."""

    CERTAIN = enum.auto()
    UNCLEAR = enum.auto()


def absence_of(reply: Reply) -> Absence:
    """Return the meaning of a 404 for an action."""
    return Absence.CERTAIN if error_code_of(reply.body) == _ACTION_NOT_FOUND else Absence.UNCLEAR


def _decode_action(uid: str, path: str, reply: Reply) -> Action | Absence:
    return (
        absence_of(reply) if reply.status == 404 else read_action(reply.body, uid, path, Kind.OTHER)
    )


def _decode_existing_list(reply: Reply) -> list[Action]:
    if reply.status == 404:
        raise foreign_404(PATH, reply.body)
    return read_actions(reply.body, PATH, Kind.OTHER)


def is_v2_only(action: Action | None) -> bool:
    """Return True for an action of a family that v1 does not show."""
    return action is not None and action.kind is Kind.OTHER


def is_on_database(action: Action, bdb_uid: int) -> bool:
    """Return True if an action works on a database."""
    return action.object_type == "bdb" and action.object_uid == str(bdb_uid)


def with_uid(actions: Iterable[Action], uid: str) -> Action | None:
    """Return the first action with a uid, or None."""
    return next((action for action in actions if action.uid == uid), None)
