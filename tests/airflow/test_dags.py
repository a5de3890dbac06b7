"""Tests of whole DAGs, run by the real Airflow: each task defers, and its trigger runs."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

    from tests.threaded_cluster import ThreadedCluster

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "examples" / "airflow" / "upgrade_databases.py").read_text("utf-8")
DOCUMENTED, OWN = re.findall(
    r"^```python\n(.*?)^```",
    (ROOT / "docs" / "airflow.md").read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)
OWN_DAG = """
from airflow.sdk import DAG

with DAG("own", schedule=None) as dag:
    RebalanceOperator(task_id="rebalance", bdb_uid="{{ 1 }}")
"""


def dag_of(source: str, name: str) -> DAG:
    """Put a file among Airflow's DAGs, and load it."""
    file = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / f"{name}.py"
    file.write_text(source, "utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag  # type: ignore[no-any-return]


def run(dag: DAG) -> DagRun:
    """Run a DAG as Airflow's own `dag.test()` does."""
    return dag.test()


def states(ran: DagRun) -> dict[str, str]:
    """Return the states of the tasks of a run."""
    return {task.task_id: str(task.state) for task in ran.get_task_instances()}


@pytest.fixture
def example(server: ThreadedCluster) -> DAG:
    """The example DAG, with a cluster that has its databases."""
    server.do(lambda cluster: cluster.add_bdb(2))
    return dag_of(EXAMPLE, "upgrade_databases")


def test_example(server: ThreadedCluster, example: DAG, capfd: pytest.CaptureFixture[str]) -> None:
    """The example upgrades two databases, one after the other, with one call for each."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=1.5), times=None))
    ran = run(example)

    assert states(ran) == {"idle": "success", "upgrade_1": "success", "upgrade_2": "success"}
    posted = [seen.path for seen in server.cluster.requests if seen.method == "POST"]
    assert posted == ["/v1/bdbs/1/upgrade", "/v1/bdbs/2/upgrade"]
    (task,) = (each for each in ran.get_task_instances() if each.task_id == "upgrade_1")
    result = task.xcom_pull(task_ids="upgrade_1")
    assert (result["name"], result["object_uid"]) == ("SMUpgradeBDB", "1")
    assert task.xcom_pull(task_ids="upgrade_1", key="ref") == f"action:{result['uid']}"
    json.dumps(result)
    out = capfd.readouterr()
    assert server.cluster.password not in out.out + out.err


def test_example_that_fails(server: ThreadedCluster, example: DAG) -> None:
    """The task of a failed upgrade fails without a retry, and so do the tasks after it."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=0.5, outcome="failed")))

    assert states(run(example)) == {
        "idle": "success",
        "upgrade_1": "failed",
        "upgrade_2": "upstream_failed",
    }


def test_documented(server: ThreadedCluster) -> None:
    """The DAG of docs/airflow.md runs unchanged."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=0.5)))

    assert states(run(dag_of(DOCUMENTED, "maintenance"))) == {
        "idle": "success",
        "maintenance_on": "success",
        "maintenance_off": "success",
    }


def test_own_operator(server: ThreadedCluster) -> None:
    """The operator of docs/airflow.md works."""
    dag = dag_of(f"{OWN}\n\n{OWN_DAG}", "own")
    server.do(lambda cluster: cluster.plan("PUT", "/v1/", Plan(duration=0.5)))

    assert states(run(dag)) == {"rebalance": "success"}
    assert [seen.path for seen in server.cluster.requests if seen.method == "PUT"] == [
        "/v1/bdbs/1/actions/rebalance"
    ]
