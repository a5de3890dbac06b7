"""Server on 127.0.0.1 that records whole requests and gives prepared answers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

from redis_enterprise_actions import ActionsClient


if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

NOT_FOUND = (404, '{"error_code": "action_not_found", "description": "there is none"}')


class RecordedCall(NamedTuple):
    """Request to the server. `body` is decoded JSON, or None."""

    method: str
    path: str
    body: Any
    headers: Mapping[str, str]

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


class RecordingServer:
    """Server with prepared `answers` to each method: a status and a body. The last one is repeated.

    By default it answers 404 to GET, and 200 without a body to other methods.
    """

    def __init__(self, **answers: list[tuple[int, str | bytes]]) -> None:
        self.answers: dict[str, list[tuple[int, str | bytes]]] = {"GET": [NOT_FOUND]} | answers
        self.calls: list[RecordedCall] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()
        await asyncio.sleep(0)

    def client(self, **options: Any) -> ActionsClient:  # noqa: ANN401 - the client's
        """Return a client of this server."""
        return ActionsClient(self.url, username="ops", password="fake-password", **options)

    @property
    def changes(self) -> list[RecordedCall]:
        """The requests that may have changed something."""
        return [call for call in self.calls if call.method != "GET"]

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        came = json.loads(body) if body and request.content_type == "application/json" else None
        self.calls.append(RecordedCall(request.method, request.raw_path, came, request.headers))
        answers = self.answers.get(request.method, [(200, "")])
        status, text = answers.pop(0) if len(answers) > 1 else answers[0]
        data = text if isinstance(text, bytes) else text.encode()
        return web.Response(status=status, body=data, content_type="application/json")
