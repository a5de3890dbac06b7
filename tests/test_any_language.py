"""Tests of `examples/any_language`: the tests in other languages pass, and the page shows them.

A language whose tools are missing is skipped, unless `ANY_LANGUAGE_NEEDS` names one of the tools.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest

from redis_enterprise_actions.testing import ControlServer, FakeCluster
from redis_enterprise_actions.testing.control.schema import json_schema
from tests.needed_tools import skip


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.system,
    pytest.mark.skipif(sys.platform == "win32", reason="programs are run in process groups"),
]

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "any-language.md"
EXAMPLES: Final = ROOT / "examples"
OLDEST_JAVA: Final = 17

COMMANDS: Final = {
    "sh": ["bash", "upgrade.sh"],
    "java": ["java", "-XX:-UsePerfData", "ClusterTest.java"],
    "go": ["go", "test", "-v", "cluster_test.go"],
}
IGNORING_SIGINT: Final = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
TOOLS: Final = {"sh": ["bash", "curl", "jq"], "java": ["java", "javac"], "go": ["go"]}
PASSED: Final = {
    "sh": r"passed: the upgrade took 900 s of the cluster, \d+ polls and 3 answers of 503\n",
    "java": r"passed: 4 tests\n",
    "go": r"(?s)(.*--- PASS){4}.*\nok  \t.*",
}


def missing_tools(language: str) -> str | None:
    """Return why the programs of a language cannot be run here, or None."""
    missing = [tool for tool in TOOLS[language] if shutil.which(tool) is None]
    if missing:
        return f"there is no {' and no '.join(missing)} here"
    if language != "java":
        return None
    ran = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True)
    version = re.search(r'version "(\d+)', ran.stderr)
    if version is not None and int(version[1]) >= OLDEST_JAVA:
        return None
    return f"Java here is older than {OLDEST_JAVA}"


@pytest.fixture(scope="session")
def go_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for what Go compiles: one for all workers, and no longer than this run."""
    base = tmp_path_factory.getbasetemp()
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    folder = (base.parent if is_worker else base) / "go"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(params=COMMANDS)
def run(
    request: pytest.FixtureRequest, tmp_path: Path, go_cache: Path
) -> Callable[[], subprocess.CompletedProcess[str]]:
    """Return a function that runs the example of a language in `tmp_path`."""
    reason = missing_tools(request.param)
    if reason is not None:
        skip(reason, TOOLS[request.param])
    for name in ("any_language", "scenarios"):
        shutil.copytree(EXAMPLES / name, tmp_path / name)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    go = {"GOCACHE": str(go_cache / "cache"), "GOPATH": str(go_cache), "GOTOOLCHAIN": "local"}

    def ran() -> subprocess.CompletedProcess[str]:
        """Run it as a background job of CI; check that no process and no file is left."""
        process = subprocess.Popen(
            [*IGNORING_SIGINT, *COMMANDS[request.param]],
            cwd=tmp_path / "any_language",
            env={**os.environ, **go, "PATH": path, "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, errors = process.communicate(timeout=240)
            with pytest.raises(ProcessLookupError):
                os.killpg(process.pid, 0)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert [*temporary.iterdir()] == []
        ended = process.returncode
        return subprocess.CompletedProcess(request.param, ended, output, errors)

    return ran


@pytest.mark.timeout(300)  # Go compiles its library first
def test_examples(run: Callable[[], subprocess.CompletedProcess[str]]) -> None:
    """The example of each language passes, and leaves no process and no file behind."""
    ended = run()

    assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}"
    assert re.fullmatch(PASSED[ended.args], ended.stdout)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("there", "here", "said"),
    [
        ("{ duration = 900 }", '{ duration = 900, outcome = "failed" }', "failed|not ended"),
        ("{ duration = 900 }", "{ duration = 930 }", "960"),
        ("times = 3", "times = 2", "2|503"),
        ("v = 1\n", "v = 2\n", r"\$\.v"),
    ],
    ids=["fails", "takes longer", "fewer faults", "no scenario"],
)
def test_examples_fail(
    run: Callable[[], subprocess.CompletedProcess[str]],
    tmp_path: Path,
    there: str,
    here: str,
    said: str,
) -> None:
    """The examples fail if the cluster does something else, and leave no process then either."""
    scenario = tmp_path / "scenarios" / "upgrade.toml"
    text = scenario.read_text("utf-8")
    assert text.count(there) == 1
    scenario.write_text(text.replace(there, here), "utf-8")
    ended = run()

    assert ended.returncode != 0
    assert re.search(said, f"{ended.stdout}{ended.stderr}")


@pytest.mark.parametrize(
    ("language", "file"),
    [
        ("toml", "scenarios/upgrade.toml"),
        ("sh", "any_language/upgrade.sh"),
        ("java", "any_language/ClusterTest.java"),
        ("go", "any_language/cluster_test.go"),
    ],
)
def test_page(language: str, file: str) -> None:
    """The page shows each file as it is."""
    blocks = re.findall(
        rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )

    assert (EXAMPLES / file).read_text("utf-8") in blocks


def test_output_on_the_page() -> None:
    """The page shows what the shell script prints, and names each language that tests run."""
    text = PAGE.read_text("utf-8")
    shown = re.findall(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)

    assert any(re.fullmatch(PASSED["sh"], block) for block in shown)
    assert {file.name for file in (EXAMPLES / "any_language").iterdir()} == {
        "ClusterTest.java",
        "cluster_test.go",
        "upgrade.sh",
    }


async def test_calls_on_the_page() -> None:
    """The page has every call of the control API, and the cluster accepts each body on it."""
    row = re.compile(r"^\| `(GET|POST) /_fake/([\w.]*)`(?:, `(\w+)`)? \|(.*)\|$", re.MULTILINE)
    rows = row.findall(PAGE.read_text("utf-8"))
    names = {name for row in rows for name in row[1:3]}
    known: Any = json_schema()["paths"]
    assert {f"/_fake/{name}" for name in names} == {*known, "/_fake/schema.json"}
    bodies = [
        (name, body)
        for method, name, _, text in rows
        for body in re.findall(r"`(\{.*?\})`(?= |$|[,;:])", text)
        if method == "POST"
    ]
    assert len(bodies) > 15
    for name, body in bodies:
        async with (
            FakeCluster(
                nodes=1 if name == "bootstraps" else 3,
                bootstrapped=name != "bootstraps",
                starts_at=datetime(2026, 1, 1, tzinfo=UTC),
            ) as cluster,
            ControlServer(cluster) as control,
            aiohttp.ClientSession() as session,
        ):
            if name == "transfers":
                cluster.add_bdb(1)
            async with session.post(f"{control.url}{name}", data=body) as response:
                assert response.status == 200, (name, body, await response.text())
