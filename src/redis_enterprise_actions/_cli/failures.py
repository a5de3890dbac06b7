"""Errors that end the command: their messages and exit codes."""

from __future__ import annotations

import sys
import traceback

from redis_enterprise_actions._model.errors import RedisActionsError

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
        print_error(f"redis-actions: {with_advice(error)}")
        return error.outcome.exit_code
    if isinstance(error, OutputError):
        discard_output(sys.stdout)
        if isinstance(error.error, BrokenPipeError):
            return 141  # 128 + SIGPIPE, as in shells
        print_error(f"redis-actions: the output cannot be written: {error.error}")
        return 74  # EX_IOERR of sysexits.h
    _print_internal_error(error)
    return EXIT_INTERNAL_ERROR


def with_advice(error: RedisActionsError) -> str:
    """Return the message of an error, and what to do if the cluster was never reached."""
    message, advice = str(error), getattr(error, "advice", None)
    return message if advice is None or advice in message else f"{message}. {advice}"


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
