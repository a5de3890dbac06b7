"""Tests of the options that the modules share."""

from __future__ import annotations

import pytest
from ansible_collections.redis_enterprise.actions.plugins.module_utils.options import (
    beside_profile,
    client_arguments,
    duration_of,
    empty_options,
    wait_arguments,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90", 90.0), ("1.5m", 90.0), ("1h30m", 5400.0), ("500ms", 0.5), (" 1d ", 86400.0)),
        *(("10s", 10.0), ("", 0.0), ("soon", 0.0), ("1..2", 0.0), ("-1", 0.0)),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """A duration is read as the client reads it; what the client refuses is 0."""
    assert duration_of(text) == pytest.approx(seconds)


def test_client_arguments() -> None:
    """Options that are given become arguments of the client, in its names."""
    params = {"url": ["a", "b"], "validate_certs": False, "password": None, "trusted_hosts": []}

    assert client_arguments(params) == {"url": ["a", "b"], "verify": False}


def test_profile() -> None:
    """Beside a profile only the request timeout may be given."""
    given = {"profile": "prod", "request_timeout": "1m", "username": "u", "validate_certs": False}

    assert beside_profile(given) == ["username", "validate_certs"]
    assert beside_profile({**given, "profile": None}) == []


def test_wait_arguments() -> None:
    """Limits that are not given keep the defaults of the client."""
    params = {"timeout": "1m", "hold": None, "until": "available", "wait": True}

    assert wait_arguments(params) == {"timeout": "1m", "until": "available"}


def test_empty_options() -> None:
    """An option that is given, but empty, is found; a list may be empty, except that of URLs."""
    params = {"url": [], "ref": "", "state_file": " ", "refs": [], "call": None, "_version": ""}

    assert empty_options(params) == ["ref", "state_file", "url"]
    assert empty_options({"url": ["https://a:9443"], "call": "databases.upgrade"}) == []
