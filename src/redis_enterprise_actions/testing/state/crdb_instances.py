"""Instances of Active-Active databases (CRDBs), one for each cluster, and the links between them.

Vendor pages: objects/crdb/health_report, requests/crdbs/health_report, and the example of
`crdb-cli crdb health-report`. These are guesses: a remote cluster with a `connection_error` shows
nothing else, and its connection has the status "error"; a configuration is active from "committed"
on, and those that were superseded remain; a configuration that is set to another status without a
new version stays active.

A CRDB that was not linked with another fake cluster has an instance on an imaginary one.
"""

from __future__ import annotations

from itertools import count
from math import inf
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from .crdbs import CLUSTERS


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.clock import Clock

    from .crdbs import CrdbRegistry

ConfigurationStatus: TypeAlias = Literal[
    "posted", "ready", "committed", "commit-completed", "failed"
]
LinkStatus: TypeAlias = Literal["up", "down"]
_ACTIVE: Final = frozenset({"committed", "commit-completed"})


class NamedCluster(Protocol):
    """A fake cluster, as CRDBs know it."""

    name: str


class _ImaginaryCluster:
    """A cluster that no fake serves, and that sees nothing wrong."""

    def __init__(self, peer: NamedCluster) -> None:
        self._peer = peer

    @property
    def name(self) -> str:
        return next(name for name in CLUSTERS if name != self._peer.name)


class CrdbInstance:
    """Instance of a CRDB on one cluster, as that cluster sees it.

    `group` has all instances, in the order of their ids; `links_up_at` has, by each other one, the
    cluster's time from which the replication link to it is up; `errors` has the connection errors.
    `bdb_uid` is the uid of the local database, if that is known.
    """

    def __init__(
        self, guid: str, name: str, cluster: NamedCluster | _ImaginaryCluster, clock: Clock
    ) -> None:
        self._clock = clock
        self.guid = guid
        self.name = name
        self.cluster = cluster
        self.bdb_uid: int | None = None
        self.group: list[CrdbInstance] = [self]
        self.active_version = 1
        self.configurations: dict[int, ConfigurationStatus] = {1: "commit-completed"}
        self.links_up_at: dict[CrdbInstance, float] = {}
        self.errors: dict[CrdbInstance, str] = {}

    @property
    def id(self) -> int:
        return self.group.index(self) + 1

    @property
    def peers(self) -> list[CrdbInstance]:
        return [each for each in self.group if each is not self]

    @property
    def served(self) -> list[CrdbInstance]:
        """All instances that are on fake clusters."""
        return [each for each in self.group if not isinstance(each.cluster, _ImaginaryCluster)]

    def peer(self, cluster_name: str) -> CrdbInstance:
        """Return the instance on another cluster. Raises `ValueError` if there is none."""
        for each in self.peers:
            if each.cluster.name == cluster_name:
                return each
        raise ValueError(f"CRDB {self.guid} has no instance on another cluster {cluster_name}")

    def configure(self, version: int | None, status: ConfigurationStatus) -> None:
        """Set the status of a configuration, by default the active one."""
        version = version or self.active_version
        self.configurations[version] = status
        if status in _ACTIVE:
            self.active_version = version

    def link_status(self, peer: CrdbInstance) -> LinkStatus:
        return "up" if self._clock.now() >= self.links_up_at[peer] else "down"

    @property
    def has_links_up(self) -> bool:
        return all(self.link_status(peer) == "up" for peer in self.peers)

    @property
    def is_replicating(self) -> bool:
        """True if all clusters can be seen, all links are up and one configuration is in force."""
        return (
            not self.errors
            and all(each.has_links_up for each in self.group)
            and len({each.active_version for each in self.group}) == 1
            and all(
                each.configurations[each.active_version] == "commit-completed"
                for each in self.group
            )
        )

    def instances_to_json(self) -> list[dict[str, object]]:
        """Return all instances; only that of this cluster has a `db_uid`, as documented."""
        return [
            {
                "id": each.id,
                "db_uid": str(each.bdb_uid or "") if each is self else "",
                "cluster": {"name": each.cluster.name, "url": f"https://{each.cluster.name}:9443"},
            }
            for each in self.group
        ]

    def report(self, instance_id: int | None = None) -> list[dict[str, object]]:
        """Return the health report: of one instance if there is one of that id, else of all."""
        chosen = [each for each in self.group if each.id == instance_id]
        return [self._seen(each) for each in chosen or self.group]

    def _seen(self, other: CrdbInstance) -> dict[str, object]:
        error = self.errors.get(other)
        shown: dict[str, object] = {
            "guid": self.guid,
            "name": self.name,
            "cluster_name": other.cluster.name,
            "connection_error": error,
        }
        return shown if error is not None else shown | other._own_view()

    def _own_view(self) -> dict[str, object]:
        return {
            "active_config_version": self.active_version,
            "configurations": [
                {
                    "name": self.name,
                    "version": version,
                    "status": status,
                    "causal_consistency": False,
                    "encryption": False,
                    "featureset_version": 5,
                    "protocol_version": 1,
                    "instances": self.instances_to_json(),
                }
                for version, status in sorted(self.configurations.items())
            ],
            "connections": [self._connection(each) for each in self.group],
        }

    def _connection(self, other: CrdbInstance) -> dict[str, object]:
        """Return a connection; the example has one to the own cluster, too, without links."""
        shown: dict[str, object] = {
            "name": other.cluster.name,
            "status": "error" if other in self.errors else "ok",
        }
        if other is not self:
            uid = f"{self.bdb_uid or self.id}:{other.id}"
            shown["replication_links"] = [{"link_uid": uid, "status": self.link_status(other)}]
        return shown


class InstanceRegistry:
    """Registry of the instances of a cluster, by the guid of their CRDB."""

    def __init__(self, clock: Clock, cluster: NamedCluster, crdbs: CrdbRegistry) -> None:
        self._clock = clock
        self._cluster = cluster
        self._crdbs = crdbs
        self._instances: dict[str, CrdbInstance] = {}

    def get(self, guid: str) -> CrdbInstance:
        """Return the instance of a CRDB, or raise `ValueError` if there is none of that guid."""
        if guid not in self._crdbs.guids():
            raise ValueError(f"there is no CRDB {guid}")
        if guid not in self._instances:
            own, elsewhere = (
                CrdbInstance(guid, self._crdbs.name(guid), cluster, self._clock)
                for cluster in (self._cluster, _ImaginaryCluster(self._cluster))
            )
            self._instances[guid] = own
            _join([own], [elsewhere], up_at=-inf)
        return self._instances[guid]

    def of_database(self, bdb_uid: int) -> CrdbInstance | None:
        """Return the instance whose database has a uid, or None."""
        guids = self._crdbs.guids()
        found = (self._instances[guid] for guid in guids if guid in self._instances)
        return next((each for each in found if each.bdb_uid == bdb_uid), None)

    def _names(self) -> set[str]:
        """Return the names of the fake clusters that this one knows, and its own."""
        known = [each for own in self._instances.values() for each in own.served]
        return {self._cluster.name, *(each.cluster.name for each in known)}

    def link(self, guid: str, other: InstanceRegistry, *, up: bool) -> CrdbInstance:
        """Join the instances of two clusters, with all links between them; return the other's.

        The CRDB is added to the other cluster unless that has it already. Of the clusters that it
        brings, those get a new name whose name is in use. Raises `ValueError` if
        this cluster has no such CRDB, or both are linked already.
        """
        own = self.get(guid)
        if not other._crdbs.has_had(guid):
            other._crdbs.add(guid, own.name)
        theirs = other.get(guid)
        if theirs in own.group:
            raise ValueError(f"CRDB {guid} is linked with that cluster already")
        _rename(own.served, theirs.served, taken=self._names() | other._names())
        _join(own.served, theirs.served, up_at=-inf if up else inf)
        return theirs


def _rename(known: list[CrdbInstance], new: list[CrdbInstance], *, taken: set[str]) -> None:
    """Give a name that is not taken to each new cluster with the name of a known one."""
    known_names = {each.cluster.name for each in known}
    numbers = count(1)
    for each in new:
        if each.cluster.name in known_names and not isinstance(each.cluster, _ImaginaryCluster):
            names = (f"cluster{number}.local" for number in numbers)
            each.cluster.name = next(name for name in names if name not in taken)


def _join(first: list[CrdbInstance], second: list[CrdbInstance], *, up_at: float) -> None:
    """Make one group of two, whose links are up from a time on. Errors with others are gone."""
    group = [*first, *second]
    for each in group:
        each.group = group
        each.links_up_at = {
            peer: each.links_up_at.get(peer, up_at) for peer in group if peer is not each
        }
        each.errors = {peer: text for peer, text in each.errors.items() if peer in group}
