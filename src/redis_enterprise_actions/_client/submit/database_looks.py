"""Looks at a database: work on it that has begun since the state before a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from redis_enterprise_actions._client.wire.databases import (
    failed_ops,
    failure_marks,
    has_no_new_failure,
    is_busy,
    is_settled,
)
from redis_enterprise_actions._client.wire.lenient_json import as_text
from redis_enterprise_actions._model.action import Kind
from redis_enterprise_actions._model.reference import (
    AFTER,
    BUSY,
    GONE,
    LOST,
    LOST_BUSY,
    Reference,
    ReferenceKind,
)


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis_enterprise_actions._client.wire.databases import WireDatabase
    from redis_enterprise_actions._model.action import Action

    from .calls import CallRule


# Without the state before the call, work that is under way may have begun before it.
_LOST: Final[Mapping[str, str]] = {AFTER: LOST, BUSY: LOST_BUSY, "": LOST_BUSY}


class DatabaseLook(NamedTuple):
    """Answer to one look: the database, None if it does not exist, and the actions on it."""

    database: WireDatabase | None
    actions: Sequence[Action] = ()


def with_state(ref: Reference, before: WireDatabase | None) -> Reference:
    """Return a reference to a database with the state before a call, which a new one is told by."""
    run, failures = f"{GONE},{AFTER}" if ref.is_deletion else AFTER, ""
    if before is not None:
        failures = failure_marks(before, deletes=ref.is_deletion)
        settled = is_settled(before) or (failures and not is_busy(before))
        run = run if ref.is_deletion or settled else BUSY
    return msgspec.structs.replace(ref, run=f"{run},{failures}" if failures else run)


def with_lost_change(ref: Reference) -> Reference:
    """Return a reference to a database whose change the cluster may not have executed.

    The deletion of a database needs no mark: it has not ended while the database is there.
    """
    call, comma, failures = ref.run.partition(",")
    lost = _LOST.get(call, call)
    return msgspec.structs.replace(ref, run=f"{lost}{comma}{failures}")


def begun_work(
    rule: CallRule,
    ref: Reference,
    before: WireDatabase | None,
    first: DatabaseLook | None,
    look: DatabaseLook,
) -> Reference | None:
    """Return the work that a call has begun on a database, or None.

    `rule` is that of the call, `ref` refers to the database, `before` is its state before the call,
    and `first` the look before this one. The result is the action that has begun, or the database
    if it names none or several. State machines that the call does not start do not count, as
    another call has started them; beside them, a change counts only where it names a state machine
    of this call. Exports, imports and backups do not count.
    """
    database = look.database
    if database is None:
        return ref if ref.is_deletion or before is not None else None
    names = _begun_machines(rule, before, first, look)
    own = {uid: name for uid, name in names.items() if not name or rule.may_start(name)}
    if len(own) == 1 and all(own.values()):
        (uid,) = own
        deleted = f"{ReferenceKind.BDB}:{ref.uid}" if ref.is_deletion else ""
        return Reference(ReferenceKind.ACTION, uid, deleted)
    if own or _shows_machine(rule, ref, before, database):
        return ref
    if names or any(op.busy and op.name and not rule.may_start(op.name) for op in database.ops):
        return None
    changed = not is_settled(database) and (before is None or _state(database) != _state(before))
    return ref if changed or not has_no_new_failure(database, ref) else None


def _shows_machine(
    rule: CallRule, ref: Reference, before: WireDatabase | None, database: WireDatabase
) -> bool:
    """Return True if a background operation of the call has begun or failed since before it."""
    busy_before = [] if before is None else [op.name for op in before.ops if op.busy]
    known = (ref.known_failure or "").split("+")
    begun = [op.name for op in database.ops if op.busy and op.name not in busy_before]
    failed = [op.name for op in failed_ops(database) if op.mark not in known]
    return not rule.machines.isdisjoint([*begun, *failed])


def _begun_machines(
    rule: CallRule, before: WireDatabase | None, first: DatabaseLook | None, look: DatabaseLook
) -> dict[str, str]:
    """Return the names of the actions that have begun since before the call, by uid.

    The database may show an action that the list does not have yet: its name is then that of a
    background operation, of one that the call starts where there are several, and empty without.
    """
    ended_before = {each.uid for each in first.actions} if first is not None else None
    names = {
        each.uid: each.name
        for each in look.actions
        if each.kind is not Kind.OTHER
        and (not each.phase.terminal or (ended_before is not None and each.uid not in ended_before))
    }
    database = look.database
    current = None if database is None else as_text(database.action_uid)
    if database is not None and current and current not in names:
        ops = [op.name for op in database.ops if op.busy]
        names[current] = next(filter(rule.may_start, ops), ops[0] if ops else "")
    known = None if before is None else as_text(before.action_uid)
    return {uid: name for uid, name in names.items() if uid != known}


def _state(wire: WireDatabase) -> tuple[object, ...]:
    """Return what shows that something else is being done to a database."""
    ops = [(op.name, op.status) for op in wire.ops if op.busy]
    return wire.status.strip().casefold(), as_text(wire.action_uid), ops
