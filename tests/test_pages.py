"""Tests of the pages on testing and telemetry: their code runs, and their lists are complete."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import redis_enterprise_actions


pytestmark = [pytest.mark.enable_socket, pytest.mark.system]


DOCS = Path(__file__).parent.parent / "docs"
# looptime asks for the event loop of tests that have none.
LOOPTIME = ("-W", "ignore:There is no current event loop")
PACKAGE = Path(redis_enterprise_actions.__file__).parent


def page(name: str) -> str:
    """Return the text of a page."""
    return (DOCS / f"{name}.md").read_text("utf-8")


def blocks(name: str, language: str = "python") -> list[str]:
    """Return the blocks of code on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a reader would, with warnings as errors and the command on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=place,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_testing(tmp_path: Path) -> None:
    """Each block about tests is a file of tests that pass with the settings on that page."""
    (settings,) = blocks("testing", "toml")
    (tmp_path / "pyproject.toml").write_text(settings, "utf-8")
    shown = blocks("testing")
    for number, block in enumerate(shown):
        (tmp_path / f"test_block_{number}.py").write_text(block, "utf-8")
    ran = run(tmp_path, *LOOPTIME, "-m", "pytest", "-v", "-p", "no:cacheprovider")
    passed = re.findall(r"^(test_block_\d+).* PASSED", ran.stdout, re.MULTILINE)

    assert ran.returncode == 0, ran.stdout
    assert len(set(passed)) == len(shown)


def test_a_trace(tmp_path: Path) -> None:
    """The example of a trace prints the span of a wait inside that of the deploy."""
    first, *_ = blocks("telemetry")
    ran = run(tmp_path, "-c", first)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.findall(r'^    "name": "(.*)"', ran.stdout, re.MULTILINE) == ["wait action", "deploy"]


def test_an_observer(tmp_path: Path) -> None:
    """The example of an observer prints a line when a wait begins, and one when it ends."""
    *_, last = blocks("telemetry")
    ran = run(tmp_path, "-c", last)

    assert (ran.returncode, ran.stderr) == (0, "")
    begun, ended = ran.stdout.splitlines()
    assert re.fullmatch(r"action:\S+ is waited for", begun)
    assert re.fullmatch(r"retry_bdb: completed, waited [\d.]+ s, \d+ polls", ended)


def test_names_on_spans() -> None:
    """Every exported attribute, event and metric is on the page."""
    exported = set(re.findall(r'"(redis_enterprise\.[\w.]+)"', (PACKAGE / "otel.py").read_text()))
    short = {name.removeprefix("redis_enterprise").removeprefix(".outage") for name in exported}
    documented = page("telemetry")

    assert len(exported) > 20
    assert {name for name in short if f"{name}`" not in documented} == set()


def warnings_of(file: Path) -> list[ast.Call]:
    """Return the calls in a file that log a warning or an error."""
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    logs = re.compile(r"_\w+\.(warning|error|exception)")
    return [call for call in calls if logs.fullmatch(ast.unparse(call.func))]


def test_fields_of_warnings() -> None:
    """Every warning has fields."""
    calls = {file: warnings_of(file) for file in PACKAGE.rglob("*.py")}
    bare = {
        (file.name, ast.unparse(call))
        for file, found in calls.items()
        for call in found
        if not any(keyword.arg == "extra" for keyword in call.keywords)
    }

    assert sum(map(len, calls.values())) > 10
    assert bare == set()


def test_events_of_warnings() -> None:
    """Every `event` of a warning is on the page."""
    text = "".join(file.read_text("utf-8") for file in PACKAGE.rglob("*.py") if warnings_of(file))
    events = set(re.findall(r'\{"event": "([^"]+)"', text))

    assert len(events) > 6
    assert {event for event in events if f"`{event}`" not in page("telemetry")} == set()


def test_loggers() -> None:
    """Every logger is in the table."""
    rows = re.findall(
        r"^\| (`[\w.]+`(?:, `[\w.]+`)*) \| [a-z]+ \|", page("telemetry"), re.MULTILINE
    )
    documented = {name.strip("`") for row in rows for name in row.split(", ")}
    files = {
        ".".join(file.relative_to(PACKAGE).with_suffix("").parts): file.read_text("utf-8")
        for file in PACKAGE.rglob("*.py")
    }

    assert {name for name, text in files.items() if "getLogger(__name__)" in text} <= documented
