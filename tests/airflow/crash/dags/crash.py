"""DAG of the crash test: a dozen upgrades at once, and work that a user will cancel."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from redis_enterprise_actions.airflow import RedisEnterpriseOperator


with DAG(
    "crash",
    schedule="@once",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"deferrable": True},
):
    RedisEnterpriseOperator.partial(
        task_id="upgrade", method="POST", timeout=1800, retries=2, retry_delay=1.0
    ).expand(path=[f"/v1/bdbs/{uid}/upgrade" for uid in range(1, 13)])
    RedisEnterpriseOperator(
        task_id="maintenance",
        method="POST",
        path="/v1/nodes/1/actions/maintenance_on",
        cancel_on_kill=True,
    )
