"""Endpoints of actions of nodes and of the cluster: maintenance, removal, change of primary.

Vendor pages: requests/nodes/actions, requests/cluster/actions.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._client.protocols import ListResult, list_cost
from redis_enterprise_actions._client.wire.node_actions import (
    WireNodeAction,
    node_action,
    read_node_action,
    read_node_actions,
)
from redis_enterprise_actions._model.action import (
    Action,
    AmbiguousAnswer,
    Evidence,
    cancelled,
    completed,
)
from redis_enterprise_actions._model.errors import ActionVanished, RequestRejected
from redis_enterprise_actions._model.reference import LOST, Reference, ReferenceKind

from .node_runs import known_task_id, match_run, parse_run
from .not_found import confirm_gone, is_missing, object_decoder
from .refused_lists import refusable


if TYPE_CHECKING:
    from collections.abc import Generator

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate, Wanted
    from redis_enterprise_actions._model.errors import WaitError

_VIEW_ACTION: Final = {
    ReferenceKind.NODE: "view_status_of_node_action",
    ReferenceKind.CLUSTER: "view_status_of_cluster_action",
}
_VIEW_ALL_NODE_ACTIONS: Final = "view_status_of_all_node_actions"
_VIEW_NODE: Final = "view_node_info"
_VIEW_NODES: Final = "view_all_nodes_info"
_REMOVE: Final = "remove"  # deletes the node, and with it the record of the action


def action_path(ref: Reference) -> str:
    """Return the path of a node's or the cluster's action."""
    owner = "cluster" if ref.kind is ReferenceKind.CLUSTER else f"nodes/{ref.numeric_uid}"
    return f"/v1/{owner}/actions/{ref.action_name}"


class NodeActionsApi:
    """Status source for actions of nodes and of the cluster."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        # The `task_id` of the run that this client has cancelled (None if unknown), by reference
        # name; and the number of waits for each.
        self._cancelled: dict[str, str | None] = {}
        self._waits: Counter[str] = Counter()

    def path(self, ref: Reference) -> str:
        """Return the path of an action of a node or the cluster."""
        return action_path(ref)

    async def fetch(
        self, ref: Reference, last: Action | None, gate: Gate | None = None
    ) -> Action | AmbiguousAnswer | None:
        """Return the run of an action that `ref` follows, or None if there is none."""
        path = action_path(ref)
        decode = partial(_decode_action, ref, path)
        found = await self.transport.get(
            path, permission=_VIEW_ACTION[ref.kind], decode=decode, gate=gate
        )
        if found is not None:
            return match_run(found, ref, last)
        began = last is not None or (ref.run and parse_run(ref).call != LOST)
        if not _is_removal(ref) or not began:
            return None
        if last is not None and self._has_cancelled(ref, last):
            return None
        return await self._removed(ref, last, gate)

    @refusable
    async def fetch_many(self, wanted: Wanted, gate: Gate | None) -> ListResult:
        """Return the actions that a list shows, without results that may be of another run."""
        listed, cost = await self._list(next(iter(wanted)).kind, None, gate)
        by_uid = {action.uid: action for action in listed}
        found: dict[Reference, Action] = {}
        for ref, last in wanted.items():
            action = by_uid.get(ref.name)
            matched = None if action is None else match_run(action, ref, last)
            if not isinstance(matched, Action):
                continue
            task_id = known_task_id(ref, last)
            if matched.task_id is None and (task_id or ref.run):
                if matched.phase.terminal:
                    continue
                matched = msgspec.structs.replace(matched, task_id=task_id)
            found[ref] = matched
        return ListResult(found, cost)

    async def verify(
        self, ref: Reference, unverified: WaitError, gate: Gate | None
    ) -> Action | None:
        """Return a vanished run as cancelled if this client has cancelled it.

        Return a stalled removal as completed if its node is gone. Otherwise return None.
        """
        action = unverified.action
        if action is None:
            return None
        if isinstance(unverified, ActionVanished):
            return cancelled(action) if self._has_cancelled(ref, action) else None
        found = await self._removed(ref, action, gate) if _is_removal(ref) else None
        return found if isinstance(found, Action) else None

    async def list_actions(self, kind: ReferenceKind, node_uid: int | None = None) -> list[Action]:
        """Return all actions of the cluster, of all nodes, or of one node."""
        listed, _ = await self._list(kind, node_uid, None)
        return listed

    def record_cancel(self, ref: Reference, task_id: str | None) -> None:
        """Record that this client has cancelled a run of an action."""
        self._cancelled[ref.name] = task_id

    def forget_cancel(self, ref: Reference) -> None:
        """Forget the cancelled run of an action."""
        self._cancelled.pop(ref.name, None)

    @contextmanager
    def retain_cancel(self, ref: Reference) -> Generator[None]:
        """Forget the cancelled run of an action once the last wait for the action leaves."""
        self._waits[ref.name] += 1
        try:
            yield
        finally:
            self._waits[ref.name] -= 1
            if not self._waits[ref.name]:
                del self._waits[ref.name]
                self.forget_cancel(ref)

    def _has_cancelled(self, ref: Reference, action: Action) -> bool:
        """Return True if this client has cancelled this run of an action."""
        if ref.name not in self._cancelled:
            return False
        task_id = self._cancelled[ref.name]
        return task_id is None or action.task_id in {None, task_id}

    async def _removed(
        self, ref: Reference, last: Action | None, gate: Gate | None
    ) -> Action | AmbiguousAnswer | None:
        """Return a removal without a record as completed if its node is gone."""
        path = f"/v1/nodes/{ref.numeric_uid}"
        decode = object_decoder(path, lambda _: None)
        try:
            not_found = await self.transport.get(
                path, permission=_VIEW_NODE, decode=decode, gate=gate
            )
        except RequestRejected:
            return None
        if not_found is None:
            return None
        began = last or node_action(
            WireNodeAction("", task_id=known_task_id(ref, None)), ref, b"{}"
        )
        gone = completed(began, Evidence.LIST)
        return await confirm_gone(
            self.transport, not_found, path, list_permission=_VIEW_NODES, gone=gone, gate=gate
        )

    async def _list(
        self, kind: ReferenceKind, node_uid: int | None, gate: Gate | None
    ) -> tuple[list[Action], float]:
        """Return the actions of a list, and the cost of the request."""
        if kind is ReferenceKind.CLUSTER:
            path, permission = "/v1/cluster/actions", _VIEW_ACTION[kind]
        elif node_uid is None:
            path, permission = "/v1/nodes/actions", _VIEW_ALL_NODE_ACTIONS
        else:
            path, permission = f"/v1/nodes/{node_uid}/actions", _VIEW_ACTION[kind]
        decode = partial(_decode_list, kind, path)
        return await self.transport.get(path, permission=permission, decode=decode, gate=gate)


def _decode_action(ref: Reference, path: str, reply: Reply) -> Action | None:
    return None if is_missing(reply, path) else read_node_action(reply.body, ref, path)


def _decode_list(kind: ReferenceKind, path: str, reply: Reply) -> tuple[list[Action], float]:
    listed = [] if is_missing(reply, path) else read_node_actions(reply.body, kind, path)
    return listed, list_cost(reply.body)


def _is_removal(ref: Reference) -> bool:
    return ref.kind is ReferenceKind.NODE and ref.action_name == _REMOVE
