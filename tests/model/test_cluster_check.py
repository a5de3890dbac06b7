"""Tests of `_model.cluster_check`."""

from __future__ import annotations

import pickle

import msgspec
import pytest

from redis_enterprise_actions import ClusterCheck, ClusterUnhealthy, Finding, FindingKind


DOWN = Finding(FindingKind.NODE, "node 3", "down")
LOADING = Finding(FindingKind.SHARD, "shard 7 of database 2", "loading\x1b[2J\n")


@pytest.mark.parametrize(
    ("check", "is_healthy", "text"),
    [
        (ClusterCheck(), True, "healthy"),
        (ClusterCheck(findings=(DOWN,)), False, "not healthy: 1 finding"),
        (ClusterCheck(findings=(DOWN, LOADING), source="v4"), False, "not healthy: 2 findings"),
    ],
)
def test_check(check: ClusterCheck, is_healthy: bool, text: str) -> None:
    """A cluster is healthy unless something was found; the result can be stored."""
    assert (check.is_healthy, str(check)) == (is_healthy, text)
    assert pickle.loads(pickle.dumps(check)) == check
    assert msgspec.json.decode(msgspec.json.encode(check), type=ClusterCheck) == check
    assert len({check, check}) == 1


def test_finding() -> None:
    """A finding is one printable line."""
    assert (str(DOWN), str(LOADING)) == ("node 3: down", "shard 7 of database 2: loading [2J")


@pytest.mark.parametrize(("count", "end"), [(1, "node 3: down"), (5, "down"), (7, ", +2 more")])
def test_error(count: int, end: str) -> None:
    """The error names some of the findings, and has all."""
    error = ClusterUnhealthy("nothing was done", ClusterCheck(findings=(DOWN,) * count))

    assert str(error).startswith("nothing was done: node 3: down")
    assert str(error).endswith(end)
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.check) == (str(error), error.check)
