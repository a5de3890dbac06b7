"""JSON bodies of tasks of Active-Active databases, and their conversion to `Action`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, cast

import msgspec

from redis_enterprise_actions._model.action import CRDB_TASK_PHASES, Action, Kind, phase_of

from .error_body import unreadable_reply
from .lenient_json import TextOrInt, as_text, decode_or_default
from .reasons import joined, read_json, reason_in, reason_text, unknown_reason
from .replies import Lone, decode_each, decode_list, decode_reply


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
    id: str = ""
    crdb_guid: str | None = None
    operation: str | None = None
    started: str | None = None
    progress: msgspec.Raw = msgspec.Raw()
    errors: msgspec.Raw = msgspec.Raw()
    error_code: TextOrInt = None
    error: msgspec.Raw = msgspec.Raw()


_KNOWN: Final = frozenset(
    ["ended", "worker_name", *(field.encode_name for field in msgspec.structs.fields(WireCrdbTask))]
)
_LONE: Final = Lone(("id",), CRDB_TASK_PHASES)


def read_crdb_task(body: bytes, uid: str, path: str) -> Action:
    """Decode the answer of GET /v1/crdb_tasks/{id}."""
    wire = decode_reply(body, WireCrdbTask, path)
    if wire.id and wire.id.strip().casefold() != uid.casefold():
        raise unreadable_reply(path, "it is about another task", body)
    return _crdb_task(wire, uid, body)


def read_crdb_tasks(body: bytes, path: str) -> list[Action]:
    """Decode the list of /v1/crdb_tasks."""
    entries = decode_each(decode_list(body, path, _LONE).entries, WireCrdbTask)
    return [_crdb_task(wire, uid, raw) for raw, wire in entries if (uid := wire.id.strip())]


def _crdb_task(wire: WireCrdbTask, uid: str, raw: bytes | msgspec.Raw) -> Action:
    phase = phase_of(wire.status, CRDB_TASK_PHASES)
    code, error = _failure(wire)
    if error is None and phase.failed:
        error = unknown_reason(raw, _KNOWN)
    return Action(
        uid=uid,
        name=wire.operation or "crdb_task",
        kind=Kind.CRDB_TASK,
        status=wire.status,
        phase=phase,
        state=_steps(wire.progress),
        object_type="crdb" if wire.crdb_guid else None,
        object_uid=wire.crdb_guid or None,
        creation_time=_iso_time(wire.started),
        error_code=code,
        error=error,
    )


def _failure(wire: WireCrdbTask) -> tuple[str | None, str | None]:
    """Return the code and the text of a task's `errors`, one of each cluster that has one."""
    found = read_json(wire.errors)
    if found is None:  # there are none, or too many
        return as_text(wire.error_code), reason_text(wire.error) or reason_text(wire.errors)
    first = as_text(wire.error_code)
    texts = [reason_text(wire.error)]
    for each in cast("list[object]", found) if isinstance(found, list) else [found]:
        cluster, code, text = _error_in(each)
        first = first or code
        texts.append(joined([cluster, None if code == first else code, text], ": "))
    return first, joined(texts, "; ")


def _error_in(entry: object) -> tuple[str | None, str | None, str | None]:
    """Return the cluster, the code and the text of one of the `errors`."""
    if not isinstance(entry, dict):
        return None, *reason_in(entry)
    fields = dict(cast("dict[str, object]", entry))
    _, cluster = reason_in(fields.pop("cluster_name", None))
    return cluster, *reason_in(fields)


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
