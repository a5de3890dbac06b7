"""aiohttp sessions of a fake cluster, and requests for tokens."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from tests.http_client import HttpClient


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import FakeCluster


def authorized(cluster: FakeCluster) -> aiohttp.ClientSession:
    """Return a session with the cluster's credentials."""
    pair = base64.b64encode(f"{cluster.username}:{cluster.password}".encode()).decode()
    return aiohttp.ClientSession(headers={"Authorization": f"Basic {pair}"})


def four_requests(
    session: aiohttp.ClientSession, cluster: FakeCluster
) -> list[asyncio.Task[tuple[int, Any]]]:
    """Start four requests at once."""
    call = HttpClient(session, cluster)
    return [asyncio.create_task(call("GET", "/v1/actions")) for _ in range(4)]


def with_header(authorization: str | None) -> aiohttp.ClientSession:
    """Return a session with that Authorization header, or none."""
    headers = {} if authorization is None else {"Authorization": authorization}
    return aiohttp.ClientSession(headers=headers)


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
    **fields: object,
) -> str:
    """Request a token and return it; check that it was issued."""
    body = json.dumps(fields).encode() if fields else b""
    status, answer = await post(session, cluster, route, body)
    assert (status, list(answer)) == (200, ["access_token"])
    token = answer["access_token"]
    assert isinstance(token, str)
    return token


def free_ports(count: int) -> int:
    """Return the first of free ports that follow each other, below those that systems give out."""
    for first in random.sample(range(20_000, 30_000), 100):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first
    pytest.fail("no free ports were found")


def port_of(url: str) -> int:
    """Return the port of a URL."""
    port = URL(url).port
    assert port is not None
    return port
