"""Results and failures of tasks, as Ansible returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from redis_enterprise_actions.sync import FinishedAction, RedisActionsError


def result_of(action: FinishedAction) -> dict[str, Any]:
    """Return the end of a wait: `action`, `outcome` and `elapsed`."""
    fields = action.to_dict()
    fields.pop("record", None)
    record = action.record
    return {"action": fields, "outcome": record.outcome.value, "elapsed": record.elapsed}


def failure_of(error: RedisActionsError, ref: str | None = None) -> dict[str, Any]:
    """Return an error as a result: the outcome, and the cluster's words as `msg` and `error_code`.

    `ref` is the reference of the work, if the error names none.
    """
    action = getattr(error, "action", None)
    code = getattr(error, "error_code", None)
    if code is None and action is not None:
        code = action.error_code
    return {
        "msg": str(error),
        "outcome": error.outcome.value,
        "error_code": code,
        "status": getattr(error, "status", None),
        "ref": getattr(error, "ref", None) or ref,
        "action": None if action is None else action.to_dict(),
        "elapsed": getattr(error, "elapsed", None),
    }
