"""Tests of `_client.pacing.durations`."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._client.pacing.durations import (
    DEFAULT_OUTAGE_TIMEOUT,
    DefaultSeconds,
    Duration,
    seconds,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, math.inf),
        (0, 0.0),
        (1.5, 1.5),
        (math.inf, math.inf),
        (timedelta(minutes=2), 120.0),
        ("90", 90.0),
        ("1.5m", 90.0),
        (" 1d2h3m4s500ms ", 93784.5),
    ],
)
def test_seconds(value: Duration | None, expected: float) -> None:
    """Durations are seconds, a timedelta or text; None is unlimited."""
    assert seconds(value, "timeout") == expected


def test_default_seconds() -> None:
    """A default is told from the same number given by the caller."""
    default = seconds(DEFAULT_OUTAGE_TIMEOUT, "outage_timeout")
    given = seconds(300.0, "outage_timeout")

    assert default == given
    assert isinstance(default, DefaultSeconds)
    assert not isinstance(given, DefaultSeconds)
    assert repr(DEFAULT_OUTAGE_TIMEOUT) == "300.0"


@pytest.mark.parametrize(
    "value",
    [-1, math.nan, "soon", "", "1s1s", "-5", True, timedelta(seconds=-1), [5], 10**400],
)
def test_no_seconds(value: object) -> None:
    """Any other value is a usage error that names the argument."""
    with pytest.raises(UsageError, match="timeout="):
        seconds(value, "timeout")  # type: ignore[arg-type]
