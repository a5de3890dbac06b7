"""Fixtures of the tests of the control API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from redis_enterprise_actions.testing import ControlServer, FakeCluster, Scenario


if TYPE_CHECKING:
    from collections.abc import AsyncIterator


SCENARIO = """
v = 1
seed = 7
[cluster]
nodes = 3
speed = 0
starts_at = 2026-01-01T00:00:00Z
[[databases]]
uid = 1
"""


class Control:
    """HTTP client of a control API."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def __call__(
        self,
        method: str,
        path: str = "",
        body: object = None,
        **options: Any,  # noqa: ANN401 - aiohttp's
    ) -> tuple[int, Any]:
        """Send a call, with a body as JSON or bytes; return the status and the decoded answer."""
        if isinstance(body, bytes):
            options["data"] = body
        elif body is not None:
            options["json"] = body
        async with self.session.request(method, f"{self.url}{path}", **options) as response:
            assert response.content_type == "application/json"
            answer = await response.json()
            assert answer["v"] == 1
            return response.status, answer

    async def ok(self, *call: Any, **options: Any) -> Any:  # noqa: ANN401 - JSON
        """Return an answer without its version; check that the call was accepted."""
        status, answer = await self(*call, **options)
        assert status == 200, answer
        return {name: value for name, value in answer.items() if name != "v"}

    async def refused(self, *call: Any, **options: Any) -> tuple[int, str | None, str]:  # noqa: ANN401 - JSON
        """Return status, field and message of a refusal; check that it is one."""
        status, answer = await self(*call, **options)
        assert answer.keys() == {"v", "error", "field"}
        assert 400 <= status < 500
        assert answer["error"]
        return status, answer["field"], answer["error"]


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    """A cluster of three nodes whose clock stands still."""
    async with FakeCluster.from_scenario(Scenario.parse(SCENARIO)) as cluster:
        yield cluster


@pytest.fixture
async def control(cluster: FakeCluster) -> AsyncIterator[Control]:
    """A client of the control API of that cluster."""
    async with ControlServer(cluster) as server, aiohttp.ClientSession() as session:
        yield Control(server.url, session)
