"""`Action`, its `Phase`, the vendor's status words, and what counts as a change.

Vendor pages (redis.io/docs, operate/rs/references/rest-api): objects/action,
objects/state-machine, requests/actions.
"""

from __future__ import annotations

import enum
from datetime import datetime
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from .text import json_text, one_line, percent_text, timestamp_text


if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_WORD: Final = 60  # characters of an unknown status
_SHOWN_OPS: Final = 3  # pending operations spelled out in one line before "+n more"


class Kind(enum.StrEnum):
    """Family of long-running work that an action belongs to."""

    TASK = "task"
    STATE_MACHINE = "state-machine"
    OTHER = "other"  # import, export, backup: /v2/actions only
    NODE_ACTION = "node-action"
    CLUSTER_ACTION = "cluster-action"
    CRDB_TASK = "crdb-task"
    EXPORT = "export"  # this and the next two: from the database's own fields
    IMPORT = "import"
    BACKUP = "backup"
    DATABASE = "database"  # any change of a database
    BOOTSTRAP = "bootstrap"  # of a node
    CONDITION = "condition"  # a state that a wait is for, such as `available`
    CALL = "call"  # a call that left nothing to follow


class Phase(enum.StrEnum):
    """Stage of an action, independent of the status words of its family."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"
    UNKNOWN = "unknown"

    # True if the action has ended. An unknown status word is not terminal.
    terminal: bool
    # True if the action has ended otherwise than completed.
    failed: bool
    # True if the action is known not to have ended, unlike with an unknown word.
    unfinished: bool


_TERMINAL: Final = (Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED, Phase.ABORTED)
for _phase in Phase:  # attributes, as they are read for each answer of thousands of waits
    _phase.terminal = _phase in _TERMINAL
    _phase.failed = _phase.terminal and _phase is not Phase.COMPLETED
    _phase.unfinished = not _phase.terminal and _phase is not Phase.UNKNOWN

# One table for each family of work: a word of another family is unknown.
ACTION_PHASES: Final[Mapping[str, Phase]] = MappingProxyType({
    # objects/action, "status": tasks, node and cluster actions; requests/actions: /v2
    "queued": Phase.PENDING,
    "starting": Phase.RUNNING,
    "running": Phase.RUNNING,
    "cancelling": Phase.CANCELLING,
    "completed": Phase.COMPLETED,
    "failed": Phase.FAILED,
    "cancelled": Phase.CANCELLED,
    "aborted": Phase.ABORTED,  # documented on the 8.0+ pages only
    # objects/state-machine, "status": these two, and completed, failed. The same routes show both.
    "pending": Phase.PENDING,
    "active": Phase.RUNNING,
})  # fmt: skip

# objects/crdb_task, "status". No word is documented for a task that was cancelled.
CRDB_TASK_PHASES: Final[Mapping[str, Phase]] = MappingProxyType({
    "queued": Phase.PENDING,
    "started": Phase.RUNNING,
    "finished": Phase.COMPLETED,
    "failed": Phase.FAILED,
})  # fmt: skip

# objects/bdb: the fields "export_status", "import_status" and "backup_status"
TRANSFER_PHASES: Final[Mapping[str, Phase]] = MappingProxyType({
    "initializing": Phase.PENDING,
    "exporting": Phase.RUNNING,
    "importing": Phase.RUNNING,
    "succeeded": Phase.COMPLETED,
    "failed": Phase.FAILED,
})  # fmt: skip

# objects/bdb/status. A database is "active" when nothing is being done to it.
DATABASE_PHASES: Final[Mapping[str, Phase]] = MappingProxyType({
    "pending": Phase.PENDING,
    "active-change-pending": Phase.RUNNING,
    "import-pending": Phase.RUNNING,
    "delete-pending": Phase.RUNNING,
    "recovery": Phase.RUNNING,
    "active": Phase.COMPLETED,
    "creation-failed": Phase.FAILED,
})  # fmt: skip


def phase_of(status: str, phases: Mapping[str, Phase] = ACTION_PHASES) -> Phase:
    """Return the phase of a status word of one family; an unlisted word is `UNKNOWN`."""
    return phases.get(status) or phases.get(status.strip().casefold(), Phase.UNKNOWN)


class Evidence(enum.StrEnum):
    """Source that an action's state is known from."""

    ACTION = "action"  # the action's own record, or the database's status fields
    DATABASE = "database"  # the database, when the action's record is gone or known to be wrong
    LIST = "list"  # the list of nodes or databases, which lacks the removed one
    NOT_FOUND = "not-found"  # two answers "not found", where no list was available
    QUIET = "quiet"  # the database, never busy within the time in which changes begin
    SAME_RESULT = "same-result"  # a result equal to the one before the call, which stayed
    CALL = "call"  # the answer to the call that starts or cancels the action
    OBJECTS = "objects"  # status, endpoints and shards, where the release has no check of its own


_EVIDENCE_TEXT: Final[Mapping[Evidence, str]] = MappingProxyType(
    {
        Evidence.DATABASE: "as its database shows",
        Evidence.LIST: "as the list does not hold what it removed",
        Evidence.NOT_FOUND: "as two requests did not find what it removed",
        Evidence.QUIET: "as the database was never seen busy",
        Evidence.SAME_RESULT: "as its result, like the one before it, stayed",
        Evidence.OBJECTS: "as status, endpoints and shards show, without a check by the cluster",
    }
)


class PendingOp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Operation on one shard that a state machine waits for.

    `progress` is in percent, 0 to 100. `heartbeat` is the time at which the operation last moved,
    `last_sample_time` the time at which the cluster last sampled it. All but the shard may be
    missing.

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


class Action(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="v", tag=1):
    """One long-running piece of work on the cluster, as last seen.

    `status` is the cluster's own word and `phase` its meaning. `progress` is in percent, 0 to 100,
    and None when the cluster gives none; it counts steps, not time. `state` is the present step of
    a state machine. `object_type` and `object_uid` name the object of the work (`"bdb"`, `"1"`).
    `task_id` tells one run of a node's or the cluster's action from the next. Times are aware
    datetimes in UTC. `error_code` and `error` are the cluster's words about a failure. `evidence`
    is the source of this state: nearly always the action itself.

    Immutable, hashable and picklable; `to_dict` and `to_json` make JSON of it, with `"v": 1`.

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
        """The kind of work and its object, in one line: `SMCreateBDB on bdb:1`."""
        if self.kind is Kind.DATABASE:
            return one_line(f"database {self.object_uid}")
        if self.kind in {Kind.CONDITION, Kind.BOOTSTRAP}:
            return one_line(self.uid)
        name = self.name or "action"
        if self.object_type is not None and self.object_uid is not None:
            return one_line(f"{name} on {self.object_type}:{self.object_uid}")
        if self.node_uid is not None:
            return one_line(f"{name} on node:{self.node_uid}")
        return one_line(name)

    @property
    def reason(self) -> str | None:
        """The cluster's words about a failure, in one line, or None."""
        return one_line(": ".join(filter(None, (self.error_code, self.error)))) or None

    @property
    def brief(self) -> str:
        """The state in one line: `active, 14 %, provision`."""
        parts = [
            self.status or "no status",
            None if self.progress is None else percent_text(self.progress),
            self.state,
            self._pending_ops_text,
            self.reason,
            _EVIDENCE_TEXT.get(self.evidence),
        ]
        return one_line(", ".join([part for part in parts if part is not None]))

    @property
    def _pending_ops_text(self) -> str | None:
        shown = [str(op) for op in self.pending_ops[:_SHOWN_OPS]]
        if len(self.pending_ops) > _SHOWN_OPS:
            shown.append(f"+{len(self.pending_ops) - _SHOWN_OPS} more")
        return ", ".join(shown) or None

    def to_dict(self) -> dict[str, object]:
        """Return `"v": 1` and the fields as in JSON: times are ISO 8601, enums their words."""
        return msgspec.json.decode(msgspec.json.encode(self), type=dict[str, object])

    def to_json(self) -> str:
        """Return the action as JSON in one line, in which unprintable characters are escaped."""
        return json_text(self)

    def __str__(self) -> str:
        is_named = self.uid and self.uid != self.title  # a title may be the uid
        uid = f" [{one_line(self.uid)}]" if is_named else ""
        return f"{self.title}: {self.brief}{uid}"

    def __repr__(self) -> str:
        progress = "" if self.progress is None else f" {percent_text(self.progress)}"
        name = one_line(self.name) or "action"
        return f"<{type(self).__name__} {self.uid!r} {name} {self.phase}{progress}>"

    def _repr_html_(self) -> str:
        fields = {
            "uid": self.uid,
            "status": self.status or "no status",
            "phase": self.phase,
            "progress": None if self.progress is None else percent_text(self.progress),
            "state": self.state,
            "pending": self._pending_ops_text,
            "error": self.reason,
            "created": None if self.creation_time is None else timestamp_text(self.creation_time),
            "evidence": _EVIDENCE_TEXT.get(self.evidence),
        }
        rows = [
            f"<tr><th>{name}</th><td>{escape(one_line(value))}</td></tr>"
            for name, value in fields.items()
            if value is not None
        ]
        return f"<table><caption>{escape(self.title)}</caption>{''.join(rows)}</table>"


def last_seen_text(action: Action | None) -> str:
    """Return how an action stood: `at 28 % (undo_stuck_sm), last seen running`, `never seen`."""
    if action is None:
        return "never seen"
    if action.kind is Kind.CONDITION:
        return f"last seen {action.brief}"
    parts: list[str] = []
    if action.progress is not None:
        state = f" ({action.state})" if action.state else ""
        parts.append(f"at {percent_text(action.progress)}{state}")
    elif action.state:
        parts.append(f"in {action.state}")
    word: str = action.phase
    if action.phase is Phase.UNKNOWN:
        word = f"with the unknown status {one_line(action.status)[:_MAX_WORD]!r}"
    return one_line(", ".join([*parts, f"last seen {word}"]))


class Ambiguity(enum.Enum):
    """Reason why an answer does not tell the state of an action by itself."""

    IDLE = enum.auto()  # an empty status: nothing is under way, and no result is kept
    OLD_RESULT = enum.auto()  # a result that was, or may have been, there before the call
    SAME_RESULT = enum.auto()  # likewise, where the cluster drops the old one as a run begins
    QUIET = enum.auto()  # a database to which nothing is being done, or not yet
    KNOWN_FAILURE = enum.auto()  # a database's failure that may have been there before
    GONE = enum.auto()  # "not found", which no list confirms
    REPLACED = enum.auto()  # a later run has taken the place of this one


class AmbiguousAnswer(msgspec.Struct, frozen=True):
    """An answer whose meaning depends on the earlier answers to the same wait.

    `action` is the state if the ambiguity resolves in its favour. `discriminator` distinguishes one
    failure, or one kind of "not found", from another. `known_failure` is the failure that was there
    before the call, None if that is not known, and `otherwise` the state if the present failure is
    that one.
    """

    ambiguity: Ambiguity
    action: Action
    discriminator: str = ""
    known_failure: str | None = None
    otherwise: Action | AmbiguousAnswer | None = None


def completed(action: Action, evidence: Evidence = Evidence.DATABASE) -> Action:
    """Return `action` as completed, known from `evidence` instead of the action itself."""
    return _ended(action, Phase.COMPLETED, evidence)


def cancelled(action: Action) -> Action:
    """Return `action` as cancelled, known from the answer to the cancelling call."""
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
    """Return True if `new` differs from `old` in more than time stamps."""
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
    """Return True if a heartbeat differs, between answers without a visible change."""
    return old.heartbeat != new.heartbeat or (
        old.pending_ops != new.pending_ops
        and [op.heartbeat for op in old.pending_ops] != [op.heartbeat for op in new.pending_ops]
    )


def _visible_ops(action: Action) -> list[tuple[object, ...]]:
    return [
        (op.shard_uid, op.op_name, op.status_code, op.status_description, op.progress)
        for op in action.pending_ops
    ]
