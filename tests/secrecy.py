"""Search of all that a test shows for the passwords and tokens that the tests use.

Log messages of ours are searched for anything that is not one printable line, too.
`conftest` registers this module as a pytest plugin. A test fails if a secret is in a log record; in
an error of ours or in what caused it (message, `repr`, attributes, pickle); or in output: what
pytest captures, what the test takes from `capsys` or `Popen.communicate`, and what it reads from a
terminal through `search_output`. A test of a command whose purpose is to print a password has the
marker `prints_password`.
"""

from __future__ import annotations

import base64
import functools
import logging
import pickle
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from redis_enterprise_actions import RedisActionsError
from redis_enterprise_actions._model import errors as _errors
from redis_enterprise_actions.testing.server.auth import TOKEN_MARK
from redis_enterprise_actions.testing.state.databases import DATABASE_SECRET


if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# The passwords of the tests and of the fake, plain and as HTTP sends them; a password that the
# fake's databases hold; and the text at the end of each token that the fake grants.
PASSWORDS: Final = ["fake-password", "hunter2-hunter2", "wrong-password"]
_PAIRS: Final = [
    f"{name}:{password}"
    for name in ("admin@example.com", "ops@example.com", "ops")
    for password in PASSWORDS
]
SECRETS: Final = [
    *PASSWORDS,
    DATABASE_SECRET,
    TOKEN_MARK,
    *(base64.b64encode(pair.encode()).decode() for pair in _PAIRS),
]
_PACKAGE: Final = str(Path(_errors.__file__).parents[1])
_MARKER: Final = "prints_password"
_RUNNING: Final[list[Search]] = []  # that of the test that runs
_SEARCH: Final = pytest.StashKey["Search"]()


def secrets_in(text: str) -> list[str]:
    """Return the secrets that a text holds."""
    return [secret for secret in SECRETS if secret in text]


def leaks_of(error: BaseException) -> list[str]:
    """Return the leaks of an error and of the errors that it came from."""
    search = Search()
    search.add_error(error)
    return search.leaks()


def search_output(text: str) -> str:
    """Search text that the running test has read from a terminal; return it."""
    for search in _RUNNING:
        search.add_output(text)
    return text


def leaks_so_far(item: pytest.Item) -> list[str]:
    """Return the leaks of a test that is running, and let go of its errors."""
    return item.stash[_SEARCH].leaks()


class Search(logging.Handler):
    """Search of the log records, errors and output of one test."""

    def __init__(self, *, output: bool = True) -> None:
        super().__init__(logging.NOTSET)
        self.sections = 0  # captured sections that have been searched
        self._output = output
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self._errors: list[BaseException] = []
        self._found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Search a log record: its message, its arguments and its traceback."""
        self._search("log record", f"{self.format(record)} {record.args!r}")
        message = record.getMessage()
        if record.pathname.startswith(_PACKAGE) and not message.isprintable():
            self._found.append(f"log record that is not one printable line: {message!r}")

    def add_error(self, error: BaseException) -> None:
        """Keep an error until `leaks` is called, when it has its attributes and its causes."""
        self._errors.append(error)

    def add_output(self, text: str | bytes | None) -> None:
        """Search text that was printed."""
        if text and self._output:
            self._search("output", text if isinstance(text, str) else text.decode("latin-1"))

    def leaks(self) -> list[str]:
        """Search the errors kept so far; return a line for each leak found since the last call."""
        errors, self._errors = self._errors, []
        seen: set[int] = set()
        for error in errors:
            for each in _chain(error, seen):
                try:
                    self._search("error", f"{each} {each!r} {each.args!r} {vars(each)!r}")
                    if isinstance(each, RedisActionsError):
                        self._search("pickle", pickle.dumps(each).decode("latin-1"))
                except Exception as problem:  # noqa: BLE001 - it must not end the whole run
                    self._found.append(f"a {type(each).__name__} cannot be shown: {problem!r}")
        found, self._found = self._found, []
        return found

    def _search(self, where: str, text: str) -> None:
        for secret in secrets_in(text):
            at = text.index(secret)
            self._found.append(f"{where}: ...{text[max(at - 100, 0) : at + len(secret)]}...")


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    """Yield an error and all errors that it came from, each of them once."""
    if error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        yield from _chain(error.__cause__, seen)
        yield from _chain(error.__context__, seen)
        for each in getattr(error, "exceptions", ()):
            yield from _chain(each, seen)


@contextmanager
def _feeding(search: Search) -> Iterator[None]:
    """Feed a search with each log record, each new error of ours, and what a program printed."""
    make, revive = RedisActionsError.__init__, _errors._unpickle
    read, communicate = pytest.CaptureFixture.readouterr, subprocess.Popen.communicate

    def making(self: RedisActionsError, *args: object) -> None:
        make(self, *args)
        search.add_error(self)

    @functools.wraps(revive)  # whose name stands in the pickles
    def recording_restore(
        cls: type[RedisActionsError], attributes: dict[str, object]
    ) -> RedisActionsError:
        error = revive(cls, attributes)
        search.add_error(error)
        return error

    def reading(self: pytest.CaptureFixture[str]) -> tuple[str, str]:
        captured = read(self)
        for text in captured:
            search.add_output(text)
        return captured

    def communicating(
        self: subprocess.Popen[str], *args: object, **options: object
    ) -> tuple[str, str]:
        printed = communicate(self, *args, **options)  # type: ignore[arg-type]
        for text in printed:
            search.add_output(text)
        return printed

    root = logging.getLogger()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RedisActionsError, "__init__", making)
        patch.setattr(_errors, "_unpickle", recording_restore)
        patch.setattr(pytest.CaptureFixture, "readouterr", reading)
        patch.setattr(subprocess.Popen, "communicate", communicating)
        root.addHandler(search)
        _RUNNING.append(search)
        try:
            yield
        finally:
            _RUNNING.pop()
            root.removeHandler(search)


# --- hooks ----------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and let the package log all that it can."""
    config.addinivalue_line(
        "markers", f"{_MARKER}: the test runs a command whose purpose is to print a password"
    )
    logging.getLogger("redis_enterprise_actions").setLevel(logging.DEBUG)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Search while a test is set up, runs and is torn down."""
    search = Search(output=item.get_closest_marker(_MARKER) is None)
    item.stash[_SEARCH] = search
    with _feeding(search):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail the phase of the test in which a secret is shown."""
    report = yield
    search = item.stash[_SEARCH]
    for _, text in report.sections[search.sections :]:  # a report has those of earlier phases, too
        search.add_output(text)
    search.sections = len(report.sections)
    if leaks := search.leaks():
        message = "\n".join(["A secret is shown.", *dict.fromkeys(leaks), report.longreprtext])
        report.outcome, report.longrepr = "failed", message
    return report
