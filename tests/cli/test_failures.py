"""Tests of `_cli.failures`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import (
    ClusterUnreachable,
    RedisActionsError,
    RequestRejected,
    UsageError,
)
from redis_enterprise_actions._cli.failures import report_failure


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            ClusterUnreachable("GET", "/v1/actions", reason="refused", advice="Check the port"),
            "GET /v1/actions: no usable answer from the cluster: refused (1 attempt). "
            "Check the port",
        ),
        (
            RequestRejected("GET", "/v1/actions", status=401, hint="Check the user"),
            "GET /v1/actions: the cluster answered 401. Check the user",
        ),
        (
            ClusterUnreachable("GET", "/v1", reason="refused", advice="Run", hint="Run"),
            "GET /v1: no usable answer from the cluster: refused (1 attempt). Run",
        ),
        (UsageError("no URL"), "no URL"),
    ],
    ids=["advice", "none", "in the message", "usage"],
)
def test_advice(
    capsys: pytest.CaptureFixture[str], error: RedisActionsError, expected: str
) -> None:
    """The message has the advice of the error, once."""
    assert report_failure(error) == error.outcome.exit_code
    assert capsys.readouterr().err == f"redis-actions: {expected}\n"
