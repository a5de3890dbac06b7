"""Tests of `airflow.sensors`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from redis_enterprise_actions.airflow import RedisEnterpriseActionSensor
from tests.airflow.conftest import context_of
from tests.airflow.raised import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from tests.airflow.test_operators import end


def sensor(**options: object) -> RedisEnterpriseActionSensor:
    """Return a sensor for one reference."""
    return RedisEnterpriseActionSensor(task_id="s", ref="export:1", **options)


def test_deferred() -> None:
    """The sensor defers at once, with the shorter timeout as its deadline."""
    op = sensor(timeout=600, execution_timeout=timedelta(hours=1), stall_timeout=60)
    with pytest.raises(TaskDeferred) as caught:
        op.execute(context_of())  # type: ignore[arg-type]
    trigger = caught.value.trigger.serialize()[1]

    assert (trigger["ref"], trigger["stall_timeout"]) == ("export:1", 60)
    assert trigger["cancel_on_kill"] is False
    assert 590 < (trigger["deadline"] - datetime.now(UTC)).total_seconds() <= 600


def test_completed() -> None:
    """The finished action is returned."""
    assert sensor().execute_complete(context_of(), end()) == {"uid": "a1"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "raised"),
    [
        ("WaitTimeout", AirflowSensorTimeout),
        ("ActionFailed", AirflowFailException),
        ("ClusterUnreachable", AirflowException),
    ],
)
def test_failures(outcome: str, raised: type[Exception]) -> None:
    """Each end raises its Airflow exception, and a timeout that of sensors."""
    with pytest.raises(raised, match="words") as caught:
        sensor().execute_complete(context_of(), end(outcome))  # type: ignore[arg-type]

    assert type(caught.value) is raised


def test_soft_fail() -> None:
    """With `soft_fail`, the task is skipped instead."""
    with pytest.raises(AirflowSkipException):
        sensor(soft_fail=True).resume_execution(
            "execute_complete",
            {"event": end("ActionFailed")},
            context_of(),  # type: ignore[arg-type]
        )
