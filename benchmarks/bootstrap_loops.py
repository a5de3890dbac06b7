"""Comparison of ways to wait for a bootstrap: loops as people write them, and `redis-actions`.

Usage: python benchmarks/bootstrap_loops.py [--quick]

Each way waits on a fake node of its own, for the same course of events, in real time. A way that
was not found on this machine (curl, jq, ansible-playbook) is left out, and named.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp

from redis_enterprise_actions.testing import FakeCluster


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PATIENCE: Final = 1.5  # of the limit of a loop; a loop that takes longer hangs
_BODY: Final = {
    "action": "create_cluster",
    "cluster": {"name": "cluster.local"},
    "credentials": {"username": "admin@example.com", "password": "fake-password"},
}

_CURL: Final = """\
for i in $(seq 1 {tries}); do
  state=$(curl -sk {url}/v1/bootstrap | jq -r .bootstrap_status.state)
  [ "$state" = completed ] && break
  sleep {pause}
done
echo "cluster is up"
"""
_TERRAFORM: Final = """\
until curl -sk -u "$USER_NAME:$PASSWORD" {url}/v1/bootstrap | grep -q '"state": *"completed"'; do
  sleep {pause}
done
"""
_ANSIBLE: Final = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: wait for the bootstrap
      ansible.builtin.uri:
        url: "{url}/v1/bootstrap"
        user: "{{{{ lookup('env', 'USER_NAME') }}}}"
        password: "{{{{ lookup('env', 'PASSWORD') }}}}"
        force_basic_auth: true
        validate_certs: false
      register: answer
      until: answer.json is defined and answer.json.bootstrap_status.state == "completed"
      retries: {tries}
      delay: {pause}
"""
_OURS: Final = "redis-actions wait bootstrap --timeout {limit}"


class Course(NamedTuple):
    """Course of a bootstrap: keyword arguments of `FakeCluster.plan_bootstrap`, and its truth."""

    name: str
    plan: Mapping[str, object]
    truth: str


class Ended(NamedTuple):
    """End of one way: what it said, after how many seconds and requests."""

    said: str
    seconds: float
    requests: int


def courses(duration: float) -> list[Course]:
    """Return what may happen to a bootstrap that takes so many seconds."""
    restarts = [(0.3, duration / 5), (0.6, duration / 8, 502)]
    return [
        Course("goes well", {"duration": duration}, "completed"),
        Course("services restart", {"duration": duration, "downtime": restarts}, "completed"),
        Course(
            "fails half-way",
            {"duration": duration / 2, "error_code": "insufficient_node_memory"},
            "failed",
        ),
        Course("does not end", {"duration": duration, "stays": "creating_cluster"}, "unknown"),
    ]


def command_of(way: str, url: str, folder: Path, *, pause: int, tries: int) -> list[str] | None:
    """Return the command of a way to wait, or None if this machine lacks what it needs."""
    fields = {"url": url, "pause": pause, "tries": tries, "limit": pause * tries}
    python = sys.executable
    if way == "redis-actions":
        program = str(Path(python).with_name("redis-actions"))
        return [program, *_OURS.format(**fields).split()[1:]]
    if way == "Ansible uri, until":
        playbook = folder / "wait.yml"
        playbook.write_text(_ANSIBLE.format(**fields), "utf-8")
        found = shutil.which("ansible-playbook")
        options = ["-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={python}"]
        return None if found is None else [found, *options, str(playbook)]
    script = _CURL if way == "shell, curl and jq" else _TERRAFORM
    missing = [name for name in ("curl", "jq") if shutil.which(name) is None]
    return None if missing else ["sh", "-c", script.format(**fields)]


WAYS: Final = ("redis-actions", "shell, curl and jq", "Ansible uri, until", "Terraform shell")


async def wait(way: str, course: Course, *, pause: int, tries: int) -> Ended | None:
    """Let one way wait for one course on a fake node of its own; None if it cannot run here."""
    async with FakeCluster(bootstrapped=False) as cluster:
        cluster.plan_bootstrap(1, **course.plan)  # type: ignore[arg-type]
        with tempfile.TemporaryDirectory() as folder:
            command = command_of(way, cluster.url, Path(folder), pause=pause, tries=tries)
            if command is None:
                return None
            async with aiohttp.ClientSession() as session:
                path = f"{cluster.url}/v1/bootstrap/create_cluster"
                async with session.post(path, json=_BODY) as answer:
                    answer.raise_for_status()
            before = len(cluster.requests)
            code, seconds = await _run(command, cluster, limit=pause * tries * _PATIENCE)
        said = {0: "completed", 3: "timed out", None: "hangs"}.get(code, "failed")
        return Ended(said, seconds, len(cluster.requests) - before)


async def _run(
    command: Sequence[str], cluster: FakeCluster, *, limit: float
) -> tuple[int | None, float]:
    """Run a command; return its exit code, None if it hangs, and its seconds."""
    loop = asyncio.get_running_loop()
    account = {"USER_NAME": "admin@example.com", "PASSWORD": "fake-password"}
    ours = {
        "REDIS_ENTERPRISE_URL": cluster.url,
        "REDIS_ENTERPRISE_USER": account["USER_NAME"],
        "REDIS_ENTERPRISE_PASSWORD": account["PASSWORD"],
    }
    began = loop.time()
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **account, **ours, "ANSIBLE_NOCOLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code: int | None = await asyncio.wait_for(process.wait(), limit)
    except TimeoutError:
        code = None
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return code, loop.time() - began


async def compare(*, duration: float, pause: int, tries: int) -> None:
    """Let all ways wait for all courses, at the same time, and print a table."""
    every = courses(duration)
    waits = [wait(way, course, pause=pause, tries=tries) for course in every for way in WAYS]
    ends = iter(await asyncio.gather(*waits))
    for course in every:
        print(f"\n{course.name} (the truth: {course.truth})")
        for way in WAYS:
            end = next(ends)
            if end is None:
                print(f"  {way:20} left out: it is not on this machine")
            else:
                print(f"  {way:20} {end.said:10} {end.seconds:6.1f} s  {end.requests:3} requests")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a minute instead of five")
    quick = parser.parse_args().quick
    times = {"duration": 12, "pause": 2, "tries": 10} if quick else {}
    asyncio.run(compare(**{"duration": 120, "pause": 10, "tries": 18, **times}))


if __name__ == "__main__":
    main()
