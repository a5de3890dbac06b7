"""Tests of `airflow.sensors`."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions.airflow import sensors
from redis_enterprise_actions.airflow.sensors import RedisEnterpriseActionSensor
from redis_enterprise_actions.testing import Plan
from tests.airflow.conftest import Task, context_of
from tests.airflow.raised import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from tests.airflow.tries import ENDED, end


if TYPE_CHECKING:
    from tests.threaded_cluster import ThreadedCluster


def sensor(**options: object) -> RedisEnterpriseActionSensor:
    """Return a sensor for one reference."""
    arguments = {"ref": "export:1", "deferrable": True, **options}
    return RedisEnterpriseActionSensor(task_id="s", **arguments)


def test_deferred(server: ThreadedCluster) -> None:
    """The sensor defers at once, with the shorter of its timeouts."""
    op = sensor(timeout=600, execution_timeout=timedelta(hours=1), stall_timeout=60)
    with pytest.raises(TaskDeferred) as caught:
        op.execute(context_of())  # type: ignore[arg-type]
    trigger = caught.value.trigger.serialize()[1]

    assert (trigger["ref"], trigger["stall_timeout"]) == ("export:1", 60)
    assert trigger["cancel_on_kill"] is False
    assert trigger["timeout"] == 600
    assert server.cluster.requests == []


def test_completed() -> None:
    """The finished action is returned."""
    assert sensor().execute_complete(context_of(), end()) == ENDED  # type: ignore[arg-type]


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


class PokedTask(Task):
    """Airflow's task instance of a sensor that is looked at now and then."""

    def __init__(self, begun: float = 0.0) -> None:
        super().__init__()
        self.first = datetime.now(UTC) - timedelta(seconds=begun) if begun else None

    def get_first_reschedule_date(self, context: object) -> datetime | None:
        return self.first


def poked(begun: float = 0.0) -> dict[str, object]:
    """Return the context of a look, the first of which was some seconds ago."""
    return {"ti": PokedTask(begun)}


def test_worker(server: ThreadedCluster) -> None:
    """With `mode="poke"`, the worker waits, and returns the finished action."""
    uid = server.add(plan=Plan(duration=1.5))
    result = sensor(ref=uid, deferrable=False).execute(poked())  # type: ignore[arg-type]

    assert (result["uid"], result["phase"]) == (uid, "completed")  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "raised"),
    [
        ({"timeout": 1}, AirflowSensorTimeout),
        ({"timeout": 60, "execution_timeout": timedelta(seconds=2)}, AirflowSensorTimeout),
        ({"timeout": 1, "soft_fail": True}, AirflowSkipException),
    ],
)
def test_worker_timeout(
    server: ThreadedCluster, options: dict[str, object], raised: type[Exception]
) -> None:
    """The shorter timeout ends the wait on the worker."""
    uid = server.add(plan=Plan(outcome="never"))
    began = time.monotonic()
    with pytest.raises(raised):
        sensor(ref=uid, deferrable=False, **options).execute(poked())  # type: ignore[arg-type]

    assert time.monotonic() - began < 20


def test_worker_killed(server: ThreadedCluster) -> None:
    """`on_kill` ends the wait on the worker, and cancels nothing."""
    uid = server.add(plan=Plan(outcome="never"))
    op = sensor(ref=uid, deferrable=False)
    timer = threading.Timer(1.0, op.on_kill)
    timer.start()
    with pytest.raises(AirflowException, match="was stopped"):
        op.execute(poked())  # type: ignore[arg-type]
    timer.join()

    assert {seen.method for seen in server.cluster.requests} == {"GET"}


@pytest.mark.parametrize("deferrable", [True, False])
def test_killed_before_the_wait(
    server: ThreadedCluster, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    """SIGTERM before there is a wait ends the task all the same, and starts no trigger."""
    uid = server.add(plan=Plan(outcome="never"))
    op = sensor(ref=uid, deferrable=deferrable)
    checked = sensors.checked_settings

    def killed(*arguments: object) -> object:
        op.on_kill()
        return checked(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sensors, "checked_settings", killed)
    with pytest.raises(AirflowException, match="was stopped") as caught:
        op.execute(poked())  # type: ignore[arg-type]

    assert type(caught.value) is AirflowException


def test_reschedule(server: ThreadedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `mode="reschedule"`, each look is short, and the last one returns the action."""
    monkeypatch.setattr(sensors, "_LOOK", 0.5)
    uid = server.add(plan=Plan(duration=3.0))
    options = {"ref": uid, "deferrable": False, "mode": "reschedule"}
    with pytest.raises(AirflowRescheduleException):
        sensor(**options).execute(poked())  # type: ignore[arg-type]
    time.sleep(3)

    assert sensor(**options).execute(poked(3600.0))["phase"] == "completed"  # type: ignore[arg-type, index]


@pytest.mark.parametrize(
    ("begun", "raised"), [(0.0, AirflowRescheduleException), (90.0, AirflowFailException)]
)
def test_reschedule_of_nothing(
    server: ThreadedCluster, monkeypatch: pytest.MonkeyPatch, begun: float, raised: type[Exception]
) -> None:
    """Work that is not found ends the sensor after a minute, not at the first look."""
    monkeypatch.setattr(sensors, "_LOOK", 0.5)
    with pytest.raises(raised):
        sensor(ref="nothing", deferrable=False, mode="reschedule").execute(poked(begun))  # type: ignore[arg-type]


def test_reschedule_timeout(server: ThreadedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout counts from the first look."""
    monkeypatch.setattr(sensors, "_LOOK", 0.5)
    uid = server.add(plan=Plan(outcome="never"))
    with pytest.raises(AirflowSensorTimeout):
        sensor(ref=uid, deferrable=False, mode="reschedule", timeout=60).execute(poked(90.0))  # type: ignore[arg-type]


def test_reschedule_with_an_execution_timeout(server: ThreadedCluster) -> None:
    """`execution_timeout` is that of each look, as with other sensors of Airflow."""
    uid = server.add(plan=Plan(duration=2.0))
    limit = timedelta(seconds=60)
    op = sensor(ref=uid, deferrable=False, mode="reschedule", execution_timeout=limit)

    assert op.execute(poked(90.0))["phase"] == "completed"  # type: ignore[arg-type, index]


def test_reschedule_with_a_stall_timeout() -> None:
    """Looks that know nothing of each other see no stall."""
    with pytest.raises(UsageError, match=r"needs deferrable=True, or mode='poke'"):
        sensor(deferrable=False, mode="reschedule", stall_timeout=60)
    sensor(deferrable=True, mode="reschedule", stall_timeout=60)


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"ref": "bdb:one"}, "'bdb:one' is not a reference"),
        ({"ref": "bdb:1", "until": "avalable"}, "until='avalable' is none of"),
        ({"ref": "bdb:1", "hold": 60}, "a hold is for conditions"),
    ],
)
def test_wrong_arguments(
    server: ThreadedCluster, options: dict[str, object], problem: str, deferrable: bool
) -> None:
    """A wrong reference or condition costs neither a trigger nor a request."""
    with pytest.raises(AirflowFailException, match=problem):
        sensor(deferrable=deferrable, **options).execute(poked())  # type: ignore[arg-type]

    assert server.cluster.requests == []


def test_condition(server: ThreadedCluster) -> None:
    """A condition is a reference of its own, and goes to the trigger as `until`, too."""
    with pytest.raises(TaskDeferred) as caught:
        sensor(ref="bdb:1", until="available", hold=60).execute(poked())  # type: ignore[arg-type]
    trigger = caught.value.trigger.serialize()[1]

    assert (trigger["ref"], trigger["until"], trigger["hold"]) == ("bdb:1", "available", 60)
    result = sensor(ref="bdb:1@available", deferrable=False).execute(poked())  # type: ignore[arg-type]
    assert result["uid"] == "bdb:1@available"  # type: ignore[index]
