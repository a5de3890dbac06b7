"""Entries of a list in a body: an array, or an object with one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import msgspec

from .error_body import unreadable_reply
from .lenient_json import decode, decode_struct


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_S = TypeVar("_S", bound=msgspec.Struct)
_log = logging.getLogger(__name__)


# --- reading ------------------------------------------------------------------------------------


def decode_entries(body: bytes, keys: Sequence[str], shape: type[_S], path: str) -> Iterator[_S]:
    """Return the entries of a list, which may come in an object under one of `keys`."""
    try:
        if body.lstrip().startswith(b"["):
            return decode_each(decode(body, list[msgspec.Raw]), shape)
        given = decode(body, dict[str, msgspec.Raw])
        inner = next((given[key] for key in keys if key in given), None)
        if inner is not None:
            return decode_each(decode(inner, list[msgspec.Raw]), shape)
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None
    raise unreadable_reply(path, f'no "{keys[0]}" in it', body)


def decode_each(raws: Sequence[msgspec.Raw], shape: type[_S]) -> Iterator[_S]:
    for raw in raws:
        try:
            yield decode_struct(raw, shape)
        except ValueError:
            _log.debug("left out a list entry that is not what it ought to be")
