"""Tests of `_cli.doctor.cluster_checks`: its results, by answer of the cluster."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import ClusterUnreachable, RequestRejected
from redis_enterprise_actions._cli.doctor import cluster_checks as checks
from redis_enterprise_actions._cli.doctor.result import CheckResult, Level


LOST = ClusterUnreachable("GET", "/v1/nodes", reason="it hung up")
MOVED = RequestRejected("GET", "/v1/nodes", status=307, hint="Go there")
TWO = b'[{"software_version": "7.4.6-272"}, {"software_version": "8.0.20-68"}, 7]'
NODES = b'[{"uid": 1}]'
NONE = b'{"error_code": "action_not_found"}'
ACTIONS, *_, BDBS = checks.LISTS
NO_MASTER = b'{"1": {"role": "slave"}, "2": 3}'


@pytest.mark.parametrize(
    ("result", "level", "expected"),
    [
        (checks.refused("ops", LOST, grants_tokens=False), Level.FAILURE, "unclear whether"),
        (checks.version(200, TWO), Level.WARNING, "nodes run 7.4.6-272, 8.0.20-68. To do: finish"),
        (checks.version(404, b""), Level.WARNING, "does not contain it"),
        (checks.primary(200, NO_MASTER), Level.WARNING, "does not name it"),
        (checks.primary(200, b'{"2": {"role": "master"}}'), Level.OK, "node 2 is the primary"),
        (checks.accepted("ops", 200, TWO), Level.WARNING, "/v1/nodes answers 200, without"),
        (
            checks.accepted("ops", 404, NODES),
            Level.WARNING,
            "/v1/nodes answers 404, without a list",
        ),
        (checks.accepted("ops", 200, NODES), Level.OK, "accepts ops"),
        (checks.accepted("ops", 403), Level.OK, "accepts ops"),
        (checks.allowed(ACTIONS, 404, b""), Level.FAILURE, "/v1/actions does not exist (404)"),
        (checks.allowed(ACTIONS, 404, NONE), Level.WARNING, "/v1/actions does not exist (404)"),
        (checks.allowed(ACTIONS, 200, b"<html>"), Level.FAILURE, "answers 200 without a list"),
        (checks.allowed(ACTIONS, 200, b"{}"), Level.FAILURE, "answers 200 without a list"),
        (checks.allowed(ACTIONS, 204, b""), Level.FAILURE, "answers 204 without a list"),
        (checks.allowed(ACTIONS, 200, b"[]"), Level.OK, "may see actions"),
        (
            checks.allowed(BDBS, 200, b"<html>"),
            Level.WARNING,
            "/v1/bdbs answers 200 without a list",
        ),
        (checks.allowed(BDBS, 200, b"7"), Level.WARNING, "/v1/bdbs answers 200 without a list"),
        (checks.allowed(BDBS, 200, b"[]"), Level.OK, "may see databases"),
        (checks.v2_actions(404, b""), Level.OK, "not available, as before version 7.22"),
        (checks.v2_actions(200, b"<html>"), Level.WARNING, "answers 200 without a list"),
        (checks.v2_actions(200, b"[]"), Level.OK, "available"),
        (checks.denied("x", checks.V2_ACTIONS, LOST), Level.WARNING, "it hung up"),
        (checks.denied("x", checks.LISTS[0], MOVED), Level.FAILURE, "To do: Go there"),
        (checks.denied("x", checks.V2_ACTIONS, TimeoutError()), Level.WARNING, "no answer in time"),
    ],
    ids=lambda it: it.check if isinstance(it, CheckResult) else "",
)
def test_results(result: CheckResult, level: Level, expected: str) -> None:
    """Each result has its level, and says what was seen and what to do."""
    assert result.level is level
    assert expected in str(result)
