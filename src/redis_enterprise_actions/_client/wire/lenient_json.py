"""Lenient decoding of JSON into msgspec Structs, and of values that come in several types.

A field of the wrong type counts as missing, and text that is almost JSON is repaired. Whatever the
bytes are, these functions raise `ValueError` only.
"""

from __future__ import annotations

import contextlib
import json
import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeVar

import msgspec


BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# Seen on the wire: "100", 100, 14.29; "1760400087" and 1760400087; "1" and 1.
Numeric = float | str | None
TextOrInt = str | int | None
_MAX_REPAIRED: Final = 2**24  # bytes; more would block the event loop for seconds
_MAX_DIGITS: Final = 18  # of an int that fits into 64 bits
_S = TypeVar("_S", bound=msgspec.Struct)
_T = TypeVar("_T")


def decode(data: bytes | msgspec.Raw, shape: type[_T]) -> _T:
    """Decode JSON, or text that is almost JSON. Raises `ValueError`."""
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.ValidationError:
        raise
    except RecursionError as error:
        raise ValueError(str(error)) from None
    except ValueError:
        text = bytes(data)
        if text.startswith(BYTE_ORDER_MARK):
            # All at once, however many there are: no JSON begins with one of these bytes.
            return decode(text.lstrip(BYTE_ORDER_MARK), shape)
        repaired = _repair(text)
        if repaired is None:
            raise
    return msgspec.json.decode(repaired, type=shape)


def _repair(data: bytes) -> bytes | None:
    """Return valid JSON for text that is almost JSON, or None if Python cannot parse it either.

    Servers have sent NaN and text that is not UTF-8. NaN and infinity become null, so that one such
    value does not make the whole body unreadable.
    """
    if len(data) > _MAX_REPAIRED:
        return None
    try:
        read = json.loads(
            data.decode("utf-8", "replace"),
            parse_constant=lambda _: None,
            parse_float=_finite_number,
            parse_int=lambda text: int(text) if len(text) < _MAX_DIGITS else _finite_number(text),
        )
        return json.dumps(read, ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return None


def decode_struct(data: bytes | msgspec.Raw, shape: type[_S]) -> _S:
    """Decode an object; a field of the wrong type counts as missing. Raises `ValueError`."""
    try:
        return msgspec.json.decode(data, type=shape)  # the usual case
    except (ValueError, RecursionError):
        pass
    try:
        return decode(data, shape)
    except msgspec.ValidationError:
        raws = decode(data, dict[str, msgspec.Raw])
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(shape):
        if field.encode_name in raws:
            with contextlib.suppress(ValueError):
                values[field.name] = decode(raws[field.encode_name], field.type)
    try:
        return shape(**values)
    except TypeError:
        raise ValueError("it has no usable status") from None


def decode_or_default(raw: msgspec.Raw, shape: type[_S]) -> _S:
    """Decode an object; return one without fields if there is none or it cannot be read."""
    try:
        return decode_struct(raw, shape)
    except ValueError:
        return shape()


def percentage(value: Numeric) -> float | None:
    """Return a number from 0 to 100, or None for any other value."""
    if type(value) is float and 0 <= value <= 100:  # the usual case, without a conversion
        return value
    number = _finite_number(value)
    return number if number is not None and 0 <= number <= 100 else None


@lru_cache(2**12)  # entries of a list share heartbeats, and creation times do not change
def utc_time(value: Numeric) -> datetime | None:
    """Return the time for seconds since the epoch, or None for zero and other values."""
    number = _finite_number(value)
    if not number or number < 0:
        return None
    try:
        return datetime.fromtimestamp(number, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _finite_number(value: Numeric) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def as_text(value: TextOrInt) -> str | None:
    """Return an identifier as text without blanks around it, or None if it is missing or empty."""
    return None if value is None else str(value).strip() or None
