"""Events that triggers send at the end of a wait, and the Airflow exceptions that follow from them.

Airflow retries a task after an `AirflowException` or an `AirflowTaskTimeout`, and not after an
`AirflowFailException`. A retry is of use if the cluster was out of reach or slow; it changes
nothing if the work has failed or the cluster refuses a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

import msgspec

from redis_enterprise_actions import Action, Outcome, RequestError, WaitError

from .compat import AirflowException, AirflowFailException, AirflowTaskTimeout


if TYPE_CHECKING:
    from redis_enterprise_actions import RedisActionsError

COMPLETED: Final = Outcome.COMPLETED.value
_TIMED_OUT: Final = "WaitTimeout"
_RETRYABLE: Final = frozenset({
    *("ClusterUnreachable", "UnreadableReply", "ActionStalled", "ClientClosed"),
})  # fmt: skip


class WaitEvent(TypedDict):
    """Payload of a trigger's event: the end of a wait.

    `outcome` is "completed", or the class name of the error, and `message` its text. `action` is
    the `Action` as last seen.
    """

    ref: str
    outcome: str
    message: str
    action: dict[str, object] | None


def action_to_json(action: Action) -> dict[str, object]:
    """Return an action as a JSON object. Times are text, in ISO 8601."""
    return msgspec.json.decode(msgspec.json.encode(action), type=dict[str, object])


def event_of(ref: str, result: Action | RedisActionsError) -> WaitEvent:
    """Return the event for the action that a wait returned, or for the error that it raised."""
    if isinstance(result, Action):
        return WaitEvent(
            ref=ref, outcome=COMPLETED, message=str(result), action=action_to_json(result)
        )
    seen = result.action if isinstance(result, (RequestError, WaitError)) else None
    action = None if seen is None else action_to_json(seen)
    return WaitEvent(ref=ref, outcome=type(result).__name__, message=str(result), action=action)


def airflow_error(
    outcome: str, message: str, *, repeatable: bool = True
) -> AirflowException | AirflowTaskTimeout:
    """Return the Airflow exception for an error's class name and message.

    Without `repeatable`, the exception is one after which Airflow does not retry.
    """
    if repeatable and outcome == _TIMED_OUT:
        return AirflowTaskTimeout(message)
    if repeatable and outcome in _RETRYABLE:
        return AirflowException(message)
    return AirflowFailException(message)
