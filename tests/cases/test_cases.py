"""Tests that run the programs of this folder, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest


pytestmark = pytest.mark.system

FOLDER: Final = Path(__file__).parent
PROGRAMS: Final = sorted(
    file.stem
    for file in FOLDER.glob("*.py")
    if file != Path(__file__) and "__main__" in file.read_text("utf-8")
)
# Programs that take more than 10 s, and why.
SLOW: Final = {
    "cli_long_call": "longer than the 30 s that the command granted",
    "stopped_past_a_limit": "stops a process for 8 s of real time",
}


def test_slow_programs_exist() -> None:
    """Each program that counts as slow is there."""
    assert set(PROGRAMS) > SLOW.keys()


@pytest.mark.enable_socket
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_ends_right(name: str, request: pytest.FixtureRequest) -> None:
    """The fault that the program shows is gone. Slow programs are run with `--full` only."""
    if name in SLOW and not request.config.getoption("--full"):
        pytest.skip(SLOW[name])

    ran = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=110,
    )

    assert ran.returncode == 0, ran.stdout
