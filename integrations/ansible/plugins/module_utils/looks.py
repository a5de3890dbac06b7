"""Looks at the cluster, which tell whether a call whose answer is not known was executed.

The look before a call is stored with the intention to make it. What a later look shows beyond that
has begun since, so it does not depend on the clocks of two machines.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from redis_enterprise_actions.sync import (
    ActionNotFound,
    DatabaseNotFound,
    Kind,
    RequestError,
    RequestRejected,
)

from .options import duration_of
from .targets import ACTION, BOOTSTRAP, CHANGED, CRDB, CREATED, DELETED


if TYPE_CHECKING:
    from redis_enterprise_actions.sync import Action, ActionsClient

    from .calls import Call
    from .targets import Target


_T = TypeVar("_T")
_PAUSE = 3.0  # seconds between two looks during an outage
# The cluster keeps the result of a task of an Active-Active database for 500 s by default
# (requests/crdbs, X-Result-TTL); less, as clocks and answers are late.
_TASK_KEPT = 400.0
_TTL_HEADER = "x-result-ttl"
# Keys of the state before a call, by the kind of its target; an export or import leaves nothing
# that tells it from another
_DATABASES, _ACTIONS, _FOUND = "databases", "actions", "found"
_SINGLE = frozenset({ACTION, CRDB, BOOTSTRAP})
_KEYS = {
    CREATED: _DATABASES,
    CHANGED: _ACTIONS,
    DELETED: _ACTIONS,
    **dict.fromkeys(_SINGLE, _FOUND),
}
# Settings of a database that the client reads
_COMPARED = ("memory_size", "port", "shards_count")


class Verdict(enum.Enum):
    """Result of a look that found no work to follow."""

    NOT_EXECUTED = enum.auto()
    NOT_KNOWN = enum.auto()


class Pending(NamedTuple):
    """References of work that may be that of a call or of another; it may be made again after."""

    refs: tuple[str, ...]


def patiently(look: Callable[[], _T], outage_timeout: str) -> _T:
    """Return the result of a look, which is repeated while the cluster gives no usable answer.

    Raises the last error after `outage_timeout`. Each look itself is retried for ten seconds.
    """
    end = time.monotonic() + duration_of(outage_timeout)
    while True:
        try:
            return look()
        except RequestError as error:
            if not error.transient or time.monotonic() + _PAUSE > end:
                raise
        time.sleep(_PAUSE)


def look_before(client: ActionsClient, call: Call, target: Target) -> dict[str, Any] | None:
    """Return the state before a call, as JSON; None if nothing tells, or the user may not see it.

    Raises the errors of the client if the cluster does not answer.
    """
    try:
        if target.kind == CREATED:
            name = _name_in(call)
            return None if name is None else {_DATABASES: _uids_named(client, name)}
        if target.kind in {CHANGED, DELETED}:
            uids = [each.uid for each in _machines(client, target.uid)]
            gone = target.kind == DELETED and not _exists(client, target.uid)
            return None if gone else {_ACTIONS: uids}
        if target.kind in _SINGLE and target.ref:
            return _state(_get(client, target.ref))
    except RequestRejected:
        return None
    return None


def find_work(
    client: ActionsClient,
    call: Call,
    target: Target,
    before: Mapping[str, Any] | None,
    age: float,
) -> str | Verdict | Pending:
    """Return the reference of the work that a call has started since the look before it.

    `age` is the number of seconds since that look. Raises the errors of the client.
    """
    if before is None or _KEYS.get(target.kind) not in before:
        return Verdict.NOT_KNOWN
    try:
        if target.kind == CREATED:
            return _find_created(client, call, before)
        if target.kind in {CHANGED, DELETED}:
            return _find_on_database(client, target, before)
        now = _get(client, target.ref)
    except RequestRejected:
        return Verdict.NOT_KNOWN
    if target.kind == CRDB:
        return _find_task(call, target, before, now, age)
    return _FINDERS[target.kind](target, before, now)


def _find_created(client: ActionsClient, call: Call, before: Mapping[str, Any]) -> str | Verdict:
    """Find a new database of the name, and of the settings, as far as the client reads them."""
    uids = _uids_named(client, _name_in(call) or "")
    new = [uid for uid in uids if uid not in before[_DATABASES]]
    if not new:
        return Verdict.NOT_EXECUTED
    if len(new) > 1 or not _is_as_given(client, call, new[0]):
        return Verdict.NOT_KNOWN
    creations = [a.uid for a in _machines(client, str(new[0])) if a.name == "SMCreateBDB"]
    return f"action:{creations[0]}" if len(creations) == 1 else f"bdb:{new[0]}"


def _is_as_given(client: ActionsClient, call: Call, uid: int) -> bool:
    """Return True unless a database has other settings than a call gives to it."""
    config = _config_of(call)
    database = client.databases.get(uid)
    pairs = [(config.get(name), getattr(database, name)) for name in _COMPARED]
    # Text is a number that a template has made; a port of 0 lets the cluster choose.
    return all(not wanted or found is None or str(wanted) == str(found) for wanted, found in pairs)


def _find_on_database(
    client: ActionsClient, target: Target, before: Mapping[str, Any]
) -> str | Verdict | Pending:
    actions = _machines(client, target.uid)
    new = [each for each in actions if each.uid not in before[_ACTIONS]]
    own = [each for each in new if target.may_start(each.name)]
    if target.is_named and len(own) == 1:
        end = f"@{target.ref}" if target.kind == DELETED else ""
        return f"action:{own[0].uid}{end}"
    if target.kind == DELETED and not _exists(client, target.uid):
        return f"{target.ref}@gone"
    if not target.repeatable or (target.is_named and own):
        return Verdict.NOT_KNOWN
    return Pending(tuple(f"action:{each.uid}" for each in own)) if own else Verdict.NOT_EXECUTED


def _find_task(
    call: Call, target: Target, before: Mapping[str, Any], now: Action | None, age: float
) -> str | Verdict:
    """Find a task by its id, which it has from the call."""
    if before["found"]:  # the id is that of an older task
        return Verdict.NOT_KNOWN
    if now is not None:
        return target.ref
    names = [name.casefold() for name in call.headers or {}]
    is_kept = _TTL_HEADER not in names and call.arguments.get("result_ttl") is None
    return Verdict.NOT_EXECUTED if is_kept and 0 <= age < _TASK_KEPT else Verdict.NOT_KNOWN


def _find_bootstrap(target: Target, before: Mapping[str, Any], now: Action | None) -> str | Verdict:
    """Find the bootstrap of a node, whose state has changed then."""
    return Verdict.NOT_EXECUTED if _state(now) == before else target.ref


def _find_action(target: Target, before: Mapping[str, Any], now: Action | None) -> str | Verdict:
    """Find the run of an action of a node or the cluster, whose last result the cluster keeps."""
    if now is None:
        return Verdict.NOT_KNOWN if before["found"] else Verdict.NOT_EXECUTED
    if now.task_id:
        is_new = now.task_id != before["task_id"]
        return f"{target.ref}@{now.task_id}" if is_new else Verdict.NOT_EXECUTED
    # Without ids, only a run that is in progress, or the first one, is told from an older one.
    has_begun = not before["found"] or (now.phase.unfinished and not before["running"])
    return target.ref if has_begun else Verdict.NOT_KNOWN


_FINDERS = {ACTION: _find_action, BOOTSTRAP: _find_bootstrap}


def _state(action: Action | None) -> dict[str, Any]:
    """Return what tells one run of an action from another, as JSON."""
    if action is None:
        return {"found": False, "running": False, "task_id": None, "status": None, "began": None}
    began = action.creation_time
    return {
        "found": True,
        "running": action.phase.unfinished,
        "task_id": action.task_id,
        "status": action.status,
        "began": None if began is None else began.isoformat(),
    }


def _get(client: ActionsClient, ref: str) -> Action | None:
    try:
        found: Action = client.get(ref)
    except ActionNotFound:
        return None
    return found


def _machines(client: ActionsClient, bdb_uid: str) -> list[Action]:
    actions: list[Action] = client.list_actions(bdb_uid=int(bdb_uid), allow_partial=False)
    return [each for each in actions if each.kind is Kind.STATE_MACHINE]


def _exists(client: ActionsClient, bdb_uid: str) -> bool:
    return int(bdb_uid) in client.databases.names()


def _uids_named(client: ActionsClient, name: str) -> list[int]:
    names: dict[int, str] = client.databases.names()
    return [uid for uid, each in names.items() if each == name]


def _config_of(call: Call) -> Mapping[str, Any]:
    """Return the settings in the body of a call that creates a database."""
    config: Any = call.arguments.get("config") if call.resource else call.json
    if not call.resource and call.path.startswith("/v2/") and isinstance(config, Mapping):
        config = config.get("bdb")
    return config if isinstance(config, Mapping) else {}


def _name_in(call: Call) -> str | None:
    """Return the name in the body of a call that creates a database."""
    name = _config_of(call).get("name")
    return name if isinstance(name, str) and name else None


def database_uid(client: ActionsClient, call: Call) -> int | None:
    """Return the uid of the database that a call names by its name; None for other calls."""
    kind, colon, name = str(call.arguments.get("bdb_uid", "")).strip().partition(":")
    if not colon or kind != "name":
        return None
    found = client.databases.find(name)
    if found is None:
        raise DatabaseNotFound(name)
    return found.uid
