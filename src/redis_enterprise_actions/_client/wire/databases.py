"""What the cluster says about long work that is no action: bytes in, `Action`s or an error out.

Nodes' and the cluster's actions, tasks of Active-Active databases, and databases, with the
status fields that exports, imports and backups have there. As in `_wire`, one Struct stands for
one documented shape. Of databases no error quotes a word, as they hold secrets.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

import msgspec

from redis_enterprise_actions._model.action import (
    DATABASE_PHASES,
    Action,
    Ambiguity,
    AmbiguousAnswer,
    Kind,
    Phase,
    phase_of,
)
from redis_enterprise_actions._model.errors import UnreadableReply
from redis_enterprise_actions._model.reference import GONE, Reference

from .actions import error_text
from .lenient_json import Numeric, TextOrInt, as_text, decode, decode_struct, percentage
from .lists import decode_each


_UID: Final = re.compile(r"[0-9]{1,18}")  # of a database; longer ones fit nowhere
DELETE_DATABASE: Final = (
    "SMDeleteBDB"  # whose record goes with the database, never turning completed
)

# objects/bdb, "background_op": what is said of one that is over, or of none.
_FINISHED_OPS: Final = frozenset({"", "idle", "completed", "failed"})
_LONGEST_MARK: Final = 40  # characters of a name
_MOST_MARKS: Final = 8  # failures that are told apart
_UNREADABLE: Final = "unreadable"


class WireBackgroundOp(msgspec.Struct):
    """One of a database's `background_op` (objects/bdb)."""

    name: str | None = None
    status: msgspec.Raw = msgspec.Raw()
    progress: Numeric = None
    error: msgspec.Raw = msgspec.Raw()


class WireDatabase(msgspec.Struct):
    """What we read of a database object (objects/bdb). The rest of it holds secrets."""

    status: str
    uid: TextOrInt = None
    name: str | None = None
    action_uid: TextOrInt = None
    background_op: msgspec.Raw = msgspec.Raw()
    export_status: str | None = None
    export_progress: Numeric = None
    export_failure_reason: str | None = None
    last_export_time: str | None = None
    import_status: str | None = None
    import_progress: Numeric = None
    import_failure_reason: str | None = None
    backup_status: str | None = None
    backup_progress: Numeric = None
    backup_failure_reason: str | None = None
    last_backup_time: str | None = None


# What to ask for where only that is sent.
DATABASE_FIELDS: Final = ",".join(field.name for field in msgspec.structs.fields(WireDatabase))


# --- databases ----------------------------------------------------------------------------------


def read_database(body: bytes, path: str) -> WireDatabase:
    """Decode what we need of GET /v1/bdbs/{uid}. Its body never reaches an error or a log."""
    try:
        return decode_struct(body, WireDatabase)
    except ValueError:
        del body  # which a traceback that shows variables would show
    raise UnreadableReply("GET", path, problem="not a database object")


def find_database(body: bytes) -> WireDatabase | None:
    """Decode the database in the answer to a call, or return None if there is none in it."""
    try:
        return decode_struct(body, WireDatabase)
    except ValueError:
        return None


def read_databases(body: bytes, path: str) -> dict[int, WireDatabase]:
    """Decode what we need of GET /v1/bdbs, by the databases' uids."""
    try:
        raws = decode(body, list[msgspec.Raw])
    except ValueError:
        raws = None
    del body
    if raws is None:
        raise UnreadableReply("GET", path, problem="not a list of databases")
    found: dict[int, WireDatabase] = {}
    for wire in decode_each(raws, WireDatabase):
        uid = as_text(wire.uid) or ""
        if _UID.fullmatch(uid):
            found[int(uid)] = wire
    return found


def database_action(
    wire: WireDatabase | None, ref: Reference, last: Action | None
) -> Action | AmbiguousAnswer | None:
    """Return how a database stands that is to settle: active and idle, or `gone`.

    None stands for one that is not there, and is returned where that is no end.
    """
    if wire is None:
        deleted = last is not None and last.status.casefold() == "delete-pending"
        ends = ref.is_deletion or (deleted and not ref.run)
        return _gone(last or _database(ref, "")) if ends else None
    ops = background_ops(wire)
    op = next((each for each in ops if each.busy), ops[0] if ops else BackgroundOp("", ""))
    phase = phase_of(wire.status, DATABASE_PHASES)
    busy = bool(wire.action_uid) or op.busy
    if phase.terminal and ref.is_deletion:
        phase = Phase.RUNNING if busy else Phase.PENDING
    elif phase is Phase.COMPLETED and busy:
        phase = Phase.RUNNING
    stands = msgspec.structs.replace(
        _database(ref, wire.status),
        name=wire.name or "",
        phase=phase,
        state=op.name or None,
        progress=op.progress if op.name and phase is not Phase.COMPLETED else None,
    )
    return _unless_failed(wire, ref, stands)


def _unless_failed(wire: WireDatabase, ref: Reference, stands: Action) -> Action | AmbiguousAnswer:
    """Return how a database stands, with what may have failed, now or before the call."""
    failed = failed_ops(wire, deletes=ref.is_deletion)
    known = ref.known_failure
    otherwise = _in_doubt(stands, ref)
    if failed:
        old = set((known or "").split("+"))
        op = next((each for each in failed if each.mark not in old), failed[0])
        action = msgspec.structs.replace(
            stands, phase=Phase.FAILED, state=op.name or None, error=op.error
        )
    elif stands.phase is Phase.FAILED and known is not None:  # which may be an old story, too
        action = stands
    else:
        return stands if stands.phase is Phase.FAILED else otherwise
    mark = failure_marks(wire, deletes=ref.is_deletion)
    return AmbiguousAnswer(
        Ambiguity.KNOWN_FAILURE, action, mark=mark, known_failure=known, otherwise=otherwise
    )


def _in_doubt(stands: Action, ref: Reference) -> Action | AmbiguousAnswer:
    """Return it with the doubt whether what was called for has begun, where nothing is done.

    A delete that was called for, and is not seen, need never have begun.
    """
    if stands.phase.terminal:
        return AmbiguousAnswer(Ambiguity.QUIET, stands)
    waits = ref.is_deletion and ref.run != GONE and stands.phase is Phase.PENDING
    is_idle = waits and phase_of(stands.status, DATABASE_PHASES).terminal
    return AmbiguousAnswer(Ambiguity.IDLE, stands) if is_idle else stands


def _gone(action: Action) -> Action:
    return msgspec.structs.replace(
        action, status="deleted", phase=Phase.COMPLETED, progress=None, state=None
    )


def background_ops(wire: WireDatabase) -> list[BackgroundOp]:
    """Return what is done to a database in the background; what cannot be read may be busy."""
    raw = bytes(wire.background_op).strip()
    if not raw or raw == b"null":
        return []
    raws = [wire.background_op]
    if raw.startswith(b"["):
        raws = decode(wire.background_op, list[msgspec.Raw])
    return [_background_op(each) for each in raws]


class BackgroundOp(NamedTuple):
    """What is, or was, done to a database in the background."""

    name: str
    status: str
    progress: float | None = None
    error: str | None = None

    @property
    def busy(self) -> bool:
        """True for what is pending or active; a word never seen is no end, either."""
        return self.status not in _FINISHED_OPS

    @property
    def failed(self) -> bool:
        """True for what has failed, now or long ago."""
        return self.status == "failed"

    @property
    def mark(self) -> str:
        """A word that tells one failure from another, in letters and digits, for references."""
        told = f"{self.name}\n{self.error}".encode("utf-8", "replace")
        name_ = re.sub(r"[^\w.-]", "", self.name or "op", flags=re.ASCII)[:_LONGEST_MARK]
        return f"{name_}.{hashlib.sha256(told).hexdigest()[:12]}"


def _background_op(raw: msgspec.Raw) -> BackgroundOp:
    try:
        wire = decode_struct(raw, WireBackgroundOp)
        status: object = decode(wire.status, object) if bytes(wire.status) else None
    except ValueError:
        return BackgroundOp("", _UNREADABLE)
    word = status if isinstance(status, str) else "idle" if status is None else _UNREADABLE
    return BackgroundOp(
        wire.name or "", word.strip().casefold(), percentage(wire.progress), error_text(wire.error)
    )


def failed_ops(wire: WireDatabase, *, deletes: bool = False) -> list[BackgroundOp]:
    """Return what has failed in the background; of a database to be deleted, only its delete."""
    ops = background_ops(wire)
    return [op for op in ops if op.failed and (not deletes or op.name == DELETE_DATABASE)]


def failure_marks(wire: WireDatabase, *, deletes: bool = False) -> str:
    """Return the marks of a database's failures; empty where there are none."""
    marks = [op.mark for op in failed_ops(wire, deletes=deletes)[:_MOST_MARKS]]
    if marks:
        return "+".join(marks)
    has_failed = phase_of(wire.status, DATABASE_PHASES) is Phase.FAILED
    return wire.status.strip().casefold() if has_failed else ""


def has_no_new_failure(wire: WireDatabase, ref: Reference) -> bool:
    """Return True if a database has not failed, or had before the call, as `ref` says."""
    marks = failure_marks(wire, deletes=ref.is_deletion).split("+")
    return set(marks) <= {"", *(ref.known_failure or "").split("+")}


def is_settled(wire: WireDatabase) -> bool:
    """Return True for a database that is active, and to which nothing is done."""
    return phase_of(wire.status, DATABASE_PHASES) is Phase.COMPLETED and not is_busy(wire)


def is_busy(wire: WireDatabase) -> bool:
    """Return True for a database to which something is being done, whatever has failed."""
    return bool(wire.action_uid) or any(op.busy for op in background_ops(wire))


def _database(ref: Reference, status: str) -> Action:
    return Action(
        uid=ref.name,
        name="",
        kind=Kind.DATABASE,
        status=status,
        phase=Phase.UNKNOWN,
        object_type="bdb",
        object_uid=ref.uid,
    )
