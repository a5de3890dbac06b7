"""The module `operation`, once the client's package is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis_enterprise_actions.sync import RedisActionsError, UsageError

from .calls import Call, named_call
from .check_mode import would_call
from .client import client_of
from .options import wait_arguments
from .results import failure_of
from .runs import Settings, TaskFailure, check_limits, follow, make_call
from .state_file import StateFile, StateFileError
from .task import ResumableTask


if TYPE_CHECKING:
    from redis_enterprise_actions.sync import ActionsClient

    from .module import ActionsModule


def run(module: ActionsModule) -> None:
    """Make the call of a task, and exit with its result."""
    try:
        result = _run(module)
    except TaskFailure as failure:
        module.fail_json(**failure.result)
    except StateFileError as error:
        module.stop(str(error), error.started)
    except RedisActionsError as error:
        module.fail_json(**failure_of(error), call_started="no", changed=False)
    else:
        module.exit_json(**result)


def _run(module: ActionsModule) -> dict[str, Any]:
    params = module.params
    call = _call(params)
    settings = _settings(params)
    with client_of(params) as client:
        if params["ref"]:
            if module.check_mode:
                settings = settings._replace(waits=False)
            return follow(client, params["ref"], settings)
        check_limits(client, call, settings)
        if not params["state_file"]:
            make = would_call if module.check_mode else make_call
            return make(client, call, settings)
        return _resumable(module, client, call, settings)


def _resumable(
    module: ActionsModule, client: ActionsClient, call: Call, settings: Settings
) -> dict[str, Any]:
    file = StateFile(module.params["state_file"])
    try:
        task = ResumableTask(client, call, settings, file, tuple(client.urls))
        if not module.check_mode:
            return task.run()
        return task.predict() or would_call(client, call, settings)
    finally:
        file.close()


def _call(params: dict[str, Any]) -> Call:
    """Return the call of a task. Raises `UsageError`."""
    shared = {"params": params["params"], "headers": params["headers"]}
    if params["call"]:
        return named_call(params["call"], params["arguments"])._replace(**shared)
    if params["arguments"]:
        raise UsageError("arguments are those of a named call: give call, too")
    return Call(
        method=params["method"] or "", path=params["path"] or "", json=params["json"], **shared
    )


def _settings(params: dict[str, Any]) -> Settings:
    names = ("busy_timeout", "outage_timeout", "untracked")
    return Settings(
        waits=params["wait"],
        wait_limits=wait_arguments(params),
        submit_limits={name: params[name] for name in names},
    )
