"""Facts about `_cluster_words`: what the cluster answers to one whom it knows, in words."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import ClusterUnreachable, RequestRejected
from redis_enterprise_actions._cli.doctor import cluster as words
from redis_enterprise_actions._cli.doctor.result import CheckResult, Level


LOST = ClusterUnreachable("GET", "/v1/nodes", reason="it hung up")
MOVED = RequestRejected("GET", "/v1/nodes", status=307, hint="Go there")
TWO = b'[{"software_version": "7.4.6-272"}, {"software_version": "8.0.20-68"}, 7]'
NODES = b'[{"uid": 1}]'
NONE = b'{"error_code": "action_not_found"}'
ACTIONS, *_, BDBS = words.LISTS
NO_MASTER = b'{"1": {"role": "slave"}, "2": 3}'


@pytest.mark.parametrize(
    ("result", "level", "said"),
    [
        (words.refused("ops", LOST, tokens=False), Level.FAILURE, "cannot be told whether"),
        (words.version(200, TWO), Level.WARNING, "nodes run 7.4.6-272, 8.0.20-68. To do: end"),
        (words.version(404, b""), Level.WARNING, "does not tell it"),
        (words.primary_node(200, NO_MASTER), Level.WARNING, "does not tell it"),
        (words.primary_node(200, b'{"2": {"role": "master"}}'), Level.OK, "node 2 is the primary"),
        (words.accepted("ops", 200, TWO), Level.WARNING, "/v1/nodes answers 200, and no list"),
        (words.accepted("ops", 404, NODES), Level.WARNING, "/v1/nodes answers 404, and no list"),
        (words.accepted("ops", 200, NODES), Level.OK, "accepts ops"),
        (words.accepted("ops", 403), Level.OK, "accepts ops"),
        (words.credentials_not_sent(), Level.FAILURE, "no node can be asked"),
        (words.nothing_visible(), Level.FAILURE, "none of this can be seen"),
        (words.allowed(ACTIONS, 404, b""), Level.FAILURE, "/v1/actions is not there (404)"),
        (words.allowed(ACTIONS, 404, NONE), Level.WARNING, "/v1/actions is not there (404)"),
        (words.allowed(ACTIONS, 200, b"<html>"), Level.FAILURE, "answers 200 with what is no list"),
        (words.allowed(ACTIONS, 200, b"{}"), Level.FAILURE, "answers 200 with what is no list"),
        (words.allowed(ACTIONS, 204, b""), Level.FAILURE, "answers 204 with what is no list"),
        (words.allowed(ACTIONS, 200, b"[]"), Level.OK, "may see actions"),
        (words.allowed(BDBS, 200, b"<html>"), Level.WARNING, "/v1/bdbs answers 200 with what"),
        (words.allowed(BDBS, 200, b"7"), Level.WARNING, "/v1/bdbs answers 200 with what"),
        (words.allowed(BDBS, 200, b"[]"), Level.OK, "may see databases"),
        (words.v2_actions(404, b""), Level.OK, "not there, as on versions before 7.22"),
        (words.v2_actions(200, b"<html>"), Level.WARNING, "answers 200 with what is no list"),
        (words.v2_actions(200, b"[]"), Level.OK, "there"),
        (words.denied("x", words.V2, LOST), Level.WARNING, "it hung up"),
        (words.denied("x", words.LISTS[0], MOVED), Level.FAILURE, "To do: Go there"),
        (words.denied("x", words.V2, TimeoutError()), Level.WARNING, "no answer in time"),
    ],
    ids=lambda it: it.check if isinstance(it, CheckResult) else "",
)
def test_words(result: CheckResult, level: Level, said: str) -> None:
    """Each result says what was seen and what to do, and how bad it is."""
    assert result.level is level
    assert said in str(result)
