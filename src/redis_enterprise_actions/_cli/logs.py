"""Log records on standard error, each as one printable line."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from redis_enterprise_actions._client.http.request_log import REQUEST_LOGGER

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
def unhandled_logs_to_stderr(*, verbose: bool = False) -> Generator[None]:
    """Print log records without a handler as one line each, which logging prints unchanged.

    `verbose` adds the records of requests.
    """
    level = logging.DEBUG if verbose else logging.WARNING
    requests = logging.getLogger(REQUEST_LOGGER)
    before, logging.lastResort = logging.lastResort, _StderrHandler(level)
    level_before = requests.level
    if verbose:
        requests.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logging.lastResort = before
        requests.setLevel(level_before)
