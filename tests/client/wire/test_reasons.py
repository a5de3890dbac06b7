"""Tests of `_client.wire.reasons`."""

from __future__ import annotations

import html
import json
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions import RequestRejected
from redis_enterprise_actions._client.wire.error_body import error_for
from redis_enterprise_actions._client.wire.reasons import (
    MAX_PAGE,
    MAX_TEXT,
    read_json,
    read_reason,
    reason_in,
    reason_text,
    unknown_reason,
    without_secret_fields,
)


PAGE = b"""<!DOCTYPE html>
<html><head><title>502 Bad Gateway</title><style>
body { width: 35em; font-family: Tahoma }
</style><script>var text = "<b>no</b>";</script></head>
<!-- a padding to disable the friendly page of MSIE -->
<body><h1>Bad &amp; worse</h1><p>nginx</p></body></html>"""


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (b'{"error_code": "busy", "description": "wait a bit"}', "busy", "wait a bit"),
        (b'{"error_code": "busy", "message": "wait a bit"}', "busy", "wait a bit"),
        (b'{"error_code": "busy", "msg": "wait a bit"}', "busy", "wait a bit"),
        (b'{"msg": "wait a bit"}', None, "wait a bit"),
        (b'{"error": "wait a bit"}', None, "wait a bit"),
        (b'{"error": {"error_code": "busy", "message": "wait"}}', None, "busy: wait"),
        (b'{"errors": ["wait", {"detail": "a bit"}, {}, null]}', None, "wait; a bit"),
        (b'{"errors": {"name": ["too long"]}}', None, '{"name":["too long"]}'),
        (b'{"error_code": "busy", "error_details": {"message": "x"}}', "busy", "x"),
        (b'{"detail": "No", "status": 400, "title": "Bad Request", "type": "x"}', None, "No"),
        (b'{"status": 400, "title": "Bad Request"}', None, "Bad Request"),
        (b'{"error_code": 7, "description": ["x"]}', "7", "x"),
        (b'{"error_code": "busy", "description": 5}', "busy", "5"),
        (b'{"error_code": "busy", "status": 409}', "busy", None),
        (b'{"error_code": "memory", "required": 7}', "memory", '{"required":7}'),
        (b'{"error_code": ["busy"]}', None, "busy"),
        (b'{"type": "disk full"}', None, '{"type":"disk full"}'),
        (b'{"status": "out of memory"}', None, '{"status":"out of memory"}'),
        (
            b'{"description": "no", "detail": "more", "errors": ["a", "no"]}',
            None,
            "no; more; a; no",
        ),
        (
            b'{"title": "Bad Request", "status": 400, "invalid-params": [{"name": "size"}]}',
            None,
            'Bad Request; {"invalid-params":[{"name":"size"}]}',
        ),
        (b'{"error": true}', None, '{"error":true}'),
        (b'{"why": {"x": 1}}', None, '{"why":{"x":1}}'),
        (b'{"db": 1, "new_password": "hunter2"}', None, '{"db":1,"new_password":"***"}'),
        (b'\xef\xbb\xbf{"msg": "wait"}', None, "wait"),
        (b"\xef\xbb\xbf" * 5000 + b'{"msg": "wait"}', None, "wait"),
        (b'"wait"', None, "wait"),
        (b'["wait", "a bit"]', None, "wait; a bit"),
        (b"{}", None, None),
        (b"[]", None, None),
        (b"null", None, None),
        (b"", None, None),
        (b"plain words", None, "plain words"),
        (b"no space <1> left\n on 'db'", None, "no space <1> left on 'db'"),
        (b"\xff\xfe", None, "\ufffd\ufffd"),
        (b"\xef\xbb\xbfwords", None, "words"),
        (b'{"msg": "cut of', None, '{"msg": "cut of'),
        (b'{"password": "hunter2", "msg": "cut of', None, '{"password": "***", "msg": "cut of'),
        (b'{"msg": "cut", "password": "hunt', None, '{"msg": "cut", "password": "***"'),
        (b"<html><h1>502 Bad Gateway</h1>\n<p>nginx</p></html>", None, "502 Bad Gateway nginx"),
        (PAGE, None, "502 Bad Gateway Bad & worse nginx"),
        (b"<html><style>h1 { width: 35em }", None, None),
        (b"<p>no room &#%s;" % (b"9" * 5000), None, "no room \ufffd"),
        (b"value <x> of <title> wrong", None, "value <x> of <title> wrong"),
        (b"<database> 7 has no room", None, "<database> 7 has no room"),
        (b"<style>p{color:red}</style><p>no room", None, "no room"),
        (b"<meta charset=x><title>502 Bad Gateway</title>", None, "502 Bad Gateway"),
        (b"Error: <html><style>p{a:b}</style><body>no room</body></html>", None, "Error: no room"),
        (b"<br>no room<br>", None, "no room"),
        (b"<html><style>%s</style>no room" % (b"p{a:b}" * 20_000), None, "no room"),
        (b" " * 5000 + b"no room", None, "no room"),
        (json.dumps({"description": "\n" * 5000 + "no room"}).encode(), None, "no room"),
        (
            json.dumps({"nodes": [{"a": 1}] * 300, "error_code": "e", "message": "m"}).encode(),
            "e",
            "m",
        ),
    ],
)
def test_words(body: bytes, code: str | None, text: str | None) -> None:
    """Every form of error body yields the cluster's own words: at worst, the JSON itself."""
    assert read_reason(body) == (code, text)
    error = error_for("GET", "/v1/actions", 400, {}, body, permission=None)
    assert isinstance(error, RequestRejected)
    assert (error.error_code, error.description) == (code, text)
    assert str(error).isprintable()


def test_bounds() -> None:
    """Long texts are cut, without a noticeable delay."""
    body = json.dumps({"error_code": "e" * 9999, "description": "d" * 9999}).encode()
    assert [len(each or "") for each in read_reason(body)] == [MAX_TEXT, MAX_TEXT]
    assert read_reason(b"x" * 100_000) == (None, "x" * (MAX_TEXT - 1) + "…")
    assert read_reason(b"<p>" + b"x" * 100_000) == (None, "x" * (MAX_PAGE - 1) + "…")
    assert (
        len(read_reason(json.dumps({"errors": [{"x": "y"}] * 9999}).encode())[1] or "") <= MAX_TEXT
    )
    assert len(reason_in({"errors": {"x": "y" * 10_000_000}})[1] or "") <= MAX_TEXT
    assert len(reason_in({"errors": [char * 999 for char in "abc"]})[1] or "") == MAX_TEXT

    # Quadratic work on these would never end.
    pieces = (
        b"<",
        b'"',
        b'"\\',
        b"<!--",
        b"<style>",
        b'"a":"',
        b"\\",
        b"://:",
        b"<p>&",
        b"[",
        b'{"":',
    )
    for piece in pieces:
        read_reason(piece * 1_000_000)
        read_reason(b"<p>" + piece * 1_000_000)


@pytest.mark.parametrize("depth", [1, 5, 50, *range(900, 1000)])
def test_depth(depth: int) -> None:
    """A reason is found at some depth, and quoted beyond it."""
    body = b'{"error":' * depth + b'"no room"' + b"}" * depth

    _, text = read_reason(body)

    assert (text == "no room") is (depth <= 5)
    assert text is not None
    assert text.startswith(("no room", '{"error":'))


def test_read_json() -> None:
    """A part of a body that is missing or cannot be read counts as null."""
    parts = [b"", b"{", b"[1]"]

    assert [read_json(msgspec.Raw(part)) for part in parts] == [None, None, [1]]


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"", None),
        (b"null", None),
        (b'"no room"', "no room"),
        (b'" "', None),
        (b"5", "5"),
        (b'{"error_code": "e1", "description": "no room"}', "e1: no room"),
        (b'{"error_code": "e1"}', "e1"),
        (b'"no" room', '"no" room'),
    ],
)
def test_reason_text(wire: bytes, text: str | None) -> None:
    """The reason of a failed action is one text, with its code."""
    assert reason_text(msgspec.Raw(wire)) == text


SECRET: Final = "hunter2-hunter2"


@pytest.mark.parametrize(
    "body",
    [
        {"password": SECRET},
        {"passwords": [SECRET]},
        {"credentials": {"username": "u", "value": SECRET}},
        {"bdb": {"replica_sources": [{"uri": f"redis://admin:{SECRET}@h:1"}]}},
        {"message": f"cannot write to sftp://u:{SECRET}@h/x"},
        {"error": {"secret_key": {"a": [SECRET]}}},
        {"errors": [{"name": "password", "value": SECRET}]},
        {"errors": [{"field": "auth_token", "input": SECRET, "message": "too short"}]},
        {"request": json.dumps({"password": SECRET, "x": 1})},
        {"request": json.dumps({"x": json.dumps({"password": f'a"{SECRET}'})})},
        {"message": f"bad {{'password': '{SECRET}'}}"},
        {"message": f"bad {{u'password': u'{SECRET}', 'x': 1}}"},
        {"message": json.dumps({"credentials": {"u": {"b": 1}, "p": f"x}}{SECRET}"}})},
        {"message": json.dumps({"passwords": [f"x]{SECRET}"]})},
        {"message": json.dumps({"name": "password", "value": SECRET})},
        {"message": f"sftp://joe:p@{SECRET}@host"},
        {"message": f"sftp://joe:p/{SECRET}@host"},
        {"message": f"sftp:\\/\\/joe:{SECRET}@host"},
        {"loc": ["body", "password"], "input": SECRET},
        {"headers": {"Authorization": f"Basic {SECRET}"}},
        {"pwd": SECRET},
        {"params": {"new_password": SECRET}},
        json.dumps({"password": SECRET}),
        [{"token": SECRET}],
    ],
    ids=str,
)
def test_secrets(body: object) -> None:
    """A reason has no secrets: by the name of a field, in a URL, or in JSON within a text."""
    whole = json.dumps(body).encode()
    escaped = html.escape(whole.decode()).encode()
    texts = [whole, whole[:-1], b"not JSON: " + whole, b"<html><pre>%s</pre>" % whole]
    for text in (*texts, b"<html><pre>%s</pre>" % escaped):
        reason = read_reason(text)

        assert SECRET not in str(reason)
        assert "***" in str(reason) or "too short" in str(reason)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"password": "a\\"b", "x": "y"}', '{"password": "***", "x": "y"}'),
        ('{"secret_key":"a"} {"token" : "b"}', '{"secret_key":"***"} {"token" : "***"}'),
        ('{"monkey": "a", "keys": "b"}', '{"monkey": "***", "keys": "b"}'),
        ('{"password": 12345678, "x": 1}', '{"password": "***", "x": 1}'),
        ('{"passwords": ["a", "b"], "x": 1}', '{"passwords": "***"'),
        ('{"credentials": {"a": "b"}, "x": 1}', '{"credentials": "***"'),
        ("{'password': 'a\\'b', 'x': 1}", "{'password': \"***\", 'x': 1}"),
        ('{"name": "token", "value": "a", "x": 1}', '{"name": "token", "value": "***", "x": 1}'),
        ('{"name": "size", "value": "a"}', '{"name": "size", "value": "a"}'),
        ('{"credentials": {"a": "b', '{"credentials": "***"'),
        ("ftp://user:pw@host ftp://host", "ftp://user:***@host ftp://host"),
        ("password: hunter2", "password: hunter2"),
    ],
)
def test_without_secret_fields(text: str, shown: str) -> None:
    """Values of fields whose names speak of secrets are hidden, also in JSON that is cut off."""
    assert without_secret_fields(text) == shown


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"status": "failed", "msg": "no room"}', "no room"),
        (b'{"status": "failed", "failure_reason": {"error_code": "e", "msg": "x"}}', "e: x"),
        (b'{"status": "failed", "why": "no room", "module_uid": "m"}', '{"why":"no room"}'),
        (b'{"status": "failed", "module_uid": "m"}', None),
        (b'{"status": "failed"}', None),
        (b'"no room"', "no room"),
        (b"", None),
    ],
)
def test_unknown_reason(raw: bytes, reason: str | None) -> None:
    """The reason of failed work may be in a field that the client does not know."""
    assert unknown_reason(raw, {"status"}) == reason


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json(value: object) -> None:
    """Any JSON has a bounded reason."""
    code, text = read_reason(json.dumps(value).encode())

    assert code is None or 0 < len(code) <= MAX_TEXT
    assert text is None or 0 < len(text) <= MAX_TEXT
