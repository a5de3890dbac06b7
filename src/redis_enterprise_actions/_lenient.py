"""What can still be read: JSON into Structs, and values that come in more than one type.

A field of the wrong type counts as missing, and whatever the bytes are, nothing but ValueError
is raised. Knows msgspec; refuses to know what the fields mean.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Seen on the wire: "100", 100, 14.29; "1760400087" and 1760400087; "1" and 1.
Number = float | str | None
Name = str | int | None

_S = TypeVar("_S", bound=msgspec.Struct)
_T = TypeVar("_T")


def decode(data: bytes | msgspec.Raw, shape: type[_T]) -> _T:
    """Decode JSON. Raises ValueError only, whatever the bytes are."""
    try:
        return msgspec.json.decode(data, type=shape)
    except RecursionError as error:
        raise ValueError(str(error)) from None


def struct(data: bytes | msgspec.Raw, shape: type[_S]) -> _S:
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


def percentage(value: Number) -> float | None:
    number = _number(value)
    return number if number is not None and 0 <= number <= 100 else None


def instant(value: Number) -> datetime | None:
    """Read seconds since the epoch; zero and nonsense are no time."""
    number = _number(value)
    if not number or number < 0:
        return None
    try:
        return datetime.fromtimestamp(number, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _number(value: Number) -> float | None:
    try:
        number = math.nan if value is None else float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def name(value: Name) -> str | None:
    return None if value is None or value == "" else str(value)
