"""Facts about `_submit`: what a call starts, and that it is never made twice."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import (
    ActionsClient,
    AnswerLost,
    Phase,
)
from redis_enterprise_actions.testing import FakeCluster
from tests.recorder import Recorder


if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "hunter2-hunter2"
ON = "/v1/nodes/1/actions/maintenance_on"
OFF = "/v1/nodes/1/actions/maintenance_off"
MASTER = "/v1/cluster/actions/change_master"
EXPORT = "/v1/bdbs/1/actions/export"
IMPORT = "/v1/bdbs/1/actions/import"
EXPORTED = {"export_location": {"type": "url"}}
IMPORTED = {"dataset_import_sources": [{"type": "url"}]}
STARTED = '{"status": "queued", "task_id": "t1"}'


BODIES = st.binary() | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["action_uid", "id", "x"]), inner)
    ),
    max_leaves=5,
).map(json.dumps).map(str.encode)


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


def changes(cluster: FakeCluster) -> list[str]:
    """Return the calls that came in and may have changed something."""
    return [f"{seen.method} {seen.path}" for seen in cluster.requests if seen.method != "GET"]


class TestHandles:
    """What is read off an answer."""

    @pytest.mark.parametrize(
        ("method", "path", "answer", "ref"),
        [
            ("POST", "/v1/bdbs/1/upgrade", {"action_uid": "a1"}, "action:a1"),
            ("PUT", "/v1/bdbs/1", {"uid": 1, "name": "x", "action_uid": "a1"}, "action:a1"),
            ("POST", "/v2/bdbs", {"bdb": {"uid": 1, "action_uid": "a1"}}, "action:a1"),
            ("POST", "/v1/bdbs", {"a": 1, "b": {"action_uid": ""}, "c": []}, None),
            ("PUT", "/v1/bdbs/1", {"uid": 1, "name": "x"}, None),
            ("PUT", "/v1/bdbs/1", {"uid": 1, "action_uid": None}, None),
            ("PUT", "/v1/bdbs/1", {"uid": 1, "action_uid": 7}, None),
            ("PUT", "/v1/bdbs/1", {"action_uid": {"action_uid": "a1"}}, "action:a1"),
            ("PUT", "/v1/bdbs/1/flush", None, None),
            ("DELETE", "/v1/bdbs/1", {"action_uid": "a1"}, "action:a1@bdb:1"),
            ("DELETE", "/v1/bdbs/1", None, "bdb:1@gone"),
            ("DELETE", "/v2/bdbs/1", {"uid": 1}, "bdb:1@gone"),
            ("DELETE", "/v1/users/1", None, None),
            ("POST", "/v1/bdbs/1/modules/upgrade", {"uid": 1}, "bdb:1"),
            ("POST", "/v1/bdbs/1/modules/upgrade", {"action_uid": "a1"}, "action:a1"),
            ("POST", "/v1/bdbs/1/modules/config", None, None),
            ("POST", "/v2/modules", {"module_name": "m", "action_uid": "a1"}, "action:a1"),
            ("POST", "/v1/retry", {"task_id": "a1"}, "action:a1"),
            ("POST", "/v1/shards/actions/migrate", [{"action_uid": "a1"}], None),
            ("POST", ON, {"status": "queued", "task_id": "t1"}, "node:1/maintenance_on@t1"),
            ("POST", ON, None, "node:1/maintenance_on"),
            ("POST", ON, {"action_uid": "a1", "task_id": "t1"}, "action:a1"),
            ("POST", "/v1/nodes/12/actions/remove", None, "node:12/remove"),
            ("DELETE", ON, None, None),
            ("POST", MASTER, {}, "cluster:change_master"),
            ("POST", MASTER, {"task_id": "t1"}, "cluster:change_master@t1"),
            ("DELETE", MASTER, None, None),
            ("POST", "/v1/crdbs", {"id": "c1", "status": "queued"}, "crdb:c1"),
            ("PATCH", "/v1/crdbs/g", {"id": "c1"}, "crdb:c1"),
            ("POST", "/v1/crdbs/g/updates", {"id": "c1"}, "crdb:c1"),
            ("PUT", "/v1/crdbs/g/purge", {"id": "c1"}, "crdb:c1"),
            ("PUT", "/v1/crdbs/g/purge", None, None),
            ("PUT", "/v1/crdbs_like", {"id": "c1"}, None),
        ],
        ids=lambda value: json.dumps(value) if isinstance(value, dict) else str(value),
    )
    async def test_shapes(self, method: str, path: str, answer: object, ref: str | None) -> None:
        """What is to be followed is in the answer or in the path, or there is nothing."""
        said = "" if answer is None else json.dumps(answer)
        async with Recorder(**{method: [(200, said)]}) as server, server.client() as client:
            operation = await client.submit(method, path)

            assert (operation.ref, operation.done) == (ref, ref is None)
            assert operation.answer == answer
            assert [call.line for call in server.changes] == [f"{method} {path}"]

    async def test_crdb_without_id(self) -> None:
        """A task whose answer names none goes by the id that it was given."""
        async with Recorder() as server, server.client() as client:
            operation = await client.submit("POST", "/v1/crdbs/g/flush")

        assert operation.ref == f"crdb:{server.changes[0].headers['X-Task-ID']}"

    @pytest.mark.parametrize("header", ["X-Task-ID", "x-task-id"])
    async def test_crdb_with_id(self, header: str) -> None:
        """Or by the id that the caller has given it."""
        async with Recorder() as server, server.client() as client:
            operation = await client.submit("PATCH", "/v1/crdbs/g", headers={header: "mine"})

        assert operation.ref == "crdb:mine"
        assert server.changes[0].headers.getall("X-Task-ID") == ["mine"]

    @pytest.mark.parametrize("headers", [{}, {"X-Task-ID": "mine"}])
    async def test_purge(self, headers: dict[str, str]) -> None:
        """A purge takes no id, so none is made up, and one that is given is not relied on."""
        async with Recorder() as server, server.client() as client:
            operation = await client.submit("PUT", "/v1/crdbs/g/purge", headers=headers)

        assert operation.done
        assert server.changes[0].headers.get("X-Task-ID") == headers.get("X-Task-ID")

    @pytest.mark.parametrize(
        ("path", "body", "params"),
        [
            ("/v1/bdbs/1", {"memory_size": 5}, {"dry_run": True}),
            ("/v1/bdbs/1", {"memory_size": 5}, {"dry_run": "1"}),
            ("/v1/bdbs/1", {"memory_size": 5}, {"dry_run": "YES"}),
            ("/v1/bdbs/1", {"memory_size": 5}, {"dry_run": ""}),
            ("/v1/bdbs/1", {"memory_size": 5, "dry_run": True}, None),
            ("/v1/bdbs/1/actions/rebalance", {}, {"dry_run": True}),
            (EXPORT, EXPORTED, {"dry_run": True}),
            (IMPORT, IMPORTED | {"dry_run": True}, {}),
        ],
    )
    async def test_dry_run(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        path: str,
        body: object,
        params: dict[str, object] | None,
    ) -> None:
        """A dry run starts nothing, is over with its answer, and costs no other request."""
        cluster.add_bdb(1)
        method = "POST" if path in {EXPORT, IMPORT} else "PUT"
        operation = await client.submit(method, path, body, params)
        action = await operation

        assert (operation.done, operation.ref) == (True, None)
        assert (action.phase, action.name) == (Phase.COMPLETED, f"{method} {path}")
        assert len(cluster.requests) == 1
        assert cluster.actions == {}

    @pytest.mark.parametrize("method", ["DELETE", "POST"])
    async def test_dry_run_of_silent_calls(self, method: str) -> None:
        """A dry run whose answer says nothing has started nothing, whatever its path says."""
        path = "/v1/bdbs/1" if method == "DELETE" else ON
        async with Recorder() as server, server.client() as client:
            operation = await client.submit(method, path, params={"dry_run": True})

        assert operation.done
        assert len(server.calls) == 1

    @pytest.mark.parametrize("dry_run", [False, "false", 0, "no", None])
    async def test_no_dry_run(self, dry_run: object) -> None:
        """One that is switched off is none."""
        async with Recorder() as server, server.client() as client:
            operation = await client.submit("DELETE", "/v1/bdbs/1", params={"dry_run": dry_run})

        assert operation.ref == "bdb:1@gone"

    async def test_nothing_to_do(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A change that changes nothing is complete, and its answer is there."""
        cluster.add_bdb(1)
        operation = await client.update_bdb(1, {"name": "db1"})

        assert operation.done
        assert isinstance(operation.answer, dict)
        assert operation.answer["uid"] == 1

    async def test_method(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A method may be written small."""
        cluster.add_bdb(1)
        await client.submit("put", "/v1/bdbs/1", {"memory_size": 5})

        assert changes(cluster) == ["PUT /v1/bdbs/1"]

    @settings(max_examples=80)
    @given(BODIES)
    @example(b"[" * 5000)
    @example(b'{"action_uid": ".."}')
    @example(b'{"action_uid": "\\ud800"}')
    @example(b'{"action_uid": "a", "action_uid": 5}')
    def test_hostile(self, body: bytes) -> None:
        """Whatever is answered can be followed, or is nothing, or the answer counts as lost."""
        asyncio.run(submit_to(body))


async def submit_to(body: bytes) -> None:
    """Make a call that is answered with some bytes."""
    async with Recorder(PUT=[(200, body)]) as server, server.client() as client:
        try:
            operation = await client.submit("PUT", "/v1/bdbs/1")
        except AnswerLost as error:
            assert (error.ref, error.reason) == ("bdb:1", "its answer cannot be read")
        else:
            assert operation.ref is None or client.operation(operation.ref).ref == operation.ref
        assert len(server.calls) == 1


class Scene(NamedTuple):
    """A kind of work: the call that starts it, and what is known of it."""

    start: Callable[[ActionsClient], Any]
    path: str
    ref: str  # how its reference begins
    fresh: str  # what an `AnswerLost` refers to, where it never ran before


SCENES = {
    "maintenance": Scene(lambda c: c.maintenance_on(1), ON, "node:1/maintenance_on", ""),
    "primary": Scene(lambda c: c.change_primary(1), MASTER, "cluster:change_master", ""),
    "create_crdb": Scene(lambda c: c.create_crdb({"name": "x"}), "/v1/crdbs", "crdb:", ""),
    "flush_crdb": Scene(lambda c: c.flush_crdb("g"), "/v1/crdbs/g", "crdb:", ""),
    "export": Scene(lambda c: c.export_bdb(1, {"type": "url"}), EXPORT, "export:1@", ""),
    "import": Scene(lambda c: c.import_bdb(1, [{"type": "url"}]), IMPORT, "import:1@", ""),
}
UNSEEN = {
    "create": Scene(lambda c: c.create_bdb({"name": "x"}), "/v1/bdbs", "", ""),
    "update": Scene(lambda c: c.update_bdb(1, {"memory_size": 5}), "/v1/bdbs/1", "bdb:1", ""),
    "delete": Scene(lambda c: c.delete_bdb(1), "/v1/bdbs/1", "bdb:1@gone", ""),
    "upgrade": Scene(lambda c: c.upgrade_bdb(1), "/v1/bdbs/1/upgrade", "bdb:1", ""),
    "migrate": Scene(lambda c: c.migrate_shards([1], 1), "/v1/shards", "", ""),
}
