"""What is run when all waits have ended, and what it is told: `--hook`.

Knows processes. What it is told is in its environment, from which our secrets are taken.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.output import escape_ci_commands

from .progress import format_counts


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .progress import Progress

HOOK_TIMEOUT: Final = 30.0  # seconds that it may take

_OUR_PREFIX: Final = "REDIS_ENTERPRISE_"  # how the names of variables begin that are not passed on
_STDERR: Final = 2


def hook_variables(
    progress: Progress, code: int, *, elapsed: float, reports: Sequence[str]
) -> dict[str, str]:
    """Return what a hook is told: of the end that decided the exit code, if several ended."""
    ends = [end for end in progress.ends if end.exit_code == code] or progress.ends
    end = ends[0] if ends else None
    facts = {
        "OUTCOME": "completed" if end is None else end.outcome,
        "EXIT_CODE": str(code),
        "REF": (end and end.ref) or "",
        "TITLE": "" if end is None or end.action is None else escape_ci_commands(end.action.title),
        "MESSAGE": "" if end is None else escape_ci_commands(end.message),
        "SUMMARY": format_counts(progress.outcome_counts, len(progress.abandoned)),
        "ELAPSED": f"{elapsed:.1f}",
    }
    if reports:
        facts["REPORT"] = reports[0]
    return {f"REDIS_ACTIONS_{name}": value for name, value in facts.items()}


def hook_environment(environ: Mapping[str, str], facts: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a hook: ours without the cluster's settings, and the facts."""
    kept = {name: value for name, value in environ.items() if not name.startswith(_OUR_PREFIX)}
    # No variable can hold a NUL, which the cluster may have sent.
    return kept | {name: value.replace("\0", " ") for name, value in facts.items()}


async def run_hook(command: str, facts: Mapping[str, str]) -> str | None:
    """Run a command in the shell; return what went wrong with it, or None.

    What it prints goes to standard error. After `PATIENCE` it is killed, with all it has started.
    """
    try:
        process = await asyncio.create_subprocess_shell(
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=_STDERR,
            env=hook_environment(os.environ, facts),
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
        await _kill(process)
    if code < 0:
        return f"the hook was ended by {signal.Signals(-code).name}"
    return f"the hook ended with {code}" if code else None


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill what has not ended."""
    if process.returncode is not None:
        return
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    await process.wait()
