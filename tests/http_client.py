"""HTTP client of the fake cluster that uses aiohttp only, and nothing of this package."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions.testing import FakeCluster


class HttpClient:
    """HTTP client with the credentials of a cluster, by default of its first node."""

    def __init__(self, session: aiohttp.ClientSession, cluster: FakeCluster) -> None:
        self.session = session
        self.cluster = cluster

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        node: int = 1,
        **options: Any,  # noqa: ANN401 - aiohttp's
    ) -> tuple[int, Any]:
        """Send a body as JSON; return the status and the body, decoded if it is JSON."""
        if body is not None:
            options["json"] = body
        url = f"{self.cluster.urls[node - 1]}{path}"
        async with self.session.request(method, url, allow_redirects=False, **options) as response:
            is_json = response.content_type.endswith("json")
            return response.status, await (
                response.json(content_type=None) if is_json else response.text()
            )

    async def ok(self, *call: Any, **options: Any) -> Any:  # noqa: ANN401 - JSON
        """Return the body of an answer; check that the status is 200."""
        status, body = await self(*call, **options)
        assert status == 200, body
        return body

    async def bdb(self, uid: int = 1) -> Any:  # noqa: ANN401 - JSON
        """Return a database; check that it exists."""
        return await self.ok("GET", f"/v1/bdbs/{uid}")

    async def refused(self, *call: Any, **options: Any) -> tuple[int, str]:  # noqa: ANN401 - JSON
        """Return the status and the error code of an answer; check that it is an error."""
        status, error = await self(*call, **options)
        assert error.keys() == {"error_code", "description"}
        return status, error["error_code"]


@asynccontextmanager
async def http_client(cluster: FakeCluster) -> AsyncIterator[HttpClient]:
    """Return a client of a cluster."""
    pair = base64.b64encode(f"{cluster.username}:{cluster.password}".encode()).decode()
    async with aiohttp.ClientSession(headers={"Authorization": f"Basic {pair}"}) as session:
        yield HttpClient(session, cluster)
