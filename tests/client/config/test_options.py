"""Tests of `_client.config.options`. Those of `merge` with one source are in `test_environment`."""

from __future__ import annotations

import inspect

import pytest

from redis_enterprise_actions import ActionsClient
from redis_enterprise_actions._client.config.options import (
    SETTINGS,
    ClientOptions,
    merge,
    similar_name,
)


URL = "https://n1:9443"


def test_names() -> None:
    """The client's arguments, the options and the settings have the same names."""
    arguments = inspect.signature(ActionsClient).parameters.keys()

    assert SETTINGS.keys() == ClientOptions.__annotations__.keys()
    assert arguments - SETTINGS.keys() == {"session", "request_timeout"}
    assert inspect.signature(ActionsClient.from_env).parameters.keys() == arguments


@pytest.mark.parametrize(
    ("first", "second", "settings"),
    [
        ({"USER": "u"}, {"USER": "v", "PASSWORD": "p"}, {"username": "u", "password": "p"}),
        ({"USER": "u", "PASSWORD": "p"}, {"TOKEN": "t"}, {"username": "u", "password": "p"}),
        ({"TOKEN": "t"}, {"USER": "u", "PASSWORD": "p"}, {"token": "t"}),
        ({"CLIENT_CERT": "c"}, {"USER": "u", "TOKEN": "t", "CLIENT_KEY": "k"},
         {"client_cert": "c"}),
        ({"FINGERPRINT": "f"}, {"CA_CERT": "c", "INSECURE": "true"}, {"fingerprint": "f"}),
        ({"INSECURE": "true"}, {"CA_CERT": "c"}, {"verify": False}),
        ({"INSECURE": "false"}, {"CA_CERT": "c", "INSECURE": "true"},
         {"verify": True, "ca_cert": "c"}),
        ({"URL": URL}, {"URL": "https://other", "TRUSTED_HOSTS": "h"},
         {"url": [URL], "trusted_hosts": ["h"]}),
    ],
)  # fmt: skip
def test_merge_twice(
    first: dict[str, str], second: dict[str, str], settings: dict[str, object]
) -> None:
    """The first source goes before the second one."""
    options: dict[str, object] = {}
    for source in (first, second):
        options = merge(options, lambda name, source=source: source.get(name.upper(), ""))  # type: ignore[misc]

    assert options == settings


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("ca_file", "ca_cert"),
        ("cacert", "ca_cert"),
        ("username", "user"),
        ("verify", "insecure"),
        ("urls", "url"),
        ("pasword", "password"),
        ("cluster", None),
        ("colour", None),
        ("", None),
    ],
)
def test_similar_name(name: str, similar: str | None) -> None:
    """A wrong name is a synonym of a setting, or written like one, or neither."""
    assert similar_name(name, SETTINGS.values()) == similar


def test_unknown_synonym() -> None:
    """A synonym of a setting that is not known here is not a similar name."""
    assert similar_name("verify", ["user"]) is None
