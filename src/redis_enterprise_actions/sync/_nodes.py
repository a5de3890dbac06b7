"""Synchronous `Nodes`. `python -m tests.sync_classes` writes this module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._client.pacing.durations import (
    DEFAULT_OUTAGE_TIMEOUT,
    NOT_FOUND_GRACE,
)

from ._operation import Operation


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions import Action, Duration, FinishedAction, Node, Recorder
    from redis_enterprise_actions._client.operation import Untracked

    from ._link import Link


class Nodes:
    """Nodes of a cluster: `client.nodes`. See `Databases` for the arguments."""

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def maintenance(
        self,
        node_uid: int,
        settings: Mapping[str, object] | None = None,
        *,
        check: bool = True,
        ignore_maintenance: Iterable[int] = (),
        timeout: Duration | None = 3600.0,
        busy_timeout: Duration | None = 600.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
    ) -> AbstractContextManager[FinishedAction]:
        """Keep a node in maintenance mode while the body of `with` runs.

        Refuses with `ClusterUnhealthy` unless `Cluster.check` finds nothing: so no other node is in
        maintenance, but for those in `ignore_maintenance`, nor is this one. Switches maintenance
        on, waits until that has completed, and looks again: if another client has put a node into
        maintenance meanwhile, both take theirs out again. If the cluster is busy, the client looks
        again before it repeats the call, for up to `busy_timeout`. `check=False` leaves out all
        looks. Then a node that another client keeps in maintenance may be taken out of it, as
        maintenance is switched off even where switching it on has failed or was interrupted.

        At the end of the body, and after an exception at any time, maintenance is
        switched off, and the client waits for that; switching it on is cancelled if it has not
        ended. Switching on, and all that switches it off, may each take `timeout`, with
        `WaitTimeout` after that. If maintenance cannot be switched off, the error that is raised
        has a note that says how to do so, and the log an error. That is the first error.
        A first `KeyboardInterrupt` does not cut that short.

        The end does not wait until the cluster is healthy again, as replicas may take long to catch
        up: call `Cluster.wait_healthy` before the next node.

        Raises what `maintenance_on`, `maintenance_off` and `Operation.wait` raise.

        Source: POST /v1/nodes/{uid}/actions/maintenance_on, maintenance_off (nodes/actions), and
        what `Cluster.check` reads. Needs the permissions `start_node_action` and
        `view_status_of_node_action`, and those of `Cluster.check`.
        """
        return self._link.enter(
            lambda client, _: client.nodes.maintenance(
                node_uid,
                settings,
                check=check,
                ignore_maintenance=ignore_maintenance,
                timeout=timeout,
                busy_timeout=busy_timeout,
                outage_timeout=outage_timeout,
            )
        )

    def maintenance_on(
        self,
        node_uid: int,
        settings: Mapping[str, object] | None = None,
        *,
        check: bool = False,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Node]:
        """Put a node into maintenance mode. Activations stack: each needs a `maintenance_off`.

        With `check`, the client looks first, and raises `ClusterUnhealthy` if `Cluster.check` finds
        anything, or if this client has just put another node into maintenance; it looks again
        before it repeats the call in `busy_timeout`. `maintenance` also switches maintenance off
        again.

        Source: POST /v1/nodes/{uid}/actions/maintenance_on (nodes/actions). Needs the permissions
        `start_node_action` and `view_status_of_node_action`.
        """
        return Operation(
            self._link.start(
                lambda client, _: client.nodes.maintenance_on(
                    node_uid,
                    settings,
                    check=check,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def maintenance_off(
        self,
        node_uid: int,
        settings: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Node]:
        """Take a node out of maintenance mode, once.

        Source: POST /v1/nodes/{uid}/actions/maintenance_off (nodes/actions). Needs the permissions
        `start_node_action` and `view_status_of_node_action`.
        """
        return Operation(
            self._link.start(
                lambda client, _: client.nodes.maintenance_off(
                    node_uid,
                    settings,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def remove(
        self,
        node_uid: int,
        settings: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[None]:
        """Move everything off a node and remove the node from the cluster.

        From now on the cluster places nothing on the node, even if the removal fails. Unless
        `wait_for_persistence` is among the `settings`, or in the cluster's policy, the cluster
        does not wait for persistence files.

        Source: POST /v1/nodes/{uid}/actions/remove (nodes/actions). Needs the permissions
        `start_node_action` and `view_status_of_node_action`.
        """
        return Operation(
            self._link.start(
                lambda client, _: client.nodes.remove(
                    node_uid,
                    settings,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def wait(
        self,
        node_uid: int,
        action: str,
        *,
        task_id: str | None = None,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until an action of a node, such as `maintenance_on` or `remove`, has completed.

        `task_id`, from the answer to the call that started the action, names one run of it. Without
        it, the wait follows the run that is under way, or takes the result that the cluster
        remembers of the last run, which counts at once. A result that comes without a `task_id`
        although one is given may be that of an older run: it counts once it has stayed for
        `not_found_grace`, with the evidence `same-result`.

        Raises what `ActionsClient.wait_for_action` raises. Another run that has taken the place of
        the one with that `task_id` counts as vanished; without one, runs cannot always be told
        apart. A removal has also completed when its node is gone, as the list of nodes, or a second
        look, confirms; without a `task_id`, a node that was gone before the first look counts as
        not found.

        Source: GET /v1/nodes/{uid}/actions/{action}, /v1/nodes/actions. Needs the permissions
        `view_status_of_node_action` and `view_status_of_all_node_actions`.
        """
        return self._link.call(
            lambda client, caller: client.nodes.wait(
                node_uid,
                action,
                task_id=task_id,
                timeout=timeout,
                poll=poll,
                on_progress=caller.callback(on_progress, "on_progress"),
                stall_timeout=stall_timeout,
                outage_timeout=outage_timeout,
                not_found_grace=not_found_grace,
                recorder=recorder,
            )
        )

    def actions(self, node_uid: int | None = None) -> list[Action]:
        """Return the actions of one node, or of all: those that run, and remembered results.

        Their `uid` is a reference, as they have none of their own. Raises `RequestError`.

        Source: GET /v1/nodes/actions, /v1/nodes/{uid}/actions. Needs the permission
        `view_status_of_all_node_actions`, or `view_status_of_node_action`.
        """
        return self._link.call(lambda client, _: client.nodes.actions(node_uid))

    def get(self, node_uid: int) -> Node:
        """Return a node as it is now.

        Raises `RequestError`: `RequestRejected` (404) if the cluster has no node of that uid.

        Source: GET /v1/nodes/{uid} (nodes). Needs the permission `view_node_info`.
        """
        return self._link.call(lambda client, _: client.nodes.get(node_uid))

    def list_all(self) -> list[Node]:
        """Return all nodes. Raises `RequestError`.

        Source: GET /v1/nodes (nodes). Needs the permission `view_all_nodes_info`.
        """
        return self._link.call(lambda client, _: client.nodes.list_all())

    def address(self, node_uid: int) -> str:
        """Return the address of a node inside the cluster's network. Raises `RequestError`.

        Source: GET /v1/nodes/{uid}. Needs the permission `view_node_info`.
        """
        return self._link.call(lambda client, _: client.nodes.address(node_uid))
