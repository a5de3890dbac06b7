"""Tests of `testing.server.faults`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.http_client import HttpClient
from tests.testing.sessions import post


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


def statuses(body: Any) -> dict[str, object]:  # noqa: ANN401 - JSON
    """Return the statuses of a list, by uid."""
    entries = body if isinstance(body, list) else body["actions"] + body["state-machines"]
    return {entry["action_uid"]: entry["status"] for entry in entries}


class TestFaults:
    """`inject` and `heal`."""

    async def test_status(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An answer can be replaced, with body and headers, a number of times."""
        cluster.inject(times=2, status=500, body="oh", headers={"X-Why": "test"})

        assert [await call("GET", "/v1/actions") for _ in range(2)] == [(500, "oh")] * 2
        assert (await call("GET", "/v1/actions"))[0] == 200

    async def test_bytes(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A body can be any bytes."""
        cluster.inject(status=200, body=b"\xff")
        async with call.session.get(f"{cluster.url}/v1/actions") as response:
            assert await response.read() == b"\xff"

    @pytest.mark.parametrize("value", [7, "Mon, 23 Nov 2026 10:00:30 GMT"])
    async def test_retry_after(
        self, cluster: FakeCluster, call: HttpClient, value: float | str
    ) -> None:
        """By default a 503 has a Retry-After."""
        cluster.inject(retry_after=value)
        cluster.inject(retry_after=value, status=429)
        for status in (503, 429):
            async with call.session.get(f"{cluster.url}/v1/actions") as response:
                assert response.status == status
                assert response.headers["Retry-After"] == str(value)

    async def test_delay(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An answer can come late, and be right."""
        cluster.inject(delay=30)
        began = asyncio.get_running_loop().time()

        assert (await call("GET", "/v1/actions"))[0] == 200
        assert asyncio.get_running_loop().time() - began == pytest.approx(30, abs=0.01)

    async def test_hang(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A list can hang until the client leaves, while what it lists is answered."""
        cluster.add_action(uid="u")
        cluster.inject(path="/v1/actions", exact=True, hang=True)
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            await call("GET", "/v1/actions", timeout=aiohttp.ClientTimeout(100_000))

        assert asyncio.get_running_loop().time() - began >= 100_000
        assert [request.status for request in cluster.requests] == [None]
        await call.ok("GET", "/v1/actions/u")
        await call.ok("GET", "/v1/actions")

    async def test_hang_at_the_end(self) -> None:
        """A cluster ends although a request hangs, and leaves no task."""
        before = asyncio.all_tasks()
        async with aiohttp.ClientSession() as session:
            async with FakeCluster() as cluster:
                cluster.inject(hang=True)
                hanging = asyncio.create_task(session.get(f"{cluster.url}/v1/actions"))
                await asyncio.sleep(1)
            with pytest.raises(aiohttp.ClientConnectionError):
                await hanging

        assert asyncio.all_tasks() == before

    async def test_drop(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A connection can be closed without an answer."""
        cluster.inject(times=2, drop=True)

        with pytest.raises(aiohttp.ServerDisconnectedError):
            await call("GET", "/v1/actions")
        assert {request.status for request in cluster.requests} == {None}

    async def test_truncate(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A connection can be cut in the middle of the body."""
        cluster.inject(truncate=True)

        with pytest.raises(aiohttp.ClientPayloadError):
            await call("GET", "/v1/actions")

    async def test_path(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Faults can be for some paths only, and take turns otherwise."""
        cluster.inject(path="/v2", status=500)
        cluster.inject(path="/v1", status=501)
        cluster.inject(status=502)

        paths = ["/v1/actions", "/v2/actions", "/v1/actions", "/v1/actions"]
        assert [(await call("GET", path))[0] for path in paths] == [501, 500, 502, 200]

    async def test_empty(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An answer can be a success without a body."""
        cluster.inject(empty=True)

        assert await call("GET", "/v1/actions") == (200, "")
        assert (await call("GET", "/v1/actions"))[0] == 200

    @pytest.mark.parametrize(
        ("path", "spoiled"),
        [("/v1/actions", "task"), ("/v1/actions/bdb/1", "up"), ("/v2/actions", "up")],
    )
    async def test_bad_entry(
        self, cluster: FakeCluster, call: HttpClient, path: str, spoiled: str
    ) -> None:
        """The first entry that has not ended can be spoiled."""
        cluster.add_action("retry_bdb", Plan(duration=0), uid="done")
        cluster.add_action(plan=Plan(duration=0), uid="over")
        cluster.add_action(uid="up")
        cluster.add_action("retry_bdb", uid="task")
        right = statuses(await call.ok("GET", path))
        cluster.inject(bad_entry=True)

        assert statuses(await call.ok("GET", path)) == right | {spoiled: 42}
        assert statuses(await call.ok("GET", path)) == right

    async def test_bad_entry_among_machines(self, cluster: FakeCluster, call: HttpClient) -> None:
        """In the list of v1 the state machines come after the tasks."""
        cluster.add_action(uid="up")
        cluster.add_action("retry_bdb", Plan(duration=0), uid="done")
        cluster.inject(bad_entry=True)

        assert statuses(await call.ok("GET", "/v1/actions")) == {"done": "completed", "up": 42}

    @pytest.mark.parametrize("path", ["/v1/actions", "/v1/actions/bdb/1", "/v2/actions"])
    async def test_bad_entry_of_ended(
        self, cluster: FakeCluster, call: HttpClient, path: str
    ) -> None:
        """If all entries have ended, the first one is spoiled; an empty list stays."""
        cluster.inject(bad_entry=True, times=2)
        uids = [cluster.add_action(plan=Plan(duration=0)) for _ in range(2)]
        assert statuses(await call.ok("GET", path)) == {uids[0]: 42, uids[1]: "completed"}

        for uid in uids:
            cluster.forget(uid)
        if path != "/v1/actions/bdb/1":
            assert statuses(await call.ok("GET", path)) == {}

    @pytest.mark.parametrize("path", ["/v1/actions/u", "/v2/actions/u", "/v1/bdbs/1", "/v3"])
    async def test_bad_entry_of_no_list(
        self, cluster: FakeCluster, call: HttpClient, path: str
    ) -> None:
        """An answer that is no list stays as it is."""
        cluster.add_action(uid="u")
        right = await call("GET", path)
        cluster.inject(bad_entry=True)

        assert await call("GET", path) == right

    async def test_nan(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Every progress can be NaN, which is no JSON."""
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
            async with call.session.get(f"{cluster.url}{path}") as response:
                text = await response.text()
            assert text.count('"progress": NaN') == text.count('"progress"') == count

    async def test_nan_without_progress(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An answer without progress stays as it is."""
        cluster.inject(nan=True)

        assert await call("GET", "/v1/actions") == (200, {"actions": [], "state-machines": []})

    async def test_exact(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A fault may be for one path alone, and not for longer ones."""
        cluster.add_action(uid="u")
        cluster.inject(path="/v1/actions", exact=True, status=503)

        assert (await call("GET", "/v1/actions/u"))[0] == 200
        assert (await call("GET", "/v1/actions"))[0] == 503

    @pytest.mark.parametrize("headers", [None, {"Server": "kong"}])
    async def test_no_route(
        self, cluster: FakeCluster, call: HttpClient, headers: dict[str, str] | None
    ) -> None:
        """A gateway without a route answers 404, in JSON, and not as the cluster does."""
        cluster.add_action(uid="u")
        cluster.inject(path="/v1/actions/u", no_route=True, headers=headers)
        async with call.session.get(f"{cluster.url}/v1/actions/u") as response:
            answer = response.status, response.content_type, await response.json()
            server = response.headers["Server"]

        assert answer == (
            404,
            "application/json",
            {"message": "no Route matched with those values"},
        )
        assert (server == "kong") == bool(headers)
        assert (await call("GET", "/v1/actions/u"))[0] == 200

    async def test_several_at_once(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An answer can be late and wrong in more than one way."""
        cluster.add_action(uid="u")
        cluster.inject(nan=True, bad_entry=True, delay=5)
        began = asyncio.get_running_loop().time()
        (entry,) = await call.ok("GET", "/v2/actions")

        assert entry["status"] == 42
        assert entry["progress"] != entry["progress"]
        assert asyncio.get_running_loop().time() - began == pytest.approx(5, abs=0.01)

    @pytest.mark.parametrize(
        ("fault", "problem"),
        [
            ({"status": 503, "truncate": True}, "truncate has no effect with status"),
            ({"hang": True, "delay": 5}, "delay has no effect with hang"),
            ({"delay": 5, "body": b"x"}, "body has no effect without a status"),
            ({"status": 200, "headers": {"Content-Length": "100"}}, "which the server sets"),
            ({"status": 200, "headers": {"transfer-encoding": "x"}}, "which the server sets"),
        ],
    )
    async def test_no_effect(
        self, cluster: FakeCluster, call: HttpClient, fault: dict[str, Any], problem: str
    ) -> None:
        """What would have no effect, or break HTTP, is refused."""
        with pytest.raises(ValueError, match=problem):
            cluster.inject(**fault)
        assert (await call("GET", "/v1/actions"))[0] == 200

    async def test_node(self, three: FakeCluster, call3: HttpClient) -> None:
        """A fault can be for one node only."""
        three.inject(status=500, node=2, times=None)

        assert [(await call3("GET", "/v1/actions", node=node))[0] for node in (1, 2, 3)] == [
            200,
            500,
            307,
        ]

    async def test_first_of_all(self, three: FakeCluster) -> None:
        """Faults come before redirects and credentials, and hit POST, too."""
        three.inject(status=500, times=None)
        async with aiohttp.ClientSession() as session:
            assert (await HttpClient(session, three)("GET", "/v1/actions", node=2))[0] == 500
            assert (await HttpClient(session, three)("GET", "/v1/actions"))[0] == 500
            assert (await post(session, three, "authorize", b""))[0] == 500

    async def test_truncated_redirect(self, three: FakeCluster, call3: HttpClient) -> None:
        """A redirect can be cut off, too."""
        three.inject(truncate=True)

        with pytest.raises(aiohttp.ClientPayloadError):
            await call3("GET", "/v1/actions", node=2)

    async def test_heal(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A fault without an end lasts until `heal`."""
        cluster.inject(times=None, status=503)
        assert {(await call("GET", "/v1/actions"))[0] for _ in range(20)} == {503}
        cluster.heal()
        assert (await call("GET", "/v1/actions"))[0] == 200
