"""Airflow DAG that upgrades databases, one after the other, and holds no worker while it waits.

Put this file into the folder of your DAGs. It needs a connection `redis_enterprise_default`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain

from redis_enterprise_actions.airflow import RedisEnterpriseActionSensor, RedisEnterpriseOperator


with DAG("upgrade_databases", schedule=None, params={"keep_crdt_protocol_version": True}) as dag:
    idle = RedisEnterpriseActionSensor(task_id="idle", ref="bdb:1", timeout=timedelta(hours=1))
    upgrades = [
        RedisEnterpriseOperator(
            task_id=f"upgrade_{uid}",
            method="POST",
            path=f"/v1/bdbs/{uid}/upgrade",
            json='{"keep_crdt_protocol_version": {{ params.keep_crdt_protocol_version | tojson }}}',
            timeout=timedelta(hours=2),
            stall_timeout=timedelta(minutes=30),
            busy_timeout=timedelta(minutes=10),
            retries=2,
        )
        for uid in (1, 2)
    ]
    chain(idle, *upgrades)
