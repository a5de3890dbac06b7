"""Log records on standard error, each as one printable line."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from .output import print_error, print_traceback


if TYPE_CHECKING:
    from collections.abc import Generator


class _StderrHandler(logging.Handler):
    """Log handler that prints warnings on standard error, each as one printable line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the first line of a message.

        The further lines of asyncio's messages show objects, which may hold secrets.
        """
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            print_traceback(error)
        first_line, _, _ = record.getMessage().partition("\n")
        print_error(first_line if error is None else f"{first_line}: {type(error).__name__}")


@contextlib.contextmanager
def unhandled_logs_to_stderr() -> Generator[None]:
    """Print log records without a handler as one line each, which logging prints unchanged."""
    before, logging.lastResort = logging.lastResort, _StderrHandler(logging.WARNING)
    try:
        yield
    finally:
        logging.lastResort = before
