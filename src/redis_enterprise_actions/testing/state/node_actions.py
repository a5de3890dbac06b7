"""Actions on nodes and on the whole fake cluster, as functions of time.

The API identifies such a run by its node and its name, not by a uid. The cluster remembers the
result until a request removes it or starts the same action again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from redis_enterprise_actions.testing.tasks import Tasks

from .actions import SUCCESSES, start_action


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.identifiers import Identifiers
    from redis_enterprise_actions.testing.server.nodes import NodeServers

    from .actions import FakeAction, Plan

NodeActionName: TypeAlias = Literal["maintenance_on", "maintenance_off", "remove", "enslave_node"]
ClusterActionName: TypeAlias = Literal["change_master"]

_UNFINISHED: Final = frozenset({"queued", "running", "cancelling"})
_CANCELLING: Final = 2.0  # seconds until a cancelled run has ended


@dataclass(kw_only=True, slots=True)
class NodeActionRun:
    """One run of an action on a node, or on the cluster if `node_uid` is None.

    `action` is its name in paths, and `promotes` the node that a change_master makes the primary.
    `cancelled_at` and `forgotten_at` are the times of a cancel and of the removal of the result,
    by the cluster's clock.
    """

    action: str
    work: FakeAction
    promotes: int | None = None
    cancelled_at: float = inf
    forgotten_at: float = inf

    @property
    def node_uid(self) -> int | None:
        return self.work.node_uid

    def status(self, now: float) -> str:
        """Return the status at `now`; a queued run is cancelled at once."""
        if now < self.cancelled_at:
            return self.work.status(now)
        began = self.work.runs_at <= self.cancelled_at
        return "cancelling" if began and now < self.cancelled_at + _CANCELLING else "cancelled"

    def percent(self, now: float) -> float | None:
        return self.work.percent(min(now, self.cancelled_at))

    def is_unfinished(self, now: float) -> bool:
        return self.status(now) in _UNFINISHED

    def has_succeeded(self, now: float) -> bool:
        """Return True if the work of the run is done by `now`."""
        return self.work.outcome in SUCCESSES and self.work.ends_at <= min(now, self.cancelled_at)


class NodeActionRegistry:
    """Registry of the runs of a cluster; their effects on its nodes are tasks of the loop."""

    def __init__(
        self,
        clock: Clock,
        identifiers: Identifiers,
        nodes: NodeServers,
        report: Callable[[Exception], None],
    ) -> None:
        self._clock = clock
        self._identifiers = identifiers
        self._nodes = nodes
        self._runs: list[NodeActionRun] = []  # the oldest first
        self._latest: dict[tuple[int | None, str], NodeActionRun] = {}
        self._effects = Tasks(clock, report)

    def start(
        self,
        action: NodeActionName | ClusterActionName,
        plan: Plan,
        *,
        node_uid: int | None = None,
        promotes: int | None = None,
        task_id: str | None = None,
    ) -> NodeActionRun:
        """Start a run that goes as planned; the cluster forgets the one before it."""
        name = "remove_node" if action == "remove" else action  # as seen in lists
        work = start_action(
            name,
            plan,
            now=self._clock.now(),
            uid=task_id or self._identifiers.uuid(),
            kind="task",
            node_uid=node_uid,
        )
        run = NodeActionRun(action=action, work=work, promotes=promotes)
        before = self._latest.get((node_uid, action))
        if before is not None:
            before.forgotten_at = work.began_at
        self._runs.append(run)
        self._latest[node_uid, action] = run
        if action in {"remove", "change_master"} and work.outcome in SUCCESSES:
            self._effects.start(self._take_effect(run))
        return run

    def list_runs(self, *, lateness: float = 0.0) -> list[NodeActionRun]:
        """Return the runs that the cluster shows, as they stood `lateness` seconds ago.

        That holds for what was begun, cancelled or removed; statuses are those of now.
        """
        at = self._clock.now()
        horizon = at - lateness
        shown = [
            replace(run, cancelled_at=inf) if horizon < run.cancelled_at < inf else run
            for run in self._runs
            if run.work.began_at <= horizon < run.forgotten_at
        ]
        return [
            run for run in shown if not (run.work.outcome == "vanishes" and run.has_succeeded(at))
        ]

    def find(
        self, node_uid: int | None, action: str, *, lateness: float = 0.0
    ) -> NodeActionRun | None:
        """Return the run of that name, or None if the cluster shows none; see `list_runs`."""
        for run in self.list_runs(lateness=lateness):
            if (run.node_uid, run.action) == (node_uid, action):
                return run
        return None

    def is_unfinished(self, node_uid: int | None, action: str) -> bool:
        """Return True if a run of that name has not ended, so that no other can be started."""
        run = self.find(node_uid, action)
        return run is not None and run.is_unfinished(self._clock.now())

    def has_had(self, task_id: str | None) -> bool:
        """Return True if a run has, or had, a task_id."""
        return any(run.work.uid == task_id for run in self._runs)

    def forget(self, node_uid: int | None, action: str, *, at: float = -inf) -> None:
        """Forget the latest run of that name from the time `at` on, by default entirely."""
        self._latest.pop((node_uid, action)).forgotten_at = at

    def cancel(self, run: NodeActionRun) -> None:
        """Cancel a run; a second cancel changes nothing."""
        run.cancelled_at = min(run.cancelled_at, self._clock.now())

    def members(self) -> list[int]:
        """Return the uids of the nodes that are in the cluster: not outside, and not removed."""
        at = self._clock.now()
        gone = {
            run.node_uid for run in self._runs if run.action == "remove" and run.has_succeeded(at)
        }
        outside = self._nodes.outside
        return [uid for uid in range(1, len(self._nodes) + 1) if uid not in gone | outside]

    def check_member(self, uid: int) -> None:
        """Raise `ValueError` if no node of the cluster has this uid."""
        if uid not in self.members():
            raise ValueError(f"there is no node {uid}")

    def maintenance(self) -> dict[int, int]:
        """Return the number of times that maintenance is on, by node: activations stack."""
        at = self._clock.now()
        depth = dict.fromkeys(self.members(), 0)
        for run in sorted(self._runs, key=lambda run: run.work.ends_at):
            step = {"maintenance_on": 1, "maintenance_off": -1}.get(run.action, 0)
            if run.node_uid in depth and run.has_succeeded(at):
                depth[run.node_uid] = max(0, depth[run.node_uid] + step)
        return depth

    def maintenance_began_at(self, uid: int) -> float | None:
        """Return when the maintenance of a node was last switched on, or None if it is off."""
        if not self.maintenance()[uid]:
            return None
        at = self._clock.now()
        return max(
            run.work.began_at
            for run in self._runs
            if (run.node_uid, run.action) == (uid, "maintenance_on") and run.has_succeeded(at)
        )

    async def close(self) -> None:
        """Cancel the effects that are still to come."""
        await self._effects.close()

    async def _take_effect(self, run: NodeActionRun) -> None:
        """Wait until a run is done, and change the nodes."""
        await self._clock.sleep_until(run.work.ends_at)
        if run.cancelled_at < run.work.ends_at:
            return
        async with self._nodes.lock:
            running = self._nodes.running
            if run.promotes in running:
                self._nodes.primary = run.promotes
            if run.node_uid is not None:
                self._nodes.gone.add(run.node_uid)
            if run.node_uid in running and len(running) > 1:
                await self._nodes.stop(run.node_uid)
