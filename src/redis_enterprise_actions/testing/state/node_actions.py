"""What runs on the fake's nodes, or on the whole cluster, and what has become of it.

Such work has no uid that it could be asked for by: it is known by where it runs and by its name,
and its result is remembered until somebody removes it or starts the same again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from .actions import start_action


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.server.nodes import Nodes

    from .actions import FakeAction, Plan

NodeActionName: TypeAlias = Literal["maintenance_on", "maintenance_off", "remove", "enslave_node"]
ClusterActionName: TypeAlias = Literal["change_master"]

_DONE: Final = frozenset({"completed", "vanishes", "stuck"})  # outcomes of work that was done
_UNDER_WAY: Final = frozenset({"queued", "running", "cancelling"})
_CANCELLING: Final = 2.0  # how many seconds it takes to cancel what runs


@dataclass(kw_only=True, slots=True)
class Run:
    """One run of an action on a node, or on the cluster if `node_uid` is None.

    `action` is its name in paths; `promotes` is the node that a change_master is about;
    `cancelled_at` is when it was told to stop, and `forgotten_at` when its result was removed, or
    the same was started again, in the loop's time.
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
        """Return how it stands at `now`; what waits in the queue is cancelled at once."""
        if now < self.cancelled_at:
            return self.work.status(now)
        began = self.work.runs_at <= self.cancelled_at
        return "cancelling" if began and now < self.cancelled_at + _CANCELLING else "cancelled"

    def percent(self, now: float) -> float | None:
        return self.work.percent(min(now, self.cancelled_at))

    def under_way(self, now: float) -> bool:
        return self.status(now) in _UNDER_WAY

    def done(self, now: float) -> bool:
        """Whether it has done by `now` what it was to do."""
        return self.work.outcome in _DONE and self.work.ends_at <= min(now, self.cancelled_at)


def run_of(
    action: NodeActionName | ClusterActionName,
    plan: Plan,
    *,
    node_uid: int | None = None,
    promotes: int | None = None,
    task_id: str | None = None,
) -> Run:
    """Return a run that begins now and goes as planned."""
    now = _now()
    name = "remove_node" if action == "remove" else action  # as seen in lists
    work = start_action(name, plan, now=now, uid=task_id, kind="task", node_uid=node_uid)
    return Run(action=action, work=work, promotes=promotes)


class NodeActions:
    """The runs of a cluster, the same on every node, and what they do to it."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._runs: list[Run] = []  # the oldest first
        self._latest: dict[tuple[int | None, str], Run] = {}
        self._effects: list[asyncio.Task[None]] = []

    def start(self, run: Run) -> None:
        """Take a run from its beginning, and forget the one before it."""
        before = self._latest.get((run.node_uid, run.action))
        if before is not None:
            before.forgotten_at = run.work.began_at
        self._runs.append(run)
        self._latest[run.node_uid, run.action] = run
        if run.action in {"remove", "change_master"} and run.work.outcome in _DONE:
            self._effects.append(asyncio.create_task(self._take_effect(run)))

    def known(self, *, late: float = 0.0) -> list[Run]:
        """Return what runs and what is remembered, less what was begun, cancelled or removed late.

        That is in the last `late` seconds.
        """
        now = _now()
        horizon = now - late
        seen = [
            replace(run, cancelled_at=inf) if horizon < run.cancelled_at < inf else run
            for run in self._runs
            if run.work.began_at <= horizon < run.forgotten_at
        ]
        return [run for run in seen if not (run.work.outcome == "vanishes" and run.done(now))]

    def find(self, node_uid: int | None, action: str, *, late: float = 0.0) -> Run | None:
        """Return the run of that name if it is under way, or remembered; see `known`."""
        asked, known = (node_uid, action), self.known(late=late)
        return next((run for run in known if (run.node_uid, run.action) == asked), None)

    def under_way(self, node_uid: int | None, action: str) -> bool:
        """Whether such a run is under way, so that no other can be started."""
        run = self.find(node_uid, action)
        return run is not None and run.under_way(_now())

    def forget(self, node_uid: int | None, action: str, *, at: float = -inf) -> None:
        """Drop the memory of the latest run of that name, at a time, or as if it had never been."""
        self._latest.pop((node_uid, action)).forgotten_at = at

    def cancel(self, run: Run) -> None:
        """Tell a run to stop; it has been told if it is stopping."""
        run.cancelled_at = min(run.cancelled_at, _now())

    def members(self) -> list[int]:
        """Return the uids of the nodes that the cluster has: those that were not removed."""
        now = _now()
        gone = {run.node_uid for run in self._runs if run.action == "remove" and run.done(now)}
        return [uid for uid in range(1, len(self._nodes) + 1) if uid not in gone]

    def maintenance(self) -> dict[int, int]:
        """Return how often maintenance is on, by node: activations stack."""
        now = _now()
        depth = dict.fromkeys(self.members(), 0)
        for run in sorted(self._runs, key=lambda run: run.work.ends_at):
            step = {"maintenance_on": 1, "maintenance_off": -1}.get(run.action, 0)
            if run.node_uid in depth and run.done(now):
                depth[run.node_uid] = max(0, depth[run.node_uid] + step)
        return depth

    async def close(self) -> None:
        """Let nothing take effect any more."""
        effects, self._effects = self._effects, []
        for effect in effects:
            effect.cancel()
        await asyncio.gather(*effects, return_exceptions=True)

    async def _take_effect(self, run: Run) -> None:
        """Wait until a run is done, and change the nodes."""
        await asyncio.sleep(run.work.ends_at - _now())
        if run.cancelled_at < run.work.ends_at:
            return
        running = self._nodes.running
        if run.promotes in running:
            self._nodes.primary = run.promotes
        if run.node_uid is not None:
            self._nodes.gone.add(run.node_uid)
        if run.node_uid in running and len(running) > 1:
            await self._nodes.stop(run.node_uid)


def _now() -> float:
    return asyncio.get_running_loop().time()
