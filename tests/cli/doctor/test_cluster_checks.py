"""Tests of `_cli.doctor.cluster_checks`: its results, by answer of the cluster."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import ClusterUnreachable, RequestRejected
from redis_enterprise_actions._cli.doctor import cluster_checks as checks
from redis_enterprise_actions._cli.doctor.result import CheckResult, Level
from redis_enterprise_actions._client.http.messages import Reply


LOST = ClusterUnreachable("GET", "/v1/nodes", reason="it hung up")
MOVED = RequestRejected("GET", "/v1/nodes", status=307, hint="Go there")
TWO = b'[{"uid": 1, "software_version": "7.4.6-272"}, {"software_version": "8.0.20-68"}]'
NODES = b'[{"uid": 1}]'
NONE = b'{"error_code": "action_not_found"}'
ACTIONS, *_, BDBS, V2 = checks.LISTS


def reply(status: int, body: bytes) -> Reply:
    """Return an answer."""
    return Reply(status, body, {})


@pytest.mark.parametrize(
    ("result", "level", "expected"),
    [
        (
            checks.version(reply(200, TWO)),
            Level.WARNING,
            "Redis Software 7.4.6-272, 8.0.20-68. Finish the upgrade",
        ),
        (checks.version(reply(404, b"")), Level.WARNING, "does not contain it"),
        (checks.version(MOVED), Level.WARNING, "the cluster answered 307. Go there"),
        (
            checks.accepted("ops", reply(200, b"[]")),
            Level.WARNING,
            "/v1/nodes answers 200, without a list of nodes",
        ),
        (checks.accepted("ops", reply(200, NODES)), Level.OK, "accepts ops"),
        (checks.accepted("ops", MOVED), Level.OK, "accepts ops"),
        (checks.visible(ACTIONS, reply(404, b"")), Level.FAILURE, "Use the URL of the REST API"),
        (checks.visible(BDBS, reply(404, b"")), Level.WARNING, "Use the URL of the REST API"),
        (checks.visible(ACTIONS, reply(404, NONE)), Level.WARNING, "/v1/actions answers 404"),
        (checks.visible(ACTIONS, reply(200, b"<")), Level.FAILURE, "answers 200 without a list"),
        (checks.visible(ACTIONS, reply(200, b"{}")), Level.FAILURE, "answers 200 without a list"),
        (checks.visible(ACTIONS, reply(204, b"")), Level.FAILURE, "answers 204 without a list"),
        (checks.visible(ACTIONS, reply(200, b"[]")), Level.OK, "may see actions"),
        (checks.visible(BDBS, reply(200, b"<")), Level.WARNING, "answers 200 without a list"),
        (checks.visible(BDBS, reply(200, b"7")), Level.WARNING, "answers 200 without a list"),
        (checks.visible(BDBS, reply(200, b"[]")), Level.OK, "may see databases"),
        (checks.visible(V2, reply(404, b"")), Level.OK, "not in this list, as before version 7.22"),
        (checks.visible(V2, reply(200, b"<")), Level.WARNING, "answers 200 without a list"),
        (checks.visible(V2, LOST), Level.WARNING, "exports and imports: no usable answer"),
        (checks.visible(ACTIONS, MOVED), Level.FAILURE, "the cluster answered 307. Go there"),
        (checks.visible(BDBS, TimeoutError()), Level.WARNING, "databases: no answer in time"),
    ],
    ids=lambda it: it.check if isinstance(it, CheckResult) else "",
)
def test_results(result: CheckResult, level: Level, expected: str) -> None:
    """Each result has its level, and says what was seen and what to do."""
    assert result.level is level
    assert expected in str(result)
