"""Write an example of a report: a night of maintenance on a fake cluster, in a second.

    python docs/example_report.py docs/report.svg report.html report.md report.json

The event loop's clock is virtual, and the wall clock shows a night in March. Needs looptime, of the
dependency group `tests`.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import looptime
import msgspec

from redis_enterprise_actions import (
    ActionsClient,
    Record,
    Recorder,
    RequestError,
    WaitError,
    check_report,
    write_report,
)
from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from collections.abc import Callable


MINUTE = 60.0
EVENING = datetime(2026, 3, 1, 22, tzinfo=UTC)


class Work(NamedTuple):
    """Work to start at a minute of the night; `start` starts it and returns the reference."""

    minute: float
    start: Callable[[FakeCluster], str]
    timeout: float | None = None


def maintenance(fake: FakeCluster) -> str:
    """Put a node into maintenance mode."""
    fake.start_node_action(1, "maintenance_on", Plan(duration=11 * MINUTE))
    return "node:1/maintenance_on"


def upgrade(fake: FakeCluster) -> str:
    """Upgrade a database."""
    return fake.add_action("SMUpgradeBDB", Plan(queued=5 * MINUTE, duration=38 * MINUTE), bdb_uid=1)


def rebalance(fake: FakeCluster) -> str:
    """Start an action that does not end."""
    return fake.add_action("rebalance", Plan(outcome="never"), kind="task")


def update(fake: FakeCluster) -> str:
    """Start an action that fails."""
    return fake.add_action(
        "SMUpdateBDB",
        Plan(duration=13 * MINUTE, outcome="failed", error="not enough memory"),
        bdb_uid=2,
    )


def reshard(fake: FakeCluster) -> str:
    """Start an action that is cancelled on the cluster."""
    return fake.add_action(
        "reshard", Plan(duration=50 * MINUTE, outcome="cancelled", progress="linear"), kind="task"
    )


def create(fake: FakeCluster) -> str:
    """Start an action that outlasts the wait for it."""
    return fake.add_action("SMCreateBDB", Plan(duration=600 * MINUTE), bdb_uid=3)


NIGHT = (
    Work(0, maintenance),
    Work(14, upgrade),
    Work(20, rebalance, timeout=30 * MINUTE),
    Work(40, update),
    Work(52, reshard),
    Work(61, create),
)


async def restarts(fake: FakeCluster) -> None:
    """Restart the cluster twice."""
    for minutes, seconds in ((31, 210), (22, 25)):
        await asyncio.sleep(minutes * MINUTE)
        await fake.restart_node(1, downtime=seconds)


async def records_of_night() -> list[Record]:
    """Return the records of the waits of the night."""
    recorder = Recorder()
    async with FakeCluster() as fake:
        client = ActionsClient(fake.url, username=fake.username, password=fake.password)

        async def follow(work: Work) -> None:
            await asyncio.sleep(work.minute * MINUTE)
            operation = client.operation(work.start(fake))
            try:
                await operation.wait(timeout=work.timeout, recorder=recorder)
            except (WaitError, RequestError) as error:
                print(error)

        async with client:
            *waits, last = [asyncio.create_task(follow(work)) for work in NIGHT]
            await asyncio.gather(*waits, restarts(fake))
            last.cancel()
            await asyncio.wait([last])
    return [
        msgspec.structs.replace(record, began=EVENING + timedelta(minutes=work.minute))
        for work, record in zip(NIGHT, recorder.records(), strict=True)
    ]


def main() -> None:
    """Write the files named on the command line."""
    for path in sys.argv[1:]:
        check_report(path)
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        records = runner.run(records_of_night())
    for path in sys.argv[1:]:
        write_report(path, records)


if __name__ == "__main__":
    main()
