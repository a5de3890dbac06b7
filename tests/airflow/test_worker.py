"""Tests of waits on a worker: with `deferrable=False`, no triggerer is needed."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.sdk.execution_time.timeout import timeout

from redis_enterprise_actions.airflow.operators import RedisEnterpriseOperator
from redis_enterprise_actions.testing import Plan
from tests.airflow.conftest import TaskStateStore, context_of
from tests.airflow.raised import AirflowException, AirflowFailException, AirflowTaskTimeout
from tests.airflow.tries import UPGRADE, operator, posted


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.threaded_cluster import ThreadedCluster

MAINTENANCE = "/v1/nodes/1/actions/maintenance_on"


def plan(server: ThreadedCluster, **options: object) -> None:
    """Plan the work of the next calls."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(**options), times=None))  # type: ignore[arg-type]


def deleted(server: ThreadedCluster) -> int:
    """Return the number of cancels on the cluster."""
    return sum(seen.method == "DELETE" for seen in server.cluster.requests)


def execute(
    op: RedisEnterpriseOperator, store: TaskStateStore | None, alarm: float | None = None
) -> dict[str, object]:
    """Run a try as Airflow's worker does, which calls `on_kill` after its alarm."""
    try:
        if alarm is None:
            return op.execute(context_of(store))  # type: ignore[arg-type]
        with timeout(alarm):
            return op.execute(context_of(store))  # type: ignore[arg-type]
    except AirflowTaskTimeout:
        op.on_kill()
        raise


@pytest.fixture
def kill_soon() -> Iterator[list[RedisEnterpriseOperator]]:
    """Operators to kill as Airflow does, by SIGTERM, whose handler calls `on_kill`."""
    killed: list[RedisEnterpriseOperator] = []
    before = signal.signal(signal.SIGTERM, lambda *_: [op.on_kill() for op in killed])
    timer = threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    timer.start()
    yield killed
    timer.join()
    signal.signal(signal.SIGTERM, before)


def test_completed(server: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
    """The worker waits, writes each change to the log, and returns the finished action."""
    plan(server, duration=1.5)
    store = TaskStateStore()
    result = execute(operator(deferrable=False, timeout=60), store)

    assert (result["name"], result["phase"]) == ("SMUpgradeBDB", "completed")
    assert posted(server) == [UPGRADE]
    assert store["redis_enterprise_action"]["ended"] is True  # type: ignore[index]
    printed = lines()
    assert any("waiting for 'action:" in line and "for at most 1m" in line for line in printed)
    assert any("SMUpgradeBDB on bdb:1: completed" in line for line in printed)


def test_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default of `deferrable` is Airflow's: off, unless its configuration says otherwise."""
    assert operator(deferrable=None).deferrable is False

    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert operator(deferrable=None).deferrable is True


def test_failed(server: ThreadedCluster) -> None:
    """Work that has failed fails the task for good."""
    plan(server, duration=0.5, outcome="failed")
    with pytest.raises(AirflowFailException, match="failed"):
        execute(operator(deferrable=False), TaskStateStore())


def test_condition(server: ThreadedCluster) -> None:
    """With `until`, the worker waits for the condition after the work."""
    plan(server, duration=0.5)
    execute(operator(deferrable=False, until="available"), TaskStateStore())

    assert server.cluster.requests[-1].path == "/v1/bdbs/1/availability"


@pytest.mark.parametrize("persistent", [True, False])
def test_timeout(server: ThreadedCluster, persistent: bool) -> None:
    """The wait ends at the timeout, and the next try, if there is one, waits for the same work."""
    plan(server, duration=3600)
    store = TaskStateStore() if persistent else None
    raised = AirflowTaskTimeout if persistent else AirflowFailException
    with pytest.raises(raised, match=r"timed out after 1.0s"):
        execute(operator(deferrable=False, timeout=1), store)

    assert deleted(server) == 0
    if persistent:
        with pytest.raises(AirflowTaskTimeout):
            execute(operator(deferrable=False, timeout=1), store)
        assert posted(server) == [UPGRADE]


def test_execution_timeout(server: ThreadedCluster) -> None:
    """The wait ends shortly before Airflow's alarm, with the last state, and cancels nothing."""
    plan(server, duration=3600)
    op = operator(
        MAINTENANCE,
        deferrable=False,
        execution_timeout=timedelta(seconds=6),
        cancel_on_kill=True,
    )
    with pytest.raises(AirflowTaskTimeout, match=r"timed out after 6.0s, .*the work goes on"):
        execute(op, TaskStateStore(), alarm=6)

    assert deleted(server) == 0


@pytest.mark.parametrize("persistent", [True, False])
def test_alarm(server: ThreadedCluster, persistent: bool) -> None:
    """An alarm during the wait is a timeout like any other, and cancels nothing."""
    plan(server, duration=3600)
    op = operator(MAINTENANCE, deferrable=False, cancel_on_kill=True)
    raised = AirflowTaskTimeout if persistent else AirflowFailException
    began = time.monotonic()
    with pytest.raises(raised, match=r"'node:1/maintenance_on@.*timed out after"):
        execute(op, TaskStateStore() if persistent else None, alarm=2)

    assert time.monotonic() - began < 20
    assert deleted(server) == 0


@pytest.mark.parametrize(
    ("path", "is_cancelling", "cancels"),
    [(MAINTENANCE, True, 1), (MAINTENANCE, False, 0), (UPGRADE, True, 0)],
    ids=["requested", "not requested", "not documented"],
)
def test_killed(
    server: ThreadedCluster,
    kill_soon: list[RedisEnterpriseOperator],
    path: str,
    is_cancelling: bool,
    cancels: int,
) -> None:
    """SIGTERM ends the wait, and cancels the work with `cancel_on_kill`; a retry waits on."""
    plan(server, duration=3600)
    op = operator(path, deferrable=False, cancel_on_kill=is_cancelling)
    kill_soon.append(op)
    store = TaskStateStore()
    with pytest.raises(AirflowException, match="was stopped") as caught:
        execute(op, store)

    assert type(caught.value) is AirflowException
    assert deleted(server) == cancels
    assert store["redis_enterprise_action"]["ended"] is False  # type: ignore[index]


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("persistent", [True, False])
def test_killed_during_the_call(
    server: ThreadedCluster, deferrable: bool, persistent: bool
) -> None:
    """SIGTERM during the call cancels the work as soon as its reference is known."""
    plan(server, duration=3600)

    class Killed(RedisEnterpriseOperator):
        """Operator whose task is killed during its call."""

        async def _submit(self, *arguments: object) -> str | dict[str, object]:
            self.on_kill()
            return await super()._submit(*arguments)  # type: ignore[arg-type]

    op = Killed(
        task_id="t", method="POST", path=MAINTENANCE, deferrable=deferrable, cancel_on_kill=True
    )
    raised = AirflowException if persistent else AirflowFailException
    with pytest.raises(raised, match=r"was stopped after its call, .*'node:1/") as caught:
        execute(op, TaskStateStore() if persistent else None)

    assert type(caught.value) is raised
    assert deleted(server) == 1


@pytest.mark.parametrize("persistent", [True, False])
def test_alarm_during_the_call(server: ThreadedCluster, persistent: bool) -> None:
    """A call that may have been executed is not repeated by a retry."""
    server.do(lambda cluster: cluster.inject(method="POST", delay=3.0))
    store = TaskStateStore() if persistent else None
    raised = AirflowTaskTimeout if persistent else AirflowFailException
    with pytest.raises(raised):
        execute(operator(deferrable=False), store, alarm=1.0)

    if persistent:
        with pytest.raises(AirflowFailException, match="may or may not have started work"):
            execute(operator(), store)
