"""Errors that end the command: their messages and exit codes."""

from __future__ import annotations

import sys
import traceback

from redis_enterprise_actions._model.errors import ClusterUnreachable, RedisActionsError

from .output import (
    EXIT_INTERNAL_ERROR,
    OutputError,
    discard_output,
    print_error,
    print_traceback,
)


def report_failure(error: Exception) -> int:
    """Print an error, and return the exit code."""
    if isinstance(error, RedisActionsError):
        print_error(f"redis-actions: {error}{_advice(error)}")
        return error.outcome.exit_code
    if isinstance(error, OutputError):
        discard_output(sys.stdout)
        if isinstance(error.error, BrokenPipeError):
            return 141  # 128 + SIGPIPE, as in shells
        print_error(f"redis-actions: the output cannot be written: {error.error}")
        return 74  # EX_IOERR of sysexits.h
    _print_internal_error(error)
    return EXIT_INTERNAL_ERROR


def _advice(error: RedisActionsError) -> str:
    """Return what to do about a cluster that the command did not reach, if the error has it not."""
    if not isinstance(error, ClusterUnreachable) or error.hint or not error.advice:
        return ""
    return f". {error.advice}"


def _print_internal_error(error: Exception) -> None:
    """Print the type and the place of an unexpected error; its message may hold a secret."""
    print_traceback(error)
    frames = traceback.walk_tb(error.__traceback__)
    names = [(str(frame.f_globals.get("__name__")), line) for frame, line in frames]
    module, line = [place for place in names if place[0].startswith("redis_enterprise_actions")][-1]
    print_error(
        f"redis-actions: unexpected error: {type(error).__name__} in {module}, line {line}; "
        "REDIS_ACTIONS_TRACEBACK=1 prints the traceback, which may contain secrets"
    )
