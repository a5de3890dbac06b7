"""Tests of `airflow.triggers`."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.airflow import RedisEnterpriseTrigger
from redis_enterprise_actions.airflow import client_cache as _shared
from redis_enterprise_actions.airflow.triggers import _CLASS
from redis_enterprise_actions.testing import Plan
from tests.airflow.conftest import CONN_ID, again, connection_to


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions.testing import FakeCluster


def trigger_for(ref: str, **options: object) -> RedisEnterpriseTrigger:
    """Return a trigger for a reference."""
    return RedisEnterpriseTrigger(redis_enterprise_conn_id=CONN_ID, ref=ref, **options)  # type: ignore[arg-type]


async def fire(trigger: RedisEnterpriseTrigger) -> dict[str, object]:
    """Run a trigger as a triggerer does; return the payload of its one event."""
    (event,) = [event async for event in trigger.run()]
    json.dumps(event.payload)
    return event.payload


async def test_completed(connected: FakeCluster, lines: Callable[[], list[str]]) -> None:
    """The event holds the finished action, and the log each change on the way."""
    uid = connected.add_action("SMUpgradeBDB", Plan(duration=3600))
    event = await fire(trigger_for(uid))

    assert (event["outcome"], event["ref"]) == ("completed", uid)
    assert event["action"]["phase"] == "completed"  # type: ignore[index]
    first, *others, last = [line for line in lines() if "SMUpgradeBDB" in line]
    assert "active" in first
    assert "completed" in last
    assert others


@pytest.mark.parametrize(
    ("name", "plan", "options", "outcome"),
    [
        ("SMUpdateBDB", Plan(outcome="failed"), {}, "ActionFailed"),
        ("SMUpdateBDB", Plan(outcome="never"), {"stall_timeout": 60}, "ActionStalled"),
        ("retry_bdb", Plan(outcome="cancelled"), {}, "ActionCancelled"),
    ],
)
async def test_failures(
    connected: FakeCluster, name: str, plan: Plan, options: dict[str, object], outcome: str
) -> None:
    """Each failure has its name, its message, and the action as last seen."""
    uid = connected.add_action(name, plan)
    event = await fire(trigger_for(uid, **options))

    assert event["outcome"] == outcome
    assert uid in str(event["message"])
    assert event["action"]["uid"] == uid  # type: ignore[index]


async def test_nothing_there(connected: FakeCluster) -> None:
    """The event for an unknown action has no action."""
    event = await fire(trigger_for("nothing"))

    assert (event["outcome"], event["action"]) == ("ActionNotFound", None)


async def test_unreachable(connected: FakeCluster) -> None:
    """An outage that outlasts its budget is an end like any other."""
    uid = connected.add_action(plan=Plan(outcome="never"))
    connected.inject(times=None, status=503)
    event = await fire(trigger_for(uid, outage_timeout=60))

    assert event["outcome"] == "ClusterUnreachable"


async def test_malformed_reference(connected: FakeCluster) -> None:
    """A malformed reference ends the wait, and does not fail the trigger."""
    assert (await fire(trigger_for("bdb:one")))["outcome"] == "UsageError"


@pytest.mark.parametrize(
    ("ends", "outcome"), [(5.0, "completed"), (None, "WaitTimeout")], ids=["done", "running"]
)
async def test_timeout_that_is_over(
    connected: FakeCluster, ends: float | None, outcome: str
) -> None:
    """A triggerer that restarts after the timeout polls once before it gives up."""
    uid = connected.add_action(plan=Plan(duration=ends or 3600))
    await asyncio.sleep(10)
    over = datetime.now(UTC) - timedelta(minutes=1)

    event = await fire(trigger_for(uid, started_at=over, timeout=30.0))

    assert event["outcome"] == outcome
    assert len(connected.requests) == 1


async def test_timeout_ahead(connected: FakeCluster) -> None:
    """The timeout counts in wall-clock time: the wait gets the time that is left."""
    uid = connected.add_action(plan=Plan(outcome="never"))
    began = asyncio.get_running_loop().time()
    event = await fire(trigger_for(uid, started_at=datetime.now(UTC), timeout=600.0))

    assert event["outcome"] == "WaitTimeout"
    assert 590 < asyncio.get_running_loop().time() - began < 610


def test_what_is_serialised() -> None:
    """The connection's id, the reference, the condition and the limits are serialised."""
    start = datetime(2030, 1, 1, tzinfo=UTC)
    options = {"until": "available", "hold": 30.0, "timeout": 60.0, "stall_timeout": 5.0}
    trigger = trigger_for("export:1", started_at=start, cancel_on_kill=True, **options)

    assert trigger.serialize() == (
        "redis_enterprise_actions.airflow.triggers.RedisEnterpriseTrigger",
        {
            "redis_enterprise_conn_id": CONN_ID,
            "ref": "export:1",
            "until": "available",
            "hold": 30.0,
            "started_at": start,
            "timeout": 60.0,
            "stall_timeout": 5.0,
            "outage_timeout": 300.0,
            "cancel_on_kill": True,
        },
    )
    assert again(trigger).serialize() == trigger.serialize()
    assert trigger.serialize()[0] == _CLASS


async def test_killed_triggerer(connected: FakeCluster) -> None:
    """After a kill, a trigger of the same serialised form continues; nothing is cancelled."""
    connected.add_bdb(1)
    uid = connected.add_action("SMUpgradeBDB", Plan(duration=600))
    first = trigger_for(uid, cancel_on_kill=True)
    task = asyncio.create_task(fire(first))
    await asyncio.sleep(60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await first.cleanup()

    assert (await fire(again(first)))["outcome"] == "completed"
    assert {seen.method for seen in connected.requests} == {"GET"}


async def test_password_changed(connected: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that is changed on the cluster and in the connection ends no wait."""
    uid = connected.add_action(plan=Plan(duration=600))
    task = asyncio.create_task(fire(trigger_for(uid)))
    await asyncio.sleep(60)
    connected.password = "hunter2-hunter2"
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", connection_to(connected))

    assert (await task)["outcome"] == "completed"


async def test_password_refused(connected: FakeCluster) -> None:
    """A password that is refused, and is still the connection's, ends the wait."""
    uid = connected.add_action(plan=Plan(duration=600))
    connected.password = "hunter2-hunter2"

    assert (await fire(trigger_for(uid)))["outcome"] == "AuthenticationError"
    assert len(connected.requests) == 1


async def test_many_share(connected: FakeCluster) -> None:
    """Thirty waits are served by one list, and leave nothing open."""
    uids = [connected.add_action("retry_bdb", Plan(duration=600)) for _ in range(30)]
    events = await asyncio.gather(*(fire(trigger_for(uid)) for uid in uids))

    assert [event["outcome"] for event in events] == ["completed"] * 30
    lists = [seen for seen in connected.requests if seen.path == "/v1/actions"]
    assert len(connected.requests) - len(lists) < 5
    assert _shared._CLIENTS[asyncio.get_running_loop()] == {}


@pytest.mark.parametrize(
    ("is_cancelling", "ref", "deleted", "expected"),
    [
        (True, "node:1/maintenance_on", 1, "is being cancelled"),
        (False, "node:1/maintenance_on", 0, "goes on: only an operator with cancel_on_kill=True"),
        (True, "export:1", 0, "cannot be cancelled"),
    ],
    ids=["requested", "not requested", "not documented"],
)
async def test_on_kill(
    connected: FakeCluster,
    lines: Callable[[], list[str]],
    is_cancelling: bool,
    ref: str,
    deleted: int,
    expected: str,
) -> None:
    """A user's kill cancels the work with `cancel_on_kill` if the API can, or logs a warning."""
    connected.add_bdb(1)
    connected.plan("POST", "/v1/", Plan(duration=3600))
    await start_maintenance(connected)
    await trigger_for(ref, cancel_on_kill=is_cancelling).on_kill()

    assert sum(seen.method == "DELETE" for seen in connected.requests) == deleted
    assert expected in lines()[-1]


async def start_maintenance(cluster: FakeCluster) -> None:
    """Start work that can be cancelled."""
    from redis_enterprise_actions.airflow import RedisEnterpriseHook  # noqa: PLC0415

    async with (await RedisEnterpriseHook().aget_settings()).make_client() as client:
        await client.nodes.maintenance_on(1)
