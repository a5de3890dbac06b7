"""Tests of README.md and `examples/`: their code runs, and their lists are complete."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import redis_enterprise_actions
from redis_enterprise_actions import (
    Record,
    RedisActionsError,
    RequestError,
    WaitError,
)
from redis_enterprise_actions._client.config import profiles as _profiles
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from tests.threaded_cluster import ThreadedCluster

pytestmark = [pytest.mark.enable_socket, pytest.mark.system]

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def run(*arguments: str | Path, configured: bool = False) -> subprocess.CompletedProcess[str]:
    """Run Python as a reader would, with warnings as errors, and no cluster unless configured."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            name: value
            for name, value in os.environ.items()
            if configured or not name.startswith("REDIS_ENTERPRISE_")
        },
    )


def test_length() -> None:
    """The page has at most 120 lines."""
    assert len(README.splitlines()) <= 120


def test_ci_runs_the_readmes_tests() -> None:
    """The page begins with two commands: the demo, and the tests, which CI runs as well."""
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)

    assert len(commands) == 2
    assert commands[0].endswith("&& .venv/bin/redis-actions demo")
    assert commands[1] in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()


def test_every_error_is_in_the_table() -> None:
    """The table of exit codes has every error that can end a wait or a call."""
    rows = re.findall(r"^\| (\d+) \| ([^|]*) \|", README, re.MULTILINE)
    codes = {name: code for code, names in rows for name in re.findall(r"`(\w+)`", names)}
    bases = {RedisActionsError, RequestError, WaitError}
    public = [getattr(redis_enterprise_actions, name) for name in redis_enterprise_actions.__all__]
    errors = {
        error.__name__: str(error.outcome.exit_code)
        for error in public
        if isinstance(error, type) and issubclass(error, RedisActionsError) and error not in bases
    }

    assert errors.keys() - codes.keys() == {"UnreadableReply", "ClientClosed"}
    assert codes.items() <= errors.items()


def test_record() -> None:
    """The table on the page about reports lists every field of a record."""
    page = (ROOT / "docs" / "reports.md").read_text("utf-8")
    rows = page[page.index("| `Record` |") :].split("\n\n", maxsplit=1)[0].splitlines()[2:]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]

    assert set(named) == set(Record.__struct_fields__)


def test_example_of_a_report(tmp_path: Path) -> None:
    """The example of a report is made by the script that its page names."""
    paths = [tmp_path / name for name in ("r.html", "r.svg", "r.md", "r.json")]
    ran = run(ROOT / "docs" / "example_report.py", *paths)
    outcomes = [each["outcome"] for each in json.loads(paths[3].read_text("utf-8"))["records"]]

    assert ran.returncode == 0
    assert outcomes == [
        *("completed", "completed", "timed out", "failed", "cancelled", "interrupted"),
    ]
    for path in paths[:3]:
        assert "SMUpgradeBDB on bdb:1" in path.read_text("utf-8")
    assert "python docs/example_report.py" in (ROOT / "docs" / "reports.md").read_text("utf-8")


EXAMPLES = [
    ("await_one", "SMCreateBDB on bdb:1 is done"),
    ("deploy_step", "deployed"),
    ("orchestrate", "['completed', 'completed', 'completed']"),
    ("upgrade_database", "SMUpgradeBDB on bdb:1 is done"),
    ("node_maintenance", "node 2 is back"),
    ("rolling_upgrade", "all is upgraded"),
    ("move_data", "database 2 holds what database 1 held"),
    ("graceful_shutdown", "all is done"),
    ("sync_deploy", "db1 and db2 are upgraded and available"),
]
# They have tests of their own.
ELSEWHERE = {"temporal_activity", "prefect_task", "fastapi_app"}


@pytest.mark.parametrize(("name", "output"), EXAMPLES)
def test_example(name: str, output: str) -> None:
    """Each example runs on a fake cluster if none is configured."""
    ran = run(ROOT / "examples" / f"{name}.py")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == output


@pytest.mark.parametrize(
    ("name", "failing", "calls"),
    [
        (
            "node_maintenance",
            "nodes/1/actions/maintenance_on",
            ["nodes/1/actions/maintenance_on", "nodes/1/actions/maintenance_off"],
        ),
        ("move_data", "bdbs/1/actions/export", ["bdbs/1/actions/export"]),
        (
            "move_data",
            "bdbs/2/actions/import",
            ["bdbs/1/actions/export", "bdbs/2/actions/import"],
        ),
        ("upgrade_database", "bdbs/1/upgrade", ["bdbs/1/upgrade"]),
        (
            "rolling_upgrade",
            "bdbs/1/upgrade",
            [
                "nodes/1/actions/maintenance_on",
                "nodes/1/actions/maintenance_off",
                "bdbs/1/upgrade",
            ],
        ),
    ],
    ids=["maintenance", "export", "import", "upgrade", "rolling"],
)
def test_example_that_fails(
    threaded: ThreadedCluster, tmp_path: Path, name: str, failing: str, calls: list[str]
) -> None:
    """If a step fails, the script undoes what has to be undone, and stops."""
    places = [str(tmp_path / "location"), str(tmp_path / "sources")]
    for place, output in zip(places, ['{"type": "url"}', '[{"type": "url"}]'], strict=True):
        Path(place).write_text(output, "utf-8")
    for uid in (1, 2):
        threaded.do(lambda cluster, uid=uid: cluster.add_bdb(uid))
    threaded.cluster.plan(
        "POST", f"/v1/{failing}", Plan(duration=0, outcome="failed", error="disk-full")
    )
    threaded.cluster.plan("POST", "/v1/", Plan(duration=0), times=None)
    place = {"type": "url", "url": "ftp://there"}
    (tmp_path / "location").write_text(json.dumps(place))
    (tmp_path / "sources").write_text(json.dumps([place]))
    arguments = {
        "node_maintenance": ["1"],
        "move_data": ["1", "2", *places],
        "rolling_upgrade": ["1", "1,2"],
    }
    ran = run(ROOT / "examples" / f"{name}.py", *arguments.get(name, []), configured=True)

    assert ran.returncode == 1
    assert "ActionFailed" in ran.stderr.splitlines()[-1]
    assert "disk-full" in ran.stderr.splitlines()[-1]
    assert set(threaded.do(lambda cluster: cluster.maintenance).values()) == {0}
    posted = [seen.path for seen in threaded.cluster.requests if seen.method == "POST"]
    assert [path.removeprefix("/v1/") for path in posted] == calls


def test_graceful_shutdown(threaded: ThreadedCluster, tmp_path: Path) -> None:
    """After SIGTERM and a restart, the orchestrator starts no work a second time."""
    threaded.do(lambda cluster: cluster.add_bdb(1))
    threaded.cluster.plan("POST", "/v1/", Plan(duration=3))
    script, file = ROOT / "examples" / "graceful_shutdown.py", tmp_path / "under-way.json"
    stopped = subprocess.Popen([sys.executable, "-W", "error", script, file, "1"])
    while not file.exists():
        assert stopped.poll() is None
        time.sleep(0.05)
    stopped.send_signal(signal.SIGTERM)

    assert stopped.wait(60) == 0
    (ref,) = json.loads(file.read_text())
    ran = run(script, file, configured=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    first, last = ran.stdout.splitlines()
    assert first == f"going on with {ref}"
    assert last.startswith("SMUpgradeBDB on bdb:1: completed")
    assert json.loads(file.read_text()) == []
    assert [seen.method for seen in threaded.cluster.requests].count("POST") == 1


def test_all_examples_are_tested() -> None:
    """Every example has a row above."""
    scripts = {file.stem for file in (ROOT / "examples").glob("*.py")}

    assert scripts == {example for example, _ in EXAMPLES} | ELSEWHERE | {"where"}


def test_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of a profiles file can be read, and has every key."""
    page = (ROOT / "docs" / "connect.md").read_text("utf-8")
    (shown,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "config.toml").write_text(shown, "utf-8")
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    found, default = _profiles.load_profiles()
    keys = {key for profile in found for key in profile.table}
    (others,) = re.findall(r"A profile may also have ([^.]*)\.", page)

    assert ([profile.name for profile in found], default) == (["lab", "prod"], "lab")
    assert keys | set(re.findall(r"`(\w+)`", others)) == set(_profiles._PROFILE)
