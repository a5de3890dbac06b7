"""Check mode: a dry run where the API has one, and otherwise the call that would be made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .runs import Settings, TaskFailure, make_call


if TYPE_CHECKING:
    from redis_enterprise_actions.sync import ActionsClient

    from .calls import Call


_NO_CLUSTER = 503  # of nodes that are in no cluster yet
_OUTAGE = "10s"
_UPDATE = re.compile(r"/v\d/bdbs/\d{1,18}")


def would_call(client: ActionsClient, call: Call, settings: Settings) -> dict[str, Any]:
    """Let the cluster check a call that has a dry run. Raises `TaskFailure` if it refuses.

    A playbook that builds a cluster can be checked before there is one.

    The answer of a dry run does not say that there is nothing to change: for the settings of a
    database, they are compared with those that an empty dry run answers.
    """
    if call.is_dry:
        return make_call(client, call, settings)
    dry = call.dry
    nothing = {"ref": None, "action": None, "outcome": None, "elapsed": None, "call_started": "no"}
    if dry is None:
        text = f"would make the call {call.title}; the API has no dry run of it"
        return {**nothing, "changed": True, "msg": text}
    quick = settings._replace(
        submit_limits={**settings.submit_limits, "outage_timeout": _OUTAGE, "busy_timeout": "0"}
    )
    try:
        make_call(client, dry, quick)
    except TaskFailure as failure:
        if failure.result["status"] != _NO_CLUSTER:
            raise
        text = f"would make the call {call.title}; the nodes are not ready to check it"
        return {**nothing, "changed": True, "msg": text}
    if _changes_nothing(client, dry, settings):
        return {**nothing, "changed": False, "msg": f"{call.title}: there is nothing to change"}
    text = f"would make the call {call.title}, which the cluster has checked"
    return {**nothing, "changed": True, "msg": text}


def _changes_nothing(client: ActionsClient, dry: Call, settings: Settings) -> bool:
    """Return True if the settings of a database are already as a call would set them."""
    wanted: Mapping[str, Any] | None = None
    if dry.resource == "databases" and dry.name == "update":
        wanted = dry.arguments["changes"]
        empty = dry._replace(arguments={**dry.arguments, "changes": {}})
    elif dry.method == "PUT" and _UPDATE.fullmatch(dry.path):
        wanted, empty = dry.json or {}, dry._replace(json={})
    if wanted is None:
        return False
    present = empty.submit(client, **settings.submit_limits).answer
    return isinstance(present, Mapping) and all(
        name in present and present[name] == value for name, value in wanted.items()
    )
