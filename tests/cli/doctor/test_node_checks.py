"""Tests of `_cli.doctor.node_checks`: the lookup of names, and the recognition of the REST API."""

from __future__ import annotations

import asyncio
import socket
import threading
from datetime import UTC, datetime

import pytest
from yarl import URL

from redis_enterprise_actions._cli.doctor.node_checks import clock, is_rest_api, resolve
from redis_enterprise_actions._cli.doctor.result import Level
from redis_enterprise_actions._client.http.messages import Reply


NODE = URL("https://n1:9443")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(host: str) -> list[str]:
    """Look up a name on a loop without a virtual clock."""
    return asyncio.run(resolve(host))


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address is returned once, and an address is not looked up."""
    found = [(2, 1, 6, "", (address, 9443)) for address in ("10.0.0.1", "10.0.0.2", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    assert run("n1.example.com") == ["10.0.0.1", "10.0.0.2"]
    assert run("::1") == ["::1"]


def test_no_such_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not resolve raises the error of the system."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(socket.gaierror, match="not known"):
        run("nowhere.example.com")


def test_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup that hangs delays neither a timeout nor the end of the loop."""
    free = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: free.wait(30) and [])

    async def impatient() -> None:
        before = set(threading.enumerate())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolve("n1"), 0.01)
        (left,) = set(threading.enumerate()) - before
        assert left.daemon
        free.set()
        left.join(10)
        await asyncio.sleep(0)  # the loop drops the result

    asyncio.run(impatient())


ENVOY = {"Server": "envoy"}
STATE_ID = {"cluster-state-id": "42"}
PROBLEM = b'{"title": "Unauthorized", "status": 401, "type": "about:blank"}'


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (401, ENVOY, b"", True),
        (401, STATE_ID, b"<html>", True),
        (401, {}, b'{"error_code": "unauthorized", "description": "no"}', True),
        (403, {}, b'{"error_code": "forbidden"}', True),
        (404, {}, b'{"error_code": "not_found"}', True),
        (200, {}, b'[{"uid": 1, "addr": "10.0.0.1"}]', True),
        (200, {}, b'[{}, {"uid": "2"}]', True),
        (200, {}, b'[7, {"uid": "2"}]', False),
        (200, STATE_ID, b"", True),
        (401, {"Server": "istio-envoy"}, b"", False),
        (401, {"Server": "nginx"}, b"<html>401 Authorization Required</html>", False),
        (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"", False),
        (401, {}, b'{"message": "Unauthorized"}', False),
        (401, {}, b'{"error_code": 401}', False),
        (401, {}, b'{"error_code": ""}', False),
        (401, {}, PROBLEM, False),
        (302, STATE_ID, b"", False),
        (404, ENVOY, b"", False),
        (404, {}, b"404 page not found\n", False),
        (404, {}, b'{"message": "no Route matched with those values"}', False),
        (200, ENVOY, b"<html>", False),
        (200, {}, b'{"status": "ok"}', False),
        (200, {}, b"[]", False),
        (200, {}, b'[{"ID": "f7476465", "Name": "client-1"}]', False),
        (200, {}, b'[{"uid": "f7476465-4d6e"}, {"uid": true}]', False),
    ],
)
def test_is_rest_api(status: int, headers: dict[str, str], body: bytes, *, expected: bool) -> None:
    """The REST API shows by its header, its errors, or a list of nodes."""
    assert is_rest_api(Reply(status, body, headers)) is expected


@pytest.mark.parametrize(
    ("date", "level", "seen"),
    [
        ("Thu, 01 Jan 2026 00:00:04 GMT", Level.OK, "within 5 s of ours"),
        ("Thu, 01 Jan 2026 00:00:07 GMT", Level.WARNING, "7 s ahead of ours"),
        ("Wed, 31 Dec 2025 23:59:00 GMT", Level.WARNING, "60 s behind ours"),
        ("", Level.WARNING, "the answer has no valid Date header"),
        ("soon", Level.WARNING, "the answer has no valid Date header"),
        ("Mon, 99 Jan 2001 00:00:00 GMT", Level.WARNING, "the answer has no valid Date header"),
    ],
)
def test_clock(date: str, level: Level, seen: str) -> None:
    """A clock that is off by more than five seconds is a warning."""
    result = clock(NODE, Reply(401, b"", {"Date": date}), NOW)

    assert (result.level, result.seen) == (level, seen)
