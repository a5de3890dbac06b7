"""Tests of `testing.routes.databases`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from redis_enterprise_actions.testing.state.databases import DATABASE_SECRET
from tests.http_client import HttpClient, http_client


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import Outcome, Version


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


# Ways to ask for a dry run, as the pages have them, and what has no effect in a body.
DRY = ["?dry_run", "?dry_run=true", "?dry_run=1"]


# The smallest configuration of a new database.
NEW: dict[str, object] = {"name": "cache", "memory_size": 2**30}


BODY: dict[str, object] = {"dry_run": True, "only_failovers": True, "max_operations": 0}


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


def op(name: str) -> list[dict[str, object]]:
    """Return the `background_op` of a database while an action is under way."""
    return [{"name": name, "progress": 0, "status": "pending"}]


class TestReading:
    """Database objects."""

    async def test_idle(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An idle database has no `action_uid`, and of transfers nothing but statuses."""
        uid = cluster.add_bdb(name="cache")
        created = (await call.ok("GET", "/v1/cluster"))["created_time"]

        assert await call.bdb(uid) == {
            "uid": 1,
            "name": "cache",
            "type": "redis",
            "version": "7.2.4",
            "redis_version": "7.2",
            "memory_size": 1073741824,
            "shards_count": 1,
            "shard_list": [1, 2],
            "sharding": False,
            "shards_placement": "dense",
            "replication": True,
            "data_persistence": "disabled",
            "aof_policy": "appendfsync-every-sec",
            "eviction_policy": "volatile-lru",
            "port": 0,
            "proxy_policy": "single",
            "endpoints": [
                {
                    "uid": "1:1",
                    "addr": ["10.0.0.1"],
                    "addr_type": "external",
                    "dns_name": "redis-10001.cluster1.local",
                    "oss_cluster_api_preferred_ip_type": "internal",
                    "port": 10001,
                    "proxy_policy": "single",
                }
            ],
            "oss_cluster": False,
            "rack_aware": False,
            "tls_mode": "disabled",
            "max_connections": 0,
            "backup": False,
            "crdt": False,
            "replica_sync": "disabled",
            "replica_sources": [],
            "dataset_import_sources": [],
            "module_list": [],
            "created_time": created,
            "last_changed_time": created,
            "status": "active",
            "authentication_admin_pass": DATABASE_SECRET,
            "background_op": [{"status": "idle"}],
            "export_status": "",
            "export_failure_reason": "",
            "import_status": "",
            "import_failure_reason": "",
            "backup_status": "",
            "backup_failure_reason": "",
        }

    async def test_list(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The list is a bare array of the same objects, by uid."""
        cluster.add_bdb(7)
        cluster.add_action(bdb_uid=3)

        assert await call.ok("GET", "/v1/bdbs") == [await call.bdb(3), await call.bdb(7)]

    @pytest.mark.parametrize("version", ["7.22", "8.0"])
    async def test_fields(self, version: Version) -> None:
        """With the parameter `fields`, the answer has those and the uid."""
        async with FakeCluster(version=version) as cluster, http_client(cluster) as call:
            cluster.add_bdb()
            one = await call.ok("GET", "/v1/bdbs/1?fields=status,action_uid,nonsense")

            assert one == {"uid": 1, "status": "active"}
            assert await call.ok("GET", "/v1/bdbs?fields=name") == [{"uid": 1, "name": "db1"}]
            assert await call.ok("GET", "/v1/bdbs?fields=") == [{"uid": 1}]

    @pytest.mark.parametrize("version", ["7.4", "7.8"])
    @pytest.mark.parametrize("path", ["/v1/bdbs", "/v1/bdbs/1"])
    async def test_no_fields(self, version: Version, path: str) -> None:
        """Older versions refuse the parameter `fields`."""
        async with FakeCluster(version=version) as cluster, http_client(cluster) as call:
            cluster.add_bdb()

            assert await call.refused("GET", f"{path}?fields=uid") == (400, "invalid_request")
            assert (await call("GET", path))[0] == 200

    @pytest.mark.parametrize("uid", ["9", "x", "-1", "0"])
    async def test_none(self, cluster: FakeCluster, call: HttpClient, uid: str) -> None:
        """A missing database is answered 404, in JSON."""
        cluster.add_bdb()

        assert await call.refused("GET", f"/v1/bdbs/{uid}") == (404, "db_not_exist")

    @pytest.mark.parametrize(
        ("name", "status"),
        [
            ("SMUpdateBDB", "active-change-pending"),
            ("SMDeleteBDB", "active-change-pending"),
            ("SMCreateBDB", "creation-failed"),
        ],
    )
    async def test_failed(
        self, cluster: FakeCluster, call: HttpClient, name: str, status: str
    ) -> None:
        """A failed state machine shows until another action has run."""
        uid = cluster.add_action(name, Plan(duration=5, outcome="failed", error="no room"))
        assert "error" not in (await call.bdb())["background_op"][0]
        await asyncio.sleep(5)
        cluster.forget(uid)
        failed = await call.bdb()
        cluster.add_action("retry_bdb", Plan(duration=0), bdb_uid=1)

        assert (failed["status"], "action_uid" in failed) == (status, False)
        error = {"error_code": "internal_error", "description": "no room"}
        assert failed["background_op"] == [{"name": name, "status": "failed", "error": error}]
        assert (await call.bdb())["background_op"] == [{"status": "idle"}]

    async def test_last_to_end(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Of several actions, the last one to end decides, in whatever order they began."""
        cluster.add_action(plan=Plan(duration=9, outcome="failed"))
        cluster.add_action(plan=Plan(duration=5))
        await asyncio.sleep(9)

        assert (await call.bdb())["status"] == "active-change-pending"

    async def test_resumed(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A state machine that failed may be resumed under its uid."""
        uid = cluster.add_action(plan=Plan(duration=0, outcome="failed"))
        cluster.add_action(plan=Plan(duration=5), uid=uid)
        assert (await call.bdb())["action_uid"] == uid
        await asyncio.sleep(5)

        assert (await call.bdb())["status"] == "active"

    async def test_forgotten(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A forgotten action still has its effect on its database."""
        uid = cluster.add_action(plan=Plan(duration=5))
        cluster.forget(uid)
        assert (await call.bdb())["action_uid"] == uid
        await asyncio.sleep(5)

        assert "action_uid" not in await call.bdb()


class TestMethods:
    """Methods of `FakeCluster` about databases."""

    async def test_add(self, cluster: FakeCluster) -> None:
        """Uids are not used twice, even if a database is gone."""
        assert [cluster.add_bdb(), cluster.add_bdb(5), cluster.add_bdb()] == [1, 5, 6]

        cluster.add_action("SMDeleteBDB", Plan(duration=0), bdb_uid=6)
        assert list(cluster.bdbs) == [1, 5]
        assert cluster.add_bdb() == 7
        assert cluster.add_bdb(6) == 6

    @pytest.mark.parametrize(
        ("uid", "message"),
        [(1, "there is a database 1"), (0, "1 or more"), (10**18, "999999999999999999 at most")],
    )
    async def test_cannot_add(self, cluster: FakeCluster, uid: int, message: str) -> None:
        """Two databases of one uid are refused, and so are uids below 1 and very long ones."""
        cluster.add_bdb()

        with pytest.raises(ValueError, match=message):
            cluster.add_bdb(uid)
        if uid > 1:  # work makes its database
            with pytest.raises(ValueError, match=message):
                cluster.add_action(bdb_uid=uid)
            with pytest.raises(ValueError, match=message):
                cluster.start_transfer(uid, "export")
        assert (list(cluster.bdbs), cluster.actions) == ([1], {})

    async def test_truth(self, cluster: FakeCluster) -> None:
        """Tests can compare with the actual state."""
        uid = cluster.add_action("SMDeleteBDB", Plan(duration=5))
        database = cluster.bdbs[1]

        assert (database.uid, database.shards) == (1, (1, 2))
        assert database.running(now()) is cluster.actions[uid]
        assert database.gone_at == pytest.approx(now() + 5)
        assert database.status(now()) == "delete-pending"
        assert database.config(now())["name"] == "db1"


class TestCreating:
    """POST /v1/bdbs and /v2/bdbs."""

    async def test_create(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A create answers the whole database, which is pending until its action is done."""
        cluster.plan("POST", "/v1/bdbs", Plan(duration=30))
        made = await call.ok("POST", "/v1/bdbs", {"name": "cache", "memory_size": 100})
        during = await call.bdb()
        await asyncio.sleep(30)
        after = await call.bdb()

        action = cluster.actions[made["action_uid"]]
        assert (action.name, action.bdb_uid, action.duration) == ("SMCreateBDB", 1, 30)
        assert (made["uid"], made["name"], made["memory_size"]) == (1, "cache", 100)
        assert (made["status"], made["background_op"]) == ("pending", op("SMCreateBDB"))
        assert made["authentication_admin_pass"] == DATABASE_SECRET
        assert during == made
        assert (after["status"], "action_uid" in after) == ("active", False)

    async def test_on_actions(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The action that a call starts is listed like any other."""
        uid = (await call.ok("POST", "/v1/bdbs", NEW))["action_uid"]

        assert (await call.ok("GET", f"/v1/actions/{uid}"))["object_name"] == "bdb:1"
        assert (await call.ok("GET", f"/v2/actions/{uid}"))["name"] == "SMCreateBDB"
        assert [each["action_uid"] for each in await call.ok("GET", "/v1/actions/bdb/1")] == [uid]

    async def test_default(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Work without a plan takes 10 s and completes."""
        await call.ok("POST", "/v1/bdbs", NEW)
        await asyncio.sleep(9.9)
        assert (await call.bdb())["status"] == "pending"
        await asyncio.sleep(0.2)

        assert (await call.bdb())["status"] == "active"

    async def test_v2(self, cluster: FakeCluster, call: HttpClient) -> None:
        """In v2 the configuration stands in a body of its own."""
        made = await call.ok("POST", "/v2/bdbs", {"bdb": NEW | {"uid": 4}})

        assert (made["uid"], made["status"]) == (4, "pending")
        assert await call.refused("POST", "/v2/bdbs", {"name": "x"}) == (400, "invalid_request")

    async def test_failed(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A failed create leaves a database whose status shows it."""
        cluster.plan("POST", "/v1/bdbs", Plan(duration=5, outcome="failed", error_code="no_room"))
        made = await call.ok("POST", "/v1/bdbs", NEW)
        await asyncio.sleep(5)
        left = await call.bdb()

        assert (made["status"], left["status"]) == ("pending", "creation-failed")
        assert left["background_op"][0]["error"]["error_code"] == "no_room"

    async def test_uid_exists(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A create with a used uid is refused."""
        cluster.add_bdb(4)

        assert await call.refused("POST", "/v1/bdbs", NEW | {"uid": 4}) == (
            409,
            "uid_exists",
        )

    @pytest.mark.parametrize("query", DRY)
    @pytest.mark.parametrize(
        ("path", "body"),
        [("/v1/bdbs", NEW), ("/v2/bdbs", {"bdb": NEW})],
    )
    async def test_dry(
        self, cluster: FakeCluster, call: HttpClient, path: str, body: object, query: str
    ) -> None:
        """A dry run makes nothing."""
        answer = await call.ok("POST", f"{path}{query}", body)

        assert (answer["uid"], answer["name"], "action_uid" in answer) == (1, "cache", False)
        assert (cluster.bdbs, cluster.actions) == ({}, {})

    @pytest.mark.parametrize(
        ("config", "code"),
        [
            ({}, "missing_db_name"),
            ({"name": ""}, "missing_db_name"),
            ({"name": 1}, "missing_db_name"),
            ({"name": "x", "memory_size": -1}, "invalid_memory_size"),
            ({"name": "x", "memory_size": "1"}, "invalid_memory_size"),
            ({"name": "x", "memory_size": 1, "shards_count": 0}, "invalid_shards_count"),
            ({"name": "x", "memory_size": 1, "uid": 0}, "invalid_uid"),
            ({"name": "x", "memory_size": 1, "uid": True}, "invalid_uid"),
        ],
    )
    async def test_rejected(
        self, cluster: FakeCluster, call: HttpClient, config: dict[str, object], code: str
    ) -> None:
        """An impossible configuration is answered 406."""
        assert await call.refused("POST", "/v1/bdbs", config) == (406, code)
        assert cluster.bdbs == {}


class TestChanging:
    """PUT /v1/bdbs/{uid} and its like."""

    async def test_update(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A change shows when its action is done."""
        cluster.add_bdb()
        cluster.plan("PUT", "/v1/bdbs/1", Plan(duration=5, queued=5))
        answer = await call.ok("PUT", "/v1/bdbs/1", {"memory_size": 7, "name": "db1", "uid": 2})
        during = await call.bdb()
        await asyncio.sleep(10)
        after = await call.bdb()

        assert cluster.actions[answer["action_uid"]].name == "SMUpdateBDB"
        assert (answer["uid"], answer["status"]) == (1, "active-change-pending")
        assert answer["background_op"] == op("SMUpdateBDB")
        assert during == answer
        assert during["memory_size"] == 1073741824
        assert (after["uid"], after["memory_size"], after["status"]) == (1, 7, "active")

    @pytest.mark.parametrize("outcome", ["failed", "never"])
    async def test_not_done(self, cluster: FakeCluster, call: HttpClient, outcome: Outcome) -> None:
        """A change whose action fails does not show."""
        cluster.add_bdb()
        cluster.plan("PUT", "/v1/bdbs/1", Plan(outcome=outcome))
        await call.ok("PUT", "/v1/bdbs/1", {"memory_size": 7})
        await asyncio.sleep(20)
        after = await call.bdb()

        assert after["memory_size"] == 1073741824
        assert after["status"] == "active-change-pending"

    async def test_done_at_once(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An action that takes no time is in the answer, too."""
        cluster.add_bdb()
        cluster.plan("PUT", "/v1/bdbs/1", Plan(duration=0))
        answer = await call.ok("PUT", "/v1/bdbs/1", {"tags": []})

        assert answer["action_uid"] in cluster.actions
        assert (await call.bdb())["tags"] == []

    @pytest.mark.parametrize("body", [{}, {"name": "db1", "shards_count": 1}])
    async def test_nothing_to_do(
        self, cluster: FakeCluster, call: HttpClient, body: dict[str, object]
    ) -> None:
        """An update without a difference starts nothing, and its answer has no `action_uid`."""
        cluster.add_bdb()

        assert await call.ok("PUT", "/v1/bdbs/1", body) == await call.bdb()
        assert cluster.actions == {}

    async def test_put_back(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A PUT of the object that GET returned is no change."""
        cluster.add_bdb()

        assert "action_uid" not in await call.ok("PUT", "/v1/bdbs/1", await call.bdb())

    @pytest.mark.parametrize("path", ["flush", "reset_admin_pass"])
    async def test_always_to_do(self, cluster: FakeCluster, call: HttpClient, path: str) -> None:
        """A flush, or a new password, is work even if nothing else changes."""
        cluster.add_bdb()
        answer = await call.ok("PUT", f"/v1/bdbs/1/{path}", {"memory_size": 7})
        await asyncio.sleep(10)
        again = await call.ok("PUT", f"/v1/bdbs/1/{path}")

        assert cluster.actions[answer["action_uid"]].name == "SMUpdateBDB"
        assert (answer["uid"], answer["status"]) == (1, "active-change-pending")
        assert again["memory_size"] == 7
        assert again["action_uid"] in cluster.actions

    @pytest.mark.parametrize("query", DRY)
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("PUT", "/v1/bdbs/1"),
            ("PUT", "/v1/bdbs/1/flush"),
            ("PUT", "/v1/bdbs/1/reset_admin_pass"),
            ("POST", "/v1/bdbs/1/upgrade"),
            ("DELETE", "/v1/bdbs/1"),
        ],
    )
    async def test_dry(
        self, cluster: FakeCluster, call: HttpClient, method: str, path: str, query: str
    ) -> None:
        """A dry run answers the database, and starts nothing."""
        cluster.add_bdb()

        answer = await call.ok(method, path + query, {"memory_size": 7})
        assert answer == await call.bdb()
        assert cluster.actions == {}

    @pytest.mark.parametrize("query", ["?dry_run=false", "?dry_run=0"])
    async def test_not_dry(self, cluster: FakeCluster, call: HttpClient, query: str) -> None:
        """`dry_run=false` is no dry run."""
        cluster.add_bdb()

        assert "action_uid" in await call.ok("PUT", f"/v1/bdbs/1{query}", {"x": 1})

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PUT", "/v1/bdbs/1", {"memory_size": 7}),
            ("PUT", "/v1/bdbs/1/flush", {}),
            ("PUT", "/v1/bdbs/1/reset_admin_pass", {}),
            ("POST", "/v1/bdbs/1/upgrade", {}),
            ("DELETE", "/v1/bdbs/1", {}),
            ("POST", "/v1/bdbs", NEW),
            ("POST", "/v2/bdbs", {"bdb": NEW | {"dry_run": True}}),
        ],
    )
    async def test_not_dry_by_its_body(
        self,
        cluster: FakeCluster,
        call: HttpClient,
        method: str,
        path: str,
        body: dict[str, object],
    ) -> None:
        """`dry_run` in a body is ignored: the work is done, and nothing is configured by it."""
        cluster.add_bdb()
        answer = await call.ok(method, path, body | BODY)
        started = [action.uid for action in cluster.actions.values()]
        await asyncio.sleep(10)

        assert started == [answer["action_uid"]]
        assert not any(
            BODY.keys() & database.keys() for database in await call.ok("GET", "/v1/bdbs")
        )

    async def test_nothing_but_what_the_query_has(
        self, cluster: FakeCluster, call: HttpClient
    ) -> None:
        """A body with nothing but names of the query changes nothing."""
        cluster.add_bdb()

        assert "action_uid" not in await call.ok("PUT", "/v1/bdbs/1", BODY)
        assert cluster.actions == {}

    async def test_rejected(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A change to an impossible configuration is answered 406."""
        cluster.add_bdb()
        body = {"memory_size": -1}

        for path in ("/v1/bdbs/1", "/v1/bdbs/1/flush"):
            assert await call.refused("PUT", path, body) == (406, "invalid_memory_size")

    async def test_upgrade(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The answer to an upgrade still says that the database is active."""
        cluster.add_bdb()
        answer = await call.ok("POST", "/v1/bdbs/1/upgrade", {})

        assert cluster.actions[answer["action_uid"]].name == "SMUpgradeBDB"
        assert (answer["status"], answer["background_op"]) == ("active", op("SMUpgradeBDB"))
        assert (await call.bdb())["status"] == "active-change-pending"

    @pytest.mark.parametrize("path", ["bdbs/1/modules/upgrade", "modules/upgrade/bdb/1"])
    async def test_upgrade_modules(self, path: str) -> None:
        """The answer to an upgrade of modules names a module and the database, but no action."""
        modules = [{"module_name": "ReJSON", "new_module": "aa36"}]
        async with FakeCluster(version="7.4") as cluster, http_client(cluster) as call:
            cluster.add_bdb()
            answer = await call.ok("POST", f"/v1/{path}", {"modules": modules})

            [action] = cluster.actions.values()
            module = {"module_id": "aa36", "module_name": "ReJSON"}
            assert answer == {"uid": 1, "name": "db1"} | module
            assert (action.name, action.bdb_uid) == ("SMUpgradeBDB", 1)

    async def test_port(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The endpoint has the port of the configuration, or one of its own."""
        cluster.plan("POST", "/v1/bdbs", Plan(duration=0))
        await call.ok("POST", "/v1/bdbs", NEW | {"port": 12000})
        configured = await call.bdb()
        cluster.add_bdb(2)
        chosen = await call.bdb(2)

        assert (configured["port"], configured["endpoints"][0]["port"]) == (12000, 12000)
        assert (chosen["port"], chosen["endpoints"][0]["port"]) == (0, 10002)

    async def test_times(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The times of the creation and of the last change are shown."""
        cluster.plan("POST", "/v1/bdbs", Plan(duration=0))
        made = await call.ok("POST", "/v1/bdbs", NEW)
        await asyncio.sleep(60)
        changed = await call.ok("PUT", "/v1/bdbs/1/flush")

        assert made["created_time"] == made["last_changed_time"] == changed["created_time"]
        assert changed["last_changed_time"] > changed["created_time"]


class TestDeleting:
    """DELETE /v1/bdbs/{uid}."""

    async def test_delete(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A delete answers the database; then it is gone, and so is the action."""
        cluster.add_bdb()
        answer = await call.ok("DELETE", "/v1/bdbs/1")
        during = await call.bdb()
        await asyncio.sleep(10)

        assert (answer["status"], answer["background_op"]) == ("delete-pending", op("SMDeleteBDB"))
        assert during == answer
        assert await call.refused("GET", "/v1/bdbs/1") == (404, "db_not_exist")
        uid = answer["action_uid"]
        assert await call.refused("GET", f"/v1/actions/{uid}") == (404, "action_not_found")
        assert await call.ok("GET", "/v1/bdbs") == []

    async def test_planned(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A delete that is planned to complete does so, which was never seen on a cluster."""
        cluster.add_bdb()
        cluster.plan("DELETE", "/v1/bdbs", Plan(outcome="completed", duration=0))
        uid = (await call.ok("DELETE", "/v1/bdbs/1"))["action_uid"]

        assert (await call.ok("GET", f"/v1/actions/{uid}"))["status"] == "completed"
        assert cluster.bdbs == {}

    async def test_made_anew(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A database that is created under an old uid has nothing of the old one."""
        cluster.add_bdb(1, name="old")
        cluster.start_transfer(1, "export", Plan(duration=0))
        cluster.add_action("SMDeleteBDB", Plan(duration=0), bdb_uid=1)
        cluster.add_action("SMCreateBDB", Plan(duration=0), bdb_uid=1)
        database = await call.bdb()

        assert (database["name"], database["export_status"]) == ("db1", "")


STARTING: list[tuple[str, str, Any]] = [
    ("PUT", "/v1/bdbs/1", {"memory_size": 7}),
    ("PUT", "/v1/bdbs/1/flush", None),
    ("PUT", "/v1/bdbs/1/reset_admin_pass", None),
    ("DELETE", "/v1/bdbs/1", None),
    ("POST", "/v1/bdbs/1/upgrade", None),
    ("PUT", "/v1/bdbs/1/actions/rebalance", None),
    ("PUT", "/v1/bdbs/1/actions/revamp", None),
    ("POST", "/v1/bdbs/1/actions/stop_traffic", None),
    ("POST", "/v1/bdbs/1/actions/resume_traffic", None),
    ("POST", "/v1/shards/actions/migrate", {"shard_uids": ["1"], "target_node_uid": 1}),
    ("POST", "/v1/shards/2/actions/migrate", {"target_node_uid": 1}),
    ("POST", "/v1/shards/actions/failover", {"shard_uids": ["1"]}),
    ("POST", "/v1/shards/1/actions/failover", None),
    ("POST", "/v1/bdbs/1/actions/export", {"export_location": {"type": "url"}}),
    ("POST", "/v1/bdbs/1/actions/import", {"dataset_import_sources": [{"type": "url"}]}),
]


@pytest.mark.parametrize(("method", "path", "body"), STARTING)
class TestStarting:
    """Behaviour of all calls that start work on a database."""

    async def test_busy(
        self, cluster: FakeCluster, call: HttpClient, method: str, path: str, body: object
    ) -> None:
        """A database does one thing at a time."""
        uid = cluster.add_action(plan=Plan(duration=10))
        assert await call.refused(method, path, body) == (409, "db_busy")
        assert list(cluster.actions) == [uid]
        await asyncio.sleep(10)

        assert (await call(method, path, body))[0] == 200

    async def test_none(
        self, cluster: FakeCluster, call: HttpClient, method: str, path: str, body: object
    ) -> None:
        """A call on a missing database, or its shard, does not create it."""
        code = "shard_not_exist" if "shards" in path else "db_not_exist"
        assert await call.refused(method, path, body) == (404, code)
        assert cluster.bdbs == {}

    async def test_after_failure(
        self, cluster: FakeCluster, call: HttpClient, method: str, path: str, body: object
    ) -> None:
        """A database on which a state machine failed takes more work, but cannot be deleted."""
        cluster.add_action(plan=Plan(duration=0, outcome="failed"))

        assert (await call(method, path, body))[0] == (409 if method == "DELETE" else 200)

    @pytest.mark.parametrize("raw", [b"{}", b"x"])
    async def test_no_json(
        self,
        cluster: FakeCluster,
        call: HttpClient,
        method: str,
        path: str,
        body: object,
        raw: bytes,
    ) -> None:
        """A body has to be declared as JSON, and has to be an object."""
        cluster.add_bdb()

        assert await call.refused(method, path, data=raw) == (400, "invalid_request")
        assert await call.refused(method, path, []) == (400, "invalid_request")
        assert cluster.actions == {}


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/bdbs"), ("PUT", "/v1/bdbs/1")])
async def test_body_is_needed(
    cluster: FakeCluster, call: HttpClient, method: str, path: str
) -> None:
    """A missing body is refused."""
    cluster.add_bdb()

    assert await call.refused(method, path) == (400, "invalid_request")


class TestLateness:
    """Setting `lateness`, with databases."""

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PUT", "/v1/bdbs/1", {"memory_size": 7}),
            ("PUT", "/v1/bdbs/1/actions/rebalance", None),
            ("POST", "/v1/bdbs/1/upgrade", None),
            ("DELETE", "/v1/bdbs/1", None),
        ],
    )
    async def test_status(
        self, cluster: FakeCluster, call: HttpClient, method: str, path: str, body: object
    ) -> None:
        """The status and the `background_op` are late; calls and actions are not."""
        cluster.add_bdb()
        cluster.lateness = 5
        before = await call.bdb()
        answer = await call.ok(method, path, body)
        at_once = await call.bdb()
        busy = await call.refused(method, path, body)
        machine = await call.ok("GET", f"/v1/actions/{answer['action_uid']}")
        await asyncio.sleep(5)
        after = await call.bdb()

        assert (before["status"], at_once) == ("active", before)
        assert busy == (409, "db_busy")
        assert machine["status"] == "active"
        assert after["action_uid"] == answer["action_uid"]
        assert after["background_op"] == op(machine["name"])
        assert await call.ok("GET", "/v1/bdbs") == [after]

    async def test_over_before_it_shows(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A quick action is over, with its effects, when the database first shows it."""
        cluster.add_bdb()
        cluster.plan("PUT", "/v1/bdbs/1", Plan(duration=1))
        cluster.lateness = 5
        await call.ok("PUT", "/v1/bdbs/1", {"memory_size": 7})
        await asyncio.sleep(4)
        early = await call.bdb()
        await asyncio.sleep(1)
        late = await call.bdb()

        assert (early["status"], early["memory_size"]) == ("active", 1073741824)
        assert (late["status"], late["memory_size"]) == ("active", 7)

    async def test_made(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A new database is missing at first, and a deleted one is still there."""
        cluster.add_bdb()
        cluster.plan("DELETE", "/v1/bdbs", Plan(duration=1))
        cluster.lateness = 5
        await call.ok("POST", "/v1/bdbs", NEW)
        await call.ok("DELETE", "/v1/bdbs/1")
        await asyncio.sleep(4)
        early = [each["uid"] for each in await call.ok("GET", "/v1/bdbs")]
        refused = await call.refused("GET", "/v1/bdbs/2")
        await asyncio.sleep(1)

        assert (early, refused) == ([1], (404, "db_not_exist"))
        assert [each["uid"] for each in await call.ok("GET", "/v1/bdbs")] == [2]

    async def test_failed_before(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An earlier failure shows for as long."""
        cluster.add_action(plan=Plan(duration=0, outcome="failed"))
        cluster.lateness = 5
        await asyncio.sleep(5)
        before = await call.bdb()
        await call.ok("PUT", "/v1/bdbs/1/flush")

        assert await call.bdb() == before
        assert before["background_op"][0]["status"] == "failed"

    async def test_later(self, cluster: FakeCluster, call: HttpClient) -> None:
        """`lateness` can be set and reset at any time."""
        cluster.add_action()
        assert (await call.bdb())["status"] == "active-change-pending"
        cluster.lateness = 5
        assert (await call.bdb())["status"] == "active"
        cluster.lateness = 0
        assert (await call.bdb())["status"] == "active-change-pending"

    async def test_of_the_cluster(self) -> None:
        """`lateness` can be an argument of the cluster."""
        async with FakeCluster(lateness=5) as cluster, http_client(cluster) as call:
            cluster.add_bdb()
            await call.ok("DELETE", "/v1/bdbs/1")

            assert cluster.lateness == 5
            assert (await call.bdb())["status"] == "active"


NO_HANDLE: list[tuple[str, str, Any]] = [
    *STARTING[:-2],
    ("POST", "/v1/bdbs", NEW),
    ("POST", "/v1/nodes/1/actions/maintenance_on", {}),
    ("POST", "/v1/crdbs", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), NO_HANDLE)
async def test_no_handle(
    cluster: FakeCluster, call: HttpClient, method: str, path: str, body: object
) -> None:
    """A call can do its work and leave the reference out of its answer."""
    cluster.add_bdb(1)
    cluster.inject(no_handle=True)
    seen = await call.ok("GET", "/v1/nodes/1")
    answer = await call.ok(method, path, body)
    nodes = await call.ok("GET", "/v1/nodes/actions")

    assert seen["uid"] == 1
    assert not answer.keys() & {"action_uid", "task_id", "id"}
    assert len(cluster.actions) + len(cluster.crdb_tasks) + len(nodes["actions"]) == 1


async def test_no_handle_but_the_rest(cluster: FakeCluster, call: HttpClient) -> None:
    """The rest of the answer stays, and the next call has its reference."""
    cluster.inject(no_handle=True, method="POST", path="/v1/bdbs")
    first = await call.ok("POST", "/v1/bdbs", NEW | {"name": "one"})
    second = await call.ok("POST", "/v1/bdbs", NEW | {"name": "two"})

    assert (first["uid"], first["status"]) == (1, "pending")
    assert first["background_op"] == op("SMCreateBDB")
    assert second["action_uid"] in cluster.actions


async def test_no_handle_where_there_is_none(cluster: FakeCluster, call: HttpClient) -> None:
    """An answer that names nothing stays as it is."""
    cluster.add_bdb()
    cluster.inject(no_handle=True, times=2)

    assert await call("PUT", "/v1/bdbs/1/actions/export_reset_status") == (200, "")
    assert isinstance(await call.ok("PUT", "/v1/bdbs/1/actions/rebalance?dry_run"), list)


async def test_lost_answer(cluster: FakeCluster, call: HttpClient) -> None:
    """A call whose answer is lost has started its work."""
    cluster.inject(path="/v1/bdbs", method="POST", lose=True)

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await call("POST", "/v1/bdbs", NEW)
    [action] = cluster.actions.values()
    assert (await call.bdb())["action_uid"] == action.uid


async def test_lost_and_repeated(cluster: FakeCluster, call: HttpClient) -> None:
    """A DELETE whose answer is lost is repeated by aiohttp, and finds the database busy."""
    cluster.add_bdb()
    cluster.inject(path="/v1/bdbs/1", method="DELETE", lose=True)

    assert await call.refused("DELETE", "/v1/bdbs/1") == (409, "db_busy")
    assert [seen.status for seen in cluster.requests] == [None, 409]
    assert len(cluster.actions) == 1
