"""`ClusterCheck`: the result of one look at a cluster, before the next node is worked on."""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

from .text import count_text, one_line


class FindingKind(enum.StrEnum):
    """Part of a cluster that something was found against."""

    CLUSTER = "cluster"
    PRIMARY = "primary"
    NODE = "node"
    MAINTENANCE = "maintenance"  # a node in maintenance, or one whose maintenance did not end well
    SHARD = "shard"
    DATABASE = "database"
    WORK = "work"  # an action that has not ended, or a background operation that has failed


class Finding(msgspec.Struct, frozen=True):
    """One reason not to go on: `node 3: down`.

    `object` names what it is about, such as `shard 7 of database 2`, and `text` says what is wrong,
    usually in the words of the cluster.
    """

    kind: FindingKind
    object: str
    text: str

    def __str__(self) -> str:
        return one_line(f"{self.object}: {self.text}")


class ClusterCheck(msgspec.Struct, frozen=True, kw_only=True, tag_field="v", tag=1):
    """Result of one look at a cluster: healthy unless there are `findings`.

    `source` is `v4` if the cluster has a health report (8.0.16 and newer), and otherwise `v1`: the
    lists of nodes, shards and databases.
    """

    findings: tuple[Finding, ...] = ()
    source: Literal["v4", "v1"] = "v1"

    @property
    def is_healthy(self) -> bool:
        """Return True if nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        if self.is_healthy:
            return "healthy"
        return f"not healthy: {count_text(len(self.findings), 'finding')}"
