"""Looks at a database: work on it that has begun since the state before a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from redis_enterprise_actions._client.wire.databases import (
    failure_marks,
    has_no_new_failure,
    is_busy,
    is_settled,
)
from redis_enterprise_actions._client.wire.lenient_json import as_text
from redis_enterprise_actions._model.action import Kind
from redis_enterprise_actions._model.reference import AFTER, BUSY, GONE, Reference, ReferenceKind


if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis_enterprise_actions._client.wire.databases import WireDatabase
    from redis_enterprise_actions._model.action import Action


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


def begun_work(
    ref: Reference, before: WireDatabase | None, first: DatabaseLook | None, look: DatabaseLook
) -> Reference | None:
    """Return the work that has begun on a database since before the call, or None.

    `ref` refers to the database, `before` is its state before the call, and `first` the look before
    this one. The result is the action that has begun, or the database if it names none or several.
    Exports, imports and backups are not counted: other calls start them.
    """
    known = "" if before is None else as_text(before.action_uid) or ""
    ended_before = {each.uid for each in first.actions} if first is not None else None
    uids = {
        each.uid
        for each in look.actions
        if each.kind is not Kind.OTHER
        and (not each.phase.terminal or (ended_before is not None and each.uid not in ended_before))
    }
    database = look.database
    if database is None:
        return ref if ref.is_deletion or before is not None else None
    uids = (uids | {as_text(database.action_uid) or ""}) - {known, ""}
    if len(uids) == 1:
        deleted = f"{ReferenceKind.BDB}:{ref.uid}" if ref.is_deletion else ""
        return Reference(ReferenceKind.ACTION, uids.pop(), deleted)
    changed = not is_settled(database) and (before is None or _state(database) != _state(before))
    return ref if uids or changed or not has_no_new_failure(database, ref) else None


def _state(wire: WireDatabase) -> tuple[object, ...]:
    """Return what shows that something else is being done to a database."""
    ops = [(op.name, op.status) for op in wire.ops if op.busy]
    return wire.status.strip().casefold(), as_text(wire.action_uid), ops
