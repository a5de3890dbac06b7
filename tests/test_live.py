"""Tests of `pytest --live`, which starts nothing on the cluster of the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from tests.threaded_cluster import ThreadedCluster

pytestmark = [pytest.mark.enable_socket, pytest.mark.system]

ROOT = Path(__file__).parent.parent


def live(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests against a cluster."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--live", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_on_a_cluster(threaded: ThreadedCluster) -> None:
    """All tests of `tests/live` pass on a cluster, whatever it does, and change nothing there."""
    for outcome in ("completed", "failed"):
        threaded.add("SMUpdateBDB", Plan(duration=0, outcome=outcome), bdb_uid=1)
    threaded.add("retry_bdb", Plan(duration=0), node_uid=1)
    threaded.add("SMUpdateBDB", Plan(outcome="never"), bdb_uid=2)
    threaded.add("export", Plan(duration=0), bdb_uid=3)
    ran = live("tests/live")

    assert ran.returncode == 0, ran.stdout
    assert "9 passed" in ran.stdout
    assert {request.method for request in threaded.cluster.requests} == {"GET"}


def test_sees_a_strange_word(threaded: ThreadedCluster) -> None:
    """An unknown status fails a test: the tests are there to find such words."""
    threaded.cluster.inject(status=200, body='{"actions": [{"action_uid": "a", "status": "odd"}]}')
    ran = live("tests/live", "-k", "test_lists and actions")

    assert ran.returncode == 1
    assert "odd" in ran.stdout


def test_without_a_cluster() -> None:
    """With `--live` no other tests run; without a cluster the tests are skipped, with a reason."""
    ran = live("tests/live", "tests/test_live.py")

    assert ran.returncode == 0, ran.stdout
    assert "no cluster is given: REDIS_ENTERPRISE_URL is not set" in ran.stdout
    assert "9 skipped" in ran.stdout
    assert " passed" not in ran.stdout


def test_not_by_default() -> None:
    """Without `--live` the tests are not run."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/live"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert "9 deselected" in ran.stdout
    assert "::" not in ran.stdout
