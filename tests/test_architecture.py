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

# Imports point down this list only.
ROOMS = [
    "__main__",
    "_cli",
    "_session",
    "_chores",
    "_arguments",
    "_commands",
    "_help",
    "_completion",
    "_wait_options",
    "_looking",
    "_live",
    "_scene",
    "_table",
    "_columns",
    "_overview",
    "_select",
    "_follow",
    "_teller",
    "_display",
    "_overheard",
    "_hook",
    "_signals",
    "_bars",
    "_screen",
    "_pipelines",
    "_job_summary",
    "_plain",
    "_json_lines",
    "_board",
    "_events",
    "_estimate",
    "_given",
    "_doctor",
    "_network_words",
    "_cluster_words",
    "_finding",
    "_probe",
    "_certificate",
    "_wire_nodes",
    "_login",
    "_keyring",
    "_secret_files",
    "_profiles",
    "_demo",
    "otel",
    "airflow",
    "__init__",
    "_report_file",
    "_page",
    "_summary",
    "_svg",
    "_timeline",
    "_report",
    "_client",
    "_calls",
    "_waits",
    "_operation",
    "_desk",
    "_submit",
    "_handle",
    "_watch",
    "_hub",
    "_agenda",
    "_company",
    "_wait",
    "_outages",
    "_lookup",
    "_databases",
    "_host_actions",
    "_crdb_tasks",
    "_routes",
    "_moving",
    "_transport",
    "_environment",
    "_nodes",
    "_access",
    "_tls",
    "_tick",
    "_pace",
    "_wire_work",
    "_wire",
    "_refusal",
    "_lenient",
    "_reference",
    "_errors",
    "_record",
    "_action",
    "testing",
]

# One outside library, one room; what only a type checker reads does not count.
LIBRARIES = {
    "aiohttp": {"_transport", "testing"},
    "yarl": {"_nodes", "_transport"},
    "tenacity": {"_pace"},
    "msgspec": {
        *(
            "_arguments",
            "_events",
            "_given",
            "_report",
            "airflow",
            "_access",
            "_action",
            "_lenient",
            "_record",
            "_report_file",
            "_reference",
            "_refusal",
            "_wire",
        ),
        *("_databases", "_handle", "_host_actions", "_submit", "_wait", "_wire_work"),
        *("_finding", "_wire_nodes", "_looking", "_scene", "_select", "_table"),
    },
    "rich": {"_bars", "_live"},
    "argcomplete": {"_completion"},
    "keyring": {"_keyring"},
    "opentelemetry": {"otel"},
    "airflow": {"airflow"},
    "wtforms": {"airflow"},
}


def files() -> list[Path]:
    """Return every module of the package."""
    return sorted(HOUSE.rglob("*.py"))


def room_of(file: Path) -> str:
    """Return the room that a module belongs to."""
    return file.relative_to(HOUSE).parts[0].removesuffix(".py")


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


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(HOUSE)))
def test_imports_point_down(file: Path) -> None:
    """A room imports only rooms below it, types included."""
    room = room_of(file)
    for name in imports_of(file, for_types=True):
        if name.startswith(NAME):
            other = [*name.split("."), "__init__"][1]
            assert other == room or ROOMS.index(other) > ROOMS.index(room), f"{room} -> {other}"


def test_testing_imports_nothing_of_ours() -> None:
    """The fake knows nothing of the client, so that the two cannot share a misreading."""
    for file in (HOUSE / "testing").glob("*.py"):
        ours = {name for name in imports_of(file, for_types=True) if name.startswith(NAME)}
        assert all(name.startswith(f"{NAME}.testing.") for name in ours), file


@pytest.mark.parametrize("library", LIBRARIES)
def test_one_library_one_room(library: str) -> None:
    """An outside library is known to its rooms only."""
    rooms = {
        room_of(file)
        for file in files()
        if any(name.split(".")[0] == library for name in imports_of(file, for_types=False))
    }
    assert rooms == LIBRARIES[library]


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


def test_every_room_is_in_the_list() -> None:
    """No room is built beside the plan."""
    assert {room_of(file) for file in files()} == set(ROOMS)


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
