"""Tests of `examples/fastapi_app.py`, served by uvicorn on a real socket."""

from __future__ import annotations

import asyncio
import json
import re
import runpy
import socket
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import uvicorn

from redis_enterprise_actions import Action
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions import ActionsClient
    from redis_enterprise_actions.testing import FakeCluster

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "fastapi_app.py"
NO_LIMIT = aiohttp.ClientTimeout(total=None)
UPGRADE = "/databases/1/upgrade"


class Served:
    """The application, with a session whose URLs are below its own."""

    def __init__(self, app: Any, session: aiohttp.ClientSession) -> None:  # noqa: ANN401
        self.app = app
        self.session = session

    @property
    def client(self) -> ActionsClient:
        client: ActionsClient = self.app.state.client
        return client


@asynccontextmanager
async def served(file: Path = EXAMPLE) -> AsyncIterator[Served]:
    """Serve the application in a file."""
    app = runpy.run_path(str(file))["app"]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            async with aiohttp.ClientSession(url, timeout=NO_LIMIT) as session:
                yield Served(app, session)
        finally:
            server.should_exit = True
            await serving


@pytest.fixture
async def site(cluster_in_environment: FakeCluster) -> AsyncIterator[Served]:
    """Serve the application for a cluster with database 1, whose upgrade takes 100 s."""
    cluster_in_environment.add_bdb(1)
    cluster_in_environment.plan("POST", "/v1/bdbs/1/upgrade", Plan(duration=100))
    async with served() as site:
        yield site


def parse_events(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return name, id and data of each event."""
    found = re.findall(r"^event: (.*)\nid: (.*)\ndata: (.*)\n$", text, re.MULTILINE)
    return [(name, event_id, json.loads(data)) for name, event_id, data in found]


async def start(site: Served) -> str:
    """Start the upgrade; return its reference."""
    async with site.session.post(UPGRADE) as answer:
        assert answer.status == 202
        started = await answer.json()
    assert answer.headers["Location"] == f"/operations/{started['ref']}"
    ref: str = started["ref"]
    return ref


async def test_upgrade(cluster_in_environment: FakeCluster, site: Served) -> None:
    """A call is answered before the work ends, and a look shows how it goes."""
    ref = await start(site)
    async with site.session.get(f"/operations/{ref}") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        action = await answer.json()

    assert action == (await site.client.get(ref)).to_dict()
    assert (action["name"], action["phase"]) == ("SMUpgradeBDB", "running")


async def test_events(cluster_in_environment: FakeCluster, site: Served) -> None:
    """The stream has each change, comments in between, and the end."""
    ref = await start(site)
    async with site.session.get(f"/operations/{ref}/events") as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert answer.headers["X-Accel-Buffering"] == "no"
        text = await answer.text()
    parsed = parse_events(text)
    names = [name for name, _, _ in parsed]

    assert names == ["progress"] * (len(names) - 1) + ["completed"]
    assert [data["progress"] for _, _, data in parsed[:2]] == [0.0, 33.33]
    assert parsed[-1][1] == "ended"
    assert parsed[-1][2]["record"]["outcome"] == "completed"
    assert text.count(": still waiting\n\n") >= 3
    async with site.session.get(
        f"/operations/{ref}/events", headers={"Last-Event-ID": "ended"}
    ) as again:
        assert again.status == 204


async def test_failed_work(cluster_in_environment: FakeCluster, site: Served) -> None:
    """Work that fails ends the stream with the problem."""
    uid = cluster_in_environment.add_action(
        plan=Plan(duration=5, outcome="failed", error="disk-full")
    )
    async with site.session.get(f"/operations/action:{uid}/events") as answer:
        name, event_id, data = parse_events(await answer.text())[-1]

    assert (name, event_id, data["outcome"]) == ("problem", "ended", "failed")


async def test_forgotten_work(cluster_in_environment: FakeCluster, site: Served) -> None:
    """Work that the cluster forgets later ends the stream with the problem, too."""
    ref = await start(site)
    async with site.session.get(f"/operations/{ref}/events") as answer:
        await answer.content.readline()
        cluster_in_environment.forget(ref.removeprefix("action:"))
        name, event_id, data = parse_events(await answer.text())[-1]

    assert (name, event_id, data["outcome"]) == ("problem", "ended", "vanished")


async def test_new_work(cluster_in_environment: FakeCluster, site: Served) -> None:
    """Work that the cluster shows only after some seconds is not refused."""
    loop = asyncio.get_running_loop()
    loop.call_later(5, lambda: cluster_in_environment.add_action(uid="new"))
    async with site.session.get("/operations/action:new/events") as answer:
        assert answer.status == 200
        assert parse_events(await answer.text())[-1][0] == "completed"


async def test_stream_in_an_outage(cluster_in_environment: FakeCluster, site: Served) -> None:
    """A browser that connects in an outage gets a stream, as it would not connect again else."""
    ref = await start(site)
    cluster_in_environment.inject(times=None, status=503)
    async with site.session.get(f"/operations/{ref}/events") as answer:
        assert answer.status == 200
        cluster_in_environment.heal()
        assert parse_events(await answer.text())[-1][0] == "completed"


async def test_outage(cluster_in_environment: FakeCluster, site: Served) -> None:
    """After an outage that ends the wait, the browser connects again and sees the end."""
    ref = await start(site)
    async with site.session.get(f"/operations/{ref}/events") as answer:
        await answer.content.readline()
        cluster_in_environment.inject(times=None, status=503)
        name, event_id, data = parse_events(await answer.text())[-1]

    assert (name, event_id, data["status"]) == ("wait_stopped", "", 503)
    assert data["outcome"] == "unreachable"
    cluster_in_environment.heal()
    async with site.session.get(
        f"/operations/{ref}/events", headers={"Last-Event-ID": event_id}
    ) as again:
        assert parse_events(await again.text())[-1][0] == "completed"


async def test_unexpected_error(
    cluster_in_environment: FakeCluster, site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the application breaks the stream off."""
    ref = await start(site)
    monkeypatch.delattr(Action, "to_dict")
    async with site.session.get(f"/operations/{ref}/events") as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.text()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/operations/action:unknown"), ("POST", UPGRADE)]
)
async def test_time_of_an_answer(
    cluster_in_environment: FakeCluster, site: Served, method: str, path: str
) -> None:
    """An answer of the application takes 20 s at most, even if the cluster answers no request."""
    cluster_in_environment.inject(times=None, hang=True)
    began = asyncio.get_running_loop().time()
    async with site.session.request(method, path) as answer:
        assert answer.status == 503

    assert asyncio.get_running_loop().time() - began <= 20


async def test_client_leaves(cluster_in_environment: FakeCluster, site: Served) -> None:
    """A client that disconnects ends the wait, with no task and no poll left; the work goes on."""
    ref = await start(site)
    for _ in range(3):
        async with site.session.get(f"/operations/{ref}/events") as answer:
            await answer.content.readline()
            answer.close()
    await asyncio.sleep(5)
    requests_before = len(cluster_in_environment.requests)
    polls = {task.get_name() for task in asyncio.all_tasks()} & {"poll loop", "poll beside"}
    left = [task for task in asyncio.all_tasks() if "follow" in repr(task.get_coro())]
    await asyncio.sleep(30)

    assert (polls, left) == (set(), [])
    assert len(cluster_in_environment.requests) == requests_before
    assert (await site.client.get(ref)).phase.unfinished


async def test_many_streams(cluster_in_environment: FakeCluster, site: Served) -> None:
    """Many streams for one upgrade share the polls of one client."""
    ref = await start(site)

    async def read() -> str:
        async with site.session.get(f"/operations/{ref}/events") as answer:
            return await answer.text()

    requests_before = len(cluster_in_environment.requests)
    texts = await asyncio.gather(*(read() for _ in range(20)))
    requests = len(cluster_in_environment.requests) - requests_before

    assert {parse_events(text)[-1][0] for text in texts} == {"completed"}
    assert requests < 60


@pytest.mark.parametrize(
    ("method", "path", "fault", "status", "outcome"),
    [
        ("GET", "/operations/nonsense:1", {}, 400, "wrong usage"),
        ("GET", "/operations/nonsense:1/events", {}, 400, "wrong usage"),
        ("GET", "/operations/action:unknown", {}, 404, "not found"),
        ("GET", "/operations/action:unknown/events", {}, 404, "not found"),
        ("GET", "/operations/bdb:name:unknown/events", {}, 404, "not found"),
        ("GET", "/operations/bdb:name:unknown", {}, 404, "not found"),
        ("POST", "/databases/99/upgrade", {}, 404, "rejected"),
        ("POST", UPGRADE, {"status": 409}, 409, "rejected"),
        ("POST", UPGRADE, {"status": 403}, 502, "rejected"),
        ("POST", UPGRADE, {"status": 503}, 503, "unreachable"),
    ],
)
async def test_problems(
    cluster_in_environment: FakeCluster,
    site: Served,
    method: str,
    path: str,
    fault: dict[str, Any],
    status: int,
    outcome: str,
) -> None:
    """Errors are answered as problems, with a status that fits."""
    if fault:
        cluster_in_environment.inject(method="POST", times=None, **fault)
    async with site.session.request(method, path) as answer:
        problem = await answer.json(content_type="application/problem+json")

    assert answer.status == problem["status"] == status
    assert problem["outcome"] == outcome
    assert cluster_in_environment.password not in problem["detail"]


def blocks_of_page() -> list[str]:
    """Return the blocks of Python on the page."""
    page = (ROOT / "docs" / "web.md").read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_page() -> None:
    """The page shows the code of the example."""
    assert blocks_of_page()[0] == EXAMPLE.read_text("utf-8")


async def test_starlette(cluster_in_environment: FakeCluster, tmp_path: Path) -> None:
    """The example, changed as the page says, runs without FastAPI."""
    code, block = blocks_of_page()
    imports, routes = block.split("\n\n", 1)
    for removed in (
        r"^from fastapi.*\n",
        r"^app = FastAPI.*\n",
        r"^@app.exception_handler.*\n",
        r"(?s)^@app\.post.*(?=^async def event_stream)",
    ):
        code, count = re.subn(removed, "", code, flags=re.MULTILINE)
        assert count
    code = code.replace("(app: FastAPI)", "(app: Starlette)")
    assert "fastapi import" not in code
    file = tmp_path / "starlette_app.py"
    file.write_text(f"{imports}\n{code}\n{routes}", "utf-8")
    cluster_in_environment.add_bdb(1)
    cluster_in_environment.plan("POST", "/v1/bdbs/1/upgrade", Plan(duration=100))
    async with served(file) as site:
        ref = await start(site)
        async with site.session.get(f"/operations/{ref}") as answer:
            assert (await answer.json())["phase"] == "running"
        async with site.session.get(f"/operations/{ref}/events") as answer:
            name, event_id, _ = parse_events(await answer.text())[-1]
        headers = {"Last-Event-ID": event_id}
        async with site.session.get(f"/operations/{ref}/events", headers=headers) as answer:
            assert (name, answer.status) == ("completed", 204)
        async with site.session.get("/operations/action:unknown") as answer:
            assert answer.status == 404
