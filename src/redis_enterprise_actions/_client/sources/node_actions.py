"""Actions of nodes and of the cluster: maintenance, removal, a change of primary.

They go by the object and the action's name, and the cluster remembers the result of the last run
of each, until the next one is submitted. A `task_id` tells the runs apart, where the cluster gives
one; otherwise what was known before the call does. Vendor pages: requests/nodes/actions,
requests/cluster/actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from redis_enterprise_actions._client.http.failover import failover
from redis_enterprise_actions._client.protocols import ListResult
from redis_enterprise_actions._client.wire.error_body import is_api_error
from redis_enterprise_actions._client.wire.node_actions import (
    WireNodeAction,
    node_action,
    read_node_action,
    read_node_actions,
)
from redis_enterprise_actions._model.action import (
    Action,
    Ambiguity,
    AmbiguousAnswer,
    Evidence,
    cancelled,
    completed,
    phase_of,
)
from redis_enterprise_actions._model.errors import ActionVanished, RequestRejected, UnreadableReply
from redis_enterprise_actions._model.reference import AFTER, LOST, Reference, ReferenceKind

from .actions import BYTES_PER_REQUEST, FOREIGN_404, confirm_gone


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._model.errors import WaitError

_SEE: Final = {
    ReferenceKind.NODE: "view_status_of_node_action",
    ReferenceKind.CLUSTER: "view_status_of_cluster_action",
}
_SEE_ALL_NODES: Final = "view_status_of_all_node_actions"
UNKNOWN_STATUS: Final = "?"  # for a status before the call that we were not allowed to see
_REMOVES: Final = "remove"  # whose node is gone in the end, and its action with it


def action_path(ref: Reference) -> str:
    """Return the path at which an action of a node or the cluster is started, seen and ended."""
    host = "cluster" if ref.kind is ReferenceKind.CLUSTER else f"nodes/{ref.numeric_uid}"
    return f"/v1/{host}/actions/{ref.action_name}"


class NodeActionsApi:
    """Asks for actions of nodes, or of the cluster."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._cancelled: dict[str, str | None] = {}  # by name: the run that we have cancelled

    @failover
    async def fetch(self, ref: Reference, last: Action | None) -> Action | AmbiguousAnswer | None:
        """Return how an action stands, or None if there is none, or another run of it."""
        path = action_path(ref)
        reply = await self.transport.get(path, permission=_SEE[ref.kind])
        if reply.status != 404:
            return _match_run(read_node_action(reply.body, ref, path), ref, last)
        if not is_api_error(reply.body):
            raise UnreadableReply("GET", path, problem=FOREIGN_404)
        begun = last is not None or (ref.run and parse_run(ref).call != LOST)
        if not _is_removal(ref) or not begun:
            return None
        if last is not None and ref.name in self._cancelled:
            return None
        return await self._removed(ref, last)

    @failover
    async def fetch_many(self, wanted: Mapping[Reference, Action | None]) -> ListResult:
        """Return what the list holds of several; it may not tell one run from another."""
        track = next(iter(wanted)).kind
        listed, size = await self._list(track, None)
        by_uid = {action.uid: action for action in listed}
        found: dict[Reference, Action] = {}
        for ref, last in wanted.items():
            action = by_uid.get(ref.name)
            if action is None:
                continue
            seen = _match_run(action, ref, last)
            if not isinstance(seen, Action):
                continue
            known = _known_task_id(ref, last)
            if seen.task_id is None and (known or ref.run):
                if seen.phase.terminal:
                    continue  # the result of which run?
                seen = msgspec.structs.replace(seen, task_id=known)
            found[ref] = seen
        return ListResult(found, cost=max(1.0, size / BYTES_PER_REQUEST))

    async def verify(self, ref: Reference, doubt: WaitError) -> Action | None:
        """Return the action as ended if it is this run that we cancelled, or its node is gone."""
        action = doubt.action
        if action is None:
            return None
        if not isinstance(doubt, ActionVanished):
            return await self._removed_for_certain(ref, action) if _is_removal(ref) else None
        if ref.name not in self._cancelled:
            return None
        run = self._cancelled[ref.name]
        return cancelled(action) if run is None or action.task_id in {None, run} else None

    def record_cancel(self, ref: Reference, run: str | None) -> None:
        """Note that we have cancelled a run, by its `task_id` if that is known."""
        self._cancelled[ref.name] = run

    def forget_cancel(self, ref: Reference) -> None:
        """Forget it, as the waits for it are over or another run begins."""
        self._cancelled.pop(ref.name, None)

    @failover
    async def list_actions(self, track: ReferenceKind, node_uid: int | None = None) -> list[Action]:
        """Return all actions of the cluster, or of all nodes, or of one."""
        listed, _ = await self._list(track, node_uid)
        return listed

    async def _removed(
        self, ref: Reference, last: Action | None
    ) -> Action | AmbiguousAnswer | None:
        """Return a removal, of which there is no record any more, as ended if its node is gone."""
        path = f"/v1/nodes/{ref.numeric_uid}"
        try:
            reply = await self.transport.get(path, permission="view_node_info")
        except RequestRejected:
            return None
        if reply.status != 404:
            return None
        begun = last or node_action(WireNodeAction("", task_id=_known_task_id(ref, None)), ref)
        gone = completed(begun, Evidence.LIST)
        return await confirm_gone(self.transport, reply, path, "view_all_nodes_info", gone)

    @failover
    async def _removed_for_certain(self, ref: Reference, action: Action) -> Action | None:
        found = await self._removed(ref, action)
        return found if isinstance(found, Action) else None

    async def _list(self, track: ReferenceKind, node_uid: int | None) -> tuple[list[Action], int]:
        if track is ReferenceKind.CLUSTER:
            path, permission = "/v1/cluster/actions", _SEE[ReferenceKind.CLUSTER]
        elif node_uid is None:
            path, permission = "/v1/nodes/actions", _SEE_ALL_NODES
        else:
            path, permission = f"/v1/nodes/{node_uid}/actions", _SEE[ReferenceKind.NODE]
        reply = await self.transport.get(path, permission=permission)
        if reply.status == 404:
            if not is_api_error(reply.body):
                raise UnreadableReply("GET", path, problem=FOREIGN_404)
            return [], 0
        return read_node_actions(reply.body, track, path), len(reply.body)


def _is_removal(ref: Reference) -> bool:
    return ref.kind is ReferenceKind.NODE and ref.action_name == _REMOVES


# --- which run ----------------------------------------------------------------------------------


class RunIdentity(NamedTuple):
    """What tells a run from the last one, as it is written down in a reference.

    `status` and `old` are that one's status and `task_id` before the call: no status, where there
    was none, and `?`, where we were not allowed to look. `new` is the `task_id` of this one. Of a
    run that this package has not started, `status` is None: only the `task_id` is known. `call`
    is `lost` where the answer was, so that there need not be such a run.
    """

    previous_status: str | None
    previous_task_id: str
    task_id: str
    call: str = AFTER

    def __str__(self) -> str:
        if self.previous_status is None or (
            self.task_id and (self.previous_task_id or not self.previous_status)
        ):
            return self.task_id  # which tells enough
        parts = [
            self.call,
            _quoted(self.previous_status),
            _quoted(self.previous_task_id),
            self.task_id,
        ]
        return ",".join(parts).rstrip(",")


def identify_next_run(before: Action | None) -> RunIdentity:
    """Return what tells a run, which is about to be started, from the one that is there."""
    if before is None:
        return RunIdentity("", "", "")
    return RunIdentity(before.status or UNKNOWN_STATUS, before.task_id or "", "")


def parse_run(ref: Reference) -> RunIdentity:
    """Read what a reference says of its run."""
    call, *rest = ref.run.split(",", 3)
    if call not in {AFTER, LOST}:
        return RunIdentity(None, "", ref.run)
    status, old, new = [*rest, "", "", ""][:3]
    return RunIdentity(unquote(status), unquote(old), new, call)


def with_lost_call(ref: Reference) -> Reference:
    """Return a run as one that the call, whose answer was lost, need not have started."""
    return msgspec.structs.replace(ref, run=str(parse_run(ref)._replace(call=LOST)))


def _quoted(text: str) -> str:
    return quote(text, safe="?")


def _known_task_id(ref: Reference, last: Action | None) -> str | None:
    """Return the `task_id` of the run that is waited for, as far as it is known."""
    if last is not None and last.task_id is not None:
        return last.task_id
    return parse_run(ref).task_id or None


def _match_run(
    action: Action, ref: Reference, last: Action | None
) -> Action | AmbiguousAnswer | None:
    """Return an action if it can be the run that is waited for, with a doubt if it need not be."""
    run, known = parse_run(ref), _known_task_id(ref, last)
    before = run.previous_status or ""
    if action.task_id is not None and (known is not None or run.previous_task_id):
        is_ours = (
            action.task_id == known if known is not None else action.task_id != run.previous_task_id
        )
        return action if is_ours else None
    if (
        not ref.run
        or run.previous_status == ""
        or (action.task_id is not None and before != UNKNOWN_STATUS)
    ):
        return action
    unseen = run.previous_status is None or before == UNKNOWN_STATUS
    if not unseen and not phase_of(before).terminal:
        return None  # an older run was under way: it may be that one
    if not action.phase.terminal or not (unseen or before.casefold() == action.status.casefold()):
        return action
    if run.call == LOST and last is None:
        return None  # which nothing makes go away
    return AmbiguousAnswer(Ambiguity.SAME_RESULT, action)
