"""Test of the ways to wait for a bootstrap: ours tells what happened, loops of scripts do not."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from types import ModuleType

pytestmark = [pytest.mark.system, pytest.mark.enable_socket]

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "bootstrap_loops.py"
TIMES = {"pause": 1, "tries": 8}
needs_shell = pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("jq") is None, reason="needs curl and jq"
)


@pytest.fixture(scope="module")
def loops() -> ModuleType:
    """Return the benchmark, a script beside the package."""
    spec = importlib.util.spec_from_file_location("bootstrap_loops", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "bootstrap_loops", module)
        spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(120)
@needs_shell
def test_what_each_way_says(loops: ModuleType) -> None:
    """Only `redis-actions` tells a failure, and what is not known, from success."""
    ways = ("redis-actions", "shell, curl and jq", "Terraform shell")
    courses = loops.courses(4.0)

    async def compare() -> list[Any]:
        waits = [loops.wait(way, course, **TIMES) for course in courses for way in ways]
        return await asyncio.gather(*waits)

    ended = asyncio.run(compare())
    said = [end.said for end in ended]
    ours, shell, terraform = said[::3], said[1::3], said[2::3]

    assert [course.truth for course in courses] == ["completed", "completed", "failed", "unknown"]
    assert ours == ["completed", "completed", "failed", "timed out"]
    assert shell == ["completed"] * 4
    assert terraform == ["completed", "completed", "hangs", "hangs"]
    assert all(end.requests > 0 for end in ended)
