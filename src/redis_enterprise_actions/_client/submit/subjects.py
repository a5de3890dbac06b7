"""Subjects of work: the databases, nodes or Active-Active databases that it makes or changes.

The path of a call names its subject, or else the answer; where only a reference names the work, the
subject is in the reference, or the finished action names it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from urllib.parse import unquote

from redis_enterprise_actions._client.sources.paths import quoted_uid
from redis_enterprise_actions._client.wire.databases import DELETE_DATABASE
from redis_enterprise_actions._model.reference import TRANSFERS, Reference, ReferenceKind

from .handle import answered_database


if TYPE_CHECKING:
    from redis_enterprise_actions._client.sources.objects import ObjectsApi
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.objects import OperationResult

_REMOVE: Final = "remove"  # the action that removes its node
_DELETE_CRDB: Final = "delete_crdb"


class SubjectKind(enum.StrEnum):
    """Kind of object, as `object_type` of an action has it. `NOTHING` is work that leaves none."""

    DATABASE = "bdb"
    NODE = "node"
    CRDB = "crdb"
    NOTHING = ""


class Subject(NamedTuple):
    """The object that a piece of work makes or changes."""

    kind: SubjectKind
    uid: str = ""


NOTHING: Final = Subject(SubjectKind.NOTHING)
_KINDS: Final[Mapping[str, SubjectKind]] = {kind.value: kind for kind in SubjectKind if kind.value}
_NUMBER: Final = re.compile(r"\d{1,18}", re.ASCII)

# The first row that matches a call applies: methods, path, and kind of the object of that uid.
_ALL: Final = "POST PUT PATCH DELETE"
_CALLS: Final = tuple(
    (methods.split(), re.compile(path, re.ASCII), kind)
    for methods, path, kind in (
        ("DELETE", r"/v\d/bdbs/(\d{1,18})", SubjectKind.NOTHING),
        (_ALL, r"/v\d/bdbs/(\d{1,18})(?:/.+)?", SubjectKind.DATABASE),
        (_ALL, r"/v1/modules/(?:upgrade|config)/bdb/(\d{1,18})", SubjectKind.DATABASE),
        ("DELETE", r"/v\d/nodes/(\d{1,18})", SubjectKind.NOTHING),
        ("POST", rf"/v\d/nodes/(\d{{1,18}})/actions/{_REMOVE}", SubjectKind.NOTHING),
        (_ALL, r"/v\d/nodes/(\d{1,18})(?:/.+)?", SubjectKind.NODE),
        ("DELETE", r"/v\d/crdbs/([^/]+)", SubjectKind.NOTHING),
        (_ALL, r"/v\d/crdbs/([^/]+)(?:/.+)?", SubjectKind.CRDB),
    )
)
# Kinds of the objects of other calls, by the beginning of their path
_COLLECTIONS: Final = {
    "bdbs": SubjectKind.DATABASE,
    "crdbs": SubjectKind.CRDB,
    "nodes": SubjectKind.NODE,
    "cluster": SubjectKind.NOTHING,
    "bootstrap": SubjectKind.NOTHING,
}
_COLLECTION: Final = re.compile(rf"/v\d/({'|'.join(_COLLECTIONS)})(?:/|$)", re.ASCII)
_CREATE_DATABASE: Final = re.compile(r"/v\d/bdbs", re.ASCII)
_CHANGE_PRIMARY: Final = "/v1/cluster/actions/change_master"


def subject_of_call(method: str, path: str, json: object, answer: object) -> Subject | None:
    """Return the object that a call makes or changes; None if only the work can tell.

    `json` is the body of the call, and `answer` that of the cluster's answer.
    """
    for methods, pattern, kind in _CALLS:
        match = pattern.fullmatch(path)
        if match is not None and method.upper() in methods:
            return NOTHING if kind is SubjectKind.NOTHING else Subject(kind, unquote(match[1]))
    if _CREATE_DATABASE.fullmatch(path):
        uid = answered_database(answer)
        return None if uid is None else Subject(SubjectKind.DATABASE, uid)
    if path == _CHANGE_PRIMARY and isinstance(json, Mapping):
        uid = str(cast("Mapping[str, object]", json).get("node_uid"))
        return Subject(SubjectKind.NODE, uid) if _NUMBER.fullmatch(uid) else None
    return None


def kind_of_call(method: str, path: str) -> SubjectKind | None:
    """Return the kind of the object that a call is for, as far as its path tells."""
    subject = subject_of_call(method, path, None, None)
    if subject is not None:
        return subject.kind
    match = _COLLECTION.match(path)
    return None if match is None else _COLLECTIONS[match[1]]


def subject_of_work(ref: Reference | None, action: Action) -> Subject | None:
    """Return the object that completed work has made or changed; None if nothing tells it."""
    if ref is not None and (ref.kind in TRANSFERS or ref.kind is ReferenceKind.BDB):
        return NOTHING if ref.is_deletion else Subject(SubjectKind.DATABASE, ref.uid)
    if ref is not None and ref.kind is ReferenceKind.NODE:
        is_removal = ref.action_name == _REMOVE
        return NOTHING if is_removal else Subject(SubjectKind.NODE, str(ref.numeric_uid))
    if action.name in {DELETE_DATABASE, _DELETE_CRDB}:
        return NOTHING
    kind, uid = _KINDS.get(action.object_type or ""), action.object_uid or ""
    has_uid = bool(uid if kind is SubjectKind.CRDB else _NUMBER.fullmatch(uid))
    return Subject(kind, uid) if kind is not None and has_uid else None


async def fetch_subject(objects: ObjectsApi, subject: Subject) -> OperationResult:
    """Return an object as it is now. Raises `RequestError`: `RequestRejected` (404) if it is gone.

    Return None where there is nothing to ask for.
    """
    if subject.kind is SubjectKind.DATABASE:
        return await objects.database(int(subject.uid))
    if subject.kind is SubjectKind.NODE:
        return await objects.node(int(subject.uid))
    if subject.kind is SubjectKind.CRDB:
        return await objects.crdb(quoted_uid(subject.uid, "an Active-Active database"))
    return None
