"""Tests of `_client.config.options`."""

from __future__ import annotations

import inspect

import pytest

from redis_enterprise_actions import ActionsClient, UsageError
from redis_enterprise_actions._client.config.options import (
    SETTINGS,
    ClientOptions,
    merge,
    options_from_env,
    similar_name,
)


URL = "https://n1:9443"


def test_names() -> None:
    """The client's arguments, the options and the settings have the same names."""
    arguments = inspect.signature(ActionsClient).parameters.keys()

    assert SETTINGS.keys() == ClientOptions.__annotations__.keys()
    assert arguments - SETTINGS.keys() == {"session"}
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
        ({"REQUEST_TIMEOUT": "1m"}, {"REQUEST_TIMEOUT": "2m"}, {"request_timeout": 60}),
        ({"REQUEST_TIMEOUT": " "}, {"REQUEST_TIMEOUT": "90"}, {"request_timeout": 90}),
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
    """A synonym of a name that is not among the known ones is not proposed."""
    assert similar_name("verify", ["user"]) is None


def completed(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, object], **variables: str
) -> ClientOptions:
    """Return the given options, completed by variables of the environment."""
    for name, value in variables.items():
        monkeypatch.setenv(f"REDIS_ENTERPRISE_{name}", value)
    return options_from_env(arguments)


@pytest.mark.parametrize(
    ("arguments", "variables", "settings"),
    [
        ({}, {"URL": URL}, {"url": [URL]}),
        ({}, {"URL": f" {URL} https://n2:9443, https://n3:9443\n"},
         {"url": [URL, "https://n2:9443", "https://n3:9443"]}),
        ({"url": URL}, {"URL": "https://other"}, {"url": URL}),
        ({"url": None}, {"URL": URL}, {"url": [URL]}),
        ({"url": URL}, {"TRUSTED_HOSTS": "a b:1"}, {"url": URL, "trusted_hosts": ["a", "b:1"]}),
        ({"url": URL, "trusted_hosts": ["c"]}, {"TRUSTED_HOSTS": "a"},
         {"url": URL, "trusted_hosts": ["c"]}),
        ({"url": URL}, {"USER": "u", "PASSWORD": "p", "AUTH": "jwt"},
         {"url": URL, "username": "u", "password": "p", "auth": "jwt"}),
        ({"url": URL, "username": "v"}, {"USER": "u", "PASSWORD": "p"},
         {"url": URL, "username": "v", "password": "p"}),
        ({"url": URL, "token": "t"}, {"USER": "u", "PASSWORD": "p", "TOKEN": "s"},
         {"url": URL, "token": "t"}),
        ({"url": URL, "username": "u"}, {"PASSWORD": "p", "TOKEN": "s"},
         {"url": URL, "username": "u", "password": "p"}),
        ({"url": URL}, {"TOKEN": "s"}, {"url": URL, "token": "s"}),
        ({"url": URL}, {"USER": "u", "PASSWORD": "p", "AUTH": "jwt", "TOKEN": "s"},
         {"url": URL, "token": "s"}),
        ({"url": URL}, {"USER": ""}, {"url": URL}),
        ({"url": ""}, {"URL": URL}, {"url": [URL]}),
        ({"url": URL, "token": "t"}, {"AUTH": "jwt"}, {"url": URL, "token": "t"}),
        ({"url": URL, "auth": "jwt"}, {"TOKEN": "t", "USER": "u", "PASSWORD": "p"},
         {"url": URL, "username": "u", "password": "p", "auth": "jwt"}),
        ({"url": URL, "client_cert": "d"},
         {"CLIENT_CERT": "c", "CLIENT_KEY": "k", "TOKEN": "t", "USER": "u", "PASSWORD": "p"},
         {"url": URL, "client_cert": "d"}),
        ({"url": URL}, {"CLIENT_CERT": "c", "USER": "u", "PASSWORD": "p"},
         {"url": URL, "client_cert": "c", "username": "u", "password": "p"}),
        ({"url": URL}, {"CLIENT_CERT": "c", "CLIENT_KEY": "k"},
         {"url": URL, "client_cert": "c", "client_key": "k"}),
        ({"url": URL}, {"CA_CERT": "c"}, {"url": URL, "ca_cert": "c"}),
        ({"url": URL}, {"FINGERPRINT": "f"}, {"url": URL, "fingerprint": "f"}),
        ({"url": URL, "fingerprint": "g"}, {"FINGERPRINT": "f", "CA_CERT": "c", "INSECURE": "1"},
         {"url": URL, "fingerprint": "g"}),
        ({"url": URL, "ca_cert": "d"}, {"FINGERPRINT": "f", "CA_CERT": "c", "INSECURE": "1"},
         {"url": URL, "ca_cert": "d"}),
        ({"url": URL}, {"CA_CERT": "c", "INSECURE": "YES "}, {"url": URL, "verify": False}),
        ({"url": URL}, {"CA_CERT": "c", "INSECURE": "no"},
         {"url": URL, "verify": True, "ca_cert": "c"}),
        ({"url": URL, "client_cert": "d", "username": "u"},
         {"CLIENT_CERT": "c", "CLIENT_KEY": "k", "TOKEN": "t", "PASSWORD": "p"},
         {"url": URL, "client_cert": "d", "username": "u", "password": "p"}),
        ({"url": URL, "verify": True}, {"CA_CERT": "c", "INSECURE": "yes"},
         {"url": URL, "verify": True, "ca_cert": "c"}),
        ({"url": URL, "verify": False}, {"CA_CERT": "c"}, {"url": URL, "verify": False}),
        ({"url": URL}, {"REQUEST_TIMEOUT": "1m30s"}, {"url": URL, "request_timeout": 90}),
        ({"url": URL, "request_timeout": "5s"}, {"REQUEST_TIMEOUT": "x"},
         {"url": URL, "request_timeout": "5s"}),
    ],
)  # fmt: skip
def test_completed(
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, object],
    variables: dict[str, str],
    settings: dict[str, object],
) -> None:
    """The environment adds what is not given, and no second way to authenticate or to verify."""
    assert completed(monkeypatch, arguments, **variables) == settings


ALL = (
    "REDIS_ENTERPRISE_URL and REDIS_ENTERPRISE_USER and REDIS_ENTERPRISE_PASSWORD "
    "(or REDIS_ENTERPRISE_TOKEN)"
)


@pytest.mark.parametrize(
    ("arguments", "variables", "missing"),
    [
        ({}, {}, ALL),
        ({}, {"URL": ""}, ALL),
        ({}, {"URL": " ", "CA_CERT": "c"}, ALL),
        ({}, {"USER": "u"}, "REDIS_ENTERPRISE_URL and REDIS_ENTERPRISE_PASSWORD"),
        ({}, {"USER": "u", "PASSWORD": "p"}, "REDIS_ENTERPRISE_URL"),
        ({}, {"TOKEN": "t"}, "REDIS_ENTERPRISE_URL"),
        ({}, {"CLIENT_CERT": "c"}, "REDIS_ENTERPRISE_URL"),
        ({}, {"URL": URL, "USER": "u"}, "REDIS_ENTERPRISE_PASSWORD"),
        ({}, {"URL": URL, "PASSWORD": "p"}, "REDIS_ENTERPRISE_USER"),
        ({"url": URL, "username": "u"}, {"CLIENT_CERT": "c"}, "REDIS_ENTERPRISE_PASSWORD"),
    ],
)
def test_missing(
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, object],
    variables: dict[str, str],
    missing: str,
) -> None:
    """All variables that are missing are named at once."""
    with pytest.raises(UsageError) as caught:
        completed(monkeypatch, arguments, **variables)

    assert str(caught.value) == f"settings are missing: set {missing}"


def test_invalid_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A switch that is neither true nor false is wrong usage."""
    with pytest.raises(UsageError, match="REDIS_ENTERPRISE_INSECURE='maybe'"):
        completed(monkeypatch, {"url": URL}, INSECURE="maybe")


def test_invalid_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time limit that is not a duration is wrong usage."""
    with pytest.raises(UsageError, match="REDIS_ENTERPRISE_REQUEST_TIMEOUT: 'long' is not a dur"):
        completed(monkeypatch, {"url": URL}, REQUEST_TIMEOUT="long")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CA_FILE", "CA_CERT"),
        ("USERNAME", "USER"),
        ("VERIFY", "INSECURE"),
        ("URLS", "URL"),
        ("PASSWD", "PASSWORD"),
        ("TRUSTED_HOST", "TRUSTED_HOSTS"),
    ],
)
def test_wrong_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, meant: str
) -> None:
    """A variable with a wrong name is answered with the right one, without its value."""
    completed(monkeypatch, {"url": URL}, **{name: "hunter2-hunter2"})

    assert caplog.messages == [
        f"REDIS_ENTERPRISE_{name} in the environment is unknown; "
        f"did you mean REDIS_ENTERPRISE_{meant}?"
    ]


@pytest.mark.parametrize(
    "name", ["AUTH", "COLOUR", "SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_9443_TCP_ADDR"]
)
def test_other_names(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Known variables and those of other programs, such as Kubernetes, cause no warning."""
    completed(monkeypatch, {"url": URL, "password": "x"}, USER="u", **{name: "x"})

    assert caplog.messages == []
