"""Airflow trigger that waits for one reference while the task holds no worker.

If a triggerer is killed, another one continues the wait.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

from redis_enterprise_actions import AuthenticationError, CancelNotSupported, RedisActionsError

from .client_cache import shared_client
from .events import event_of
from .hooks import RedisEnterpriseHook


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions import Action

    from .connection import ConnectionSettings

_CLASS: Final = "redis_enterprise_actions.airflow.RedisEnterpriseTrigger"
# Seconds; Airflow allows 30 by default ([triggerer] on_kill_timeout).
_CANCEL_TIMEOUT: Final = 25.0


class RedisEnterpriseTrigger(BaseTrigger):
    """Trigger that waits for the work of a reference, and sends one event at its end.

    `ref` is a reference, as of `Operation.ref`. `deadline` ends the wait, in wall-clock time, as a
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
        deadline: datetime | None = None,
        stall_timeout: float | None = None,
        outage_timeout: float | None = 300.0,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's
        self.redis_enterprise_conn_id = redis_enterprise_conn_id
        self.ref = ref
        self.deadline = deadline
        self.stall_timeout = stall_timeout
        self.outage_timeout = outage_timeout
        self.cancel_on_kill = cancel_on_kill

    def serialize(self) -> tuple[str, dict[str, object]]:
        """Return the class and the arguments of the same trigger, without secrets."""
        names = ("redis_enterprise_conn_id", "ref", "deadline", "stall_timeout", "outage_timeout")
        return _CLASS, {name: getattr(self, name) for name in (*names, "cancel_on_kill")}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, write each change to the task's log, and yield the event of the end."""
        try:
            result: Action | RedisActionsError = await self._wait()
        except RedisActionsError as error:
            result = error
        yield TriggerEvent(event_of(self.ref, result))  # type: ignore[no-untyped-call] # Airflow's

    async def _wait(self) -> Action:
        """Wait, and once more if credentials are refused and the connection has changed."""
        settings = await self._hook.aget_settings()
        while True:
            try:
                return await self._wait_with(settings)
            except AuthenticationError:
                current = await self._hook.aget_settings()
                if current == settings:
                    raise
                settings = current
                self.log.warning("the connection has changed: continuing with the new credentials")

    async def _wait_with(self, settings: ConnectionSettings) -> Action:
        async with shared_client(settings) as client:
            return await client.operation(self.ref).wait(
                timeout=self._remaining(),
                stall_timeout=self.stall_timeout,
                outage_timeout=self.outage_timeout,
                on_progress=lambda action: self.log.info("%s", action),
            )

    async def on_kill(self) -> None:
        """Cancel the work with `cancel_on_kill`, when a user marks or clears the waiting task."""
        if not self.cancel_on_kill:
            self.log.info("%r goes on: cancel_on_kill is not set", self.ref)
            return
        settings = await self._hook.aget_settings()
        async with asyncio.timeout(_CANCEL_TIMEOUT), shared_client(settings) as client:
            try:
                await client.operation(self.ref).cancel()
            except CancelNotSupported as error:
                self.log.warning("%s", error)
            else:
                self.log.info("%r is being cancelled", self.ref)

    @property
    def _hook(self) -> RedisEnterpriseHook:
        return RedisEnterpriseHook(self.redis_enterprise_conn_id)

    def _remaining(self) -> float | None:
        """Return the seconds until the deadline; with 0 the wait still polls once."""
        if self.deadline is None:
            return None
        return max(0.0, (self.deadline - datetime.now(UTC)).total_seconds())
