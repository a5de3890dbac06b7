"""Tests of README.md and `examples/`: their code runs, and their lists are complete."""

from __future__ import annotations

import inspect
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
    ActionsClient,
    Record,
    RedisActionsError,
    RequestError,
    WaitError,
)
from redis_enterprise_actions._client.config import profiles as _profiles
from redis_enterprise_actions._client.config.options import SETTINGS
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import FakeCluster
    from tests.threaded_cluster import ThreadedCluster

pytestmark = pytest.mark.enable_socket

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


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


def test_first_block() -> None:
    """The first example runs without changes."""
    ran = run("-c", BLOCKS[0])

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == "SMUpdateBDB on bdb:1 has completed"


@pytest.mark.parametrize(
    ("outcome", "done", "output"),
    [
        ("completed", True, ""),
        ("failed", False, "do not go on: internal_error no room\n"),
        ("never", False, "still running: retry_bdb: running, 33 % [u1]\n"),
    ],
)
async def test_second_block(
    cluster: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcome: str,
    done: bool,
    output: str,
) -> None:
    """The function for real clusters returns and prints what its comments say."""
    monkeypatch.setenv("REDIS_ENTERPRISE_URL", cluster.url)
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", cluster.username)
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", cluster.password)
    cluster.add_action("retry_bdb", Plan(outcome=outcome, error="no room"), uid="u1")  # type: ignore[arg-type]
    names: dict[str, object] = {}
    exec(BLOCKS[1].replace("stall_timeout=600", "stall_timeout=6000"), names)

    assert await names["upgrade_is_done"]("u1") is done  # type: ignore[operator]
    assert capsys.readouterr().out == output


def test_third_block() -> None:
    """The example of calls that start work runs without changes."""
    ran = run("-c", BLOCKS[2])

    assert (ran.returncode, ran.stderr) == (0, "")
    first, *_, last = ran.stdout.splitlines()
    assert first.startswith("SMUpgradeBDB on bdb:1: completed")
    assert last.startswith("maintenance_on on node:1: completed")


def test_fourth_block() -> None:
    """The example of a bad day runs without changes, and prints only the result."""
    ran = run("-c", BLOCKS[3])

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("SMUpgradeBDB on bdb:1: completed")


def test_fifth_block() -> None:
    """The example of a record runs without changes, and its table lists every field."""
    ran = run("-c", BLOCKS[4])
    page = (ROOT / "docs" / "flight-record.md").read_text("utf-8")
    rows = page[page.index("| `Record` |") :].split("\n\n", maxsplit=1)[0].splitlines()[2:]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]

    assert (ran.returncode, ran.stderr) == (0, "")
    *_, ended, records = ran.stdout.splitlines()
    assert ended.startswith("completed after 2.")
    assert set(json.loads(records)[0]) == set(named) == set(Record.__struct_fields__)


def test_sixth_block(tmp_path: Path) -> None:
    """The example of a test passes without changes if no cluster is configured."""
    (tmp_path / "test_theirs.py").write_text(BLOCKS[5], "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")  # ends the search
    pytest_itself = ("-W", "default", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    ran = run(*pytest_itself, tmp_path, "--rootdir", tmp_path)

    assert ran.returncode == 0
    assert "1 passed" in ran.stdout


def test_all_blocks_are_tested() -> None:
    """Every block of Python has a test above."""
    assert len(BLOCKS) == 6


def test_settings() -> None:
    """The table of settings lists every argument, variable and option, and no others."""
    table = README[README.index("| `ActionsClient(url, ...)`") :].split("\n\n", maxsplit=1)[0]
    columns = [re.findall(r"`([^`]+)`", cell) for cell in re.findall(r"\|([^|]*)", table)]
    rows = [columns[at : at + 5] for at in range(0, len(columns), 5)][2:]
    named: list[set[str]] = [
        {re.sub(r"[= ].*", "", word) for row in rows for word in row[column]} for column in range(3)
    ]
    arguments = inspect.signature(ActionsClient).parameters.keys()

    assert named[0] == arguments - {"session"}
    assert named[1] == {setting.upper() for setting in SETTINGS.values()}
    options = run("-m", "redis_enterprise_actions", "list", "--help").stdout
    others = {"--bdb", "--node", "--status", "--name", "--json", "--profile", "--help"}
    assert others | named[2] == set(re.findall(r"--[a-z-]+", options))


def test_ci_runs_the_readmes_tests() -> None:
    """CI runs the command that the README gives to readers."""
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)

    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()


def test_every_error_is_in_the_table() -> None:
    """The table of results of a wait lists every error with its exit code."""
    codes = dict(re.findall(r"^\| .* \| `(\w+)`[^|]*\| (\d*) *\|$", README, re.MULTILINE))
    public = [getattr(redis_enterprise_actions, name) for name in redis_enterprise_actions.__all__]
    bases = {RedisActionsError, RequestError, WaitError}
    for error in public:
        if not (isinstance(error, type) and issubclass(error, RedisActionsError)):
            continue
        if error in bases or error.__name__ in {"UnreadableReply", "ClientClosed"}:
            continue
        assert codes[error.__name__] == str(error.outcome.exit_code)


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
    assert "python docs/example_report.py" in (ROOT / "docs" / "flight-record.md").read_text(
        "utf-8"
    )


EXAMPLES = [
    ("await_one", "SMCreateBDB on bdb:1 is done"),
    ("deploy_step", "deployed"),
    ("orchestrate", "['completed', 'completed', 'completed']"),
    ("upgrade_database", "SMUpgradeBDB on bdb:1 is done"),
    ("node_maintenance", "node 2 is back"),
    ("rolling_upgrade", "all is upgraded"),
    ("move_data", "database 2 holds what database 1 held"),
    ("graceful_shutdown", "all is done"),
]
# They need orchestrators that only tests/engines has.
ELSEWHERE = {"temporal_activity", "prefect_task"}


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
    page = (ROOT / "docs" / "profiles.md").read_text("utf-8")
    (shown,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "config.toml").write_text(shown, "utf-8")
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    found, default = _profiles.load_profiles()
    keys = {key for profile in found for key in profile.table}
    (others,) = re.findall(r"A profile may also have ([^.]*)\.", page)

    assert ([profile.name for profile in found], default) == (["lab", "prod"], "lab")
    assert keys | set(re.findall(r"`(\w+)`", others)) == set(_profiles._PROFILE)
