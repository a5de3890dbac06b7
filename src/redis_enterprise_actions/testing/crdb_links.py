"""Links between the instances of an Active-Active database (CRDB) on several fake clusters."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from .state.actions import check_choice
from .state.crdb_instances import ConfigurationStatus, LinkStatus


if TYPE_CHECKING:
    from .clock import Clock
    from .state.crdb_instances import CrdbInstance, InstanceRegistry
    from .state.crdbs import CrdbRegistry


class CrdbLinks:
    """The methods of `FakeCluster` about the instances of CRDBs.

    They raise `ValueError` if there is no such CRDB, or no instance of it on the other cluster.
    What they set is what this cluster sees: links have two directions.
    """

    name: str
    _clock: Clock
    _crdbs: CrdbRegistry
    _instances: InstanceRegistry

    def link_crdb(
        self, guid: str, other: CrdbLinks, *, up: bool = True, bdb_uid: int | None = None
    ) -> None:
        """Make a CRDB one with that of the same guid on another fake cluster, which may lack it.

        Each cluster shows the instances on both, and on those that either was linked with. All
        links between them are up, or down with `up=False`. `bdb_uid` is the database of the
        instance on the other cluster. If both clusters have the same name, the other one gets a new
        one. Raises `ValueError` if both are linked already.
        """
        if other is self:
            raise ValueError("a cluster cannot be linked with itself")
        theirs = self._instances.link(guid, other._instances, up=up)
        theirs.bdb_uid = bdb_uid or theirs.bdb_uid

    def set_link(self, guid: str, other: CrdbLinks | str, status: LinkStatus) -> None:
        """Set the status of the link to another cluster, or to that of a name: "up" or "down"."""
        check_choice(LinkStatus, "status", status)
        instance, peer = self._link(guid, other)
        instance.links_up_at[peer] = -inf if status == "up" else inf

    def set_link_later(self, guid: str, other: CrdbLinks | str, delay: float) -> None:
        """Let the link to another cluster be down, and come up `delay` seconds from now."""
        if not delay >= 0:
            raise ValueError("delay is in seconds, 0 or more")
        instance, peer = self._link(guid, other)
        instance.links_up_at[peer] = self._clock.now() + delay

    def set_crdb_config(
        self,
        guid: str,
        *,
        version: int | None = None,
        status: ConfigurationStatus = "commit-completed",
    ) -> None:
        """Set the status of a configuration on this cluster, by default of the active one.

        A configuration is active once it is "committed" or "commit-completed".
        """
        check_choice(ConfigurationStatus, "status", status)
        self._instances.get(guid).configure(version, status)

    def set_connection_error(self, guid: str, other: CrdbLinks | str, text: str | None) -> None:
        """Make another cluster unavailable to this one, with an error, or available with None."""
        instance, peer = self._link(guid, other)
        instance.errors.pop(peer, None)
        if text is not None:
            instance.errors[peer] = text

    def is_replicating(self, guid: str) -> bool:
        """Return True if a CRDB replicates, as far as this cluster sees.

        It can see all other clusters; on each of them, all links are up and the same configuration
        is active and "commit-completed". A CRDB that does not exist is not replicating.
        """
        return guid in self._crdbs.guids() and self._instances.get(guid).is_replicating

    def _link(self, guid: str, other: CrdbLinks | str) -> tuple[CrdbInstance, CrdbInstance]:
        instance = self._instances.get(guid)
        return instance, instance.peer(other if isinstance(other, str) else other.name)
