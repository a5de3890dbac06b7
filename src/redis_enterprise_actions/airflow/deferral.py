"""How a task lets go of its worker: until when, and with which limits."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from redis_enterprise_actions import UsageError

from .triggers import RedisEnterpriseTrigger


if TYPE_CHECKING:
    from typing import NoReturn

    from airflow.sdk import BaseOperator

Duration: TypeAlias = float | timedelta

# How long after the deadline Airflow's own clock waits for a triggerer to have its last look.
_SPARE: Final = timedelta(minutes=10)


def seconds(duration: Duration | None, name: str) -> float | None:
    """Return a duration in seconds, None being endless. Raises `UsageError`.

    To be called before anything is sent: a wait that cannot begin is of no use.
    """
    if duration is None:
        return None
    length = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(length, bool) or not isinstance(length, (int, float)) or not length >= 0:
        raise UsageError(f"{name}={duration!r} is not a duration: seconds, 0 or more, or timedelta")
    return None if length == math.inf else length


def deadline_in(*limits: float | None) -> datetime | None:
    """Return when the shortest of some limits, in seconds from now, is over."""
    given = [limit for limit in limits if limit is not None]
    return datetime.now(UTC) + timedelta(seconds=min(given)) if given else None


class Wait(NamedTuple):
    """What a task waits for, and with which limits."""

    conn_id: str
    ref: str
    deadline: datetime | None
    stall_timeout: float | None
    outage_timeout: float | None
    cancel_on_kill: bool = False


def defer(operator: BaseOperator, wait: Wait, **remembered: bool) -> NoReturn:
    """Let the task go on in `execute_complete` when what it waits for has ended."""
    trigger = RedisEnterpriseTrigger(
        redis_enterprise_conn_id=wait.conn_id,
        ref=wait.ref,
        deadline=wait.deadline,
        stall_timeout=wait.stall_timeout,
        outage_timeout=wait.outage_timeout,
        cancel_on_kill=wait.cancel_on_kill,
    )
    last = None if wait.deadline is None else wait.deadline - datetime.now(UTC) + _SPARE
    operator.defer(
        trigger=trigger, method_name="execute_complete", kwargs=dict(remembered), timeout=last
    )
