"""`Execution`: the running of one command, with what `main` does for its handler."""

from __future__ import annotations

import contextlib


class Execution(contextlib.ExitStack):
    """Running command: a stack of what is closed at its end.

    `interrupted_note` is appended to the message of an interruption. A handler sets it when there
    is something to say, such as that the work goes on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.interrupted_note = ""
