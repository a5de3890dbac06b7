"""Whom to ask about what is waited for: each of the ways in which the API tracks long work."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.protocols import NO_LIST
from redis_enterprise_actions._model.action import Action
from redis_enterprise_actions._model.errors import AuthenticationError
from redis_enterprise_actions._model.reference import ListKind

from .actions import ActionsApi
from .crdb_tasks import CrdbTasksApi
from .databases import DatabasesApi
from .node_actions import NodeActionsApi


if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import TypeAlias

    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import ListResult, StatusSource
    from redis_enterprise_actions._model.action import AmbiguousAnswer
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference

    Sighting: TypeAlias = Action | AmbiguousAnswer | None

_log = logging.getLogger(__name__)

# Whose list needs a permission of its own.
_GUARDED: Final = frozenset({ListKind.NODES, ListKind.CRDBS, ListKind.BDBS})


class StatusSources:
    """All of them, for one client."""

    def __init__(self, transport: Transport) -> None:
        self.actions = ActionsApi(transport)
        self.node_actions = NodeActionsApi(transport)
        self.crdb_tasks = CrdbTasksApi(transport)
        self.databases = DatabasesApi(transport, self.actions)
        self._followed: Counter[str] = Counter()  # actions of nodes and of the cluster, by name
        self._sources: dict[ListKind, StatusSource] = {
            ListKind.ACTIONS: self.actions,
            ListKind.NODES: self.node_actions,
            ListKind.CLUSTER: self.node_actions,
            ListKind.CRDBS: self.crdb_tasks,
            ListKind.BDBS: self.databases,
        }

    async def fetch(self, ref: Reference, last: Action | None = None) -> Sighting:
        """Return how it stands, given how it stood; None if the cluster does not know it."""
        return await self._sources[ref.list_kind].fetch(ref, last)

    async def fetch_certain(self, ref: Reference) -> Action | None:
        """Return how it stands, as far as one answer tells without a doubt."""
        found = await self.fetch(ref)
        return found if isinstance(found, Action) else None

    async def fetch_many(self, wanted: Mapping[Reference, Action | None]) -> ListResult:
        """Return what one request finds of several, all of one system.

        Who may not see a list may be allowed to see each by itself: that is no refusal.
        """
        system = next(iter(wanted)).list_kind
        try:
            return await self._sources[system].fetch_many(wanted)
        except AuthenticationError as error:
            if error.status != 403 or system not in _GUARDED:
                raise
            _log.debug("%s; each of the %s is asked for alone", str(error), system)
            return NO_LIST

    async def verify(self, ref: Reference, doubt: WaitError) -> Action | None:
        """Return it as ended if that is known in spite of the doubt, or None."""
        return await self._sources[ref.list_kind].verify(ref, doubt)

    @contextmanager
    def retain_cancellation(self, ref: Reference) -> Generator[None]:
        """Keep what is known of what a wait follows, until nobody follows it any more."""
        if ref.list_kind not in {ListKind.NODES, ListKind.CLUSTER}:
            yield
            return
        self._followed[ref.name] += 1
        try:
            yield
        finally:
            self._followed[ref.name] -= 1
            if not self._followed[ref.name]:
                del self._followed[ref.name]
                self.node_actions.forget_cancel(ref)
