"""Tests of `examples/temporal_activity.py`, in Temporal's test environment."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import pytest
from temporal_activity import upgrade_database
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from redis_enterprise_actions.testing import Plan
from tests.engines.conftest import configured


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import FakeCluster


pytestmark = pytest.mark.enable_socket


class Attempt:
    """One attempt at the activity, with the heartbeat details of the attempt before."""

    def __init__(self, *details: str) -> None:
        self.beats: list[str] = []
        self.environment = ActivityEnvironment()
        self.environment.on_heartbeat = self.beats.append
        self.environment.info = dataclasses.replace(
            self.environment.info, heartbeat_details=list(details)
        )

    async def run(self) -> str:
        return await self.environment.run(upgrade_database, 1)


def calls(cluster: FakeCluster) -> int:
    """Return the number of calls for an upgrade."""
    return sum(seen.path == "/v1/bdbs/1/upgrade" for seen in cluster.requests)


async def test_it_beats_until_it_is_done() -> None:
    """While the upgrade runs, a heartbeat every ten seconds carries its reference."""
    async with configured() as cluster:
        cluster.plan("POST", "/v1/bdbs/1/upgrade", Plan(duration=600))
        attempt = Attempt()
        result = await attempt.run()

        assert result.startswith("SMUpgradeBDB on bdb:1: completed")
        assert len(set(attempt.beats)) == 1
        assert attempt.beats[0].startswith("action:")
        assert 60 <= len(attempt.beats) <= 64


async def test_it_resumes() -> None:
    """The attempt after a worker's death waits for the same upgrade, and starts none."""
    async with configured() as cluster:
        cluster.plan("POST", "/v1/bdbs/1/upgrade", Plan(duration=600))
        first = Attempt()
        dying = asyncio.create_task(first.run())
        await asyncio.sleep(100)
        first.environment.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dying
        second = Attempt(first.beats[-1])
        result = await second.run()

        assert result.startswith("SMUpgradeBDB on bdb:1: completed")
        assert set(second.beats) == set(first.beats)
        assert calls(cluster) == 1


async def test_a_lost_answer() -> None:
    """If the answer to the call is lost, the wait follows the database."""
    async with configured() as cluster:
        cluster.plan("POST", "/v1/bdbs/1/upgrade", Plan(duration=600))
        cluster.inject(path="/v1/bdbs/1/upgrade", lose=True)
        result = await Attempt().run()

        assert result == "database 1: active [bdb:1]"
        assert asyncio.get_running_loop().time() > 600
        assert calls(cluster) == 1


async def test_a_failure_is_not_tried_again() -> None:
    """An upgrade that failed fails the workflow's step at once, with the cluster's words."""
    async with configured() as cluster:
        cluster.plan("POST", "/v1/bdbs/1/upgrade", Plan(outcome="failed", error="no memory"))
        with pytest.raises(ApplicationError, match="no memory") as caught:
            await Attempt().run()

        assert (caught.value.type, caught.value.non_retryable) == ("ActionFailed", True)
