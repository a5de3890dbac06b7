"""The hook of `--hook`: a shell command that runs after all waits have ended.

The result is in its environment, without the variables that may hold our secrets.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.output import escape_ci_commands
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.text import duration_text, shortened

from .progress import format_counts


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .progress import Progress

HOOK_TIMEOUT: Final = 30.0  # seconds
_MAX_LENGTH: Final = 4000  # characters of a variable


def hook_variables(
    progress: Progress, code: int, *, elapsed: float, reports: Sequence[str]
) -> dict[str, str]:
    """Return the variables that describe the result of the command.

    Of several waits they describe the first one that ended with the exit code, if there is one.
    """
    ends = [end for end in progress.ends if end.exit_code == code] or progress.ends
    end = ends[0] if ends else None
    variables = {
        "OUTCOME": Outcome.COMPLETED.value if end is None else end.outcome,
        "EXIT_CODE": str(code),
        "REF": (end and end.ref) or "",
        "TITLE": "" if end is None or end.action is None else escape_ci_commands(end.action.title),
        "MESSAGE": "" if end is None else escape_ci_commands(end.message),
        "SUMMARY": format_counts(progress.outcome_counts, len(progress.abandoned)),
        "ELAPSED": f"{elapsed:.1f}",
    }
    if reports:
        variables["REPORT"] = reports[0]
    return {f"REDIS_ACTIONS_{name}": value for name, value in variables.items()}


def hook_environment(environ: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a hook: `environ` without our settings, and the variables."""
    inherited = {
        name: value for name, value in environ.items() if not name.startswith("REDIS_ENTERPRISE_")
    }
    return inherited | {name: _variable(value) for name, value in variables.items()}


def _variable(text: str) -> str:
    """Return text of the cluster as a variable can hold it.

    No variable can hold a NUL, or more than 128 KiB (Linux).
    """
    value = shortened(text.replace("\0", " "), _MAX_LENGTH)
    try:
        os.fsencode(value)
    except UnicodeEncodeError:  # half of a surrogate pair, or an encoding other than UTF-8
        return os.fsdecode(value.encode("utf-8", "replace"))
    return value


async def run_hook(command: str, variables: Mapping[str, str]) -> str | None:
    """Run a command in the shell; return why it failed, or None.

    Its output goes to standard error. After `HOOK_TIMEOUT` it is killed, with all its processes.
    """
    try:
        process = await asyncio.create_subprocess_shell(
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=2,  # standard error
            env=hook_environment(os.environ, variables),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        too_large = "its environment or its command is larger than the system allows"
        is_too_large = isinstance(error, OSError) and error.errno == errno.E2BIG
        return f"the hook cannot be run: {too_large if is_too_large else error}"
    try:
        async with asyncio.timeout(HOOK_TIMEOUT):
            code = await process.wait()
    except TimeoutError:
        return f"the hook had not ended after {duration_text(HOOK_TIMEOUT)}, and was killed"
    finally:
        if process.returncode is None:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            await process.wait()
    if code < 0:
        names = {each.value: each.name for each in signal.Signals}  # real-time signals have none
        return f"the hook was ended by {names.get(-code, f'signal {-code}')}"
    return f"the hook ended with {code}" if code else None
