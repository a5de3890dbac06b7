"""The hook of `--hook`: a shell command that runs after all waits have ended.

The result is in its environment, without the variables that may hold our secrets.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.output import escape_ci_commands
from redis_enterprise_actions._model.outcome import Outcome

from .progress import format_counts


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .progress import Progress

HOOK_TIMEOUT: Final = 30.0  # seconds


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
    # No variable can hold a NUL, which the cluster may have sent.
    return inherited | {name: value.replace("\0", " ") for name, value in variables.items()}


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
        return f"the hook cannot be run: {error}"
    try:
        async with asyncio.timeout(HOOK_TIMEOUT):
            code = await process.wait()
    except TimeoutError:
        return f"the hook had not ended after {HOOK_TIMEOUT:g} s, and was killed"
    finally:
        if process.returncode is None:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            await process.wait()
    if code < 0:
        return f"the hook was ended by {signal.Signals(-code).name}"
    return f"the hook ended with {code}" if code else None
