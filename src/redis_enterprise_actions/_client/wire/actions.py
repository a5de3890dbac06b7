"""JSON bodies of actions, of /v1 and /v2, and their conversion to `Action`.

One Struct stands for one documented shape, in the vendor's spelling, and has the fields that the
client reads. List entries that cannot be read are skipped.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import compress
from operator import not_
from sys import intern
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._model.action import (
    ACTION_PHASES,
    Action,
    Kind,
    PendingOp,
    phase_of,
)

from .error_body import unreadable_reply
from .lenient_json import (
    Numeric,
    TextOrInt,
    as_text,
    decode_or_default,
    decode_struct,
    percentage,
    utc_time,
)
from .reasons import joined, reason_text, unknown_reason
from .replies import Lone, decode_each, decode_list


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


class WireFailure(msgspec.Struct, kw_only=True, gc=False):
    """The documented reason of a failure (objects/action, objects/state-machine)."""

    error_code: TextOrInt = None
    error_message: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class WireAction(WireFailure, gc=False):
    """A task, a state machine (objects/action, objects/state-machine), or an action of /v2.

    Only actions of /v2 have `action_type` and `additional_info`. GET /v1/actions/{uid} answers with
    either of /v1, and the client takes each on any route.
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
    action_type: str | None = None
    additional_info: msgspec.Raw = msgspec.Raw()

    @property
    def uid(self) -> str:
        """The uid of the action, or empty."""
        return (self.action_uid or self.task_id or "").strip()


_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(WireAction))
_LONE: Final = Lone(("action_uid", "task_id"))


class WireStatus(msgspec.Struct, gc=False):
    """The fields of `WireAction` that tell which action it is, and whether it has ended."""

    status: str
    action_uid: str | None = None
    task_id: str | None = None


class WireInfo(msgspec.Struct):
    """`additional_info` of an action of /v2."""

    error: msgspec.Raw = msgspec.Raw()
    object_type: str | None = None
    object_uid: TextOrInt = None
    pending_ops: dict[str, msgspec.Raw] | None = None


_KNOWN_INFO: Final = frozenset(field.encode_name for field in msgspec.structs.fields(WireInfo))


def read_action(body: bytes, uid: str, path: str, kind: Kind | None = None) -> Action:
    """Decode the answer of GET /v1/actions/{uid} or /v2/actions/{uid}.

    An action that does not say of which kind it is gets `kind`. Short bodies are cached: the same
    body gives the same `Action` object.
    """
    read = _read_action_cached if len(body) <= _MAX_CACHED_BODY else _read_action
    return read(body, uid, path, kind)


def _read_action(body: bytes, uid: str, path: str, kind: Kind | None) -> Action:
    try:
        wire = decode_struct(body, WireAction)
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None
    found = (wire.action_uid, wire.task_id)
    if uid not in found and not _is_about(uid, found):
        raise unreadable_reply(path, "it is about another action", body)
    return to_action(wire, uid, kind, body)


_read_action_cached: Final = lru_cache(_CACHED_BODIES)(_read_action)


def read_actions(
    body: bytes,
    path: str,
    kind: Kind | None = None,
    wanted: Container[str] | None = None,
) -> list[Action]:
    """Decode a list of actions: those whose uid is `wanted`, or all of them.

    An action that does not say of which kind it is gets `kind`.
    """
    listed = decode_list(body, path, _LONE)
    families = (
        (Kind.TASK, listed.tasks),
        (Kind.STATE_MACHINE, listed.state_machines),
        (kind, listed.others),
    )
    return [
        to_action(wire, uid, family, raw)
        for family, raws in families
        for raw, wire in decode_each(raws, WireAction)
        if (uid := wire.uid) and (wanted is None or uid in wanted)
    ]


def split_families(body: bytes, path: str) -> dict[Kind, Sequence[msgspec.Raw]]:
    """Return the undecoded entries of the list of /v1 by family."""
    listed = decode_list(body, path, _LONE)
    tasks, machines = listed.tasks, listed.state_machines
    if listed.others:
        is_task = [_has_task_id(raw) for raw in listed.others]
        others = listed.others
        tasks = [*tasks, *compress(others, is_task)]
        machines = [*machines, *compress(others, map(not_, is_task))]
    return {Kind.TASK: tasks, Kind.STATE_MACHINE: machines}


def _has_task_id(raw: msgspec.Raw) -> bool:
    return decode_or_default(raw, _TaskId).task_id is not None


class _TaskId(msgspec.Struct):
    """The field that only tasks have."""

    task_id: object = None


def to_action(wire: WireAction, uid: str, kind: Kind | None, raw: bytes | msgspec.Raw) -> Action:
    """Convert a task, a state machine or an action of /v2, which was decoded from `raw`.

    Its kind is what it says itself, otherwise `kind`, otherwise that of a task or a state machine.
    """
    object_type, _, object_uid = (wire.object_name or "").partition(":")
    # This runs for each changed entry of lists with thousands: few calls, and none for missing
    # fields.
    beat, node_uid, error_code = wire.heartbeat, wire.node_uid, wire.error_code
    progress, pending_ops = wire.progress, wire.pending_ops
    if progress is not None:
        progress = percentage(progress)
    phase = ACTION_PHASES.get(wire.status) or phase_of(wire.status)
    error = failure_text(wire)
    if wire.additional_info:
        info = decode_or_default(wire.additional_info, WireInfo)
        object_type = object_type or info.object_type or ""
        object_uid = object_uid or as_text(info.object_uid) or ""
        pending_ops = pending_ops or info.pending_ops
        error = error or reason_text(info.error)
    ops = _pending_ops(pending_ops) if pending_ops else ()
    if error is None and phase.failed:
        error = unknown_reason(raw, _KNOWN) or unknown_reason(wire.additional_info, _KNOWN_INFO)
        error = error or joined([op.status_description for op in ops], "; ")
    return Action(
        uid=uid,
        name=intern(wire.name or ""),
        kind=_kind_of(wire, kind),
        status=intern(wire.status),
        phase=phase,
        progress=progress,
        state=intern(wire.state) if wire.state else None,
        object_type=intern(object_type) or None,
        object_uid=object_uid or None,
        node_uid=None if node_uid is None else as_text(node_uid),
        creation_time=None if wire.creation_time is None else utc_time(wire.creation_time),
        heartbeat=None if beat is None else utc_time(beat),
        pending_ops=ops,
        error_code=None if error_code is None else as_text(error_code),
        error=error,
    )


# By `action_type`, in the vendor's spelling.
_KINDS: Final = {kind.value: kind for kind in (Kind.TASK, Kind.STATE_MACHINE, Kind.OTHER)}


def _kind_of(wire: WireAction, kind: Kind | None) -> Kind:
    if wire.action_type:
        return _KINDS.get(wire.action_type.strip().casefold(), Kind.OTHER)
    has_form_of_v1 = wire.task_id is not None or wire.object_name is not None
    if kind is not None and not (kind is Kind.OTHER and has_form_of_v1):
        return kind
    # Of the two families of v1 only tasks have a task_id.
    return Kind.STATE_MACHINE if wire.task_id is None else Kind.TASK


def failure_text(wire: WireFailure) -> str | None:
    """Return the documented reason of a failure, or None."""
    for raw in (wire.error_message, wire.error):
        if raw and raw != _NULL and (text := reason_text(raw)) is not None:
            return text
    return None


def _is_about(uid: str, found: tuple[str | None, ...]) -> bool:
    """Return False if an answer has uids, and none of them is `uid`."""
    uids = {each.strip().casefold() for each in found if each}
    return not uids or uid.casefold() in uids


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
