"""Output of the command: lines and JSON on standard output, errors on standard error.

CI systems look for commands in what a job writes to either stream. The functions that print lines
escape these, so that no text of the cluster is taken for a command.

Sources: actions/runner, ActionCommand.cs: `::` at the beginning of a line, after blanks, and `##[`
anywhere; microsoft/azure-pipelines-agent, Command.cs: `##vso[` anywhere; TeamCity's help, "Service
Messages": `##teamcity[`; buildkite.com/docs, "Managing log output": `---`, `+++`, `~~~` and
`^^^ +++` at the beginning of a line. The commands of GitLab begin with control characters.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TYPE_CHECKING, Final, TextIO


if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

EXIT_INTERNAL_ERROR: Final = 70  # EX_SOFTWARE of sysexits.h
NEEDS_RICH: Final = "needs rich: pip install rich"

_LINE_COMMAND: Final = re.compile(r"^[^\S\n]*(?=::|---|\+\+\+|~~~|\^\^\^\s*\+\+\+)", re.MULTILINE)
_HASH: Final = re.compile("#(?=#)")
_SIZE: Final = re.compile("[1-9][0-9]{0,3}")


class OutputError(Exception):
    """Standard output cannot be written. `error` has the reason."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


def open_closed_streams() -> None:
    """Let standard streams that are closed lead nowhere.

    Otherwise their numbers would be those of the next files and sockets, to which a hook would
    write, and argparse prints errors on standard output where there is no standard error. Standard
    input stays None in `sys`, so that errors can say that there is none.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)  # noqa: FBT003 - by the hook; it has no keyword
    os.close(opened)
    sys.stdout, sys.stderr = sys.stdout or _null_stream(), sys.stderr or _null_stream()


def _null_stream() -> TextIO:
    opened = os.open(os.devnull, os.O_WRONLY)
    return os.fdopen(opened, "w", encoding="utf-8", closefd=False)  # it is open until the end


@contextlib.contextmanager
def wrapping_output_errors() -> Generator[None]:
    """Raise `OutputError` in place of an `OSError`, around code that writes to standard output."""
    try:
        yield
    except OSError as error:
        raise OutputError(error) from error


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    from redis_enterprise_actions._model.text import json_text  # noqa: PLC0415 - --help and Tab do not need it

    print_line(json_text(value))


def print_line(text: str) -> None:
    """Print one or more lines, with the commands of CI systems escaped."""
    write_output(f"{escape_ci_commands(text)}\n")


def write_output(text: str) -> None:
    """Write text to standard output unchanged, and flush it. Raises `OutputError`."""
    with wrapping_output_errors():
        print(text, end="", flush=True)


def print_error(text: str) -> None:
    """Print text as one printable line on standard error, if that can be written."""
    line = "".join([char if char.isprintable() else " " for char in text])
    try:
        print(escape_ci_commands(line), file=sys.stderr, flush=True)
    except OSError:
        discard_output(sys.stderr)


def discard_output(stream: TextIO) -> None:
    """Let a stream that cannot be written lead nowhere, as Python flushes it again at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def flush_or_discard(stream: TextIO) -> None:
    """Write what a stream holds back, or discard it if it cannot be written."""
    try:
        stream.flush()
    except OSError:
        discard_output(stream)


def print_traceback(error: BaseException) -> None:
    """Print a traceback on standard error, if `REDIS_ACTIONS_TRACEBACK` is set and not 0."""
    if os.environ.get("REDIS_ACTIONS_TRACEBACK", "0") not in {"", "0"}:
        import traceback  # noqa: PLC0415 - as above

        for line in "".join(traceback.format_exception(error)).splitlines():
            print_error(line)


def escape_ci_commands(text: str) -> str:
    """Insert a backslash where a CI system would see the beginning of a command."""
    return _HASH.sub(r"#\\", _LINE_COMMAND.sub(r"\g<0>\\", text))


# --- the terminal ---------------------------------------------------------------------------------


def can_draw(environ: Mapping[str, str]) -> bool:
    """Return True unless `TERM` names a terminal that can neither move a cursor nor colour text."""
    return environ.get("TERM", "").casefold() not in {"dumb", "unknown"}


def has_unicode(stream: TextIO) -> bool:
    """Return True if a stream can encode the marks of outcomes."""
    return (stream.encoding or "").casefold().startswith("utf")


def with_valid_size(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without a `COLUMNS` or `LINES` that no terminal can have.

    rich prefers these variables to the size of the terminal, whatever they hold.
    """
    invalid = [name for name in ("COLUMNS", "LINES") if not _SIZE.fullmatch(environ.get(name, ""))]
    return {name: value for name, value in environ.items() if name not in invalid}
