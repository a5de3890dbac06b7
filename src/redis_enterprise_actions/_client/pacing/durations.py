"""Checks of durations that a caller passes."""

from __future__ import annotations

import math
import sys
from datetime import timedelta
from typing import TypeGuard

from redis_enterprise_actions._model.errors import UsageError


def is_duration(value: object) -> TypeGuard[float]:
    """Return True for a number of seconds that is not negative and fits a float; `inf` counts."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return value == math.inf or 0 <= value <= sys.float_info.max


def seconds(value: float | timedelta | None, name: str) -> float:
    """Return a duration in seconds, `inf` for None. `name` is the argument to name in the error."""
    if value is None:
        return math.inf
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if is_duration(number):
        return float(number)
    raise UsageError(f"{name}={value!r:.100} is not a duration: seconds or a timedelta, 0 or more")
