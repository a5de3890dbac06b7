"""Decoding of replies: objects, and lists, whose entries may be unreadable."""

from __future__ import annotations

import logging
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import msgspec

from redis_enterprise_actions._model.action import Phase, phase_of

from .error_body import unreadable_reply
from .lenient_json import BYTE_ORDER_MARK, decode, decode_struct


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


_S = TypeVar("_S", bound=msgspec.Struct)
_log = logging.getLogger(__name__)


_NULL: Final = msgspec.Raw(b"null")
_BLANKS: Final = BYTE_ORDER_MARK + b" \t\r\n"


class _WireList(msgspec.Struct):
    """A list in an object, under a key that is documented, or was seen, for any route."""

    actions: list[msgspec.Raw] | None = None
    state_machines: list[msgspec.Raw] | None = msgspec.field(default=None, name="state-machines")
    state_machines_: list[msgspec.Raw] | None = msgspec.field(default=None, name="state_machines")
    crdb_tasks: msgspec.Raw = msgspec.Raw()
    tasks: msgspec.Raw = msgspec.Raw()
    bdbs: msgspec.Raw = msgspec.Raw()


class _Entry(msgspec.Struct):
    """The uid of a list entry."""

    uid: int | float | str | None = None


def decode_reply(body: bytes, shape: type[_S], path: str) -> _S:
    """Decode the object in a reply. Raises `UnreadableReply`."""
    try:
        return decode_struct(body, shape)
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None


class ListReply(NamedTuple):
    """Undecoded entries of a list.

    `others` are those of an array, or under another key than those of actions.
    """

    tasks: Sequence[msgspec.Raw] = ()
    state_machines: Sequence[msgspec.Raw] = ()
    others: Sequence[msgspec.Raw] = ()

    @property
    def entries(self) -> list[msgspec.Raw]:
        """All entries, in the order of the fields."""
        return [*self.tasks, *self.state_machines, *self.others]


class Lone(NamedTuple):
    """Sign of an entry without a list around it: one of these fields, and a status.

    The status has to be one of `phases`, unless the fields tell enough.
    """

    fields: tuple[str, ...]
    phases: Mapping[str, Phase] | None = None


def decode_list(body: bytes, path: str, lone: Lone) -> ListReply:
    """Return the undecoded entries of the list in a reply. Raises `UnreadableReply`.

    Any route may answer in the form of another: an array, an object with one or several arrays, or
    one entry alone.
    """
    try:
        return list_in(body, lone)
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None


def list_in(body: bytes, lone: Lone) -> ListReply:
    """Return what `decode_list` does. Raises `ValueError`, which may quote the body."""
    if _is_array(body):
        return ListReply(others=decode(body, list[msgspec.Raw]))
    found = decode(body, _WireList)
    machines = (found.state_machines, found.state_machines_)
    if any(each is not None for each in (found.actions, *machines)):
        return ListReply(found.actions or (), list(chain(*filter(None, machines))))
    for raw in (found.crdb_tasks, found.tasks, found.bdbs):
        if raw and raw != _NULL:
            return ListReply(others=decode(raw, list[msgspec.Raw]))
    fields = decode(body, dict[str, object])
    status, uids = fields.get("status"), [fields.get(name) for name in lone.fields]
    is_unknown = lone.phases is not None and phase_of(str(status), lone.phases) is Phase.UNKNOWN
    has_uid = any(isinstance(uid, str | int) and uid for uid in uids)
    if not isinstance(status, str) or is_unknown or not has_uid:
        raise ValueError("there is no list in it")
    return ListReply(others=[msgspec.Raw(body)])


def _is_array(body: bytes) -> bool:
    return body.lstrip(_BLANKS).startswith(b"[")


def decode_each(raws: Iterable[msgspec.Raw], shape: type[_S]) -> Iterator[tuple[msgspec.Raw, _S]]:
    """Decode the entries of a list; skip those that cannot be read."""
    for raw in raws:
        try:
            yield raw, decode_struct(raw, shape)
        except ValueError:
            log_skipped_entry()


def log_skipped_entry() -> None:
    """Log that a list entry is ignored. Its content may be secret, so the log does not have it."""
    _log.debug("skipped a list entry that cannot be read")


def entries_of(body: bytes, key: str) -> list[msgspec.Raw]:
    """Return the entries of a list, which may be in an object under `key`. Raises `ValueError`."""
    if _is_array(body):
        return decode(body, list[msgspec.Raw])
    array = decode(body, dict[str, msgspec.Raw]).get(key)
    if array is None:
        raise ValueError("there is no list in it")
    return decode(array, list[msgspec.Raw])


def read_uids(body: bytes, key: str) -> frozenset[int] | None:
    """Return the uids of a list, which may be in an object under `key`.

    Return None if any part of the list cannot be read, as the caller concludes from a missing uid
    that the object is gone.
    """
    try:
        entries = [decode_struct(raw, _Entry) for raw in entries_of(body, key)]
        uids = [entry.uid for entry in entries]
        return frozenset(
            int(uid if isinstance(uid, str) else str(uid).removesuffix(".0")) for uid in uids
        )
    except ValueError:
        return None
