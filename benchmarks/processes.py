"""Processes of the benchmarks: the server, and one process for each contender."""

from __future__ import annotations

import http.client
import json
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict
from urllib.parse import urlencode


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HERE: Final = Path(__file__).parent
_GRACE: Final = 120.0  # seconds


class Stats(TypedDict):
    """Counts of the server since the start."""

    requests: int
    bytes: int
    most_under_way: int
    most_in_a_second: int
    busy_s: float
    cpu_s: float


class Server:
    """Client of the control routes of the server, whose requests are not counted."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, cluster: int = 0) -> str:
        """Return the URL of a cluster's REST API."""
        return f"http://127.0.0.1:{self.port}/c/{cluster}"

    def reset(self, **script: float | str) -> None:
        """Replace the script; `ServerState.reset` in `server.py` has the arguments."""
        self._call("POST", f"/bench/reset?{urlencode(script)}")

    def start(self, t0: float) -> None:
        """Start all actions at this time of `time.monotonic()`."""
        self._call("POST", f"/bench/start?t0={t0!r}")

    def stats(self) -> Stats:
        """Return the counts since the start."""
        stats: Stats = json.loads(self._call("GET", "/bench/stats"))
        return stats

    def _call(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def server() -> Iterator[Server]:
    """Start a server, and stop it at the end."""
    many_sockets()
    with subprocess.Popen(
        [sys.executable, str(_HERE / "server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield Server(json.loads(process.stdout.readline())["port"])
        finally:
            process.stdin.close()


def in_its_own_process(options: Mapping[str, object], limit: float) -> dict[str, object]:
    """Run `one.py` with these options; return what it printed, or why it printed nothing.

    `limit` is in seconds; a process that has not ended `_GRACE` seconds later is killed.
    """
    flags = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, str(_HERE / "one.py"), *flags, f"--limit={limit}"]
    timeout = limit + _GRACE
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=timeout, check=True)
    except subprocess.TimeoutExpired:
        return {**options, "left_out": f"did not keep up, and was killed after {timeout:.0f} s"}
    except subprocess.CalledProcessError as error:
        return {**options, "left_out": f"its process ended with {error.returncode}"}
    run: dict[str, object] = json.loads(done.stdout)
    return run


def many_sockets() -> None:
    """Raise the limit of open sockets of this process and its children."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
