"""Programs that use the synchronous client, as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from tests.threaded_cluster import ThreadedCluster

_HEAD: Final = """\
import os, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from redis_enterprise_actions.sync import ActionsClient, ClientClosed, UsageError

uids = sys.argv[1:]

def ready(_):
    if not is_ready.is_set():
        is_ready.set()
        print("ready", flush=True)

is_ready = threading.Event()
"""
_LIMIT: Final = 60.0  # seconds


class Program:
    """Running program, with the cluster in its environment, and warnings as errors."""

    def __init__(self, threaded: ThreadedCluster, code: str, *uids: str) -> None:
        cluster = threaded.cluster
        environment = {
            **os.environ,
            "REDIS_ENTERPRISE_URL": cluster.url,
            "REDIS_ENTERPRISE_USER": cluster.username,
            "REDIS_ENTERPRISE_PASSWORD": cluster.password,
        }
        # Python 3.12 and newer warn of a fork while there are threads.
        warnings = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
        code = _HEAD + textwrap.dedent(code)
        self._process = subprocess.Popen(
            [sys.executable, *warnings, "-c", code, *uids],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_until_ready(self) -> None:
        """Return when the program has printed its first line."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", self._process.communicate()[1]

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def end(self, limit: float = _LIMIT) -> tuple[int, str, str]:
        """Return the exit code, and what the program has printed since the first line."""
        output, errors = self._process.communicate(timeout=limit)
        return self._process.returncode, output, errors
