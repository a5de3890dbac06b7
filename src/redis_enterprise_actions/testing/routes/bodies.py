"""How the fake's actions and databases look on the wire, in each of the API's shapes.

The types are those that were recorded on clusters, where they were: see the tables of
requests/actions, objects/action and objects/state-machine for the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions.testing.state.databases import busy_word


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.state.actions import FakeAction
    from redis_enterprise_actions.testing.state.databases import FakeDatabase

# Database objects hold secrets, and so must the fake's: this one may show up nowhere else.
DATABASE_SECRET: Final = "fake-database-secret"  # noqa: S105 - of a database that is not there
_V2_WORDS: Final = {"pending": "queued", "active": "running"}


def task(action: FakeAction, now: float, epoch: float) -> dict[str, object]:
    """Return a task of /v1: numbers are strings, and the uid comes twice."""
    status, percent = action.status(now), action.percent(now)
    wire: dict[str, object] = {
        "action_uid": action.uid,
        "task_id": action.uid,
        "name": action.name,
        "status": status,
        "creation_time": str(int(epoch + action.began_at)),
    }
    if percent is not None:
        wire["progress"] = f"{percent:g}"
    if action.node_uid is not None:
        wire["node_uid"] = str(action.node_uid)
    if status == "failed":
        wire |= {"error_code": action.error_code, "error_message": action.error}
    return wire


def machine(action: FakeAction, now: float, epoch: float) -> dict[str, object]:
    """Return a state machine of /v1: no progress and no state once it has completed."""
    status, percent = action.status(now), action.percent(now)
    wire: dict[str, object] = {
        "action_uid": action.uid,
        "name": action.name,
        "object_name": f"bdb:{action.bdb_uid}",
        "status": status,
        "heartbeat": int(epoch + action.moved_at(now)),
        "pending_ops": _pending_ops(action, now, epoch),
    }
    if status != "completed":
        wire["state"] = action.state(now)
        if percent is not None:
            wire["progress"] = percent
    if status == "failed":
        wire["error"] = action.error
    return wire


def v2(action: FakeAction, now: float, epoch: float) -> dict[str, object]:
    """Return an action of /v2: numbers are numbers, the rare is in `additional_info`."""
    percent = action.percent(now)
    wire: dict[str, object] = {
        "action_uid": action.uid,
        "action_type": action.kind,
        "name": action.name,
        "status": _V2_WORDS.get(action.status(now), action.status(now)),
        "creation_time": int(epoch + action.began_at),
    }
    if percent is not None:
        wire["progress"] = percent
    info: dict[str, object] = {}
    if action.bdb_uid is not None:
        info |= {"object_type": "bdb", "object_uid": str(action.bdb_uid)}
    if action.status(now) == "failed":
        info["error"] = action.error
    if _pending_ops(action, now, epoch):
        info["pending_ops"] = _pending_ops(action, now, epoch)
    return wire | {"additional_info": info} if info else wire


def bdb(database: FakeDatabase, now: float, epoch: float) -> dict[str, object]:
    """Return a database object: of its many fields those that matter here, and a secret.

    How `background_op` looks when a state machine has failed is a guess; only its fields are
    documented.
    """
    running, failed = database.running(now), database.failed(now)
    wire = database.config(now) | {
        "uid": database.uid,
        "status": database.status(now),
        "authentication_admin_pass": DATABASE_SECRET,
        "background_op": [{"status": "idle"}],
    }
    for transfers in database.transfers.values():
        wire |= transfers.fields(now, epoch)
    if running is not None:
        wire |= under_way(running)
    elif failed is not None:
        error = {"error_code": failed.error_code, "description": failed.error}
        wire["background_op"] = [{"name": failed.name, "status": "failed", "error": error}]
    return wire


def under_way(action: FakeAction) -> dict[str, object]:
    """Return what a database shows of an action on it, as was recorded after a delete."""
    return {
        "status": busy_word(action),
        "action_uid": action.uid,
        "background_op": [{"name": action.name, "progress": 0, "status": "pending"}],
    }


def _pending_ops(action: FakeAction, now: float, epoch: float) -> dict[str, object]:
    if not action.runs_at <= now < action.ends_at:
        return {}
    return {
        str(shard): {
            "op_name": action.state(now),
            "status_code": "running",
            "status_description": "in progress",
            "progress": action.percent(now),
            "heartbeat": int(epoch + action.moved_at(now)),
            "last_sample_time": int(epoch + now),
            "snapshot": {},
        }
        for shard in action.shards
    }
