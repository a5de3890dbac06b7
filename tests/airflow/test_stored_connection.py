"""Test of `airflow dags test` as a process, with the connection in Airflow's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions.testing import Plan
from tests.airflow.stored_connection import StoredConnection
from tests.airflow.tries import UPGRADE, posted


if TYPE_CHECKING:
    from pathlib import Path

    from tests.threaded_cluster import ThreadedCluster

DAG = """
from airflow.sdk import DAG, chain
from redis_enterprise_actions.airflow import RedisEnterpriseOperator

with DAG("dag", schedule=None) as dag:
    chain(*(
        RedisEnterpriseOperator(
            task_id=f"upgrade_{deferrable}",
            method="POST",
            path="/v1/bdbs/1/upgrade",
            json={"authentication_redis_pass": "hunter2-hunter2"},
            deferrable=deferrable,
        )
        for deferrable in (True, False)
    ))
"""


def test_stored_connection(server: ThreadedCluster, tmp_path: Path) -> None:
    """A connection in the database is found for the call and for the wait, or no call is made."""
    server.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=1.5), times=None))
    airflow = StoredConnection(tmp_path / "home")
    printed = airflow.test(DAG)

    assert "redis_enterprise_default` isn't defined" in printed
    assert "state=failed" in printed
    assert server.cluster.requests == []

    airflow.connect(server.cluster)
    printed = airflow.test(DAG)

    assert "state=success" in printed, printed
    assert "state=failed" not in printed
    assert posted(server) == [UPGRADE, UPGRADE]
    assert printed.count("running trigger in line") == 1
    for secret in ("hunter2", server.cluster.password):
        assert secret not in printed
