"""Tests of `airflow.base`: the call is made once, whatever happens to the tries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.airflow.operators import RedisEnterpriseOperator
from redis_enterprise_actions.testing import Plan
from tests.airflow.conftest import TaskStateStore, context_of
from tests.airflow.raised import (
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
    TaskDeferralError,
    TaskDeferred,
)
from tests.airflow.tries import ENDED, UPGRADE, deferred, end, operator, posted


if TYPE_CHECKING:
    from tests.threaded_cluster import ThreadedCluster


@pytest.mark.parametrize(
    ("outcome", "persistent", "raised"),
    [
        ("ActionFailed", True, AirflowFailException),
        ("ActionCancelled", True, AirflowFailException),
        ("ActionAborted", True, AirflowFailException),
        ("ActionNotFound", True, AirflowFailException),
        ("ActionVanished", True, AirflowFailException),
        ("RequestRejected", True, AirflowFailException),
        ("AuthenticationError", True, AirflowFailException),
        ("UntrustedCertificate", True, AirflowFailException),
        ("UsageError", True, AirflowFailException),
        ("SomethingNew", True, AirflowFailException),
        ("ActionStalled", True, AirflowException),
        ("ClusterUnreachable", True, AirflowException),
        ("UnreadableReply", True, AirflowException),
        ("WaitTimeout", True, AirflowTaskTimeout),
        ("ActionStalled", False, AirflowFailException),
        ("ClusterUnreachable", False, AirflowFailException),
        ("WaitTimeout", False, AirflowFailException),
    ],
)
def test_failures(outcome: str, persistent: bool, raised: type[BaseException]) -> None:
    """Each outcome raises the exception of the table.

    Without a store, a retry would make the call again, so that no outcome leads to one.
    """
    context = context_of(TaskStateStore() if persistent else None)
    with pytest.raises(raised, match="words") as caught:
        operator().execute_complete(context, end(outcome))  # type: ignore[arg-type]

    assert type(caught.value) is raised


def test_another_try_makes_no_other_call(server: ThreadedCluster) -> None:
    """A retry after a timeout waits for the work of the first try."""
    store = TaskStateStore()
    ref = deferred(operator(), context_of(store)).trigger.wait.ref
    with pytest.raises(AirflowTaskTimeout):
        operator().execute_complete(context_of(store), end("WaitTimeout", ref))  # type: ignore[arg-type]
    again = deferred(operator(), context_of(store))

    assert again.trigger.wait.ref == ref
    assert again.kwargs == {"cleared": False}
    assert posted(server) == [UPGRADE]


def test_worker_killed_after_the_end(server: ThreadedCluster) -> None:
    """A worker that is killed after the work has ended leads to no other call."""
    store = TaskStateStore()
    ref = deferred(operator(), context_of(store)).trigger.wait.ref
    operator().execute_complete(context_of(store), end(ref=ref))  # type: ignore[arg-type]

    assert deferred(operator(), context_of(store)).trigger.wait.ref == ref
    assert posted(server) == [UPGRADE]


@pytest.mark.parametrize("outcome", ["completed", "ActionFailed"])
def test_cleared_after_the_end(server: ThreadedCluster, outcome: str) -> None:
    """Clearing a task whose work has ended repeats the call."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=0), times=None))
    store = TaskStateStore()
    ref = deferred(operator(), context_of(store)).trigger.wait.ref
    try:
        operator().execute_complete(context_of(store), end(outcome, ref))  # type: ignore[arg-type]
    except AirflowFailException:
        assert outcome == "ActionFailed"

    assert deferred(operator(), context_of(store, max_tries=1)).trigger.wait.ref != ref
    assert posted(server) == [UPGRADE] * 2


def test_cleared_while_waiting(server: ThreadedCluster) -> None:
    """Clearing a waiting task does not start its work twice."""
    store = TaskStateStore()
    ref = deferred(operator(), context_of(store)).trigger.wait.ref
    again = deferred(operator(), context_of(store, max_tries=1))

    assert again.trigger.wait.ref == ref
    assert again.kwargs == {"cleared": True}
    assert posted(server) == [UPGRADE]


@pytest.mark.parametrize("cleared", [True, False])
def test_cleared_and_over(server: ThreadedCluster, cleared: bool) -> None:
    """If that work was cancelled, the call is made again; a retry does not repeat it."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=0), times=None))
    context = context_of(TaskStateStore())
    ref = deferred(operator(), context).trigger.wait.ref
    with pytest.raises(TaskDeferred if cleared else AirflowFailException):
        operator().execute_complete(context, end("ActionCancelled", ref), cleared=cleared)  # type: ignore[arg-type]

    assert posted(server) == [UPGRADE] * (2 if cleared else 1)


def test_worker_killed_in_the_call(server: ThreadedCluster) -> None:
    """A call with an unknown outcome is made again only after a user has cleared the task."""
    store = TaskStateStore()

    class WorkerKilled(BaseException):
        """The end of a worker."""

    class CallKilled(RedisEnterpriseOperator):
        """Operator whose worker is killed during the call."""

        async def _submit(self, client: object, call: object) -> str:
            raise WorkerKilled

    with pytest.raises(WorkerKilled):
        CallKilled(task_id="t", method="POST", path=UPGRADE, deferrable=True).execute(
            context_of(store)
        )  # type: ignore[arg-type]
    with pytest.raises(
        AirflowFailException, match="its call POST /v1/bdbs/1/upgrade, which may or may not"
    ):
        operator().execute(context_of(store))  # type: ignore[arg-type]

    assert posted(server) == []
    deferred(operator(), context_of(store, max_tries=1))
    assert posted(server) == [UPGRADE]


def test_named_ahead(server: ThreadedCluster) -> None:
    """The reference of a call with a chosen task id is stored before the call."""
    store = TaskStateStore()

    class CallKilled(RedisEnterpriseOperator):
        """Operator whose worker is killed during the call."""

        async def _submit(self, client: object, call: object) -> str:
            raise KeyboardInterrupt

    named = {"headers": {"Accept": "*/*", "X-Task-ID": "mine"}}
    with pytest.raises(KeyboardInterrupt):
        CallKilled(task_id="t", method="POST", path="/v1/crdbs", **named).execute(context_of(store))  # type: ignore[arg-type]

    assert (
        deferred(operator("/v1/crdbs", **named), context_of(store)).trigger.wait.ref == "crdb:mine"
    )
    assert posted(server) == []


def test_named_while_unreadable(server: ThreadedCluster) -> None:
    """If the user may not look for an older task of that id, it is not taken for the call's."""
    server.do(lambda cluster: cluster.inject(path="/v1/crdb_tasks", times=None, status=403))
    store = TaskStateStore()

    class CallKilled(RedisEnterpriseOperator):
        """Operator whose worker is killed during the call."""

        async def _submit(self, client: object, call: object) -> str:
            raise KeyboardInterrupt

    named = {"headers": {"X-Task-ID": "mine"}}
    with pytest.raises(KeyboardInterrupt):
        CallKilled(task_id="t", method="POST", path="/v1/crdbs", **named).execute(context_of(store))  # type: ignore[arg-type]
    with pytest.raises(AirflowFailException, match="may or may not have started work"):
        operator("/v1/crdbs", **named).execute(context_of(store))  # type: ignore[arg-type]


@pytest.mark.parametrize("plan", [Plan(duration=0), Plan(outcome="never")], ids=["ended", "runs"])
def test_named_as_another_task(server: ThreadedCluster, plan: Plan) -> None:
    """An id that the cluster knows is refused before the call, as that task would be the result."""
    server.do(lambda cluster: cluster.start_crdb_task(plan=plan, id="mine"))
    store = TaskStateStore()
    call = operator("/v1/crdbs", headers={"X-Task-ID": "mine"}, json={})
    with pytest.raises(AirflowFailException, match=r"a task 'crdb:mine' already.* no call"):
        call.execute(context_of(store))  # type: ignore[arg-type]

    assert (store, posted(server)) == ({}, [])


def test_named_as_the_task_of_an_earlier_try(server: ThreadedCluster) -> None:
    """A retry waits for the task that its first try has named; after its end, clearing fails."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=0), times=None))
    store = TaskStateStore()
    call = operator("/v1/crdbs", headers={"X-Task-ID": "mine"}, json={})
    for _ in range(2):
        assert deferred(call, context_of(store)).trigger.wait.ref == "crdb:mine"
    with pytest.raises(AirflowFailException):
        call.execute_complete(context_of(store), end("ActionFailed", "crdb:mine"))  # type: ignore[arg-type]
    with pytest.raises(AirflowFailException, match="there is a task 'crdb:mine' already"):
        call.execute(context_of(store, max_tries=1))  # type: ignore[arg-type]

    assert posted(server) == ["/v1/crdbs"]


def test_named_without_an_answer(server: ThreadedCluster) -> None:
    """Without an answer about older tasks, no call is made, and a retry looks again."""
    server.do(
        lambda cluster: cluster.inject(
            path="/v1/crdb_tasks", times=None, body="no JSON", status=200
        )
    )
    store = TaskStateStore()
    call = operator("/v1/crdbs", headers={"X-Task-ID": "mine"}, json={})
    with pytest.raises(AirflowException) as caught:
        call.execute(context_of(store))  # type: ignore[arg-type]

    assert type(caught.value) is AirflowException
    assert (store, posted(server)) == ({}, [])


DRY_RUN = {"path": "/v1/bdbs", "json": {"name": "x", "memory_size": 1}, "query": {"dry_run": True}}


def test_worker_killed_after_a_dry_run(server: ThreadedCluster) -> None:
    """A dry run is repeated if its worker was killed before its XCom was stored."""
    store = TaskStateStore()
    for _ in range(2):
        assert operator(**DRY_RUN).execute(context_of(store))["phase"] == "completed"  # type: ignore[arg-type]

    assert posted(server) == ["/v1/bdbs?dry_run=true"] * 2


def test_worker_killed_after_nothing_to_do(server: ThreadedCluster) -> None:
    """A call that has left nothing to wait for is not repeated, and not called unknown."""
    server.cluster.inject(method="PUT", status=200, body='{"uid": 2, "name": "ops"}')
    store = TaskStateStore()
    call = operator("/v1/users/2", method="PUT", json={"name": "ops"})
    call.execute(context_of(store))  # type: ignore[arg-type]
    with pytest.raises(AirflowFailException, match="has ended, and left nothing to wait for"):
        call.execute(context_of(store))  # type: ignore[arg-type]


def test_answer_lost_and_found(server: ThreadedCluster) -> None:
    """After a lost answer, work that is found on the cluster is followed."""
    server.do(lambda cluster: cluster.inject(method="POST", lose=True))
    event = deferred(operator("/v1/nodes/1/actions/maintenance_on"), context_of(TaskStateStore()))

    assert event.trigger.wait.ref.startswith("node:1/maintenance_on@")


@pytest.mark.parametrize("persistent", [True, False])
def test_answer_lost(server: ThreadedCluster, persistent: bool) -> None:
    """After a lost answer with an unknown outcome, the task fails, and a retry makes no call."""
    server.do(lambda cluster: cluster.inject(method="POST", lose=True))
    store = TaskStateStore() if persistent else None
    with pytest.raises(AirflowFailException, match="may have executed it; to find out, run"):
        operator().execute(context_of(store))  # type: ignore[arg-type]

    assert posted(server) == [UPGRADE]
    if persistent:
        with pytest.raises(AirflowFailException, match="may or may not have started work"):
            operator().execute(context_of(store))  # type: ignore[arg-type]


def test_answer_lost_that_can_be_followed(server: ThreadedCluster) -> None:
    """After a lost answer, a reference with a chosen task id is followed."""
    server.do(lambda cluster: cluster.inject(method="POST", path="/v1/crdbs", lose=True))
    server.do(lambda cluster: cluster.inject(method="GET", times=None, status=400))
    event = deferred(
        operator("/v1/crdbs", headers={"X-Task-ID": "mine"}, json={}), context_of(TaskStateStore())
    )

    assert event.trigger.wait.ref == "crdb:mine"


@pytest.mark.parametrize(
    ("persistent", "raised"), [(True, TaskDeferralError), (False, AirflowFailException)]
)
def test_broken_trigger(persistent: bool, raised: type[Exception]) -> None:
    """A failed trigger leads to a retry only if that does not repeat the call."""
    context = context_of(TaskStateStore() if persistent else None)
    with pytest.raises(raised):
        operator().resume_execution("__fail__", {"error": "it broke"}, context)  # type: ignore[arg-type]


def test_resumed(server: ThreadedCluster) -> None:
    """`execute_complete` gets the event of the trigger as its argument `event`."""
    result = operator().resume_execution(
        "execute_complete",
        {"event": end(), "cleared": False},
        context_of(TaskStateStore()),  # type: ignore[arg-type]
    )

    assert result == ENDED


def test_busy_cluster(server: ThreadedCluster) -> None:
    """After "busy" (409), the next try makes the call again."""
    server.do(lambda cluster: cluster.inject(method="POST", status=409))
    store = TaskStateStore()
    with pytest.raises(AirflowException, match="409") as caught:
        operator().execute(context_of(store))  # type: ignore[arg-type]
    assert type(caught.value) is AirflowException

    deferred(operator(), context_of(store))
    assert posted(server) == [UPGRADE] * 2
