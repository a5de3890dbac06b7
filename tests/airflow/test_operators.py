"""Tests of `airflow.operators`: the call, its arguments, and what it returns."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import DAG

from redis_enterprise_actions import UsageError
from redis_enterprise_actions.airflow.operators import RedisEnterpriseOperator
from tests.airflow.conftest import TaskStateStore, context_of
from tests.airflow.raised import (
    AirflowException,
    AirflowFailException,
)
from tests.airflow.tries import ENDED, UPGRADE, deferred, end, operator, posted


if TYPE_CHECKING:
    from pathlib import Path

    from tests.threaded_cluster import ThreadedCluster


def test_begun(server: ThreadedCluster) -> None:
    """The operator makes the call, pushes the reference at once, and defers."""
    context = context_of(TaskStateStore())
    event = deferred(operator(timeout=60, cancel_on_kill=True), context)
    trigger = event.trigger.serialize()[1]

    assert posted(server) == [UPGRADE]
    assert context["ti"].xcoms == {"ref": trigger["ref"]}  # type: ignore[attr-defined]
    assert trigger["ref"].startswith("action:")
    assert trigger["cancel_on_kill"] is True
    assert datetime.now(UTC) - trigger["started_at"] < timedelta(seconds=30)
    assert trigger["timeout"] == 60
    assert event.method_name == "execute_complete"
    assert event.kwargs == {"cleared": False}
    assert timedelta(minutes=10) < event.timeout < timedelta(minutes=11)


@pytest.mark.parametrize(
    ("options", "timeout"),
    [
        ({"execution_timeout": timedelta(minutes=3)}, 180),
        ({"execution_timeout": timedelta(minutes=3), "timeout": timedelta(minutes=2)}, 120),
        ({"execution_timeout": timedelta(minutes=1), "timeout": 120.0}, 60),
        ({"timeout": float("inf")}, None),
        ({}, None),
    ],
)
def test_timeout(server: ThreadedCluster, options: dict[str, object], timeout: int | None) -> None:
    """The shorter of the two timeouts ends the wait; without them there is none."""
    event = deferred(operator(**options), context_of())

    assert event.trigger.wait.timeout == timeout
    assert (event.timeout is None) is (timeout is None)


def test_completed() -> None:
    """The finished action is returned."""
    op = operator()

    assert op.execute_complete(context_of(TaskStateStore()), end()) == ENDED  # type: ignore[arg-type]


def test_nothing_to_wait_for(server: ThreadedCluster) -> None:
    """A call that starts no persistent work completes the task at once."""
    call = operator("/v1/bdbs", json={"name": "x", "memory_size": 1}, query={"dry_run": True})
    result = call.execute(context_of(TaskStateStore()))  # type: ignore[arg-type]

    assert result["phase"] == "completed"
    assert result["answer"]["name"] == "x"  # type: ignore[index]
    json.dumps(result)


def test_answer_without_secrets(server: ThreadedCluster) -> None:
    """The answer of a dry run is returned without its secrets."""
    body = {"name": "x", "memory_size": 1, "authentication_redis_pass": "hunter2"}
    call = operator("/v1/bdbs", json=body, query={"dry_run": True})
    result = call.execute(context_of(TaskStateStore()))  # type: ignore[arg-type]

    assert "hunter2" not in json.dumps(result)


def test_nothing_to_do(server: ThreadedCluster) -> None:
    """So is the answer to a call that has nothing to do."""
    server.cluster.inject(method="PUT", status=200, body='{"uid": 2, "name": "ops"}')
    call = operator("/v1/users/2", method="PUT", json={"name": "ops"})

    assert call.execute(context_of())["answer"] == {"uid": 2, "name": "ops"}  # type: ignore[arg-type]


def test_condition_after_nothing(server: ThreadedCluster) -> None:
    """A condition after a call that left no work to follow fails, as it was not waited for."""
    store = TaskStateStore()
    call = operator("/v1/users/2", method="PUT", json={}, until="available")
    server.cluster.inject(method="PUT", status=200, body='{"uid": 2}')
    with pytest.raises(AirflowFailException, match="was made, and until='available' needs work"):
        call.execute(context_of(store))  # type: ignore[arg-type]

    assert store["redis_enterprise_action"]["ended"] is True  # type: ignore[index]


def test_without_waiting(server: ThreadedCluster) -> None:
    """With `wait_for_completion=False`, the task pushes the reference, and ends."""
    context = context_of(TaskStateStore())
    result = operator(wait_for_completion=False).execute(context)  # type: ignore[arg-type]

    assert result["ref"].startswith("action:")  # type: ignore[attr-defined]
    assert result == {"v": 1, **context["ti"].xcoms}  # type: ignore[attr-defined]
    server.cluster.inject(path="/v1/services", status=200, body='{"a": true}')
    call, context = operator("/v1/services", wait_for_completion=False), context_of()
    assert call.execute(context) == {"v": 1, "ref": None, "answer": {"a": True}}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"until": "avalable"}, "until='avalable' is none of .*, so no call was made"),
        ({"hold": 60}, "a hold is for conditions"),
        (
            {"path": "/v1/nodes/1/actions/remove", "until": "available"},
            "until='available' is for work on one database",
        ),
        (
            {"path": "/v1/cluster/actions/change_master", "until": "available"},
            "until='available' is for work on one database",
        ),
    ],
)
def test_wrong_condition(server: ThreadedCluster, options: dict[str, object], problem: str) -> None:
    """A wrong condition fails the task before the call."""
    store = TaskStateStore()
    with pytest.raises(AirflowFailException, match=problem):
        operator(**options).execute(context_of(store))  # type: ignore[arg-type]

    assert (store, server.cluster.requests) == ({}, [])


def test_condition_of_other_work(server: ThreadedCluster) -> None:
    """A condition that turns out not to be of the work fails the task; the work goes on."""
    store = TaskStateStore()

    class Unexpected(RedisEnterpriseOperator):
        """Operator that does not know where its path leads."""

        def expected_ref(self) -> str:
            return "action:any"

    call = Unexpected(task_id="t", method="POST", path="/v1/crdbs", json={}, until="available")
    with pytest.raises(AirflowFailException, match=r"until='available' is for .*'crdb:.*' goes on"):
        call.execute(context_of(store))  # type: ignore[arg-type]

    assert store["redis_enterprise_action"]["ref"].startswith("crdb:")  # type: ignore[index]


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/v1/bdbs/1"), ("POST", "/v1/crdbs"), ("PATCH", "/v1/crdbs/g-1")],
)
def test_impossible_condition(
    server: ThreadedCluster, method: str, path: str, deferrable: bool
) -> None:
    """A condition that this call's work cannot have fails the task before the call."""
    store = TaskStateStore()
    call = operator(path, method=method, json={}, until="available", deferrable=deferrable)
    with pytest.raises(AirflowFailException, match=r"until='available' is for.*no call was made"):
        call.execute(context_of(store))  # type: ignore[arg-type]

    assert (store, server.cluster.requests) == ({}, [])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"query": "[1]"}, "query is not a JSON object"),
        ({"headers": "Accept: a"}, "headers is not valid JSON"),
        ({"headers": ["a"]}, "headers is not a JSON object"),
        ({"path": 5}, "path=5 is no text"),
        ({"method": 5}, "method=5 is no text"),
    ],
)
def test_wrong_argument(server: ThreadedCluster, options: dict[str, object], problem: str) -> None:
    """An argument of a wrong type fails the task before the call, and for good."""
    store = TaskStateStore()
    with pytest.raises(AirflowFailException, match=f"{problem}.*, so no call was made"):
        operator(**options).execute(context_of(store))  # type: ignore[arg-type]

    assert (store, server.cluster.requests) == ({}, [])


def test_query_and_headers_as_text(server: ThreadedCluster) -> None:
    """The query and the headers may be text of a template."""
    call = operator(
        "/v1/bdbs",
        json={"name": "x", "memory_size": 1},
        query='{"dry_run": true}',
        headers='{"X-Task-ID": "mine"}',
    )

    assert call.chosen_ref() == "crdb:mine"
    call.headers = '{"Accept": "*/*"}'
    assert call.execute(context_of())["phase"] == "completed"  # type: ignore[arg-type]


def test_endless_hold() -> None:
    """An endless hold raises when the DAG is loaded, and does not count as none."""
    for hold in (float("inf"), None):
        with pytest.raises(UsageError, match=r"hold=.* is endless"):
            operator(hold=hold, until="available")


def test_condition_is_carried(server: ThreadedCluster) -> None:
    """The trigger waits for the condition, too."""
    event = deferred(operator(until="available", hold=timedelta(minutes=1)), context_of())

    assert (event.trigger.wait.until, event.trigger.wait.hold) == ("available", 60)


@pytest.mark.parametrize("conn_id", ["missing", "broken"])
def test_connection_that_is_none(
    server: ThreadedCluster, monkeypatch: pytest.MonkeyPatch, conn_id: str
) -> None:
    """Without a connection that works, no call is made, and the next try makes it."""
    extra = json.dumps({"conn_type": "redis_enterprise", "host": "a", "extra": {"auth": "x"}})
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", extra)
    store = TaskStateStore()
    with pytest.raises(AirflowException, match=r"isn't defined|the field auth 'x' is neither"):
        operator(redis_enterprise_conn_id=conn_id).execute(context_of(store))  # type: ignore[arg-type]

    assert store == {}
    deferred(operator(), context_of(store))
    assert posted(server) == [UPGRADE]


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


def test_invalid_json(server: ThreadedCluster) -> None:
    """Text that is not JSON fails the task before the call, and leaves no state."""
    store = TaskStateStore()
    with pytest.raises(
        AirflowFailException, match=r"json is not valid JSON: .*, so no call was made"
    ):
        operator(json='{"authentication_redis_pass": "hunter2').execute(context_of(store))  # type: ignore[arg-type]

    assert (store, posted(server)) == ({}, [])


@pytest.mark.parametrize(
    ("status", "raised"),
    [(400, AirflowFailException), (401, AirflowFailException), (409, AirflowException)],
)
def test_refused(server: ThreadedCluster, status: int, raised: type[Exception]) -> None:
    """A call that started nothing leaves no state; a busy cluster (409) leads to a retry."""
    server.do(lambda cluster: cluster.inject(method="POST", status=status))
    store = TaskStateStore()
    with pytest.raises(raised, match=str(status)) as caught:
        operator().execute(context_of(store))  # type: ignore[arg-type]

    assert type(caught.value) is raised
    assert store == {}


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
    fields = {"redis_enterprise_conn_id", "until", "method", "path", "json", "query", "headers"}

    assert set(RedisEnterpriseOperator.template_fields) == fields


def test_text_that_is_no_file(tmp_path: Path) -> None:
    """A text that ends with `.json` names a file, also deep inside a body, but not as a literal."""
    literal = pytest.importorskip("airflow.sdk.definitions.template").literal
    dag = DAG("d", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC))
    body = {"name": literal("a.json"), "file": "b.json"}
    with dag:
        op = RedisEnterpriseOperator(task_id="t", method="POST", path="/v1/bdbs", json=body)
    (tmp_path / "b.json").write_text("from the file", "utf-8")
    dag.fileloc = str(tmp_path / "dag.py")
    op.render_template_fields({})

    assert op.json == {"name": "a.json", "file": "from the file"}
