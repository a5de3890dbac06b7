"""What a test can do to a cluster's nodes without asking it over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from redis_enterprise_actions.testing.state.actions import DEFAULT_PLAN
from redis_enterprise_actions.testing.state.node_actions import (
    ClusterActionName,
    NodeActionName,
    run_of,
)


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.state.actions import Plan
    from redis_enterprise_actions.testing.state.node_actions import NodeActions


class NodesFront:
    """The part of `FakeCluster` that is about node and cluster actions."""

    _node_actions: NodeActions

    @property
    def maintenance(self) -> dict[int, int]:
        """How often maintenance is on, by node: each `maintenance_on` wants a `maintenance_off`.

        A run counts when it completes. Nodes that were removed are not in it.
        """
        return self._node_actions.maintenance()

    def start_node_action(
        self,
        node_uid: int,
        action: NodeActionName,
        plan: Plan = DEFAULT_PLAN,
        *,
        task_id: str | None = None,
    ) -> str:
        """Start an action on a node, as a POST there does, and return its task_id.

        The rest is as in `add_action`. What is asked for an action by its name shows `progress`
        only if that is "linear" or "stalling", as what was recorded has none; lists show it. A
        run that "vanishes" does its work, and is not remembered.

        A node whose removal completes is gone at once, and stops to answer if another one runs.

        Raises `ValueError` if there is no such node or action, or that runs there already.
        """
        if node_uid not in self._node_actions.members():
            raise ValueError(f"there is no node {node_uid}")
        if action not in get_args(NodeActionName):
            raise ValueError(f"{action!r} is none of {', '.join(get_args(NodeActionName))}")
        if self._node_actions.under_way(node_uid, action):
            raise ValueError(f"{action} runs on node {node_uid} already")
        run = run_of(action, plan, node_uid=node_uid, task_id=task_id)
        self._node_actions.start(run)
        return run.work.uid

    def start_cluster_action(
        self,
        action: ClusterActionName,
        plan: Plan = DEFAULT_PLAN,
        *,
        node_uid: int,
    ) -> None:
        """Start an action of the whole cluster; "change_master" is the only one there is.

        When it completes, `node_uid` is the primary, if it runs. The rest is as in
        `start_node_action`; there is no task_id.

        Raises `ValueError` if there is no such node or action, or that is under way already.
        """
        if node_uid not in self._node_actions.members():
            raise ValueError(f"there is no node {node_uid}")
        if action not in get_args(ClusterActionName):
            raise ValueError(f"{action!r} is none of {', '.join(get_args(ClusterActionName))}")
        if self._node_actions.under_way(None, action):
            raise ValueError(f"{action} is under way already")
        self._node_actions.start(run_of(action, plan, promotes=node_uid))

    def forget_node_action(self, node_uid: int, action: NodeActionName) -> None:
        """Drop the memory of an action on a node: asking for it answers 404 from now on."""
        self._node_actions.forget(node_uid, action)
