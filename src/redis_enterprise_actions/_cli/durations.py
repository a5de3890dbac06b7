"""Durations in options of the command."""

from __future__ import annotations

import argparse


def parse_time(text: str) -> float:
    """Return a duration such as `90`, `1.5m` or `1h30m` in seconds."""
    from redis_enterprise_actions._client.pacing.durations import parse_duration  # noqa: PLC0415 - --help and Tab do not need it

    try:
        return parse_duration(text)
    except ValueError:
        message = f"{text!r} is not a duration such as 90, 500ms, 30s, 15m, 1h30m or 1d"
        raise argparse.ArgumentTypeError(message) from None


def parse_interval(text: str) -> float:
    """Return a duration that is longer than 0, in seconds."""
    seconds = parse_time(text)
    if seconds == 0:
        raise argparse.ArgumentTypeError("the duration must be longer than 0")
    return seconds
