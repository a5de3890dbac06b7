"""Tries of an operator's task: what it does, and what its trigger would report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.airflow.events import WaitEvent
from redis_enterprise_actions.airflow.operators import RedisEnterpriseOperator
from tests.airflow.raised import TaskDeferred


if TYPE_CHECKING:
    from redis_enterprise_actions.airflow.base import RedisEnterpriseBaseOperator
    from tests.threaded_cluster import ThreadedCluster

ENDED: dict[str, object] = {"uid": "a1", "phase": "completed"}
UPGRADE = "/v1/bdbs/1/upgrade"


def operator(path: str = UPGRADE, **options: object) -> RedisEnterpriseOperator:
    """Return an operator that makes a call, and leaves the wait to a triggerer."""
    arguments = {"method": "POST", "path": path, "deferrable": True, **options}
    return RedisEnterpriseOperator(task_id="t", **arguments)


def deferred(op: RedisEnterpriseBaseOperator, context: dict[str, object]) -> TaskDeferred:
    """Run a try until it defers."""
    with pytest.raises(TaskDeferred) as caught:
        op.execute(context)  # type: ignore[arg-type]
    return caught.value


def posted(server: ThreadedCluster) -> list[str]:
    """Return the paths of the calls to the cluster."""
    return [seen.path for seen in server.cluster.requests if seen.method == "POST"]


def end(outcome: str = "completed", ref: str = "action:a1") -> WaitEvent:
    """Return the payload of a trigger's event."""
    return WaitEvent(v=1, ref=ref, outcome=outcome, message="words", action=ENDED)
