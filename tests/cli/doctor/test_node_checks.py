"""Tests of `_cli.doctor.node_checks`: its results, and the recognition of the REST API."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime

import pytest

from redis_enterprise_actions._cli.doctor import node_checks as checks
from redis_enterprise_actions._cli.doctor.network import Certificate
from redis_enterprise_actions._cli.doctor.result import CheckResult, Level


NODE = "https://n1:9443"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHOWN = Certificate("AB:CD", names=("n1",))
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def untrusted(code: int) -> CheckResult:
    """Return the result for a certificate that OpenSSL rejects with a code."""
    return checks.untrusted(NODE, SHOWN, code)


@pytest.mark.parametrize(
    ("result", "level", "expected"),
    [
        (checks.too_slow("dns", NODE, 10), Level.FAILURE, "no result within 10 s. To do: "),
        (checks.resolved(NODE, "n1", ["10.0.0.1"]), Level.OK, "n1 is 10.0.0.1"),
        (checks.not_resolved(NODE, "n1", NO_NAME), Level.FAILURE, "n1 does not resolve: "),
        (checks.not_connected(NODE, OSError()), Level.FAILURE, "cannot connect: OSError"),
        (untrusted(9), Level.FAILURE, "is not valid yet. To do: check this machine's clock"),
        (untrusted(20), Level.FAILURE, "from a CA that is not trusted. To do: pass its CA"),
        (checks.trusted(NODE, SHOWN, "x", NOW), Level.OK, "trusted by x"),
        (
            checks.no_handshake(NODE, OSError(), "NO"),
            Level.FAILURE,
            "the server refuses the client certificate: NO. To do",
        ),
        (
            checks.no_handshake(NODE, ssl.SSLError(), None),
            Level.FAILURE,
            "the TLS handshake failed: ",
        ),
        (checks.clock(NODE, None), Level.WARNING, "has no valid Date header"),
        (checks.clock(NODE, 7), Level.WARNING, "7 s ahead of ours"),
        (
            checks.answered(NODE, 8443, 200, {}, b"<html>", target=None),
            Level.FAILURE,
            "as the Cluster Manager UI does. To do: use the URL of the REST API",
        ),
        (
            checks.answered(NODE, 9443, 404, {}, b"404 page not found\n", target=None),
            Level.FAILURE,
            "as a proxy or another web server does: 404 page not found. To do: use the URL",
        ),
        (
            checks.answered(NODE, 9443, 401, {}, b"", target=None),
            Level.FAILURE,
            "answers 401, also for a path that the REST API does not have, as a proxy",
        ),
        (
            checks.answered(NODE, 9443, 401, {}, b"", target=None, known=True),
            Level.OK,
            "as the REST",
        ),
        (checks.not_in_cluster(NODE, "idle"), Level.FAILURE, "its bootstrap is 'idle'. To do: "),
    ],
    ids=lambda it: it.check if isinstance(it, CheckResult) else "",
)
def test_results(result: CheckResult, level: Level, expected: str) -> None:
    """Each result has its level, and says what was seen and what to do."""
    assert result.level is level
    assert expected in str(result)


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
        (200, {}, b'[7, {"uid": "2"}]', True),
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
    assert checks.is_rest_api(status, headers, body) is expected


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [(401, {}, True), (503, {}, True), (401, ENVOY, False), (404, {}, False), (200, {}, False)],
)
def test_is_inconclusive(status: int, headers: dict[str, str], *, expected: bool) -> None:
    """A 401 without a sign of the API, and a 503, are inconclusive."""
    assert checks.is_inconclusive(status, headers, b"") is expected


@pytest.mark.parametrize("date", ["", "soon", "Mon, 99 Jan 2001 00:00:00 GMT"])
def test_no_date(date: str) -> None:
    """A node that has no valid Date header has no skew."""
    assert checks.clock_skew({"Date": date}, NOW) is None
