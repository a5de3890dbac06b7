"""Tests of `_client.capture.format`."""

from __future__ import annotations

import json
from itertools import cycle
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions._client.capture.format import CaptureFile, Exchange, Seen, Writer
from redis_enterprise_actions._client.capture.words import KNOWN
from tests.planting import found_in, planted


SEEN = Seen(
    at=1.23456,
    took=0.0004,
    node="https://10.0.0.7:9443",
    method="GET",
    path="/v1/bdbs/77",
    query="?fields=uid",
    auth="basic",
    sent=None,
    status=200,
    headers={"Content-Type": "application/json"},
    body=b'{"uid": 77}',
    failure=None,
)

# Secrets, names, hosts, uids and the like that do not have the form of a word that passes.
CONFIDENTIAL = st.one_of(
    st.from_regex(r"Zq[A-Za-z0-9+=!]{6,20}", fullmatch=True),
    st.from_regex(r"Zq[a-z]{3,9} [a-zß-ÿ]{3,9}", fullmatch=True),
    st.from_regex(r"zq[a-z]{3,9}\.(internal|example\.org)(:\d{2,5})?", fullmatch=True),
    st.from_regex(r"zq[a-z]{3,9}@zq[a-z]{3,9}\.org", fullmatch=True),
    st.from_regex(r"https?://zq[a-z]{3,9}(:\d{4})?/zq[a-z]{3,9}", fullmatch=True),
    st.from_regex(r"2[0-4]\d\.1\d\d\.1\d\d\.1\d\d", fullmatch=True),
    st.uuids(version=4).map(str),
    st.from_regex(r"(bdb:)?[1-9]\d{8}(:[1-9]\d{8})?", fullmatch=True),
    st.integers(10**8, 10**9 - 1),
)


def written(**changes: object) -> dict[str, object]:
    """Return an exchange as the file has it, decoded."""
    text = "".join(Writer([]).exchange(SEEN._replace(**changes)))  # type: ignore[arg-type]
    msgspec.json.decode(text, type=Exchange)
    found: dict[str, object] = json.loads(text)
    return found


def test_answer() -> None:
    """An answer has its status, some headers and its body."""
    assert written() == {
        "at": 1.235,
        "took": 0.0,
        "node": 1,
        "method": "GET",
        "path": "/v1/bdbs/1?fields=uid",
        "auth": "basic",
        "status": 200,
        "headers": {"Content-Type": "application/json"},
        "json": {"uid": 1},
    }


def test_stop() -> None:
    """An exchange that is stopped is not replaced to its end."""
    writer = Writer([])
    parts = writer.exchange(SEEN._replace(body=json.dumps([[77]] * 10_000).encode()))
    writer.stop()

    assert "77" not in "".join(parts)


def test_failure() -> None:
    """A failure has neither status nor headers nor a body."""
    found = written(status=None, failure="reset", body=b"", headers={})

    assert found["failure"] == "reset"
    assert not found.keys() & {"status", "headers", "json", "text"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", {}),
        (b" \n", {"text": " \n"}),
        (b"secret", {"text": "text 1"}),
        (b"<p>secret</p>", {"text": "<html><body>text 1</body></html>"}),
        (b"null", {"json": None}),
        (b'{"uid": 77, "progress": NaN}', {"text": '{ "uid": 1, "progress": NaN }'}),
        (b'\xef\xbb\xbf{"uid": 77}', {"text": '\ufeff{ "uid": 1 }'}),
        (b'{"name": "\xff"}', {"text": '{ "name": "name-1" }'}),
        ('{"name": "é"}'.encode("utf-16"), {"text": "text 1...."}),
    ],
)
def test_bodies(body: bytes, field: dict[str, object]) -> None:
    """A body is JSON, or text if it is not strict JSON; an empty one is neither."""
    found = written(body=body)

    assert {name: found[name] for name in ("json", "text") if name in found} == field


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (None, {}),
        ('{"password": "hunter2-hunter2"}', {"sent": {"password": "name-1"}}),
        ("secret", {"sent_text": "text 1"}),
        (b"\x00\xff", {"sent_text": "text 1"}),
    ],
)
def test_sent(sent: str | bytes | None, field: dict[str, object]) -> None:
    """The body of a request is replaced likewise."""
    found = written(sent=sent)

    assert {name: found[name] for name in ("sent", "sent_text") if name in found} == field


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({"Server": "secret", "Date": "x", "Set-Cookie": "a=b", "cluster-state-id": "7"}, {}),
        ({"Content-Type": "text/HTML;charset=UTF-8"}, {"Content-Type": "text/html; charset=utf-8"}),
        ({"Content-Type": "text/html; charset=secret"}, {"Content-Type": "text/html"}),
        ({"Content-Type": "secret/type"}, {"Content-Type": "application/octet-stream"}),
        ({"Content-Type": ""}, {"Content-Type": "application/octet-stream"}),
        ({"Retry-After": "7"}, {"Retry-After": "7"}),
        ({"Retry-After": "secret"}, {}),
        (
            {
                "Retry-After": "Tue, 01 Dec 2026 10:00:07 GMT",
                "Date": "Tue, 01 Dec 2026 10:00:00 GMT",
            },
            {"Date": "Sat, 01 Jan 2000 00:00:00 GMT", "Retry-After": "7"},
        ),
        ({"Location": "/v1/bdbs/77/"}, {"Location": "/v1/bdbs/1/"}),
        (
            {"Location": "https://10.0.0.7:9443/v1/bdbs/77"},
            {"Location": "https://node-1.example:10001/v1/bdbs/1"},
        ),
        ({"WWW-Authenticate": 'basic realm="secret"'}, {"WWW-Authenticate": "Basic"}),
        ({"WWW-Authenticate": "Secret"}, {"WWW-Authenticate": "Basic"}),
    ],
)
def test_headers(headers: dict[str, str], kept: dict[str, str]) -> None:
    """Five headers are kept, without what may be confidential in them."""
    assert written(headers=headers)["headers"] == kept


def test_head() -> None:
    """The head has the nodes, the configured ones first, and the unknown words in order."""
    writer = Writer(["https://a.internal:9443", "https://b.internal:9443"])
    for word, node in [("zebra", "https://c.internal:9443"), ("apple", SEEN.node)]:
        body = json.dumps({"status": word, "state": "odd", word: 1}).encode()
        list(writer.exchange(SEEN._replace(body=body, node=node)))
    file = msgspec.json.decode(writer.head("1.2.3") + "]}", type=CaptureFile)

    assert file == CaptureFile(
        v=1,
        made_with="redis-enterprise-actions 1.2.3",
        unknown={"state": ["odd"], "status": ["apple", "zebra"]},
        unknown_fields=["apple", "zebra"],
        nodes=[f"https://node-{number}.example:{10_000 + number}" for number in range(1, 5)],
        exchanges=[],
    )
    assert list(file.unknown) == ["state", "status"]


@given(st.lists(CONFIDENTIAL, min_size=1, max_size=8, unique=True))
def test_nothing_confidential_passes(plants: list[str | int]) -> None:
    """What is planted in every part of an exchange is nowhere in its text."""
    texts = [str(plant) for plant in plants]
    fields = dict(zip(KNOWN, cycle(texts), strict=False))
    body = json.dumps(planted([fields, texts, {"errors": [fields]}], plants))
    path = "/v1/bdbs/" + "/".join(quote(text, safe="") for text in texts)
    query = "?" + "&".join(f"{quote(text, safe='')}=uid%3A{quote(text, safe='')}" for text in texts)
    shown = []
    for text in texts:
        headers = dict.fromkeys(["Content-Type", "Date", "WWW-Authenticate", "X"], text)
        seen = SEEN._replace(sent=body, path=path, query=query)
        for place, answer in [
            (text, body),
            (path, f"<p>{text}</p>"),
            ("https://" + text, f"{text}!"),
        ]:
            location = {"Location": place}
            answered = seen._replace(body=answer.encode(), headers={**headers, **location})
            shown += Writer([]).exchange(answered)

    assert found_in("".join(shown), texts) == []


def test_repr() -> None:
    """What the client saw is not shown."""
    assert repr(SEEN) == "<exchange with 11 bytes>"
