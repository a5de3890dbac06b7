"""Tests of `testing.routes.database_actions`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.http_client import HttpClient, http_client
from tests.testing.versions import ALL, since


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import Version


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


# Ways to ask for a dry run, as the pages have them, and what has no effect in a body.
DRY = ["?dry_run", "?dry_run=true", "?dry_run=1"]


# A shard, and where it is to go.
MOVE: dict[str, object] = {"shard_uids": ["3"], "target_node_uid": 1}


BODY: dict[str, object] = {"dry_run": True, "only_failovers": True, "max_operations": 0}


ON_DATABASES = [
    ("PUT", "rebalance", "SMUpdateBDB", (3, 4), since("7.8")),
    ("PUT", "revamp", "SMUpdateBDB", (3, 4), since("7.22")),
    ("POST", "recover", "SMRecoverBDB", (), ALL),
    ("POST", "stop_traffic", "SMUpdateBDB", (), since("7.8")),
    ("POST", "resume_traffic", "SMUpdateBDB", (), since("7.8")),
]


ON_SHARDS = [
    ("/v1/shards/actions/migrate", "SMStandaloneRedisMigrate", "Migrate was triggered"),
    ("/v1/shards/3/actions/migrate", "SMStandaloneRedisMigrate", "Migrate was triggered"),
    ("/v1/shards/actions/failover", "SMRedisFailover", "Failover was triggered"),
    ("/v1/shards/3/actions/failover", "SMRedisFailover", "Failover was triggered"),
]


class TestActing:
    """Routes that answer with an `action_uid` alone."""

    @pytest.mark.parametrize(("method", "path", "name", "shards", "versions"), ON_DATABASES)
    @pytest.mark.parametrize("version", ALL)
    async def test_on_databases(
        self,
        method: str,
        path: str,
        name: str,
        shards: tuple[int, ...],
        versions: tuple[Version, ...],
        version: Version,
    ) -> None:
        """The answer has the uid of the action and no more, in versions with the route."""
        async with FakeCluster(version=version) as cluster, http_client(cluster) as call:
            cluster.add_bdb(2, recovery=path == "recover")
            status, answer = await call(method, f"/v1/bdbs/2/actions/{path}")
            if version not in versions:
                assert status == 404
                return

            [action] = cluster.actions.values()
            assert (status, answer) == (200, {"action_uid": action.uid})
            assert (action.name, action.bdb_uid, action.shards) == (name, 2, shards)
            assert (await call.bdb(2))["action_uid"] == action.uid

    async def test_rebalance_shows(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A rebalance looks like an update with pending operations."""
        cluster.add_bdb()
        uid = (await call.ok("PUT", "/v1/bdbs/1/actions/rebalance", {}))["action_uid"]
        machine = await call.ok("GET", f"/v1/actions/{uid}")

        assert (machine["name"], list(machine["pending_ops"])) == ("SMUpdateBDB", ["1", "2"])

    @pytest.mark.parametrize("query", DRY)
    @pytest.mark.parametrize(("method", "path"), [each[:2] for each in ON_DATABASES])
    async def test_dry(
        self, cluster: FakeCluster, call: HttpClient, method: str, path: str, query: str
    ) -> None:
        """A dry run answers a blueprint, starts nothing, and leaves the plans alone."""
        cluster.add_bdb(recovery=path == "recover")
        cluster.plan(method, "/", Plan(duration=99))
        blueprint = await call.ok(method, f"/v1/bdbs/1/actions/{path}{query}")

        assert blueprint[0].keys() == {"nodes", "slot_range"}
        assert cluster.actions == {}
        await call.ok(method, f"/v1/bdbs/1/actions/{path}")
        assert [action.duration for action in cluster.actions.values()] == [99]

    @pytest.mark.parametrize(("method", "path"), [each[:2] for each in ON_DATABASES])
    async def test_not_dry_by_its_body(
        self, cluster: FakeCluster, call: HttpClient, method: str, path: str
    ) -> None:
        """Settings in a body are not read: the action is started, as without them."""
        cluster.add_bdb(2, recovery=path == "recover")
        answer = await call.ok(method, f"/v1/bdbs/2/actions/{path}", BODY)

        [action] = cluster.actions.values()
        assert answer == {"action_uid": action.uid}
        assert action.shards == next(each[3] for each in ON_DATABASES if each[1] == path)

    @pytest.mark.parametrize(
        ("query", "shards"),
        [
            ("?only_failovers=true", (3,)),
            ("?only_failovers&max_operations=5", (3,)),
            ("?only_failovers=1&max_operations=0", ()),
            ("?only_failovers=false&max_operations=0", (3, 4)),
            ("?max_operations=1", (3, 4)),
        ],
    )
    async def test_only_failovers(
        self, cluster: FakeCluster, call: HttpClient, query: str, shards: tuple[int, ...]
    ) -> None:
        """Failovers are of primaries only, and the query can limit their number."""
        cluster.add_bdb(2)
        await call.ok("PUT", f"/v1/bdbs/2/actions/rebalance{query}")

        [action] = cluster.actions.values()
        assert action.shards == shards

    @pytest.mark.parametrize("number", ["", "x", "-1", "1.5", "²"])
    async def test_no_number(self, cluster: FakeCluster, call: HttpClient, number: str) -> None:
        """A limit that is no number is refused."""
        cluster.add_bdb()
        path = f"/v1/bdbs/1/actions/rebalance?max_operations={number}"

        assert await call.refused("PUT", path) == (400, "invalid_request")
        assert cluster.actions == {}

    @pytest.mark.parametrize(("path", "name", "description"), ON_SHARDS)
    async def test_on_shards(
        self, cluster: FakeCluster, call: HttpClient, path: str, name: str, description: str
    ) -> None:
        """A move of a shard is an action on its database, with a description."""
        cluster.add_bdb(2)
        answer = await call.ok("POST", path, MOVE)

        [action] = cluster.actions.values()
        assert answer == {"action_uid": action.uid, "description": description}
        assert (action.name, action.bdb_uid, action.shards) == (name, 2, (3,))

    @pytest.mark.parametrize(("path", "_name", "_description"), ON_SHARDS)
    async def test_dry_on_shards(
        self, cluster: FakeCluster, call: HttpClient, path: str, _name: str, _description: str
    ) -> None:
        """The answer to a dry run on shards is empty."""
        cluster.add_bdb(2)

        assert await call.ok("POST", path, MOVE | {"dry_run": True}) == ""
        assert cluster.actions == {}

    @pytest.mark.parametrize(("path", "_name", "_description"), ON_SHARDS)
    @pytest.mark.parametrize("query", DRY)
    async def test_not_dry_by_the_query(
        self,
        cluster: FakeCluster,
        call: HttpClient,
        path: str,
        _name: str,
        _description: str,
        query: str,
    ) -> None:
        """A move of shards reads `dry_run` from its body alone."""
        cluster.add_bdb(2)
        answer = await call.ok("POST", f"{path}{query}", MOVE | {"dry_run": False})

        assert list(cluster.actions) == [answer["action_uid"]]

    @pytest.mark.parametrize(("path", "_name", "_description"), ON_SHARDS)
    async def test_versions(self, path: str, _name: str, _description: str) -> None:
        """There is no failover before 7.8."""
        async with FakeCluster(version="7.4") as cluster, http_client(cluster) as call:
            cluster.add_bdb(2)
            status, _ = await call("POST", path, MOVE)

            assert status == (404 if "failover" in path else 200)

    async def test_several_databases(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A migration of shards of two databases is one action, which both show."""
        for uid in (1, 2):
            cluster.add_bdb(uid)
        body = {"shard_uids": ["1", "2", "3"], "target_node_uid": 1}
        uid = (await call.ok("POST", "/v1/shards/actions/migrate", body))["action_uid"]

        assert cluster.actions[uid].shards == (1, 2, 3)
        assert [each["action_uid"] for each in await call.ok("GET", "/v1/bdbs")] == [uid, uid]

    async def test_no_replica(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Without replication there is no replica to move."""
        cluster.add_bdb()
        cluster.plan("PUT", "/v1/bdbs/1", Plan(duration=0))
        await call.ok("PUT", "/v1/bdbs/1", {"replication": False})
        refused = await call.refused("POST", "/v1/shards/2/actions/migrate", MOVE)
        uid = (await call.ok("PUT", "/v1/bdbs/1/actions/rebalance"))["action_uid"]

        assert (await call.bdb())["shard_list"] == [1]
        assert refused == (404, "shard_not_exist")
        assert cluster.actions[uid].shards == (1,)

    async def test_revamp(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A revamp changes the configuration."""
        cluster.add_bdb()
        await call.ok("PUT", "/v1/bdbs/1/actions/revamp", {"memory_size": 7})
        await asyncio.sleep(10)

        assert (await call.bdb())["memory_size"] == 7

    async def test_recover(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A database that is to be recovered has a plan for it, and is active afterwards."""
        cluster.add_bdb(recovery=True)
        plan = await call.ok("GET", "/v1/bdbs/1/actions/recover")
        before = (await call.bdb())["status"]
        await call.ok("POST", "/v1/bdbs/1/actions/recover", plan)
        await asyncio.sleep(10)

        file = {"filename": "appendonly-1.aof", "node_uid": "1", "shard_slots": "0-16383"}
        assert plan == {"data_files": [file], "status": "ready"}
        assert (before, (await call.bdb())["status"]) == ("recovery", "active")
        assert (await call.ok("GET", "/v1/bdbs/1/actions/recover"))["data_files"] == []

    async def test_not_recovered(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A recovery that fails can be tried again."""
        cluster.add_bdb(recovery=True)
        cluster.plan("POST", "/v1/bdbs/1", Plan(duration=0, outcome="failed"))
        await call.ok("POST", "/v1/bdbs/1/actions/recover")
        cluster.lateness = 5

        assert (await call.bdb())["status"] == "recovery"
        assert (await call("POST", "/v1/bdbs/1/actions/recover"))[0] == 200

    async def test_not_as_tasks(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A call whose plan no state machine can follow is answered 500, and starts nothing."""
        cluster.add_bdb()
        cluster.plan("DELETE", "/v1/bdbs", Plan(outcome="aborted"))

        status, error = await call("DELETE", "/v1/bdbs/1")

        assert (status, error["error_code"]) == (500, "wrong_plan")
        assert error["description"].startswith("plan.outcome: a state-machine cannot be aborted")
        assert cluster.actions == {}
        assert (await call("DELETE", "/v1/bdbs/1"))[0] == 200
