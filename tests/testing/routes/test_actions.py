"""Tests of `testing.routes.actions`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from tests.http_client import HttpClient


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


def running(cluster: FakeCluster) -> list[int]:
    """Return the running nodes."""
    return cluster._nodes.running


class TestBodies:
    """JSON bodies of actions."""

    async def test_task(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A task of v1 has numbers as strings, and its uid twice."""
        uid = cluster.add_action("retry_bdb", Plan(duration=10, progress="linear"), node_uid=1)
        await asyncio.sleep(5)
        body = await call.ok("GET", f"/v1/actions/{uid}")

        assert body.pop("creation_time").isdecimal()
        assert float(body.pop("progress")) == pytest.approx(50, abs=1)
        assert body == {
            "action_uid": uid,
            "task_id": uid,
            "name": "retry_bdb",
            "status": "running",
            "node_uid": "1",
        }

    async def test_machine(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A state machine of v1 has numbers, a step and an object."""
        uid = cluster.add_action("SMCreateBDB", Plan(duration=7), bdb_uid=3)
        await asyncio.sleep(1.5)
        body = await call.ok("GET", f"/v1/actions/{uid}")

        assert isinstance(body.pop("heartbeat"), int)
        assert body == {
            "action_uid": uid,
            "name": "SMCreateBDB",
            "object_name": "bdb:3",
            "status": "active",
            "state": "provision",
            "progress": 14.29,
            "pending_ops": {},
        }

    async def test_completed_machine(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A completed state machine has neither progress nor state."""
        uid = cluster.add_action("SMCreateBDB", Plan(duration=0))
        body = await call.ok("GET", f"/v1/actions/{uid}")

        assert body["status"] == "completed"
        assert not {"progress", "state"} & set(body)

    async def test_completed_task(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A completed task has the progress "100"."""
        uid = cluster.add_action("retry_bdb", Plan(duration=0))

        assert (await call.ok("GET", f"/v1/actions/{uid}"))["progress"] == "100"

    async def test_v2(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An action of v2 has its object in `additional_info`, if it has one."""
        export = cluster.add_action("export", Plan(duration=10, progress="linear"), bdb_uid=3)
        task = cluster.add_action("retry_bdb", Plan(queued=5))
        await asyncio.sleep(1)
        body = await call.ok("GET", f"/v2/actions/{export}")

        assert isinstance(body.pop("creation_time"), int)
        assert body.pop("progress") == pytest.approx(10, abs=1)
        assert body == {
            "action_uid": export,
            "action_type": "other",
            "name": "export",
            "status": "running",
            "additional_info": {"object_type": "bdb", "object_uid": "3"},
        }
        assert "additional_info" not in await call.ok("GET", f"/v2/actions/{task}")

    @pytest.mark.parametrize(
        ("name", "queued", "running"),
        [("retry_bdb", "queued", "running"), ("SMUpdateBDB", "pending", "active")],
    )
    async def test_words(
        self, cluster: FakeCluster, call: HttpClient, name: str, queued: str, running: str
    ) -> None:
        """Each family of v1 has statuses of its own; v2 has one set for all."""
        uid = cluster.add_action(name, Plan(queued=5, duration=5))
        seen = []
        for _ in range(3):
            seen.append((await call.ok("GET", f"/v1/actions/{uid}"))["status"])
            seen.append((await call.ok("GET", f"/v2/actions/{uid}"))["status"])
            await asyncio.sleep(5)

        assert seen == [queued, "queued", running, "running", "completed", "completed"]

    @pytest.mark.parametrize(
        ("name", "v1", "v2"),
        [
            (
                "retry_bdb",
                {"error_code": "internal_error", "error_message": "no room"},
                {"error": "no room"},
            ),
            (
                "SMUpdateBDB",
                {"error": "no room"},
                {"error": "no room", "object_type": "bdb", "object_uid": "1"},
            ),
        ],
    )
    async def test_failed(
        self,
        cluster: FakeCluster,
        call: HttpClient,
        name: str,
        v1: dict[str, str],
        v2: dict[str, str],
    ) -> None:
        """The field with the reason of a failure depends on the family."""
        uid = cluster.add_action(name, Plan(duration=0, outcome="failed", error="no room"))
        body = await call.ok("GET", f"/v1/actions/{uid}")

        assert {key: body[key] for key in body if key.startswith("error")} == v1
        assert (await call.ok("GET", f"/v2/actions/{uid}"))["additional_info"] == v2

    async def test_pending_ops(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A running state machine has pending operations on its shards."""
        uid = cluster.add_action("SMCreateBDB", Plan(duration=7), shards=(3, 4))
        await asyncio.sleep(1.5)
        ops = (await call.ok("GET", f"/v1/actions/{uid}"))["pending_ops"]

        assert list(ops) == ["3", "4"]
        assert ops["3"]["op_name"] == "provision"
        assert ops["3"]["progress"] == 14.29
        assert (await call.ok("GET", f"/v2/actions/{uid}"))["additional_info"][
            "pending_ops"
        ].keys() == {
            "3",
            "4",
        }
        await asyncio.sleep(7)
        assert (await call.ok("GET", f"/v1/actions/{uid}"))["pending_ops"] == {}

    async def test_lists(self, cluster: FakeCluster, call: HttpClient) -> None:
        """v1 has an object of two arrays, a database an array, v2 an array of everything."""
        task, machine = cluster.add_action("retry_bdb"), cluster.add_action(bdb_uid=2)
        export = cluster.add_action("export", bdb_uid=2)
        v1 = await call.ok("GET", "/v1/actions")

        assert [entry["action_uid"] for entry in v1["actions"]] == [task]
        assert [entry["action_uid"] for entry in v1["state-machines"]] == [machine]
        assert [e["action_uid"] for e in await call.ok("GET", "/v1/actions/bdb/2")] == [machine]
        assert [e["action_uid"] for e in await call.ok("GET", "/v2/actions")] == [
            task,
            machine,
            export,
        ]


class TestWhenAskedFor:
    """Actions that begin when a request first asks for them."""

    @pytest.mark.parametrize(
        "path",
        ["/v1/actions/{}", "/v2/actions/{}", "/v1/actions", "/v2/actions", "/v1/actions/bdb/2",
         "/v1/bdbs/2", "/v1/bdbs"],
    )  # fmt: skip
    async def test_begins(self, cluster: FakeCluster, call: HttpClient, path: str) -> None:
        """The first request for the action, for its database or for a list starts its clock."""
        uid = cluster.add_action("SMDeleteBDB", Plan(duration=60), bdb_uid=2, when_asked_for=True)
        await asyncio.sleep(100)

        assert cluster.actions[uid].ends_at == math.inf
        assert (await call("GET", path.format(uid)))[0] == 200
        asked_at = asyncio.get_running_loop().time()
        assert cluster.actions[uid].ends_at == pytest.approx(asked_at + 60, abs=0.1)
        await asyncio.sleep(59)
        assert 2 in cluster.bdbs
        await asyncio.sleep(2)
        assert 2 not in cluster.bdbs

    async def test_others_wait(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A request for one action does not start another one, nor one for another database."""
        first, second, export = (
            cluster.add_action(name, bdb_uid=uid, when_asked_for=True)
            for name, uid in (("SMUpdateBDB", 1), ("retry_bdb", 2), ("export", 1))
        )
        cluster.start_transfer(1, "export")
        cluster.add_bdb(3)
        assert (await call("GET", f"/v1/actions/{first}"))[0] == 200
        assert (await call("GET", "/v1/bdbs/3"))[0] == 200

        begun = {uid for uid, action in cluster.actions.items() if action.began_at < math.inf}
        assert begun >= {first}
        assert not begun & {second, export}
        cluster.forget(second)
        assert (await call("GET", "/v1/bdbs"))[0] == 200
        assert cluster.actions[export].began_at < math.inf
