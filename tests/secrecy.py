"""Watches a whole test run for secrets: in logs, in errors, and in what a traceback can show.

`conftest` starts it, each test adds to it, and the last test of the run, in `test_secrecy`, looks
at what was found.
"""

from __future__ import annotations

import base64
import functools
import logging
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import redis_enterprise_actions
from redis_enterprise_actions import RedisActionsError, _errors
from redis_enterprise_actions.testing._cluster import DATABASE_SECRET
from redis_enterprise_actions.testing._tokens import TOKEN_MARK


if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_NOT_OURS = (
    str(Path(__file__).parent),
    str(Path(redis_enterprise_actions.__file__).parent / "testing"),
    *("_pytest", "hypothesis", "looptime", "unittest", "contextlib"),
)

# The passwords of the tests and of the fake, plain and as they are sent; what its databases hold;
# and what every token of the fake's ends with.
PASSWORDS = ["fake-password", "hunter2-hunter2", "wrong-password"]
_PAIRS = [
    f"{name}:{password}"
    for name in ("admin@example.com", "ops@example.com", "ops")
    for password in PASSWORDS
]
SECRETS = [
    *PASSWORDS,
    DATABASE_SECRET,
    TOKEN_MARK,
    *(base64.b64encode(pair.encode()).decode() for pair in _PAIRS),
]


def secrets_in(text: str) -> list[str]:
    """Return the secrets that a text holds."""
    return [secret for secret in SECRETS if secret in text]


class Watch(logging.Handler):
    """Hears every log record and every error of ours, and searches them."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.searched = {"log": 0, "error": 0, "variable": 0}
        self.found: list[tuple[str, str, str]] = []  # where, which secret, the text around it
        self._errors: list[Exception] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Search a log record, its traceback included."""
        self._search("log", self.format(record))
        self._search("log", repr(record.__dict__.get("args")))

    def heard_of(self, error: Exception) -> None:
        """Keep an error until the test that made it is over."""
        self._errors.append(error)

    def search_errors(self) -> None:
        """Search the errors so far, and what hangs on them, and let them go."""
        errors, self._errors = self._errors, []
        seen: set[int] = set()
        for error in errors:
            for each in _chain(error, seen):
                self._search("error", f"{each} {each!r} {each.args!r} {vars(each)!r}")
                if isinstance(each, RedisActionsError):
                    self._search("error", pickle.dumps(each).decode("latin-1"))
                for frame in _our_frames(each):
                    for name, value in frame.f_locals.items():
                        self._search(
                            "variable", f"{name} in {frame.f_code.co_name}: {_shown(value)}"
                        )

    def _search(self, what: str, text: str) -> None:
        self.searched[what] += 1
        for secret in secrets_in(text):
            self.found.append((what, secret, text[:500]))


def _shown(value: object) -> str:
    """Return what a traceback shows of a value, which may be half made."""
    try:
        return repr(value)
    except AttributeError:
        return object.__repr__(value)


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    """Return an error and all those that it came from, each of them once."""
    if error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        yield from _chain(error.__cause__, seen)
        yield from _chain(error.__context__, seen)
        for each in getattr(error, "exceptions", ()):
            yield from _chain(each, seen)


def _our_frames(error: BaseException) -> Iterator[FrameType]:
    """Return the frames that an error went through, but for those of the tests and the fake."""
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not any(part in file for part in _NOT_OURS):
            yield traceback.tb_frame
        traceback = traceback.tb_next


WATCH = Watch()


def start() -> None:
    """Listen to all logs, at every level, and to every error of ours that is made."""
    logging.getLogger().addHandler(WATCH)
    logging.getLogger("redis_enterprise_actions").setLevel(logging.DEBUG)
    made, revived = RedisActionsError.__init__, _errors._revive

    def making(self: RedisActionsError, *args: object) -> None:
        made(self, *args)
        WATCH.heard_of(self)

    @functools.wraps(revived)
    def reviving(*args: object) -> RedisActionsError:
        error = revived(*args)  # type: ignore[arg-type]
        WATCH.heard_of(error)
        return error

    RedisActionsError.__init__ = making  # type: ignore[method-assign]
    _errors._revive = reviving
