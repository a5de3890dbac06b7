"""What the cluster says about its actions: bytes in, `Action`s or an error out.

Knows every documented shape and each known way in which the cluster strays from its pages.
Refuses to know sockets, time and who is asking. One Struct stands for one documented shape,
in the vendor's spelling, with the fields that we read. An entry of a list that is no action at
all is left out of it.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from itertools import chain, compress, count
from operator import eq, ne
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import msgspec

from redis_enterprise_actions._model.action import Action, Kind, PendingOp, phase_of

from .error_body import parse_error_body, unreadable_reply
from .lenient_json import Numeric, TextOrInt, as_text, decode, decode_struct, percentage, utc_time


if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

_log = logging.getLogger(__name__)

_MAX_CACHED_BODY: Final = 2**12  # bytes of an answer about one action that is remembered
_CACHED_BODIES: Final = 128  # such answers
_NULL: Final = msgspec.Raw(b"null")
_LEFT_OUT: Final = "left out a list entry that is not an action"

_S = TypeVar("_S", bound=msgspec.Struct)


class WirePendingOp(msgspec.Struct):
    """A value of `pending_ops`; its key is the shard (requests/actions)."""

    op_name: str | None = None
    status_code: TextOrInt = None
    status_description: str | None = None
    progress: Numeric = None
    heartbeat: Numeric = None
    last_sample_time: Numeric = None


class WireAction(msgspec.Struct, gc=False):
    """An action (task) or state-machine object of /v1 (objects/action, objects/state-machine).

    The single route answers with either, so one shape covers both.
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


class WireActions(msgspec.Struct):
    """The list of /v1/actions, and the wrapper that /v1/actions/bdb/{uid} may come in."""

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
    """Decode the answer of GET /v1/actions/{uid}, a bare object of either family.

    The same answer as lately is the same `Action`.
    """
    read = _read_action_cached if len(body) <= _MAX_CACHED_BODY else _read_action
    return read(body, uid, path)


def _read_action(body: bytes, uid: str, path: str) -> Action:
    try:
        wire = decode_struct(body, WireAction)
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None
    return _about(uid, (wire.action_uid, wire.task_id), action_from_v1(wire, uid), body, path)


_read_action_cached: Final = lru_cache(_CACHED_BODIES)(_read_action)


def read_action_v2(body: bytes, uid: str, path: str) -> Action:
    """Decode the answer of GET /v2/actions/{uid}."""
    try:
        wire = decode_struct(body, WireActionV2)
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None
    return _about(uid, (wire.action_uid,), _from_v2(wire, uid), body, path)


def read_actions(body: bytes, path: str) -> list[Action]:
    """Decode a list of /v1: the object with two arrays, or a bare array of state machines."""
    return [
        action_from_v1(wire, uid, kind)
        for kind, raws in split_families(body, path).items()
        for wire in _readable(raws, WireAction)
        if (uid := wire.action_uid or wire.task_id) is not None
    ]


_Named: TypeAlias = "tuple[tuple[str, Action], ...]"  # an entry, by each of its names


class ActionListReader:
    """Reads of a list of /v1 what is wanted, and makes nothing anew that has not changed.

    `actions` are the wanted entries of the last list by the uid, an `action_uid` or a `task_id`,
    that they go by. There may be others among them, which were wanted before.
    """

    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}
        # The entries of the last list, and what they meant; nothing, where nobody wanted to know.
        self._known: dict[Kind, tuple[Sequence[msgspec.Raw], list[_Named]]] = {}
        self._wanted: AbstractSet[str] = frozenset()

    def read(self, body: bytes, wanted: AbstractSet[str], path: str) -> list[str]:
        """Read a list; return the uids of what has changed since the last one, come or gone.

        An entry that says the same as last time is not decoded again, and is the same `Action`;
        but for one that has changed places, in a list of the same length.
        """
        families = split_families(body, path)
        grown = not (wanted is self._wanted or wanted <= self._wanted)
        moved = grown or families.keys() != self._known.keys()
        self._wanted = wanted
        changed: list[str] = []
        known, self._known = self._known, {}
        for kind, raws in families.items():
            last, named = known.get(kind, ((), []))
            if grown or len(raws) != len(last):
                named = self._read(raws, kind, _as_before(raws, last, named), again=grown)
                moved = True
            elif self._read_in_place(raws, kind, last, named, changed):
                moved = True
            self._known[kind] = raws, named
        if moved:
            before, self.actions = self.actions, self._by_name()
            changed += _differing(before, self.actions)
        return changed

    def _read_in_place(
        self,
        raws: Sequence[msgspec.Raw],
        kind: Kind,
        last: Sequence[msgspec.Raw],
        named: list[_Named],
        changed: list[str],
    ) -> bool:
        """Read what has changed, each where it was; return whether that is another one's place."""
        actions, wanted, moved = self.actions, self._wanted, False
        for place in compress(count(), map(ne, raws, last)):
            before, now = named[place], _decode_entry(raws[place], kind, wanted)
            named[place] = now
            moved = moved or len(before) != len(now)
            for (uid, was), (again, action) in zip(before, now, strict=False):
                if uid != again:
                    moved = True
                elif actions[uid] is was:  # of two entries of the same name, the first
                    actions[uid] = action
                    changed.append(uid)
        return moved

    def _read(
        self,
        raws: Sequence[msgspec.Raw],
        kind: Kind,
        last: Sequence[_Named | None],
        *,
        again: bool,
    ) -> list[_Named]:
        if again:  # what nobody wanted may be wanted now
            last = [named or None for named in last]
        return [
            _decode_entry(raw, kind, self._wanted) if before is None else before
            for raw, before in zip(raws, last, strict=True)
        ]

    def _by_name(self) -> dict[str, Action]:
        """Return the entries by their names. Of two of the same name it is the first."""
        read = [named for _, named in self._known.values()]
        return dict(chain.from_iterable(chain.from_iterable(map(reversed, reversed(read)))))


def _differing(before: Mapping[str, Action], now: Mapping[str, Action]) -> list[str]:
    """Return the uids of what has changed, come or gone."""
    changed = [uid for uid, action in now.items() if before.get(uid) is not action]
    return [*changed, *(before.keys() - now.keys())]


def _as_before(
    raws: Sequence[msgspec.Raw], last: Sequence[msgspec.Raw], named: Sequence[_Named]
) -> list[_Named | None]:
    """Return what entries are known to mean from the last list, None for those that are new."""
    if len(raws) == len(last):  # each has its old place, as a rule
        pairs = zip(map(eq, raws, last), named, strict=True)
        return [each if same else None for same, each in pairs]
    known = dict(zip(map(bytes, last), named, strict=True))
    return [known.get(raw) for raw in map(bytes, raws)]


_decode: Final = msgspec.json.Decoder(WireAction).decode


def _decode_entry(raw: msgspec.Raw, kind: Kind, wanted: AbstractSet[str]) -> _Named:
    """Read an entry of a list: what it means by each of its names, if one of them is wanted."""
    try:
        wire = _decode(raw)
    except (ValueError, RecursionError):
        try:
            wire = decode_struct(raw, WireAction)
        except ValueError:
            _log.debug(_LEFT_OUT)
            return ()
    uid, task_id = wire.action_uid, wire.task_id
    if uid is not None and (task_id is None or task_id == uid):  # as a rule
        return ((uid, action_from_v1(wire, uid, kind)),) if uid in wanted else ()
    names = {uid, task_id}
    if wanted.isdisjoint(names):
        return ()
    return tuple([(each, action_from_v1(wire, each, kind)) for each in names if each])


def read_actions_v2(
    body: bytes, path: str, wanted: Container[str | None] | None = None
) -> list[Action]:
    """Decode the list of /v2/actions, a bare array: what is wanted of it, or all."""
    try:
        raws = decode(body, list[msgspec.Raw])
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None
    actions = (
        _from_v2(wire)
        for wire in _readable(raws, WireActionV2)
        if wanted is None or wire.action_uid in wanted
    )
    return [action for action in actions if action is not None]


def split_families(body: bytes, path: str) -> dict[Kind, Sequence[msgspec.Raw]]:
    """Return the entries of a list of /v1, by the family that they are listed under."""
    try:
        if body.lstrip()[:1] == b"[":
            return {Kind.STATE_MACHINE: decode(body, list[msgspec.Raw])}
        wire = decode_struct(body, WireActions)
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None
    if wire.actions is None and wire.state_machines is None:
        raise unreadable_reply(path, 'neither "actions" nor "state-machines" in it', body)
    return {Kind.TASK: wire.actions or (), Kind.STATE_MACHINE: wire.state_machines or ()}


def _readable(raws: Iterable[msgspec.Raw], shape: type[_S]) -> Iterator[_S]:
    for raw in raws:
        try:
            yield decode_struct(raw, shape)
        except ValueError:
            _log.debug(_LEFT_OUT)


def action_from_v1(wire: WireAction, uid: str, kind: Kind | None = None) -> Action:
    # Of the two families only tasks have a task_id.
    family = kind or (Kind.STATE_MACHINE if wire.task_id is None else Kind.TASK)
    object_type, _, object_uid = (wire.object_name or "").partition(":")
    # Of thousands of entries these are read each time that they change: what is not there is not
    # asked about, and a progress is a number as a rule.
    beat, node_uid, error_code = wire.heartbeat, wire.node_uid, wire.error_code
    progress = wire.progress
    if progress is not None:
        progress = percentage(progress)
    return Action(
        uid=uid,
        name=wire.name or "",
        kind=family,
        status=wire.status,
        phase=phase_of(wire.status),
        progress=progress,
        state=wire.state or None,
        object_type=object_type or None,
        object_uid=object_uid or None,
        node_uid=None if node_uid is None else as_text(node_uid),
        creation_time=None if wire.creation_time is None else utc_time(wire.creation_time),
        heartbeat=None if beat is None else utc_time(beat),
        pending_ops=_pending_ops(wire.pending_ops) if wire.pending_ops else (),
        error_code=None if error_code is None else as_text(error_code),
        error=wire.error_message or (error_text(wire.error) if wire.error else None),
    )


def _from_v2(wire: WireActionV2, uid: str | None = None) -> Action | None:
    uid = uid or wire.action_uid
    if uid is None:
        return None
    try:
        info = decode_struct(wire.additional_info, WireInfo)
    except ValueError:
        info = WireInfo()
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


def _about(
    uid: str, said: tuple[str | None, ...], action: Action | None, body: bytes, path: str
) -> Action:
    """Return `action` unless the answer is about another one than the one asked for."""
    named = {name.casefold() for name in said if name}
    if action is None or (named and uid.casefold() not in named):
        raise unreadable_reply(path, "it is about another action", body)
    return action


def _pending_ops(raws: Mapping[str, msgspec.Raw]) -> tuple[PendingOp, ...]:
    ops: list[PendingOp] = []
    for shard_uid, raw in sorted(raws.items(), key=lambda item: _shard_order(item[0])):
        try:
            wire = decode_struct(raw, WirePendingOp)
        except ValueError:
            wire = WirePendingOp()
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


def _shard_order(shard_uid: str) -> tuple[int, str]:
    return len(shard_uid), shard_uid  # 2 before 10


def error_text(raw: msgspec.Raw) -> str | None:
    """Read `error`: a string as documented for state machines, an object as in background_op."""
    if not raw or raw == _NULL:
        return None
    try:
        return decode(raw, str) or None
    except ValueError:
        code, description = parse_error_body(bytes(raw))
        return ": ".join(filter(None, (code, description))) or None
