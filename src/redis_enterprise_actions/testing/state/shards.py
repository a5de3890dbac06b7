"""Shards of the fake cluster: the nodes that they are on, and their states.

Shards are spread over the nodes in turn, so that a primary and its replica are on two nodes if
there are two; that does not follow what migrations, failovers and maintenance do. Neither does the
state of a shard follow that of its node. A test can set both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.clock import Clock

    from .databases import DatabaseRegistry, FakeDatabase
    from .node_actions import NodeActionRegistry

# objects/shard
ShardStatus: TypeAlias = Literal["active", "inactive", "trimming"]
DetailedShardStatus: TypeAlias = Literal[
    "busy", "down", "importing", "loading", "ok", "timeout", "trimming", "unknown"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeShard:
    """A shard of a database, on a node."""

    uid: int
    bdb_uid: int
    node_uid: int
    is_primary: bool
    status: ShardStatus = "active"
    detailed_status: DetailedShardStatus = "ok"

    @property
    def is_ok(self) -> bool:
        return (self.status, self.detailed_status) == ("active", "ok")

    @property
    def role(self) -> str:
        return "master" if self.is_primary else "slave"


@dataclass(kw_only=True, slots=True)
class _Change:
    """Fields of a shard that a test has set."""

    status: ShardStatus | None = None
    detailed_status: DetailedShardStatus | None = None
    node_uid: int | None = None


class ShardRegistry:
    """Shards of the databases of a cluster."""

    def __init__(
        self, clock: Clock, databases: DatabaseRegistry, nodes: NodeActionRegistry
    ) -> None:
        self._clock = clock
        self._databases = databases
        self._nodes = nodes
        self._changes: dict[int, _Change] = {}

    def existing(self) -> list[FakeShard]:
        """Return the shards of the databases that exist."""
        return [
            shard for database in self._databases.existing().values() for shard in self.of(database)
        ]

    def list_shown(self) -> list[FakeShard]:
        """Return the shards of the databases that the cluster shows."""
        return [shard for database in self._databases.list_shown() for shard in self.of(database)]

    def of(self, database: FakeDatabase) -> list[FakeShard]:
        """Return the shards of a database: none while the cluster has no node."""
        members = self._nodes.members()
        if not members:
            return []
        shards = [
            FakeShard(
                uid=uid,
                bdb_uid=database.uid,
                node_uid=members[(uid - 1) % len(members)],
                is_primary=uid == database.shards[0],
            )
            for uid in database.shard_list(self._clock.now())
        ]
        return [self._changed(shard) for shard in shards]

    def change(
        self,
        uid: int,
        *,
        status: ShardStatus | None,
        detailed_status: DetailedShardStatus | None,
        node_uid: int | None,
    ) -> None:
        """Set those of the fields of a shard that are not None."""
        change = self._changes.setdefault(uid, _Change())
        change.status = status or change.status
        change.detailed_status = detailed_status or change.detailed_status
        change.node_uid = node_uid or change.node_uid

    def _changed(self, shard: FakeShard) -> FakeShard:
        change = self._changes.get(shard.uid)
        if change is None:
            return shard
        return replace(
            shard,
            status=change.status or shard.status,
            detailed_status=change.detailed_status or shard.detailed_status,
            node_uid=change.node_uid or shard.node_uid,
        )
