"""Tests of `_cli.durations`."""

from __future__ import annotations

import argparse

import pytest

from redis_enterprise_actions._cli.durations import parse_interval, parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            ("90", 90),
            ("0", 0),
            ("1.5", 1.5),
            ("30s", 30),
            ("15m", 900),
            ("0.5m", 30),
            ("2h", 7200),
        ),
        *(("1d", 86400), ("500ms", 0.5), ("1h30m", 5400), ("1d12h", 129600), ("1m30s500ms", 90.5)),
        ("5s\n", 5),
    ],
)
def test_parse_time(text: str, expected: float) -> None:
    """A duration has one unit or several, or is in seconds."""
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "-5",
        "+5",
        "5 s",
        "5w",
        "30m1h",
        "5M",
        "1e3",
        "inf",
        "nan",
        ".5",
        "5.",
        "٣",
        "1h 30m",
    ],
)
def test_no_duration(text: str) -> None:
    """Any other text is refused, and the error gives examples."""
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_time(text)

    assert (
        str(caught.value) == f"{text!r} is not a duration such as 90, 500ms, 30s, 15m, 1h30m or 1d"
    )


def test_parse_interval() -> None:
    """An interval is a duration longer than 0."""
    assert parse_interval("1.5m") == 90
    with pytest.raises(argparse.ArgumentTypeError, match="longer than 0"):
        parse_interval("0s")
