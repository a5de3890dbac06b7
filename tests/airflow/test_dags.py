"""Facts about whole DAGs, run by the real Airflow: each task defers, and the trigger is run."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from types import ModuleType

    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

    from tests.served import Served

EXAMPLES = Path(__file__).parents[2] / "examples" / "airflow"


def module(file: Path) -> ModuleType:
    """Load a file that holds a DAG."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def run(dag: DAG) -> DagRun:
    """Run a DAG as Airflow's own `dag.test()` does."""
    return dag.test()


def states(ran: DagRun) -> dict[str, str]:
    """Return how its tasks ended."""
    return {task.task_id: str(task.state) for task in ran.get_task_instances()}


@pytest.fixture
def example(server: Served) -> DAG:
    """The example, with a cluster that has what it needs."""
    server.do(lambda cluster: cluster.add_bdb(2))
    return module(EXAMPLES / "upgrade_databases.py").dag  # type: ignore[no-any-return]


def test_example(server: Served, example: DAG, capfd: pytest.CaptureFixture[str]) -> None:
    """The example upgrades two databases, one after the other, with one call for each."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", times=None, duration=1.5))
    ran = run(example)

    assert states(ran) == {"idle": "success", "upgrade_1": "success", "upgrade_2": "success"}
    posted = [seen.path for seen in server.cluster.requests if seen.method == "POST"]
    assert posted == ["/v1/bdbs/1/upgrade", "/v1/bdbs/2/upgrade"]
    (task,) = (each for each in ran.get_task_instances() if each.task_id == "upgrade_1")
    said = task.xcom_pull(task_ids="upgrade_1")
    assert (said["name"], said["object_uid"]) == ("SMUpgradeBDB", "1")
    assert task.xcom_pull(task_ids="upgrade_1", key="ref") == f"action:{said['uid']}"
    json.dumps(said)
    out = capfd.readouterr()
    assert server.cluster.password not in out.out + out.err


def test_example_that_fails(server: Served, example: DAG) -> None:
    """Where an upgrade fails, its task fails at once, retries or not, and so does what follows."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", duration=0.5, outcome="failed"))

    assert states(run(example)) == {
        "idle": "success",
        "upgrade_1": "failed",
        "upgrade_2": "upstream_failed",
    }
