"""Status of a database that a reference follows: of a change until it settles, or of a deletion."""

from __future__ import annotations

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
from redis_enterprise_actions._model.reference import GONE, Reference

from .databases import (
    DELETE_PENDING,
    BackgroundOp,
    WireDatabase,
    background_ops,
    failed_ops,
    failure_marks,
)


def database_action(wire: WireDatabase, ref: Reference) -> Action | AmbiguousAnswer:
    """Return the state of a database as an action, which is completed once the database settles.

    An active, idle database and a failure are ambiguous: the change may not have begun, and the
    failure may be older than the call.
    """
    ops = background_ops(wire)
    op = next((each for each in ops if each.busy), ops[0] if ops else BackgroundOp("", ""))
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
    and that no call of the client's was to change.
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
    otherwise = _unless_idle(action, ref)
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


def _unless_idle(action: Action, ref: Reference) -> Action | AmbiguousAnswer:
    """Return the state of a database, ambiguous if the work may not have begun."""
    if action.phase.terminal:
        return AmbiguousAnswer(Ambiguity.QUIET, action)
    # The call that was to delete an idle database may never have been executed.
    is_idle = action.phase is Phase.PENDING and phase_of(action.status, DATABASE_PHASES).terminal
    if is_idle and ref.is_deletion and ref.run != GONE:
        return AmbiguousAnswer(Ambiguity.IDLE, action)
    return action


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
