"""The word and the exit code of each end of a wait; how the command prints lines, and JSON.

CI systems look for commands in what a job writes to either stream. Nothing that is printed here can
be one, whatever the cluster says.

Sources: actions/runner, ActionCommand.cs: `::` at the beginning of a line, after blanks, and `##[`
anywhere; microsoft/azure-pipelines-agent, Command.cs: `##vso[` anywhere; TeamCity's help, "Service
Messages": `##teamcity[`; buildkite.com/docs, "Managing log output": `---`, `+++`, `~~~` and
`^^^ +++` at the beginning of a line. What GitLab takes has control characters in it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._report.json import as_json


if TYPE_CHECKING:
    from collections.abc import Generator

    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.errors import RedisActionsError

EXIT_INTERNAL_ERROR: Final = 70  # EX_SOFTWARE of sysexits.h

_LINE_COMMAND: Final = re.compile(r"^[^\S\n]*(?=::|---|\+\+\+|~~~|\^\^\^\s*\+\+\+)", re.MULTILINE)
_HASH: Final = re.compile("#(?=#)")


def outcome_of(result: Action | RedisActionsError) -> tuple[str, int]:
    """Return the word and the exit code for how a wait ended."""
    outcome = Outcome.of(result)
    return outcome.value, outcome.exit_code


def print_action(action: Action, *, as_json: bool) -> None:
    if as_json:
        print_json(action)
    else:
        print_line(str(action))


def print_json(value: object) -> None:
    print_line(as_json(value))


def print_line(line: str) -> None:
    """Print a line, or several, none of which a CI system takes for a command."""
    write_output(f"{escape_ci_commands(line)}\n")


def write_output(text: str) -> None:
    """Write to standard output as it is, at once. Raises `OutputLost`."""
    with wrapping_output_errors():
        print(text, end="", flush=True)


def print_error(line: str) -> None:
    """Print a line beside the output, on standard error."""
    if sys.stderr is None:
        return
    shown = "".join([char if char.isprintable() else " " for char in line])
    with contextlib.suppress(OSError):
        print(escape_ci_commands(shown), file=sys.stderr)


def print_traceback(error: BaseException) -> None:
    """Print a traceback on standard error, if `REDIS_ACTIONS_TRACEBACK` is set and not 0."""
    if os.environ.get("REDIS_ACTIONS_TRACEBACK", "0") not in {"", "0"}:
        for line in "".join(traceback.format_exception(error)).splitlines():
            print_error(line)


def escape_ci_commands(text: str) -> str:
    """Return a text with a backslash where a CI system would see the beginning of a command."""
    return _HASH.sub(r"#\\", _LINE_COMMAND.sub(r"\g<0>\\", text))


class OutputError(Exception):
    """Standard output cannot be written; `error` says why."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


@contextlib.contextmanager
def wrapping_output_errors() -> Generator[None]:
    """Raise `OutputLost` from an `OSError` of what writes to standard output."""
    try:
        yield
    except OSError as error:
        raise OutputError(error) from error
