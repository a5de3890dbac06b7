"""One run of a call: the call is made, its work is waited for, and the result is that of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from redis_enterprise_actions.sync import AnswerLost, Evidence, RedisActionsError

from .results import failure_of, result_of
from .targets import DELETED, target_of


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions.sync import ActionsClient, Operation

    from .calls import Call


NO, YES, UNKNOWN = "no", "yes", "unknown"


class TaskFailure(Exception):
    """End of a task with a failure. `result` is what the module returns."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


class Settings(NamedTuple):
    """Options of a task beside its call.

    `wait_limits` are the arguments of a wait, `submit_limits` those of the call.
    """

    waits: bool
    wait_limits: Mapping[str, Any]
    submit_limits: Mapping[str, Any]

    @property
    def accepts_untracked(self) -> bool:
        """True if the answer counts as the end of a call that names nothing to follow."""
        return self.submit_limits.get("untracked") == "completed"


def check_limits(client: ActionsClient, call: Call, settings: Settings) -> None:
    """Raise `UsageError` for a limit or a condition that cannot work, before the call is made."""
    target = target_of(call)
    ref = f"{target.ref}@gone" if target.kind == DELETED else target.ref or "action:0"
    if settings.waits:
        client.operation(ref).watch(**settings.wait_limits)  # sends nothing before its first step


def follow(client: ActionsClient, ref: str, settings: Settings) -> dict[str, Any]:
    """Wait for work that an earlier task has started. Raises `TaskFailure`."""
    if not settings.waits:
        return result_with(ref, started=NO, changed=False)
    try:
        ended = client.operation(ref).wait(**settings.wait_limits)
    except RedisActionsError as error:
        fail(error, ref, started=NO, changed=False)
    return result_with(ref, started=NO, changed=False) | result_of(ended)


def make_call(client: ActionsClient, call: Call, settings: Settings) -> dict[str, Any]:
    """Make a call, and wait for its work. Raises `TaskFailure`."""
    return wait_for(call, submit(client, call, settings), settings)


def submit(client: ActionsClient, call: Call, settings: Settings) -> Operation:
    """Make a call, and return its `Operation`. Raises `TaskFailure`."""
    try:
        return call.submit(client, **settings.submit_limits)
    except AnswerLost as error:
        fail(error, None, started=UNKNOWN, changed=True)
    except RedisActionsError as error:
        fail(error, None, started=NO, changed=False)


def wait_for(call: Call, operation: Operation, settings: Settings) -> dict[str, Any]:
    """Wait for the work of a call. Raises `TaskFailure`."""
    ref: str | None = operation.ref
    changed = not call.is_dry
    if not settings.waits and ref is not None:
        return result_with(ref, started=YES, changed=changed)
    try:
        ended = operation.wait(**settings.wait_limits)
    except RedisActionsError as error:
        fail(error, ref, started=YES, changed=changed)
    is_unchanged = ref is not None and "@unchanged" in ref and ended.evidence is Evidence.QUIET
    changed = changed and not is_unchanged
    return result_with(ref, started=YES, changed=changed) | result_of(ended)


def result_with(ref: str | None, *, started: str, changed: bool) -> dict[str, Any]:
    """Return the result of a task that has not waited; `started` is `call_started`."""
    return {
        "ref": ref,
        "call_started": started,
        "changed": changed,
        "action": None,
        "outcome": None,
        "elapsed": None,
    }


def fail(error: RedisActionsError, ref: str | None, *, started: str, changed: bool) -> NoReturn:
    """Raise `TaskFailure` for an error of the client."""
    failure = failure_of(error, ref)
    raise TaskFailure({**failure, "call_started": started, "changed": changed}) from error
