"""Tests that run the programs of this folder, each in a process of its own.

`CASES` is the table of all programs. A program that is still wrong has the subject of the work that
will mend it, and is not run. The change that mends the fault removes the subject.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

import pytest


FOLDER: Final = Path(__file__).parent
# Subject of the work that will correct what is wrong today.
SECURITY: Final = "bodies, words, security"


class Case(NamedTuple):
    """Program: the work that will correct it, if any, and why it takes more than 10 s."""

    fixed_by: str = ""
    slow: str = ""


CASES: Final = {
    "bootstrap": Case(),
    "cli_long_call": Case(slow="longer than the 30 s that the command granted"),
    "crash_is_exit_1": Case(),
    "create_without_handle": Case(),
    "doctor": Case(),
    "dry_run_in_the_query": Case(),
    "hanging_list": Case(),
    "hook_does_not_run": Case(SECURITY),
    "json_404_is_gone": Case(),
    "last_look": Case(),
    "mapped_nodes_failover": Case(),
    "old_result_host_action": Case(),
    "pool_inside_timeout": Case(),
    "refs_of_two_runs": Case(),
    "second_wait_kills_first": Case(),
    "secret_in_frames": Case(),
    "silent_calls": Case(),
    "small_ones": Case(SECURITY),
    "stale_export": Case(),
    "stall_look": Case(),
    "stdin_secret": Case(),
    "stopped_past_a_limit": Case(slow="stops a process for 8 s of real time"),
    "submit_503": Case(),
    "tenth_of_the_time": Case(),
    "workflow_commands": Case(),
}
RIGHT: Final = [name for name, case in CASES.items() if not case.fixed_by]


def test_table_is_complete() -> None:
    """The table has each program, and the wrong ones name the work that will correct them."""
    modules = [file for file in FOLDER.glob("*.py") if file != Path(__file__)]
    programs = {file.stem for file in modules if "__main__" in file.read_text("utf-8")}

    assert CASES.keys() == programs
    assert {case.fixed_by for case in CASES.values()} <= {"", SECURITY}


@pytest.mark.enable_socket
@pytest.mark.parametrize("name", RIGHT)
def test_program_ends_right(name: str, request: pytest.FixtureRequest) -> None:
    """The fault that the program shows is gone. Slow programs are run with `--full` only."""
    slow = CASES[name].slow
    if slow and not request.config.getoption("--full"):
        pytest.skip(slow)

    ran = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=110,
    )

    assert ran.returncode == 0, ran.stdout
