"""JSON bodies that tell the state of a cluster: its nodes, shards, databases and work.

Nothing is left out: an entry that cannot be read is an entry without fields, and a field of an
unexpected type is a word that no table has. So neither can be taken for a good state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import msgspec

from redis_enterprise_actions._model.action import (
    ACTION_PHASES,
    CRDB_TASK_PHASES,
    Phase,
    phase_of,
)
from redis_enterprise_actions._model.text import one_line, shortened

from .databases import read_ops
from .error_body import unreadable_reply
from .lenient_json import decode, decode_struct
from .reasons import reason_text
from .replies import Lone, decode_list


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .databases import BackgroundOp

_S = TypeVar("_S", bound=msgspec.Struct)
UNREADABLE: Final = "unreadable"
_LONE_WORK: Final = Lone(("action_uid", "task_id", "id", "node_uid", "name"))
_BLANKS: Final = b" \t\r\n"


class Node(msgspec.Struct):
    """A node of /v1/nodes."""

    uid: object = None
    status: object = None


class NodeStatus(msgspec.Struct):
    """A node of /v1/nodes/status."""

    node_status: object = None
    role: object = None
    maintenance_snapshot: object = None


class NodeCheck(msgspec.Struct):
    """A node of /v1/cluster/check."""

    node_uid: object = None
    result: object = None
    error: msgspec.Raw = msgspec.Raw()


class CheckReport(msgspec.Struct):
    """The answer of /v1/cluster/check."""

    cluster_test_result: object = None
    nodes: msgspec.Raw = msgspec.Raw()


class Shard(msgspec.Struct):
    """A shard of /v1/shards, or of the health report, where uids may be ids."""

    uid: object = None
    id: object = None
    bdb_uid: object = None
    db_id: object = None
    status: object = None
    detailed_status: object = None

    @property
    def owner(self) -> str:
        """The uid of the shard's database; empty if it is not known."""
        return name_of(self.bdb_uid) or name_of(self.db_id)


class Database(msgspec.Struct):
    """A database of /v1/bdbs."""

    uid: object = None
    status: object = None
    action_uid: object = None
    background_op: msgspec.Raw = msgspec.Raw()
    export_status: object = None
    import_status: object = None
    backup_status: object = None

    @property
    def ops(self) -> list[BackgroundOp]:
        """The background operations of the database; an unreadable one counts as busy."""
        return read_ops(self.background_op)


class HealthNode(msgspec.Struct):
    """A node of the health report."""

    id: object = None
    status: object = None
    detailed_status: object = None
    role: object = None
    in_maintenance: object = None
    shards: msgspec.Raw = msgspec.Raw()


class _HighAvailability(msgspec.Struct):
    """The `high_availability` of a database of the health report."""

    status: object = None


class HealthDatabase(msgspec.Struct):
    """A database of the health report."""

    id: object = None
    status: object = None
    detailed_status: object = None
    high_availability: msgspec.Raw = msgspec.Raw()

    @property
    def high_availability_word(self) -> str:
        """The status of the database's replicas: `ok`, also if the report has none."""
        if not self.high_availability:
            return "ok"
        return word_of(_each([self.high_availability], _HighAvailability)[0].status)


class HealthReport(msgspec.Struct):
    """The answer of /v4/cluster/health."""

    status: object = None
    nodes: msgspec.Raw = msgspec.Raw()
    database_infos: msgspec.Raw = msgspec.Raw()
    error_code: object = None


class _WorkInfo(msgspec.Struct):
    """The `additional_info` of an action of /v2."""

    object_type: object = None
    object_uid: object = None


class _WireWork(msgspec.Struct):
    """An action or a task, of any list."""

    status: object = None
    name: object = None
    operation: object = None  # of a CRDB task
    action_uid: object = None
    task_id: object = None
    id: object = None
    node_uid: object = None
    object_name: object = None
    action_type: object = None
    additional_info: msgspec.Raw = msgspec.Raw()


class Work(NamedTuple):
    """An action or a task: its `title`, its status in one word, and the node that it works on.

    `name` is empty if the entry has none, and `uid` and `node_uid` likewise. `is_other` is True for
    the actions that only /v2 shows, such as exports.
    """

    title: str
    status: str
    phase: Phase
    name: str = ""
    uid: str = ""
    node_uid: str = ""
    is_other: bool = False


class MasterCheck(msgspec.Struct):
    """The answer of /v1/local/node/master_healthcheck."""

    status: object = None


def word_of(value: object) -> str:
    """Return a status word without blanks and in lower case; empty if there is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return UNREADABLE
    return shortened(one_line(value)).strip().casefold()


def name_of(value: object) -> str:
    """Return a name or a uid as text; empty if there is none, or it is neither text nor number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return shortened(one_line(str(value))).strip()


def is_uid(name: str) -> bool:
    """Return True for the uid of a database or a node: a number."""
    return name.isascii() and name.isdecimal()


def read_array(body: bytes | msgspec.Raw, shape: type[_S], path: str, key: str = "") -> list[_S]:
    """Decode an array, which may be in an object under `key`. Raises `UnreadableReply`."""
    try:
        array: bytes | msgspec.Raw = body
        if not bytes(body).lstrip(_BLANKS).startswith(b"["):
            array = decode(body, dict[str, msgspec.Raw])[key]
        return _each(decode(array, list[msgspec.Raw]), shape)
    except (KeyError, ValueError):
        raise unreadable_reply(path, "not a list", b"") from None


def read_object(body: bytes, shape: type[_S], path: str) -> _S:
    """Decode an object. Raises `UnreadableReply`."""
    try:
        return decode_struct(body, shape)
    except ValueError:
        raise unreadable_reply(path, "not an object", b"") from None


def read_node_statuses(body: bytes, path: str) -> dict[str, NodeStatus]:
    """Decode the answer of /v1/nodes/status: an object by the uid of the node."""
    try:
        raws = decode(body, dict[str, msgspec.Raw])
    except ValueError:
        raise unreadable_reply(path, "not an object", b"") from None
    return dict(zip(map(name_of, raws), _each(raws.values(), NodeStatus), strict=True))


def read_databases(body: bytes, path: str) -> list[Database]:
    """Decode the list of /v1/bdbs. A database holds secrets, so no error quotes it."""
    return read_array(body, Database, path, "bdbs")


def read_actions(body: bytes, path: str) -> list[Work]:
    """Decode a list of actions: of /v1, of /v2, of nodes, or of the cluster."""
    return _works(body, path, ACTION_PHASES, "an action")


def read_crdb_tasks(body: bytes, path: str) -> list[Work]:
    """Decode a list of tasks of Active-Active databases."""
    return _works(body, path, CRDB_TASK_PHASES, "CRDB task")


def is_health_report(body: bytes) -> bool:
    """Return True if a body is a health report, and not that of an error."""
    try:
        report = decode(body, dict[str, msgspec.Raw])
    except ValueError:
        return False
    return {"status", "nodes", "database_infos"} <= report.keys()


def error_text(check: NodeCheck) -> str:
    """Return the error of a node's check; empty if it has none."""
    return shortened(reason_text(check.error) or "")


def _works(body: bytes, path: str, phases: Mapping[str, Phase], noun: str) -> list[Work]:
    entries = decode_list(body, path, _LONE_WORK).entries
    return [_work(each, phases, noun) for each in _each(entries, _WireWork)]


def _work(wire: _WireWork, phases: Mapping[str, Phase], noun: str) -> Work:
    name = name_of(wire.name) or name_of(wire.operation)
    uid = name_of(wire.action_uid) or name_of(wire.task_id) or name_of(wire.id)
    node_uid = name_of(wire.node_uid)
    status = word_of(wire.status)
    on = name_of(wire.object_name)
    if wire.additional_info:
        info = _each([wire.additional_info], _WorkInfo)[0]
        on = ":".join(filter(None, [name_of(info.object_type), name_of(info.object_uid)])) or on
        if info.object_type == "node":
            node_uid = node_uid or name_of(info.object_uid)
    title = name or (f"{noun} {uid}" if uid else noun)
    if on or node_uid:
        title = f"{title} on {on or f'node {node_uid}'}"
    is_other = word_of(wire.action_type) == "other"
    return Work(title, status, phase_of(status, phases), name, uid, node_uid, is_other)


def _each(raws: Iterable[msgspec.Raw], shape: type[_S]) -> list[_S]:
    """Decode entries; one that cannot be read has no fields."""
    decoded: list[_S] = []
    for raw in raws:
        try:
            decoded.append(decode_struct(raw, shape))
        except ValueError:
            decoded.append(shape())
    return decoded
