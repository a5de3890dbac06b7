"""What waits while the task holds no worker: one reference, until its deadline.

Knows nothing of how the work was started, and can be run anywhere, again and again: another
triggerer goes on where one was killed.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

from redis_enterprise_actions import AuthenticationError, CancelNotSupported, RedisActionsError

from .client_cache import shared_client
from .events import end_of
from .hooks import RedisEnterpriseHook


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions import Action

    from .connection import Settings

_CLASS: Final = "redis_enterprise_actions.airflow.RedisEnterpriseTrigger"
_CANCEL: Final = (
    25.0  # seconds to cancel in, of the 30 that Airflow gives, [triggerer] on_kill_timeout
)


class RedisEnterpriseTrigger(BaseTrigger):
    """Waits for what a reference names, and fires one event: how that ended.

    `ref` is a reference, as of `Operation.ref`. `deadline` is when to give up, on the wall's clock,
    as a triggerer may be started anew; None is never. `stall_timeout` and `outage_timeout` are
    seconds, as of `ActionsClient.wait_for_action`, counted anew by each triggerer.

    With `cancel_on_kill`, a user who marks the waiting task, or clears it, cancels the work on the
    cluster where the API documents that (Airflow 3.3 and newer). A triggerer that ends never does.
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
        """Return what another process makes the same trigger of. There is no secret in it."""
        names = ("redis_enterprise_conn_id", "ref", "deadline", "stall_timeout", "outage_timeout")
        return _CLASS, {name: getattr(self, name) for name in (*names, "cancel_on_kill")}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, tell each change to the task's log, and say how it ended."""
        try:
            came: Action | RedisActionsError = await self._wait()
        except RedisActionsError as error:
            came = error
        yield TriggerEvent(end_of(self.ref, came))  # type: ignore[no-untyped-call] # Airflow's

    async def _wait(self) -> Action:
        """Wait, and go on with what the connection says now if the cluster refuses what it said."""
        settings = await self._hook.aget_settings()
        while True:
            try:
                return await self._wait_as(settings)
            except AuthenticationError:
                newer = await self._hook.aget_settings()
                if newer == settings:
                    raise
                settings = newer
                self.log.warning("the connection has changed: asking the cluster anew")

    async def _wait_as(self, settings: Settings) -> Action:
        async with shared_client(settings) as client:
            return await client.operation(self.ref).wait(
                timeout=self._left(),
                stall_timeout=self.stall_timeout,
                outage_timeout=self.outage_timeout,
                on_progress=lambda action: self.log.info("%s", action),
            )

    async def on_kill(self) -> None:
        """Cancel the work, if that was asked for. Called when a user acts on the waiting task."""
        if not self.cancel_on_kill:
            self.log.info("%s goes on: cancel_on_kill is not set", self.ref)
            return
        settings = await self._hook.aget_settings()
        async with asyncio.timeout(_CANCEL), shared_client(settings) as client:
            try:
                await client.operation(self.ref).cancel()
            except CancelNotSupported as error:
                self.log.warning("%s", error)
            else:
                self.log.info("%s is being cancelled", self.ref)

    @property
    def _hook(self) -> RedisEnterpriseHook:
        return RedisEnterpriseHook(self.redis_enterprise_conn_id)

    def _left(self) -> float | None:
        """Return the seconds until the deadline. With none left, there is still one look."""
        if self.deadline is None:
            return None
        return max(0.0, (self.deadline - datetime.now(UTC)).total_seconds())
