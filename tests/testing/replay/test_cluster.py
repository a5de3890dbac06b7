"""Tests of `testing.replay.cluster`, over HTTP: answers, failures, times, and what is left."""

from __future__ import annotations

import asyncio
import gc
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from redis_enterprise_actions import ActionsClient, UnreadableReply
from redis_enterprise_actions.testing import FakeCluster
from tests.capture_files import NODES, PATH, UID, action, capture, exchange, write
from tests.scripted import now


if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis_enterprise_actions.testing import ReplayedCluster

pytestmark = pytest.mark.enable_socket

JSON = {"Content-Type": "application/json"}


@asynccontextmanager
async def replaying(
    folder: Path,
    *exchanges: dict[str, Any],
    nodes: int = 1,
    **options: Any,  # noqa: ANN401 - of `replay`
) -> AsyncIterator[tuple[ReplayedCluster, aiohttp.ClientSession]]:
    """Replay exchanges, and open a session; check that no task and no connection is left."""
    before = asyncio.all_tasks()
    path = write(folder, capture(*exchanges, nodes=nodes))
    async with FakeCluster.replay(path, **options) as cluster, aiohttp.ClientSession() as session:
        yield cluster, session
    for _ in range(20):
        await asyncio.sleep(0)
    gc.collect()
    assert asyncio.all_tasks() - before == set()
    for url in cluster._urls.values():
        host, _, port = url.removeprefix("http://").partition(":")
        with pytest.raises(OSError):  # noqa: PT011 - its number is that of the system
            await asyncio.open_connection(host, int(port.partition("/")[0]))


async def ask(
    session: aiohttp.ClientSession, cluster: ReplayedCluster, method: str = "GET", path: str = PATH,
    *, node: int = 1, **options: Any,  # noqa: ANN401 - aiohttp's
) -> tuple[int, bytes]:  # fmt: skip
    """Send a request; return the status and the body."""
    url = f"{cluster.urls[node - 1]}{path}"
    async with session.request(method, url, allow_redirects=False, **options) as answer:
        return answer.status, await answer.read()


class TestAnswers:
    """Answers as they were."""

    async def test_json(self, tmp_path: Path) -> None:
        """JSON is sent as it stands in the file, without its indentation."""
        headers = {**JSON, "Retry-After": "7", "X-Other": "1"}
        body = {"a": [1.50, 10**30, "\u00e4"], "b": None}
        async with (
            replaying(tmp_path, exchange(0, json=body, headers=headers)) as (cluster, it),
            it.get(cluster.url + PATH) as answer,
        ):
            assert await answer.json() == body
            assert answer.headers["Retry-After"] == "7"
            assert answer.content_type == "application/json"
            assert not {"X-Other", "Date", "Server"} & set(answer.headers)
        assert cluster.unplayed == []
        (seen,) = cluster.requests
        assert (seen.method, seen.path, seen.status, seen.node) == ("GET", PATH, 200, 1)
        assert not seen.has_credentials

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"text": '{"progress": NaN}', "headers": JSON}, b'{"progress": NaN}'),
            ({"json": None}, b"null"),
            ({}, b""),
        ],
        ids=["text", "null", "empty"],
    )
    async def test_other_bodies(
        self, tmp_path: Path, fields: dict[str, Any], expected: bytes
    ) -> None:
        """So is a body that is no JSON, and none is sent where there was none."""
        async with replaying(tmp_path, exchange(0, 503, **fields)) as (cluster, it):
            assert await ask(it, cluster) == (503, expected)

    async def test_no_type(self, tmp_path: Path) -> None:
        """An answer without a type of its body is sent without one."""
        async with (
            replaying(tmp_path, exchange(0, text="x"), exchange(9)) as (cluster, it),
            it.get(cluster.url + PATH) as answer,
        ):
            assert await answer.read() == b"x"
            assert "Content-Type" not in answer.headers

    async def test_bodies_are_made_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A large answer that is given again takes no time again."""
        made: list[bytes] = []
        make = msgspec.json.format

        def count(text: bytes, *, indent: int) -> bytes:
            made.append(text)
            return make(text, indent=indent)

        monkeypatch.setattr(msgspec.json, "format", count)
        async with replaying(tmp_path, exchange(0, json=[1])) as (cluster, it):
            answers = [await ask(it, cluster) for _ in range(3)]
        assert answers == [(200, b"[1]")] * 3
        assert len(made) == 1

    async def test_date(self, tmp_path: Path) -> None:
        """A date that was recorded is sent, and no other."""
        date = "Sat, 01 Jan 2000 00:00:00 GMT"
        async with replaying(tmp_path, exchange(0, headers={"Date": date})) as (cluster, it):
            answer = await it.get(cluster.url + PATH)
            assert answer.headers["Date"] == date

    async def test_own_urls(self, tmp_path: Path) -> None:
        """URLs of nodes in headers and bodies are those of the replay; longer ones are others."""
        redirect = exchange(0, 307, headers={"Location": f"{NODES[1]}{PATH}"})
        body = {"nodes": NODES, "longer": f"{NODES[0]}0", "host": f"{NODES[0]}.de"}
        async with replaying(tmp_path, redirect, exchange(0, node=2, json=body), nodes=2) as (
            cluster,
            it,
        ):
            answer = await it.get(cluster.url + PATH, allow_redirects=True)
            assert str(answer.url) == cluster.urls[1] + PATH
            assert await answer.json(content_type=None) == {**body, "nodes": cluster.urls}
        assert [seen.node for seen in cluster.requests] == [1, 2]

    async def test_path_of_a_node(self, tmp_path: Path) -> None:
        """The URL of a node may have a path, as behind a proxy."""
        content = capture(exchange(0, json=["https://proxy.example/api"]))
        path = write(tmp_path, {**content, "nodes": ["https://proxy.example/api"]})
        async with FakeCluster.replay(path) as cluster, aiohttp.ClientSession() as session:
            assert cluster.url.endswith("/api")
            assert await ask(session, cluster) == (200, f'["{cluster.url}"]'.encode())
        assert cluster.requests[0].path == PATH

    async def test_unexpected(self, tmp_path: Path) -> None:
        """A request that was not recorded is answered 404, in the form of the API."""
        async with replaying(tmp_path, exchange(0)) as (cluster, it):
            answer = await it.post(f"{cluster.url}/v1/bdbs?dry_run=1", data=b"x")
            assert answer.status == 404
            assert await answer.json() == {
                "error_code": "not_captured",
                "description": "the capture has no answer to POST /v1/bdbs?dry_run=1",
            }
            assert "Date" not in answer.headers
        assert cluster.unexpected == cluster.requests
        assert [each.path for each in cluster.unplayed] == [PATH]

    async def test_sent(self, tmp_path: Path) -> None:
        """Of several calls, that with the same body comes first, however long the body is."""
        call = {"method": "POST", "path": "/v1/bdbs"}
        calls = [exchange(0, **call, sent={"name": f"name-{n}"}, json=n) for n in (1, 2)]
        async with replaying(tmp_path, *calls) as (cluster, it):
            second = await ask(it, cluster, "POST", "/v1/bdbs", json={"name": "name-2"})
            assert second == (200, b"2")
            long = await ask(it, cluster, "POST", "/v1/bdbs", data=io.BytesIO(b"x" * (3 * 2**20)))
            assert long == (200, b"1")

    async def test_credentials(self, tmp_path: Path) -> None:
        """Any credentials are accepted, and an answer of 401 is given as it was."""
        async with replaying(tmp_path, exchange(0, 401), exchange(0)) as (cluster, it):
            headers = {"Authorization": "JWT x"}
            assert (await ask(it, cluster, headers=headers))[0] == 401
            assert (await ask(it, cluster))[0] == 200
        assert [seen.has_credentials for seen in cluster.requests] == [True, False]


class TestTimes:
    """Times on the cluster's clock, which count from the first request."""

    async def test_took(self, tmp_path: Path) -> None:
        """An answer takes as long as it did."""
        async with replaying(tmp_path, exchange(3, took=2.5), exchange(9)) as (cluster, it):
            await asyncio.sleep(100)
            began = now()
            await ask(it, cluster)
            assert now() - began == pytest.approx(2.5, abs=0.01)
            await asyncio.sleep(3.5)
            await ask(it, cluster)
            assert now() - began == pytest.approx(6, abs=0.01)
        assert cluster.unplayed == []

    async def test_speed(self, tmp_path: Path) -> None:
        """The clock may be faster, and its speed may be changed."""
        async with replaying(tmp_path, exchange(0, took=60), exchange(61), speed=60) as (
            cluster,
            it,
        ):
            began = now()
            await ask(it, cluster)
            assert now() - began == pytest.approx(1, abs=0.01)
            cluster.speed = 2
            assert cluster.speed == 2
        with pytest.raises(ValueError, match="speed must be"):
            FakeCluster.replay(tmp_path / "capture.json", speed=-1)

    async def test_jump(self, tmp_path: Path) -> None:
        """A jump of the clock gives the answers of that time, to requests under way as well."""
        answers = [exchange(0, json=0), exchange(1, took=600, json=1), exchange(3000, json=2)]
        async with replaying(tmp_path, *answers, speed=0) as (cluster, it):
            assert await ask(it, cluster) == (200, b"0")
            await cluster.advance(1)
            waiting = asyncio.create_task(ask(it, cluster))
            await asyncio.sleep(1)
            assert len(cluster.requests) == 2
            await cluster.advance(2999)
            assert await waiting == (200, b"1")
            assert await ask(it, cluster) == (200, b"2")
            assert cluster.now == 3000

    async def test_port(self, tmp_path: Path, unused_tcp_port: int) -> None:
        """The first node is at the port that was given, and the others are after it."""
        async with replaying(tmp_path, exchange(0), port=unused_tcp_port) as (cluster, _):
            assert cluster.url == f"http://127.0.0.1:{unused_tcp_port}"

    async def test_again(self, tmp_path: Path) -> None:
        """A cluster may be used again, from the beginning."""
        cluster = FakeCluster.replay(write(tmp_path, capture(exchange(0, json=0), exchange(5))))
        for _ in range(2):
            async with cluster, aiohttp.ClientSession() as session:
                assert await ask(session, cluster) == (200, b"0")
                assert len(cluster.unplayed) == 1


class TestFailures:
    """Failures as they were."""

    async def test_reset(self, tmp_path: Path) -> None:
        """A connection that was lost before the answer is closed, after the same time."""
        for failure in ("reset", "other"):
            async with replaying(tmp_path, exchange(0, None, failure=failure, took=2)) as (
                cluster,
                it,
            ):
                began = now()
                with pytest.raises(aiohttp.ServerDisconnectedError):
                    await ask(it, cluster)
                assert now() - began >= 2
            assert {seen.status for seen in cluster.requests} == {None}

    async def test_truncated(self, tmp_path: Path) -> None:
        """A connection that was lost within the body is closed there."""
        async with replaying(tmp_path, exchange(0, None, failure="truncated")) as (cluster, it):
            with pytest.raises(aiohttp.ClientPayloadError):
                await ask(it, cluster)

    async def test_timeout(self, tmp_path: Path) -> None:
        """A request that was not answered in time is not answered."""
        failure = exchange(0, None, failure="timeout", took=3)
        async with replaying(tmp_path, failure, exchange(40)) as (cluster, it):
            began = now()
            with pytest.raises(TimeoutError):
                await ask(it, cluster, timeout=aiohttp.ClientTimeout(30))
            assert now() - began >= 30
            assert (await ask(it, cluster))[0] == 200

    async def test_too_large(self, tmp_path: Path) -> None:
        """A body that was too large is larger than the client reads; the client may leave."""
        failure = exchange(0, None, failure="too large")
        async with replaying(tmp_path, failure, failure) as (cluster, it):
            status, body = await ask(it, cluster)
            assert (status, len(body)) == (200, 65 * 2**20)
            async with ActionsClient(cluster.url, username="u", password="p") as client:
                with pytest.raises(UnreadableReply, match="larger than"):
                    await client.get_action(UID)

    async def test_cancelled(self, tmp_path: Path) -> None:
        """A request that the client gave up is not answered to a client that does the same."""
        cancelled = exchange(1, None, failure="cancelled", took=5)
        async with replaying(tmp_path, exchange(0), cancelled, exchange(9, json=9)) as (
            cluster,
            it,
        ):
            await ask(it, cluster)
            await asyncio.sleep(1)
            with pytest.raises(TimeoutError):
                await ask(it, cluster, timeout=aiohttp.ClientTimeout(5))
            assert await ask(it, cluster) == (200, b"9")
        assert cluster.unplayed == []

    async def test_cancelled_for_a_patient_client(self, tmp_path: Path) -> None:
        """A client that stays gets what came next a second later, or nothing."""
        cancelled = exchange(0, None, failure="cancelled", took=5)
        async with replaying(tmp_path, cancelled, exchange(9, json=9)) as (cluster, it):
            began = now()
            assert await ask(it, cluster) == (200, b"9")
            assert now() - began == pytest.approx(6, abs=0.1)
        async with replaying(tmp_path, cancelled) as (cluster, it):
            with pytest.raises(TimeoutError):
                await ask(it, cluster, timeout=aiohttp.ClientTimeout(60))

    async def test_refused(self, tmp_path: Path) -> None:
        """A node refuses connections for as long as it did, also on one that was open before."""
        answers = [exchange(0), exchange(10, None, failure="refused"), exchange(30)]
        async with replaying(tmp_path, *answers) as (cluster, it):
            await ask(it, cluster)
            await asyncio.sleep(4)
            await ask(it, cluster)
            await asyncio.sleep(2)
            for _ in range(3):
                with pytest.raises(aiohttp.ClientConnectorError):
                    await ask(it, cluster)
                await asyncio.sleep(4)
            await asyncio.sleep(3)
            assert (await ask(it, cluster))[0] == 200
        assert len(cluster.requests) == 3

    async def test_refused_at_once_after_an_answer(self, tmp_path: Path) -> None:
        """A client that asks again at once is refused, if it was so within a few milliseconds."""
        answers = [exchange(0), exchange(0.001, None, failure="refused")]
        async with replaying(tmp_path, *answers) as (cluster, it):
            assert await ask(it, cluster) == (200, b"")
            with pytest.raises(aiohttp.ClientConnectionError):
                await ask(it, cluster)

    async def test_refused_at_first(self, tmp_path: Path) -> None:
        """A node that refused the first request does so from the start on."""
        answers = [exchange(0, None, failure="refused"), exchange(20), exchange(24, json=24)]
        async with replaying(tmp_path, *answers) as (cluster, it):
            with pytest.raises(aiohttp.ClientConnectorError):
                await ask(it, cluster)
            await asyncio.sleep(15)
            assert (await ask(it, cluster))[0] == 200
            await asyncio.sleep(4)
            assert await ask(it, cluster) == (200, b"24")
        assert cluster.unplayed == []

    async def test_never_up(self, tmp_path: Path) -> None:
        """A node that never answered refuses all requests."""
        async with replaying(tmp_path, exchange(0, None, failure="tls")) as (cluster, it):
            await asyncio.sleep(1000)
            with pytest.raises(aiohttp.ClientConnectorError):
                await ask(it, cluster)

    async def test_refused_at_once_after_a_reset(self, tmp_path: Path) -> None:
        """A node that went down with a request under way refuses the one after it."""
        down = exchange(2, None, failure="reset", took=1)
        answers = [exchange(0), down, exchange(3, None, failure="refused"), exchange(9)]
        async with replaying(tmp_path, *answers) as (cluster, it):
            await ask(it, cluster)
            await asyncio.sleep(2)
            with pytest.raises(aiohttp.ClientConnectorError):  # aiohttp repeats a GET
                await ask(it, cluster)
        assert [seen.status for seen in cluster.requests] == [200, None]

    async def test_under_way(self, tmp_path: Path) -> None:
        """A request that was answered while the node refused others, is so again."""
        slow = exchange(1, took=10, json=1)
        answers = [exchange(0), slow, exchange(3, None, failure="refused")]
        async with replaying(tmp_path, *answers) as (cluster, it):
            await ask(it, cluster)
            await asyncio.sleep(1)
            waiting = asyncio.create_task(ask(it, cluster))
            await asyncio.sleep(5)
            with pytest.raises(aiohttp.ClientConnectorError):
                await ask(it, cluster)
            assert await waiting == (200, b"1")
            with pytest.raises(aiohttp.ClientConnectorError):  # not on the connection of that one
                await ask(it, cluster)

    async def test_switched_twice(self, tmp_path: Path) -> None:
        """A node that refuses connections, or accepts them, may be told so once more."""
        async with replaying(tmp_path, exchange(0)) as (cluster, it):
            for _ in range(2):
                await cluster._nodes.refuse(1, ())
            with pytest.raises(aiohttp.ClientConnectorError):
                await ask(it, cluster)
            for _ in range(2):
                await cluster._nodes.accept(1)
            assert (await ask(it, cluster))[0] == 200

    async def test_port_taken(self, tmp_path: Path) -> None:
        """A port that was taken meanwhile is an error at the end."""
        answers = [exchange(0), exchange(10, None, failure="refused"), exchange(20)]
        path = write(tmp_path, capture(*answers))
        with pytest.raises(OSError, match="in use"):
            async with FakeCluster.replay(path) as cluster, aiohttp.ClientSession() as session:
                await ask(session, cluster)
                await asyncio.sleep(7)
                port = int(cluster.url.rpartition(":")[2])
                taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
                await asyncio.sleep(13)
                taken.close()
                await taken.wait_closed()


async def test_ends_with_requests_under_way(tmp_path: Path) -> None:
    """Requests under way, and nodes that are down, do not outlast the cluster."""
    answers = [exchange(0, took=3600), exchange(1, None, node=2, failure="refused")]
    async with replaying(tmp_path, *answers, nodes=2) as (cluster, it):
        waiting = asyncio.create_task(ask(it, cluster))
        await asyncio.sleep(1)
    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_a_wait(tmp_path: Path) -> None:
    """A wait has the record that the capture tells of."""
    answers = [
        exchange(0, **action("queued")),
        exchange(0.5, **action("active", 10.0)),
        exchange(5, None, failure="reset"),
        exchange(8, **action("active", 40.0)),
        exchange(20, **action("completed")),
    ]
    path = write(tmp_path, capture(*answers))
    async with FakeCluster.replay(path) as cluster:
        user = {"username": cluster.username, "password": cluster.password}
        async with ActionsClient(cluster.urls, **user) as client:
            action_ = await client.wait_for_action(UID)
    record = action_.record

    assert [each.status for each in record.transitions] == ["queued", "active", "completed"]
    assert record.elapsed == pytest.approx(20, abs=2)
    assert cluster.unexpected == []
