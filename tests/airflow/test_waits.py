"""Tests of `airflow.waits`: limits, times in messages, and lines in the log."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import (
    ActionFailed,
    ActionNotFound,
    ActionStalled,
    ClusterUnreachable,
    RequestRejected,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions.airflow.hooks import RedisEnterpriseHook
from redis_enterprise_actions.airflow.waits import Wait, duration_text, seconds, shorter
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from redis_enterprise_actions import Action
    from redis_enterprise_actions.testing import FakeCluster


def wait_for(ref: str, *, begun: float = 0.0, **options: object) -> Wait:
    """Return a wait for work whose call was made some seconds ago."""
    return Wait(ref=ref, started_at=datetime.now(UTC) - timedelta(seconds=begun), **options)  # type: ignore[arg-type]


async def run(wait: Wait, log: list[str] | None = None, **options: float) -> Action:
    """Wait, and collect the lines of the log with the seconds at which they came."""
    clock = asyncio.get_running_loop().time
    began, lines = clock(), [] if log is None else log

    def add(line: str, *arguments: object) -> None:
        lines.append(f"{clock() - began:.0f}: {line % arguments}")

    async with (await RedisEnterpriseHook().aget_settings()).make_client() as client:
        return await wait.run(client, add, **options)


async def test_first_line(connected: FakeCluster) -> None:
    """The first line says what is waited for, until when, and for how long at most."""
    connected.add_bdb(1)
    log: list[str] = []
    await run(wait_for("bdb:1@available", hold=2.0, timeout=7200.0), log)

    assert log[0] == "0: waiting for 'bdb:1@available' for 2s, for at most 2h"


async def test_line_from_time_to_time(connected: FakeCluster) -> None:
    """A wait in which nothing changes says what is known: after a minute, then less often."""
    uid = connected.add_action("retry_bdb", Plan(outcome="never"))
    log: list[str] = []
    with pytest.raises(WaitTimeout):
        await run(wait_for(uid, begun=600.0, timeout=3600.0), log)
    lines = [line for line in log if "still waiting" in line]

    times = [int(line.partition(":")[0]) for line in lines]
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses == [120, 240, 480, 600, 600, 600]
    assert re.fullmatch(
        rf"\d+: still waiting for '{uid}' after 11m.*: retry_bdb: running.*", lines[0]
    )


async def test_line_about_an_outage(connected: FakeCluster) -> None:
    """The line of an outage has its duration, and the error."""
    uid = connected.add_action(plan=Plan(outcome="never"))
    connected.inject(times=None, status=503)
    log: list[str] = []
    with pytest.raises(ClusterUnreachable):
        await run(wait_for(uid, outage_timeout=200.0), log)

    assert any("not seen yet" in line for line in log)
    assert any("no usable answer for 1m: " in line and "503" in line for line in log)


@pytest.mark.parametrize(
    ("plan", "options", "error", "text"),
    [
        (Plan(outcome="never"), {"timeout": 20.0}, WaitTimeout, "timed out after 20s"),
        (Plan(outcome="never"), {"stall_timeout": 60.0}, ActionStalled, "stalled after 1m 1[1-4]s"),
        (Plan(duration=30, outcome="failed"), {}, ActionFailed, "failed after 3[2-9]s"),
    ],
)
async def test_times_count_from_the_call(
    connected: FakeCluster,
    plan: Plan,
    options: dict[str, float],
    error: type[Exception],
    text: str,
) -> None:
    """A triggerer that begins 2.5 s after the call counts from the call."""
    uid = connected.add_action(plan=plan)
    with pytest.raises(error, match=text):
        await run(wait_for(uid, begun=2.5, **options))


async def test_time_of_an_outage_counts_from_the_call(connected: FakeCluster) -> None:
    """So does the error about an outage."""
    connected.inject(times=None, status=503)
    with pytest.raises(ClusterUnreachable, match=r"after 1m 1[0-9]s"):
        await run(wait_for("a1", begun=12.0, outage_timeout=60.0))


async def test_name_that_cannot_be_looked_up(connected: FakeCluster) -> None:
    """An error before the wait has no duration."""
    connected.inject(times=None, status=400)
    with pytest.raises(RequestRejected, match=r"^GET /v1/bdbs: the cluster answered 400"):
        await run(wait_for("bdb:name:cache", begun=5.0))


async def test_limit(connected: FakeCluster) -> None:
    """A wait ends after `limit`, with a message about the timeout."""
    uid = connected.add_action(plan=Plan(outcome="never"))
    clock = asyncio.get_running_loop().time
    began = clock()
    with pytest.raises(WaitTimeout, match="after 20s"):
        await run(wait_for(uid, timeout=20.0), limit=15.0)

    assert 14 < clock() - began < 17.5


async def test_grace(connected: FakeCluster) -> None:
    """`not_found_grace` is passed on."""
    clock = asyncio.get_running_loop().time
    began = clock()
    with pytest.raises(ActionNotFound):
        await run(wait_for("nothing"), not_found_grace=0.0)

    assert clock() - began < 5


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"ref": "bdb:one"}, "'bdb:one' is not a reference"),
        ({"ref": "bdb:1", "until": "avalable"}, "until='avalable' is none of"),
        ({"ref": "node:1/remove", "until": "available"}, "is for work on one database"),
        ({"ref": "crdb:mine", "until": "available"}, "is for work on one database"),
        ({"ref": "bdb:1", "hold": 5.0}, "a hold is for conditions"),
    ],
)
async def test_check(connected: FakeCluster, options: dict[str, object], problem: str) -> None:
    """A reference or a condition that cannot work is found without a request."""
    async with (await RedisEnterpriseHook().aget_settings()).make_client() as client:
        with pytest.raises(UsageError, match=problem):
            wait_for(**options).check(client)  # type: ignore[arg-type]

    assert connected.requests == []


async def test_until(connected: FakeCluster) -> None:
    """A condition is waited for after the work."""
    connected.add_bdb(1)
    uid = connected.add_action("SMUpdateBDB", Plan(duration=5), bdb_uid=1)

    await run(wait_for(uid, until="available"))

    assert connected.requests[-1].path == "/v1/bdbs/1/availability"


@pytest.mark.parametrize(
    ("length", "text"),
    [(0, "0s"), (20.4, "20s"), (60, "1m"), (4210, "1h 10m"), (90061, "1d 1h")],
)
def test_duration_text(length: float, text: str) -> None:
    """A duration is shown in its two largest units."""
    assert duration_text(length) == text


def test_limits() -> None:
    """A limit is seconds; the shorter one counts, and None is endless."""
    assert seconds(timedelta(minutes=1), "timeout") == 60
    assert seconds(float("inf"), "timeout") is None
    assert shorter(None, 5.0, 3.0) == 3.0
    assert shorter(None, None) is None
