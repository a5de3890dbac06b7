"""The modules `wait` and `check`, once the client's package is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis_enterprise_actions.sync import FinishedAction, Outcome, RedisActionsError

from .client import client_of
from .options import wait_arguments
from .results import failure_of, result_of


if TYPE_CHECKING:
    from .module import ActionsModule


def wait(module: ActionsModule) -> None:
    """Wait for the references of a task, and exit with their ends."""
    refs, settle = module.params["refs"], module.params["settle"]
    if not refs and not module.params["allow_empty"]:
        module.stop("refs is empty: set allow_empty if that is no mistake")
    if module.check_mode:
        module.exit_json(changed=False, results=[], msg=f"would wait for {', '.join(refs)}")
    try:
        with client_of(module.params) as client:
            limits = wait_arguments(module.params)
            ends = client.wait_for(*refs, settle=settle, allow_empty=True, **limits)
    except RedisActionsError as error:
        failure = failure_of(error)
        module.fail_json(changed=False, results=[failure], **failure)
    results = [_result(ref, end) for ref, end in zip(refs, ends, strict=True)]
    failures = [each for each in results if "msg" in each]
    if failures:
        first: dict[str, Any] = dict(failures[0])
        if len(failures) > 1:
            first["msg"] += f" (and {len(failures) - 1} more of {len(results)} failed)"
        module.fail_json(changed=False, results=results, **first)
    module.exit_json(changed=False, results=results, outcome=Outcome.COMPLETED.value)


def _result(ref: str, end: FinishedAction | RedisActionsError) -> dict[str, Any]:
    if isinstance(end, RedisActionsError):
        return failure_of(end, ref)
    return {"ref": ref, **result_of(end)}


def check(module: ActionsModule) -> None:
    """Look at the cluster, and exit with what was found."""
    try:
        with client_of(module.params) as client:
            found = client.cluster.check(ignore_maintenance=module.params["ignore"])
    except RedisActionsError as error:
        module.fail_json(changed=False, **failure_of(error))
    findings = [
        {"kind": each.kind.value, "object": each.object, "text": each.text}
        for each in found.findings
    ]
    texts = ", ".join(map(str, found.findings))
    result = {"changed": False, "healthy": found.is_healthy, "findings": findings}
    if found.is_healthy:
        module.exit_json(outcome=Outcome.COMPLETED.value, msg=str(found), **result)
    outcome, text = Outcome.UNHEALTHY.value, f"{found}: {texts}"
    end = module.fail_json if module.params["fail"] else module.exit_json
    end(outcome=outcome, msg=text, **result)
