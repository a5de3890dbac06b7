"""Airflow with a connection in its database, whose commands run as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.airflow.conftest import CONN_ID, connection_to


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import FakeCluster

_AIRFLOW = Path(sys.executable).parent / "airflow"


class StoredConnection:
    """Airflow in a directory of its own, with SQLite, and without a running component."""

    def __init__(self, home: Path) -> None:
        self.dags = home / "dags"
        self.dags.mkdir(parents=True)
        self._env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AIRFLOW_CONN_") and name != "AIRFLOW__CORE__UNIT_TEST_MODE"
        } | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        self.run("db", "migrate")

    def run(self, *arguments: str) -> str:
        """Run a command of Airflow; return what it prints, log included."""
        ran = subprocess.run(
            [_AIRFLOW, *arguments],
            env=self._env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=300,
        )
        return ran.stdout

    def connect(self, cluster: FakeCluster) -> None:
        """Store the connection to a cluster in the database."""
        self.run("connections", "add", CONN_ID, "--conn-json", connection_to(cluster))

    def test(self, source: str) -> str:
        """Put a DAG with the id `dag` among the DAGs, and run it by `airflow dags test`."""
        (self.dags / "dag.py").write_text(source, "utf-8")
        return self.run("dags", "test", "dag")
