"""Deferral of a task to a trigger, with the limits of its wait."""

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

# Time after the deadline that Airflow gives the triggerer for the last poll.
_DEADLINE_MARGIN: Final = timedelta(minutes=10)


def seconds(duration: Duration | None, name: str) -> float | None:
    """Return a duration in seconds, or None for an endless one. Raises `UsageError` for others.

    Operators call it before they send anything, as a wait with a bad limit cannot begin.
    """
    if duration is None:
        return None
    length = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(length, bool) or not isinstance(length, (int, float)) or not length >= 0:
        raise UsageError(f"{name}={duration!r} is not a duration: seconds, 0 or more, or timedelta")
    return None if length == math.inf else length


def deadline_in(*limits: float | None) -> datetime | None:
    """Return the end of the shortest limit, each in seconds from now, or None if there is none."""
    set_limits = [limit for limit in limits if limit is not None]
    return datetime.now(UTC) + timedelta(seconds=min(set_limits)) if set_limits else None


class WaitOptions(NamedTuple):
    """Reference, connection and limits of a wait."""

    conn_id: str
    ref: str
    deadline: datetime | None
    stall_timeout: float | None
    outage_timeout: float | None
    cancel_on_kill: bool = False


def defer(operator: BaseOperator, wait: WaitOptions, **kwargs: bool) -> NoReturn:
    """Defer a task; it continues in `execute_complete` when the work has ended."""
    trigger = RedisEnterpriseTrigger(
        redis_enterprise_conn_id=wait.conn_id,
        ref=wait.ref,
        deadline=wait.deadline,
        stall_timeout=wait.stall_timeout,
        outage_timeout=wait.outage_timeout,
        cancel_on_kill=wait.cancel_on_kill,
    )
    timeout = (
        None if wait.deadline is None else wait.deadline - datetime.now(UTC) + _DEADLINE_MARGIN
    )
    operator.defer(
        trigger=trigger, method_name="execute_complete", kwargs=dict(kwargs), timeout=timeout
    )
