"""Tests of `testing.routes.bootstrap` and `testing.state.bootstrap`, over HTTP.

They use no code of the client.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest

from redis_enterprise_actions.testing import FakeCluster, ScenarioError
from tests.http_client import HttpClient, http_client
from tests.testing.sessions import port_of


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions.testing import BootstrapState

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

CREDENTIALS: Final = {"username": "ops@example.com", "password": "new-cluster-password"}
CREATE: Final[dict[str, Any]] = {
    "action": "create_cluster",
    "cluster": {"nodes": [], "name": "c.example.com"},
    "credentials": CREDENTIALS,
}
RECOVER: Final = CREATE | {"action": "recover_cluster", "recovery_filename": "/mnt/config.rdb"}
JOIN: Final[dict[str, Any]] = {
    "action": "join_cluster",
    "cluster": {"nodes": ["10.0.0.1"]},
    "credentials": CREDENTIALS,
}
ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
FROM: Final = "/v1/bootstrap"


@asynccontextmanager
async def machines(nodes: int = 3) -> AsyncIterator[tuple[FakeCluster, HttpClient]]:
    """Return installed nodes that are in no cluster, and a client without credentials."""
    async with (
        FakeCluster(nodes=nodes, bootstrapped=False) as cluster,
        aiohttp.ClientSession() as session,
    ):
        yield cluster, HttpClient(session, cluster)


def basic(username: str, password: str) -> dict[str, str]:
    """Return the header with credentials."""
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


OWN: Final = basic(**CREDENTIALS)  # credentials of a new cluster


async def start(call: HttpClient, body: dict[str, Any], *, node: int = 1) -> None:
    """Start a bootstrap; check that it is accepted, with an empty body."""
    assert await call.ok("POST", f"{FROM}/{body['action']}", body, node=node) == ""


async def status(call: HttpClient, *, node: int = 1) -> Any:  # noqa: ANN401 - JSON
    """Return the status of a node's bootstrap, asked for with the credentials of `CREATE`."""
    answer = await call.ok("GET", FROM, node=node, headers=OWN)
    return answer["bootstrap_status"]


async def create(cluster: FakeCluster, call: HttpClient) -> None:
    """Make a cluster of the first node."""
    await start(call, CREATE)
    await asyncio.sleep(20.5)
    assert cluster.bootstrap_state(1) == "completed"


class TestStatus:
    """GET /v1/bootstrap before and after."""

    async def test_idle(self) -> None:
        """An installed node answers without credentials, each for itself, and has no uid."""
        async with machines() as (cluster, call):
            assert cluster.primary is None
            for node in (1, 2, 3):
                answer = await call.ok("GET", FROM, node=node)

                assert answer["bootstrap_status"] == {"state": "idle"}
                assert cluster.bootstrap_state(node) == "idle"
                info = answer["local_node_info"]
                assert "uid" not in info
                assert info["software_version"] == "8.0.20-68"
                assert info["available_addrs"] == [
                    {
                        "address": f"10.0.0.{node}",
                        "format": "ipv4",
                        "if_name": "eth0",
                        "private": True,
                    }
                ]

    @pytest.mark.parametrize(
        "call_of", ["GET /v1/bdbs", "GET /", "POST /v1/users/authorize", "GET /v1/bootstrapped"]
    )
    async def test_other_routes(self, call_of: str) -> None:
        """Other routes of an installed node are answered 503, without a body."""
        async with machines() as (_, call):
            assert await call(*call_of.split()) == (503, "")

    async def test_completed(self, three: FakeCluster, call3: HttpClient) -> None:
        """The nodes of a cluster that was there before are completed, each for itself."""
        for node in (1, 2, 3):
            answer = await call3.ok("GET", FROM, node=node)

            status = answer["bootstrap_status"]
            assert status["state"] == three.bootstrap_state(node) == "completed"
            assert ISO.fullmatch(status["start_time"])
            assert ISO.fullmatch(status["end_time"])
            assert answer["local_node_info"]["uid"] == str(node)

    async def test_credentials(self, three: FakeCluster) -> None:
        """A node of a cluster demands credentials, for its bootstrap, too."""
        async with aiohttp.ClientSession() as session:
            call = HttpClient(session, three)
            assert await call("GET", FROM, node=2) == (401, "")
            assert await call("POST", f"{FROM}/create_cluster", CREATE, node=2) == (401, "")

    async def test_completed_refuses(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A node of a cluster cannot be bootstrapped again."""
        answer = await call.refused("POST", f"{FROM}/create_cluster", CREATE)

        assert answer == (409, "bootstrap_in_progress")

    async def test_unknown(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The route of the page's table, and an unknown action, are answered 404."""
        assert (await call("GET", "/v1/boostrap"))[0] == 404
        assert (await call("POST", f"{FROM}/leave_cluster", {}))[0] == 404


class TestCourse:
    """States of a bootstrap, by time."""

    @pytest.mark.parametrize(
        ("body", "working"), [(CREATE, "creating_cluster"), (RECOVER, "recovering_cluster")]
    )
    async def test_create(self, body: dict[str, Any], working: BootstrapState) -> None:
        """A creation, or a recovery, is initiated, works and completes as a new cluster."""
        async with machines() as (cluster, call):
            await start(call, body)
            seen = []
            for pause in (1, 6, 12, 2):
                await asyncio.sleep(pause)
                seen.append(await status(call))
                assert seen[-1]["state"] == cluster.bootstrap_state(1)

            assert [each["state"] for each in seen] == ["initiated", working, working, "completed"]
            assert all(ISO.fullmatch(each["start_time"]) for each in seen)
            assert ["end_time" in each for each in seen] == [False, False, False, True]
            assert cluster.primary == 1
            assert (cluster.username, cluster.password) == tuple(CREDENTIALS.values())
            shown = await call.ok("GET", "/v1/cluster", headers=OWN)
            assert shown["name"] == cluster.name == "c.example.com"
            listed = await call.ok("GET", "/v1/nodes", headers=OWN)
            assert [node["uid"] for node in listed] == [1]
            assert await call("GET", "/v1/nodes", node=2) == (503, "")

    async def test_demands_credentials(self) -> None:
        """Half-way the node demands the credentials of the new cluster."""
        async with machines() as (_, call):
            await start(call, CREATE)
            statuses = []
            for pause in (9, 2, 10):
                await asyncio.sleep(pause)
                statuses.append((await call("GET", FROM))[0])
                other = await call("GET", "/v1/bdbs", headers=OWN)
                statuses.append(other[0])
            assert statuses == [200, 503, 401, 503, 401, 200]
            wrong = basic("admin@example.com", "fake-password")
            assert (await call("GET", FROM, headers=wrong))[0] == 401

    @pytest.mark.parametrize(("fraction", "before"), [(0.0, 0), (0.25, 4), (1.0, 19)])
    async def test_demand_is_planned(self, fraction: float, before: float) -> None:
        """The moment of the demand is planned."""
        async with machines() as (cluster, call):
            cluster.plan_bootstrap(1, demands_credentials_at=fraction)
            await start(call, CREATE)
            await asyncio.sleep(before)
            if before:
                assert (await call("GET", FROM))[0] == 200
            await asyncio.sleep(1.5)
            assert (await call("GET", FROM))[0] == 401

    async def test_log(self) -> None:
        """The log tells whether credentials were sent, and not which."""
        async with machines() as (cluster, call):
            await call("GET", FROM)
            await status(call)
            await start(call, CREATE)

            assert [seen.has_credentials for seen in cluster.requests] == [False, True, False]
            assert CREDENTIALS["password"] not in repr(cluster.requests)

    @pytest.mark.parametrize("state", ["initiated", "creating_cluster"])
    async def test_in_progress(self, state: BootstrapState) -> None:
        """A second call is refused while a bootstrap is under way."""
        async with machines() as (cluster, call):
            await start(call, CREATE)
            await asyncio.sleep(1 if state == "initiated" else 5)
            assert cluster.bootstrap_state(1) == state

            answer = await call.refused("POST", f"{FROM}/create_cluster", CREATE)

            assert answer == (409, "bootstrap_in_progress")

    @pytest.mark.parametrize(
        ("stays", "shown", "code"),
        [
            ("idle", "idle", 200),
            ("initiated", "initiated", 200),
            ("creating_cluster", "creating_cluster", 401),
            ("joining_cluster", "creating_cluster", 401),
        ],
    )
    async def test_stays(self, stays: BootstrapState, shown: BootstrapState, code: int) -> None:
        """A bootstrap can stay in a state for ever."""
        async with machines() as (cluster, call):
            cluster.plan_bootstrap(1, stays=stays)
            await start(call, CREATE)
            await asyncio.sleep(100_000)

            assert (await status(call))["state"] == cluster.bootstrap_state(1) == shown
            assert (await call("GET", FROM))[0] == code
            if stays == "idle":
                await create(cluster, call)

    async def test_settles(self) -> None:
        """For some seconds after the end, new databases are refused, and nothing else is."""
        async with machines() as (cluster, call):
            cluster.plan_bootstrap(1, settles=5)
            await create(cluster, call)
            new = {"name": "x", "memory_size": 1}

            refused = await call.refused("POST", "/v1/bdbs", new, headers=OWN)
            assert refused == (406, "invalid_version")
            refused = await call.refused("POST", "/v2/bdbs", {"bdb": new}, headers=OWN)
            assert refused == (406, "invalid_version")
            assert await call.ok("GET", "/v1/bdbs", headers=OWN) == []
            assert (await call("POST", "/v1/bdbs", new))[0] == 401
            await asyncio.sleep(5)
            assert (await call("POST", "/v1/bdbs", new, headers=OWN))[0] == 200


class TestErrors:
    """Bootstraps that fail."""

    @pytest.mark.parametrize(
        ("code", "fields"),
        [
            ("config_error", set()),
            ("connect_error", set()),
            ("access_denied", set()),
            ("invalid_license", {"violation"}),
            ("repair_required", {"failed_nodes", "replace_candidate"}),
            ("insufficient_node_memory", {"required_memory"}),
            ("insufficient_node_flash", {"required_flash"}),
            ("time_not_sync", set()),
        ],
    )
    async def test_code(self, code: str, fields: set[str]) -> None:
        """A planned error has the details of its page, never demands credentials, and restarts."""
        async with machines() as (cluster, call):
            cluster.plan_bootstrap(1, error_code=code)
            await start(call, CREATE)
            await asyncio.sleep(15)
            assert (await call("GET", FROM))[0] == 200
            await asyncio.sleep(6)
            answer = await call.ok("GET", FROM)
            shown = answer["bootstrap_status"]

            assert shown["state"] == cluster.bootstrap_state(1) == "error"
            assert shown["error_code"] == code
            assert shown["error_details"].keys() == fields | {"message"}
            assert shown["end_time"] > shown["start_time"]
            assert cluster.username == "admin@example.com"
            assert cluster.primary is None
            await create(cluster, call)
            assert "error_code" not in await status(call)

    async def test_details(self) -> None:
        """The details of an error can be planned."""
        async with machines() as (cluster, call):
            details = {"failed_nodes": [{"uid": 7, "rack_id": "a"}], "replace_candidate": 7}
            cluster.plan_bootstrap(
                1, duration=0, error_code="repair_required", error_details=details
            )
            await start(call, CREATE)
            await asyncio.sleep(0.1)

            shown = (await call.ok("GET", FROM))["bootstrap_status"]
            assert (shown["error_code"], shown["error_details"]) == ("repair_required", details)

    async def test_plans_in_turn(self) -> None:
        """Several plans of a node apply to its bootstraps in turn, and not to other nodes."""
        async with machines() as (cluster, call):
            cluster.plan_bootstrap(1, duration=2, error_code="config_error")
            cluster.plan_bootstrap(1, duration=4)
            await start(call, CREATE)
            await asyncio.sleep(3)
            assert cluster.bootstrap_state(1) == "error"
            await start(call, CREATE)
            await asyncio.sleep(3)
            assert cluster.bootstrap_state(1) == "creating_cluster"
            await asyncio.sleep(2)
            assert cluster.bootstrap_state(1) == "completed"
            assert cluster.bootstrap_state(2) == "idle"

    async def test_one_cluster(self) -> None:
        """A second cluster cannot be created: a fake has one."""
        async with machines() as (cluster, call):
            await start(call, CREATE, node=2)
            await start(call, CREATE, node=3)
            await asyncio.sleep(21)

            assert cluster.bootstrap_state(2) == "completed"
            shown = (await call.ok("GET", FROM, node=3))["bootstrap_status"]
            assert (shown["state"], shown["error_code"]) == ("error", "config_error")
            assert cluster.primary == 2

    @pytest.mark.parametrize(
        "plan",
        [
            {"node": 3},
            {"duration": -1},
            {"duration": float("inf")},
            {"settles": -1},
            {"demands_credentials_at": 1.5},
            {"downtime": [(-0.1, 1)]},
            {"downtime": [(float("inf"), 1)]},
            {"downtime": [(0.1, -1)]},
            {"downtime": [(0.1, 1, 200)]},
            {"stays": "completed"},
            {"stays": "stuck"},
            {"error_details": {}},
        ],
    )
    async def test_wrong_plan(self, plan: dict[str, Any]) -> None:
        """A plan that no bootstrap can follow is refused."""
        async with machines(2) as (cluster, _):
            with pytest.raises(ValueError, match=r"."):
                cluster.plan_bootstrap(**({"node": 1} | plan))

    async def test_plan_for_a_member(self, cluster: FakeCluster) -> None:
        """No bootstrap can be planned for a node of a cluster; its state can be asked."""
        with pytest.raises(ValueError, match="is in the cluster already"):
            cluster.plan_bootstrap(1)
        with pytest.raises(ValueError, match="no node 2"):
            cluster.bootstrap_state(2)


INVALID: Final = [
    (CREATE | {"action": "join_cluster"}, "another action"),
    ({key: value for key, value in CREATE.items() if key != "action"}, "no action"),
    (CREATE | {"cluster": {}}, "no name"),
    (CREATE | {"cluster": {"name": ""}}, "an empty name"),
    (CREATE | {"cluster": {"name": 7}}, "a name that is no text"),
    (CREATE | {"cluster": "c.example.com"}, "no cluster"),
    (CREATE | {"credentials": None}, "no credentials"),
    (CREATE | {"credentials": {"username": "x"}}, "no password"),
    (CREATE | {"credentials": CREDENTIALS | {"username": ""}}, "an empty user"),
    (CREATE | {"credentials": CREDENTIALS | {"password": 7}}, "a password that is no text"),
    ([], "no object"),
]


class TestBody:
    """Bodies that are refused."""

    @pytest.mark.parametrize(("body", "mistake"), INVALID, ids=[mistake for _, mistake in INVALID])
    async def test_invalid(self, body: object, mistake: str) -> None:
        """A body without what is required is answered 400, and nothing begins."""
        async with machines() as (cluster, call):
            answer = await call.refused("POST", f"{FROM}/create_cluster", body)

            assert answer == (400, "invalid_request")
            assert cluster.bootstrap_state(1) == "idle"

    @pytest.mark.parametrize("cluster", [{}, {"nodes": []}, {"nodes": [7]}, {"nodes": "x"}])
    async def test_join_needs_a_cluster(self, cluster: dict[str, Any]) -> None:
        """A join needs nodes, or a name."""
        async with machines() as (_, call):
            body = JOIN | {"cluster": cluster}
            answer = await call.refused("POST", f"{FROM}/join_cluster", body)

            assert answer == (400, "invalid_request")


class TestJoin:
    """Nodes that join a cluster."""

    @pytest.mark.parametrize("by", ["inside", "host", "port", "url", "name", "one of several"])
    async def test_joins(self, by: str) -> None:
        """A node joins by what names a node or the cluster, and is listed when it has."""
        async with machines() as (cluster, call):
            await create(cluster, call)
            named = {
                "inside": {"nodes": ["10.0.0.1"]},
                "host": {"nodes": ["127.0.0.1"]},
                "port": {"nodes": [f"127.0.0.1:{port_of(cluster.url)}"]},
                "url": {"nodes": [cluster.url]},
                "name": {"name": "c.example.com"},
                "one of several": {"nodes": ["10.9.9.9", "10.0.0.1"], "name": "x.example.com"},
            }[by]
            await start(call, JOIN | {"cluster": named}, node=2)
            seen = []
            for pause in (1, 10, 10):
                await asyncio.sleep(pause)
                listed = await call.ok("GET", "/v1/nodes", headers=OWN)
                uids = [node["uid"] for node in listed]
                seen.append(((await status(call, node=2))["state"], uids))

            assert seen == [
                ("initiated", [1]),
                ("joining_cluster", [1]),
                ("completed", [1, 2]),
            ]
            answer = await call.ok("GET", FROM, node=2, headers=OWN)
            assert answer["local_node_info"]["uid"] == "2"
            assert cluster.maintenance == {1: 0, 2: 0}
            assert (await call("GET", "/v1/nodes", node=2))[0] == 307  # as followers do
            assert cluster.primary == 1
            assert cluster.name == "c.example.com"

    async def test_two_at_once(self) -> None:
        """Two nodes join at once, in any order."""
        async with machines() as (cluster, call):
            await create(cluster, call)
            await start(call, JOIN, node=3)
            await start(call, JOIN, node=2)
            await asyncio.sleep(21)

            assert [cluster.bootstrap_state(node) for node in (1, 2, 3)] == ["completed"] * 3
            assert sorted(cluster.maintenance) == [1, 2, 3]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"cluster": {"nodes": ["10.0.0.3"]}}, "connect_error"),
            ({"cluster": {"nodes": ["10.0.0.2"]}}, "connect_error"),
            ({"cluster": {"name": "x.example.com"}}, "connect_error"),
            ({"credentials": CREDENTIALS | {"password": "x"}}, "access_denied"),
            ({"credentials": CREDENTIALS | {"username": "x"}}, "access_denied"),
        ],
    )
    async def test_fails(self, change: dict[str, Any], code: str) -> None:
        """A join fails without a node that is in the cluster, or the right credentials."""
        async with machines() as (cluster, call):
            await create(cluster, call)
            await start(call, JOIN | change, node=2)
            await asyncio.sleep(21)

            shown = (await call.ok("GET", FROM, node=2))["bootstrap_status"]
            assert (shown["state"], shown["error_code"]) == ("error", code)
            assert shown["error_details"]["message"]
            assert list(cluster.maintenance) == [1]

    @pytest.mark.parametrize("named", [{"nodes": ["127.0.0.1"]}, {"name": "cluster1.local"}])
    async def test_no_cluster(self, named: dict[str, Any]) -> None:
        """A node cannot join where there is no cluster."""
        async with machines() as (_, call):
            await start(call, JOIN | {"cluster": named}, node=2)
            await asyncio.sleep(21)

            assert (await status(call, node=2))["error_code"] == "connect_error"

    async def test_only_member_is_down(self) -> None:
        """A node cannot join through a node that is stopped."""
        async with machines() as (cluster, call):
            await create(cluster, call)
            await cluster.stop_node(1)
            await start(call, JOIN, node=2)
            await asyncio.sleep(21)

            assert (await status(call, node=2))["error_code"] == "connect_error"


async def is_refused(cluster: FakeCluster, node: int = 1) -> bool:
    """Return True if a node refuses connections."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(cluster.urls[node - 1]))
    except ConnectionRefusedError:
        return True
    writer.close()
    await writer.wait_closed()
    return False


class TestDowntime:
    """Restarts of the services of a node, and nodes that are not installed yet."""

    async def test_refused(self) -> None:
        """Connections are refused for a while, and the bootstrap goes on."""
        async with machines() as (cluster, call):
            cluster.plan_bootstrap(1, downtime=[(0.25, 5), (0.9, 10)])
            await start(call, CREATE)
            refused, at = [], 0.0
            for moment in (4, 6, 9, 11, 17, 19, 27, 29):
                await asyncio.sleep(moment - at)
                at = moment
                refused.append(await is_refused(cluster))
                if moment == 27:
                    assert cluster.bootstrap_state(1) == "completed"

            assert refused == [False, True, True, False, False, True, True, False]
            assert (await status(call))["state"] == "completed"
            assert cluster.primary == 1

    async def test_gateway(self) -> None:
        """The gateway answers 502 or 503 for a while, to all calls of that node."""
        async with machines() as (cluster, call):
            cluster.plan_bootstrap(1, downtime=[(0.25, 4, 502), (0.5, 2, 503)])
            await start(call, CREATE)
            answers, at = [], 0
            for moment in (4, 6, 8, 9, 11, 13):
                await asyncio.sleep(moment - at)
                at = moment
                answers.append((await call("GET", FROM, headers=OWN))[0])
                assert (await call("GET", FROM, node=2))[0] == 200

            assert answers == [200, 502, 502, 200, 503, 200]
            await asyncio.sleep(8)
            assert (await status(call))["state"] == "completed"

    async def test_stopped_already(self) -> None:
        """A restart leaves a node alone that is stopped, or that was started in between."""
        async with machines() as (cluster, call):
            cluster.plan_bootstrap(1, downtime=[(0.25, 5), (0.6, 4)])
            await start(call, CREATE)
            await cluster.stop_node(1)
            await asyncio.sleep(11)
            assert await is_refused(cluster)
            await cluster.start_node(1)
            await asyncio.sleep(2)
            assert await is_refused(cluster)
            await cluster.start_node(1)
            await asyncio.sleep(5)
            assert not await is_refused(cluster)

    async def test_installed_later(self) -> None:
        """A node that is stopped from the beginning is one that is still being installed."""
        async with machines() as (cluster, call):
            await cluster.stop_node(2)
            assert await is_refused(cluster, 2)
            assert cluster.bootstrap_state(2) == "idle"
            await create(cluster, call)
            await cluster.start_node(2)

            assert (await call.ok("GET", FROM, node=2))["bootstrap_status"] == {"state": "idle"}
            assert cluster.primary == 1

    async def test_port_is_taken(self) -> None:
        """If a restart finds the port taken, that error is raised at the end."""
        cluster = FakeCluster(bootstrapped=False)
        await cluster.__aenter__()
        async with aiohttp.ClientSession() as session:
            cluster.plan_bootstrap(1, downtime=[(0, 5)])
            await start(HttpClient(session, cluster), CREATE)
            await asyncio.sleep(1)
            with socket.create_server(("127.0.0.1", port_of(cluster.url))):
                await asyncio.sleep(5)
                with pytest.raises(ScenarioError, match="address"):
                    await cluster.__aexit__(None, None, None)

    async def test_end(self) -> None:
        """A cluster ends while a bootstrap and a downtime are under way."""
        async with machines() as (cluster, call):
            cluster.plan_bootstrap(1, downtime=[(0.1, 10)])
            await start(call, CREATE)
            await asyncio.sleep(3)
        assert asyncio.all_tasks() == {asyncio.current_task()}


class TestOutside:
    """Nodes outside of the cluster are never its primary."""

    async def test_never_the_primary(self) -> None:
        """Neither a stop, nor an election, nor a start makes such a node the primary."""
        async with machines() as (cluster, call):
            await create(cluster, call)
            await cluster.stop_node(1)
            assert cluster.primary is None
            await cluster.stop_node(2)
            await cluster.start_node(2)
            assert cluster.primary is None
            cluster.chaos(1, horizon=100, episodes=40)
            await asyncio.sleep(200)
            assert cluster.primary is None
            await cluster.start_node(1)
            assert cluster.primary == 1
            with pytest.raises(ValueError, match="in no cluster"):
                cluster.primary = 3

    async def test_no_actions(self) -> None:
        """Nothing can be started on such a node."""
        async with machines() as (cluster, _):
            with pytest.raises(ValueError, match="no node 1"):
                cluster.start_node_action(1, "maintenance_on")


async def test_token() -> None:
    """Tokens are issued with the credentials of a new cluster."""
    async with machines(1) as (cluster, call):
        await create(cluster, call)
        token = (await call.ok("POST", "/v1/users/authorize", CREDENTIALS))["access_token"]
        headers = {"Authorization": f"JWT {token}"}

        assert (await call("GET", FROM, headers=headers))[0] == 200
        async with http_client(cluster) as again:
            assert (await again("GET", FROM))[0] == 200
