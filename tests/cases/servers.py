"""Servers on 127.0.0.1 that answer as a cluster does in one situation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import web

from redis_enterprise_actions import ActionsClient


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions import Duration

Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serve a handler, and return the URL."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client_of(
    handler: Handler, *, request_timeout: Duration = 30.0
) -> AsyncIterator[ActionsClient]:
    """Serve a handler, and return a client of it."""
    async with (
        serving(handler) as url,
        ActionsClient(
            url, username="ops", password="hunter2-hunter2", request_timeout=request_timeout
        ) as client,
    ):
        yield client


def answer(body: object, status: int = 200, **headers: str) -> web.Response:
    """Return an answer with JSON."""
    return web.json_response(body, status=status, headers=headers)


def not_found(error_code: str = "action_not_found") -> web.Response:
    """Return the cluster's 404."""
    return answer({"error_code": error_code, "description": "There is no such thing."}, 404)


def action(status: str, *, uid: str = "a", **more: object) -> dict[str, object]:
    """Return an action as the cluster shows it."""
    return {"action_uid": uid, "name": "SMUpdateBDB", "status": status, **more}
