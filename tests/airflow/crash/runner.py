"""The process in which a thousand triggers run; reads their uids, and prints what it came to."""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import sys
import time
from collections import Counter

from airflow.executors.workloads import RunTrigger
from airflow.jobs.triggerer_job_runner import TriggerRunner
from airflow.models.trigger import Trigger

from redis_enterprise_actions.airflow import RedisEnterpriseTrigger
from tests.airflow.conftest import CONN_ID


async def run(uids: list[str]) -> dict[str, object]:
    """Run a trigger for each uid, as a triggerer's process does."""
    runner = TriggerRunner()
    before, began, used = memory(), time.monotonic(), time.process_time()
    for number, uid in enumerate(uids, 1):
        runner.to_create.append(workload(number, uid))
    await runner.create_triggers()
    while runner.triggers:
        await runner.cleanup_finished_triggers()
        await asyncio.sleep(1)
    assert not runner.failed_triggers, runner.failed_triggers
    return {
        "outcomes": Counter(entry.event.payload["outcome"] for entry in runner.events),
        "seconds": time.monotonic() - began,
        "processor": time.process_time() - used,
        "before": before,
        "after": memory(),
    }


def workload(number: int, uid: str) -> RunTrigger:
    """Return the workload that a triggerer's process gets for one trigger."""
    trigger = RedisEnterpriseTrigger(redis_enterprise_conn_id=CONN_ID, ref=uid)
    classpath, arguments = trigger.serialize()
    return RunTrigger(
        id=number, classpath=classpath, encrypted_kwargs=Trigger.encrypt_kwargs(arguments)
    )


def memory() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    logging.disable(logging.INFO)
    print(json.dumps(asyncio.run(run(json.load(sys.stdin)))))
