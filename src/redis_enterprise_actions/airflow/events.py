"""Events that triggers send at the end of a wait, and the Airflow exceptions that follow from them.

Airflow retries a task after an `AirflowException` or an `AirflowTaskTimeout`, and not after an
`AirflowFailException`. A retry is of use if the cluster was out of reach or slow; it changes
nothing if the work has failed or the cluster refuses a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypedDict

from redis_enterprise_actions import (
    Action,
    ClusterUnhealthy,
    Outcome,
    RequestError,
    RequestRejected,
    WaitError,
)

from .compat import AirflowException, AirflowFailException, AirflowTaskTimeout
from .connection import in_words_of_connections


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions import RedisActionsError

COMPLETED: Final = Outcome.COMPLETED.value
TIMED_OUT: Final = "WaitTimeout"
STOPPED: Final = "Stopped"  # Airflow has told the worker to end the task
_BUSY: Final = 409
_NOT_READY: Final = (406, "invalid_version")  # of a new cluster, to the creation of a database
_CREATIONS: Final = frozenset({("POST", "/v1/bdbs"), ("POST", "/v2/bdbs")})
_RETRYABLE: Final = frozenset({
    *("ClusterUnreachable", "UnreadableReply", "ActionStalled", "ClientClosed", STOPPED),
})  # fmt: skip


class WaitEvent(TypedDict):
    """Payload of a trigger's event: the end of a wait.

    `outcome` is "completed", "Stopped", or the class name of the error, and `message` its text.
    `action` is the `Action` as last seen, and `v` the version of this payload.
    """

    v: Literal[1]
    ref: str
    outcome: str
    message: str
    action: dict[str, object] | None


def check_version(document: Mapping[str, object], what: str) -> None:
    """Raise an exception after which Airflow does not retry, for a document of another version."""
    version = document.get("v", 1)
    if version != 1:
        raise AirflowFailException(
            f"{what} has v={version!r}, and this version of the provider reads 1. Install the same "
            "version of redis-enterprise-actions on all workers and triggerers"
        )


def event_of(ref: str, result: Action | RedisActionsError) -> WaitEvent:
    """Return the event for the action that a wait returned, or for the error that it raised."""
    if isinstance(result, Action):
        return WaitEvent(
            v=1, ref=ref, outcome=COMPLETED, message=str(result), action=result.to_dict()
        )
    seen = result.action if isinstance(result, (RequestError, WaitError)) else None
    action = None if seen is None else seen.to_dict()
    message = in_words_of_connections(str(result))
    return WaitEvent(v=1, ref=ref, outcome=type(result).__name__, message=message, action=action)


def airflow_error(
    outcome: str, message: str, *, repeatable: bool = True
) -> AirflowException | AirflowTaskTimeout:
    """Return the Airflow exception for an error's class name and message.

    Without `repeatable`, the exception is one after which Airflow does not retry.
    """
    if repeatable and outcome == TIMED_OUT:
        return AirflowTaskTimeout(message)
    if repeatable and outcome in _RETRYABLE:
        return AirflowException(message)
    return AirflowFailException(message)


def is_busy(error: RedisActionsError) -> bool:
    """Return True if the cluster may accept the same call later: busy, or new and not ready yet."""
    if not isinstance(error, RequestRejected):
        return False
    is_creation = (error.method, error.path) in _CREATIONS
    return error.status == _BUSY or (is_creation and (error.status, error.error_code) == _NOT_READY)


def call_error(error: RedisActionsError) -> AirflowException:
    """Return the Airflow exception for the error of a call that has started nothing.

    A later call may succeed on a cluster that is busy (409), unhealthy or out of reach.
    """
    message = in_words_of_connections(str(error))
    if is_busy(error) or isinstance(error, ClusterUnhealthy) or type(error).__name__ in _RETRYABLE:
        return AirflowException(message)
    return AirflowFailException(message)
