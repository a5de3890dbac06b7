"""Status sources of a client, by kind of list."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.protocols import NO_LIST, ListResult, StatusSource
from redis_enterprise_actions._model.action import Action
from redis_enterprise_actions._model.errors import AuthenticationError
from redis_enterprise_actions._model.reference import ListKind

from .actions import ActionsApi
from .crdb_tasks import CrdbTasksApi
from .databases import DatabasesApi
from .node_actions import NodeActionsApi


if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._model.action import AmbiguousAnswer
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference

_log = logging.getLogger(__name__)

# The lists that need another permission than a single object.
_LISTS_WITH_PERMISSION: Final = frozenset({ListKind.NODES, ListKind.CRDBS, ListKind.BDBS})


class StatusSources:
    """Status source for all kinds of references."""

    def __init__(self, transport: Transport) -> None:
        self.actions = ActionsApi(transport)
        self.node_actions = NodeActionsApi(transport)
        self.crdb_tasks = CrdbTasksApi(transport)
        self.databases = DatabasesApi(transport, self.actions.v2)
        self._sources: dict[ListKind, StatusSource] = {
            ListKind.ACTIONS: self.actions,
            ListKind.NODES: self.node_actions,
            ListKind.CLUSTER: self.node_actions,
            ListKind.CRDBS: self.crdb_tasks,
            ListKind.BDBS: self.databases,
        }

    async def fetch(
        self, ref: Reference, last: Action | None = None
    ) -> Action | AmbiguousAnswer | None:
        """Return the present state, or None; see `StatusSource.fetch`."""
        return await self._sources[ref.list_kind].fetch(ref, last)

    async def fetch_certain(self, ref: Reference) -> Action | None:
        """Return the present state, or None if the cluster's answer is ambiguous or "not found"."""
        found = await self.fetch(ref)
        return found if isinstance(found, Action) else None

    async def fetch_many(self, wanted: Mapping[Reference, Action | None]) -> ListResult:
        """Return the states that one list shows; see `StatusSource.fetch_many`.

        Return `NO_LIST` for a list that the user may not read, as the user may still be allowed to
        read each object.
        """
        kind = next(iter(wanted)).list_kind
        try:
            return await self._sources[kind].fetch_many(wanted)
        except AuthenticationError as error:
            if error.status != 403 or kind not in _LISTS_WITH_PERMISSION:
                raise
            _log.debug("%s; the client asks for each of the %s instead", str(error), kind)
            return NO_LIST

    async def verify(self, ref: Reference, unverified: WaitError) -> Action | None:
        """Return a vanished or stalled action as ended if that is certain, otherwise None."""
        return await self._sources[ref.list_kind].verify(ref, unverified)

    def retain_cancel(self, ref: Reference) -> AbstractContextManager[None]:
        """Keep the record of a cancelled run until the last wait for the action leaves."""
        if ref.list_kind in {ListKind.NODES, ListKind.CLUSTER}:
            return self.node_actions.retain_cancel(ref)
        return nullcontext()
