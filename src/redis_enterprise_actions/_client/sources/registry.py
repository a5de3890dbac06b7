"""Status sources of a client, by kind of list."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from redis_enterprise_actions._model.action import Action
from redis_enterprise_actions._model.reference import ListKind

from .actions import ActionsApi
from .bootstrap import BootstrapApi
from .cluster_state import ClusterStateApi
from .crdb_health import CrdbHealthApi
from .crdb_tasks import CrdbTasksApi
from .databases import DatabasesApi
from .names import NamesApi
from .node_actions import NodeActionsApi
from .objects import ObjectsApi


if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from contextlib import AbstractContextManager

    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import StatusSource
    from redis_enterprise_actions._model.action import AmbiguousAnswer
    from redis_enterprise_actions._model.reference import Reference


class StatusSources:
    """Status sources of one client: one for each kind of list; and the objects, and their names."""

    def __init__(self, transport: Transport) -> None:
        self.actions = ActionsApi(transport)
        self.node_actions = NodeActionsApi(transport)
        self.crdb_tasks = CrdbTasksApi(transport)
        self.crdb_health = CrdbHealthApi(transport)
        self.databases = DatabasesApi(transport, self.actions.v2)
        self.bootstraps = BootstrapApi(transport)
        self.cluster_state = ClusterStateApi(transport, self.databases, self.actions.v2)
        self.names = NamesApi(transport)
        self.objects = ObjectsApi(transport)
        self.by_kind: Mapping[ListKind, StatusSource] = {
            ListKind.ACTIONS: self.actions,
            ListKind.NODES: self.node_actions,
            ListKind.CLUSTER: self.node_actions,
            ListKind.CRDBS: self.crdb_tasks,
            ListKind.BDBS: self.databases,
            ListKind.BOOTSTRAPS: self.bootstraps,
            ListKind.CRDB_HEALTH: self.crdb_health,
            ListKind.CLUSTER_STATE: self.cluster_state,
        }

    async def fetch_certain(self, ref: Reference) -> Action | None:
        """Return the present state, or None if the cluster's answer is ambiguous or "not found"."""
        found = await self.fetch(ref)
        return found if isinstance(found, Action) else None

    def fetch(self, ref: Reference) -> Awaitable[Action | AmbiguousAnswer | None]:
        """Return the present state, or None if the cluster does not know the reference."""
        return self.by_kind[ref.list_kind].fetch(ref, None, None)

    def retain_cancel(self, ref: Reference) -> AbstractContextManager[None]:
        """Keep the record of a cancelled run until the last wait for the action leaves."""
        if ref.list_kind in {ListKind.NODES, ListKind.CLUSTER}:
            return self.node_actions.retain_cancel(ref)
        return nullcontext()
