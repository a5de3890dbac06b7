"""JSON bodies of databases (objects/bdb), and the states that they show as `Action`.

A database object holds secrets: no error or log record quotes a body.
"""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import Final, NamedTuple

import msgspec

from redis_enterprise_actions._model.action import (
    DATABASE_PHASES,
    TRANSFER_PHASES,
    Action,
    Ambiguity,
    AmbiguousAnswer,
    Kind,
    Phase,
    phase_of,
)
from redis_enterprise_actions._model.errors import UnreadableReply
from redis_enterprise_actions._model.reference import GONE, Reference, ReferenceKind

from .lenient_json import Numeric, TextOrInt, as_text, decode, decode_struct, percentage
from .reasons import reason_text
from .replies import Lone, decode_each, list_in


# The state machine that deletes a database. Its record disappears with the database.
DELETE_DATABASE: Final = "SMDeleteBDB"
DELETE_PENDING: Final = "delete-pending"  # the status of a database that is being deleted

_UID: Final = re.compile(r"[0-9]{1,18}")
# objects/bdb, "background_op": the values of "status" without work in progress.
_FINISHED_OPS: Final = frozenset({"", "idle", "completed", "failed"})
_UNREADABLE: Final = "unreadable"
_MAX_MARK_NAME: Final = 40  # characters
_LONE: Final = Lone(("uid",), DATABASE_PHASES)
_MAX_MARKS: Final = 8  # in a reference


class WireDatabase(msgspec.Struct, dict=True):
    """The fields of a database object that the client reads."""

    status: str
    uid: TextOrInt = None
    name: str | None = None
    action_uid: TextOrInt = None
    background_op: msgspec.Raw = msgspec.Raw()
    export_status: str | None = None
    export_progress: Numeric = None
    export_failure_reason: msgspec.Raw = msgspec.Raw()
    last_export_time: str | None = None
    import_status: str | None = None
    import_progress: Numeric = None
    import_failure_reason: msgspec.Raw = msgspec.Raw()
    backup_status: str | None = None
    backup_progress: Numeric = None
    backup_failure_reason: msgspec.Raw = msgspec.Raw()
    last_backup_time: str | None = None
    replica_sync: str | None = None
    replica_sources: msgspec.Raw = msgspec.Raw()  # with passwords

    @cached_property
    def ops(self) -> list[BackgroundOp]:
        """The background operations of the database; an unreadable one counts as busy."""
        return read_ops(self.background_op)


DATABASE_FIELDS: Final = ",".join(field.name for field in msgspec.structs.fields(WireDatabase))


class WireBackgroundOp(msgspec.Struct):
    """An entry of `background_op`."""

    name: str | None = None
    status: object = None
    progress: Numeric = None
    error: msgspec.Raw = msgspec.Raw()


def read_database(body: bytes, path: str) -> WireDatabase:
    """Decode the answer of GET /v1/bdbs/{uid}."""
    wire = find_database(body)
    if wire is None:
        raise UnreadableReply("GET", path, problem="not a database object")
    return wire


def find_database(body: bytes) -> WireDatabase | None:
    """Decode the database in the answer to a call; return None if the answer is something else."""
    try:
        return decode_struct(body, WireDatabase)
    except ValueError:
        return None


def read_databases(body: bytes, path: str) -> dict[int, WireDatabase]:
    """Decode the list of /v1/bdbs; return the databases by uid."""
    try:
        raws = list_in(body, _LONE).entries
    except ValueError:
        raws = None
    if raws is None:  # raised here, so that the error has no context that quotes the body
        raise UnreadableReply("GET", path, problem="not a list of databases")
    databases: dict[int, WireDatabase] = {}
    for _, wire in decode_each(raws, WireDatabase):
        uid = as_text(wire.uid) or ""
        if _UID.fullmatch(uid):
            databases[int(uid)] = wire
    return databases


class BackgroundOp(NamedTuple):
    """A background operation on a database, in progress or finished."""

    name: str
    status: str
    progress: float | None = None
    error: str | None = None

    @property
    def busy(self) -> bool:
        """True if the operation is pending or active, or its status is unknown."""
        return self.status not in _FINISHED_OPS

    @property
    def mark(self) -> str:
        """A short text that distinguishes this failure from others in a reference."""
        digest = hashlib.sha256(f"{self.name}\n{self.error}".encode("utf-8", "replace")).hexdigest()
        name = re.sub(r"[^\w.-]", "", self.name or "op", flags=re.ASCII)[:_MAX_MARK_NAME]
        return f"{name}.{digest[:12]}"


def read_ops(raw: msgspec.Raw) -> list[BackgroundOp]:
    """Decode the field `background_op`; an operation that cannot be read counts as busy."""
    text = bytes(raw).strip()
    if not text or text == b"null":
        return []
    raws = decode(raw, list[msgspec.Raw]) if text.startswith(b"[") else [raw]
    return [_background_op(each) for each in raws]


def _background_op(raw: msgspec.Raw) -> BackgroundOp:
    try:
        wire = decode_struct(raw, WireBackgroundOp)
    except ValueError:
        return BackgroundOp("", _UNREADABLE)
    word = "idle" if wire.status is None else wire.status
    return BackgroundOp(
        wire.name or "",
        word.strip().casefold() if isinstance(word, str) else _UNREADABLE,
        None if wire.progress is None else percentage(wire.progress),
        reason_text(wire.error),
    )


def is_busy(wire: WireDatabase) -> bool:
    """Return True if an action or a background operation is in progress on a database."""
    return bool(wire.action_uid) or any(op.busy for op in wire.ops)


def is_settled(wire: WireDatabase) -> bool:
    """Return True if a database is active and nothing is in progress on it."""
    return phase_of(wire.status, DATABASE_PHASES) is Phase.COMPLETED and not is_busy(wire)


def failed_ops(wire: WireDatabase, *, deletes: bool = False) -> list[BackgroundOp]:
    """Return the failed background operations of a database; with `deletes`, only its deletion."""
    failed = [op for op in wire.ops if op.status == "failed"]
    return [op for op in failed if op.name == DELETE_DATABASE] if deletes else failed


def failure_marks(wire: WireDatabase, *, deletes: bool = False) -> str:
    """Return the marks of a database's failures, joined by `+`; empty if it has not failed."""
    marks = [op.mark for op in failed_ops(wire, deletes=deletes)[:_MAX_MARKS]]
    if marks:
        return "+".join(marks)
    has_failed = phase_of(wire.status, DATABASE_PHASES) is Phase.FAILED
    return wire.status.strip().casefold() if has_failed else ""


def has_no_new_failure(wire: WireDatabase, ref: Reference) -> bool:
    """Return True if a database has no failure but those before the call, which `ref` lists."""
    marks = failure_marks(wire, deletes=ref.is_deletion).split("+")
    return set(marks) <= {"", *(ref.known_failure or "").split("+")}


# --- state of a database -------------------------------------------------------------------------


def database_action(wire: WireDatabase, ref: Reference) -> Action | AmbiguousAnswer:
    """Return the state of a database as an action, which is completed once the database settles.

    An active, idle database and a failure are ambiguous: the change may not have begun, and the
    failure may be older than the call.
    """
    op = next((each for each in wire.ops if each.busy), None)
    op = op or (wire.ops[0] if wire.ops else BackgroundOp("", ""))
    phase = phase_of(wire.status, DATABASE_PHASES)
    busy = bool(wire.action_uid) or op.busy
    if phase.terminal and ref.is_deletion:
        phase = Phase.RUNNING if busy else Phase.PENDING
    elif phase is Phase.COMPLETED and busy:
        phase = Phase.RUNNING
    action = msgspec.structs.replace(
        _new_action(ref, wire.status),
        name=wire.name or "",
        phase=phase,
        state=op.name or None,
        progress=op.progress if op.name and phase is not Phase.COMPLETED else None,
    )
    return _with_failure(wire, ref, action)


def deleted_database_action(ref: Reference, last: Action | None) -> Action | None:
    """Return the action for a database that does not exist, or None if that is no success.

    It is one if `ref` follows a deletion, or a database that was seen while it was being deleted
    and that no call of this client was to change.
    """
    was_deleting = last is not None and last.status.casefold() == DELETE_PENDING
    if not ref.is_deletion and (ref.run or not was_deleting):
        return None
    return msgspec.structs.replace(
        last or _new_action(ref, ""),
        status="deleted",
        phase=Phase.COMPLETED,
        progress=None,
        state=None,
    )


def _with_failure(wire: WireDatabase, ref: Reference, action: Action) -> Action | AmbiguousAnswer:
    """Return the state of a database with its failure, which may be older than the call."""
    failed = failed_ops(wire, deletes=ref.is_deletion)
    known_failure = ref.known_failure
    otherwise: Action | AmbiguousAnswer = action
    is_idle = action.phase is Phase.PENDING and phase_of(wire.status, DATABASE_PHASES).terminal
    if action.phase.terminal:
        otherwise = AmbiguousAnswer(Ambiguity.QUIET, action)
    elif is_idle and ref.is_deletion and ref.run != GONE:
        # The call that was to delete an idle database may never have been executed.
        otherwise = AmbiguousAnswer(Ambiguity.IDLE, action)
    if failed:
        known_marks = set((known_failure or "").split("+"))
        op = next((each for each in failed if each.mark not in known_marks), failed[0])
        action = msgspec.structs.replace(
            action, phase=Phase.FAILED, state=op.name or None, error=op.error
        )
    elif action.phase is not Phase.FAILED:
        return otherwise
    elif known_failure is None:
        return action
    return AmbiguousAnswer(
        Ambiguity.KNOWN_FAILURE,
        action,
        discriminator=failure_marks(wire, deletes=ref.is_deletion),
        known_failure=known_failure,
        otherwise=otherwise,
    )


def _new_action(ref: Reference, status: str) -> Action:
    return Action(
        uid=ref.name,
        name="",
        kind=Kind.DATABASE,
        status=status,
        phase=Phase.UNKNOWN,
        object_type="bdb",
        object_uid=ref.uid,
    )


def present_state(found: AmbiguousAnswer, ref: Reference) -> Action | None:
    """Return the state of a database or a bootstrap now, from one answer; None for other answers.

    An idle database does not tell the state of a call that is to change it: that is `UNKNOWN`. A
    failure that may be older than the reference counts for nothing.
    """
    if ref.kind is ReferenceKind.BOOTSTRAP and found.ambiguity is Ambiguity.IDLE:
        return found.action
    if ref.kind is not ReferenceKind.BDB or found.ambiguity is Ambiguity.GONE:
        return None
    if found.ambiguity is Ambiguity.KNOWN_FAILURE:
        known = found.discriminator if found.known_failure is None else found.known_failure
        if not set(found.discriminator.split("+")) <= set(known.split("+")):
            return found.action
        otherwise = found.otherwise
        return (
            present_state(otherwise, ref) if isinstance(otherwise, AmbiguousAnswer) else otherwise
        )
    if found.ambiguity is Ambiguity.QUIET and ref.run:
        return msgspec.structs.replace(found.action, phase=Phase.UNKNOWN)
    return found.action


# --- state of an export, import or backup ---------------------------------------------------------


class TransferStatus(msgspec.Struct, frozen=True):
    """Status of the running export, import or backup, or the result of the last one."""

    status: str
    progress: float | None
    error: str | None
    last_time: str

    @property
    def is_idle(self) -> bool:
        """True if there is neither a running transfer nor a result."""
        return self.status.casefold() in {"", "idle"}

    @property
    def is_result(self) -> bool:
        """True if the status is the result of a transfer that ended."""
        return phase_of(self.status, TRANSFER_PHASES).terminal

    def to_action(self, ref: Reference) -> Action:
        """Convert the status to the action for a reference."""
        phase = phase_of(self.status, TRANSFER_PHASES)
        return Action(
            uid=ref.name,
            name=ref.kind.value,
            kind=Kind(ref.kind.value),
            status=self.status,
            phase=phase,
            progress=None if phase.terminal else self.progress,
            object_type="bdb",
            object_uid=ref.uid,
            error=self.error if phase is Phase.FAILED else None,
        )


def transfer_status(wire: WireDatabase, kind: ReferenceKind) -> TransferStatus:
    """Return what a database says of its exports, imports or backups."""
    last = {
        ReferenceKind.EXPORT: wire.last_export_time,
        ReferenceKind.BACKUP: wire.last_backup_time,
    }.get(kind)
    return TransferStatus(
        status=getattr(wire, f"{kind}_status") or "",
        progress=percentage(getattr(wire, f"{kind}_progress")),
        error=reason_text(getattr(wire, f"{kind}_failure_reason")),
        last_time=last or "",
    )
