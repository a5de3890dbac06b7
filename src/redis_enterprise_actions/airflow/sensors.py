"""Airflow sensor that waits, without a worker, for work that was started elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseSensorOperator

from .compat import AirflowSensorTimeout
from .deferral import WaitOptions, deadline_in, defer, seconds
from .events import COMPLETED, airflow_error
from .hooks import RedisEnterpriseHook


if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

    from .deferral import Duration
    from .events import WaitEvent


class RedisEnterpriseActionSensor(BaseSensorOperator):
    """Sensor that waits until the work of a reference has completed, and returns it as a dict.

    `ref` is a reference, such as `action:UID`, `node:1/maintenance_on` or `bdb:1`, and templated.
    `timeout` is that of Airflow's sensors, seconds or a `timedelta`, and raises
    `AirflowSensorTimeout`; `execution_timeout` ends the wait, too. `stall_timeout` and
    `outage_timeout` are those of `ActionsClient.wait_for_action`; None is endless. The sensor is
    deferred, so that `mode` and `poke_interval` have no effect.

    Raises the exceptions of `RedisEnterpriseOperator`, or skips the task with `soft_fail`.
    """

    template_fields: Collection[str] = ("redis_enterprise_conn_id", "ref")
    ui_color: str = "#ffe2df"

    def __init__(
        self,
        *,
        ref: str,
        redis_enterprise_conn_id: str = RedisEnterpriseHook.default_conn_name,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = 300.0,
        **kwargs: Any,  # noqa: ANN401 - Airflow names and checks them
    ) -> None:
        super().__init__(**kwargs)
        self.ref = ref
        self.redis_enterprise_conn_id = redis_enterprise_conn_id
        self.stall_timeout = seconds(stall_timeout, "stall_timeout")
        self.outage_timeout = seconds(outage_timeout, "outage_timeout")

    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Defer the task to a trigger."""
        limit = seconds(self.execution_timeout, "execution_timeout")
        wait = WaitOptions(
            self.redis_enterprise_conn_id,
            self.ref,
            deadline_in(self.timeout, limit),
            self.stall_timeout,
            self.outage_timeout,
        )
        defer(self, wait)

    def execute_complete(self, context: Context, event: WaitEvent) -> dict[str, object]:  # noqa: ARG002
        """Return the finished action, or raise the Airflow exception for its end."""
        if event["outcome"] == COMPLETED:
            self.log.info("%s", event["message"])
            return cast("dict[str, object]", event["action"])
        if event["outcome"] == "WaitTimeout":
            raise AirflowSensorTimeout(event["message"])
        raise airflow_error(event["outcome"], event["message"])
