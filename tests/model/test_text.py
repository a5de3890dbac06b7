"""Tests of `_model.text`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from redis_enterprise_actions._model.text import (
    count_text,
    duration_text,
    json_text,
    one_line,
    percent_text,
    shortened,
    timestamp_text,
)


def test_one_line_keeps_letters() -> None:
    """Letters of any script stay; control characters do not."""
    assert one_line("täglich  \r\n\t日\x07本\u202e") == "täglich 日 本 "


@pytest.mark.parametrize(
    ("text", "short"), [("", ""), ("täglich", "täglich"), ("täglich ", "täglic…")]
)
def test_shortened(text: str, short: str) -> None:
    """Text that is too long ends with an ellipsis, and has the permitted length."""
    assert shortened(text, 7) == short


def test_one_line_is_printable() -> None:
    """Line breaks become spaces, and so do control characters and marks of direction."""
    assert one_line(" a\n\tb\x1b[2J\u202ec ") == "a b [2J c"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (0.44, "0.4s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (12.345, "12s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (65, "1m 05s"),
        (723, "12m 03s"),
        (3599.7, "1h 00m"),
        (3720, "1h 02m"),
        (86399.6, "1d 00h"),
        (3 * 86400 + 5 * 3600, "3d 05h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    """A duration has one decimal below 10 s, and two units from a minute on."""
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 polls"), (1, "1 poll"), (2, "2 polls")], ids=str
)
def test_count(count: int, text: str) -> None:
    """A noun is in the singular for a count of one only."""
    assert count_text(count, "poll") == text


@pytest.mark.parametrize(
    ("percent", "text"),
    [(0.0, "0 %"), (14.2857, "14 %"), (99.99, "99 %"), (100.0, "100 %")],
    ids=str,
)
def test_percent(percent: float, text: str) -> None:
    """A percentage is whole, and not rounded up to 100."""
    assert percent_text(percent) == text


def test_timestamp() -> None:
    """A time is shown in UTC, to the second."""
    when = datetime(2026, 3, 1, 23, 30, 15, 999, tzinfo=timezone(timedelta(hours=1)))

    assert timestamp_text(when) == timestamp_text(when.astimezone(UTC))
    assert timestamp_text(when) == "2026-03-01 22:30:15 UTC"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\x9b31m", r'"\u009b31m"'),
        ("\u202e\u2066", r'"\u202e\u2066"'),
        ("\U000e0001", r'"\udb40\udc01"'),
        ("###", r'"\u0023\u0023#"'),
        ("日本 ä 😀 #3", '"日本 ä 😀 #3"'),
    ],
    ids=ascii,
)
def test_json(value: str, text: str) -> None:
    """JSON escapes unprintable characters and the first of two `#`; its values are the same."""
    assert json_text(value) == text
    assert json_text(value).isprintable()
    assert json.loads(json_text(value)) == value
