"""Tests of the wake-ups of the event loop while a request is out."""

from __future__ import annotations

import asyncio
import json
import selectors
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionsClient


if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.enable_socket

QUIET = 1.5  # seconds of a request in which nothing may be due


class TimedSelector(selectors.DefaultSelector):
    """Selector that moves the clock to the next timer when no socket is ready, and notes when."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.woken_at: list[float] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; if nothing is, and a timer is set, move the clock to it."""
        ready = super().select(0)
        if timeout is not None and timeout <= 0:
            return ready
        ready = ready or super().select(0.01 if timeout is not None else None)
        if not ready and timeout is not None:
            self.now += timeout
            self.woken_at.append(self.now)
        return ready


class TimedLoop(asyncio.SelectorEventLoop):
    """Event loop with real sockets and the time of its selector."""

    def __init__(self, selector: TimedSelector) -> None:
        self._clock = selector
        super().__init__(selector)

    def time(self) -> float:
        """Return the selector's time."""
        return self._clock.now


class SlowServer:
    """Server that holds all answers but the first for some seconds; all actions are active."""

    def __init__(self, uids: list[str], held: float) -> None:
        self._held = held
        self._entries = {
            uid: {"action_uid": uid, "name": "SMUpdateBDB", "status": "active"} for uid in uids
        }
        self.requested: list[tuple[str, float]] = []
        self.answered = asyncio.Event()  # the second request

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        loop = asyncio.get_running_loop()
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split()[1].decode()
                self.requested.append((path, loop.time()))
                await asyncio.sleep(self._held if len(self.requested) > 1 else 0)
                uid = path.removeprefix("/v1/actions").strip("/")
                found = self._entries[uid] if uid else {"state-machines": [*self._entries.values()]}
                body = json.dumps(found).encode()
                fields = b"Content-Type: application/json\r\nContent-Length: %d" % len(body)
                writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (fields, body))
                if len(self.requested) == 2:
                    self.answered.set()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


async def two_requests(waits: int, held: float) -> list[tuple[str, float]]:
    """Return the paths and times of two requests of some waits on a slow server."""
    uids = [f"a{k}" for k in range(waits)]
    serve = SlowServer(uids, held)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with ActionsClient(f"http://127.0.0.1:{port}", username="u", password="p") as client:
            tasks = [asyncio.ensure_future(client.wait_for_action(uid)) for uid in uids]
            await serve.answered.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return serve.requested


@pytest.fixture
def run_timed() -> Callable[..., tuple[list[tuple[str, float]], list[float]]]:
    """Return a function that makes two requests on a timed loop; it adds when timers woke it."""

    def run(waits: int, held: float) -> tuple[list[tuple[str, float]], list[float]]:
        selector = TimedSelector()
        with asyncio.Runner(loop_factory=lambda: TimedLoop(selector)) as runner:
            requested = runner.run(two_requests(waits, held))
        return requested, selector.woken_at

    return run


@pytest.mark.parametrize("held", [QUIET, 2 * QUIET], ids=lambda held: f"{held}s")
@pytest.mark.parametrize(
    ("waits", "path"),
    [
        pytest.param(1, "/v1/actions/a0", id="one wait"),
        pytest.param(50, "/v1/actions", id="fifty waits, one list"),
    ],
)
def test_nothing_wakes_the_loop_while_a_request_is_out(
    run_timed: Callable[..., tuple[list[tuple[str, float]], list[float]]],
    waits: int,
    path: str,
    held: float,
) -> None:
    """No timer fires in the first 1.5 s of a request that is out, if nothing is due."""
    requested, woken_at = run_timed(waits, held)

    asked, sent_at = requested[1]
    assert asked == path
    assert [at for at in woken_at if sent_at < at < sent_at + QUIET] == []
