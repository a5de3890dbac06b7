"""Tests of the whole package that no import contract can state."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import redis_enterprise_actions


PACKAGE = Path(redis_enterprise_actions.__file__).parent
FOR_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?:(?: .*)?\n)+", re.MULTILINE)
# Folders and modules that import each library when they run; all import msgspec.
LIBRARIES = {
    "aiohttp": {"_client/http", "testing"},
    "airflow": {"airflow"},
    "argcomplete": {"_cli/completion"},
    "cryptography": {"_cli/doctor/certificate"},
    "keyring": {"_client/config/secrets"},
    "opentelemetry": {"otel"},
    "rich": {"_cli/listing/screens", "_cli/screen", "_cli/wait/live"},
    "tenacity": {"_client/pacing"},
    "trustme": {"testing/server/tls"},
    "wtforms": {"airflow/hooks"},
    "yarl": {"_client/http"},
}


def run(code: str) -> str:
    """Return what a new process with this code prints."""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return ran.stdout


@pytest.mark.parametrize("library", LIBRARIES)
def test_places_of_a_library(library: str) -> None:
    """Each library is imported where the table says, and nowhere else."""
    imports = re.compile(rf"^ *(?:from|import) {library}\b", re.MULTILINE)
    found = {
        file.relative_to(PACKAGE).with_suffix("").as_posix()
        for file in PACKAGE.rglob("*.py")
        if imports.search(FOR_TYPES.sub("", file.read_text("utf-8")))
    }
    uses = {
        place: {module for module in found if f"{module}/".startswith(f"{place}/")}
        for place in LIBRARIES[library]
    }

    assert all(uses.values())
    assert found == set().union(*uses.values())


@pytest.mark.enable_socket
def test_airflow_finds_the_provider_without_loading_airflow() -> None:
    """The provider's metadata, which Airflow reads while it is being loaded, needs no Airflow."""
    printed = run(
        "import sys, importlib.metadata as metadata\n"
        "(entry,) = metadata.entry_points(group='apache_airflow_provider', name='provider_info')\n"
        "print(entry.load()()['connection-types'][0]['connection-type'], 'airflow' in sys.modules)"
    )

    assert printed == "redis_enterprise False\n"


def test_no_clock_but_the_loops() -> None:
    """Modules read the clock of the event loop only, so that a virtual one governs everything."""
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text("utf-8")
        for clock in ("time.monotonic", "time.perf_counter", "stop_after_delay"):
            assert clock not in text, file


@pytest.mark.enable_socket
def test_import_is_lean() -> None:
    """Using every public name loads no extra, no engine, no web server, and not the command."""
    loaded = set(
        run("import sys\nfrom redis_enterprise_actions import *\nprint(*sys.modules)").split()
    )
    ours = {f"redis_enterprise_actions.{name}" for name in ("airflow", "testing", "_cli")}

    assert "redis_enterprise_actions._client.client" in loaded
    assert not loaded & {*ours, "aiohttp.web", "argparse"}
    assert not loaded & {"airflow", "argcomplete", "keyring", "opentelemetry", "prefect", "pytest"}
    assert not loaded & {"rich", "temporalio", "trustme"}


def test_typed() -> None:
    """Type checkers find the types of the package."""
    assert (PACKAGE / "py.typed").exists()
