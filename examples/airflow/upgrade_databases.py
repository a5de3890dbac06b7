"""Airflow DAG that upgrades databases, one after the other, and holds no worker while it waits.

Put this file into the folder of your DAGs. It needs a connection `redis_enterprise_default`, and a
triggerer. Without a triggerer, leave out `deferrable`; a worker waits then.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain

from redis_enterprise_actions.airflow.operators import RedisEnterpriseUpgradeDatabaseOperator
from redis_enterprise_actions.airflow.sensors import RedisEnterpriseActionSensor


with DAG(
    "upgrade_databases",
    schedule=None,
    params={"keep_version": True},
    default_args={"deferrable": True},
) as dag:
    idle = RedisEnterpriseActionSensor(task_id="idle", ref="bdb:1", timeout=timedelta(hours=1))
    upgrades = [
        RedisEnterpriseUpgradeDatabaseOperator(
            task_id=f"upgrade_{uid}",
            bdb_uid=uid,
            settings='{"keep_crdt_protocol_version": {{ params.keep_version | tojson }}}',
            until="available",
            timeout=timedelta(hours=2),
            stall_timeout=timedelta(minutes=30),
            busy_timeout=timedelta(minutes=10),
            retries=2,
        )
        for uid in (1, 2)
    ]
    chain(idle, *upgrades)
