"""Tests of one stale "not found" for work that was seen, as after a failover, over sockets."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionsClient, ActionVanished, Phase
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.enable_socket

PLAN = Plan(duration=60)


def action_of(cluster: FakeCluster) -> str:
    """Start an action, and return its reference."""
    return f"action:{cluster.add_action('retry_bdb', PLAN)}"


def deletion_of(cluster: FakeCluster) -> str:
    """Start the deletion of a database."""
    return f"action:{cluster.add_action('SMDeleteBDB', PLAN, bdb_uid=7)}@bdb:7"


def node_action_of(cluster: FakeCluster) -> str:
    """Start an action of a node."""
    return f"node:2/maintenance_on@{cluster.start_node_action(2, 'maintenance_on', PLAN)}"


def removal_of(cluster: FakeCluster) -> str:
    """Start the removal of a node."""
    return f"node:2/remove@{cluster.start_node_action(2, 'remove', PLAN)}"


def task_of(cluster: FakeCluster) -> str:
    """Start a task of an Active-Active database."""
    return f"crdb:{cluster.start_crdb_task(plan=PLAN)}"


def export_of(cluster: FakeCluster) -> str:
    """Start an export."""
    cluster.start_transfer(1, "export", PLAN)
    return "export:1"


STARTS = [action_of, deletion_of, node_action_of, removal_of, task_of, export_of]


@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.__name__)
@pytest.mark.parametrize("code", ["action_not_found", "db_not_found", "not_found"])
async def test_after_a_failover(start: Callable[[FakeCluster], str], code: str) -> None:
    """A node that has just taken over, and does not know the work yet, ends no wait."""
    async with FakeCluster(nodes=3) as cluster:
        cluster.add_bdb(1)
        ref = start(cluster)
        async with ActionsClient(
            cluster.urls, username=cluster.username, password=cluster.password
        ) as client:
            wait = asyncio.create_task(client.wait_for(ref, timeout=300))
            await asyncio.sleep(20)
            await cluster.stop_node(1)
            for path in ("/v1/actions/", "/v1/nodes/", "/v1/crdb_tasks/", "/v1/bdbs/"):
                body = json.dumps({"error_code": code, "description": "not yet"})
                cluster.inject(times=1, path=path, status=404, body=body, method="GET")
            (ended,) = await wait

    assert ended.phase is Phase.COMPLETED
    assert ended.record.elapsed == pytest.approx(60, abs=8)


async def test_gone_for_good(cluster: FakeCluster) -> None:
    """Work that is gone has vanished with the second answer, five seconds later, and not sooner."""
    uid = cluster.add_action("retry_bdb", Plan(duration=10, outcome="vanishes"))
    async with client_of(cluster) as client:
        with pytest.raises(ActionVanished, match="how it ended is unknown") as caught:
            await client.wait_for_action(uid)

    assert caught.value.elapsed == pytest.approx(15, abs=2)
    looks = [each.time for each in cluster.requests if each.path == f"/v1/actions/{uid}"]
    assert looks[-1] - looks[-2] == pytest.approx(5, abs=0.5)
