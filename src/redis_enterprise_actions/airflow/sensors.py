"""Airflow sensor that waits for work that was started elsewhere, or for a condition."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from redis_enterprise_actions import UsageError

from .calls import checked_settings
from .compat import AirflowFailException, AirflowSensorTimeout, deferrable_by_default
from .events import COMPLETED, STOPPED, TIMED_OUT, airflow_error, check_version
from .hooks import RedisEnterpriseHook
from .links import RedisEnterpriseClusterLink
from .triggers import RedisEnterpriseTrigger, defer
from .waits import Wait, hold_seconds, seconds, shorter
from .worker_wait import WorkerWait, limit_before


if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

    from .events import WaitEvent
    from .waits import Duration

# Seconds that a look in the mode "reschedule" may take. A database counts as idle after 10 s.
_LOOK: Final = 20.0
# Seconds after which work that was not found does not exist: 60 for an export, and 10 for others
_GRACE: Final = 60.0


class RedisEnterpriseActionSensor(BaseSensorOperator):
    """Sensor that waits until the work of a reference has completed, and returns it as a dict.

    `ref` is a reference, such as `action:UID`, `node:1/maintenance_on` or `bdb:1`, or a condition,
    such as `bdb:1@available` or `cluster@healthy`. `until` and `hold` are those of
    `Operation.wait`. `ref` and `until` are templated.

    `timeout` is that of Airflow's sensors, seconds or a `timedelta`, and raises
    `AirflowSensorTimeout`; `execution_timeout` ends the wait, too. `stall_timeout` and
    `outage_timeout` are those of `ActionsClient.wait_for_action`; None is endless.

    With `deferrable`, a triggerer waits; the default is `[operators] default_deferrable` of
    Airflow's configuration. Otherwise the worker waits with `mode="poke"`, and with
    `mode="reschedule"` a worker looks, for up to 20 s and `hold`, every `poke_interval`. A look
    knows nothing of those before it, so that mode takes no `stall_timeout`, and outages end it only
    by `timeout`.

    Raises the exceptions of `RedisEnterpriseOperator`, or skips the task with `soft_fail`.
    """

    template_fields: Collection[str] = ("redis_enterprise_conn_id", "ref", "until")
    operator_extra_links = (RedisEnterpriseClusterLink(),)
    ui_color: str = "#ffe2df"

    def __init__(
        self,
        *,
        ref: str,
        redis_enterprise_conn_id: str = RedisEnterpriseHook.default_conn_name,
        until: str | None = None,
        hold: Duration = 0.0,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = 300.0,
        deferrable: bool | None = None,
        **kwargs: Any,  # noqa: ANN401 - Airflow names and checks them
    ) -> None:
        super().__init__(**kwargs)
        self.ref = ref
        self.redis_enterprise_conn_id = redis_enterprise_conn_id
        self.until = until
        self.hold = hold_seconds(hold)
        self.stall_timeout = seconds(stall_timeout, "stall_timeout")
        self.outage_timeout = seconds(outage_timeout, "outage_timeout")
        self.deferrable = deferrable_by_default() if deferrable is None else deferrable
        if self._is_looking and self.stall_timeout is not None:
            raise UsageError("stall_timeout= needs deferrable=True, or mode='poke'")
        self._waiting: WorkerWait | None = None
        self._is_killed = False

    def execute(self, context: Context) -> object:
        """Defer the task to a trigger, or wait on the worker."""
        started_at = datetime.now(UTC)
        if self._is_looking:
            started_at = context["ti"].get_first_reschedule_date(context) or started_at
        wait = self._wait_since(started_at)
        try:
            self._settings = checked_settings(self.redis_enterprise_conn_id, wait)
        except UsageError as error:
            raise AirflowFailException(str(error)) from None
        if self.deferrable:
            self._refuse_killed()
            defer(self, RedisEnterpriseTrigger.of(wait, self.redis_enterprise_conn_id))
        self._wait = wait
        return cast("object", super().execute(context))

    def poke(self, context: Context) -> PokeReturnValue:
        """Wait on the worker; with `mode="reschedule"`, for a short time only."""
        wait, grace = self._wait, None
        limit = limit_before(seconds(self.execution_timeout, "execution_timeout"), wait)
        if self._is_looking:
            grace = 0.0 if wait.elapsed() > _GRACE else None
            limit = _LOOK + wait.hold
        self._waiting = WorkerWait(
            wait, self._settings, self.log.info, limit=limit, not_found_grace=grace
        )
        if self._is_killed:  # before there was a wait to end
            self._waiting.stop()
        event = self._waiting.event()
        self._waiting = None
        if self._is_looking and event["outcome"] == TIMED_OUT:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self.execute_complete(context, event))

    def execute_complete(self, context: Context, event: WaitEvent) -> dict[str, object]:  # noqa: ARG002
        """Return the finished action, or raise the Airflow exception for its end."""
        check_version(event, "the event of a trigger")
        if event["outcome"] == COMPLETED:
            if self.deferrable:  # on the worker, the wait has written it
                self.log.info("%s", event["message"])
            return cast("dict[str, object]", event["action"])
        if event["outcome"] == TIMED_OUT:
            raise AirflowSensorTimeout(event["message"])
        raise airflow_error(event["outcome"], event["message"])

    def on_kill(self) -> None:
        """End the wait on the worker. The work on the cluster goes on."""
        self._is_killed = True
        if self._waiting is not None:
            self._waiting.stop()

    def _refuse_killed(self) -> None:
        """Raise the exception for a task that was told to stop before its wait."""
        if self._is_killed:
            raise airflow_error(STOPPED, f"the task was stopped before the wait for {self.ref!r}")

    @property
    def _is_looking(self) -> bool:
        """True if a worker looks now and then."""
        return bool(self.reschedule) and not self.deferrable

    def _wait_since(self, started_at: datetime) -> Wait:
        limit = seconds(self.execution_timeout, "execution_timeout")
        return Wait(
            ref=self.ref,
            until=self.until,
            hold=self.hold,
            started_at=started_at,
            timeout=shorter(self.timeout, None if self._is_looking else limit),
            stall_timeout=self.stall_timeout,
            outage_timeout=self.outage_timeout,
        )
