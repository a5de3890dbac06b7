"""Tests of the secrets in the bodies of calls."""

from __future__ import annotations

import pytest
from ansible_collections.redis_enterprise.actions.plugins.module_utils.secrets import (
    secrets_in,
    secrets_in_headers,
    without_secret_headers,
    without_secrets,
)


@pytest.mark.parametrize(
    ("body", "secrets"),
    [
        ({"name": "cache", "memory_size": 1000}, set()),
        ({"authentication_redis_pass": "a"}, {"a"}),
        ({"credentials": {"username": "admin", "password": "b"}}, {"b"}),
        ({"location": {"access_key_id": "c", "secret_access_key": "d"}}, {"c", "d"}),
        ({"sync_sources": [{"uri": "redis://admin:p%40ss@host:1"}]}, {"p%40ss", "p@ss"}),
        ({"tokens": ["e", "f"]}, {"e", "f"}),
        ({"password": 1234}, {"1234"}),
        ({"password": {"value": "g", "more": ["h"]}}, {"g", "h"}),
        ("/v1/bdbs/1?dry_run=true&token=a%20b+c", {"a%20b+c", "a b+c", "a b c"}),
        ({"password": None, "token": "", "secret": True}, set()),
        ({"passive": "no", "monkey": "no", "keyspace": "no"}, set()),
        (None, set()),
    ],
)
def test_secrets_in(body: object, secrets: set[str]) -> None:
    """The values under fields with the name of a secret, and passwords in URLs, are found."""
    assert set(secrets_in(body)) == secrets


def test_headers() -> None:
    """The values of headers are secrets, but for those that are known not to be."""
    headers = {"Authorization": "Basic abc", "X-Api-Key": " k ", "X-Task-ID": "t", "Accept": "a"}

    assert set(secrets_in_headers(headers)) == {"Basic abc", "abc", "k"}


def test_without_secrets() -> None:
    """What is left of a call is the same for another secret, and differs for other settings."""
    body = {"name": "a", "password": "x", "more": [{"uri": "redis://u:x@host"}, 1]}

    assert without_secrets(body) == {
        "name": "a",
        "password": None,
        "more": [{"uri": "redis://u:@host"}, 1],
    }
    headers = {"X-Task-ID": "t", "X-Note": "x"}
    assert without_secret_headers(headers) == {"X-Task-ID": "t", "X-Note": ""}
