"""Airflow with each component in a process, in a home of its own, with SQLite."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

SLOTS = 2
_BIN = Path(sys.executable).parent
_COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")


class Instance:
    """Airflow with one connection, which runs from `with` to its end."""

    def __init__(self, home: Path, connection: str) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self._url = url = f"http://127.0.0.1:{self._port}"
        self._env = os.environ | {
            "AIRFLOW_CONN_REDIS_ENTERPRISE_DEFAULT": connection,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self._port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": str(SLOTS),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
        }
        self._env.pop("AIRFLOW__CORE__UNIT_TEST_MODE", None)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True)
        subprocess.run(
            [_BIN / "airflow", "db", "migrate"], env=self._env, check=True, capture_output=True
        )
        for component in _COMPONENTS:
            self.start(component)
            until("the API answers", self._answers, limit=120)  # or tasks are lost, and tried again
        return self

    def __exit__(self, *exc: object) -> None:
        for component in _COMPONENTS:
            self.end(component, signal.SIGTERM)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def start(self, component: str) -> None:
        """Start a component, which writes to a log of its own."""
        log = (self.home / f"{component}.log").open("ab")
        with log:
            self.processes[component] = subprocess.Popen(
                [_BIN / "airflow", component],
                env=self._env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end(self, component: str, sign: signal.Signals) -> None:
        """Send a signal to a component and to the processes that it has started."""
        process = self.processes.pop(component)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)

    def mark_failed(self, task_id: str) -> None:
        """Mark a task of the DAG's one run as failed, as a user does in the browser."""
        ((run_id,),) = self._query("select run_id from dag_run")
        token = json.loads(self._call("GET", "/auth/token"))["access_token"]
        path = f"/api/v2/dags/crash/dagRuns/{quote(run_id)}/taskInstances/{task_id}"
        self._call("PATCH", path, {"new_state": "failed"}, token)

    def _call(self, method: str, path: str, body: object = None, token: str = "") -> bytes:
        call = urllib.request.Request(
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(call, timeout=30) as answer:
            return answer.read()  # type: ignore[no-any-return]

    def memory(self, component: str) -> float:
        """Return the unshared memory of a component and its children, in MB."""
        group, held = self.processes[component].pid, 0
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.getpgid(int(place.name)) == group:
                    rollup = (place / "smaps_rollup").read_text("ascii")
                    held += sum(
                        int(line.split()[1])
                        for line in rollup.splitlines()
                        if line.startswith("Private_")
                    )
        return held / 1024

    def states(self) -> dict[str, int]:
        """Return the number of the DAG's tasks in each state."""
        found = self._query(
            "select coalesce(state, 'none'), count(*) from task_instance group by 1"
        )
        return {str(state): int(count) for state, count in found}

    def tries(self) -> int:
        """Return the number of tries of all tasks."""
        ((tries,),) = self._query("select sum(try_number) from task_instance")
        return int(tries)

    def _query(self, query: str) -> list[tuple[str, ...]]:
        file = f"file:{self.home / 'airflow.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(file, uri=True, timeout=10)) as database:
            return database.execute(query).fetchall()


def until(what: str, happens: Callable[[], bool], *, limit: float) -> float:
    """Call `happens` twice a second until it returns True; return the seconds that this took."""
    began = time.monotonic()
    while not happens():
        if time.monotonic() - began > limit:
            raise TimeoutError(f"{what}: not within {limit:g} s")
        time.sleep(0.5)
    return time.monotonic() - began
