"""Changes of the nodes of a fake cluster: stops, starts, the primary and bootstraps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .state.bootstrap import BootstrapPlan


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .clock import Clock
    from .server.nodes import NodeServers
    from .state.bootstrap import Bootstraps, BootstrapState, Downtime


class NodeChanges:
    """The methods of `FakeCluster` that change its nodes."""

    _clock: Clock
    _nodes: NodeServers
    _bootstraps: Bootstraps

    @property
    def primary(self) -> int | None:
        """Number of the primary node, or None during an election. It may be set."""
        return self._nodes.primary

    @primary.setter
    def primary(self, node: int | None) -> None:
        self._nodes.primary = node

    async def stop_node(self, node: int) -> None:
        """Stop a node: it refuses connections from now on, and open ones are aborted.

        If it was the primary, the lowest other running node becomes it at once. A node that is
        stopped before its bootstrap is as one that is still being installed; a bootstrap goes on.
        Raises `ValueError` if there is no such node, or it is stopped already.
        """
        await self._nodes.stop(node)

    async def start_node(self, node: int) -> None:
        """Start a stopped node at its port, as the primary if there is none.

        Raises `ValueError` if there is no such node, it runs already or was removed, and `OSError`
        if the port was taken.
        """
        await self._nodes.start(node)

    async def restart_node(self, node: int, *, downtime: float = 30.0) -> None:
        """Stop a node and start it again `downtime` seconds of the cluster's clock later.

        Raises the errors of `stop_node` and `start_node`. If it is cancelled in between, the node
        stays stopped.
        """
        if not downtime >= 0:
            raise ValueError("downtime is in seconds, 0 or more")
        with self._clock.joined():
            await self.stop_node(node)
            await self._clock.sleep(downtime)
            await self.start_node(node)

    def plan_bootstrap(
        self,
        node: int,
        *,
        duration: float = 20.0,
        error_code: str | None = None,
        error_details: Mapping[str, object] | None = None,
        downtime: Sequence[Downtime] = (),
        demands_credentials_at: float = 0.5,
        stays: BootstrapState | None = None,
        settles: float = 0.0,
    ) -> None:
        """Plan the next bootstrap of a node, or the one after those that are planned.

        It takes `duration` seconds of the cluster's clock. Without a plan a bootstrap is as one
        with the defaults. Times are in seconds, and fractions those of `duration`.

        - `error_code`: it ends in state "error", with that code, such as "repair_required", and
          with `error_details`; a documented code has details as documented by default.
        - `downtime`: pairs of the fraction at which the node's services restart, and of the seconds
          that it takes. The node refuses connections then; with a third value, 502 or 503, its
          gateway answers that. A downtime may begin after the end, at a fraction of more than 1.
        - `demands_credentials_at`: the fraction from which on GET /v1/bootstrap is answered 401
          without the cluster's credentials; a bootstrap that fails never demands them. A join
          fails if no node of the cluster is reached at that moment, or the credentials are wrong.
        - `stays`: the bootstrap never ends, and stays in that state. Any of the three states of
          work means the one that fits; "idle" accepts the call and does nothing.
        - `settles`: seconds after the end for which POST /v1/bdbs is answered 406
          (invalid_version).

        Raises `ValueError` if there is no such node, if it is in the cluster, and for values that
        do not fit.
        """
        plan = BootstrapPlan(
            duration=duration,
            error_code=error_code,
            error_details=error_details,
            downtime=downtime,
            demands_credentials_at=demands_credentials_at,
            stays=stays,
            settles=settles,
        )
        self._bootstraps.plan(node, plan)

    def bootstrap_state(self, node: int) -> BootstrapState:
        """Return the true state of a node's bootstrap, even while the node cannot be reached.

        Raises `ValueError` if there is no such node.
        """
        self._nodes.check(node)
        return self._bootstraps.state(node)
