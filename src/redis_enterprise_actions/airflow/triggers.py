"""Airflow trigger that waits for one reference while the task holds no worker.

If a triggerer is killed, another one continues the wait.
"""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

from redis_enterprise_actions import AuthenticationError, CancelNotSupported, RedisActionsError

from .client_cache import shared_client
from .events import event_of
from .hooks import RedisEnterpriseHook
from .waits import Wait


if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import NoReturn, Self

    from airflow.sdk import BaseOperator

    from redis_enterprise_actions import Action

_CLASS: Final = "redis_enterprise_actions.airflow.triggers.RedisEnterpriseTrigger"
# Seconds; Airflow allows 30 by default ([triggerer] on_kill_timeout).
_CANCEL_TIMEOUT: Final = 25.0
# Time that Airflow gives the triggerer for the last poll, after the end of the timeout.
_DEFERRAL_MARGIN: Final = timedelta(minutes=10)


class RedisEnterpriseTrigger(BaseTrigger):
    """Trigger that waits for the work of a reference, and sends one event at its end.

    `ref` is a reference, as of `Operation.ref`; `until` and `hold` are those of `Operation.wait`.
    `timeout` ends the wait, in seconds from `started_at` (now by default), in wall-clock time, as a
    triggerer may be restarted; None is endless. `stall_timeout` and `outage_timeout` are in
    seconds, as of `ActionsClient.wait_for_action`, and start anew in each triggerer.

    With `cancel_on_kill`, a user who marks the waiting task, or clears it, cancels the work on the
    cluster where the API documents that (Airflow 3.3 and newer). The end of a triggerer cancels
    nothing.
    """

    def __init__(
        self,
        *,
        redis_enterprise_conn_id: str,
        ref: str,
        until: str | None = None,
        hold: float = 0.0,
        started_at: datetime | None = None,
        timeout: float | None = None,
        stall_timeout: float | None = None,
        outage_timeout: float | None = 300.0,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's
        self.redis_enterprise_conn_id = redis_enterprise_conn_id
        self.wait = Wait(
            ref=ref,
            until=until,
            hold=hold,
            started_at=started_at or datetime.now(UTC),
            timeout=timeout,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
        )
        self.cancel_on_kill = cancel_on_kill

    @classmethod
    def of(cls, wait: Wait, conn_id: str, *, cancel_on_kill: bool = False) -> Self:
        """Return the trigger for a wait."""
        return cls(
            redis_enterprise_conn_id=conn_id,
            cancel_on_kill=cancel_on_kill,
            **dataclasses.asdict(wait),
        )

    def serialize(self) -> tuple[str, dict[str, object]]:
        """Return the class and the arguments of the same trigger, without secrets."""
        return _CLASS, {
            "redis_enterprise_conn_id": self.redis_enterprise_conn_id,
            **dataclasses.asdict(self.wait),
            "cancel_on_kill": self.cancel_on_kill,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, write each change to the task's log, and yield the event of the end."""
        try:
            result: Action | RedisActionsError = await self._wait()
        except RedisActionsError as error:
            result = error
        yield TriggerEvent(event_of(self.wait.ref, result))  # type: ignore[no-untyped-call] # Airflow's

    async def _wait(self) -> Action:
        """Wait, and once more if credentials are refused and the connection has changed."""
        settings = await self._hook.aget_settings()
        while True:
            try:
                async with shared_client(settings) as client:
                    return await self.wait.run(client, self.log.info)
            except AuthenticationError:
                current = await self._hook.aget_settings()
                if current == settings:
                    raise
                settings = current
                self.log.warning("the connection has changed: continuing with the new credentials")

    async def on_kill(self) -> None:
        """Cancel the work with `cancel_on_kill`, when a user marks or clears the waiting task."""
        ref = self.wait.ref
        if not self.cancel_on_kill:
            self.log.info(
                "%r goes on: only an operator with cancel_on_kill=True cancels its work", ref
            )
            return
        settings = await self._hook.aget_settings()
        async with asyncio.timeout(_CANCEL_TIMEOUT), shared_client(settings) as client:
            try:
                await client.operation(ref).cancel()
            except CancelNotSupported as error:
                self.log.warning("%s", error)
            else:
                self.log.info("%r is being cancelled", ref)

    @property
    def _hook(self) -> RedisEnterpriseHook:
        return RedisEnterpriseHook(self.redis_enterprise_conn_id)


def defer(operator: BaseOperator, trigger: RedisEnterpriseTrigger, **kwargs: bool) -> NoReturn:
    """Defer a task; it continues in `execute_complete` when the work has ended."""
    wait, timeout = trigger.wait, None
    if wait.timeout is not None:
        left = max(0.0, wait.timeout - wait.elapsed())
        timeout = timedelta(seconds=left) + _DEFERRAL_MARGIN
    operator.defer(
        trigger=trigger, method_name="execute_complete", kwargs=dict(kwargs), timeout=timeout
    )
