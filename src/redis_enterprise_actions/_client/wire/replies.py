"""Decoding of replies: objects, and lists, whose entries may be unreadable."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import msgspec

from .error_body import unreadable_reply
from .lenient_json import decode, decode_struct


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


_S = TypeVar("_S", bound=msgspec.Struct)
_log = logging.getLogger(__name__)


class _Entry(msgspec.Struct):
    """The uid of a list entry."""

    uid: int | float | str | None = None


def decode_reply(body: bytes, shape: type[_S], path: str) -> _S:
    """Decode the object in a reply. Raises `UnreadableReply`."""
    try:
        return decode_struct(body, shape)
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None


def decode_array(body: bytes, path: str) -> list[msgspec.Raw]:
    """Return the undecoded entries of the array in a reply. Raises `UnreadableReply`."""
    try:
        return decode(body, list[msgspec.Raw])
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None


def decode_entries(body: bytes, keys: Sequence[str], shape: type[_S], path: str) -> Iterator[_S]:
    """Decode the entries of a list, which may be in an object under one of `keys`."""
    if body.lstrip().startswith(b"["):
        return decode_each(decode_array(body, path), shape)
    try:
        fields = decode(body, dict[str, msgspec.Raw])
        inner = next((fields[key] for key in keys if key in fields), None)
        if inner is not None:
            return decode_each(decode(inner, list[msgspec.Raw]), shape)
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None
    raise unreadable_reply(path, f'no "{keys[0]}" in it', body)


def decode_each(raws: Iterable[msgspec.Raw], shape: type[_S]) -> Iterator[_S]:
    """Decode the entries of a list; skip those that cannot be read."""
    for raw in raws:
        try:
            yield decode_struct(raw, shape)
        except ValueError:
            log_skipped_entry()


def log_skipped_entry() -> None:
    """Log that a list entry is ignored. Its content may be secret, so the log does not have it."""
    _log.debug("skipped a list entry that cannot be read")


def read_uids(body: bytes, key: str) -> frozenset[int] | None:
    """Return the uids of a list, which may be in an object under `key`.

    Return None if any part of the list cannot be read, as the caller concludes from a missing uid
    that the object is gone.
    """
    try:
        if not body.lstrip().startswith(b"["):
            body = bytes(decode(body, dict[str, msgspec.Raw])[key])
        entries = [decode_struct(raw, _Entry) for raw in decode(body, list[msgspec.Raw])]
        uids = [entry.uid for entry in entries]
        return frozenset(
            int(uid if isinstance(uid, str) else str(uid).removesuffix(".0")) for uid in uids
        )
    except (KeyError, ValueError):
        return None
