"""Facts about `FakeCluster`: it answers as clusters do, asked without any of our own code."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import gc
import hashlib
import json
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import aiohttp
import pytest
from yarl import URL

from redis_enterprise_actions.testing import ChaosEpisode, FakeCluster, Plan
from redis_enterprise_actions.testing.server.auth import TOKEN_MARK
from redis_enterprise_actions.testing.server.chaos import EpisodeKind, draw_episodes
from redis_enterprise_actions.testing.state.databases import DATABASE_SECRET


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from redis_enterprise_actions.testing import Kind, Outcome, Progress, Version
    from redis_enterprise_actions.testing.server.tls import Certificates

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


class Asker:
    """Asks the fake with nothing but aiohttp."""

    def __init__(self, session: aiohttp.ClientSession, cluster: FakeCluster) -> None:
        self.session = session
        self.cluster = cluster

    async def __call__(self, path: str, *, node: int = 1) -> tuple[int, Any]:
        """GET a path of a node; return the status and the decoded body."""
        url = f"{self.cluster.urls[node - 1]}{path}"
        async with self.session.get(url, allow_redirects=False) as response:
            if response.content_type != "application/json":
                return response.status, await response.text()
            return response.status, await response.json()

    async def ok(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """GET a path that must succeed; return the decoded body."""
        status, body = await self(path)
        assert status == 200
        return body


def authorized(cluster: FakeCluster) -> aiohttp.ClientSession:
    """Return a session with the cluster's credentials."""
    pair = base64.b64encode(f"{cluster.username}:{cluster.password}".encode()).decode()
    return aiohttp.ClientSession(headers={"Authorization": f"Basic {pair}"})


def four_requests(
    session: aiohttp.ClientSession, cluster: FakeCluster
) -> list[asyncio.Task[tuple[int, Any]]]:
    """Begin four requests at once."""
    ask = Asker(session, cluster)
    return [asyncio.create_task(ask("/v1/actions")) for _ in range(4)]


def statuses(body: Any) -> dict[str, object]:  # noqa: ANN401 - JSON
    """Return the status of each entry of a list, by uid."""
    entries = body if isinstance(body, list) else body["actions"] + body["state-machines"]
    return {entry["action_uid"]: entry["status"] for entry in entries}


def with_header(authorization: str | None) -> aiohttp.ClientSession:
    """Return a session with that header."""
    headers = {} if authorization is None else {"Authorization": authorization}
    return aiohttp.ClientSession(headers=headers)


def pair_of(cluster: FakeCluster) -> dict[str, str]:
    """Return the cluster's credentials as they stand in a body."""
    return {"username": cluster.username, "password": cluster.password}


async def post(
    session: aiohttp.ClientSession,
    cluster: FakeCluster,
    route: str,
    data: bytes,
    *,
    node: int = 1,
    **options: Any,  # noqa: ANN401 - aiohttp's
) -> tuple[int, Any]:
    """POST to a route about users; return the status and the decoded body."""
    url = f"{cluster.urls[node - 1]}/v1/users/{route}"
    async with session.post(url, data=data, allow_redirects=False, **options) as response:
        if response.content_type != "application/json":
            return response.status, await response.text()
        return response.status, await response.json()


async def authorize(
    session: aiohttp.ClientSession,
    cluster: FakeCluster,
    route: str = "authorize",
    **asked: object,
) -> str:
    """Ask for a token, which must be given."""
    body = json.dumps(asked).encode() if asked else b""
    status, said = await post(session, cluster, route, body)
    assert (status, list(said)) == (200, ["access_token"])
    token = said["access_token"]
    assert isinstance(token, str)
    return token


def decoded(part: str) -> dict[str, Any]:
    """Return what a part of a token says."""
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return said


def port_of(url: str) -> int:
    """Return the port of a URL."""
    port = URL(url).port
    assert port is not None
    return port


def fingerprint_of(cluster: FakeCluster) -> aiohttp.Fingerprint:
    """Return a pin on the cluster's certificate."""
    return aiohttp.Fingerprint(bytes.fromhex(cluster.fingerprint.replace(":", "")))


def unverified() -> ssl.SSLContext:
    """Return a client's context that trusts everybody."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def mutual() -> FakeCluster:
    """Return a cluster that asks its clients for a certificate."""
    return FakeCluster(tls="own-ca", client_certificate=True)


def showing(pem: str, cluster: FakeCluster, folder: Path) -> ssl.SSLContext:
    """Return a client's context that trusts a cluster and shows a certificate."""
    context = ssl.create_default_context(cadata=cluster.ca_pem)
    file = folder / "client.pem"
    file.write_text(pem)
    context.load_cert_chain(file)
    return context


@pytest.fixture
async def ask(cluster: FakeCluster) -> AsyncIterator[Asker]:
    """Return what asks the cluster."""
    async with authorized(cluster) as session:
        yield Asker(session, cluster)


@pytest.fixture
async def three() -> AsyncIterator[FakeCluster]:
    """A cluster of three nodes."""
    async with FakeCluster(nodes=3) as cluster:
        yield cluster


@pytest.fixture
async def ask3(three: FakeCluster) -> AsyncIterator[Asker]:
    """Return what asks the cluster of three."""
    async with authorized(three) as session:
        yield Asker(session, three)


class TestBodies:
    """What actions look like on the wire."""

    async def test_task(self, cluster: FakeCluster, ask: Asker) -> None:
        """A task of v1 has strings for numbers and its uid twice."""
        uid = cluster.add_action("retry_bdb", Plan(duration=10, progress="linear"), node_uid=2)
        await asyncio.sleep(5)
        body = await ask.ok(f"/v1/actions/{uid}")

        assert body.pop("creation_time").isdecimal()
        assert float(body.pop("progress")) == pytest.approx(50, abs=1)
        assert body == {
            "action_uid": uid,
            "task_id": uid,
            "name": "retry_bdb",
            "status": "running",
            "node_uid": "2",
        }

    async def test_machine(self, cluster: FakeCluster, ask: Asker) -> None:
        """A state machine of v1 has numbers for numbers, a step and an object."""
        uid = cluster.add_action("SMCreateBDB", Plan(duration=7), bdb_uid=3)
        await asyncio.sleep(1.5)
        body = await ask.ok(f"/v1/actions/{uid}")

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

    async def test_completed_machine(self, cluster: FakeCluster, ask: Asker) -> None:
        """A completed state machine has neither progress nor state."""
        uid = cluster.add_action("SMCreateBDB", Plan(duration=0))
        body = await ask.ok(f"/v1/actions/{uid}")

        assert body["status"] == "completed"
        assert not {"progress", "state"} & set(body)

    async def test_completed_task(self, cluster: FakeCluster, ask: Asker) -> None:
        """A completed task has the progress "100"."""
        uid = cluster.add_action("retry_bdb", Plan(duration=0))

        assert (await ask.ok(f"/v1/actions/{uid}"))["progress"] == "100"

    async def test_v2(self, cluster: FakeCluster, ask: Asker) -> None:
        """An action of v2 has its object in `additional_info`, if it has one."""
        export = cluster.add_action("export", Plan(duration=10, progress="linear"), bdb_uid=3)
        task = cluster.add_action("retry_bdb", Plan(queued=5))
        await asyncio.sleep(1)
        body = await ask.ok(f"/v2/actions/{export}")

        assert isinstance(body.pop("creation_time"), int)
        assert body.pop("progress") == pytest.approx(10, abs=1)
        assert body == {
            "action_uid": export,
            "action_type": "other",
            "name": "export",
            "status": "running",
            "additional_info": {"object_type": "bdb", "object_uid": "3"},
        }
        assert "additional_info" not in await ask.ok(f"/v2/actions/{task}")

    @pytest.mark.parametrize(
        ("name", "queued", "running"),
        [("retry_bdb", "queued", "running"), ("SMUpdateBDB", "pending", "active")],
    )
    async def test_words(
        self, cluster: FakeCluster, ask: Asker, name: str, queued: str, running: str
    ) -> None:
        """Each family of v1 has its own words, and v2 has one set for all."""
        uid = cluster.add_action(name, Plan(queued=5, duration=5))
        seen = []
        for _ in range(3):
            seen.append((await ask.ok(f"/v1/actions/{uid}"))["status"])
            seen.append((await ask.ok(f"/v2/actions/{uid}"))["status"])
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
        ask: Asker,
        name: str,
        v1: dict[str, str],
        v2: dict[str, str],
    ) -> None:
        """Where the reason of a failure stands depends on the family."""
        uid = cluster.add_action(name, Plan(duration=0, outcome="failed", error="no room"))
        body = await ask.ok(f"/v1/actions/{uid}")

        assert {key: body[key] for key in body if key.startswith("error")} == v1
        assert (await ask.ok(f"/v2/actions/{uid}"))["additional_info"] == v2

    async def test_pending_ops(self, cluster: FakeCluster, ask: Asker) -> None:
        """A running state machine has pending operations on its shards."""
        uid = cluster.add_action("SMCreateBDB", Plan(duration=7), shards=(3, 4))
        await asyncio.sleep(1.5)
        ops = (await ask.ok(f"/v1/actions/{uid}"))["pending_ops"]

        assert list(ops) == ["3", "4"]
        assert ops["3"]["op_name"] == "provision"
        assert ops["3"]["progress"] == 14.29
        assert (await ask.ok(f"/v2/actions/{uid}"))["additional_info"]["pending_ops"].keys() == {
            "3",
            "4",
        }
        await asyncio.sleep(7)
        assert (await ask.ok(f"/v1/actions/{uid}"))["pending_ops"] == {}

    async def test_lists(self, cluster: FakeCluster, ask: Asker) -> None:
        """v1 has an object of two arrays, a database an array, v2 an array of everything."""
        task, machine = cluster.add_action("retry_bdb"), cluster.add_action(bdb_uid=2)
        export = cluster.add_action("export", bdb_uid=2)
        v1 = await ask.ok("/v1/actions")

        assert [entry["action_uid"] for entry in v1["actions"]] == [task]
        assert [entry["action_uid"] for entry in v1["state-machines"]] == [machine]
        assert [e["action_uid"] for e in await ask.ok("/v1/actions/bdb/2")] == [machine]
        assert [e["action_uid"] for e in await ask.ok("/v2/actions")] == [task, machine, export]


class TestCurves:
    """How progress goes."""

    @pytest.mark.parametrize(
        ("progress", "outcome", "expected"),
        [
            ("linear", "completed", ["0", "25", "50", "75", "100"]),
            ("steps", "completed", ["0", "0", "33.33", "66.67", "100"]),
            ("stalling", "completed", ["0", "25", "50", "60", "60"]),
            ("none", "completed", [None] * 5),
            ("linear", "failed", ["0", "25", "50", "50", "50"]),
            ("linear", "never", ["0", "25", "50", "60", "60"]),
            ("linear", "stuck", ["0", "25", "50", "75", "100"]),
        ],
    )
    async def test_curve(
        self,
        cluster: FakeCluster,
        ask: Asker,
        progress: Progress,
        outcome: Outcome,
        expected: list[str | None],
    ) -> None:
        """Progress rises with steps or time, stalls, or is not given."""
        uid = cluster.add_action("retry_bdb", Plan(duration=8, progress=progress, outcome=outcome))
        seen: list[str | None] = []
        for _ in range(5):
            body = await ask.ok(f"/v1/actions/{uid}")
            seen.append(body.get("progress") and f"{round(float(body['progress']), 2):g}")
            await asyncio.sleep(2)

        wanted = [value and pytest.approx(float(value), abs=0.5) for value in expected]
        assert [value and float(value) for value in seen] == wanted

    async def test_none(self, cluster: FakeCluster, ask: Asker) -> None:
        """Without progress there is none, in either version."""
        uid = cluster.add_action(plan=Plan(progress="none"))

        assert "progress" not in await ask.ok(f"/v1/actions/{uid}")
        assert "progress" not in await ask.ok(f"/v2/actions/{uid}")

    async def test_heartbeat(self, cluster: FakeCluster, ask: Asker) -> None:
        """A heartbeat is when progress last changed."""
        uid = cluster.add_action("SMUpdateBDB", Plan(duration=14, outcome="never"))
        start = (await ask.ok(f"/v1/actions/{uid}"))["heartbeat"]
        await asyncio.sleep(5.5)
        assert (await ask.ok(f"/v1/actions/{uid}"))["heartbeat"] - start in {4, 5}
        await asyncio.sleep(100)
        assert (await ask.ok(f"/v1/actions/{uid}"))["heartbeat"] - start in {7, 8}


class TestEnds:
    """How actions end."""

    @pytest.mark.parametrize(
        ("outcome", "status"),
        [
            ("completed", "completed"),
            ("failed", "failed"),
            ("cancelled", "cancelled"),
            ("aborted", "aborted"),
            ("never", "running"),
            ("stuck", "running"),
        ],
    )
    async def test_outcome(
        self, cluster: FakeCluster, ask: Asker, outcome: Outcome, status: str
    ) -> None:
        """An action ends when its time is over, as it was told to."""
        uid = cluster.add_action("retry_bdb", Plan(duration=8, outcome=outcome))
        await asyncio.sleep(7.9)
        assert (await ask.ok(f"/v1/actions/{uid}"))["status"] == "running"
        await asyncio.sleep(0.2)
        assert (await ask.ok(f"/v1/actions/{uid}"))["status"] == status

    async def test_truth(self, cluster: FakeCluster) -> None:
        """The truth is there to compare with."""
        now = asyncio.get_running_loop().time()
        uid, never = (
            cluster.add_action(plan=Plan(duration=8)),
            cluster.add_action(plan=Plan(outcome="never")),
        )

        assert cluster.actions[uid].ends_at == pytest.approx(now + 8)
        assert cluster.actions[never].ends_at == float("inf")

    async def test_delete(self, cluster: FakeCluster, ask: Asker) -> None:
        """A delete takes its record and the database with it."""
        uid = cluster.add_action("SMDeleteBDB", Plan(duration=5), bdb_uid=2)
        assert (await ask.ok("/v1/bdbs/2"))["status"] == "delete-pending"
        await asyncio.sleep(5.1)

        assert await ask(f"/v1/actions/{uid}") == (
            404,
            {"description": f"Action {uid} does not exist", "error_code": "action_not_found"},
        )
        assert (await ask(f"/v2/actions/{uid}"))[0] == 404
        assert (await ask("/v1/bdbs/2"))[0] == 404
        assert (await ask("/v1/actions/bdb/2"))[0] == 404

    @pytest.mark.parametrize("outcome", ["failed", "never"])
    async def test_delete_that_fails(
        self, cluster: FakeCluster, ask: Asker, outcome: Outcome
    ) -> None:
        """A delete that does not succeed leaves the database where it is."""
        cluster.add_action("SMDeleteBDB", Plan(duration=5, outcome=outcome), bdb_uid=2)
        await asyncio.sleep(10)

        await ask.ok("/v1/bdbs/2")

    async def test_deleted_stays_deleted(self, cluster: FakeCluster, ask: Asker) -> None:
        """A database is gone even if its delete is forgotten, until one is made anew."""
        uid = cluster.add_action("SMDeleteBDB", Plan(duration=5), bdb_uid=2)
        cluster.add_action("retry_bdb", Plan(duration=1), bdb_uid=2)
        await asyncio.sleep(5.1)
        cluster.forget(uid)
        assert (await ask("/v1/bdbs/2"))[0] == 404

        cluster.add_action("SMCreateBDB", Plan(duration=5), bdb_uid=2)
        assert (await ask.ok("/v1/bdbs/2"))["status"] == "pending"
        await asyncio.sleep(5.1)
        assert (await ask.ok("/v1/bdbs/2"))["status"] == "active"

    async def test_forget(self, cluster: FakeCluster, ask: Asker) -> None:
        """What is forgotten is not known."""
        uid = cluster.add_action()
        cluster.forget(uid)

        assert (await ask(f"/v1/actions/{uid}"))[0] == 404

    async def test_database(self, cluster: FakeCluster, ask: Asker) -> None:
        """A database names its running action, and none when it is idle; it holds secrets."""
        uid = cluster.add_action(plan=Plan(duration=5))
        busy = await ask.ok("/v1/bdbs/1")
        await asyncio.sleep(5.1)
        idle = await ask.ok("/v1/bdbs/1")

        assert (busy["status"], busy["action_uid"]) == ("active-change-pending", uid)
        assert busy["background_op"][0]["name"] == "SMUpdateBDB"
        assert idle["status"] == "active"
        assert "action_uid" not in idle
        assert idle["authentication_admin_pass"] == DATABASE_SECRET


class TestServer:
    """Routes, credentials and the log."""

    @pytest.mark.parametrize(
        ("version", "status"), [("7.4", 404), ("7.8", 404), ("7.22", 200), ("8.0", 200)]
    )
    async def test_version(self, version: Version, status: int) -> None:
        """There is no v2 before 7.22."""
        async with FakeCluster(version=version) as cluster, authorized(cluster) as session:
            assert (await Asker(session, cluster)("/v2/actions"))[0] == status
            assert (await Asker(session, cluster)("/v1/actions"))[0] == 200

    async def test_credentials(self, cluster: FakeCluster) -> None:
        """Nobody is let in without the right credentials."""
        async with aiohttp.ClientSession() as session:
            assert await Asker(session, cluster)("/v1/actions") == (401, "")

    async def test_server(self, cluster: FakeCluster) -> None:
        """Every answer comes through an Envoy, as on real clusters."""
        async with aiohttp.ClientSession() as session, session.get(cluster.url) as answer:
            assert answer.status == 401
            assert answer.headers["Server"] == "envoy"

    @pytest.mark.parametrize("path", ["/", "/v1/action", "/v1/bdbs/x", "/v1/bdbs/9"])
    async def test_unknown_path(self, ask: Asker, path: str) -> None:
        """What is not there is 404."""
        assert (await ask(path))[0] == 404

    async def test_log(self, cluster: FakeCluster, ask: Asker) -> None:
        """Requests are logged with time, path and answer, but not with credentials."""
        cluster.inject(status=503)
        await ask("/v1/actions?x=1")
        await asyncio.sleep(3)
        await ask("/v1/actions/a%2Fb")

        first, second = cluster.requests
        assert (first.method, first.path, first.status) == ("GET", "/v1/actions?x=1", 503)
        assert (second.path, second.status) == ("/v1/actions/a%2Fb", 404)
        assert second.time - first.time == pytest.approx(3, abs=0.01)
        assert cluster.password not in repr(cluster.requests)
        assert "Basic" not in repr(cluster.requests)

    async def test_log_is_the_users(self, cluster: FakeCluster, ask: Asker) -> None:
        """The log may be cleared at any time, while an answer is under way, too."""
        cluster.inject(delay=5)
        late = asyncio.create_task(ask("/v1/actions"))
        await asyncio.sleep(1)
        cluster.requests.clear()
        assert (await ask("/v2/actions"))[0] == 200

        assert (await late)[0] == 200
        assert [(seen.path, seen.status) for seen in cluster.requests] == [("/v2/actions", 200)]

    async def test_outside(self, unused_tcp_port: int) -> None:
        """A cluster is there from `async with` to its end, on the port that it was given."""
        cluster = FakeCluster(port=unused_tcp_port)
        with pytest.raises(RuntimeError):
            _ = cluster.url
        async with cluster:
            assert cluster.url == f"http://127.0.0.1:{unused_tcp_port}"
            with pytest.raises(OSError, match="address"):
                await FakeCluster(port=unused_tcp_port).__aenter__()
        with pytest.raises(RuntimeError):
            _ = cluster.url
        await cluster.__aexit__(None, None, None)

    async def test_end_does_not_wait(self) -> None:
        """The end of the cluster does not wait for answers under way."""
        began = asyncio.get_running_loop().time()
        async with FakeCluster() as cluster, authorized(cluster) as session:
            cluster.inject(delay=3600)
            asking = asyncio.create_task(Asker(session, cluster)("/v1/actions"))
            await asyncio.sleep(1)
            asking.cancel()
            await asyncio.wait([asking])
        assert asyncio.get_running_loop().time() - began < 2

    async def test_end_meets_newcomers(self) -> None:
        """A connection that arrives while the cluster ends is not left open."""
        for turns in range(12):
            async with FakeCluster() as cluster, authorized(cluster) as session:
                asks = four_requests(session, cluster)
                for _ in range(turns):
                    await asyncio.sleep(0)
            for asking in asks:
                asking.cancel()
            await asyncio.gather(*asks, return_exceptions=True)
        gc.collect()


class TestNodes:
    """Several nodes, of which one is the primary."""

    async def test_urls(self, unused_tcp_port: int) -> None:
        """Each node has a port of its own; the first one has the one that was given."""
        async with FakeCluster(nodes=3, port=unused_tcp_port) as cluster:
            assert len(set(cluster.urls)) == 3
            assert cluster.urls[0] == cluster.url == f"http://127.0.0.1:{unused_tcp_port}"
            assert cluster.primary == 1

    async def test_one_state(self, three: FakeCluster, ask3: Asker) -> None:
        """All nodes know the same, and the log tells which of them was asked."""
        three.handle_redirects = True
        uid = three.add_action()
        for node in (3, 1, 2):
            assert (await ask3(f"/v1/actions/{uid}", node=node))[0] == 200

        assert [seen.node for seen in three.requests] == [3, 1, 2]

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
    @pytest.mark.parametrize("path", ["/v1/actions?x=1&y=%2F", "/v2/actions/a%2Fb", "/v9"])
    async def test_redirect(self, three: FakeCluster, method: str, path: str) -> None:
        """A follower sends everybody to the same path of the primary, and asks nobody's name."""
        url = f"{three.urls[1]}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, URL(url, encoded=True), allow_redirects=False) as response,
        ):
            assert response.status == 307
            assert response.headers["Location"] == f"{three.url}{path}"
            assert await response.read() == b""

    async def test_redirect_is_followed(self, three: FakeCluster, ask3: Asker) -> None:
        """Who follows a redirect, and shows the credentials again, is answered."""
        three.primary = 3
        async with ask3.session.get(f"{three.url}/v1/actions", allow_redirects=False) as response:
            there = response.headers["Location"]
        async with ask3.session.get(there) as response:
            assert response.status == 200

        assert [(seen.node, seen.status) for seen in three.requests] == [(1, 307), (3, 200)]

    @pytest.mark.parametrize("base", ["https://10.0.0.7:9443", "https://10.0.0.7:9443/"])
    async def test_redirect_to(self, three: FakeCluster, ask3: Asker, base: str) -> None:
        """Followers can be told to name another address, as clusters name their inner ones."""
        three.redirect_to = base
        url = f"{three.urls[2]}/v1/actions"
        async with ask3.session.get(url, allow_redirects=False) as response:
            assert response.headers["Location"] == "https://10.0.0.7:9443/v1/actions"

    async def test_handle_redirects(self) -> None:
        """A cluster that handles redirects by itself answers everywhere."""
        async with (
            FakeCluster(nodes=2, handle_redirects=True) as cluster,
            authorized(cluster) as session,
        ):
            ask = Asker(session, cluster)
            assert (await ask("/v1/actions", node=2))[0] == 200
            cluster.handle_redirects = False
            assert (await ask("/v1/actions", node=2))[0] == 307

    @pytest.mark.parametrize("handle_redirects", [True, False])
    async def test_no_primary(
        self, three: FakeCluster, ask3: Asker, *, handle_redirects: bool
    ) -> None:
        """Without a primary every node answers 503."""
        three.handle_redirects = handle_redirects
        three.primary = None
        for node in (1, 2, 3):
            status, body = await ask3("/v1/actions", node=node)
            assert (status, body["error_code"]) == (503, "no_primary")

    async def test_stop(self, three: FakeCluster, ask3: Asker) -> None:
        """A stopped node refuses connections at the port that it keeps, and the others go on."""
        urls = three.urls
        await three.stop_node(2)
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask3("/v1/actions", node=2)

        assert three.urls == urls
        assert three.primary == 1
        assert (await ask3("/v1/actions", node=3))[0] == 307

    async def test_stop_cuts(self, three: FakeCluster, ask3: Asker) -> None:
        """A node that stops cuts the connections that it has, in the middle of an answer, too."""
        three.inject(delay=60)
        asking = asyncio.create_task(ask3("/v1/actions"))
        await asyncio.sleep(1)
        await three.stop_node(1)
        with pytest.raises(aiohttp.ClientError):
            await asking

        assert [(seen.node, seen.status) for seen in three.requests] == [(1, None)]

    async def test_stop_the_primary(self, three: FakeCluster, ask3: Asker) -> None:
        """If the primary stops, the lowest node that runs is it; if none does, there is none."""
        primaries = []
        for node in (1, 3, 2):
            await three.stop_node(node)
            primaries.append(three.primary)

        assert primaries == [2, 2, None]

    async def test_start(self, three: FakeCluster, ask3: Asker) -> None:
        """A node comes back at its port, as a follower."""
        urls = three.urls
        assert (await ask3("/v1/actions"))[0] == 200
        await three.stop_node(1)
        await three.start_node(1)

        assert three.urls == urls
        assert three.primary == 2
        assert (await ask3("/v1/actions"))[0] == 307

    async def test_start_alone(self, three: FakeCluster, ask3: Asker) -> None:
        """The first node that comes back when none ran is the primary."""
        for node in (1, 2, 3):
            await three.stop_node(node)
        await three.start_node(2)
        await three.start_node(1)

        assert three.primary == 2
        assert (await ask3("/v1/actions", node=2))[0] == 200

    async def test_restart(self, three: FakeCluster, ask3: Asker) -> None:
        """A restart takes as long as it was told to."""
        began = asyncio.get_running_loop().time()
        restarting = asyncio.create_task(three.restart_node(1, downtime=20))
        await asyncio.sleep(19)
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask3("/v1/actions")
        await restarting

        assert asyncio.get_running_loop().time() - began == pytest.approx(20, abs=0.01)
        assert (await ask3("/v1/actions"))[0] == 307

    async def test_restart_cancelled(self, three: FakeCluster, ask3: Asker) -> None:
        """A restart that is cancelled leaves the node stopped."""
        restarting = asyncio.create_task(three.restart_node(2))
        await asyncio.sleep(1)
        restarting.cancel()
        await asyncio.wait([restarting])
        await asyncio.sleep(60)

        with pytest.raises(aiohttp.ClientConnectorError):
            await ask3("/v1/actions", node=2)

    async def test_restart_outlives(self) -> None:
        """A restart cannot start a node of a cluster that has ended."""
        async with FakeCluster(nodes=2) as cluster:
            restarting = asyncio.create_task(cluster.restart_node(2))
            await asyncio.sleep(1)
        with pytest.raises(RuntimeError, match="inside `async with`"):
            await restarting

    @pytest.mark.parametrize("step", ["stop", "start"])
    async def test_cancelled(self, step: str) -> None:
        """Stopping and starting can be cancelled at any moment, and leave nothing behind."""
        for turns in range(20):
            async with FakeCluster(nodes=2) as cluster, authorized(cluster) as session:
                await Asker(session, cluster)("/v1/actions", node=2)
                if step == "start":
                    await cluster.stop_node(2)
                work = cluster.start_node(2) if step == "start" else cluster.stop_node(2)
                working = asyncio.create_task(work)
                for _ in range(turns):
                    await asyncio.sleep(0)
                working.cancel()
                await asyncio.wait([working])
        gc.collect()

    async def test_stop_and_start_at_once(self, three: FakeCluster, ask3: Asker) -> None:
        """A node that is started while it stops is stopped first."""
        await asyncio.gather(three.stop_node(2), three.start_node(2))

        assert (await ask3("/v1/actions", node=2))[0] == 307

    async def test_stop_meets_newcomers(self) -> None:
        """A connection that arrives while a node stops is cut, and not left open."""
        for turns in range(12):
            async with FakeCluster(nodes=2) as cluster, authorized(cluster) as session:
                asks = four_requests(session, cluster)
                for _ in range(turns):
                    await asyncio.sleep(0)
                await cluster.stop_node(1)
                results = await asyncio.gather(*asks, return_exceptions=True)

            for result in results:
                assert isinstance(result, (tuple, aiohttp.ClientError)), turns
        gc.collect()

    async def test_port_taken(self, three: FakeCluster, ask3: Asker) -> None:
        """If somebody else takes the port of a stopped node, it cannot start, but may later."""
        await three.stop_node(2)
        port = URL(three.urls[1]).port
        with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match="address"):
            await three.start_node(2)
        await three.start_node(2)

        assert (await ask3("/v1/actions", node=2))[0] == 307

    async def test_again(self) -> None:
        """A cluster can be entered again, and all its nodes run again."""
        cluster = FakeCluster(nodes=2)
        for _ in range(2):
            async with cluster, authorized(cluster) as session:
                assert (await Asker(session, cluster)("/v1/actions", node=2))[0] == 307
                await cluster.stop_node(2)

    @pytest.mark.parametrize("node", [0, 4, -1])
    async def test_unknown(self, three: FakeCluster, node: int) -> None:
        """There is nothing to do with a node that is not there."""
        with pytest.raises(ValueError, match=f"no node {node}: the cluster has 3"):
            await three.stop_node(node)
        with pytest.raises(ValueError, match=f"no node {node}: the cluster has 3"):
            await three.start_node(node)
        with pytest.raises(ValueError, match=f"no node {node}: the cluster has 3"):
            three.primary = node

    async def test_twice(self, three: FakeCluster) -> None:
        """A node is neither stopped nor started twice."""
        with pytest.raises(ValueError, match="node 2 runs already"):
            await three.start_node(2)
        await three.stop_node(2)
        with pytest.raises(ValueError, match="node 2 is stopped already"):
            await three.stop_node(2)

    @pytest.mark.parametrize("downtime", [-1, float("nan")])
    async def test_downtime(self, three: FakeCluster, downtime: float) -> None:
        """A node is not down for less than nothing, and is not even stopped for that."""
        with pytest.raises(ValueError, match="downtime"):
            await three.restart_node(2, downtime=downtime)
        await three.stop_node(2)

    async def test_outside(self) -> None:
        """Nodes are stopped and started inside `async with` only."""
        cluster = FakeCluster(nodes=2)
        with pytest.raises(RuntimeError, match="inside"):
            await cluster.stop_node(2)
        with pytest.raises(RuntimeError, match="inside"):
            await cluster.start_node(2)


class TestTokens:
    """Tokens, and whom they let in."""

    @pytest.mark.parametrize("scheme", ["JWT", "Bearer"])
    async def test_authorize(self, cluster: FakeCluster, scheme: str) -> None:
        """Who shows the credentials gets a token, which is as good on every route."""
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
        cluster.add_action(uid="u")
        async with with_header(f"{scheme} {token}") as session:
            ask = Asker(session, cluster)
            for path in ("/v1/actions", "/v1/actions/u", "/v1/bdbs/1", "/v2/actions"):
                await ask.ok(path)

    async def test_authorize_by_body(self, cluster: FakeCluster) -> None:
        """The credentials may stand in the body, if there is no header."""
        async with aiohttp.ClientSession() as session:
            token = await authorize(session, cluster, **pair_of(cluster), ttl=60)
        async with with_header(f"JWT {token}") as session:
            await Asker(session, cluster).ok("/v1/actions")

    async def test_shape(self) -> None:
        """A token has three parts; it tells in whole seconds when it ends, and is unique."""
        async with FakeCluster() as cluster, authorized(cluster) as session:
            tokens = [await authorize(session, cluster, ttl=600) for _ in range(2)]
        header, payload, signature = tokens[0].split(".")
        said = decoded(payload)

        assert decoded(header) == {"alg": "HS256", "typ": "JWT"}
        assert set(said) == {"iat", "exp", "jti"}
        assert said["iat"] == pytest.approx(time.time(), abs=60)
        assert said["exp"] - said["iat"] == 600
        assert signature.startswith(TOKEN_MARK)
        assert "=" not in tokens[0]
        assert tokens[0] != tokens[1]

    async def test_iat(self, cluster: FakeCluster) -> None:
        """Tokens are dated on the loop's clock."""
        async with authorized(cluster) as session:
            first = decoded((await authorize(session, cluster)).split(".")[1])
            await asyncio.sleep(1000)
            second = decoded((await authorize(session, cluster)).split(".")[1])

        assert second["iat"] - first["iat"] == pytest.approx(1000, abs=1)

    @pytest.mark.parametrize(
        ("asked", "ttl"),
        [({}, 40), ({"ttl": 1}, 1), ({"ttl": 86400}, 86400)],
        ids=["default", "least", "most"],
    )
    async def test_expiry(self, asked: dict[str, int], ttl: int) -> None:
        """A token is good for the time that was asked for, or the cluster's, and no longer."""
        async with FakeCluster(token_ttl=40) as cluster:
            async with authorized(cluster) as session:
                token = await authorize(session, cluster, **asked)
            async with with_header(f"JWT {token}") as session:
                ask = Asker(session, cluster)
                await asyncio.sleep(ttl - 0.1)
                assert (await ask("/v1/actions"))[0] == 200
                await asyncio.sleep(0.2)
                assert (await ask("/v1/actions"))[0] == 401

    async def test_ttl_set_later(self, cluster: FakeCluster) -> None:
        """The cluster's time for tokens may be set at any time, and may be a fraction."""
        cluster.token_ttl = 0.5
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
        async with with_header(f"JWT {token}") as session:
            assert (await Asker(session, cluster)("/v1/actions"))[0] == 200
            await asyncio.sleep(0.6)
            assert (await Asker(session, cluster)("/v1/actions"))[0] == 401

    async def test_refresh(self, cluster: FakeCluster) -> None:
        """A token that is still good is exchanged for one that lasts longer."""
        async with authorized(cluster) as session:
            token = await authorize(session, cluster, ttl=10)
        await asyncio.sleep(9)
        async with with_header(f"JWT {token}") as session:
            newer = await authorize(session, cluster, "refresh_jwt")
        async with with_header(f"JWT {newer}") as session:
            await asyncio.sleep(290)
            assert (await Asker(session, cluster)("/v1/actions"))[0] == 200
            await asyncio.sleep(20)
            status, body = await post(session, cluster, "refresh_jwt", b"")
            assert (status, body) == (401, "")

    @pytest.mark.parametrize("path", ["authorize", "refresh_jwt"])
    @pytest.mark.parametrize(
        "header", [None, "Basic bm86bm8=", "JWT a.b.c", "Bearer", "JWT", "\u00fc", ""]
    )
    async def test_refused(self, cluster: FakeCluster, path: str, header: str | None) -> None:
        """Nobody gets a token without the right credentials."""
        async with with_header(header) as session:
            for body in (b"", b"{}", b'{"username": "no", "password": "no"}'):
                assert await post(session, cluster, path, body) == (401, "")

    async def test_header_comes_first(self, cluster: FakeCluster) -> None:
        """A wrong header is not made good by a right body."""
        async with with_header("Basic bm86bm8=") as session:
            body = json.dumps(pair_of(cluster)).encode()
            assert (await post(session, cluster, "authorize", body))[0] == 401

    async def test_refresh_needs_a_token(self, cluster: FakeCluster) -> None:
        """User and password are not refreshed."""
        async with authorized(cluster) as session:
            assert (await post(session, cluster, "refresh_jwt", b""))[0] == 401

    @pytest.mark.parametrize("path", ["authorize", "refresh_jwt"])
    @pytest.mark.parametrize(
        "ttl", [0, -1, 86401, 1.5, 60.0, "60", None, True, []], ids=lambda ttl: repr(ttl)
    )
    async def test_invalid_ttl(self, cluster: FakeCluster, path: str, ttl: object) -> None:
        """A time is a whole number of seconds, a day at most."""
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
            header = None if path == "authorize" else {"Authorization": f"JWT {token}"}
            body = json.dumps({"ttl": ttl}).encode()
            status, said = await post(session, cluster, path, body, headers=header)

        assert (status, said["error_code"]) == (400, "invalid_ttl")

    @pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"\xff"])
    async def test_no_json(self, cluster: FakeCluster, body: bytes) -> None:
        """What is no JSON object is not understood."""
        async with authorized(cluster) as session:
            status, said = await post(session, cluster, "authorize", body)

        assert (status, said["error_code"]) == (400, "invalid_request")

    async def test_altered(self, cluster: FakeCluster) -> None:
        """A token that was altered is not accepted."""
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
        async with with_header(f"JWT {token}0") as session:
            assert (await Asker(session, cluster)("/v1/actions"))[0] == 401

    async def test_revoke(self, cluster: FakeCluster) -> None:
        """Revoked tokens are no good, and cannot be refreshed; those issued later are."""
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
            cluster.revoke_tokens()
            later = await authorize(session, cluster)
        async with with_header(f"JWT {token}") as session:
            assert (await Asker(session, cluster)("/v1/actions"))[0] == 401
            assert (await post(session, cluster, "refresh_jwt", b""))[0] == 401
        async with with_header(f"JWT {later}") as session:
            assert (await Asker(session, cluster)("/v1/actions"))[0] == 200

    async def test_no_basic(self) -> None:
        """Where Basic is off, user and password are good for nothing but a token, in a body."""
        async with FakeCluster(basic=False) as cluster:
            async with authorized(cluster) as session:
                async with session.get(f"{cluster.url}/v1/actions") as response:
                    assert response.status == 401
                    assert "WWW-Authenticate" not in response.headers
                assert (await post(session, cluster, "authorize", b""))[0] == 401
            async with aiohttp.ClientSession() as session:
                token = await authorize(session, cluster, **pair_of(cluster))
            async with with_header(f"JWT {token}") as session:
                await Asker(session, cluster).ok("/v1/actions")

    async def test_basic_later(self, cluster: FakeCluster, ask: Asker) -> None:
        """Basic may be switched off and on at any time."""
        seen = []
        for basic in (True, False, True):
            cluster.basic = basic
            seen.append((await ask("/v1/actions"))[0])

        assert seen == [200, 401, 200]

    async def test_followers_redirect(self, three: FakeCluster, ask3: Asker) -> None:
        """A token is asked of the primary, and is good on every node."""
        status, _ = await post(ask3.session, three, "authorize", b"", node=2)
        token = await authorize(ask3.session, three)
        three.primary = 2
        async with with_header(f"JWT {token}") as session:
            assert (await Asker(session, three)("/v1/actions", node=2))[0] == 200

        assert status == 307

    async def test_secrets_are_not_shown(self, three: FakeCluster) -> None:
        """Neither the log nor the cluster shows passwords, tokens, headers or bodies."""
        async with aiohttp.ClientSession() as session:
            token = await authorize(session, three, **pair_of(three))
        async with with_header(f"JWT {token}") as session:
            await Asker(session, three).ok("/v1/actions")
            await authorize(session, three, "refresh_jwt", ttl=77_777)

        fields = {field.name for field in dataclasses.fields(three.requests[0])}
        assert fields == {"time", "method", "path", "status", "node"}
        assert [seen.method for seen in three.requests] == ["POST", "GET", "POST"]
        shown = f"{three!r} {three} {three.requests!r} {three.requests[0]}"
        for secret in (three.password, three.username, token, TOKEN_MARK, "JWT", "77777"):
            assert secret not in shown


@pytest.mark.parametrize("tls", ["self-signed", "own-ca"])
class TestEitherTls:
    """TLS, whoever has signed the certificate."""

    async def test_answers(self, tls: Certificates) -> None:
        """A cluster with TLS answers over https, and over nothing else."""
        async with FakeCluster(tls=tls, nodes=2) as cluster, authorized(cluster) as session:
            for url, port in zip(cluster.urls, map(port_of, cluster.urls), strict=True):
                assert url == f"https://127.0.0.1:{port}"
            pinned = fingerprint_of(cluster)
            for url, status in zip(cluster.urls, (200, 307), strict=True):
                async with session.get(
                    f"{url}/v1/actions", ssl=pinned, allow_redirects=False
                ) as response:
                    assert response.status == status
            assert response.headers["Location"] == f"{cluster.url}/v1/actions"
            with pytest.raises(aiohttp.ClientError):
                await session.get(cluster.url.replace("https", "http"))

    async def test_fingerprint(self, tls: Certificates) -> None:
        """The fingerprint is that of the certificate that the server shows."""
        async with FakeCluster(tls=tls) as cluster:
            assert re.fullmatch("([0-9A-F]{2}:){31}[0-9A-F]{2}", cluster.fingerprint)
            wrong = aiohttp.Fingerprint(bytes(32))
            async with authorized(cluster) as session:
                with pytest.raises(aiohttp.ServerFingerprintMismatch):
                    await session.get(cluster.url, ssl=wrong)
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port_of(cluster.url), ssl=unverified()
            )
            shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.transport.abort()

        assert hashlib.sha256(shown).digest() == fingerprint_of(cluster).fingerprint

    async def test_not_trusted(self, tls: Certificates) -> None:
        """Nobody trusts it unasked."""
        async with FakeCluster(tls=tls) as cluster, authorized(cluster) as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(cluster.url)

    async def test_every_cluster_its_own(self, tls: Certificates) -> None:
        """Two clusters share no certificate, and each has its own before it runs."""
        first, second = FakeCluster(tls=tls), FakeCluster(tls=tls)

        assert first.ca_pem != second.ca_pem
        assert first.fingerprint != second.fingerprint
        assert first.ca_pem.startswith("-----BEGIN CERTIFICATE-----\n")
        assert "PRIVATE" not in first.ca_pem

    async def test_restart(self, tls: Certificates) -> None:
        """A node has the same certificate when it comes back; connections are cut in between."""
        async with FakeCluster(tls=tls) as cluster, authorized(cluster) as session:
            pinned, url = fingerprint_of(cluster), f"{cluster.url}/v1/actions"
            cluster.inject(delay=60)
            asking = asyncio.create_task(session.get(url, ssl=pinned))
            await asyncio.sleep(1)
            await cluster.restart_node(1, downtime=5)
            with pytest.raises(aiohttp.ClientError):
                await asking
            async with session.get(url, ssl=pinned) as response:
                assert response.status == 200

    async def test_end_is_quick(self, tls: Certificates) -> None:
        """The end of a cluster waits for no farewell, though a connection is open."""
        began = asyncio.get_running_loop().time()
        async with FakeCluster(tls=tls) as cluster:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port_of(cluster.url), ssl=unverified()
            )
        writer.transport.abort()

        assert asyncio.get_running_loop().time() - began < 1

    async def test_stop_meets_newcomers(self, tls: Certificates) -> None:
        """A connection whose handshake is under way while a node stops is not left open."""
        for turns in range(0, 60, 3):
            async with FakeCluster(tls=tls) as cluster, authorized(cluster) as session:
                url, pinned = f"{cluster.url}/v1/actions", fingerprint_of(cluster)
                asks = [asyncio.create_task(session.get(url, ssl=pinned)) for _ in range(3)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                await cluster.stop_node(1)
                results = await asyncio.gather(*asks, return_exceptions=True)
                for result in results:
                    assert isinstance(result, (aiohttp.ClientResponse, aiohttp.ClientError)), turns
                    if isinstance(result, aiohttp.ClientResponse):
                        result.close()
        gc.collect()

    async def test_late_handshake(self, tls: Certificates) -> None:
        """A connection that takes its time to shake hands is not answered by a stopped node."""
        async with FakeCluster(tls=tls) as cluster:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(cluster.url))
            await asyncio.sleep(1)
            await cluster.stop_node(1)
            with contextlib.suppress(OSError):
                await writer.start_tls(unverified())
                writer.write(b"GET /v1/actions HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert await reader.read() == b""
            writer.transport.abort()
            await asyncio.sleep(1)

        assert cluster.requests == []


class TestTls:
    """Who has signed, and who has to show a certificate."""

    async def test_own_ca(self) -> None:
        """A certificate of an own CA is good for 127.0.0.1 and localhost, to who trusts it."""
        async with FakeCluster(tls="own-ca") as cluster, authorized(cluster) as session:
            trusting = ssl.create_default_context(cadata=cluster.ca_pem)
            for host in ("127.0.0.1", "localhost"):
                url = f"https://{host}:{port_of(cluster.url)}/v1/actions"
                async with session.get(url, ssl=trusting) as response:
                    assert response.status == 200

    async def test_self_signed(self) -> None:
        """A self-signed certificate is the one to trust; it names no host."""
        async with FakeCluster(tls="self-signed") as cluster, authorized(cluster) as session:
            trusting = ssl.create_default_context(cadata=cluster.ca_pem)
            with pytest.raises(aiohttp.ClientConnectorCertificateError, match=r"match|valid for"):
                await session.get(cluster.url, ssl=trusting)
            trusting.check_hostname = False
            async with session.get(f"{cluster.url}/v1/actions", ssl=trusting) as response:
                assert response.status == 200
            der = ssl.PEM_cert_to_DER_cert(cluster.ca_pem)
            assert hashlib.sha256(der).digest() == fingerprint_of(cluster).fingerprint

    async def test_client_certificate(self, tmp_path: Path) -> None:
        """A client's certificate is all that it needs, also to be given a token."""
        async with mutual() as cluster, aiohttp.ClientSession() as session:
            shown = showing(cluster.client_pem, cluster, tmp_path)
            async with session.get(f"{cluster.url}/v1/actions", ssl=shown) as response:
                assert response.status == 200
            status, body = await post(session, cluster, "authorize", b"", ssl=shown)
            assert (status, list(body)) == (200, ["access_token"])
            status, _ = await post(session, cluster, "refresh_jwt", b"", ssl=shown)
            assert status == 401

    async def test_no_client_certificate(self, tmp_path: Path) -> None:
        """A client without a certificate, or with one of another CA, is not let in."""
        async with mutual() as cluster, authorized(cluster) as session:
            trusting = ssl.create_default_context(cadata=cluster.ca_pem)
            strange = showing(mutual().client_pem, cluster, tmp_path)
            for context in (trusting, strange):
                with pytest.raises((aiohttp.ClientError, OSError)):
                    await session.get(f"{cluster.url}/v1/actions", ssl=context)

        assert cluster.requests == []

    @pytest.mark.parametrize("name", ["ca_pem", "fingerprint", "client_pem"])
    def test_no_certificates(self, name: str) -> None:
        """A cluster over plain HTTP has no certificates to give."""
        with pytest.raises(RuntimeError, match="tls was not asked for"):
            getattr(FakeCluster(), name)

    def test_no_client_pem(self) -> None:
        """A cluster that asks for no certificate has none for clients."""
        with pytest.raises(RuntimeError, match="client_certificate is off"):
            _ = FakeCluster(tls="own-ca").client_pem

    def test_no_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No key is left on the disk."""
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        FakeCluster(tls="self-signed")
        mutual()

        assert list(tmp_path.iterdir()) == []

    def test_keys_are_not_shown(self) -> None:
        """A cluster shows no key."""
        assert "PRIVATE" not in repr(vars(mutual()))

    def test_no_trustme(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where trustme is missing, what to install is said, and plain HTTP works."""
        monkeypatch.setitem(sys.modules, "trustme", None)
        FakeCluster()
        with pytest.raises(RuntimeError, match=r"install redis-enterprise-actions\[testing\]"):
            FakeCluster(tls="own-ca")

    def test_import_is_lean(self) -> None:
        """Importing the fake does not import trustme."""
        code = "import sys, redis_enterprise_actions.testing; print('trustme' in sys.modules)"
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        assert run.stdout == "False\n"


class TestFaults:
    """`inject` and `heal`."""

    async def test_status(self, cluster: FakeCluster, ask: Asker) -> None:
        """An answer can be replaced, with body and headers, so many times."""
        cluster.inject(times=2, status=500, body="oh", headers={"X-Why": "test"})

        assert [await ask("/v1/actions") for _ in range(2)] == [(500, "oh")] * 2
        assert (await ask("/v1/actions"))[0] == 200

    async def test_bytes(self, cluster: FakeCluster, ask: Asker) -> None:
        """A body can be any bytes."""
        cluster.inject(status=200, body=b"\xff")
        async with ask.session.get(f"{cluster.url}/v1/actions") as response:
            assert await response.read() == b"\xff"

    @pytest.mark.parametrize("value", [7, "Mon, 23 Nov 2026 10:00:30 GMT"])
    async def test_retry_after(self, cluster: FakeCluster, ask: Asker, value: float | str) -> None:
        """Retry-After comes with a 503 unless told otherwise."""
        cluster.inject(retry_after=value)
        cluster.inject(retry_after=value, status=429)
        for status in (503, 429):
            async with ask.session.get(f"{cluster.url}/v1/actions") as response:
                assert response.status == status
                assert response.headers["Retry-After"] == str(value)

    async def test_delay(self, cluster: FakeCluster, ask: Asker) -> None:
        """An answer can come late, and be right."""
        cluster.inject(delay=30)
        began = asyncio.get_running_loop().time()

        assert (await ask("/v1/actions"))[0] == 200
        assert asyncio.get_running_loop().time() - began == pytest.approx(30, abs=0.01)

    async def test_drop(self, cluster: FakeCluster, ask: Asker) -> None:
        """A connection can be closed without an answer."""
        cluster.inject(times=2, drop=True)

        with pytest.raises(aiohttp.ServerDisconnectedError):
            await ask("/v1/actions")
        assert {request.status for request in cluster.requests} == {None}

    async def test_truncate(self, cluster: FakeCluster, ask: Asker) -> None:
        """A connection can be cut in the middle of the body."""
        cluster.inject(truncate=True)

        with pytest.raises(aiohttp.ClientPayloadError):
            await ask("/v1/actions")

    async def test_path(self, cluster: FakeCluster, ask: Asker) -> None:
        """Faults can be for some paths only, and take turns otherwise."""
        cluster.inject(path="/v2", status=500)
        cluster.inject(path="/v1", status=501)
        cluster.inject(status=502)

        paths = ["/v1/actions", "/v2/actions", "/v1/actions", "/v1/actions"]
        assert [(await ask(path))[0] for path in paths] == [501, 500, 502, 200]

    async def test_empty(self, cluster: FakeCluster, ask: Asker) -> None:
        """An answer can be a success without a body."""
        cluster.inject(empty=True)

        assert await ask("/v1/actions") == (200, "")
        assert (await ask("/v1/actions"))[0] == 200

    @pytest.mark.parametrize(
        ("path", "spoiled"),
        [("/v1/actions", "task"), ("/v1/actions/bdb/1", "up"), ("/v2/actions", "up")],
    )
    async def test_bad_entry(
        self, cluster: FakeCluster, ask: Asker, path: str, spoiled: str
    ) -> None:
        """One entry of a list can be spoiled: the first that has not ended."""
        cluster.add_action("retry_bdb", Plan(duration=0), uid="done")
        cluster.add_action(plan=Plan(duration=0), uid="over")
        cluster.add_action(uid="up")
        cluster.add_action("retry_bdb", uid="task")
        right = statuses(await ask.ok(path))
        cluster.inject(bad_entry=True)

        assert statuses(await ask.ok(path)) == right | {spoiled: 42}
        assert statuses(await ask.ok(path)) == right

    async def test_bad_entry_among_machines(self, cluster: FakeCluster, ask: Asker) -> None:
        """In the list of v1 the state machines come after the tasks."""
        cluster.add_action(uid="up")
        cluster.add_action("retry_bdb", Plan(duration=0), uid="done")
        cluster.inject(bad_entry=True)

        assert statuses(await ask.ok("/v1/actions")) == {"done": "completed", "up": 42}

    @pytest.mark.parametrize("path", ["/v1/actions", "/v1/actions/bdb/1", "/v2/actions"])
    async def test_bad_entry_of_ended(self, cluster: FakeCluster, ask: Asker, path: str) -> None:
        """Where all have ended, the first entry is spoiled; where there is none, none is."""
        cluster.inject(bad_entry=True, times=2)
        uids = [cluster.add_action(plan=Plan(duration=0)) for _ in range(2)]
        assert statuses(await ask.ok(path)) == {uids[0]: 42, uids[1]: "completed"}

        for uid in uids:
            cluster.forget(uid)
        if path != "/v1/actions/bdb/1":
            assert statuses(await ask.ok(path)) == {}

    @pytest.mark.parametrize("path", ["/v1/actions/u", "/v2/actions/u", "/v1/bdbs/1", "/v3"])
    async def test_bad_entry_of_no_list(self, cluster: FakeCluster, ask: Asker, path: str) -> None:
        """An answer that is no list has no entry to spoil."""
        cluster.add_action(uid="u")
        right = await ask(path)
        cluster.inject(bad_entry=True)

        assert await ask(path) == right

    async def test_nan(self, cluster: FakeCluster, ask: Asker) -> None:
        """Every progress can be NaN, in a way that no JSON is."""
        cluster.add_action("retry_bdb", uid="task")
        cluster.add_action(uid="machine", shards=(1,))
        for path, count in [
            ("/v1/actions", 3),
            ("/v2/actions", 3),
            ("/v1/actions/task", 1),
            ("/v1/bdbs/1", 1),
            ("/v1/actions/bdb/1", 2),
        ]:
            cluster.inject(nan=True)
            async with ask.session.get(f"{cluster.url}{path}") as response:
                text = await response.text()
            assert text.count('"progress": NaN') == text.count('"progress"') == count

    async def test_nan_without_progress(self, cluster: FakeCluster, ask: Asker) -> None:
        """Where there is no progress, there is nothing to make NaN."""
        cluster.inject(nan=True)

        assert await ask("/v1/actions") == (200, {"actions": [], "state-machines": []})

    async def test_exact(self, cluster: FakeCluster, ask: Asker) -> None:
        """A fault may be for one path alone, and not for what begins with it."""
        cluster.add_action(uid="u")
        cluster.inject(path="/v1/actions", exact=True, status=503)

        assert (await ask("/v1/actions/u"))[0] == 200
        assert (await ask("/v1/actions"))[0] == 503

    @pytest.mark.parametrize("headers", [None, {"Server": "kong"}])
    async def test_no_route(
        self, cluster: FakeCluster, ask: Asker, headers: dict[str, str] | None
    ) -> None:
        """A gateway without a route answers 404, in JSON, and not as the cluster does."""
        cluster.add_action(uid="u")
        cluster.inject(path="/v1/actions/u", no_route=True, headers=headers)
        async with ask.session.get(f"{cluster.url}/v1/actions/u") as response:
            said = response.status, response.content_type, await response.json()
            server = response.headers["Server"]

        assert said == (404, "application/json", {"message": "no Route matched with those values"})
        assert (server == "kong") == bool(headers)
        assert (await ask("/v1/actions/u"))[0] == 200

    async def test_several_at_once(self, cluster: FakeCluster, ask: Asker) -> None:
        """An answer can be late and wrong in more than one way."""
        cluster.add_action(uid="u")
        cluster.inject(nan=True, bad_entry=True, delay=5)
        began = asyncio.get_running_loop().time()
        (entry,) = await ask.ok("/v2/actions")

        assert entry["status"] == 42
        assert entry["progress"] != entry["progress"]
        assert asyncio.get_running_loop().time() - began == pytest.approx(5, abs=0.01)

    async def test_node(self, three: FakeCluster, ask3: Asker) -> None:
        """A fault can be for one node only."""
        three.inject(status=500, node=2, times=None)

        assert [(await ask3("/v1/actions", node=node))[0] for node in (1, 2, 3)] == [200, 500, 307]

    async def test_first_of_all(self, three: FakeCluster) -> None:
        """Faults come before redirects and credentials, and hit POST, too."""
        three.inject(status=500, times=None)
        async with aiohttp.ClientSession() as session:
            assert (await Asker(session, three)("/v1/actions", node=2))[0] == 500
            assert (await Asker(session, three)("/v1/actions"))[0] == 500
            assert (await post(session, three, "authorize", b""))[0] == 500

    async def test_truncated_redirect(self, three: FakeCluster, ask3: Asker) -> None:
        """A redirect can be cut off, too."""
        three.inject(truncate=True)

        with pytest.raises(aiohttp.ClientPayloadError):
            await ask3("/v1/actions", node=2)

    async def test_heal(self, cluster: FakeCluster, ask: Asker) -> None:
        """A fault without an end lasts until it is taken back."""
        cluster.inject(times=None, status=503)
        assert {(await ask("/v1/actions"))[0] for _ in range(20)} == {503}
        cluster.heal()
        assert (await ask("/v1/actions"))[0] == 200


def episode(kind: EpisodeKind, begins: float = 0, ends: float = 10, **rest: Any) -> ChaosEpisode:  # noqa: ANN401
    """Return an episode of trouble."""
    return ChaosEpisode(kind=kind, begins=begins, ends=ends, **rest)


GOLDEN = ChaosEpisode(begins=3.425477670235755, ends=16.406163713312363, kind="election")


class TestDraw:
    """What is drawn by lot."""

    MANY: ClassVar[list[ChaosEpisode]] = draw_episodes(
        7, nodes=3, horizon=100, episodes=2000, longest=20
    )

    def test_same_seed(self) -> None:
        """The same arguments draw the same, in every Python; others draw otherwise."""
        drawn = draw_episodes(1, nodes=3, horizon=600, episodes=40, longest=60)

        assert drawn == draw_episodes(1, nodes=3, horizon=600, episodes=40, longest=60)
        assert drawn != draw_episodes(2, nodes=3, horizon=600, episodes=40, longest=60)
        assert drawn != draw_episodes(1, nodes=2, horizon=600, episodes=40, longest=60)
        assert drawn[0] == GOLDEN

    def test_times(self) -> None:
        """Episodes begin before the horizon, by their beginnings, and none is too long."""
        begins = [trouble.begins for trouble in self.MANY]
        lengths = [trouble.ends - trouble.begins for trouble in self.MANY]

        assert begins == sorted(begins)
        assert min(begins) >= 0
        assert max(begins) < 100
        assert min(lengths) > 0
        assert max(lengths) <= 20

    def test_kinds(self) -> None:
        """Every kind is drawn, on every node that it can be on."""
        everywhere, alone, none = {None, 1, 2, 3}, {1, 2, 3}, {None}
        drawn: dict[str, set[int | None]] = {}
        for trouble in self.MANY:
            drawn.setdefault(trouble.kind, set()).add(trouble.node)

        assert drawn == dict.fromkeys(get_args(EpisodeKind), everywhere) | {
            "restart": alone,
            "failover": alone,
            "election": none,
            "revoke": none,
        }

    def test_details(self) -> None:
        """Slow answers have a delay, throttled ones are told when to come again."""
        delays = [trouble.delay for trouble in self.MANY if trouble.kind == "slow"]
        waits = [trouble.retry_after for trouble in self.MANY if trouble.kind == "throttled"]

        assert all(1 <= delay <= 20 for delay in delays)
        assert set(waits) == {float(seconds) for seconds in range(1, 31)}
        assert {trouble.delay for trouble in self.MANY if trouble.kind != "slow"} == {0}
        assert {trouble.retry_after for trouble in self.MANY if trouble.kind != "throttled"} == {
            None
        }

    async def test_cluster_draws(self, three: FakeCluster) -> None:
        """A cluster draws for as many nodes as it has."""
        drawn = three.chaos(5, horizon=600, episodes=9)

        assert drawn == draw_episodes(5, nodes=3, horizon=600, episodes=9, longest=60)

    async def test_none(self, three: FakeCluster) -> None:
        """There may be no trouble at all."""
        assert three.chaos(5, horizon=600, episodes=0) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"horizon": 0},
            {"horizon": -1},
            {"horizon": float("inf")},
            {"horizon": float("nan")},
            {"longest": 0},
            {"longest": float("inf")},
            {"longest": float("nan")},
            {"episodes": -1},
        ],
        ids=repr,
    )
    async def test_impossible(self, cluster: FakeCluster, wrong: dict[str, Any]) -> None:
        """Times are more than 0, and episodes no fewer."""
        with pytest.raises(ValueError, match=r"more than 0|fewer than 0"):
            cluster.chaos(1, **({"horizon": 10, "episodes": 1} | wrong))

    def test_outside(self) -> None:
        """There is no trouble outside `async with`."""
        with pytest.raises(RuntimeError, match="inside"):
            FakeCluster().chaos(1, horizon=10, episodes=1)


class TestTrouble:
    """What trouble does."""

    @pytest.mark.parametrize(
        ("trouble", "expected"),
        [
            (episode("unavailable"), (503, "")),
            (episode("throttled", retry_after=7.0), (429, "")),
            (episode("dropped"), aiohttp.ServerDisconnectedError),
            (episode("slow", delay=3.0), (200, [])),
            (episode("truncated"), aiohttp.ClientPayloadError),
            (episode("empty"), (200, "")),
            (episode("garbage"), (200, "<html><body>upstream connect error</body></html>")),
        ],
        ids=lambda value: value.kind if isinstance(value, ChaosEpisode) else "",
    )
    async def test_answers(
        self, cluster: FakeCluster, ask: Asker, trouble: ChaosEpisode, expected: object
    ) -> None:
        """Answers go wrong while an episode lasts, as often as they are asked for."""
        cluster._chaos.run([dataclasses.replace(trouble, begins=5.0, ends=15.0)])
        assert await ask("/v2/actions") == (200, [])
        await asyncio.sleep(5.1)
        for _ in range(2):
            if isinstance(expected, tuple):
                assert await ask("/v2/actions") == expected
            else:
                with pytest.raises(expected):  # type: ignore[call-overload]
                    await ask("/v2/actions")
        await asyncio.sleep(10)
        assert await ask("/v2/actions") == (200, [])

    @pytest.mark.parametrize(
        ("kind", "key", "value"), [("bad_entry", "status", 42), ("nan", "progress", float("nan"))]
    )
    async def test_entries(
        self, cluster: FakeCluster, ask: Asker, kind: EpisodeKind, key: str, value: float
    ) -> None:
        """Entries go wrong, too."""
        cluster.add_action()
        cluster._chaos.run([episode(kind)])
        (entry,) = await ask.ok("/v2/actions")

        assert entry[key] == pytest.approx(value, nan_ok=True)

    async def test_headers(self, cluster: FakeCluster, ask: Asker) -> None:
        """Who is throttled is told for how long, and HTML says that it is."""
        cluster._chaos.run([
            episode("throttled", retry_after=7.0),
            episode("garbage", begins=10, ends=20),
        ])  # fmt: skip
        async with ask.session.get(f"{cluster.url}/v1/actions") as response:
            assert response.headers["Retry-After"] == "7"
        await asyncio.sleep(11)
        async with ask.session.get(f"{cluster.url}/v1/actions") as response:
            assert response.content_type == "text/html"

    async def test_slow(self, cluster: FakeCluster, ask: Asker) -> None:
        """Slow answers are late by what was drawn."""
        cluster._chaos.run([episode("slow", delay=3.5)])
        began = asyncio.get_running_loop().time()
        await ask.ok("/v1/actions")

        assert asyncio.get_running_loop().time() - began == pytest.approx(3.5, abs=0.01)

    async def test_node(self, three: FakeCluster, ask3: Asker) -> None:
        """Trouble of one node leaves the others alone."""
        three._chaos.run([episode("unavailable", node=3)])

        assert [(await ask3("/v1/actions", node=node))[0] for node in (1, 2, 3)] == [200, 307, 503]

    async def test_oldest(self, cluster: FakeCluster, ask: Asker) -> None:
        """Of several episodes the oldest wins, and what was injected goes before."""
        cluster._chaos.run([episode("unavailable", begins=2)])
        cluster._chaos.run([episode("throttled", begins=1, ends=5, retry_after=1.0)])
        cluster._chaos.run([episode("election", begins=0, ends=1.5)])
        await asyncio.sleep(3)
        cluster.inject(status=500)

        assert [(await ask("/v1/actions"))[0] for _ in range(2)] == [500, 429]
        await asyncio.sleep(3)
        assert (await ask("/v1/actions"))[0] == 503

    async def test_restart(self, three: FakeCluster, ask3: Asker) -> None:
        """A node that is restarted is away while the episode lasts, and follows then."""
        three._chaos.run([episode("restart", node=1)])
        await asyncio.sleep(1)
        assert running(three) == [2, 3]
        assert three.primary == 2
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask3("/v1/actions")
        await asyncio.sleep(10)

        assert running(three) == [1, 2, 3]
        assert (await ask3("/v1/actions"))[0] == 307

    async def test_last_node(self, three: FakeCluster) -> None:
        """The last node that runs is not restarted."""
        three._chaos.run([episode("restart", begins=node, node=node) for node in (1, 2, 3)])
        await asyncio.sleep(4)
        assert running(three) == [3]
        await asyncio.sleep(20)
        assert running(three) == [1, 2, 3]

    async def test_restarts_overlap(self, three: FakeCluster) -> None:
        """A restart of a node that is away already does nothing."""
        three._chaos.run([
            episode("restart", node=2),
            episode("restart", begins=5, ends=20, node=2),
        ])  # fmt: skip
        await asyncio.sleep(9)
        assert running(three) == [1, 3]
        await asyncio.sleep(2)
        assert running(three) == [1, 2, 3]
        await asyncio.sleep(10)
        assert running(three) == [1, 2, 3]

    async def test_restart_of_the_users(self, three: FakeCluster) -> None:
        """What the user stops or starts meanwhile is respected."""
        await three.stop_node(3)
        three._chaos.run([episode("restart", node=node) for node in (2, 3)])
        await asyncio.sleep(1)
        await three.start_node(2)
        await asyncio.sleep(10)

        assert running(three) == [1, 2]

    async def test_failover(self, three: FakeCluster) -> None:
        """A failover moves the primary to the node, or to the lowest other one that runs."""
        await three.stop_node(3)
        await three.start_node(3)
        three._chaos.run([episode("failover", begins=at, node=3) for at in (1, 3)])
        primaries = []
        for _ in range(3):
            primaries.append(three.primary)
            await asyncio.sleep(2)

        assert primaries == [1, 3, 1]

    async def test_failover_of_one(self, cluster: FakeCluster, ask: Asker) -> None:
        """A cluster of one node fails over to none, and does not restart."""
        cluster._chaos.run([episode("failover", node=1), episode("restart", node=1)])
        await asyncio.sleep(1)

        assert cluster.primary == 1
        await ask.ok("/v1/actions")

    async def test_election(self, three: FakeCluster, ask3: Asker) -> None:
        """There is no primary while the election lasts; then the lowest node is it."""
        three.primary = 3
        three._chaos.run([
            episode("election"),
            episode("failover", begins=2, node=2),
            episode("election", begins=5, ends=15),
        ])  # fmt: skip
        for _ in range(2):
            await asyncio.sleep(6)
            assert three.primary is None
            assert (await ask3("/v1/actions"))[0] == 503
        await asyncio.sleep(4)

        assert three.primary == 1

    async def test_election_and_restart(self, three: FakeCluster) -> None:
        """A node that comes back in an election is not the primary before it ends."""
        three._chaos.run([
            episode("restart", begins=1, ends=5, node=1),
            episode("election"),
        ])  # fmt: skip
        await asyncio.sleep(6)
        assert running(three) == [1, 2, 3]
        assert three.primary is None
        await asyncio.sleep(5)
        assert three.primary == 1

    async def test_election_of_the_users(self, three: FakeCluster) -> None:
        """If the user has named a primary meanwhile, it stays."""
        three._chaos.run([episode("election")])
        await asyncio.sleep(1)
        three.primary = 3
        await asyncio.sleep(10)

        assert three.primary == 3

    async def test_revoke(self, cluster: FakeCluster) -> None:
        """Tokens are revoked when the episode begins, and those issued later are not."""
        cluster._chaos.run([episode("revoke", begins=5)])
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
            await asyncio.sleep(6)
            later = await authorize(session, cluster)
            await asyncio.sleep(6)
        for shown, status in ((token, 401), (later, 200)):
            async with with_header(f"JWT {shown}") as session:
                assert (await Asker(session, cluster)("/v1/actions"))[0] == status

    async def test_heal(self, three: FakeCluster, ask3: Asker) -> None:
        """Healing ends all trouble; only a node that was stopped stays so."""
        three._chaos.run([
            episode("unavailable"),
            episode("election"),
            episode("restart", node=3),
            episode("restart", begins=5, node=2),
        ])  # fmt: skip
        await asyncio.sleep(1)
        three.heal()
        assert three.primary == 1
        await ask3.ok("/v1/actions")
        await asyncio.sleep(20)

        assert running(three) == [1, 2]
        await three.start_node(3)

    async def test_after_healing(self, three: FakeCluster) -> None:
        """There can be trouble again."""
        three._chaos.run([episode("election")])
        await asyncio.sleep(1)
        three.heal()
        three._chaos.run([episode("election", begins=1, ends=5)])
        await asyncio.sleep(2)
        assert three.primary is None
        await asyncio.sleep(10)
        assert three.primary == 1

    @pytest.mark.parametrize("at", [0, 5, 10])
    async def test_end(self, at: float) -> None:
        """A cluster may end in the middle of trouble, at any moment, and leaves no task."""
        for turns in range(0, 30, 2):
            before = asyncio.all_tasks()
            async with FakeCluster(nodes=2) as cluster:
                cluster._chaos.run([episode("restart", node=2), episode("unavailable")])
                await asyncio.sleep(at)
                for _ in range(turns):
                    await asyncio.sleep(0)
                if turns % 4:
                    cluster.heal()

            assert asyncio.all_tasks() == before, turns
        gc.collect()

    async def test_port_taken(self) -> None:
        """If a node cannot be started again, it is said when the cluster is left."""
        with socket.socket() as taken, pytest.raises(OSError, match="address"):
            async with FakeCluster(nodes=2) as cluster:
                cluster._chaos.run([episode("restart", node=2)])
                await asyncio.sleep(1)
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                taken.bind(("127.0.0.1", port_of(cluster.urls[1])))
                taken.listen()
                await asyncio.sleep(20)

    @pytest.mark.parametrize("seed", range(12))
    async def test_all_is_well(self, seed: int) -> None:
        """When all trouble is over, every node runs, one of them is the primary and answers."""
        async with FakeCluster(nodes=3) as cluster, authorized(cluster) as session:
            ask, seen = Asker(session, cluster), set[object]()
            cluster.chaos(seed, horizon=600, episodes=60)
            cluster.chaos(seed + 100, horizon=600, episodes=20)
            while asyncio.get_running_loop().time() < 660:
                for node in (1, 2, 3):
                    try:
                        seen.add((await ask(f"/v1/actions?{node}", node=node))[0])
                    except (aiohttp.ClientError, ValueError) as error:
                        seen.add(type(error))
                await asyncio.sleep(5)
            answers = [(await ask("/v1/actions", node=node))[0] for node in (1, 2, 3)]

        assert len(seen) > 3
        assert sorted(answers) == [200, 307, 307]
        assert answers.index(200) + 1 == cluster.primary


def running(cluster: FakeCluster) -> list[int]:
    """Return the nodes that run."""
    return cluster._nodes.running


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SMCreateBDB", "state-machine"),
        ("export", "other"),
        ("import", "other"),
        ("backup", "other"),
        ("maintenance_on", "task"),
    ],
)
async def test_kind(cluster: FakeCluster, name: str, kind: Kind) -> None:
    """A name tells the kind, unless one is given."""
    assert cluster.actions[cluster.add_action(name)].kind == kind
    assert cluster.actions[cluster.add_action(name, kind="task")].kind == "task"


@pytest.mark.parametrize(
    "add",
    [
        lambda cluster: cluster.add_action("SMUpdateBDB", Plan(outcome="cancelled")),
        lambda cluster: cluster.add_action("export", Plan(outcome="aborted")),
        lambda cluster: FakeCluster(version="7.8").add_action("export"),
        lambda cluster: FakeCluster(version="9"),  # type: ignore[arg-type]
        lambda cluster: cluster.add_action(plan=Plan(outcome="fail")),
        lambda cluster: cluster.add_action(kind="taks"),
        lambda cluster: cluster.add_action(plan=Plan(progress="stall")),
        lambda cluster: cluster.add_action(plan=Plan(duration=-1)),
        lambda cluster: cluster.add_action(plan=Plan(queued=-1)),
        lambda cluster: FakeCluster(nodes=0),
        lambda cluster: FakeCluster(tls="ca"),  # type: ignore[arg-type]
        lambda cluster: FakeCluster(client_certificate=True),
        lambda cluster: FakeCluster(tls="self-signed", client_certificate=True),
        lambda cluster: FakeCluster(token_ttl=0),
        lambda cluster: FakeCluster(token_ttl=float("nan")),
        lambda cluster: cluster.inject(times=0, status=500),
        lambda cluster: cluster.inject(),
        lambda cluster: cluster.inject(node=1),
        lambda cluster: cluster.inject(drop=True, node=2),
        lambda cluster: cluster.inject(empty=True, status=200),
        lambda cluster: cluster.inject(empty=True, body="oh"),
        lambda cluster: cluster.inject(empty=True, retry_after=1),
        lambda cluster: cluster.inject(empty=True, no_route=True),
        lambda cluster: cluster.inject(no_route=True, status=500),
        lambda cluster: cluster.inject(no_route=True, body="oh"),
        lambda cluster: FakeCluster(lateness=-1),
        lambda cluster: setattr(cluster, "lateness", float("nan")),
    ],
)
async def test_impossible(cluster: FakeCluster, add: Callable[[FakeCluster], object]) -> None:
    """What cannot be, or is a slip of the pen, is refused where it is written."""
    with pytest.raises(ValueError, match=r"no|seconds|times|1 node|needs"):
        add(cluster)
