"""Tests of `airflow.operators`: the call is made once, whatever happens to the tries."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions.airflow import RedisEnterpriseOperator
from redis_enterprise_actions.airflow.events import WaitEvent
from redis_enterprise_actions.testing import Plan
from tests.airflow.conftest import TaskStateStore, context_of
from tests.airflow.raised import (
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
    TaskDeferralError,
    TaskDeferred,
)


if TYPE_CHECKING:
    from tests.threaded_cluster import ThreadedCluster

UPGRADE = "/v1/bdbs/1/upgrade"


def operator(path: str = UPGRADE, **options: object) -> RedisEnterpriseOperator:
    """Return an operator that makes a call."""
    return RedisEnterpriseOperator(task_id="t", method="POST", path=path, **options)


def deferred(op: RedisEnterpriseOperator, context: dict[str, object]) -> TaskDeferred:
    """Run a try until it defers."""
    with pytest.raises(TaskDeferred) as caught:
        op.execute(context)  # type: ignore[arg-type]
    return caught.value


def posted(server: ThreadedCluster) -> list[str]:
    """Return the paths of the calls to the cluster."""
    return [seen.path for seen in server.cluster.requests if seen.method == "POST"]


def end(outcome: str = "completed", ref: str = "action:a1") -> WaitEvent:
    """Return the payload of a trigger's event."""
    return WaitEvent(ref=ref, outcome=outcome, message="words", action={"uid": "a1"})


def test_begun(server: ThreadedCluster) -> None:
    """The operator makes the call, pushes the reference at once, and defers."""
    context = context_of(TaskStateStore())
    event = deferred(operator(timeout=60, cancel_on_kill=True), context)
    trigger = event.trigger.serialize()[1]

    assert posted(server) == [UPGRADE]
    assert context["ti"].xcoms == {"ref": trigger["ref"]}  # type: ignore[attr-defined]
    assert trigger["ref"].startswith("action:")
    assert trigger["cancel_on_kill"] is True
    assert trigger["deadline"] - datetime.now(UTC) < timedelta(seconds=60)
    assert event.method_name == "execute_complete"
    assert event.kwargs == {"cleared": False}
    assert timedelta(minutes=10) < event.timeout < timedelta(minutes=11)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"execution_timeout": timedelta(minutes=3)}, 180),
        ({"execution_timeout": timedelta(minutes=3), "timeout": timedelta(minutes=2)}, 120),
        ({"execution_timeout": timedelta(minutes=1), "timeout": 120.0}, 60),
        ({"timeout": float("inf")}, None),
        ({}, None),
    ],
)
def test_deadline(server: ThreadedCluster, options: dict[str, object], left: int | None) -> None:
    """The shorter of the two timeouts is the deadline; without them there is none."""
    event = deferred(operator(**options), context_of())
    deadline = event.trigger.serialize()[1]["deadline"]

    assert (deadline is None) is (event.timeout is None) is (left is None)
    if left is not None:
        assert left - 30 < (deadline - datetime.now(UTC)).total_seconds() <= left


def test_completed() -> None:
    """The finished action is returned."""
    op = operator()

    assert op.execute_complete(context_of(TaskStateStore()), end()) == {"uid": "a1"}  # type: ignore[arg-type]


def test_nothing_to_wait_for(server: ThreadedCluster) -> None:
    """A call that starts no persistent work completes the task at once."""
    call = operator("/v1/bdbs", json={"name": "x", "memory_size": 1}, query={"dry_run": True})
    result = call.execute(context_of(TaskStateStore()))  # type: ignore[arg-type]

    assert result["phase"] == "completed"
    json.dumps(result)


def test_nothing_to_follow(server: ThreadedCluster) -> None:
    """An answer that names nothing to follow fails the task, unless `untracked` allows it."""
    server.cluster.inject(path="/v1/services", times=2, status=200, body="{}")
    with pytest.raises(AirflowFailException, match="cannot be followed"):
        operator("/v1/services").execute(context_of(TaskStateStore()))  # type: ignore[arg-type]

    call = operator("/v1/services", untracked="completed")
    assert call.execute(context_of(TaskStateStore()))["phase"] == "completed"  # type: ignore[arg-type]
    assert posted(server) == ["/v1/services", "/v1/services"]


def test_bootstrap(server: ThreadedCluster) -> None:
    """A bootstrap is followed like other work, by a reference that the trigger takes."""
    server.cluster.inject(method="POST", path="/v1/bootstrap", status=200)
    context = context_of(TaskStateStore())
    paused = deferred(operator("/v1/bootstrap/create_cluster"), context)

    assert posted(server) == ["/v1/bootstrap/create_cluster"]
    assert "bootstrap@after,completed," in repr(paused.trigger.serialize())


@pytest.mark.parametrize(
    "body",
    ['{"name": "two", "uid": 2, "memory_size": 1}', {"name": "two", "uid": 2, "memory_size": 1}],
)
def test_body(server: ThreadedCluster, body: object) -> None:
    """Text as a body is read as JSON."""
    deferred(operator("/v1/bdbs", json=body), context_of())

    assert 2 in server.do(lambda cluster: cluster.bdbs)


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
    ref = deferred(operator(), context_of(store)).trigger.ref
    with pytest.raises(AirflowTaskTimeout):
        operator().execute_complete(context_of(store), end("WaitTimeout", ref))  # type: ignore[arg-type]
    again = deferred(operator(), context_of(store))

    assert again.trigger.ref == ref
    assert again.kwargs == {"cleared": False}
    assert posted(server) == [UPGRADE]


def test_worker_killed_after_the_end(server: ThreadedCluster) -> None:
    """A worker that is killed after the work has ended leads to no other call."""
    store = TaskStateStore()
    ref = deferred(operator(), context_of(store)).trigger.ref
    operator().execute_complete(context_of(store), end(ref=ref))  # type: ignore[arg-type]

    assert deferred(operator(), context_of(store)).trigger.ref == ref
    assert posted(server) == [UPGRADE]


@pytest.mark.parametrize("outcome", ["completed", "ActionFailed"])
def test_cleared_after_the_end(server: ThreadedCluster, outcome: str) -> None:
    """Clearing a task whose work has ended repeats the call."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=0), times=None))
    store = TaskStateStore()
    ref = deferred(operator(), context_of(store)).trigger.ref
    try:
        operator().execute_complete(context_of(store), end(outcome, ref))  # type: ignore[arg-type]
    except AirflowFailException:
        assert outcome == "ActionFailed"

    assert deferred(operator(), context_of(store, max_tries=1)).trigger.ref != ref
    assert posted(server) == [UPGRADE] * 2


def test_cleared_while_waiting(server: ThreadedCluster) -> None:
    """Clearing a waiting task does not start its work twice."""
    store = TaskStateStore()
    ref = deferred(operator(), context_of(store)).trigger.ref
    again = deferred(operator(), context_of(store, max_tries=1))

    assert again.trigger.ref == ref
    assert again.kwargs == {"cleared": True}
    assert posted(server) == [UPGRADE]


@pytest.mark.parametrize("cleared", [True, False])
def test_cleared_and_over(server: ThreadedCluster, cleared: bool) -> None:
    """If that work was cancelled, the call is made again; a retry does not repeat it."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=0), times=None))
    context = context_of(TaskStateStore())
    ref = deferred(operator(), context).trigger.ref
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

        async def _submit(self, client: object, body: object) -> str:
            raise WorkerKilled

    with pytest.raises(WorkerKilled):
        CallKilled(task_id="t", method="POST", path=UPGRADE).execute(context_of(store))  # type: ignore[arg-type]
    with pytest.raises(AirflowFailException, match="which may or may not have started work"):
        operator().execute(context_of(store))  # type: ignore[arg-type]

    assert posted(server) == []
    deferred(operator(), context_of(store, max_tries=1))
    assert posted(server) == [UPGRADE]


def test_named_ahead(server: ThreadedCluster) -> None:
    """The reference of a call with a chosen task id is stored before the call."""
    store = TaskStateStore()

    class CallKilled(RedisEnterpriseOperator):
        """Operator whose worker is killed during the call."""

        async def _submit(self, client: object, body: object) -> str:
            raise KeyboardInterrupt

    named = {"headers": {"Accept": "*/*", "X-Task-ID": "mine"}}
    with pytest.raises(KeyboardInterrupt):
        CallKilled(task_id="t", method="POST", path="/v1/crdbs", **named).execute(context_of(store))  # type: ignore[arg-type]

    assert deferred(operator("/v1/crdbs", **named), context_of(store)).trigger.ref == "crdb:mine"
    assert posted(server) == []


@pytest.mark.parametrize("readable", [True, False])
def test_named_as_an_ended_task(server: ThreadedCluster, readable: bool) -> None:
    """A task with the chosen id that ended before the call is not taken for the call's."""
    server.do(lambda cluster: cluster.start_crdb_task(plan=Plan(duration=0), id="mine"))
    if not readable:
        server.do(lambda cluster: cluster.inject(path="/v1/crdb_tasks", times=None, status=403))
    store = TaskStateStore()

    class CallKilled(RedisEnterpriseOperator):
        """Operator whose worker is killed during the call."""

        async def _submit(self, client: object, body: object) -> str:
            raise KeyboardInterrupt

    named = {"headers": {"X-Task-ID": "mine"}}
    with pytest.raises(KeyboardInterrupt):
        CallKilled(task_id="t", method="POST", path="/v1/crdbs", **named).execute(context_of(store))  # type: ignore[arg-type]
    with pytest.raises(AirflowFailException, match="may or may not have started work"):
        operator("/v1/crdbs", **named).execute(context_of(store))  # type: ignore[arg-type]


def test_lost_call_with_the_id_of_an_ended_task(server: ThreadedCluster) -> None:
    """After a lost call, a retry does not end with the result of an older task of that id."""
    server.do(lambda cluster: cluster.start_crdb_task(plan=Plan(duration=0), id="mine"))
    server.do(lambda cluster: cluster.inject(method="POST", path="/v1/crdbs", drop=True))
    store = TaskStateStore()
    call = operator("/v1/crdbs", headers={"X-Task-ID": "mine"}, json={})
    for problem in ("may have executed it", "may or may not have started work"):
        with pytest.raises(AirflowFailException, match=problem):
            call.execute(context_of(store))  # type: ignore[arg-type]

    deferred(call, context_of(store, max_tries=1))
    assert len(posted(server)) == 2


def test_invalid_json(server: ThreadedCluster) -> None:
    """Text that is not JSON fails the task before the call, and leaves no state."""
    store = TaskStateStore()
    with pytest.raises(AirflowFailException, match="json is not valid JSON, so no call was made"):
        operator(json='{"authentication_redis_pass": "hunter2').execute(context_of(store))  # type: ignore[arg-type]

    assert (store, posted(server)) == ({}, [])


@pytest.mark.parametrize("status", [400, 401, 409])
def test_refused(server: ThreadedCluster, status: int) -> None:
    """A call that started nothing leaves no state."""
    server.do(lambda cluster: cluster.inject(method="POST", status=status))
    store = TaskStateStore()
    with pytest.raises(AirflowFailException, match=str(status)):
        operator().execute(context_of(store))  # type: ignore[arg-type]

    assert store == {}


def test_answer_lost_and_found(server: ThreadedCluster) -> None:
    """After a lost answer, work that is found on the cluster is followed."""
    server.do(lambda cluster: cluster.inject(method="POST", lose=True))
    event = deferred(operator("/v1/nodes/1/actions/maintenance_on"), context_of(TaskStateStore()))

    assert event.trigger.ref.startswith("node:1/maintenance_on@")


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

    assert event.trigger.ref == "crdb:mine"


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

    assert result == {"uid": "a1"}


@pytest.mark.parametrize(
    ("path", "is_cancelling", "deleted"),
    [
        ("/v1/nodes/1/actions/maintenance_on", True, 1),
        ("/v1/nodes/1/actions/maintenance_on", False, 0),
        (UPGRADE, True, 0),
    ],
    ids=["requested", "not requested", "not documented"],
)
def test_on_kill(server: ThreadedCluster, path: str, is_cancelling: bool, deleted: int) -> None:
    """A worker that is killed before there is a trigger cancels the work, too."""
    op = operator(path, cancel_on_kill=is_cancelling)
    op.on_kill()
    deferred(op, context_of(TaskStateStore()))
    op.on_kill()

    assert sum(seen.method == "DELETE" for seen in server.cluster.requests) == deleted


@pytest.mark.parametrize("timeout", [-1, float("nan"), "soon", True, timedelta(seconds=-1)])
def test_no_duration(timeout: object) -> None:
    """A bad duration raises when the DAG is loaded, before any request."""
    with pytest.raises(UsageError, match=r"timeout=.* is not a duration"):
        operator(timeout=timeout)


def test_templates() -> None:
    """All arguments of the call are templated."""
    fields = {"redis_enterprise_conn_id", "method", "path", "json", "query", "headers"}

    assert set(RedisEnterpriseOperator.template_fields) == fields
