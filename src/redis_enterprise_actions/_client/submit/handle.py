"""Table of the calls that start long work, and what to follow after each.

A call is followed by the handle in its answer. Where the answer has none, the table says what
tells the end instead: the database that the call changes, or nothing at all, which is no success.
Vendor pages: those under requests/ of the REST API's reference, of 7.4 to 8.0.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeGuard, cast

import msgspec

from redis_enterprise_actions._client.sources.node_actions import run_of
from redis_enterprise_actions._client.wire.databases import (
    is_settled,
    read_answer,
    was_known,
)
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.reference import AFTER, GONE, UNCHANGED, Reference, Track


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NO_UIDS: Final = frozenset({"", ".", ".."})  # what no path can name
_UID: Final = re.compile(r"\d{1,18}", re.ASCII)
_LONGEST: Final = 500  # characters of an error that is no text
_ACCEPTED: Final = 202  # by which a server says that it has not done it yet
_DRY_RUN: Final = frozenset({"dry_run"})
_OF_BLUEPRINTS: Final = frozenset({"dry_run", "only_failovers", "max_operations"})
_NOTHING: Final[frozenset[str]] = frozenset()


class Follow(enum.Enum):
    """What tells how a call goes on where its answer has no handle."""

    CREATED = enum.auto()  # the database in the answer
    CHANGED = enum.auto()  # the database in the path, which the answer shows
    DATABASE = enum.auto()  # the database in the path
    DELETED = enum.auto()  # likewise, until it is gone
    TRANSFER = enum.auto()  # the status of an export or import, in the database
    HOST = enum.auto()  # the action of the node, or the cluster, that the path names
    CANCELLED = enum.auto()  # likewise: a cancel is accepted, and the action tells its end
    CRDB = enum.auto()  # the task of the id that was sent along
    TASK = enum.auto()  # the task in the path, which is to be cancelled
    IF_ANY = enum.auto()  # nothing: an action is named if there is one
    AT_ONCE = enum.auto()  # nothing: the answer comes when it is done
    BOOTSTRAP = enum.auto()  # GET /v1/bootstrap, which nothing here asks yet
    NAMED = enum.auto()  # nothing: the answer has to name an action


_CANCELS: Final = frozenset({Follow.CANCELLED, Follow.TASK})


class Documented(NamedTuple):
    """What is known of a call: `query` and `body` are where it takes settings such as `dry_run`."""

    methods: str
    path: re.Pattern[str]
    follow: Follow
    query: frozenset[str] = _NOTHING
    body: frozenset[str] = _NOTHING


def _call(
    methods: str,
    path: str,
    follow: Follow,
    *,
    query: frozenset[str] = _NOTHING,
    body: frozenset[str] = _NOTHING,
) -> Documented:
    return Documented(methods, re.compile(path, re.ASCII), follow, query, body)


_BDB: Final = r"/v\d/bdbs/(?P<bdb>\d{1,18})"
_NODE: Final = r"/v1/nodes/(?P<node>\d{1,18})/actions/(?P<action>[a-z_]+)"
_CLUSTER: Final = r"/v1/cluster/actions/(?P<action>[a-z_]+)"
_MODULES: Final = r"/v1/modules/(?:upgrade|config)/bdb/(?P<bdb>\d{1,18})"
_SHARDS: Final = r"/v1/shards/(?:\d+/)?actions/(?:migrate|failover)"

# The first row that a call matches is its own.
CALLS: Final[tuple[Documented, ...]] = (
    # requests/bdbs: the answer is the database, with an action_uid
    _call("POST", r"/v[12]/bdbs", Follow.CREATED, query=_DRY_RUN),
    _call("PUT", _BDB, Follow.CHANGED, query=_DRY_RUN),
    _call("DELETE", _BDB, Follow.DELETED),
    # requests/bdbs/actions/...: an action_uid, but for export and import, which name nothing
    _call("POST", rf"{_BDB}/actions/(?P<transfer>export|import)", Follow.TRANSFER),
    _call("PUT", rf"{_BDB}/actions/(?:rebalance|revamp)", Follow.DATABASE, query=_OF_BLUEPRINTS),
    # requests/bdbs/upgrade, requests/bdbs/modules/..., and all else below a database
    _call("POST PUT PATCH DELETE", rf"{_BDB}/.+", Follow.DATABASE),
    _call("POST", _MODULES, Follow.DATABASE),
    # requests/shards/actions/...: an action_uid; the shards may be of several databases
    _call("POST", _SHARDS, Follow.NAMED, body=_DRY_RUN),
    # requests/nodes/actions, requests/cluster/actions: a task_id, if anything
    _call("POST", _NODE, Follow.HOST),
    _call("DELETE", _NODE, Follow.CANCELLED),
    _call("POST", _CLUSTER, Follow.HOST),
    _call("DELETE", _CLUSTER, Follow.CANCELLED),
    # requests/bootstrap: a status code
    _call("POST", r"/v1/bootstrap(?:/.*)?", Follow.BOOTSTRAP),
    # requests/crdbs/..., requests/crdb_tasks: a crdb_task, dry runs included
    _call("POST", r"/v1/crdb_tasks/(?P<task>[^/]+)/actions/cancel", Follow.TASK),
    _call("POST", r"/v1/crdbs(?:/[^/]+/updates)?", Follow.CRDB, query=_DRY_RUN),
    _call("POST PUT PATCH DELETE", r"/v1/crdbs(?:/.*)?", Follow.CRDB),
    # requests/users, roles, redis_acls, ldap_mappings: an action_uid "if it exists"
    _call(
        "POST PUT DELETE", r"/v1/(?:users|roles|redis_acls|ldap_mappings)(?:/\d+)?", Follow.IF_ANY
    ),
    # requests/modules: an action_uid (7.4 to 7.22); those of users (8.0) are there at once
    _call("POST PUT DELETE", r"/v2/modules/user-defined(?:/.*)?", Follow.AT_ONCE),
    _call("POST DELETE", r"/v2/modules(?:/[^/]+)?", Follow.NAMED),
    # requests/cluster/certificates: answered when it is done, after up to 900 s
    _call("PUT", r"/v1/cluster/(?:certificates|update_cert)", Follow.AT_ONCE),
    _call("POST", r"/v1/cluster/certificates/rotate", Follow.AT_ONCE),
    # requests/services: what was accepted, by service
    _call("POST", r"/v1/(?:local/)?services", Follow.NAMED),
)
_UNKNOWN: Final = _call("", "", Follow.NAMED)  # the row of any other call


class Target(NamedTuple):
    """What a call is about: its row in the table, and what its path tells of what it starts."""

    call: Documented
    ref: Reference | None


def target(method: str, path: str) -> Target:
    """Return what a call is about, as far as its method and its path tell."""
    for call in CALLS:
        match = call.path.fullmatch(path)
        if match is not None and method in call.methods.split():
            return Target(call, _reference(call.follow, match.groupdict()))
    return Target(_UNKNOWN, None)


def _reference(follow: Follow, named: Mapping[str, str]) -> Reference | None:
    if "transfer" in named:
        return Reference(Track(named["transfer"]), named["bdb"])
    if "bdb" in named:
        return Reference(Track.BDB, named["bdb"], GONE if follow is Follow.DELETED else "")
    if "node" in named:
        return Reference(Track.NODE, f"{named['node']}/{named['action']}")
    if "action" in named:
        return Reference(Track.CLUSTER, named["action"])
    if "task" in named:
        return Reference(Track.CRDB, named["task"])
    return None


def is_dry_run(call: Documented, json: object, params: Mapping[str, object] | None) -> bool:
    """Return True for a call that is to start nothing. Raises `UsageError`.

    Settings in the wrong place are not read, so that the call would be made in earnest.
    """
    body = cast("Mapping[object, object]", json if isinstance(json, dict) else {})
    in_body = set(body)
    in_query = set(params or ())
    for name in sorted(call.query & in_body):
        raise UsageError(
            f"{name} is read from the query of this call, not from its body: pass it as "
            f"params={{{name!r}: ...}} (--param {name}=...)"
        )
    for name in sorted(call.body & in_query):
        raise UsageError(
            f"{name} is read from the body of this call, not from its query: pass it as "
            f"json={{{name!r}: ...}} (--data)"
        )
    if "dry_run" in call.query & in_query:
        return _is_on((params or {})["dry_run"])
    if "dry_run" in call.body & in_body:
        return body["dry_run"] is True
    return False


def _is_on(value: object) -> bool:
    """Return True if a query's value switches something on, as the bare word does."""
    return str(value).casefold() in {"", "true", "1", "yes"}


def problem_with(method: str, path: str) -> str | None:
    """Return why a call cannot be waited for, before it is made; None if that may be possible."""
    if target(method, path).call.follow is Follow.BOOTSTRAP:
        return _REASONS[Follow.BOOTSTRAP]
    return None


# --- the answer ---------------------------------------------------------------------------------


class Handle(NamedTuple):
    """What a call has started: `ref`; or, without one, why nothing can be followed.

    Without either it was over with its answer. `refused` says that the answer can be no end,
    as it is known that something goes on.
    """

    ref: Reference | None
    problem: str | None = None
    refused: bool = False


def error_in(answer: object) -> tuple[str | None, str | None] | None:
    """Return the code and the text of an error that comes with a status of success, or None."""
    entries = cast("list[object]", answer) if isinstance(answer, list) else [answer]
    inner = [fields_of(each).get("bdb") for each in entries]
    found = [_error(fields_of(each)) for each in (*entries, *inner)]
    return next((error for error in found if error is not None), None)


def _error(fields: Mapping[str, object]) -> tuple[str | None, str | None] | None:
    code, title, status = fields.get("error_code"), fields.get("title"), fields.get("status")
    if any(_text(fields, name) is not None for name in ("action_uid", "task_id", "id")):
        return None
    if (isinstance(code, str) and code.strip()) or isinstance(code, int):
        return str(code), _said(fields)
    if isinstance(title, str) and isinstance(status, int | str):
        return None, _said(fields)
    error = fields.get("error") or fields.get("errors")
    if not error or not isinstance(error, str | list | dict):
        return None
    return None, error if isinstance(error, str) else msgspec.json.encode(error).decode()[:_LONGEST]


def _said(fields: Mapping[str, object]) -> str | None:
    texts = (fields.get(name) for name in ("description", "message", "detail", "title"))
    return next((text for text in texts if isinstance(text, str) and text), None)


def handle_of(
    about: Target, before: Reference | None, status: int, answer: object, *, dry_run: bool
) -> Handle:
    """Return what to follow after a call that was answered with success.

    `before` is what the call was to start, with how that stood before.
    """
    fields, follow = fields_of(answer), about.call.follow
    uids = _action_uids(answer)
    if len(uids) > 1 and follow not in _CANCELS:
        return Handle(None, _NAMES_SEVERAL, refused=True)
    ref = _named(about, before, fields, uids)
    if ref is not None or dry_run:
        return Handle(ref)
    if follow is not Follow.CRDB:
        ref = _database(follow, before, status, _database_in(fields))
    done = follow in {Follow.IF_ANY, Follow.AT_ONCE} and status != _ACCEPTED
    if ref is not None or done:
        return Handle(ref)
    return Handle(None, _REASONS.get(follow, _NAMES_NOTHING), follow is Follow.BOOTSTRAP)


def _named(
    about: Target, before: Reference | None, fields: Mapping[str, object], uids: Sequence[str]
) -> Reference | None:
    """Return what an answer names, or what the path does where that has an end of its own."""
    follow = about.call.follow
    task_id = _text(fields, "task_id")
    deletes = str(about.ref).partition("@")[0] if follow is Follow.DELETED else ""
    if follow in _CANCELS:
        return before  # whatever the cancel itself is called
    if uids:
        return Reference(Track.ACTION, uids[0], deletes)
    if follow is Follow.HOST and before is not None:
        this_run = run_of(before)._replace(new=task_id or "")
        return msgspec.structs.replace(before, run=str(this_run))
    if follow is Follow.TRANSFER:
        return before
    if follow is Follow.CRDB:
        task = _text(fields, "id")
        return before if task is None else Reference(Track.CRDB, task)
    return None if task_id is None else Reference(Track.ACTION, task_id, deletes)


def _database(
    follow: Follow, before: Reference | None, status: int, shown: Mapping[str, object]
) -> Reference | None:
    """Return the database that a call works on, or that its answer shows to be created."""
    if follow is Follow.CREATED:
        uid = _text(shown, "uid") or ""
        return Reference(Track.BDB, uid, AFTER) if _UID.fullmatch(uid) else None
    if follow is not Follow.CHANGED or before is None:
        return before if follow in {Follow.DATABASE, Follow.DELETED} else None
    unchanged = status != _ACCEPTED and _is_unchanged(before, shown)
    run = before.run.replace(AFTER, UNCHANGED, 1) if unchanged else before.run
    return msgspec.structs.replace(before, run=run)


def _database_in(fields: Mapping[str, object]) -> Mapping[str, object]:
    return fields_of(fields["bdb"]) if "bdb" in fields else fields


def _is_unchanged(before: Reference, shown: Mapping[str, object]) -> bool:
    """Return True if an answer shows the settled database: then there was nothing to change."""
    wire = read_answer(msgspec.json.encode(shown))
    if wire is None or not is_settled(wire) or _text(shown, "uid") not in {None, before.uid}:
        return False
    return was_known(wire, before)


def _action_uids(answer: object) -> list[str]:
    """Return each `action_uid` in an answer, in objects in it, or in an array around them."""
    entries = cast("list[object]", answer) if isinstance(answer, list) else [answer]
    found: dict[str, None] = {}
    for entry in entries:
        fields = fields_of(entry)
        own = _text(fields, "action_uid")
        inner = [_text(fields_of(each), "action_uid") for each in fields.values()]
        found |= dict.fromkeys(filter(None, [own] if own is not None else inner))
    return list(found)


def fields_of(answer: object) -> Mapping[str, object]:
    """Return the fields of an object, or of the only one in an array; none of anything else."""
    if isinstance(answer, list):
        entries = cast("list[object]", answer)
        answer = entries[0] if len(entries) == 1 else None
    return answer if _is_object(answer) else {}


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _text(fields: Mapping[str, object], key: str) -> str | None:
    """Return an id, which may be given as a number."""
    value = fields.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = value.strip() if isinstance(value, str) else ""
    return None if text in _NO_UIDS else text


_NAMES_SEVERAL: Final = "its answer names several actions: wait for each of them"
_NAMES_NOTHING: Final = (
    "its answer names nothing to follow, and the API does not document that it is done by then"
)
_REASONS: Final[Mapping[Follow, str]] = {
    Follow.BOOTSTRAP: (
        "a bootstrap goes on after its answer, and nothing here follows it yet: "
        "ask GET /v1/bootstrap until its state is completed, or error"
    ),
    Follow.CRDB: "its answer names no task of the Active-Active database",
    Follow.IF_ANY: "it was accepted (202), and its answer names nothing to follow",
    Follow.AT_ONCE: "it was accepted (202), and its answer names nothing to follow",
}
