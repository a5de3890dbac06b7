"""Actions of nodes and of the cluster: maintenance, removal, a change of primary.

They go by the object and the action's name, and the cluster remembers the result of the last run
of each. A `task_id` tells the runs apart. Vendor pages: requests/nodes/actions,
requests/cluster/actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ._action import Evidence, cancelled, completed, phase_of
from ._errors import ActionVanished, RequestRejected, UnreadableReply
from ._moving import moving_on
from ._reference import AFTER, Reference, Track
from ._refusal import is_error_object
from ._routes import STRANGE_404, WORTH_A_REQUEST
from ._tick import Found
from ._wire_work import WireHostAction, host_action, read_host_action, read_host_actions


if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._action import Action
    from ._errors import WaitError
    from ._transport import Transport

_SEE: Final = {
    Track.NODE: "view_status_of_node_action",
    Track.CLUSTER: "view_status_of_cluster_action",
}
_SEE_ALL_NODES: Final = "view_status_of_all_node_actions"
_REMOVES: Final = "remove"  # whose node is gone in the end, and its action with it


def path_of(ref: Reference) -> str:
    """Return the path at which an action of a node or the cluster is started, seen and ended."""
    host = "cluster" if ref.track is Track.CLUSTER else f"nodes/{ref.number}"
    return f"/v1/{host}/actions/{ref.action}"


class HostActions:
    """Asks for actions of nodes, or of the cluster."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.ended: set[Reference] = set()  # what we have cancelled

    @moving_on
    async def one(self, ref: Reference, last: Action | None) -> Action | None:
        """Return how an action stands, or None if there is none, or another run of it."""
        path = path_of(ref)
        reply = await self.transport.get(path, permission=_SEE[ref.track])
        if reply.status == 404:
            if not is_error_object(reply.body):
                raise UnreadableReply("GET", path, problem=STRANGE_404)
            return await self._removed(ref) if last is None else None
        action = read_host_action(reply.body, ref, path)
        return action if _is_same_run(action, ref, last) else None

    @moving_on
    async def many(self, wanted: Mapping[Reference, Action | None]) -> Found:
        """Return what the list holds of several; it may not tell one run from another."""
        track = next(iter(wanted)).track
        listed, size = await self._list(track, None)
        by_uid = {action.uid: action for action in listed}
        found: dict[Reference, Action] = {}
        for ref, last in wanted.items():
            action = by_uid.get(ref.name)
            if action is None or not _is_same_run(action, ref, last):
                continue
            known = _known(ref, last)
            if action.task_id is None and (known or ref.run):
                if action.phase.terminal:
                    continue  # the result of which run?
                action = msgspec.structs.replace(action, task_id=known)
            found[ref] = action
        return Found(found, cost=max(1.0, size / WORTH_A_REQUEST))

    @moving_on
    async def settle(self, ref: Reference, doubt: WaitError) -> Action | None:
        """Return the action as ended if it was cancelled, or the node that it removes is gone."""
        action = doubt.action
        if action is None:
            return None
        if ref in self.ended and isinstance(doubt, ActionVanished):
            return cancelled(action)
        return completed(action, Evidence.NODE) if await self._is_gone(ref) else None

    @moving_on
    async def all(self, track: Track, node_uid: int | None = None) -> list[Action]:
        """Return all actions of the cluster, or of all nodes, or of one."""
        listed, _ = await self._list(track, node_uid)
        return listed

    async def _removed(self, ref: Reference) -> Action | None:
        """Return a removal that is known to have begun as ended, if its node is gone."""
        begun = _known(ref, None)
        if begun is None or not await self._is_gone(ref):
            return None
        return completed(host_action(WireHostAction("", task_id=begun), ref), Evidence.NODE)

    async def _is_gone(self, ref: Reference) -> bool:
        """Whether it is about the removal of a node, and there is no such node any more."""
        if ref.track is not Track.NODE or ref.action != _REMOVES:
            return False
        path = f"/v1/nodes/{ref.number}"
        try:
            reply = await self.transport.get(path, permission="view_node_info")
        except RequestRejected:
            return False
        return reply.status == 404 and is_error_object(reply.body)

    async def _list(self, track: Track, node_uid: int | None) -> tuple[list[Action], int]:
        if track is Track.CLUSTER:
            path, permission = "/v1/cluster/actions", _SEE[Track.CLUSTER]
        elif node_uid is None:
            path, permission = "/v1/nodes/actions", _SEE_ALL_NODES
        else:
            path, permission = f"/v1/nodes/{node_uid}/actions", _SEE[Track.NODE]
        reply = await self.transport.get(path, permission=permission)
        if reply.status == 404:
            if not is_error_object(reply.body):
                raise UnreadableReply("GET", path, problem=STRANGE_404)
            return [], 0
        return read_host_actions(reply.body, track, path), len(reply.body)


def _known(ref: Reference, last: Action | None) -> str | None:
    """Return the `task_id` of the run that is waited for, as far as it is known."""
    if last is not None and last.task_id is not None:
        return last.task_id
    return None if ref.run.startswith(AFTER) else ref.run or None


def _is_same_run(action: Action, ref: Reference, last: Action | None) -> bool:
    """Whether an action can be the run that is waited for, and not an older or a newer one."""
    known = _known(ref, last)
    if known is not None:
        return action.task_id in {None, known}
    if not ref.run:
        return True
    old = ref.run.removeprefix(AFTER)
    if action.task_id is not None:
        return action.task_id != old
    # Statuses alone tell runs apart where one had ended, and the other stands otherwise.
    return last is not None or (phase_of(old).terminal and action.status != old)
