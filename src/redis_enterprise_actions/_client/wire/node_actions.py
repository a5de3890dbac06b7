"""JSON bodies of actions of nodes and of the cluster, and their conversion to `Action`."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from redis_enterprise_actions._model.action import ACTION_PHASES, Action, Kind, phase_of
from redis_enterprise_actions._model.reference import Reference, ReferenceKind

from .actions import WireFailure, failure_text
from .lenient_json import Numeric, TextOrInt, as_text, percentage, utc_time
from .reasons import unknown_reason
from .replies import Lone, decode_each, decode_list, decode_reply


# Names of actions in answers that differ from those in paths.
_NAMES_IN_PATHS: Final = {"remove_node": "remove"}
_NODE_UID: Final = re.compile(r"\d{1,9}", re.ASCII)


class WireNodeAction(WireFailure):
    """An action of a node or of the cluster (objects/action).

    Some answers have `status` and `task_id` only.
    """

    status: str
    name: str | None = None
    task_id: str | None = None
    node_uid: TextOrInt = None
    progress: Numeric = None
    creation_time: Numeric = None


_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(WireNodeAction))
_LONE_OF_NODE: Final = Lone(("node_uid",), ACTION_PHASES)
_LONE_OF_CLUSTER: Final = Lone(("name",), ACTION_PHASES)


def read_node_action(body: bytes, ref: Reference, path: str) -> Action:
    """Decode the answer of GET /v1/nodes/{uid}/actions/{action} or /v1/cluster/actions/{action}."""
    return node_action(decode_reply(body, WireNodeAction, path), ref, body)


def read_node_actions(body: bytes, kind: ReferenceKind, path: str) -> list[Action]:
    """Decode a list of actions of nodes, or of the cluster."""
    actions: list[Action] = []
    lone = _LONE_OF_NODE if kind is ReferenceKind.NODE else _LONE_OF_CLUSTER
    for raw, wire in decode_each(decode_list(body, path, lone).entries, WireNodeAction):
        node_uid, reported = as_text(wire.node_uid) or "", wire.name or ""
        action = _NAMES_IN_PATHS.get(reported, reported)
        if action and (kind is ReferenceKind.CLUSTER or _NODE_UID.fullmatch(node_uid)):
            uid = f"{node_uid}/{action}" if kind is ReferenceKind.NODE else action
            actions.append(node_action(wire, Reference(kind, uid), raw))
    return actions


def node_action(wire: WireNodeAction, ref: Reference, raw: bytes | msgspec.Raw) -> Action:
    """Convert an action of a node or of the cluster, which was decoded from `raw`."""
    of_node, phase = ref.kind is ReferenceKind.NODE, phase_of(wire.status)
    error = failure_text(wire)
    if error is None and phase.failed:
        error = unknown_reason(raw, _KNOWN)
    return Action(
        uid=ref.name,
        name=ref.action_name,
        kind=Kind.NODE_ACTION if of_node else Kind.CLUSTER_ACTION,
        status=wire.status,
        phase=phase,
        progress=percentage(wire.progress),
        node_uid=str(ref.numeric_uid) if of_node else None,
        task_id=wire.task_id or None,
        creation_time=utc_time(wire.creation_time),
        error_code=as_text(wire.error_code),
        error=error,
    )
