"""How the fake's answers go wrong."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web


if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(kw_only=True, slots=True)
class Fault:
    """One kind of bad answer, for the next `times` requests whose path begins with `path`."""

    path: str
    times: float
    status: int | None
    body: bytes
    headers: dict[str, str]
    delay: float
    drop: bool
    truncate: bool


def next_fault(faults: Sequence[Fault], path: str) -> Fault | None:
    """Return what hits a request for `path`, and count it."""
    for fault in faults:
        if fault.times > 0 and path.startswith(fault.path):
            fault.times -= 1
            return fault
    return None


def disconnect(request: web.Request) -> None:
    """Hang up without a word."""
    assert request.transport is not None, "a handler is cancelled when its client leaves"
    request.transport.abort()


async def send_half(request: web.Request, whole: web.StreamResponse) -> None:
    """Promise the whole body, send half of it, and hang up."""
    body = whole.body if isinstance(whole, web.Response) else None
    data = body if isinstance(body, bytes) else b"{}"
    headers = {"Content-Type": "application/json", "Content-Length": str(len(data))}
    part = web.StreamResponse(status=whole.status, headers=headers)
    await part.prepare(request)
    await part.write(data[: len(data) // 2])
    await asyncio.sleep(0)  # until it is on its way
    disconnect(request)
