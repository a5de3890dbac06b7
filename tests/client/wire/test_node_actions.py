"""Tests of `_client.wire.node_actions`."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings

from redis_enterprise_actions import Action, Kind, Phase, UnreadableReply
from redis_enterprise_actions._client.wire.crdb_tasks import read_crdb_tasks
from redis_enterprise_actions._client.wire.node_actions import read_node_action, read_node_actions
from redis_enterprise_actions._model.reference import Reference, ReferenceKind, parse_reference
from tests.client.wire.test_crdb_tasks import BODIES
from tests.conftest import examples


ON = parse_reference("node:1/maintenance_on")
REMOVE = parse_reference("node:2/remove")
PRIMARY = parse_reference("cluster:change_master")
PATH = "/v1/nodes/1/actions/maintenance_on"


def host(ref: Reference = ON, **wire: object) -> Action:
    """Decode the answer about one action of a node or of the cluster."""
    return read_node_action(json.dumps({"status": "running"} | wire).encode(), ref, PATH)


def hosts(body: object, kind: ReferenceKind = ReferenceKind.NODE) -> list[Action]:
    """Decode a list of them."""
    return read_node_actions(json.dumps(body).encode(), kind, PATH)


class TestReadNodeAction:
    """One action of a node or of the cluster."""

    def test_recorded(self) -> None:
        """A body as recorded, with a status and a task_id: the rest is known from the path."""
        assert host(status="queued", task_id="T1") == Action(
            uid="node:1/maintenance_on",
            name="maintenance_on",
            kind=Kind.NODE_ACTION,
            status="queued",
            phase=Phase.PENDING,
            node_uid="1",
            task_id="T1",
        )

    def test_documented(self) -> None:
        """A body as documented is read; a cluster action has no node."""
        wire = {"name": "change_master", "progress": "50", "creation_time": "1760400087"}
        assert host(
            PRIMARY, status="failed", error_code="e1", error_message="no", **wire
        ) == Action(
            uid="cluster:change_master",
            name="change_master",
            kind=Kind.CLUSTER_ACTION,
            status="failed",
            phase=Phase.FAILED,
            progress=50.0,
            creation_time=datetime(2025, 10, 14, 0, 1, 27, tzinfo=UTC),
            error_code="e1",
            error="no",
        )

    @pytest.mark.parametrize(
        ("status", "phase"),
        [
            ("queued", Phase.PENDING),
            ("starting", Phase.RUNNING),
            ("running", Phase.RUNNING),
            ("cancelling", Phase.CANCELLING),
            ("Completed", Phase.COMPLETED),
            ("failed", Phase.FAILED),
            ("cancelled", Phase.CANCELLED),
            ("aborted", Phase.ABORTED),
            ("resting", Phase.UNKNOWN),
        ],
    )
    def test_status(self, status: str, phase: Phase) -> None:
        """The status words are those of tasks; any other word is unknown."""
        assert host(status=status).phase is phase

    @pytest.mark.parametrize("progress", [None, "soon", -1, 101, "NaN", [1], True])
    def test_nonsense_is_missing(self, progress: object) -> None:
        """An invalid field counts as missing, and does not affect the others."""
        action = host(progress=progress, task_id="T1", error_message=7, error_code=3)

        assert (action.progress, action.error, action.error_code) == (None, "7", "3")
        assert action.task_id == "T1"

    @pytest.mark.parametrize("task_id", ["", None, 5])
    def test_no_task_id(self, task_id: object) -> None:
        """An empty task_id counts as missing."""
        assert host(task_id=task_id).task_id is None

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{", b'"running"', b'{"task_id": "T1"}', b'{"status": 5}', b"\xff"]
    )
    def test_unreadable(self, body: bytes) -> None:
        """An object without a status is unreadable, and the error names the path."""
        with pytest.raises(UnreadableReply, match=PATH):
            read_node_action(body, ON, PATH)

    def test_one_line(self) -> None:
        """An action of a node is printed with its node, one of the cluster without an object."""
        assert str(host(status="running", progress=10)) == (
            "maintenance_on on node:1: running, 10 % [node:1/maintenance_on]"
        )
        assert str(host(PRIMARY)) == "change_master: running [cluster:change_master]"


class TestReadNodeActions:
    """Lists of actions."""

    @pytest.mark.parametrize("wrapped", [True, False], ids=["object", "array"])
    def test_shapes(self, wrapped: bool) -> None:
        """The list may come as an object or as an array; numbers may be strings."""
        entries = [
            {"name": "remove_node", "node_uid": "2", "status": "running", "progress": 10},
            {"name": "maintenance_on", "node_uid": 1, "status": "queued", "task_id": "T1"},
        ]
        removal, on = hosts({"actions": entries} if wrapped else entries)

        assert removal == host(REMOVE, progress=10)
        assert on == host(ON, status="queued", task_id="T1")

    @pytest.mark.parametrize("body", [b"[]", b" \n[]", b' {"actions": []}'])
    def test_empty(self, body: bytes) -> None:
        """An empty list has no actions, in any shape."""
        assert read_node_actions(body, ReferenceKind.NODE, PATH) == []

    def test_names(self) -> None:
        """The action that lists call remove_node has the name remove, as in paths."""
        (removal,) = hosts([{"name": "remove_node", "node_uid": "2", "status": "running"}])

        assert (removal.uid, removal.name) == (REMOVE.name, "remove")

    def test_cluster(self) -> None:
        """A cluster action has no node, even if its entry names one."""
        body = {"actions": [{"name": "change_master", "node_uid": "3", "status": "running"}]}

        assert hosts(body, ReferenceKind.CLUSTER) == [host(PRIMARY)]

    @pytest.mark.parametrize(
        "entry",
        [
            {"status": "running"},
            {"name": "", "node_uid": "1", "status": "running"},
            {"name": "remove_node", "status": "running"},
            {"name": "remove_node", "node_uid": "", "status": "running"},
            {"name": "remove_node", "node_uid": "one", "status": "running"},
            {"name": "remove_node", "node_uid": "\u0661", "status": "running"},
            {"name": "remove_node", "node_uid": "9" * 5000, "status": "running"},
            {"name": "remove_node", "node_uid": -1, "status": "running"},
            {"name": "remove_node", "node_uid": "1"},
            {"name": "remove_node", "node_uid": "1", "status": 42},
            "running",
            None,
        ],
        ids=lambda entry: str(entry)[:60],
    )
    def test_bad_entry(self, entry: object) -> None:
        """An entry that cannot be distinguished from others is left out; the others stay."""
        good = {"name": "maintenance_on", "node_uid": "1", "status": "running"}

        assert hosts([entry, good, entry]) == [host(ON)]

    @pytest.mark.parametrize(
        "body", [b"", b"[", b"5", b"{}", b'{"actions": 5}', b'{"action": []}', b"<html>"]
    )
    def test_unreadable(self, body: bytes) -> None:
        """A body without a list is unreadable, not empty."""
        for read in (
            lambda: read_node_actions(body, ReferenceKind.NODE, PATH),
            lambda: read_crdb_tasks(body, PATH),
        ):
            with pytest.raises(UnreadableReply, match=PATH):
                read()


@settings(max_examples=examples(100))
@given(body=BODIES)
def test_hostile(body: bytes) -> None:
    """Any bytes are actions that can be printed, compared and encoded, or raise our error."""
    actions: list[Action] = []
    for read in (
        lambda: [read_node_action(body, ON, PATH)],
        lambda: read_node_actions(body, ReferenceKind.NODE, PATH),
        lambda: read_node_actions(body, ReferenceKind.CLUSTER, PATH),
    ):
        try:
            actions += read()
        except UnreadableReply as error:
            assert str(error).isprintable()

    for action in actions:
        assert str(action).isprintable()
        assert pickle.loads(pickle.dumps(action)) == action
        assert msgspec.json.decode(msgspec.json.encode(action))["uid"] == action.uid
        assert action.progress is None or 0 <= action.progress <= 100
