"""Tests of operators that do not wait for the end of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import Plan
from tests.airflow.conftest import TaskStateStore, context_of
from tests.airflow.raised import AirflowException, AirflowFailException
from tests.airflow.tries import UPGRADE, deferred, end, operator, posted


if TYPE_CHECKING:
    from tests.threaded_cluster import ThreadedCluster


@pytest.mark.parametrize(
    ("duration", "calls"), [(3600.0, 1), (0.0, 2)], ids=["it runs", "it has ended"]
)
def test_cleared_without_waiting(server: ThreadedCluster, duration: float, calls: int) -> None:
    """Clearing a task that does not wait repeats the call, unless its work still runs."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=duration), times=None))
    store, op = TaskStateStore(), operator(wait_for_completion=False)
    ref = op.execute(context_of(store))["ref"]  # type: ignore[arg-type]
    assert op.execute(context_of(store)) == {"v": 1, "ref": ref}  # type: ignore[arg-type] # a retry

    again = op.execute(context_of(store, max_tries=1))["ref"]  # type: ignore[arg-type]

    assert (again == ref) is (calls == 1)
    assert posted(server) == [UPGRADE] * calls


@pytest.mark.parametrize(("status", "calls"), [(404, 2), (400, 1)])
def test_cleared_without_an_answer(server: ThreadedCluster, status: int, calls: int) -> None:
    """If the work cannot be looked at, the call is not repeated; if it is unknown, it is."""
    store, op = TaskStateStore(), operator(wait_for_completion=False)
    op.execute(context_of(store))  # type: ignore[arg-type]
    body = '{"error_code": "action_not_found", "description": "x"}'
    for path in ("/v1/actions/", "/v2/actions", "/v1/bdbs"):
        server.cluster.inject(method="GET", path=path, times=None, status=status, body=body)
    with pytest.raises(AirflowException, match="400" if status == 400 else "db_busy"):
        op.execute(context_of(store, max_tries=1))  # type: ignore[arg-type]

    assert posted(server) == [UPGRADE] * calls


def test_answer_lost_without_waiting(server: ThreadedCluster) -> None:
    """Without a wait nobody would learn whether a call was executed, so the task fails."""
    server.do(lambda cluster: cluster.inject(method="POST", path="/v1/crdbs", lose=True))
    server.do(lambda cluster: cluster.inject(method="GET", times=None, status=400))
    call = operator("/v1/crdbs", headers={"X-Task-ID": "mine"}, json={}, wait_for_completion=False)
    with pytest.raises(AirflowFailException, match="may have executed it"):
        call.execute(context_of(TaskStateStore()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("duration", "calls"), [(3600.0, 1), (0.0, 2)], ids=["it runs", "it has ended"]
)
def test_cleared_after_an_earlier_end(server: ThreadedCluster, duration: float, calls: int) -> None:
    """After an end such as "progress=50", clearing repeats the call only if the work has ended."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=duration), times=None))
    store, op = TaskStateStore(), operator(until="progress=0")
    ref = deferred(op, context_of(store)).trigger.wait.ref
    event = end(ref=ref) | {"action": {"phase": "running"}}
    op.execute_complete(context_of(store), event)  # type: ignore[arg-type]

    again = deferred(op, context_of(store, max_tries=1)).trigger.wait.ref
    assert (again == ref) is (calls == 1)
    assert posted(server) == [UPGRADE] * calls
