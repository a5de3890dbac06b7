"""What asks a `FakeCluster` by any method, with nothing but aiohttp."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions.testing import FakeCluster


class Caller:
    """Calls the routes of a cluster's first node."""

    def __init__(self, session: aiohttp.ClientSession, cluster: FakeCluster) -> None:
        self.session = session
        self.cluster = cluster

    async def __call__(
        self, method: str, path: str, body: object = None, *, raw: bytes | None = None
    ) -> tuple[int, Any]:
        """Send JSON, or raw bytes of no known type; return the status and the decoded body."""
        data = raw if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        url = f"{self.cluster.url}{path}"
        async with self.session.request(method, url, data=data, headers=headers) as response:
            if response.content_type != "application/json":
                return response.status, await response.text()
            return response.status, await response.json()

    async def ok(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Make a call that must succeed; return the decoded body."""
        status, said = await self(method, path, body)
        assert status == 200, said
        return said

    async def bdb(self, uid: int = 1) -> Any:  # noqa: ANN401 - JSON
        """Return a database, which must be there."""
        return await self.ok("GET", f"/v1/bdbs/{uid}")

    async def refused(
        self, method: str, path: str, body: object = None, *, raw: bytes | None = None
    ) -> tuple[int, str]:
        """Make a call that must fail with an error object; return the status and its code."""
        status, said = await self(method, path, body, raw=raw)
        assert said.keys() == {"error_code", "description"}
        return status, said["error_code"]


@asynccontextmanager
async def calling(cluster: FakeCluster) -> AsyncIterator[Caller]:
    """Return what calls a cluster, with its credentials."""
    pair = base64.b64encode(f"{cluster.username}:{cluster.password}".encode()).decode()
    async with aiohttp.ClientSession(headers={"Authorization": f"Basic {pair}"}) as session:
        yield Caller(session, cluster)
