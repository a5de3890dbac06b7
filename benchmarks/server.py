"""Scripted server that simulates any number of clusters in one process, and counts requests.

Usage: python benchmarks/server.py [PORT]

Prints `{"port": ...}` and ends when its standard input does. Cluster k is at `/c/k`, with the
script of seed + k. An answer shows the state at the time of its request, and is sent `latency`
seconds later. `POST /bench/reset?n=..` writes a script, `POST /bench/start?t0=..` sets the
time of CLOCK_MONOTONIC at which all actions begin, and `GET /bench/stats` returns the counts.

The server is not measured, and is made as fast as possible: it uses no framework and reads no
headers.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import sys
import time
from collections import deque
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from shapes import ClusterActions, v1
from truth import script


_FIELDS: Final = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_OK: Final = b"HTTP/1.1 200 OK\r\n" + _FIELDS
_MISSING: Final = b"HTTP/1.1 404 Not Found\r\n" + _FIELDS
_NO_ROUTE: Final = b'{"error_code":"no_route","description":"No such route"}'


class Counts:
    """Counts of requests: of one cluster, or of all."""

    def __init__(self) -> None:
        self.requests = 0
        self.under_way = 0
        self.most_under_way = 0
        self.most_in_a_second = 0
        self.busy = 0.0  # seconds with at least one request under way
        self._recent: deque[float] = deque()
        self._busy_since = 0.0

    def began(self, now: float) -> None:
        """Count a request that begins."""
        self.requests += 1
        if not self.under_way:
            self._busy_since = now
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self._recent.append(now)
        while self._recent[0] <= now - 1:
            self._recent.popleft()
        self.most_in_a_second = max(self.most_in_a_second, len(self._recent))

    def ended(self, now: float) -> None:
        """Count a request that ends."""
        self.under_way -= 1
        if not self.under_way:
            self.busy += now - self._busy_since


class Cluster:
    """Script of one cluster, and the counts of its requests."""

    def __init__(self, seed: int, *, n: int, median: float, progress: str, remembered: int) -> None:
        self.counts = Counts()
        actions = script(seed, n, median, progress)
        past = script(-seed - 1, remembered, median, progress)
        self._actions = ClusterActions(actions, past, v1, int(time.time()))

    def answer(self, path: str, age: float) -> tuple[bytes, bytes]:
        """Return the head and the body for a path below the cluster's own."""
        route, _, uid = path.removeprefix("/v1/").partition("/")
        if route != "actions":
            return _MISSING, _NO_ROUTE
        if uid:
            return _found(self._actions.one(uid, age), uid)
        tasks, machines = (self._actions.family(age, tasks=tasks) for tasks in (True, False))
        return _OK, b'{"actions":[%b],"state-machines":[%b]}' % (tasks, machines)


class ServerState:
    """All clusters, the common clock, and the counts over all."""

    def __init__(self) -> None:
        self.reset({})

    def reset(self, query: dict[str, str]) -> dict[str, object]:
        """Replace the script by one whose actions have not begun yet."""
        write = partial(
            Cluster,
            n=int(query.get("n", 0)),
            median=float(query.get("median", 30)),
            progress=query.get("progress", "mixed"),
            remembered=int(query.get("remembered", 0)),
        )
        seed = int(query.get("seed", 1))
        self.latency = float(query.get("latency", 0))
        self.clusters = [write(seed + k) for k in range(int(query.get("clusters", 1)))]
        self.counts = Counts()
        self.bytes = 0
        self._t0 = math.inf
        self._cpu = time.process_time()
        gc.collect()
        gc.freeze()
        return {"clusters": len(self.clusters)}

    def start(self, query: dict[str, str]) -> dict[str, object]:
        """Start all actions at `t0`, and the measurement of CPU time now."""
        self._t0 = float(query["t0"])
        self._cpu = time.process_time()
        return {"t0": self._t0}

    def stats(self, _query: dict[str, str]) -> dict[str, object]:
        """Return the counts since the start; `most_...` is the maximum over the clusters."""
        each = [cluster.counts for cluster in self.clusters]
        return {
            "requests": self.counts.requests,
            "bytes": self.bytes,
            "most_under_way": max(counts.most_under_way for counts in each),
            "most_in_a_second": max(counts.most_in_a_second for counts in each),
            "busy_s": max(counts.busy for counts in each),
            "cpu_s": time.process_time() - self._cpu,
        }

    def cluster(self, path: str) -> tuple[Cluster | None, str]:
        """Return the cluster that a path belongs to, and the rest of the path."""
        if not path.startswith("/c/"):
            return self.clusters[0], path
        number, _, rest = path.removeprefix("/c/").partition("/")
        if not number.isdecimal() or int(number) >= len(self.clusters):
            return None, path
        return self.clusters[int(number)], f"/{rest}"

    def age(self, now: float) -> float:
        """Return the age of all actions, in seconds."""
        return max(now - self._t0, 0.0)


class Connection(asyncio.Protocol):
    """Connection that reads requests without a body and answers each."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._controls = {
            "/bench/reset": state.reset,
            "/bench/start": state.start,
            "/bench/stats": state.stats,
        }
        self._unread = b""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        *requests, self._unread = (self._unread + data).split(b"\r\n\r\n")
        for request in requests:
            self._take(request[: request.index(b"\r\n")].split(b" ", 2)[1].decode())

    def _take(self, target: str) -> None:
        if target.startswith("/bench/"):
            url = urlsplit(target)
            result = self._controls[url.path](dict(parse_qsl(url.query)))
            self._send(_OK, json.dumps(result).encode())
            return
        state, now = self._state, time.monotonic()
        cluster, path = state.cluster(target)
        if cluster is None:
            self._send(_MISSING, _NO_ROUTE)
            return
        counted = (cluster.counts, state.counts)
        for counts in counted:
            counts.began(now)
        head, body = cluster.answer(path, state.age(now))
        if state.latency:
            self._loop.call_later(state.latency, self._answer, counted, head, body)
        else:  # after all requests received so far, so that these count as simultaneous
            self._loop.call_soon(self._answer, counted, head, body)

    def _answer(self, counted: tuple[Counts, ...], head: bytes, body: bytes) -> None:
        self._state.bytes += self._send(head, body)
        now = time.monotonic()
        for counts in counted:
            counts.ended(now)

    def _send(self, head: bytes, body: bytes) -> int:
        answer = head % len(body) + body
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)
        return len(answer)


def _found(body: bytes | None, uid: str) -> tuple[bytes, bytes]:
    if body is not None:
        return _OK, body
    missing = {"error_code": "action_not_found", "description": f"Action {uid} does not exist"}
    return _MISSING, json.dumps(missing).encode()


async def serve(port: int) -> None:
    """Serve until standard input ends."""
    state, loop = ServerState(), asyncio.get_running_loop()
    make = partial(Connection, state)
    server = await loop.create_server(make, "127.0.0.1", port, backlog=16_384)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
