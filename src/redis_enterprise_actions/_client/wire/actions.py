"""JSON bodies of actions, of /v1 and /v2, and their conversion to `Action`.

One Struct stands for one documented shape, in the vendor's spelling, and has the fields that the
client reads. List entries that cannot be read are skipped.
"""

from __future__ import annotations

from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._model.action import PHASES, Action, Kind, PendingOp, phase_of

from .error_body import parse_error_body, unreadable_reply
from .lenient_json import (
    Numeric,
    TextOrInt,
    as_text,
    decode,
    decode_or_default,
    decode_struct,
    percentage,
    utc_time,
)
from .replies import decode_array, decode_each, decode_reply


if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

_MAX_CACHED_BODY: Final = 2**12  # bytes
_CACHED_BODIES: Final = 128
_NULL: Final = msgspec.Raw(b"null")


class WirePendingOp(msgspec.Struct):
    """A value of `pending_ops`, whose key is the uid of the shard (requests/actions)."""

    op_name: str | None = None
    status_code: TextOrInt = None
    status_description: str | None = None
    progress: Numeric = None
    heartbeat: Numeric = None
    last_sample_time: Numeric = None


class WireAction(msgspec.Struct, gc=False):
    """A task or a state machine of /v1 (objects/action, objects/state-machine).

    GET /v1/actions/{uid} answers with either.
    """

    status: str
    action_uid: str | None = None
    task_id: str | None = None
    name: str | None = None
    progress: Numeric = None
    node_uid: TextOrInt = None
    creation_time: Numeric = None
    object_name: str | None = None
    state: str | None = None
    heartbeat: Numeric = None
    pending_ops: dict[str, msgspec.Raw] | None = None
    error_code: TextOrInt = None
    error_message: str | None = None
    error: msgspec.Raw = msgspec.Raw()


class WireStatus(msgspec.Struct, gc=False):
    """The fields of `WireAction` that tell which action it is, and whether it has ended."""

    status: str
    action_uid: str | None = None
    task_id: str | None = None


class WireActions(msgspec.Struct):
    """The list of /v1/actions; that of /v1/actions/bdb/{uid} may have the same shape."""

    actions: list[msgspec.Raw] | None = None
    state_machines: list[msgspec.Raw] | None = msgspec.field(default=None, name="state-machines")


class WireInfo(msgspec.Struct):
    """`additional_info` of a /v2 action."""

    description: str | None = None
    error: msgspec.Raw = msgspec.Raw()
    object_type: str | None = None
    object_uid: TextOrInt = None
    pending_ops: dict[str, msgspec.Raw] | None = None


class WireActionV2(msgspec.Struct):
    """An action object of /v2."""

    status: str
    action_uid: str | None = None
    action_type: str | None = None
    name: str | None = None
    progress: Numeric = None
    creation_time: Numeric = None
    additional_info: msgspec.Raw = msgspec.Raw()


def read_action(body: bytes, uid: str, path: str) -> Action:
    """Decode the answer of GET /v1/actions/{uid}, a task or a state machine.

    Short bodies are cached: the same body gives the same `Action` object.
    """
    read = _read_action_cached if len(body) <= _MAX_CACHED_BODY else _read_action
    return read(body, uid, path)


def _read_action(body: bytes, uid: str, path: str) -> Action:
    try:
        wire = decode_struct(body, WireAction)
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None
    if uid not in {wire.action_uid, wire.task_id}:
        _check_uid(uid, (wire.action_uid, wire.task_id), body, path)
    return action_from_v1(wire, uid)


_read_action_cached: Final = lru_cache(_CACHED_BODIES)(_read_action)


def read_action_v2(body: bytes, uid: str, path: str) -> Action:
    """Decode the answer of GET /v2/actions/{uid}."""
    wire = decode_reply(body, WireActionV2, path)
    _check_uid(uid, (wire.action_uid,), body, path)
    return _action_from_v2(wire, uid)


def read_actions(body: bytes, path: str) -> list[Action]:
    """Decode a list of /v1: an object with two arrays, or an array of state machines."""
    return [
        action_from_v1(wire, uid, kind)
        for kind, raws in split_families(body, path).items()
        for wire in decode_each(raws, WireAction)
        if (uid := wire.action_uid or wire.task_id) is not None
    ]


def read_actions_v2(
    body: bytes, path: str, wanted: Container[str | None] | None = None
) -> list[Action]:
    """Decode the array of /v2/actions: the entries whose uid is `wanted`, or all of them."""
    return [
        _action_from_v2(wire, wire.action_uid)
        for wire in decode_each(decode_array(body, path), WireActionV2)
        if wire.action_uid is not None and (wanted is None or wire.action_uid in wanted)
    ]


def split_families(body: bytes, path: str) -> dict[Kind, Sequence[msgspec.Raw]]:
    """Return the undecoded entries of a list of /v1 by family."""
    if body.lstrip().startswith(b"["):
        return {Kind.STATE_MACHINE: decode_array(body, path)}
    wire = decode_reply(body, WireActions, path)
    if wire.actions is None and wire.state_machines is None:
        raise unreadable_reply(path, 'neither "actions" nor "state-machines" in it', body)
    return {Kind.TASK: wire.actions or (), Kind.STATE_MACHINE: wire.state_machines or ()}


def action_from_v1(wire: WireAction, uid: str, kind: Kind | None = None) -> Action:
    """Convert a task or a state machine of /v1."""
    # Of the two families only tasks have a task_id.
    family = kind or (Kind.STATE_MACHINE if wire.task_id is None else Kind.TASK)
    object_type, _, object_uid = (wire.object_name or "").partition(":")
    # This runs for each changed entry of lists with thousands: few calls, and none for missing
    # fields.
    beat, node_uid, error_code = wire.heartbeat, wire.node_uid, wire.error_code
    progress = wire.progress
    if progress is not None:
        progress = percentage(progress)
    return Action(
        uid=uid,
        name=intern(wire.name or ""),
        kind=family,
        status=intern(wire.status),
        phase=PHASES.get(wire.status) or phase_of(wire.status),
        progress=progress,
        state=intern(wire.state) if wire.state else None,
        object_type=intern(object_type) or None,
        object_uid=object_uid or None,
        node_uid=None if node_uid is None else as_text(node_uid),
        creation_time=None if wire.creation_time is None else utc_time(wire.creation_time),
        heartbeat=None if beat is None else utc_time(beat),
        pending_ops=_pending_ops(wire.pending_ops) if wire.pending_ops else (),
        error_code=None if error_code is None else as_text(error_code),
        error=wire.error_message or (error_text(wire.error) if wire.error else None),
    )


def _action_from_v2(wire: WireActionV2, uid: str) -> Action:
    info = decode_or_default(wire.additional_info, WireInfo)
    return Action(
        uid=uid,
        name=wire.name or "",
        kind=_KINDS.get(wire.action_type or "", Kind.OTHER),
        status=wire.status,
        phase=phase_of(wire.status),
        progress=percentage(wire.progress),
        object_type=info.object_type or None,
        object_uid=as_text(info.object_uid),
        creation_time=utc_time(wire.creation_time),
        pending_ops=_pending_ops(info.pending_ops or {}),
        error=error_text(info.error),
    )


_KINDS: Final = {kind.value: kind for kind in Kind}  # action_type, in the vendor's spelling


def _check_uid(uid: str, found: tuple[str | None, ...], body: bytes, path: str) -> None:
    """Raise `UnreadableReply` if an answer has uids, and none of them is `uid`."""
    uids = {each.casefold() for each in found if each}
    if uids and uid.casefold() not in uids:
        raise unreadable_reply(path, "it is about another action", body)


def _pending_ops(raws: Mapping[str, msgspec.Raw]) -> tuple[PendingOp, ...]:
    ops: list[PendingOp] = []  # by shard, 2 before 10
    for shard_uid, raw in sorted(raws.items(), key=lambda item: (len(item[0]), item[0])):
        wire = decode_or_default(raw, WirePendingOp)
        ops.append(
            PendingOp(
                shard_uid=shard_uid,
                op_name=wire.op_name,
                status_code=as_text(wire.status_code),
                status_description=wire.status_description,
                progress=percentage(wire.progress),
                heartbeat=utc_time(wire.heartbeat),
                last_sample_time=utc_time(wire.last_sample_time),
            )
        )
    return tuple(ops)


def error_text(raw: msgspec.Raw) -> str | None:
    """Return the text of `error`: a string for state machines, an object in `background_op`."""
    if not raw or raw == _NULL:
        return None
    try:
        return decode(raw, str) or None
    except ValueError:
        code, description = parse_error_body(bytes(raw))
        return ": ".join(filter(None, (code, description))) or None
