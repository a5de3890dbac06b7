"""Wait on a worker, without a triggerer, which ends with the event that a trigger would send."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions import RedisActionsError

from .compat import AirflowTaskTimeout
from .events import STOPPED, TIMED_OUT, WaitEvent, event_of
from .job import Job
from .waits import duration_text


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions import Action

    from .connection import ConnectionSettings
    from .waits import Wait

# Seconds before `execution_timeout` at which the wait ends, so that its last poll is in time.
_MARGIN: Final = 3.0


class WorkerWait:
    """A wait in a thread of the worker, from now on, for `limit` seconds at most."""

    def __init__(
        self,
        wait: Wait,
        settings: ConnectionSettings,
        log: Callable[..., object],
        *,
        limit: float | None,
        not_found_grace: float | None = None,
    ) -> None:
        self._wait = wait
        self._job = Job(_run(wait, settings, log, limit, not_found_grace))

    def event(self) -> WaitEvent:
        """Wait for the end. Airflow's alarm after `execution_timeout` is a timeout as any other."""
        ref, goal = self._wait.ref, self._wait.goal
        try:
            return event_of(ref, self._job.result())
        except RedisActionsError as error:
            return event_of(ref, error)
        except AirflowTaskTimeout:
            message = f"{goal} timed out after {duration_text(self._wait.elapsed())}"
            return WaitEvent(v=1, ref=ref, outcome=TIMED_OUT, message=message, action=None)
        except asyncio.CancelledError:
            message = f"the wait for {goal} was stopped"
            return WaitEvent(v=1, ref=ref, outcome=STOPPED, message=message, action=None)

    def stop(self) -> None:
        """End the wait with the outcome `STOPPED`."""
        self._job.cancel()


def limit_before(execution_timeout: float | None, wait: Wait) -> float | None:
    """Return the seconds that a wait has before Airflow's alarm, which began with it."""
    if execution_timeout is None:
        return None
    return max(execution_timeout - _MARGIN, execution_timeout / 2) - wait.elapsed()


async def _run(
    wait: Wait,
    settings: ConnectionSettings,
    log: Callable[..., object],
    limit: float | None,
    not_found_grace: float | None,
) -> Action:
    async with settings.make_client() as client:
        return await wait.run(client, log, limit=limit, not_found_grace=not_found_grace)
