"""Tests of `_client.wire.crdb_tasks`."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import Action, Kind, Phase, UnreadableReply
from redis_enterprise_actions._client.wire.crdb_tasks import read_crdb_task, read_crdb_tasks
from tests.conftest import examples


TASK = {  # as in objects/crdb_task
    "id": "t1",
    "crdb_guid": "g1",
    "status": "started",
    "operation": "create_crdb",
    "started": "2025-06-02T10:00:00Z",
    "worker_name": "crdb_worker:1:0",
    "progress": {
        "clusters": [
            {"name": "cluster1.local", "progress": "prepare"},
            {"name": "cluster2.local", "progress": "execute"},
        ],
        "worker": "waiting",
    },
}


def task(**wire: object) -> Action:
    """Decode the answer about one CRDB task."""
    body = json.dumps({"id": "t1", "status": "started"} | wire).encode()
    return read_crdb_task(body, "t1", "/v1/crdb_tasks/t1")


def tasks(body: object) -> list[Action]:
    """Decode a list of them."""
    return read_crdb_tasks(json.dumps(body).encode(), "/v1/crdb_tasks")


class TestCrdbTask:
    """One task of an Active-Active database."""

    def test_documented(self) -> None:
        """A body as documented: progress is the name of the step that each cluster is at."""
        assert task(**TASK) == Action(
            uid="t1",
            name="create_crdb",
            kind=Kind.CRDB_TASK,
            status="started",
            phase=Phase.RUNNING,
            state="cluster1.local: prepare, cluster2.local: execute",
            object_type="crdb",
            object_uid="g1",
            creation_time=datetime(2025, 6, 2, 10, 0, 0, tzinfo=UTC),
        )

    def test_recorded(self) -> None:
        """A queued task has no guid yet, and one of an old cluster no operation."""
        assert task(status="queued") == Action(
            uid="t1",
            name="crdb_task",
            kind=Kind.CRDB_TASK,
            status="queued",
            phase=Phase.PENDING,
        )

    @pytest.mark.parametrize(
        ("status", "phase"),
        [
            ("queued", Phase.PENDING),
            ("started", Phase.RUNNING),
            ("finished", Phase.COMPLETED),
            ("failed", Phase.FAILED),
            ("cancelled", Phase.UNKNOWN),  # a word of other families
            ("completed", Phase.UNKNOWN),
            ("paused", Phase.UNKNOWN),
        ],
    )
    def test_status(self, status: str, phase: Phase) -> None:
        """CRDB tasks have status words of their own: `finished` is completed."""
        assert task(status=status).phase is phase

    @pytest.mark.parametrize(
        ("progress", "state"),
        [
            ({"clusters": [{"name": "c1", "progress": "run"}], "worker": "w"}, "c1: run"),
            ({"clusters": [{"name": "c1"}, {"progress": "run"}], "worker": "w"}, "w"),
            ({"clusters": [5, {"name": "c2", "progress": "run"}]}, "c2: run"),
            ({"clusters": [], "worker": "commit"}, "commit"),
            ({"worker": ""}, None),
            ({}, None),
            (50, None),
            (None, None),
        ],
    )
    def test_steps(self, progress: object, state: str | None) -> None:
        """The steps of clusters take precedence over the worker's, and neither is a percentage."""
        action = task(progress=progress)

        assert (action.state, action.progress) == (state, None)

    @pytest.mark.parametrize(
        ("errors", "code", "error"),
        [
            (
                [
                    {"cluster_name": "c1", "description": "no room", "error_code": "full"},
                    {"cluster_name": "", "description": "gave up", "error_code": "other"},
                ],
                "full",
                "c1: no room; other: gave up",
            ),
            ([{"cluster_name": "c1"}, {"description": "x", "error_code": 7}], "7", "c1; x"),
            ([{}, None, "no"], None, "no"),
            ([{"cluster_name": "c1", "error_code": "full"}], "full", "c1"),
            (["x" * 1000] * 100, None, f'["{"x" * 1000}", "{"x" * 993}…'),
            ([], None, None),
            (None, None, None),
            ("no room", None, "no room"),
            ({"cluster_name": "c1", "msg": "no room"}, None, "c1: no room"),
        ],
    )
    def test_errors(self, errors: object, code: str | None, error: str | None) -> None:
        """The error has the words of each cluster; a name, or the words, may be missing."""
        action = task(status="failed", errors=errors)

        assert (action.error_code, action.error) == (code, error)

    @pytest.mark.parametrize(
        ("started", "when"),
        [
            ("2025-06-02T10:00:00+02:00", datetime(2025, 6, 2, 8, tzinfo=UTC)),
            ("2025-06-02T10:00:00", datetime(2025, 6, 2, 10, tzinfo=UTC)),
            ("yesterday", None),
            ("0001-01-01T00:00:00+14:00", None),
            ("", None),
            (1748858400, None),
        ],
    )
    def test_times(self, started: object, when: datetime | None) -> None:
        """Times are in ISO 8601, and in UTC without an offset; other values count as missing."""
        assert task(started=started).creation_time == when

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"id": "t1"}', b'{"status": null}'])
    def test_unreadable(self, body: bytes) -> None:
        """An object without a status is unreadable."""
        with pytest.raises(UnreadableReply, match="/v1/crdb_tasks/t1"):
            read_crdb_task(body, "t1", "/v1/crdb_tasks/t1")

    def test_another(self) -> None:
        """An answer about another task is unreadable; the case of an id does not matter."""
        assert task(id="T1").uid == "t1"
        with pytest.raises(UnreadableReply, match="another task"):
            task(id="t2")


@pytest.mark.parametrize("key", [None, "crdb_tasks", "tasks"])
def test_crdb_tasks(key: str | None) -> None:
    """The list is an array, or in an object; entries without an id or a status are skipped."""
    entries = [5, {"status": "queued"}, {"id": "t2"}, {"id": "t1", "status": "started"}]
    (only,) = tasks(entries if key is None else {key: entries})

    assert only == task()


# --- hostile bodies -----------------------------------------------------------------------------

KEYS = [
    *("status", "task_id", "node_uid", "name", "progress", "creation_time", "error_code"),
    *("error_message", "actions", "crdb_tasks", "id", "crdb_guid", "errors", "started", "clusters"),
    *("worker", "cluster_name", "description", "operation"),
]
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["running", "failed", "1", "remove_node", "9" * 5000, "1e999", "NaN", "t1", "0001-01-01+14:00"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=24,
)
LIKELY = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, VALUES)).map(
    lambda fields: {"status": "running"} | fields
)
BODIES = st.binary(max_size=200) | (
    VALUES | LIKELY | st.lists(LIKELY, max_size=4) | LIKELY.map(lambda one: {"actions": [one]})
).map(lambda value: json.dumps(value).encode())


@settings(max_examples=examples(100))
@given(body=BODIES)
def test_hostile(body: bytes) -> None:
    """Any bytes are actions that can be printed, compared and encoded, or raise our error."""
    actions: list[Action] = []
    for read in (
        lambda: [read_crdb_task(body, "t1", "/v1/crdb_tasks/t1")],
        lambda: read_crdb_tasks(body, "/v1/crdb_tasks"),
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
