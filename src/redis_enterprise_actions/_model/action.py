"""What an answer means: `Action`, its `Phase`, the vocabulary, and what counts as a change.

Knows the vendor's words. Refuses to know JSON, HTTP and time: everything here is a
value or a function from values to values.

Vendor pages (redis.io/docs, operate/rs/references/rest-api): objects/action,
objects/state-machine, requests/actions.
"""

from __future__ import annotations

import enum
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from .text import one_line, percent_text


if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN_OPS: Final = 3  # pending operations spelled out in one line before "+n more"


class Kind(enum.StrEnum):
    """Which of the cluster's families of long-running work it belongs to."""

    TASK = "task"
    STATE_MACHINE = "state-machine"
    OTHER = "other"  # import, export, backup: /v2/actions only
    NODE_ACTION = "node-action"
    CLUSTER_ACTION = "cluster-action"
    CRDB_TASK = "crdb-task"
    EXPORT = "export"  # this and the next two: as the database tells
    IMPORT = "import"
    BACKUP = "backup"
    DATABASE = "database"  # whatever is done to one
    CALL = "call"  # a call that left nothing to follow


class Phase(enum.StrEnum):
    """Where an action stands, whatever word its family has for it."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"
    UNKNOWN = "unknown"

    @property
    def terminal(self) -> bool:
        """Whether nothing will happen any more. An unknown word is not terminal."""
        return self in _TERMINAL

    @property
    def unfinished(self) -> bool:
        """Whether it is known not to be over. Of an unknown word, nothing is known."""
        return self in _UNFINISHED


# Tuples, as the hash of a member of an enum is slow.
_TERMINAL: Final = (Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED, Phase.ABORTED)
_UNFINISHED: Final = (Phase.RUNNING, Phase.PENDING, Phase.CANCELLING)

PHASES: Final[Mapping[str, Phase]] = MappingProxyType({
    # objects/action, "status": tasks, node and cluster actions
    "queued": Phase.PENDING,
    "starting": Phase.RUNNING,
    "running": Phase.RUNNING,
    "cancelling": Phase.CANCELLING,
    "completed": Phase.COMPLETED,
    "failed": Phase.FAILED,
    "cancelled": Phase.CANCELLED,
    "aborted": Phase.ABORTED,  # documented on the 8.0+ pages only
    # objects/state-machine, "status": these two, and completed, failed
    "pending": Phase.PENDING,
    "active": Phase.RUNNING,
    # objects/crdb_task, "status": queued, failed, and these
    "started": Phase.RUNNING,
    "finished": Phase.COMPLETED,
    # objects/bdb, "export_status", "import_status", "backup_status": failed, and these
    "initializing": Phase.PENDING,
    "exporting": Phase.RUNNING,
    "importing": Phase.RUNNING,
    "succeeded": Phase.COMPLETED,
})  # fmt: skip

# objects/bdb/status. Of a database, "active" means that nothing is being done to it.
DATABASE_PHASES: Final[Mapping[str, Phase]] = MappingProxyType({
    "pending": Phase.PENDING,
    "active-change-pending": Phase.RUNNING,
    "import-pending": Phase.RUNNING,
    "delete-pending": Phase.RUNNING,
    "recovery": Phase.RUNNING,
    "active": Phase.COMPLETED,
    "creation-failed": Phase.FAILED,
})  # fmt: skip


def phase_of(status: str, phases: Mapping[str, Phase] = PHASES) -> Phase:
    """Return the phase that a status word stands for; a word never seen is `UNKNOWN`."""
    return phases.get(status) or phases.get(status.strip().casefold(), Phase.UNKNOWN)


class Evidence(enum.StrEnum):
    """Source of an action's state: what told how it stands, or that it has ended."""

    ACTION = "action"  # its own record, or the status of the database that is its record
    DATABASE = "database"  # the database it worked on, when the record is gone or known to lie
    LIST = "list"  # the list of nodes, or databases, without the one that it removed
    NOT_FOUND = "not-found"  # two answers "not found", as no list could be had
    QUIET = "quiet"  # the database, not seen busy in the time that a change has to begin
    SAME_RESULT = "same-result"  # a result like the one before the call, once that had time to go
    CALL = "call"  # the answer to the call that would have started it, or cancelled it


_EVIDENCE_TEXT: Final[Mapping[Evidence, str]] = MappingProxyType(
    {
        Evidence.DATABASE: "as its database shows",
        Evidence.LIST: "as the list does not hold what it removed",
        Evidence.NOT_FOUND: "as what it removed was not found twice",
        Evidence.QUIET: "as the database was never seen busy",
        Evidence.SAME_RESULT: "as its result, like the one before it, stayed",
    }
)


class PendingOp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One operation that a state machine still waits for, on one shard.

    `progress` is in percent, 0 to 100; `heartbeat` is when the operation last moved and
    `last_sample_time` when the cluster last looked. All but the shard may be missing.

    Source: requests/actions, `pending_ops`.
    """

    shard_uid: str
    op_name: str | None = None
    status_code: str | None = None
    status_description: str | None = None
    progress: float | None = None
    heartbeat: datetime | None = None
    last_sample_time: datetime | None = None

    def __str__(self) -> str:
        words = [f"shard {self.shard_uid}", self.op_name or self.status_code or "working"]
        if self.progress is not None:
            words.append(percent_text(self.progress))
        return one_line(" ".join(words))


class Action(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One long-running piece of work on the cluster, as last seen.

    `status` is the cluster's own word and `phase` what it means. `progress` is in percent,
    0 to 100, and None when the cluster gives none; it counts steps, not time. `state` is the
    step that a state machine is in. `object_type` and `object_uid` name what is worked on
    (`"bdb"`, `"1"`). `task_id` tells one run of a node's or the cluster's action from the next.
    Times are aware datetimes in UTC. `error_code` and `error` are the
    cluster's words about a failure. `evidence` says what told us: nearly always the action
    itself.

    Immutable, hashable and picklable; `msgspec.json.encode(action)` makes JSON of it.

    Work that is no action in the API's sense has the same shape, and a reference such as
    `export:3` for a `uid` where it has none of its own.

    Source: objects/action, objects/state-machine, objects/crdb_task, objects/bdb,
    requests/actions, requests/nodes/actions.
    """

    uid: str
    name: str
    kind: Kind
    status: str
    phase: Phase
    progress: float | None = None
    state: str | None = None
    object_type: str | None = None
    object_uid: str | None = None
    node_uid: str | None = None
    task_id: str | None = None
    creation_time: datetime | None = None
    heartbeat: datetime | None = None
    pending_ops: tuple[PendingOp, ...] = ()
    error_code: str | None = None
    error: str | None = None
    evidence: Evidence = Evidence.ACTION

    @property
    def title(self) -> str:
        """What is done to what, in one line: `SMCreateBDB on bdb:1`."""
        if self.kind is Kind.DATABASE:
            return one_line(f"database {self.object_uid}")
        name = self.name or "action"
        if self.object_type is not None and self.object_uid is not None:
            return one_line(f"{name} on {self.object_type}:{self.object_uid}")
        if self.node_uid is not None:
            return one_line(f"{name} on node:{self.node_uid}")
        return one_line(name)

    @property
    def reason(self) -> str | None:
        """What the cluster says about a failure, in one line, or None."""
        return one_line(": ".join(filter(None, (self.error_code, self.error)))) or None

    @property
    def brief(self) -> str:
        """How it stands, in one line: `active, 14.29 %, provision`."""
        parts = [self.status or "no status"]
        if self.progress is not None:
            parts.append(percent_text(self.progress))
        if self.state is not None:
            parts.append(self.state)
        parts += [str(op) for op in self.pending_ops[:_SHOWN_OPS]]
        if len(self.pending_ops) > _SHOWN_OPS:
            parts.append(f"+{len(self.pending_ops) - _SHOWN_OPS} more")
        if self.reason is not None:
            parts.append(self.reason)
        if self.evidence in _EVIDENCE_TEXT:
            parts.append(_EVIDENCE_TEXT[self.evidence])
        return one_line(", ".join(parts))

    def __str__(self) -> str:
        uid = f" [{one_line(self.uid)}]" if self.uid else ""
        return f"{self.title}: {self.brief}{uid}"


class Ambiguity(enum.Enum):
    """Why an answer does not tell by itself how an action stands."""

    IDLE = enum.auto()  # a status without a word: nothing is under way, and no result is kept
    OLD_RESULT = enum.auto()  # a result that was there before the call, or may have been
    SAME_RESULT = enum.auto()  # likewise; but the cluster drops the old one as the new run begins
    QUIET = enum.auto()  # a database to which nothing is done, or not yet
    KNOWN_FAILURE = enum.auto()  # a failure of a database's that may have been there before
    GONE = enum.auto()  # "not found", which no list confirms
    REPLACED = enum.auto()  # a later run has taken the place of this one


class AmbiguousAnswer(msgspec.Struct, frozen=True):
    """An answer that means one thing or another, by what a wait has seen before.

    `action` is how it stands if the doubt is dispelled. `mark` tells one failure, or one kind of
    "not found", from another. `known` is the failure that was there before the call, None if
    that was not looked at, and `otherwise` how it stands if the failure is that one.
    """

    ambiguity: Ambiguity
    action: Action
    mark: str = ""
    known_failure: str | None = None
    otherwise: Action | AmbiguousAnswer | None = None


def completed(action: Action, evidence: Evidence = Evidence.DATABASE) -> Action:
    """Return `action` as ended well on the word of `evidence`, not its own."""
    return _ended(action, Phase.COMPLETED, evidence)


def cancelled(action: Action) -> Action:
    """Return `action` as cancelled on the word of the answer to our cancel."""
    return _ended(action, Phase.CANCELLED, Evidence.CALL)


def _ended(action: Action, phase: Phase, evidence: Evidence) -> Action:
    return msgspec.structs.replace(
        action,
        status=phase.value,
        phase=phase,
        progress=None,
        state=None,
        pending_ops=(),
        evidence=evidence,
    )


def is_visible_change(old: Action | None, new: Action) -> bool:
    """Whether a user who saw `old` would want to see `new`. Time stamps alone are no news."""
    return (
        old is None
        or old.progress != new.progress
        or old.state != new.state
        or old.status != new.status
        or old.phase is not new.phase
        or old.error_code != new.error_code
        or old.error != new.error
        or (old.pending_ops != new.pending_ops and _visible_ops(old) != _visible_ops(new))
    )


def has_moved(old: Action, new: Action) -> bool:
    """Whether the work got anywhere between two looks between which there were no news."""
    return old.heartbeat != new.heartbeat or (
        old.pending_ops != new.pending_ops and _heartbeats(old) != _heartbeats(new)
    )


def _visible_ops(action: Action) -> list[tuple[object, ...]]:
    return [
        (op.shard_uid, op.op_name, op.status_code, op.status_description, op.progress)
        for op in action.pending_ops
    ]


def _heartbeats(action: Action) -> list[datetime | None]:
    return [op.heartbeat for op in action.pending_ops]
