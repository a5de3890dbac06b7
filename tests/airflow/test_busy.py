"""Tests of calls to a busy cluster (409): repeated within the limits, and never after SIGTERM."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.airflow import base, busy
from redis_enterprise_actions.airflow.base import RedisEnterpriseBaseOperator
from redis_enterprise_actions.airflow.operators import RedisEnterpriseOperator
from redis_enterprise_actions.testing import Plan
from tests.airflow.conftest import TaskStateStore, context_of
from tests.airflow.raised import AirflowException, AirflowFailException, AirflowTaskTimeout
from tests.airflow.test_worker import deleted, execute
from tests.airflow.tries import UPGRADE, deferred, operator, posted


if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.threaded_cluster import ThreadedCluster

MAINTENANCE = "/v1/nodes/1/actions/maintenance_on"


def make_busy(server: ThreadedCluster, times: int | None = None, **fault: object) -> None:
    """Let the cluster answer calls with 409."""
    fault = {"method": "POST", "status": 409, **fault}
    server.do(lambda cluster: cluster.inject(times=times, **fault))  # type: ignore[arg-type]


def after(seconds: float, job: Callable[[], object]) -> threading.Timer:
    """Do something later."""
    timer = threading.Timer(seconds, job)
    timer.start()
    return timer


def test_repeated(server: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
    """The call is repeated until the cluster takes it; the log says so, once a minute."""
    make_busy(server, times=2)
    store = TaskStateStore()
    deferred(operator(busy_timeout=timedelta(minutes=10)), context_of(store))

    assert posted(server) == [UPGRADE] * 3
    (line,) = [line for line in lines() if "409" in line and "[info" in line]
    assert "after 0s; repeating it, for at most 10m more" in line


def test_lines(
    server: ThreadedCluster, lines: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long time in which the cluster is busy has a line now and then."""
    monkeypatch.setattr(busy, "_LINE", 1.0)
    make_busy(server, times=3)
    deferred(operator(busy_timeout=None), context_of())

    found = [line for line in lines() if "409" in line and "[info" in line]
    assert len(found) == 3
    assert "for at most" not in found[0]


def test_retry_after(server: ThreadedCluster) -> None:
    """The cluster may say when the call is to be repeated."""
    make_busy(server, times=1, retry_after=2)
    began = time.monotonic()
    deferred(operator(busy_timeout=60), context_of())

    assert time.monotonic() - began > 2


def test_not_ready(server: ThreadedCluster) -> None:
    """A new cluster that is not ready for its first database (406) counts as busy, too."""
    body = '{"error_code": "invalid_version"}'
    make_busy(server, times=1, path="/v1/bdbs", status=406, body=body)
    deferred(
        operator("/v1/bdbs", json={"name": "x", "memory_size": 1}, busy_timeout=60), context_of()
    )

    assert posted(server) == ["/v1/bdbs"] * 2


@pytest.mark.parametrize(
    "options", [{"busy_timeout": 1.5}, {"busy_timeout": 600, "timeout": 1.5}], ids=["busy", "wait"]
)
def test_limits(server: ThreadedCluster, options: dict[str, float]) -> None:
    """The shorter limit ends the repeats with the cluster's answer, and leaves no state."""
    make_busy(server)
    store = TaskStateStore()
    began = time.monotonic()
    with pytest.raises(AirflowException, match="409") as caught:
        execute(operator(**options), store)

    assert type(caught.value) is AirflowException
    assert time.monotonic() - began < 4
    assert store == {}


def test_execution_timeout(server: ThreadedCluster) -> None:
    """The repeats end before Airflow's alarm, so that a retry makes the call again."""
    make_busy(server)
    store = TaskStateStore()
    op = operator(busy_timeout=600, execution_timeout=timedelta(seconds=6))
    with pytest.raises(AirflowException, match="409") as caught:
        execute(op, store, alarm=6)

    assert type(caught.value) is AirflowException
    assert store == {}
    server.do(lambda cluster: cluster.heal())
    deferred(operator(), context_of(store))


def test_alarm(server: ThreadedCluster) -> None:
    """An alarm between two answers leaves no state either."""
    make_busy(server)
    store = TaskStateStore()
    with pytest.raises(AirflowTaskTimeout):
        execute(operator(busy_timeout=600), store, alarm=0.7)

    assert store == {}


def test_no_time_left(server: ThreadedCluster) -> None:
    """Without any time there is no call."""
    store = TaskStateStore()
    with pytest.raises(AirflowTaskTimeout, match=f"before POST {UPGRADE}, so no call was made"):
        execute(operator(timeout=0), store)

    assert (store, posted(server)) == ({}, [])


def test_time_in_the_text(server: ThreadedCluster) -> None:
    """A call that has taken longer than the timeout is in the time of the message."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=3600), times=None))
    server.do(lambda cluster: cluster.inject(method="POST", delay=2.5))
    with pytest.raises(AirflowTaskTimeout, match=r"timed out after [2-9]\.\ds"):
        execute(operator(deferrable=False, timeout=1), TaskStateStore())


def test_outage_within_the_timeout(server: ThreadedCluster) -> None:
    """A cluster out of reach is tried no longer than the timeout allows."""
    server.do(lambda cluster: cluster.inject(times=None, no_route=True))
    began = time.monotonic()
    with pytest.raises(AirflowException):
        execute(operator(timeout=2), TaskStateStore())

    assert time.monotonic() - began < 10


@pytest.mark.parametrize("persistent", [True, False])
def test_stopped_between_two_calls(server: ThreadedCluster, persistent: bool) -> None:
    """SIGTERM while the cluster is busy ends the repeats: no call is made after it."""
    make_busy(server)
    store = TaskStateStore() if persistent else None
    op = operator(busy_timeout=600)
    timer = after(1.5, op.on_kill)
    began = time.monotonic()
    with pytest.raises(AirflowException, match="was stopped; no call POST") as caught:
        execute(op, store)
    timer.join()
    calls = posted(server)

    assert type(caught.value) is AirflowException
    assert time.monotonic() - began < 2.5
    server.do(lambda cluster: cluster.heal())
    assert not store
    deferred(operator(), context_of(store))
    assert len(posted(server)) == len(calls) + 1


def test_stopped_as_a_pause_begins(
    server: ThreadedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM between a 409 and the pause after it is not lost."""
    make_busy(server)
    op = operator(busy_timeout=600)

    class Job(busy.Job[None]):
        """Job that is begun in the moment of SIGTERM."""

        def __init__(self, coroutine: object) -> None:
            op.on_kill()
            super().__init__(coroutine)  # type: ignore[arg-type]

    monkeypatch.setattr(busy, "Job", Job)
    began = time.monotonic()
    with pytest.raises(AirflowException, match="was stopped"):
        execute(op, TaskStateStore())

    assert time.monotonic() - began < 0.9
    assert posted(server) == [UPGRADE]


class KilledAt(RedisEnterpriseOperator):
    """Operator whose task is killed when a method is called."""

    kill_in = ""

    def chosen_ref(self) -> str | None:
        self._kill("chosen_ref")
        return super().chosen_ref()

    def call(self, *arguments: object) -> object:  # type: ignore[override]
        self._kill("call")
        return super().call(*arguments)  # type: ignore[arg-type]

    def wait_of(self, ref: str, *arguments: object) -> object:  # type: ignore[override]
        if ref != self.expected_ref():
            self._kill("wait_of")
        return super().wait_of(ref, *arguments)  # type: ignore[arg-type]

    def _kill(self, place: str) -> None:
        if place == self.kill_in:
            self.on_kill()


@pytest.mark.parametrize("place", ["chosen_ref", "call"])
def test_stopped_before_the_call(server: ThreadedCluster, place: str) -> None:
    """SIGTERM before the call means that there is none, and no state."""
    store = TaskStateStore()
    op = KilledAt(task_id="t", method="POST", path=UPGRADE)
    op.kill_in = place
    with pytest.raises(AirflowException, match="was stopped") as caught:
        execute(op, store)

    assert type(caught.value) is AirflowException
    assert (store, posted(server)) == ({}, [])


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("deferrable", [True, False])
def test_stopped_between_call_and_wait(
    server: ThreadedCluster, deferrable: bool, persistent: bool
) -> None:
    """SIGTERM between the call and the wait ends the task, and cancels the work once."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=3600), times=None))
    op = KilledAt(
        task_id="t", method="POST", path=MAINTENANCE, deferrable=deferrable, cancel_on_kill=True
    )
    op.kill_in = "wait_of"
    raised = AirflowException if persistent else AirflowFailException
    with pytest.raises(raised, match="was stopped") as caught:
        execute(op, TaskStateStore() if persistent else None)

    assert type(caught.value) is raised
    assert deleted(server) == 1


def test_fields_for_own_operators() -> None:
    """The base class for operators of one's own is in `airflow.base`, with the common fields."""
    assert RedisEnterpriseBaseOperator.template_fields == base.COMMON_FIELDS
    assert not RedisEnterpriseBaseOperator(task_id="t").is_dry_run()
