"""Tests of `examples/prefect_task.py`, with a Prefect server for each test."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest


os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # before Prefect reads its settings

from prefect.testing.utilities import prefect_test_harness
from prefect_task import await_upgrade, upgrade_database

from redis_enterprise_actions import ActionFailed
from redis_enterprise_actions.testing import Plan
from tests.engines.conftest import configured


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.filterwarnings("default"),  # Prefect warns of much, none of it ours
]


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    """A server of Prefect's, on this machine, for all tests of this file."""
    with prefect_test_harness(server_startup_timeout=120):
        yield


def test_it_upgrades() -> None:
    """The flow starts one upgrade, and says how that ended."""

    async def upgraded() -> tuple[str, int]:
        async with configured() as cluster:
            cluster.plan("POST", "/v1/bdbs/1/upgrade", Plan(duration=0.5))
            result = await upgrade_database(1)
            return result, [seen.method for seen in cluster.requests].count("POST")

    result, calls = asyncio.run(upgraded())

    assert result.startswith("SMUpgradeBDB on bdb:1: completed")
    assert calls == 1


def test_a_failure_is_not_tried_again() -> None:
    """An upgrade that failed fails the flow, with the cluster's words, at once."""

    async def fails() -> None:
        async with configured() as cluster:
            cluster.plan(
                "POST", "/v1/bdbs/1/upgrade", Plan(duration=0, outcome="failed", error="full")
            )
            await upgrade_database(1)

    with pytest.raises(ActionFailed, match="full"):
        asyncio.run(fails())


def test_out_of_reach() -> None:
    """A wait that fails is retried by reference; no work is started again."""

    async def refused_once() -> tuple[str, int]:
        async with configured() as cluster:
            uid = cluster.add_action("SMUpgradeBDB", Plan(duration=0.5))
            cluster.inject(status=403)
            result = await await_upgrade.with_options(retry_delay_seconds=0)(f"action:{uid}")
            return result, [seen.method for seen in cluster.requests].count("POST")

    result, calls = asyncio.run(refused_once())

    assert result.startswith("SMUpgradeBDB on bdb:1: completed")
    assert calls == 0
