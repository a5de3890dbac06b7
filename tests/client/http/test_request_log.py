"""Tests of `_client.http.request_log`, and of the transport's use of it."""

from __future__ import annotations

import asyncio
import logging
from logging.handlers import MemoryHandler
from typing import TYPE_CHECKING

import pytest
from yarl import URL

from redis_enterprise_actions import ActionsClient, RequestError
from redis_enterprise_actions._client.http.messages import Request
from redis_enterprise_actions._client.http.request_log import log_request
from redis_enterprise_actions.testing import FakeCluster, Plan

from .node_servers import Node, get, transport_to


if TYPE_CHECKING:
    from collections.abc import Iterator

LOGGER = "redis_enterprise_actions.requests"
SECRET = "hunter2-hunter2"


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """Return the records of requests, to which each request adds one."""
    handler = MemoryHandler(capacity=1000, flushLevel=logging.CRITICAL)
    logging.getLogger(LOGGER).addHandler(handler)
    yield handler.buffer
    logging.getLogger(LOGGER).removeHandler(handler)


@pytest.mark.parametrize(
    ("request_", "node", "result", "seconds", "line"),
    [
        pytest.param(
            Request("GET", "/v1/actions"), "https://node1:9443", 200, 0.0123,
            "GET /v1/actions 200 12ms node1:9443", id="status",
        ),
        pytest.param(
            Request("POST", "/v1/bdbs"), "http://[::1]:8080", "TimeoutError", 15.0,
            "POST /v1/bdbs TimeoutError 15000ms [::1]:8080", id="error",
        ),
        pytest.param(
            Request("PUT", "/v1/x", f"?dry_run=true&key={SECRET}&last"), "https://node1", 409, 0,
            "PUT /v1/x?dry_run&key&last 409 0ms node1:443", id="query",
        ),
    ],
)  # fmt: skip
def test_line(
    request_: Request,
    node: str,
    result: int | str,
    seconds: float,
    line: str,
    records: list[logging.LogRecord],
) -> None:
    """A record has method, path, names of the query, status or error, milliseconds and node."""
    log_request(request_, URL(node), result, seconds)

    (record,) = records
    assert (record.name, record.levelno, record.getMessage()) == (LOGGER, logging.DEBUG, line)


def test_fields(records: list[logging.LogRecord]) -> None:
    """A record has the same as fields; of `status` and `error`, one is None."""
    for result in (200, "TimeoutError"):
        log_request(Request("GET", "/v1/actions"), URL("https://node1:9443"), result, 0.5)

    names = ("event", "method", "path", "status", "error", "ms", "node")
    common = ("request", "GET", "/v1/actions")
    assert [tuple(vars(record)[name] for name in names) for record in records] == [
        (*common, 200, None, 500, "node1:9443"),
        (*common, None, "TimeoutError", 500, "node1:9443"),
    ]


@pytest.mark.enable_socket
async def test_each_request(records: list[logging.LogRecord]) -> None:
    """Polls, redirects, requests for tokens, repeated ones and calls have one record each."""
    async with FakeCluster(nodes=2, token_ttl=20) as fake:
        fake.inject(status=503, path="/v1/actions", times=2)
        fake.primary = 2
        client = ActionsClient(
            fake.urls, username=fake.username, password=fake.password, auth="jwt"
        )
        async with client:
            uid = fake.add_action("SMUpdateBDB", Plan(duration=40))
            await client.operation(uid).wait()
            await client.nodes.maintenance_on(1)

        seen = [(each.method, each.path.partition("?")[0], each.status) for each in fake.requests]
        nodes = [URL(fake.urls[each.node - 1]).port for each in fake.requests]
    fields = [vars(record) for record in records]
    assert [
        (each["method"], each["path"].partition("?")[0], each["status"]) for each in fields
    ] == seen
    assert [each["node"] for each in fields] == [f"127.0.0.1:{port}" for port in nodes]
    assert {307, 503, 200} <= {status for _, _, status in seen}
    assert {"/v1/users/authorize", "/v1/users/refresh_jwt"} <= {path for _, path, _ in seen}
    text = " ".join(f"{each!r}" for each in fields)
    assert fake.password not in text
    assert fake.username not in text


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("behaviour", "results"),
    [
        ("refuses", ["ClientConnectorError"]),
        ("drops", ["ConnectionLost", "ConnectionLost"]),
        ("hangs", ["TimeoutError"]),
    ],
)
async def test_no_reply(
    behaviour: str, results: list[str], records: list[logging.LogRecord]
) -> None:
    """A request without a reply has a record with the name of the error."""
    async with transport_to(Node(behaviour=behaviour)) as transport:
        with pytest.raises(RequestError):
            await get(transport)

    assert [vars(record)["error"] for record in records] == results


@pytest.mark.enable_socket
async def test_cancelled(records: list[logging.LogRecord]) -> None:
    """A request that is cancelled before its reply has a record, too."""
    async with transport_to(Node(behaviour="hangs")) as transport:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await get(transport)

    (record,) = records
    assert (vars(record)["error"], vars(record)["ms"]) == ("cancelled", 3000)


@pytest.mark.enable_socket
async def test_off(records: list[logging.LogRecord]) -> None:
    """Above DEBUG, nothing is logged."""
    logging.getLogger(LOGGER).setLevel(logging.INFO)
    try:
        async with transport_to(Node()) as transport:
            await get(transport)
    finally:
        logging.getLogger(LOGGER).setLevel(logging.NOTSET)

    assert records == []
