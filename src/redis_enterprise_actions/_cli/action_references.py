"""References to the actions of lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.wire.databases import DELETE_DATABASE
from redis_enterprise_actions._model.action import Kind
from redis_enterprise_actions._model.reference import Reference, parse_reference


if TYPE_CHECKING:
    from redis_enterprise_actions._model.action import Action

_WITH_RUN: Final = frozenset({Kind.NODE_ACTION, Kind.CLUSTER_ACTION})  # `uid@run` is the reference
_UID_IS_REFERENCE: Final = _WITH_RUN | {Kind.EXPORT, Kind.IMPORT, Kind.BACKUP, Kind.DATABASE}
_BDB: Final = re.compile(r"bdb:\d{1,18}", re.ASCII)


def reference_to(action: Action) -> Reference:
    """Return the reference to an action, with its run where the cluster reports one.

    Raises `UsageError` for an action whose uid cannot be in a reference.
    """
    return parse_reference(_reference_text(action))


def short_reference_to(action: Action) -> str:
    """Return the text of the reference to any action; of an action without a run, the bare uid."""
    text = _reference_text(action)
    return text if "@" in text else text.removeprefix("action:")


def _reference_text(action: Action) -> str:
    database = f"{action.object_type}:{action.object_uid}" if action.name == DELETE_DATABASE else ""
    return reference_text(action.kind, action.uid, action.task_id, database)


def reference_text(kind: str | None, uid: str, task_id: str | None, database: str) -> str:
    """Return the text of a reference to an action; `database` is `bdb:UID` if it deletes that."""
    if kind == Kind.CRDB_TASK:
        return f"crdb:{uid}"
    if kind not in _UID_IS_REFERENCE:
        return f"action:{uid}@{database}" if _BDB.fullmatch(database) else f"action:{uid}"
    return f"{uid}@{task_id}" if kind in _WITH_RUN and task_id else uid
