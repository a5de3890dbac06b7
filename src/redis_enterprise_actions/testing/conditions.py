"""Conditions of a fake cluster that a test sets, and the truth about its health."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from .state.actions import check_choice
from .state.availability import UNAVAILABLE, Flapping, Forced
from .state.databases import SyncStatus
from .state.health import NodeStatus
from .state.shards import DetailedShardStatus, ShardStatus


if TYPE_CHECKING:
    from collections.abc import Collection

    from .clock import Clock
    from .state.availability import Availability
    from .state.databases import DatabaseRegistry
    from .state.health import Health
    from .state.node_actions import NodeActionRegistry
    from .state.shards import ShardRegistry


class Conditions:
    """The methods of `FakeCluster` about availability, shards, nodes and health."""

    _clock: Clock
    _databases: DatabaseRegistry
    _node_actions: NodeActionRegistry
    _shards: ShardRegistry
    _availability: Availability
    _health: Health

    @property
    def availability_delay(self) -> float:
        """Delay in seconds until a database is available after a state machine. It may be set."""
        return self._availability.delay

    @availability_delay.setter
    def availability_delay(self, seconds: float) -> None:
        if not seconds >= 0:
            raise ValueError("availability_delay is in seconds, 0 or more")
        self._availability.delay = seconds

    @property
    def sync_delay(self) -> float:
        """Delay in seconds until sources of Replica Of are in sync. It may be set."""
        return self._databases.sync_delay

    @sync_delay.setter
    def sync_delay(self, seconds: float) -> None:
        if not seconds >= 0:
            raise ValueError("sync_delay is in seconds, 0 or more")
        self._databases.sync_delay = seconds

    def set_available(
        self,
        bdb_uid: int,
        available: bool | None,  # noqa: FBT001 - the value to set
        *,
        error_code: str = UNAVAILABLE,
    ) -> None:
        """Make a database available or not; with None, its work and `availability_delay` decide.

        The database need not exist yet. `error_code` is that of the answers about a database that
        is not available, such as "no_quorum". A database that flapped does not any more.
        """
        self._availability.changes.pop(bdb_uid, None)
        if available is not None:
            forced = Forced(is_available=available, error_code=error_code)
            self._availability.changes[bdb_uid] = forced

    def flap(
        self, bdb_uid: int, *, up: float = 3.0, down: float = 2.0, until: float | None = None
    ) -> None:
        """Let the availability of a database alternate from now on, in place of what was set.

        It is not affected for `up` seconds, then lost for `down` seconds, and so on, until the
        cluster's time `until`, or until `set_available`. Raises `ValueError` for times that are not
        more than 0.
        """
        if not (up > 0 and down > 0):
            raise ValueError("up and down are in seconds, more than 0")
        self._availability.changes[bdb_uid] = Flapping(
            began_at=self._clock.now(), up=up, down=down, until=inf if until is None else until
        )

    def set_lag(self, bdb_uid: int, milliseconds: float) -> None:
        """Set the lag of the replicas of a database; a lag-aware check tolerates 100 ms by default.

        Raises `ValueError` for less than 0.
        """
        if not milliseconds >= 0:
            raise ValueError("a lag is in milliseconds, 0 or more")
        self._availability.lags[bdb_uid] = milliseconds

    def is_available(self, bdb_uid: int, lag_tolerance_ms: float | None = None) -> bool:
        """Return True if a database is available, and its replicas lag by no more than asked."""
        if self._availability.error(bdb_uid) is not None:
            return False
        return lag_tolerance_ms is None or not self._availability.is_lagging(
            bdb_uid, lag_tolerance_ms
        )

    def set_shard(
        self,
        shard_uid: int | str,
        *,
        status: ShardStatus | None = None,
        detailed_status: DetailedShardStatus | None = None,
        node_uid: int | None = None,
    ) -> None:
        """Set the status of a shard, or the node that it is on; what is not given stays.

        The availability of its database does not follow. Raises `ValueError` for a shard of no
        database, and for an unknown status or node.
        """
        if status is not None:
            check_choice(ShardStatus, "status", status)
        if detailed_status is not None:
            check_choice(DetailedShardStatus, "detailed_status", detailed_status)
        if node_uid is not None:
            self._node_actions.check_member(node_uid)
        uid = int(shard_uid)
        if uid not in {shard.uid for shard in self._shards.existing()}:
            raise ValueError(f"there is no shard {uid}")
        self._shards.change(uid, status=status, detailed_status=detailed_status, node_uid=node_uid)

    def set_node_status(self, node: int, status: NodeStatus | None) -> None:
        """Set the status that the cluster shows of a node; None is that of a running node.

        A stopped node is "down" whatever is set. Nothing else changes: the node still answers.
        Raises `ValueError` if there is no such node or status.
        """
        self._node_actions.check_member(node)
        self._health.node_statuses.pop(node, None)
        if status is not None:
            check_choice(NodeStatus, "status", status)
            self._health.node_statuses[node] = status

    def set_check(self, node: int, error: str | None) -> None:
        """Let the check of a node fail with an error, or pass again with None.

        Raises `ValueError` if there is no such node.
        """
        self._node_actions.check_member(node)
        self._health.check_errors.pop(node, None)
        if error is not None:
            self._health.check_errors[node] = error

    def add_alert(self, name: str) -> None:
        """Add an active alert to the health report of the cluster, which has one from 8.0.16 on.

        An alert is no finding.
        """
        self._health.alerts.append(name)

    def set_replica_source(self, bdb_uid: int, index: int, status: SyncStatus | None) -> None:
        """Set the status of a source of Replica Of, the first of which has the index 0.

        A source that the database's configuration lacks is added. With None, `sync_delay` decides.
        Raises `ValueError` if there is no such database or status.
        """
        database = self._databases.find(bdb_uid)
        if database is None or index < 0:
            raise ValueError(f"there is no source {index} of a database {bdb_uid}")
        if status is None:
            database.source_statuses.pop(index, None)
            return
        check_choice(SyncStatus, "status", status)
        database.source_statuses[index] = status
        database.revision += 1

    def findings(self, ignore_maintenance: Collection[int] = ()) -> list[str]:
        """Return a text for each thing that is not as the vendor's stop gate has it.

        Every node has to be active, pass its check and be out of maintenance (but for the nodes in
        `ignore_maintenance`), every shard active and ok, every database active and available; the
        cluster has to have a primary node, and none of its actions may be stuck.
        """
        return self._health.findings(ignore_maintenance)

    def is_healthy(self, ignore_maintenance: Collection[int] = ()) -> bool:
        """Return True if there are no `findings`."""
        return not self.findings(ignore_maintenance)

    def is_quiet(self) -> bool:
        """Return True if no work is under way, as far as the cluster shows it.

        Work is an action, also of a node or the cluster, a CRDB task, an export, import or backup,
        and whatever makes a database pending. An action that is stuck counts, as it is listed.
        """
        return self._health.is_quiet()
