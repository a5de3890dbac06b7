"""Facts about `_network_words`: what was seen on the way to a node, in words."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime

import pytest

from redis_enterprise_actions import _network_words as words
from redis_enterprise_actions._certificate import Certificate
from redis_enterprise_actions._finding import Finding, Level


NODE = "https://n1:9443"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHOWN = Certificate("AB:CD", names=("n1",))
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def untrusted(code: int) -> Finding:
    """Return the finding for a certificate that OpenSSL refuses with a code."""
    error = ssl.SSLCertVerificationError()
    error.verify_code = code
    return words.untrusted(NODE, SHOWN, error)


@pytest.mark.parametrize(
    ("finding", "level", "said"),
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
    ],
    ids=lambda it: it.check if isinstance(it, Finding) else "",
)
def test_words(finding: Finding, level: Level, said: str) -> None:
    """Each finding says what was seen and what to do, and how bad it is."""
    assert finding.level is level
    assert said in str(finding)


@pytest.mark.parametrize("date", ["", "soon", "Mon, 99 Jan 2001 00:00:00 GMT"])
def test_no_date(date: str) -> None:
    """A node that does not tell the time has no skew."""
    assert words.skew_of({"Date": date}, NOW) is None
