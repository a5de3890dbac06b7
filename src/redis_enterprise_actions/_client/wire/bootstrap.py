"""JSON bodies of a node's bootstrap, and their conversion to `Action`.

Vendor pages: requests/bootstrap, objects/bootstrap.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

import msgspec

from redis_enterprise_actions._model.action import Action, Kind, Phase, phase_of
from redis_enterprise_actions._model.errors import UnreadableReply

from .error_body import USE_API
from .lenient_json import (
    Numeric,
    TextOrInt,
    as_text,
    decode_or_default,
    decode_struct,
    utc_time,
)
from .reasons import joined, read_json, reason_in, reason_text, unknown_reason, whole_reason


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions._model.reference import Reference

IDLE: Final = "idle"
# requests/bootstrap, "state"
BOOTSTRAP_PHASES: Final[Mapping[str, Phase]] = MappingProxyType({
    IDLE: Phase.PENDING,
    "initiated": Phase.RUNNING,
    "creating_cluster": Phase.RUNNING,
    "joining_cluster": Phase.RUNNING,
    "recovering_cluster": Phase.RUNNING,
    "completed": Phase.COMPLETED,
    "error": Phase.FAILED,
})  # fmt: skip

# Fields of `error_details` that the page names, and how messages say them.
_MEMORY: Final = MappingProxyType({
    "required_memory": "memory",
    "required_flash": "flash",
})  # fmt: skip
_BYTES: Final = re.compile(r"\d{1,18}", re.ASCII)
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


class WireBootstrapStatus(msgspec.Struct):
    """The state of a node's bootstrap (objects/bootstrap)."""

    state: str
    start_time: Numeric = None
    error_code: TextOrInt = None
    error_details: msgspec.Raw = msgspec.Raw()


_STATUS_FIELDS: Final = frozenset({*WireBootstrapStatus.__struct_fields__, "end_time"})


class _WireNodeInfo(msgspec.Struct):
    """The node that was asked; its uid is missing until the node has one."""

    uid: TextOrInt = None


class _WireBootstrap(msgspec.Struct):
    bootstrap_status: msgspec.Raw
    local_node_info: msgspec.Raw = msgspec.Raw()


def read_bootstrap(body: bytes, ref: Reference, path: str) -> Action:
    """Decode the answer of GET /v1/bootstrap.

    Raises `UnreadableReply`, which does not quote the body, as that may hold secrets.
    """
    try:
        wire = decode_struct(body, _WireBootstrap)
        status = decode_struct(wire.bootstrap_status, WireBootstrapStatus)
    except ValueError:
        problem = "there is no bootstrap_status with a state in it"
        advice = USE_API if body.lstrip().startswith(b"<") else None
        raise UnreadableReply("GET", path, problem=problem, advice=advice) from None
    phase = phase_of(status.state, BOOTSTRAP_PHASES)
    failed = phase is Phase.FAILED
    return Action(
        uid=ref.name,
        name=ref.kind.value,
        kind=Kind.BOOTSTRAP,
        status=status.state,
        phase=phase,
        node_uid=as_text(decode_or_default(wire.local_node_info, _WireNodeInfo).uid),
        creation_time=_time(status.start_time),
        error_code=as_text(status.error_code) if failed else None,
        error=_error_text(wire.bootstrap_status, status) if failed else None,
    )


def _error_text(raw: msgspec.Raw, status: WireBootstrapStatus) -> str | None:
    """Return what `error_details` say in words, and what else an error says."""
    return joined([_details_text(status.error_details), unknown_reason(raw, _STATUS_FIELDS)], "; ")


def _time(value: Numeric) -> datetime | None:
    """Return a time that is given in seconds since the epoch, or in ISO 8601."""
    time = utc_time(value)
    if time is not None or not isinstance(value, str):
        return time
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _details_text(raw: msgspec.Raw) -> str | None:
    """Return what `error_details` say, in words."""
    found = read_json(raw)
    if not isinstance(found, dict):
        return reason_text(raw)
    details = cast("dict[str, object]", found)
    said = {
        "message": reason_in({"message": details.get("message")})[1],
        "failed_nodes": _failed_nodes_text(details.get("failed_nodes")),
        "replace_candidate": _labelled("the node to replace is", details.get("replace_candidate")),
        "violation": _labelled("violation:", details.get("violation")),
        **{name: _size_text(what, details.get(name)) for name, what in _MEMORY.items()},
    }
    rest = {name: each for name, each in details.items() if each and not said.get(name)}
    return joined([*said.values(), whole_reason(rest)], "; ")


def _failed_nodes_text(value: object) -> str | None:
    """Return the failed nodes, such as `failed nodes: 2 (rack r1), 3`."""
    if not isinstance(value, list):
        return _labelled("failed nodes:", value)
    entries = [each for each in cast("list[object]", value) if each]
    nodes = [text for each in entries if (text := _node_text(each))]
    return f"failed nodes: {', '.join(nodes)}" if nodes and len(nodes) == len(entries) else None


def _node_text(value: object) -> str | None:
    """Return the uid and the rack of a node, or all that its fields say."""
    if not isinstance(value, dict):
        return _scalar_text(value)
    fields = cast("dict[str, object]", value)
    uid, rack = _scalar_text(fields.get("uid")), _scalar_text(fields.get("rack_id"))
    if uid is None or not fields.keys() <= {"uid", "rack_id"}:
        return whole_reason(fields)
    return f"{uid} (rack {rack})" if rack else uid


def _labelled(label: str, value: object) -> str | None:
    text = _node_text(value)
    return None if text is None else f"{label} {text}"


def _size_text(what: str, value: object) -> str | None:
    """Return the memory or flash that a node needs, given in bytes."""
    text = _scalar_text(value)
    if text is None:
        return None
    if _BYTES.fullmatch(text):
        text = _bytes_text(int(text))
    return f"required {what}: {text}"


def _bytes_text(number: int) -> str:
    size, unit = float(number), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.4g} {_UNITS[unit]}"


def _scalar_text(value: object) -> str | None:
    """Return a text or a number without what may be secret in it; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return reason_in(str(value))[1]
