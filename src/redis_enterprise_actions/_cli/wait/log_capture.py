"""What is logged while the command runs: events of a wait, so that no line of it breaks a display.

Knows the fields that log records have; docs/output.md lists them.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from redis_enterprise_actions._cli.output import complain, complain_of

from .events import Outage, Warned


if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from .events import Stamp

_LOGGER: Final = "redis_enterprise_actions"
_OUTAGES: Final = {"outage": False, "outage over": True}  # what `event` says: whether it is over


class Overheard(logging.Handler):
    """Keeps warnings of ours, between `with` and its end, until somebody takes them.

    What nobody has taken goes to standard error in the end.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._records: deque[logging.LogRecord] = deque()
        self.wake: Callable[[], object] = _nobody

    def __enter__(self) -> Self:
        logging.getLogger(_LOGGER).addHandler(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        logging.getLogger(_LOGGER).removeHandler(self)
        while self._records:
            complain(self._records.popleft().getMessage())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, and wake who shows it."""
        self._records.append(record)
        self.wake()

    def take(self, stamp: Callable[[], Stamp]) -> list[Outage | Warned]:
        """Return what was said since it was last asked."""
        taken, self._records = self._records, deque()
        return [_event(record, stamp()) for record in taken]


class _Aside(logging.Handler):
    """Prints warnings, and what is worse, on standard error, each as one printable line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the first line of a message; asyncio's others show objects, and what is in them."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            complain_of(error)
        said, _, _ = record.getMessage().partition("\n")
        complain(said if error is None else f"{said}: {type(error).__name__}")


@contextlib.contextmanager
def last_resort() -> Generator[None]:
    """Print what is logged where no handler was set up, which logging would print as it is."""
    before, logging.lastResort = logging.lastResort, _Aside(logging.WARNING)
    try:
        yield
    finally:
        logging.lastResort = before


def _nobody() -> None:
    pass


def _event(record: logging.LogRecord, stamp: Stamp) -> Outage | Warned:
    fields = vars(record)
    over = _OUTAGES.get(fields.get("event", ""))
    if over is None:
        return Warned(**stamp, message=record.getMessage())
    return Outage(
        **stamp,
        over=over,
        seconds=round(fields["seconds"], 3),
        reason=fields["reason"],
        ref=fields["ref"],
    )
