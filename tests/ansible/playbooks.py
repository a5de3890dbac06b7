"""Runs of `ansible-playbook` against a fake cluster, and their kills."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.threaded_cluster import ThreadedCluster

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "ansible.md"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LIMIT = 240.0  # seconds of real time for one run


def page_blocks() -> list[list[dict[str, Any]]]:
    """Return the blocks of YAML on the page: the playbook first, then lists of tasks."""
    return [yaml.safe_load(block) for block in _BLOCK.findall(PAGE.read_text("utf-8"))]


class Run(NamedTuple):
    """End of a playbook: its exit code, its output, and the results of its tasks."""

    code: int
    output: str
    tasks: list[dict[str, Any]]

    @property
    def changed(self) -> int:
        """Number of tasks that changed something, as the recap says."""
        return int(re.findall(r"changed=(\d+)", self.output)[-1])

    def task(self, name: str) -> dict[str, Any]:
        """Return the result of the one task, or item of a loop, of that name."""
        (found,) = [each for each in self.tasks if each["task"].endswith(name)]
        return found


class Playbooks:
    """Runner of playbooks in a folder of its own, with a cluster in the environment."""

    def __init__(self, folder: Path, collections: Path, server: ThreadedCluster) -> None:
        self.folder = folder
        self.server = server
        self.state = folder / "state"
        self.state.mkdir()
        self._results = folder / "results.jsonl"
        cluster = server.cluster
        self.environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "task_results",
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
            "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
            "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "True",  # quicker
            "TASK_RESULTS": str(self._results),
            "REDIS_ENTERPRISE_URL": " ".join(cluster.urls),
            "REDIS_ENTERPRISE_USER": cluster.username,
            "REDIS_ENTERPRISE_PASSWORD": cluster.password,
            "CLUSTER_PASSWORD": cluster.password,
        }
        self._variables = {
            "urls": cluster.urls,
            "state": str(self.state),
            "ansible_python_interpreter": sys.executable,
        }

    def site(self) -> Path:
        """Write the playbook of the page, and return its file."""
        return self._write(page_blocks()[0])

    def tasks(self, *tasks: Mapping[str, Any]) -> Path:
        """Write a playbook of these tasks, and return its file."""
        return self._write([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}])

    def operation(self, **options: object) -> Path:
        """Write a playbook of one task, and return its file."""
        return self.tasks({"name": "it", "redis_enterprise.actions.operation": options})

    def _write(self, plays: list[dict[str, Any]]) -> Path:
        file = self.folder / "site.yml"
        file.write_text(yaml.safe_dump(plays, sort_keys=False), "utf-8")
        return file

    def start(self, playbook: Path, *options: str) -> subprocess.Popen[str]:
        """Start `ansible-playbook`."""
        self._results.unlink(missing_ok=True)
        program = Path(sys.executable).with_name("ansible-playbook")
        command = [str(program), str(playbook), "-e", json.dumps(self._variables), *options]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=self.environment,
        )

    def run(self, playbook: Path, *options: str) -> Run:
        """Run `ansible-playbook` to its end."""
        process = self.start(playbook, *options)
        output, _ = process.communicate(timeout=_LIMIT)
        lines = self._results.read_text("utf-8").splitlines() if self._results.exists() else []
        return Run(process.returncode, output, [json.loads(line) for line in lines])

    def kill_when(self, playbook: Path, condition: Callable[[], bool], *options: str) -> None:
        """Run `ansible-playbook`; kill it with all of its processes once a condition is true."""
        process = self.start(playbook, *options)
        try:
            wait_until(condition, process)
        finally:
            kill_tree(process.pid)
            output, _ = process.communicate(timeout=_LIMIT)
        assert process.returncode == -signal.SIGKILL, output

    def phase(self, name: str) -> str | None:
        """Return the phase in a state file, or None without a file."""
        try:
            return str(json.loads((self.state / name).read_text("utf-8"))["phase"])
        except FileNotFoundError:
            return None


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Return once a condition is true; fail if the process ends before, or after minutes."""
    end = time.monotonic() + _LIMIT
    while not condition():
        assert process is None or process.poll() is None, process and process.communicate()[0]
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.005)


def kill_tree(pid: int) -> None:
    """Kill a process and its descendants, which Ansible puts into sessions of their own."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
                parents[int(folder.name)] = int(fields[1])
    tree = {pid}
    while new := {each for each, parent in parents.items() if parent in tree} - tree:
        tree |= new
    for each in [pid, *sorted(tree - {pid})]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
