"""Tests of `_client.wire.error_body`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions import (
    AuthenticationError,
    ClusterUnreachable,
    RequestError,
    RequestRejected,
)
from redis_enterprise_actions._client.wire.error_body import (
    USE_API,
    error_code_of,
    error_for,
    has_error_code,
    is_api_error,
    unreadable_reply,
)


def refused(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> RequestError | None:
    """Return the error for a status and a body on the list of actions."""
    permission = "view_status_of_cluster_action"
    return error_for("GET", "/v1/actions", status, headers or {}, body, permission=permission)


def test_not_quoted() -> None:
    """Without `quoted`, an error has the code of the body, and not its text."""
    body = b'{"error_code": "bad_password", "description": "hunter2"}'
    error = error_for("POST", "/v1/users", 400, {}, body, permission=None, quoted=False)

    assert isinstance(error, RequestRejected)
    assert (error.error_code, error.description) == ("bad_password", None)


@pytest.mark.parametrize("status", [200, 201, 204, 404])
def test_no_refusal(status: int) -> None:
    """There is no error for a success, nor for a 404, whose meaning depends on the route."""
    assert refused(status) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, RequestRejected),
        (307, RequestRejected),
        (400, RequestRejected),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (405, RequestRejected),
        (406, RequestRejected),
        (409, RequestRejected),
        (408, ClusterUnreachable),
        (429, ClusterUnreachable),
        (500, ClusterUnreachable),
        (501, RequestRejected),
        (502, ClusterUnreachable),
        (503, ClusterUnreachable),
        (504, ClusterUnreachable),
        (505, RequestRejected),
    ],
)
def test_status(status: int, kind: type[RequestError]) -> None:
    """Transient statuses are distinguished from permanent ones."""
    error = refused(status)

    assert type(error) is kind
    assert vars(error)["status"] == status


def test_not_modified() -> None:
    """A 304 is no redirect."""
    assert "redirect" not in str(refused(304))


def test_busy_cluster_in_words() -> None:
    """An answer that says "not now" says why."""
    error = refused(503, b'{"error_code": "no_quorum", "description": "no quorum"}')

    assert isinstance(error, ClusterUnreachable)
    assert error.error_code == "no_quorum"
    assert "it answered 503: no_quorum: no quorum" in str(error)


def test_permission() -> None:
    """A 403 names the permission that the vendor's page asks for."""
    assert "needs the permission view_status_of_cluster_action" in str(refused(403))


def test_credentials() -> None:
    """A 401 names the setting to check."""
    assert "Check the credentials" in str(refused(401))


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://10.0.0.7:9443/v1/actions?x=secret", "redirects to https://10.0.0.7:9443, and"),
        ("https://user:secret@10.0.0.7/v1", "redirects to https://10.0.0.7, and"),
        ("/elsewhere/secret", "redirects to another place, and"),
        ("", "redirects to another place, and"),
        ("http://\udcff\x1b[31m/", "redirects to http:// [31m, and"),
    ],
)
def test_redirect(location: str, shown: str) -> None:
    """The error for a redirect names the host and the remedy, and nothing else of the URL."""
    message = str(refused(307, headers={"Location": location}))

    assert shown in message
    assert "handle_redirects" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": " 0 "}, 0.0),
        (
            {
                "Retry-After": "Mon, 23 Nov 2026 10:00:30 GMT",
                "Date": "Mon, 23 Nov 2026 10:00:00 GMT",
            },
            30.0,
        ),
        (
            {
                "Retry-After": "Mon, 23 Nov 2026 09:00:00 GMT",
                "Date": "Mon, 23 Nov 2026 10:00:00 GMT",
            },
            0.0,
        ),
        ({"Retry-After": "Mon, 23 Nov 2026 10:00:30 GMT"}, None),
        (
            {"Retry-After": "Mon, 23 Nov 2026 10:00:30", "Date": "Mon, 23 Nov 2026 10:00:00 GMT"},
            None,
        ),
        ({"Retry-After": "soon"}, None),
        (
            {
                "Retry-After": "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
                "Date": "Mon, 23 Nov 2026 10:00:00 GMT",
            },
            None,
        ),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "9" * 400}, 999_999_999.0),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], pause: float | None) -> None:
    """Retry-After is seconds, or a date on the server's own clock; other values are ignored."""
    error = refused(503, headers=headers)

    assert error is not None
    assert error.retry_after == pause


def test_error_code_of() -> None:
    """The code of an error body distinguishes a missing action from a missing route."""
    assert error_code_of(b'{"error_code": "action_not_found"}') == "action_not_found"
    assert error_code_of(b"404: Not Found") is None


@pytest.mark.parametrize(
    ("body", "ours"),
    [
        (b'{"error_code": "db_not_found"}', True),
        (b'{"error_code": "x", "message": 5}', True),
        (b'{"title": "Not Found", "status": 404}', True),
        (b'{"title": "Not Found", "status": "404", "type": "about:blank"}', True),
        (b'{"message": "no Route matched with those values"}', False),
        (b'{"error": "not found"}', False),
        (b'{"error_code": 404}', False),
        (b'{"error_code": null}', False),
        (b'{"error_code": " "}', False),
        (b'{"title": "Not Found"}', False),
        (b'{"title": {}, "status": 404}', False),
        (b'{"status": 404}', False),
        (b"{}", False),
        (b"[]", False),
        (b'"error_code"', False),
        (b"404: Not Found", False),
        (b"", False),
    ],
)
def test_is_api_error(body: bytes, ours: bool) -> None:
    """The API's error bodies have a textual code, or are problem+json; a gateway's have neither."""
    assert is_api_error(body) is ours


@pytest.mark.parametrize(
    ("body", "has_one"),
    [
        (b'{"error_code": "db_not_found"}', True),
        (b'{"error_code": " "}', False),
        (b'{"error_code": 404}', False),
        (b'{"title": "Not Found", "status": 404}', False),
        (b"<html>", False),
    ],
)
def test_has_error_code(body: bytes, has_one: bool) -> None:
    """Only a textual `error_code` counts where credentials are about to be sent."""
    assert has_error_code(body) is has_one


def test_excerpt_without_secrets() -> None:
    """The excerpt of an unusable answer has no texts of fields that hold secrets."""
    body = b'\xef\xbb\xbf{"name": "db", "authentication_admin_pass": "hunter2-hunter2", "uid": 1'
    error = unreadable_reply("/v1/actions", "cut off", body)

    assert error.excerpt == '{"name": "db", "authentication_admin_pass": "***", "uid": 1'
    page = unreadable_reply("/v1/actions", "no JSON", b"<pre>&quot;password&quot;: &quot;hunter2")
    assert page.excerpt == '<pre>"password": "***"'


@pytest.mark.parametrize(
    ("body", "advice"), [(b"\n<!DOCTYPE html>", USE_API), (b'{"uid": ', None), (b"", None)]
)
def test_web_page(body: bytes, advice: str | None) -> None:
    """A web page is the answer of another server, so that the advice is to use another URL."""
    assert unreadable_reply("/v1/actions", "no JSON", body).advice == advice


@given(
    st.integers(100, 599),
    st.binary() | st.dictionaries(st.text(), st.text()).map(lambda d: json.dumps(d).encode()),
    st.dictionaries(st.sampled_from(["Retry-After", "Date", "Location"]), st.text()),
)
def test_any_refusal(status: int, body: bytes, headers: dict[str, str]) -> None:
    """Any answer makes an error that can be printed."""
    error = refused(status, body, headers)

    assert error is None or str(error).isprintable()
