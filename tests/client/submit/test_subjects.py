"""Tests of `_client.submit.subjects`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import Action, Kind, Phase
from redis_enterprise_actions._client.submit.subjects import (
    NOTHING,
    Subject,
    SubjectKind,
    kind_of_call,
    subject_of_call,
    subject_of_work,
)
from redis_enterprise_actions._model.reference import parse_reference


def database(uid: str) -> Subject:
    """Return a database as the subject."""
    return Subject(SubjectKind.DATABASE, uid)


def node(uid: str) -> Subject:
    """Return a node as the subject."""
    return Subject(SubjectKind.NODE, uid)


def crdb(guid: str) -> Subject:
    """Return an Active-Active database as the subject."""
    return Subject(SubjectKind.CRDB, guid)


@pytest.mark.parametrize(
    ("call", "subject"),
    [
        ("PUT /v1/bdbs/1", database("1")),
        ("put /v2/bdbs/1", database("1")),
        ("POST /v1/bdbs/12/upgrade", database("12")),
        ("POST /v1/bdbs/1/actions/export", database("1")),
        ("DELETE /v1/bdbs/1/passwords", database("1")),
        ("POST /v1/modules/upgrade/bdb/3", database("3")),
        ("DELETE /v1/bdbs/1", NOTHING),
        ("POST /v1/nodes/2/actions/maintenance_on", node("2")),
        ("DELETE /v1/nodes/2/actions/maintenance_on", node("2")),
        ("DELETE /v1/nodes/2/actions/remove", node("2")),
        ("POST /v1/nodes/2/actions/remove", NOTHING),
        ("DELETE /v1/nodes/2", NOTHING),
        ("PATCH /v1/crdbs/g-1", crdb("g-1")),
        ("PUT /v1/crdbs/g%2D1/flush", crdb("g-1")),
        ("DELETE /v1/crdbs/g-1", NOTHING),
        ("POST /v1/crdbs", None),
        ("POST /v1/shards/actions/migrate", None),
        ("POST /v1/cluster/actions/other", None),
        ("POST /v1/users", None),
    ],
)
def test_path(call: str, subject: Subject | None) -> None:
    """The path of a call names what it changes; a deletion leaves nothing."""
    assert subject_of_call(*call.split(), None, {"uid": 9}) == subject


@pytest.mark.parametrize(
    ("answer", "subject"),
    [
        ({"uid": 1, "action_uid": "a"}, database("1")),
        ({"uid": "1"}, database("1")),
        ([{"uid": "1"}], database("1")),
        ({"bdb": {"uid": 2}, "uid": "x"}, database("2")),
        ({"action_uid": "a"}, None),
        ({"uid": "x"}, None),
        (None, None),
    ],
)
@pytest.mark.parametrize("path", ["/v1/bdbs", "/v2/bdbs"])
def test_created(path: str, answer: object, subject: Subject | None) -> None:
    """The answer to a creation names the new database."""
    assert subject_of_call("POST", path, {"uid": 9}, answer) == subject


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        ({"node_uid": "2"}, node("2")),
        ({"node_uid": 2}, node("2")),
        ({"node_uid": "../2"}, None),
        ({}, None),
        (None, None),
        ([2], None),
    ],
)
def test_primary(body: object, subject: Subject | None) -> None:
    """The body of a change of the primary node names that node."""
    assert subject_of_call("POST", "/v1/cluster/actions/change_master", body, {}) == subject


@pytest.mark.parametrize(
    ("ref", "name", "work_on", "subject"),
    [
        ("bdb:1", "", ("bdb", "1"), database("1")),
        ("bdb:1@after,x", "", ("bdb", "1"), database("1")),
        ("bdb:1@gone", "", ("bdb", "1"), NOTHING),
        ("export:3@idle", "export", ("bdb", "3"), database("3")),
        ("import:3", "import", ("bdb", "3"), database("3")),
        ("backup:3", "backup", ("bdb", "3"), database("3")),
        ("node:2/maintenance_on@t", "maintenance_on", (None, None), node("2")),
        ("node:2/remove", "remove", (None, None), NOTHING),
        ("a1", "SMUpdateBDB", ("bdb", "1"), database("1")),
        ("a1", "other", ("node", "2"), node("2")),
        ("a1", "SMDeleteBDB", ("bdb", "1"), NOTHING),
        ("a1", "SMUpdateBDB", ("bdb", None), None),
        ("a1", "SMUpdateBDB", ("bdb", "../2"), None),
        ("a1", "SMUpdateBDB", ("module", "1"), None),
        ("a1", "SMUpdateBDB", (None, "1"), None),
        ("a1", "SMUpdateBDB", ("", "1"), None),
        ("cluster:change_master", "change_master", (None, None), None),
        ("crdb:t", "create_crdb", ("crdb", "g"), crdb("g")),
        ("crdb:t", "create_crdb", ("crdb", None), None),
        ("crdb:t", "delete_crdb", ("crdb", "g"), NOTHING),
        (None, "POST /v1/x", (None, None), None),
    ],
)
def test_work(
    ref: str | None, name: str, work_on: tuple[str | None, str | None], subject: Subject | None
) -> None:
    """The reference names what the work was on, or else the finished action does."""
    action = Action(
        uid="a1",
        name=name,
        kind=Kind.OTHER,
        status="completed",
        phase=Phase.COMPLETED,
        object_type=work_on[0],
        object_uid=work_on[1],
    )

    assert subject_of_work(None if ref is None else parse_reference(ref), action) == subject


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("PUT", "/v1/bdbs/1", SubjectKind.DATABASE),
        ("POST", "/v1/bdbs", SubjectKind.DATABASE),
        ("DELETE", "/v1/bdbs/1", SubjectKind.NOTHING),
        ("POST", "/v1/crdbs", SubjectKind.CRDB),
        ("POST", "/v1/nodes/1/actions/maintenance_on", SubjectKind.NODE),
        ("POST", "/v1/cluster/actions/change_master", SubjectKind.NOTHING),
        ("POST", "/v1/bootstrap/create_cluster", SubjectKind.NOTHING),
        ("POST", "/v1/shards/actions/migrate", None),
        ("POST", "/v1/clusters", None),
    ],
)
def test_kind_of_call(method: str, path: str, kind: SubjectKind | None) -> None:
    """The path of a call tells the kind of its object, if not the object."""
    assert kind_of_call(method, path) is kind
