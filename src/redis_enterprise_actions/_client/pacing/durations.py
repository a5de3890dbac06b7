"""Durations in arguments, as seconds."""

from __future__ import annotations

import math
import re
import sys
from datetime import timedelta
from typing import Final, TypeAlias, TypeGuard

from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.unawaited import refuse_unawaited


Duration: TypeAlias = float | timedelta | str
"""A duration: seconds, a `timedelta`, or text such as `"90"`, `"1.5m"`, `"1h30m"` or `"500ms"`."""

_NUMBER: Final = r"(\d{1,12}(?:\.\d{1,9})?)"
_TEXT: Final = re.compile(
    f"{_NUMBER}|(?=.)(?:{_NUMBER}d)?(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?",
    re.ASCII,
)
_UNITS: Final = (1.0, 86400.0, 3600.0, 60.0, 1.0, 0.001)  # seconds, by group of `_TEXT`


class DefaultSeconds(float):
    """Default of a duration, told from the same number given by the caller."""

    __slots__ = ()


DEFAULT_OUTAGE_TIMEOUT: Final = DefaultSeconds(300.0)
CALL_TIMEOUT: Final = 10.0  # seconds for which a single look is retried
NOT_FOUND_GRACE: Final = 10.0  # seconds
TRANSFER_GRACE: Final = 60.0  # seconds for which an export may be about to begin


def is_duration(value: object) -> TypeGuard[float]:
    """Return True for a number of seconds, 0 or more, that a float can hold."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return value == math.inf or 0 <= value <= sys.float_info.max


def parse_duration(text: str) -> float:
    """Return the seconds that a text such as `90`, `1h30m` or `500ms` stands for.

    Units are d, h, m, s and ms, each at most once and in this order; a bare number is in seconds.
    Raises `ValueError` for any other text.
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r:.100} is not a duration")
    return math.fsum(
        float(number) * unit for number, unit in zip(found.groups("0"), _UNITS, strict=True)
    )


def seconds(value: Duration | None, name: str) -> float:
    """Return a duration in seconds; None means no limit. `name` is the argument that holds it.

    A `DefaultSeconds` is returned as it is.
    """
    if value is None:
        return math.inf
    number: object = value
    if isinstance(value, timedelta):
        number = value.total_seconds()
    elif isinstance(value, str):
        try:
            number = parse_duration(value)
        except ValueError:
            number = None
    if isinstance(number, DefaultSeconds):
        return number
    if is_duration(number):
        return float(number)
    refuse_unawaited(value)
    raise UsageError(
        f'{name}={value!r:.100} is not a duration: seconds, a timedelta, or text such as "30m"'
    )
