"""Facts about the house: which room may know which, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import redis_enterprise_actions


HOUSE = Path(redis_enterprise_actions.__file__).parent
NAME = "redis_enterprise_actions"


def files() -> list[Path]:
    """Return every module of the package."""
    return sorted(HOUSE.rglob("*.py"))


def imports_of(file: Path, *, for_types: bool) -> set[str]:
    """Return the full names of the modules that a module imports."""
    tree = ast.parse(file.read_text("utf-8"))
    if not for_types:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = [ast.Pass()]
    package = [NAME, *file.relative_to(HOUSE).parts[:-1]]
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
    """The fake knows nothing of the client, so that the two cannot share a misreading."""
    for file in (HOUSE / "testing").rglob("*.py"):
        ours = {name for name in imports_of(file, for_types=True) if name.startswith(NAME)}
        assert all(f"{name}.".startswith(f"{NAME}.testing.") for name in ours), file


def test_the_airflow_leaf_knows_the_front_door_only() -> None:
    """What is built for Airflow could be built by anybody, on what is public."""
    for file in (HOUSE / "airflow").glob("*.py"):
        ours = {name for name in imports_of(file, for_types=True) if name.startswith(NAME)}
        assert all(name == NAME or name.startswith(f"{NAME}.airflow.") for name in ours), file


@pytest.mark.enable_socket
def test_airflow_finds_the_provider_without_loading_airflow() -> None:
    """What Airflow reads while it is being loaded loads nothing of it, nor needs it."""
    code = (
        "import sys, importlib.metadata as metadata\n"
        "(entry,) = metadata.entry_points(group='apache_airflow_provider', name='provider_info')\n"
        "print(entry.load()()['connection-types'][0]['connection-type'], 'airflow' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert run.stdout == "redis_enterprise False\n"


def test_front_door() -> None:
    """What is public is listed, sorted, and there."""
    names = redis_enterprise_actions.__all__

    assert names == sorted(names)
    assert all(hasattr(redis_enterprise_actions, name) for name in names)
    assert (HOUSE / "py.typed").exists()


def test_no_clock_but_the_loops() -> None:
    """Only the event loop's clock is read, so that a virtual one governs everything."""
    for file in files():
        text = file.read_text("utf-8")
        for clock in ("time.monotonic", "time.perf_counter", "stop_after_delay"):
            assert clock not in text, file


@pytest.mark.enable_socket
def test_import_is_lean() -> None:
    """Importing the package imports no extra, no engine, no web server, and not the command."""
    code = f"import sys, {NAME}; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(run.stdout.split())
    ours = {f"{NAME}.{room}" for room in ("airflow", "testing", "_cli")}

    assert NAME in loaded
    assert not loaded & {*ours, "aiohttp.web", "argparse"}
    assert not loaded & {"airflow", "argcomplete", "keyring", "opentelemetry", "prefect", "pytest"}
    assert not loaded & {"rich", "temporalio", "trustme"}
