"""How the fake's actions and databases look on the wire, in each of the API's shapes.

The types are those that were recorded on clusters, where they were: see the tables of
requests/actions, objects/action and objects/state-machine for the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions.testing.state.databases import pending_ops


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.state.actions import FakeAction


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
        "pending_ops": pending_ops(action, now, epoch),
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
    if pending_ops(action, now, epoch):
        info["pending_ops"] = pending_ops(action, now, epoch)
    return wire | {"additional_info": info} if info else wire
