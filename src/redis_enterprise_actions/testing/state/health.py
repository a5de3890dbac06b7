"""Health of the fake cluster: the truth of the vendor's stop gate, and whether work is under way.

The vendor's pages on upgrades and maintenance say not to go on to the next node if a node, a shard
or an endpoint is not OK. A node that maintenance is being switched on for is not in maintenance
yet, and work that makes progress is no finding, but for the status of its database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.server.nodes import NodeServers

    from .actions import FakeAction
    from .availability import Availability
    from .crdbs import CrdbRegistry
    from .databases import DatabaseRegistry
    from .node_actions import NodeActionRegistry
    from .shards import ShardRegistry

NodeStatus: TypeAlias = Literal["active", "decommissioning", "down", "provisioning"]  # objects/node


class Health:
    """Health of a cluster.

    A test sets `node_statuses` and `check_errors`, by node, and the names of active `alerts`.
    Alerts are shown, and are no findings.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        nodes: NodeServers,
        node_actions: NodeActionRegistry,
        databases: DatabaseRegistry,
        shards: ShardRegistry,
        availability: Availability,
        actions: Mapping[str, FakeAction],
        crdbs: CrdbRegistry,
    ) -> None:
        self.node_statuses: dict[int, NodeStatus] = {}
        self.check_errors: dict[int, str] = {}
        self.alerts: list[str] = []
        self._clock = clock
        self._nodes = nodes
        self._node_actions = node_actions
        self._databases = databases
        self._shards = shards
        self._availability = availability
        self._actions = actions
        self._crdbs = crdbs

    def node_status(self, uid: int) -> NodeStatus:
        """Return the status of a node: a stopped one is down in any case."""
        if uid not in self._nodes.running:
            return "down"
        return self.node_statuses.get(uid, "active")

    def in_maintenance(self, uid: int) -> bool:
        return self._node_actions.maintenance()[uid] > 0

    def findings(self, ignore_maintenance: Collection[int] = ()) -> list[str]:
        """Return a text for each thing that is not as it has to be before the next node's turn."""
        return [
            *self._of_nodes(ignore_maintenance),
            *self._of_shards(),
            *self._of_databases(),
            *self._of_work(),
        ]

    def is_quiet(self) -> bool:
        """Return True if no work is under way, as far as the cluster shows it."""
        now = self._clock.now()
        return not (
            any(action.is_under_way(now) for action in self._actions.values())
            or any(run.is_unfinished(now) for run in self._node_actions.list_runs())
            or self._crdbs.running_tasks()
            or any(
                database.status(now).endswith("pending")
                or any(transfers.running(now) for transfers in database.transfers.values())
                for database in self._databases.existing().values()
            )
        )

    def _of_nodes(self, ignore_maintenance: Collection[int]) -> Iterator[str]:
        if self._nodes.primary is None:
            yield "the cluster has no primary node"
        for uid in self._node_actions.members():
            status, error = self.node_status(uid), self.check_errors.get(uid)
            if status != "active":
                yield f"node {uid} is {status}"
            if self.in_maintenance(uid) and uid not in ignore_maintenance:
                yield f"node {uid} is in maintenance"
            if error is not None:
                yield f"node {uid} fails its check: {error}"

    def _of_shards(self) -> Iterator[str]:
        for shard in self._shards.existing():
            if not shard.is_ok:
                state = f"{shard.status} ({shard.detailed_status})"
                yield f"shard {shard.uid} of database {shard.bdb_uid} is {state}"

    def _of_databases(self) -> Iterator[str]:
        now = self._clock.now()
        for uid, database in self._databases.existing().items():
            status, error = database.status(now), self._availability.error(uid)
            if status != "active":
                yield f"database {uid} is {status}"
            if error is not None:
                yield f"database {uid} is not available: {error}"

    def _of_work(self) -> Iterator[str]:
        now = self._clock.now()
        for action in self._actions.values():
            if action.is_stuck(now):
                yield f"{action.name} {action.uid} is stuck"
        for run in self._node_actions.list_runs():
            if run.is_unfinished(now) and run.work.is_stuck(now):
                yield f"{run.action} of node {run.node_uid or run.promotes} is stuck"
