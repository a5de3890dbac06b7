"""Tests of how the command starts: the modules that it loads, and the CPU time that this takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from redis_enterprise_actions._cli.arguments import build_parser
from redis_enterprise_actions._cli.reference_cache import remember


pytestmark = pytest.mark.enable_socket

MODULE = [sys.executable, "-m", "redis_enterprise_actions"]
SCRIPT = [sys.executable, str(Path(sys.executable).parent / "redis-actions")]
BASE = [sys.executable, "-c", "import argparse, asyncio, msgspec"]
MOST = 1.3  # CPU time, as a multiple of that of `BASE`
ROUNDS = 7

# What only a command that connects, waits or draws needs.
CLIENT = {
    *("aiohttp", "keyring", "rich", "ssl", "tenacity", "yarl"),
    *("redis_enterprise_actions._client.client", "redis_enterprise_actions._client.polling"),
    *("redis_enterprise_actions._report", "redis_enterprise_actions.testing"),
}
# What the start is too short for: these take as long as the rest.
SLOW = CLIENT | {"asyncio", "msgspec", "redis_enterprise_actions._model"}

# Runs each command line, and prints which of the modules have been loaded since the start.
LOADED = """
import contextlib, io, json, os, sys
from redis_enterprise_actions._cli.main import main

found = {}
for line in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        with contextlib.suppress(SystemExit):
            main(line)
    assert out.getvalue(), line
    found[" ".join(line)] = [name for name in sys.argv[1:] if name in sys.modules]
print(json.dumps(found))
"""
# The same, for what a shell asks at Tab: argcomplete writes to the file descriptor that it opens.
COMPLETED = """
import contextlib, json, os, sys
from redis_enterprise_actions._cli.main import main

os.environ |= {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_SHELL": "bash", "COMP_TYPE": "9"}
found = {}
for line in json.load(sys.stdin):
    os.environ |= {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    os.environ["_ARGCOMPLETE_STDOUT_FILENAME"] = sys.argv[1]
    with contextlib.suppress(SystemExit):
        main([])
    with open(sys.argv[1]) as answer:
        assert answer.read(), line
    found[line] = [name for name in sys.argv[2:] if name in sys.modules]
print(json.dumps(found))
"""

COMMANDS = list(build_parser([]).commands)
HELP = [
    *(["--version"], ["version"], ["--help"], [], ["help"], ["help", "wait", "--all"]),
    *(["help", "connection"], ["help", "exit-codes"], ["help", "references"]),
]
WRONG = [
    *(["lst"], ["wait", "x", "--tiemout", "5"], ["wait", "x", "--timeout", "soon"], ["wait"]),
    *(["--profil", "x", "list"], ["list", "--bdb", "one"], ["wait", "x", "-o", "jsno"]),
    *(["submit", "POST", "/v1/bdbs", "{}"], ["submit", "POST"], ["get", "x", "y"]),
]
TABS = [
    *("redis-actions ", "redis-actions w", "redis-actions wait --ti", "redis-actions help co"),
    *("redis-actions list --status fa", "redis-actions list --profile p"),
    *("redis-actions databases ", "redis-actions databases upgrade --ti", "redis-actions wait a"),
    *("redis-actions --profile p", "redis-actions wait -o j", "redis-actions completion "),
]


def loaded(code: str, lines: object, *arguments: str) -> dict[str, list[str]]:
    """Return the modules among the arguments that each line has loaded, where there are any."""
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=json.dumps(lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, list[str]] = json.loads(ran.stdout)
    return {line: names for line, names in found.items() if names}


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a profile, and a reference of its cluster, to complete."""
    url = "https://n1:9443"
    (tmp_path / "config.toml").write_text(f'default = "prod"\n[profiles.prod]\nurl = "{url}"\n')
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.delenv("REDIS_ENTERPRISE_URL", raising=False)
    remember([url], ["a1", "crdb:t1"])


def test_help() -> None:
    """`--version`, `--help` and topics load neither the client nor what it is made of."""
    assert loaded(LOADED, HELP, *SLOW) == {}


def test_help_of_commands() -> None:
    """The help of a command loads no client."""
    assert loaded(LOADED, [[name, "--help"] for name in COMMANDS], *CLIENT) == {}


def test_wrong_usage() -> None:
    """An error of usage loads no client."""
    assert loaded(LOADED, WRONG, *CLIENT) == {}


@pytest.mark.usefixtures("profiles")
def test_tab(tmp_path: Path) -> None:
    """Tab loads neither the client nor what it is made of."""
    assert loaded(COMPLETED, TABS, str(tmp_path / "answer"), *SLOW) == {}


def test_tab_of_named_calls(tmp_path: Path) -> None:
    """Tab in a named call reads the signatures of the calls, and loads no client."""
    lines = ["redis-actions databases ", "redis-actions crdbs flush --", "redis-actions shards m"]
    assert loaded(COMPLETED, lines, str(tmp_path / "answer"), *CLIENT) == {}


def test_client_is_loaded() -> None:
    """A command that connects loads the client, so the tests above would see it."""
    assert (
        "aiohttp"
        in loaded(LOADED, [["list", "--url", "nonsense"]], "aiohttp")["list --url nonsense"]
    )


@pytest.mark.usefixtures("profiles")
@pytest.mark.skipif(not Path(SCRIPT[1]).exists(), reason="the command is not installed")
def test_cpu_time() -> None:
    """`--version` and Tab take little more CPU time than the libraries that all commands need."""
    resource = pytest.importorskip("resource")
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}

    def cpu_time(command: list[str], line: str | None = None) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        more = {} if line is None else {"COMP_LINE": line, "COMP_POINT": str(len(line))}
        if line is not None:
            more |= {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_STDOUT_FILENAME": os.devnull}
        subprocess.run(command, env=env | more, stdout=subprocess.DEVNULL, check=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return float(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    cases = {"base": (BASE, None), "module": ([*MODULE, "--version"], None)}
    cases |= {"script": ([*SCRIPT, "--version"], None)}
    cases |= {line: (SCRIPT, line) for line in TABS}
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):  # in turns, so that a busy moment is one of all
        for name, case in cases.items():
            spent[name].append(cpu_time(*case))
    least = {name: min(times) for name, times in spent.items()}

    assert {name: time for name, time in least.items() if time > MOST * least["base"]} == {}
