"""`Execution`: the running of one command, with what `main` does for its handler."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager


class Execution(contextlib.ExitStack):
    """Running command: a stack of what is closed at its end.

    `interrupted_note` returns what is appended to the message of an interruption. A handler sets it
    if there may be something to say, such as that the work goes on. `capture` is the context in
    which the work has to run if the option `--capture` is given; a handler sets that, too. A
    handler sets `is_service` for work that only a signal ends, which is then no news.
    """

    def __init__(self) -> None:
        super().__init__()
        self.interrupted_note: Callable[[], str] = str
        self.is_service = False
        self.capture: AbstractAsyncContextManager[None] | None = None
