"""Tests of `_cli.wait.options`."""

from __future__ import annotations

import argparse

import pytest

from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.wait.follow import StopCondition
from redis_enterprise_actions._cli.wait.options import parse_duration, parse_interval, wait_options


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("0", 0), ("1.5", 1.5), ("30s", 30), ("15m", 900), ("0.5m", 30), ("2h", 7200)],
)
def test_parse_duration(text: str, expected: float) -> None:
    """A duration has a unit, or is in seconds."""
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "s", "-5", "+5", "5 s", "5d", "5M", "1e3", "inf", "nan", ".5", "5.", "٣", "5s\n"]
)
def test_no_duration(text: str) -> None:
    """Any other text is refused, and the error gives examples."""
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_duration(text)

    assert str(caught.value) == f"{text!r} is not a duration such as 90, 30s, 15m or 2h"


def test_parse_interval() -> None:
    """An interval is a duration longer than 0."""
    assert parse_interval("1.5m") == 90
    with pytest.raises(argparse.ArgumentTypeError, match="longer than 0"):
        parse_interval("0s")


def test_defaults() -> None:
    """By default a wait has no limits, the output is `auto`, and all waits are followed."""
    args = parse_arguments(["wait", "x"])

    assert wait_options(args) == {"timeout": None, "stall_timeout": None}
    assert (args.output, args.keep_alive, args.until) == ("auto", 60, StopCondition.ALL)
    assert (args.report, args.hook) == ([], None)


def test_limits() -> None:
    """Each limit becomes an option of the wait; the interval becomes its schedule."""
    args = parse_arguments([
        *("wait", "x", "--timeout", "1h", "--stall-timeout", "90", "--outage-timeout", "5m"),
        *("--not-found-grace", "2s", "--interval", "7s"),
    ])  # fmt: skip
    options = wait_options(args)

    assert options.pop("poll")(None) == 7  # type: ignore[misc, arg-type]
    assert options == {
        "timeout": 3600,
        "stall_timeout": 90,
        "outage_timeout": 300,
        "not_found_grace": 2,
    }


@pytest.mark.parametrize("until", list(StopCondition))
def test_until(until: StopCondition) -> None:
    """Each stop condition has an option."""
    assert parse_arguments(["wait", "x", f"--{until}"]).until is until


@pytest.mark.parametrize("command", [["wait", "x"], ["submit", "POST", "/v1/bdbs"]])
def test_json(command: list[str]) -> None:
    """`--json` is short for `--output json`."""
    assert parse_arguments([*command, "--json"]).output == "json"
    assert parse_arguments([*command, "--output", "json"]).output == "json"
