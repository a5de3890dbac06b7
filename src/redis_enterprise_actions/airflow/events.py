"""How a wait ended: as JSON between Airflow's processes, and which of Airflow's exceptions it is.

Airflow tries a task again after an `AirflowException` or an `AirflowTaskTimeout`, and does not
after an `AirflowFailException`. Another try is of use where the cluster was out of reach or slow;
it changes nothing where the work has failed or the cluster refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

import msgspec

from redis_enterprise_actions import Action, RequestError, WaitError

from .compat import AirflowException, AirflowFailException, AirflowTaskTimeout


if TYPE_CHECKING:
    from redis_enterprise_actions import RedisActionsError

COMPLETED: Final = "completed"
_TIMED_OUT: Final = "WaitTimeout"
_ANOTHER_TRY: Final = frozenset({
    *("ClusterUnreachable", "UnreadableReply", "ActionStalled", "ClientClosed"),
})  # fmt: skip


class End(TypedDict):
    """How a wait ended: what a trigger's event holds.

    `outcome` is "completed", or the name of the error that was raised, and `message` what that
    says. `action` is the `Action` as last seen.
    """

    ref: str
    outcome: str
    message: str
    action: dict[str, object] | None


def json_of(action: Action) -> dict[str, object]:
    """Return an action as what JSON can hold. Times are text, in ISO 8601."""
    return msgspec.json.decode(msgspec.json.encode(action), type=dict[str, object])


def end_of(ref: str, came: Action | RedisActionsError) -> End:
    """Return how a wait ended, given what it returned or raised."""
    if isinstance(came, Action):
        return End(ref=ref, outcome=COMPLETED, message=str(came), action=json_of(came))
    seen = came.action if isinstance(came, (RequestError, WaitError)) else None
    action = None if seen is None else json_of(seen)
    return End(ref=ref, outcome=type(came).__name__, message=str(came), action=action)


def failure_of(
    outcome: str, message: str, *, repeatable: bool = True
) -> AirflowException | AirflowTaskTimeout:
    """Return the exception for an error's name and message.

    Where another try would not be `repeatable`, there is to be none.
    """
    if repeatable and outcome == _TIMED_OUT:
        return AirflowTaskTimeout(message)
    if repeatable and outcome in _ANOTHER_TRY:
        return AirflowException(message)
    return AirflowFailException(message)


def failure_with(error: RedisActionsError) -> AirflowException | AirflowTaskTimeout:
    """Return the exception for an error after which nothing has begun."""
    return failure_of(type(error).__name__, str(error))
