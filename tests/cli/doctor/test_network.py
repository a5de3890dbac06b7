"""Facts about `_network_words`: what was seen on the way to a node, in words."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime

import pytest

from redis_enterprise_actions._cli.doctor import network as words
from redis_enterprise_actions._cli.doctor.network import Certificate
from redis_enterprise_actions._cli.doctor.result import CheckResult, Level


NODE = "https://n1:9443"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHOWN = Certificate("AB:CD", names=("n1",))
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def untrusted(code: int) -> CheckResult:
    """Return the result for a certificate that OpenSSL refuses with a code."""
    error = ssl.SSLCertVerificationError()
    error.verify_code = code
    return words.untrusted(NODE, SHOWN, error)


@pytest.mark.parametrize(
    ("result", "level", "said"),
    [
        (words.too_slow("dns", NODE, 10), Level.FAILURE, "nothing within 10 s. To do: "),
        (words.resolved(NODE, "n1", ["10.0.0.1"]), Level.OK, "n1 is 10.0.0.1"),
        (words.unresolved(NODE, "n1", NO_NAME), Level.FAILURE, "n1 does not resolve: "),
        (words.unconnected(NODE, OSError()), Level.FAILURE, "cannot be connected to: OSError"),
        (untrusted(9), Level.FAILURE, "is not good yet. To do: check this machine's clock"),
        (untrusted(20), Level.FAILURE, "from a CA that is not trusted. To do: pass its CA"),
        (words.trusted(NODE, SHOWN, "x", NOW), Level.OK, "trusted by x"),
        (words.no_handshake(NODE, OSError(), "NO"), Level.FAILURE, "not accepted: NO. To do"),
        (words.no_handshake(NODE, ssl.SSLError(), None), Level.FAILURE, "TLS is not spoken: "),
        (words.clock(NODE, None), Level.WARNING, "does not tell the time"),
        (words.clock(NODE, 7), Level.WARNING, "7 s ahead of ours"),
        (
            words.answered(NODE, 8443, 200, {}, b"<html>", target=None),
            Level.FAILURE,
            "as the Cluster Manager UI does. To do: use the URL of the REST API",
        ),
        (
            words.answered(NODE, 9443, 404, {}, b"404 page not found\n", target=None),
            Level.FAILURE,
            "as a proxy, or another web server does: 404 page not found. To do: use the URL",
        ),
        (
            words.answered(NODE, 9443, 401, {}, b"", target=None),
            Level.FAILURE,
            "answers 401, also where the REST API has nothing, as a proxy",
        ),
        (
            words.answered(NODE, 9443, 401, {}, b"", target=None, known=True),
            Level.OK,
            "as the REST",
        ),
        (words.unbootstrapped(NODE, "idle"), Level.FAILURE, "its bootstrap is 'idle'. To do: "),
    ],
    ids=lambda it: it.check if isinstance(it, CheckResult) else "",
)
def test_words(result: CheckResult, level: Level, said: str) -> None:
    """Each result says what was seen and what to do, and how bad it is."""
    assert result.level is level
    assert said in str(result)


ENVOY = {"Server": "envoy"}
STATE_ID = {"cluster-state-id": "42"}
PROBLEM = b'{"title": "Unauthorized", "status": 401, "type": "about:blank"}'


@pytest.mark.parametrize(
    ("status", "headers", "body", "shows"),
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
def test_shows_api(status: int, headers: dict[str, str], body: bytes, *, shows: bool) -> None:
    """An answer is the API's by its own header, its own errors, or a list of nodes."""
    assert words.is_rest_api(status, headers, body) is shows


@pytest.mark.parametrize(
    ("status", "headers", "leaves"),
    [(401, {}, True), (503, {}, True), (401, ENVOY, False), (404, {}, False), (200, {}, False)],
)
def test_leaves_open(status: int, headers: dict[str, str], *, leaves: bool) -> None:
    """A 401 that anybody could say, and "not now", leave open whether it is the API."""
    assert words.is_inconclusive(status, headers, b"") is leaves


@pytest.mark.parametrize("date", ["", "soon", "Mon, 99 Jan 2001 00:00:00 GMT"])
def test_no_date(date: str) -> None:
    """A node that does not tell the time has no skew."""
    assert words.clock_skew({"Date": date}, NOW) is None
