"""JSON bodies of tasks of Active-Active databases, and their conversion to `Action`."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from redis_enterprise_actions._model.action import Action, Kind, phase_of

from .error_body import unreadable_reply
from .lenient_json import TextOrInt, as_text, decode_or_default
from .replies import decode_entries, decode_reply


class WireCrdbError(msgspec.Struct):
    """One of a task's `errors`."""

    cluster_name: str | None = None
    description: str | None = None
    error_code: TextOrInt = None


class WireCrdbStep(msgspec.Struct):
    """Progress of a task on one of its clusters: the name of a step."""

    name: str | None = None
    progress: str | None = None


class WireCrdbProgress(msgspec.Struct):
    """A task's `progress`."""

    clusters: list[msgspec.Raw] | None = None
    worker: str | None = None


class WireCrdbTask(msgspec.Struct):
    """A task of an Active-Active database (objects/crdb_task)."""

    status: str
    id: str | None = None
    crdb_guid: str | None = None
    operation: str | None = None
    started: str | None = None
    progress: msgspec.Raw = msgspec.Raw()
    errors: list[msgspec.Raw] | None = None


def read_crdb_task(body: bytes, uid: str, path: str) -> Action:
    """Decode the answer of GET /v1/crdb_tasks/{id}."""
    wire = decode_reply(body, WireCrdbTask, path)
    if wire.id and wire.id.casefold() != uid.casefold():
        raise unreadable_reply(path, "it is about another task", body)
    return _crdb_task(wire, uid)


def read_crdb_tasks(body: bytes, path: str) -> list[Action]:
    """Decode the list of /v1/crdb_tasks."""
    wires = decode_entries(body, ("crdb_tasks", "tasks"), WireCrdbTask, path)
    return [_crdb_task(wire, wire.id) for wire in wires if wire.id]


def _crdb_task(wire: WireCrdbTask, uid: str) -> Action:
    errors = [decode_or_default(raw, WireCrdbError) for raw in wire.errors or ()]
    texts = [": ".join(filter(None, (each.cluster_name, each.description))) for each in errors]
    return Action(
        uid=uid,
        name=wire.operation or "crdb_task",
        kind=Kind.CRDB_TASK,
        status=wire.status,
        phase=phase_of(wire.status),
        state=_steps(wire.progress),
        object_type="crdb" if wire.crdb_guid else None,
        object_uid=wire.crdb_guid or None,
        creation_time=_iso_time(wire.started),
        error_code=next(filter(None, (as_text(each.error_code) for each in errors)), None),
        error="; ".join(filter(None, texts)) or None,
    )


def _steps(raw: msgspec.Raw) -> str | None:
    """Return the step of each cluster that reports one, or else the step of the worker."""
    progress = decode_or_default(raw, WireCrdbProgress)
    steps = [decode_or_default(each, WireCrdbStep) for each in progress.clusters or ()]
    texts = [f"{step.name}: {step.progress}" for step in steps if step.name and step.progress]
    return ", ".join(texts) or progress.worker or None


def _iso_time(text: str | None) -> datetime | None:
    """Return an ISO 8601 time, which is UTC unless it has an offset, or None."""
    try:
        time = datetime.fromisoformat(text or "")
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    except (OverflowError, ValueError):
        return None
