"""Handle in the answer to a call: what to follow, or why nothing can be followed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import msgspec

from redis_enterprise_actions._client.sources.node_runs import parse_run
from redis_enterprise_actions._client.sources.paths import UNUSABLE_UIDS
from redis_enterprise_actions._client.wire.databases import (
    find_database,
    has_no_new_failure,
    is_settled,
)
from redis_enterprise_actions._client.wire.reasons import reason_in
from redis_enterprise_actions._model.reference import (
    AFTER,
    UNCHANGED,
    Reference,
    ReferenceKind,
    action_uid,
)
from redis_enterprise_actions._model.text import one_line

from .calls import NO_HANDLE, Follow


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BDB_UID: Final = re.compile(r"\d{1,18}", re.ASCII)
_MAX_UID: Final = 1000  # characters; a longer text is no uid
_ACCEPTED: Final = 202  # the cluster has not done the work yet
_CANCELS: Final = frozenset({Follow.NODE_ACTION_CANCEL, Follow.CRDB_TASK_CANCEL})
_DONE_WITHOUT_HANDLE: Final = frozenset({Follow.OPTIONAL_ACTION, Follow.SYNCHRONOUS})
_SEVERAL_ACTIONS: Final = "the answer names several actions: wait for each of them"
_NO_ACTION: Final = (
    "the answer names nothing to follow, and the API does not document that the work is done when "
    "the cluster answers"
)


class Handle(NamedTuple):
    """Handle of the work that a call has started: its reference, or why there is none.

    Without `ref` and `problem` the work is done. `still_running` says that work without a
    reference goes on for certain, so that the answer cannot count as its end.
    """

    ref: Reference | None
    answer: object = None
    problem: str | None = None
    still_running: bool = False

    def __repr__(self) -> str:
        return f"<Handle {one_line(str(self.ref))}>"  # answers hold secrets


def read_handle(
    follow: Follow, before: Reference | None, status: int, answer: object, *, dry_run: bool
) -> Handle:
    """Return the handle of a call that was answered with success.

    `before` refers to the work by its state before the call.
    """
    uids = _action_uids(answer)
    if len(uids) > 1 and follow not in _CANCELS:
        return Handle(None, answer, _SEVERAL_ACTIONS, still_running=True)
    fields = _fields(answer)
    ref = _named_reference(follow, before, fields, uids)
    if ref is None and not dry_run:
        ref = _database_reference(follow, before, status, fields)
    done = dry_run or (follow in _DONE_WITHOUT_HANDLE and status != _ACCEPTED)
    if ref is not None or done:
        return Handle(ref, answer)
    problem = NO_HANDLE.get(follow, _NO_ACTION)
    return Handle(None, answer, problem)


def _named_reference(
    follow: Follow, before: Reference | None, fields: Mapping[str, object], uids: Sequence[str]
) -> Reference | None:
    """Return the work that an answer names, or else the work in the path if it has a status."""
    deleted = f"{ReferenceKind.BDB}:{before.uid}" if follow is Follow.DELETED and before else ""
    if follow in _CANCELS or follow is Follow.BOOTSTRAP:
        return before  # the work to follow is the cancelled one, not the cancel
    if uids:
        return _action(uids[0], deleted)
    task_id = _uid(fields, "task_id")
    if follow is Follow.NODE_ACTION and before is not None:
        run = parse_run(before)._replace(task_id=task_id or "")
        return msgspec.structs.replace(before, run=str(run))
    if follow is Follow.TRANSFER:
        return before
    if follow is Follow.CRDB_TASK:
        task = _uid(fields, "id")
        return before if task is None else Reference(ReferenceKind.CRDB, task)
    return None if task_id is None else _action(task_id, deleted)


def _action(uid: str, deleted: str) -> Reference:
    return Reference(ReferenceKind.ACTION, action_uid(uid), deleted)


def _database_reference(
    follow: Follow, before: Reference | None, status: int, fields: Mapping[str, object]
) -> Reference | None:
    """Return the database that a call changes, or the created one that the answer shows."""
    if follow is Follow.CREATED:
        uid = _database_uid(fields)
        return None if uid is None else Reference(ReferenceKind.BDB, uid, AFTER)
    database = _fields(fields["bdb"]) if "bdb" in fields else fields
    if follow in {Follow.DATABASE, Follow.DELETED}:
        return before
    if follow is not Follow.CHANGED or before is None:
        return None
    wire = None if status == _ACCEPTED else find_database(msgspec.json.encode(database))
    unchanged = (
        wire is not None
        and is_settled(wire)
        and _uid(database, "uid") in {None, before.uid}
        and has_no_new_failure(wire, before)
    )
    run = before.run.replace(AFTER, UNCHANGED, 1) if unchanged else before.run
    return msgspec.structs.replace(before, run=run)


def answered_database(answer: object) -> str | None:
    """Return the uid of the database in the answer to a call that creates one, or None."""
    return _database_uid(_fields(answer))


def _database_uid(fields: Mapping[str, object]) -> str | None:
    database = _fields(fields["bdb"]) if "bdb" in fields else fields
    uid = _uid(database, "uid") or ""
    return uid if _BDB_UID.fullmatch(uid) else None


def embedded_error(answer: object) -> tuple[str | None, str | None] | None:
    """Return the code and the text of an error in the body of a success, or None."""
    entries = [_fields(entry) for entry in _entries(answer)]
    databases = [_fields(fields["bdb"]) for fields in entries if "bdb" in fields]
    for fields in (*entries, *databases):
        if any(_uid(fields, name) is not None for name in ("action_uid", "task_id", "id")):
            continue
        code, title, status = fields.get("error_code"), fields.get("title"), fields.get("status")
        has_code = isinstance(code, int) or (isinstance(code, str) and bool(code.strip()))
        is_problem = isinstance(title, str) and isinstance(status, int | str)  # RFC 9457, of crdbs
        errors = [fields.get(name) for name in ("error", "errors")]
        has_error = any(each and isinstance(each, str | list | dict) for each in errors)
        if has_code or is_problem or has_error:
            return reason_in(fields)
    return None


def _action_uids(answer: object) -> list[str]:
    """Return each `action_uid` in an answer: of an object, of its members, of array entries."""
    found: dict[str, None] = {}
    for entry in _entries(answer):
        fields = _fields(entry)
        uids = [_uid(fields, "action_uid")]
        if uids == [None]:
            members = [inner for each in fields.values() if (inner := _fields(each))]
            uids = [_uid(member, "action_uid") for member in members]
        found |= dict.fromkeys(filter(None, uids))
    return list(found)


def _entries(answer: object) -> list[object]:
    return cast("list[object]", answer) if isinstance(answer, list) else [answer]


def _fields(answer: object) -> Mapping[str, object]:
    """Return the fields of an object, or of the only object in an array; else no fields."""
    if isinstance(answer, list):
        entries = cast("list[object]", answer)
        answer = entries[0] if len(entries) == 1 else None
    return cast("dict[str, object]", answer) if isinstance(answer, dict) else {}


def _uid(fields: Mapping[str, object], key: str) -> str | None:
    """Return a uid, which the cluster may give as a number."""
    value = fields.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = value.strip() if isinstance(value, str) else ""
    return None if text in UNUSABLE_UIDS or len(text) > _MAX_UID else text
