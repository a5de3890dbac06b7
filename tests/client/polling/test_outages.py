"""Tests of `_client.polling.outages`."""

from __future__ import annotations

import math

import pytest

from redis_enterprise_actions import ClusterUnreachable, RequestError, UnreadableReply
from redis_enterprise_actions._client.polling.outages import Outage
from tests.scripted import ref_of


def refused(node: str = "http://n1", **more: object) -> ClusterUnreachable:
    """Return the error of a node that refuses the connection."""
    return ClusterUnreachable("GET", "/v1/actions/a1", reason="refused", nodes=[node], **more)  # type: ignore[arg-type]


def test_failures() -> None:
    """An outage lasts from the first failure on, and counts polls, requests and nodes."""
    outage = Outage(10.0)
    outage.record_failure(refused("http://n2"), 11.0)
    outage.record_failure(refused("http://n1", attempts=3), 15.0)
    outage.record_failure(refused("http://n2"), 18.0)

    assert (outage.began, outage.failed_at) == (10.0, 18.0)
    assert (outage.failures, outage.requests) == (3, 5)
    assert list(outage.nodes) == ["http://n2", "http://n1"]


def test_no_traceback() -> None:
    """The last error is kept without its traceback, which would keep the body of an answer."""
    outage, error = Outage(10.0), refused()
    try:
        raise error
    except ClusterUnreachable:
        outage.record_failure(error, 11.0)

    assert outage.error is error
    assert error.__traceback__ is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (refused(), "refused"),
        (
            UnreadableReply("GET", "/v1/actions/a1", problem="cut off"),
            "the answer cannot be read: cut off",
        ),
    ],
    ids=["unreachable", "unreadable"],
)
def test_reason(error: RequestError, reason: str) -> None:
    """The reason of an outage is that of the last failure."""
    outage = Outage(10.0)
    outage.record_failure(refused(), 10.0)
    outage.record_failure(error, 11.0)

    assert outage.reason == reason


def test_backoff() -> None:
    """Requests are repeated after half a second to ten seconds; `Retry-After` takes precedence."""
    outage, pauses = Outage(10.0), []
    for n in range(30):
        outage.record_failure(refused(), 10.0 + n)
        pauses.append(outage.retry_at - 10.0 - n)
    outage.record_failure(refused(retry_after=77.0), 50.0)

    assert min(pauses) >= 0.1
    assert 2 < max(pauses) <= 10
    assert outage.retry_at == 127.0


def test_last_tried() -> None:
    """An outage knows when a reference was last asked for alone."""
    outage = Outage(10.0)
    outage.record_failure(refused(), 11.0)
    outage.record_failure(refused(), 12.0, ref=ref_of("a"))

    assert outage.last_tried(ref_of("a")) == 12.0
    assert outage.last_tried(ref_of("b")) == -math.inf


def test_never_reached(caplog: pytest.LogCaptureFixture) -> None:
    """After ten seconds without any answer the log says once what to do, and not earlier."""
    outage, error = Outage(10.0), refused(retry_after=60.0, advice="look at the port")
    outage.record_failure(error, 11.0, is_unreached=True)
    assert outage.retry_at == 20.0  # when it is reported
    outage.record_failure(error, 19.0, is_unreached=True)
    assert outage.retry_at == 20.0
    assert caplog.messages == []
    outage.record_failure(error, 19.9995, is_unreached=True)
    outage.record_failure(error, 80.0, is_unreached=True)

    assert outage.is_unreached
    assert outage.retry_at == 140.0
    [message] = caplog.messages
    assert "look at the port" in message


def test_is_reached() -> None:
    """A failure after an answer of the cluster is no longer that of one never reached."""
    outage = Outage(10.0)
    outage.record_failure(refused(), 11.0, is_unreached=True)
    outage.record_failure(refused(retry_after=60.0), 12.0)

    assert not outage.is_unreached
    assert outage.retry_at == 72.0


def test_span() -> None:
    """The record of a wait shows the part of the outage since the wait began."""
    outage = Outage(10.0)
    outage.record_failure(refused(attempts=2), 11.0)

    assert outage.to_span() == (10.0, None, 2, "refused")
    assert outage.to_span(20.0, since=4.0) == (10.0, 20.0, 2, "refused")
    assert outage.to_span(20.0, since=14.0) == (14.0, 20.0, 2, "refused")
