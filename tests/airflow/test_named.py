"""Tests of the named operators: each makes one call of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.airflow import operators
from redis_enterprise_actions.airflow.calls import CallOptions
from redis_enterprise_actions.airflow.hooks import RedisEnterpriseHook
from redis_enterprise_actions.airflow.operators import (
    RedisEnterpriseExportDatabaseOperator,
    RedisEnterpriseImportDatabaseOperator,
    RedisEnterpriseMaintenanceOffOperator,
    RedisEnterpriseMaintenanceOnOperator,
    RedisEnterpriseUpdateCrdbOperator,
    RedisEnterpriseUpgradeDatabaseOperator,
)
from tests.airflow.conftest import TaskStateStore, context_of
from tests.airflow.raised import AirflowException, AirflowFailException
from tests.airflow.tries import deferred, posted


if TYPE_CHECKING:
    from redis_enterprise_actions.airflow.base import RedisEnterpriseBaseOperator
    from tests.threaded_cluster import ThreadedCluster

OPTIONS = CallOptions(busy_timeout=0.0, outage_timeout=1.0, untracked="refused")
PLACE = {"type": "mount_point", "path": "/backups"}


def make(
    kind: type[RedisEnterpriseBaseOperator], **arguments: object
) -> RedisEnterpriseBaseOperator:
    """Return an operator that leaves the wait to a triggerer."""
    return kind(task_id="t", **{"deferrable": True, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "arguments", "call", "given"),
    [
        (
            RedisEnterpriseUpgradeDatabaseOperator,
            {"bdb_uid": "1", "settings": '{"force_restart": true}'},
            "POST /v1/bdbs/1/upgrade",
            (1, {"force_restart": True}),
        ),
        (
            RedisEnterpriseUpgradeDatabaseOperator,
            {"bdb_uid": "name:cache-prod"},
            "POST /v1/bdbs/7/upgrade",
            ("name:cache-prod", None),
        ),
        (
            RedisEnterpriseExportDatabaseOperator,
            {"bdb_uid": 1, "location": PLACE},
            "POST /v1/bdbs/1/actions/export",
            (1, PLACE, None),
        ),
        (
            RedisEnterpriseImportDatabaseOperator,
            {"bdb_uid": 1, "sources": [PLACE]},
            "POST /v1/bdbs/1/actions/import",
            (1, [PLACE], None),
        ),
        (
            RedisEnterpriseMaintenanceOnOperator,
            {"node_uid": "1", "settings": {"keep_slave_shards": True}},
            "POST /v1/nodes/1/actions/maintenance_on",
            (1, {"keep_slave_shards": True}),
        ),
        (
            RedisEnterpriseMaintenanceOffOperator,
            {"node_uid": 1},
            "POST /v1/nodes/1/actions/maintenance_off",
            (1, None),
        ),
        (
            RedisEnterpriseUpdateCrdbOperator,
            {"crdb_guid": "g-1", "changes": {"causal_consistency": True}, "crdb_task_id": "mine"},
            "PATCH /v1/crdbs/g-1",
            ("g-1", {"causal_consistency": True}),
        ),
    ],
)
def test_call(
    server: ThreadedCluster,
    kind: type[RedisEnterpriseBaseOperator],
    arguments: dict[str, object],
    call: str,
    given: tuple[object, ...],
) -> None:
    """Each operator makes its call, whose arguments may be text of a template."""
    server.do(lambda cluster: cluster.add_bdb(7, name="cache-prod"))
    server.do(lambda cluster: cluster.add_crdb("g-1"))
    op = make(kind, **arguments)
    trigger = deferred(op, context_of(TaskStateStore())).trigger
    (made,) = [seen for seen in server.cluster.requests if seen.method != "GET"]

    assert f"{made.method} {made.path}" == call
    call_of = op.call(RedisEnterpriseHook().get_client(), OPTIONS)
    assert call_of.args == given  # type: ignore[attr-defined]
    if "crdb_task_id" in arguments:
        assert trigger.wait.ref == "crdb:mine"


def test_ref_without_a_task_id() -> None:
    """Without `crdb_task_id`, the cluster chooses the id."""
    op = RedisEnterpriseUpdateCrdbOperator(task_id="t", crdb_guid="g-1", changes={})

    assert op.chosen_ref() is None


@pytest.mark.parametrize(
    ("kind", "arguments", "problem"),
    [
        (
            RedisEnterpriseUpgradeDatabaseOperator,
            {"bdb_uid": 1, "settings": "[1]"},
            "settings is not a JSON object, so no call was made",
        ),
        (
            RedisEnterpriseImportDatabaseOperator,
            {"bdb_uid": 1, "sources": '{"type": "url"}'},
            "sources is not a list of JSON objects",
        ),
        (
            RedisEnterpriseMaintenanceOffOperator,
            {"node_uid": 1, "until": "available"},
            "until='available' is for work on one database",
        ),
        (RedisEnterpriseMaintenanceOnOperator, {"node_uid": "one"}, "'one' is not the uid of"),
        (RedisEnterpriseUpgradeDatabaseOperator, {"bdb_uid": "one"}, "'one' is not the uid of"),
        (RedisEnterpriseUpgradeDatabaseOperator, {"bdb_uid": "name:x"}, "no database"),
    ],
)
def test_wrong_arguments(
    server: ThreadedCluster,
    kind: type[RedisEnterpriseBaseOperator],
    arguments: dict[str, object],
    problem: str,
) -> None:
    """Arguments that cannot work fail the task, without a call and without a retry."""
    store = TaskStateStore()
    with pytest.raises(AirflowFailException, match=problem):
        make(kind, **arguments).execute(context_of(store))  # type: ignore[arg-type]

    assert (store, posted(server)) == ({}, [])


def test_unhealthy(server: ThreadedCluster) -> None:
    """With `check`, a cluster that must not be worked on leads to a retry, and to no call."""
    server.do(lambda cluster: cluster.add_action("SMUpgradeBDB", bdb_uid=1))
    store = TaskStateStore()
    op = make(RedisEnterpriseMaintenanceOnOperator, node_uid=1, check=True)
    with pytest.raises(AirflowException, match="maintenance") as caught:
        op.execute(context_of(store))  # type: ignore[arg-type]

    assert type(caught.value) is AirflowException
    assert (store, posted(server)) == ({}, [])


@pytest.mark.parametrize("name", operators.__all__)
def test_templates(name: str) -> None:
    """All arguments of a call are templated, and JSON is shown as JSON."""
    kind = getattr(operators, name)

    assert {"redis_enterprise_conn_id", "until"} < set(kind.template_fields)
    assert set(kind.template_fields_renderers) < set(kind.template_fields)
    assert name in __import__("redis_enterprise_actions.airflow", fromlist=["x"]).__all__
