"""JSON bodies of actions and databases, in each of the API's shapes.

Types are those of recorded answers; where there is no recording, those of the vendor's tables
(requests/actions, objects/action, objects/state-machine, objects/bdb).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions.testing.state.crdbs import CLUSTERS
from redis_enterprise_actions.testing.state.databases import DATABASE_SECRET, busy_status

from .nodes import address


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.state.actions import FakeAction
    from redis_enterprise_actions.testing.state.databases import FakeDatabase


_V2_STATUSES: Final = {"pending": "queued", "active": "running"}


def task(action: FakeAction, now: float, clock: Clock) -> dict[str, object]:
    """Return a task of /v1: numbers are strings, and the uid is given twice."""
    status, percent = action.status(now), action.percent(now)
    body: dict[str, object] = {
        "action_uid": action.uid,
        "task_id": action.uid,
        "name": action.name,
        "status": status,
        "creation_time": str(clock.unix_time(action.began_at)),
    }
    if percent is not None:
        body["progress"] = f"{percent:g}"
    if action.node_uid is not None:
        body["node_uid"] = str(action.node_uid)
    if action.module_uid is not None:
        body["module_uid"] = action.module_uid
    if status == "failed":
        body |= {"error_code": action.error_code, "error_message": action.error}
    return body


def state_machine(action: FakeAction, now: float, clock: Clock) -> dict[str, object]:
    """Return a state machine of /v1, without progress and state once it has completed."""
    status, percent = action.status(now), action.percent(now)
    body: dict[str, object] = {
        "action_uid": action.uid,
        "name": action.name,
        "object_name": f"bdb:{action.bdb_uid}",
        "status": status,
        "heartbeat": clock.unix_time(action.moved_at(now)),
        "pending_ops": _pending_ops(action, now, clock),
    }
    if status != "completed":
        body["state"] = action.state(now)
        if percent is not None:
            body["progress"] = percent
    if status == "failed":
        body["error"] = action.error
    return body


def v2(action: FakeAction, now: float, clock: Clock) -> dict[str, object]:
    """Return an action of /v2: numbers are numbers, rare fields are in `additional_info`."""
    percent = action.percent(now)
    body: dict[str, object] = {
        "action_uid": action.uid,
        "action_type": action.kind,
        "name": action.name,
        "status": _V2_STATUSES.get(action.status(now), action.status(now)),
        "creation_time": clock.unix_time(action.began_at),
    }
    if percent is not None:
        body["progress"] = percent
    info: dict[str, object] = {}
    if action.bdb_uid is not None:
        info |= {"object_type": "bdb", "object_uid": str(action.bdb_uid)}
    if action.status(now) == "failed":
        info["error"] = action.error
    pending_ops = _pending_ops(action, now, clock)
    if pending_ops:
        info["pending_ops"] = pending_ops
    return body | {"additional_info": info} if info else body


def database(bdb: FakeDatabase, now: float, clock: Clock) -> dict[str, object]:
    """Return a database object, with a part of its many fields, and a secret.

    It has an endpoint at any time, with a port that the cluster chooses if none is set; `port` is
    0 then, as seen on clusters. Sources of imports cannot be read. The `background_op` of a state
    machine that has failed is a guess: only its fields are documented.
    """
    running, failed = bdb.running(now), bdb.failed(now)
    config, port = bdb.config(now), bdb.endpoint_port(now)
    created_at = clock.started_at if bdb.created_at is None else bdb.created_at
    body = config | {
        "uid": bdb.uid,
        "status": bdb.status(now),
        "created_time": clock.iso_time(created_at),
        "last_changed_time": clock.iso_time(max(created_at, bdb.changed_at)),
        "shard_list": list(bdb.shard_list(now)),
        "endpoints": [
            {
                "uid": f"{bdb.uid}:1",
                "addr": [address(1)],
                "addr_type": "external",
                "dns_name": f"redis-{port}.{CLUSTERS[0]}",
                "oss_cluster_api_preferred_ip_type": "internal",
                "port": port,
                "proxy_policy": config["proxy_policy"],
            }
        ],
        "dataset_import_sources": [],
        "authentication_admin_pass": DATABASE_SECRET,
        "background_op": [{"status": "idle"}],
    }
    for transfers in bdb.transfers.values():
        body |= transfers.to_json(now, clock)
    if running is not None:
        body |= busy_fields(running)
    elif failed is not None:
        error = {"error_code": failed.error_code, "description": failed.error}
        body["background_op"] = [{"name": failed.name, "status": "failed", "error": error}]
    return body


def busy_fields(action: FakeAction) -> dict[str, object]:
    """Return the fields by which a database shows an action, as recorded after a delete."""
    return {
        "status": busy_status(action),
        "action_uid": action.uid,
        "background_op": [{"name": action.name, "progress": 0, "status": "pending"}],
    }


def _pending_ops(action: FakeAction, now: float, clock: Clock) -> dict[str, object]:
    """Return the operations on the shards of a running state machine, by shard."""
    if not action.runs_at <= now < action.ends_at:
        return {}
    return {
        str(shard): {
            "op_name": action.state(now),
            "status_code": "running",
            "status_description": "in progress",
            "progress": action.percent(now),
            "heartbeat": clock.unix_time(action.moved_at(now)),
            "last_sample_time": clock.unix_time(now),
            "snapshot": {},
        }
        for shard in action.shards
    }
