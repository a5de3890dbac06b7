"""Tests of the package as a whole: imports between its parts, public names, clocks."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import redis_enterprise_actions


PACKAGE = Path(redis_enterprise_actions.__file__).parent
NAME = "redis_enterprise_actions"


def files() -> list[Path]:
    """Return every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def imports_of(file: Path, *, for_types: bool) -> set[str]:
    """Return the full names of the modules that a module imports."""
    tree = ast.parse(file.read_text("utf-8"))
    if not for_types:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = [ast.Pass()]
    package = [NAME, *file.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = [*base, *([node.module] if node.module else [])]
            names = [alias.name for alias in node.names] if not node.module else [""]
            found |= {".".join([*module, name]).rstrip(".") for name in names}
    return found


def test_testing_imports_nothing_of_ours() -> None:
    """The fake imports nothing of the client, so that the two cannot share a mistake."""
    for file in (PACKAGE / "testing").rglob("*.py"):
        ours = {name for name in imports_of(file, for_types=True) if name.startswith(NAME)}
        assert all(f"{name}.".startswith(f"{NAME}.testing.") for name in ours), file


def test_airflow_uses_the_public_interface_only() -> None:
    """The Airflow provider uses the public interface only."""
    for file in (PACKAGE / "airflow").glob("*.py"):
        ours = {name for name in imports_of(file, for_types=True) if name.startswith(NAME)}
        assert all(name == NAME or name.startswith(f"{NAME}.airflow.") for name in ours), file


@pytest.mark.enable_socket
def test_airflow_finds_the_provider_without_loading_airflow() -> None:
    """Airflow reads the provider's information at its start without loading Airflow."""
    code = (
        "import sys, importlib.metadata as metadata\n"
        "(entry,) = metadata.entry_points(group='apache_airflow_provider', name='provider_info')\n"
        "print(entry.load()()['connection-types'][0]['connection-type'], 'airflow' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert run.stdout == "redis_enterprise False\n"


def test_public_names() -> None:
    """The public names are listed in order, and exist."""
    names = redis_enterprise_actions.__all__

    assert names == sorted(names)
    assert all(hasattr(redis_enterprise_actions, name) for name in names)
    assert (PACKAGE / "py.typed").exists()


def test_no_clock_but_that_of_the_loop() -> None:
    """Only the event loop's clock is read, so that tests run on virtual time."""
    for file in files():
        text = file.read_text("utf-8")
        for clock in ("time.monotonic", "time.perf_counter", "stop_after_delay"):
            assert clock not in text, file


@pytest.mark.enable_socket
def test_import_is_lean() -> None:
    """Importing the package imports no extra, no orchestrator, no web server and no command."""
    code = f"import sys, {NAME}; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(run.stdout.split())
    ours = {f"{NAME}.{part}" for part in ("airflow", "testing", "_cli")}

    assert NAME in loaded
    assert not loaded & {*ours, "aiohttp.web", "argparse"}
    assert not loaded & {"airflow", "argcomplete", "keyring", "opentelemetry", "prefect", "pytest"}
    assert not loaded & {"rich", "temporalio", "trustme"}
