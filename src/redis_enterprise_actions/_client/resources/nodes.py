"""Nodes: maintenance mode, removal, and actions of nodes."""

from __future__ import annotations

from functools import partial
from types import NoneType
from typing import TYPE_CHECKING

from redis_enterprise_actions._client.asynchronous import AsyncContext
from redis_enterprise_actions._client.pacing.durations import (
    DEFAULT_OUTAGE_TIMEOUT,
    NOT_FOUND_GRACE,
    seconds,
)
from redis_enterprise_actions._client.sources.paths import checked_uid
from redis_enterprise_actions._model.objects import Node
from redis_enterprise_actions._model.reference import Reference, ReferenceKind, parse_reference

from .maintenance import MaintenanceCalls, MaintenanceGuard
from .resource import Resource, node_uids


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._client.operation import ClientParts, Operation, Untracked
    from redis_enterprise_actions._client.pacing.durations import Duration
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.record import FinishedAction, Recorder


class Nodes(Resource):
    """Nodes of a cluster: `client.nodes`. See `Databases` for the arguments."""

    def __init__(self, parts: ClientParts) -> None:
        super().__init__(parts)
        self._guard = MaintenanceGuard(parts)

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
    ) -> AbstractAsyncContextManager[FinishedAction]:
        """Keep a node in maintenance mode while the body of `async with` runs.

        Refuses with `ClusterUnhealthy` unless `Cluster.check` finds nothing: so no other node is in
        maintenance, but for those in `ignore_maintenance`, nor is this one. Switches maintenance
        on, waits until that has completed, and looks again: if another client has put a node into
        maintenance meanwhile, both take theirs out again. If the cluster is busy, the client looks
        again before it repeats the call, for up to `busy_timeout`. `check=False` leaves out all
        looks. Then a node that another client keeps in maintenance may be taken out of it, as
        maintenance is switched off even where switching it on has failed or was cancelled.

        At the end of the body, and after an error or a cancellation at any time, maintenance is
        switched off, and the client waits for that; switching it on is cancelled if it has not
        ended. Switching on, and all that switches it off, may each take `timeout`, with
        `WaitTimeout` after that. If maintenance cannot be switched off, the error that is raised
        has a note that says how to do so, and the log an error. That is the first error, or the
        cancellation if the task is cancelled later.

        The end does not wait until the cluster is healthy again, as replicas may take long to catch
        up: await `Cluster.wait_healthy` before the next node.

        Raises what `maintenance_on`, `maintenance_off` and `Operation.wait` raise.

        Source: POST /v1/nodes/{uid}/actions/maintenance_on, maintenance_off (nodes/actions), and
        what `Cluster.check` reads. Needs the permissions `start_node_action` and
        `view_status_of_node_action`, and those of `Cluster.check`.
        """
        busy = seconds(busy_timeout, "busy_timeout")
        outage = seconds(outage_timeout, "outage_timeout")
        ignored = node_uids(ignore_maintenance)
        on = partial(
            self.maintenance_on, checked_uid(node_uid, "node"), settings, outage_timeout=outage
        )
        checked_on = partial(
            self._guard.call,
            node_uid,
            partial(on, busy_timeout=0.0),
            ignored=ignored,
            busy_timeout=busy,
            outage_timeout=outage,
        )
        calls = MaintenanceCalls(
            on=checked_on if check else partial(on, busy_timeout=busy),
            off=partial(self.maintenance_off, node_uid, busy_timeout=busy, outage_timeout=outage),
            timeout=seconds(timeout, "timeout"),
            outage_timeout=outage,
        )
        kept = self._guard.keep(node_uid, calls, ignored=ignored, is_checked=check)
        return AsyncContext(kept)

    async def maintenance_on(
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
        start = partial(
            self._parts.start,
            "POST",
            _path(node_uid, "maintenance_on"),
            settings,
            makes=Node,
            params=params,
            headers=headers,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )
        if not check:
            return await start(busy_timeout=busy_timeout)
        return await self._guard.begin(
            node_uid,
            partial(start, busy_timeout=0.0),
            busy_timeout=seconds(busy_timeout, "busy_timeout"),
            outage_timeout=seconds(outage_timeout, "outage_timeout"),
        )

    async def maintenance_off(
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
        path = _path(node_uid, "maintenance_off")
        self._guard.forget(node_uid)
        return await self._parts.start(
            "POST",
            path,
            settings,
            makes=Node,
            params=params,
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def remove(
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
        return await self._parts.start(
            "POST",
            _path(node_uid, "remove"),
            settings,
            makes=NoneType,
            params=params,
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def wait(
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
        ref = _reference(node_uid, action, task_id)
        return await self._parts.operation(ref).wait(
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    async def actions(self, node_uid: int | None = None) -> list[Action]:
        """Return the actions of one node, or of all: those that run, and remembered results.

        Their `uid` is a reference, as they have none of their own. Raises `RequestError`.

        Source: GET /v1/nodes/actions, /v1/nodes/{uid}/actions. Needs the permission
        `view_status_of_all_node_actions`, or `view_status_of_node_action`.
        """
        uid = None if node_uid is None else checked_uid(node_uid, "node")
        return await self._parts.look(
            self._parts.sources.node_actions.list_actions, ReferenceKind.NODE, uid
        )

    async def get(self, node_uid: int) -> Node:
        """Return a node as it is now.

        Raises `RequestError`: `RequestRejected` (404) if the cluster has no node of that uid.

        Source: GET /v1/nodes/{uid} (nodes). Needs the permission `view_node_info`.
        """
        uid = checked_uid(node_uid, "node")
        return await self._parts.look(self._parts.sources.objects.node, uid)

    async def list_all(self) -> list[Node]:
        """Return all nodes. Raises `RequestError`.

        Source: GET /v1/nodes (nodes). Needs the permission `view_all_nodes_info`.
        """
        return await self._parts.look(self._parts.sources.objects.nodes)

    async def address(self, node_uid: int) -> str:
        """Return the address of a node inside the cluster's network. Raises `RequestError`.

        Source: GET /v1/nodes/{uid}. Needs the permission `view_node_info`.
        """
        path = f"/v1/nodes/{checked_uid(node_uid, 'node')}"
        return await self._parts.look(self._parts.sources.names.fetch, path, "view_node_info")


def _path(node_uid: int, action: str) -> str:
    return f"/v1/nodes/{checked_uid(node_uid, 'node')}/actions/{action}"


def _reference(node_uid: int, action: str, task_id: str | None) -> Reference:
    ref = f"node:{checked_uid(node_uid, 'node')}/{action}"
    return parse_reference(ref if task_id is None else f"{ref}@{task_id}")
