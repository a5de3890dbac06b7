"""Actions of nodes and of the cluster, from JSON."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from redis_enterprise_actions._model.action import Action, Kind, phase_of
from redis_enterprise_actions._model.reference import Reference, ReferenceKind

from .error_body import unreadable_reply
from .lenient_json import Numeric, TextOrInt, as_text, decode_struct, percentage, utc_time
from .lists import decode_entries


# The name that an action is reported by, where it is not the one that paths have.
_SEGMENTS: Final = {"remove_node": "remove"}
_NODE_UID: Final = re.compile(r"\d{1,9}", re.ASCII)


class WireNodeAction(msgspec.Struct):
    """An action of a node or the cluster (objects/action).

    Real ones have been seen with a status and a task_id and nothing else.
    """

    status: str
    name: str | None = None
    task_id: str | None = None
    node_uid: TextOrInt = None
    progress: Numeric = None
    creation_time: Numeric = None
    error_code: TextOrInt = None
    error_message: str | None = None


# --- nodes and the cluster ----------------------------------------------------------------------


def read_node_action(body: bytes, ref: Reference, path: str) -> Action:
    """Decode one action of a node or the cluster."""
    try:
        wire = decode_struct(body, WireNodeAction)
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None
    return node_action(wire, ref)


def read_node_actions(body: bytes, track: ReferenceKind, path: str) -> list[Action]:
    """Decode a list of them: an array, or an object with one."""
    actions: list[Action] = []
    for wire in decode_entries(body, ("actions",), WireNodeAction, path):
        node, said = as_text(wire.node_uid) or "", wire.name or ""
        segment = _SEGMENTS.get(said, said)
        if segment and (track is ReferenceKind.CLUSTER or _NODE_UID.fullmatch(node)):
            uid = f"{node}/{segment}" if track is ReferenceKind.NODE else segment
            actions.append(node_action(wire, Reference(track, uid)))
    return actions


def node_action(wire: WireNodeAction, ref: Reference) -> Action:
    """Return what is said of an action of a node or the cluster."""
    of_node = ref.kind is ReferenceKind.NODE
    return Action(
        uid=ref.name,
        name=ref.action_name,
        kind=Kind.NODE_ACTION if of_node else Kind.CLUSTER_ACTION,
        status=wire.status,
        phase=phase_of(wire.status),
        progress=percentage(wire.progress),
        node_uid=str(ref.numeric_uid) if of_node else None,
        task_id=wire.task_id or None,
        creation_time=utc_time(wire.creation_time),
        error_code=as_text(wire.error_code),
        error=wire.error_message or None,
    )
