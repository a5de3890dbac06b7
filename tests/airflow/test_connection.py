"""Tests of `airflow.connection`."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Connection

from redis_enterprise_actions import ClientCertificateRefused, UntrustedCertificate, UsageError
from redis_enterprise_actions._client.wire.error_body import error_for
from redis_enterprise_actions.airflow.connection import (
    ConnectionSettings,
    in_words_of_connections,
)


def settings(extra: object = None, **fields: object) -> ConnectionSettings:
    """Return the settings of a connection."""
    text = None if extra is None else json.dumps(extra)
    fields = {"host": "a", **fields}
    return ConnectionSettings.from_connection(
        Connection(conn_id="c", conn_type="redis_enterprise", extra=text, **fields)
    )


@pytest.mark.parametrize(
    ("fields", "urls"),
    [
        ({}, ["https://a:9443"]),
        ({"port": 8443}, ["https://a:8443"]),
        ({"schema": "http"}, ["http://a:9443"]),
        ({"host": "https://b:1"}, ["https://b:1"]),
        ({"host": "::1"}, ["https://[::1]:9443"]),
        ({"host": "[::1]"}, ["https://[::1]:9443"]),
        (
            {"extra": {"urls": "https://b:1 https://c:1"}},
            ["https://a:9443", "https://b:1", "https://c:1"],
        ),
        ({"extra": {"urls": ["https://b:1"]}}, ["https://a:9443", "https://b:1"]),
        (
            {"host": "", "extra": {"urls": "https://b:1,https://c:1"}},
            ["https://b:1", "https://c:1"],
        ),
        ({"extra": {"urls": "https://a:9443"}}, ["https://a:9443"]),
    ],
)
def test_urls(fields: dict[str, object], urls: list[str]) -> None:
    """The host is a node, and so is each of the extra URLs."""
    assert list(settings(**fields).urls) == urls


def test_all_of_it() -> None:
    """Each extra field becomes the setting of its name."""
    trust = {"ca_cert": "ca.pem", "client_cert": "me.pem", "client_key": "key.pem"}
    found = settings(
        {"auth": "jwt", "verify": True, "trusted_hosts": "b c", **trust}, login="ops", password="p"
    )

    assert (found.username, found.password, found.auth) == ("ops", "p", "jwt")
    assert found.trusted_hosts == ("b", "c")
    assert dict(found.trust) == trust
    assert found.verify is True


@pytest.mark.parametrize(
    ("value", "verify"),
    [(None, True), ("", True), (True, True), ("yes", True), (False, False), ("FALSE", False)],
)
def test_verify(value: object, verify: bool) -> None:
    """A certificate is verified unless `verify` is false."""
    assert settings({"verify": value}).verify is verify


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"host": ""}, "^connection 'c': it has neither a host nor urls"),
        (
            {"extra": {"verify": "perhaps"}},
            "^connection 'c': verify is 'perhaps', which is neither true nor false",
        ),
        ({"extra": {"ui_url": "no"}}, "^connection 'c': ui_url is not a URL"),
        ({"extra": ["a"]}, "^connection 'c': its extra is not a JSON object"),
    ],
)
def test_invalid(fields: dict[str, object], message: str) -> None:
    """A connection with wrong fields is a `UsageError` that names them."""
    with pytest.raises(UsageError, match=message):
        settings(**fields)


def test_extra_that_is_no_json() -> None:
    """An extra that is not a JSON object is a `UsageError`, which does not show it."""
    with pytest.raises(UsageError, match="is not a JSON object") as caught:
        ConnectionSettings.from_connection(
            Connection(conn_id="c", conn_type="redis_enterprise", host="a", extra="hunter2-hunter2")
        )

    assert "hunter2" not in str(caught.value)


def test_no_secret_in_sight() -> None:
    """Settings do not show the password; settings with another password differ."""
    one, other = settings(login="ops", password="hunter2-hunter2"), settings(login="ops")

    assert repr(one) == repr(other) == "<settings for https://a:9443>"
    assert one != other


async def test_client() -> None:
    """A client is made of the settings."""
    async with settings(
        {"fingerprint": "ab" * 32}, login="ops", password="p"
    ).make_client() as client:
        assert repr(client) == "ActionsClient('https://a:9443')"


@pytest.mark.parametrize(
    ("extra", "fields", "problem"),
    [
        ({"ca_cert": "none.pem"}, {}, "the field ca_cert 'none.pem' cannot be loaded"),
        ({"ca_cert": "a", "fingerprint": "b"}, {}, "the field ca_cert and the field fingerprint"),
        ({"verify": "no", "ca_cert": "a"}, {}, r"the field verify \(false\) and the field ca_cert"),
        ({"client_key": "a"}, {}, "the field client_key needs the field client_cert"),
        ({"fingerprint": "b"}, {}, "the field fingerprint 'b' is not a SHA-256 fingerprint"),
        ({"auth": "jwt"}, {}, 'the field auth "jwt" needs the fields login and password'),
        ({"auth": "digest"}, {}, "the field auth 'digest' is neither"),
        ({}, {"login": "ops"}, "the fields login and password go together"),
        ({}, {"login": "o:p", "password": "p"}, "the field login must not contain a colon"),
        ({"trusted_hosts": "a/b"}, {}, "the field trusted_hosts has 'a/b'"),
        ({}, {"host": "https://u:p@b"}, "pass the fields login and password"),
    ],
)
def test_problems_in_words_of_connections(
    extra: dict[str, object], fields: dict[str, object], problem: str
) -> None:
    """An error about settings names the connection, and its fields."""
    with pytest.raises(UsageError, match=f"^connection 'c': .*{problem}") as caught:
        settings(extra, **fields).make_client()

    assert "=" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            UntrustedCertificate("GET", "/", reason="self-signed"),
            "Pass the certificate of its CA as the field ca_cert of the connection and use a name "
            "that the certificate has, or pin it with the field fingerprint of the connection",
        ),
        (
            UntrustedCertificate("GET", "/", reason="it", fingerprint="AB"),
            "pin the new one with the field fingerprint of the connection",
        ),
        (
            ClientCertificateRefused("GET", "/", reason="it"),
            "Pass the one of a cluster user as the field client_cert of the connection",
        ),
        (
            error_for("GET", "/", 307, {"Location": "https://b/v1"}, b"", permission=None),
            "add its URL to the field urls of the connection or its host to the field "
            "trusted_hosts of the connection, or turn on",
        ),
        (
            UsageError("pass it as params={'dry_run': ...} (--param dry_run=...)"),
            "pass it as query={'dry_run': ...}",
        ),
        (UsageError("pass it as json={'a': ...} (--data)"), "pass it as json={'a': ...}"),
    ],
)
def test_errors_in_words_of_connections(error: Exception, words: str) -> None:
    """An error of the client names fields of the connection, not options and variables."""
    message = in_words_of_connections(str(error))

    assert words in message
    assert "REDIS_ENTERPRISE" not in message
    assert "--" not in message


def test_words_for_missing_credentials() -> None:
    """A connection has no `token=`, so that a message about missing credentials names none."""
    message = "Pass username= and password=, or token=, or client_cert="

    assert in_words_of_connections(message) == (
        "Pass the fields login and password, or the field client_cert"
    )
