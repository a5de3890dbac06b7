"""What can still be read: JSON into Structs, and values that come in more than one type.

A field of the wrong type counts as missing, what is nearly JSON is mended, and whatever the bytes
are, nothing but ValueError is raised. Knows msgspec; refuses to know what the fields mean.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


# Seen on the wire: "100", 100, 14.29; "1760400087" and 1760400087; "1" and 1.
Numeric = float | str | None
TextOrInt = str | int | None
_MAX_REPAIRED: Final = 2**24  # bytes; more would hold up the loop for seconds
_MAX_DIGITS: Final = 18  # of an int that fits everywhere
_S = TypeVar("_S", bound=msgspec.Struct)
_T = TypeVar("_T")


def decode(data: bytes | msgspec.Raw, shape: type[_T]) -> _T:
    """Decode JSON, or what is nearly JSON. Raises ValueError only, whatever the bytes are."""
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.ValidationError:
        raise
    except RecursionError as error:
        raise ValueError(str(error)) from None
    except ValueError:
        mended = _repair(bytes(data))
        if mended is None:
            raise
    return msgspec.json.decode(mended, type=shape)


def _repair(data: bytes) -> bytes | None:
    """Return JSON for what is nearly JSON, or None if it is not even that.

    Servers have been known to send NaN, and texts that are not UTF-8: one such value must not
    cost all others. What is no number becomes null.
    """
    if len(data) > _MAX_REPAIRED:
        return None
    text = data.decode("utf-8-sig", "replace")
    try:
        read = json.loads(
            text, parse_constant=lambda _: None, parse_float=_finite, parse_int=_bounded_int
        )
        return json.dumps(read, ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _bounded_int(text: str) -> float | None:
    return int(text) if len(text) < _MAX_DIGITS else _finite(text)


def decode_struct(data: bytes | msgspec.Raw, shape: type[_S]) -> _S:
    """Decode an object; a field of the wrong type counts as missing. Raises ValueError only."""
    try:
        return decode(data, shape)
    except msgspec.ValidationError:
        given = decode(data, dict[str, msgspec.Raw])
    try:
        return shape(**dict(_usable(given, shape)))
    except TypeError:
        raise ValueError("it lacks a usable status") from None


def _usable(given: Mapping[str, msgspec.Raw], shape: type[_S]) -> Iterator[tuple[str, object]]:
    for field in msgspec.structs.fields(shape):
        if field.encode_name in given:
            try:
                yield field.name, decode(given[field.encode_name], field.type)
            except ValueError:
                continue


def percentage(value: Numeric) -> float | None:
    if type(value) is float and 0 <= value <= 100:  # as nearly all are
        return value
    number = _finite_number(value)
    return number if number is not None and 0 <= number <= 100 else None


@lru_cache(2**12)  # many heartbeats of a list are the same, and what was created stays so
def utc_time(value: Numeric) -> datetime | None:
    """Read seconds since the epoch; zero and nonsense are no time."""
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
    return None if value is None or value == "" else str(value)


def decode_or_default(raw: msgspec.Raw, shape: type[_S]) -> _S:
    """Decode what may be missing, or nonsense, and counts as empty then."""
    try:
        return decode_struct(raw, shape)
    except ValueError:
        return shape()
