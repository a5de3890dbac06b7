"""State file of a task: its intention to make a call, then the reference of the work, then the end.

The file is JSON without secrets, for its owner only. It is replaced as a whole and synced to the
disk, so that a kill or a crash at any time leaves one of the three.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Mapping


VERSION = 1
INTENDED, STARTED, ENDED = "intended", "started", "ended"
_PHASES = frozenset({INTENDED, STARTED, ENDED})
_LARGEST = 1_000_000  # bytes
_LATEST = 1e11  # seconds since 1970 that a date can show


class StateFileError(Exception):
    """The state file cannot be used. Nothing was sent.

    `started` is "no", or "unknown" if another task may have made the call.
    """

    def __init__(self, message: str, started: str = "no") -> None:
        super().__init__(message)
        self.started = started


class State(NamedTuple):
    """Content of a state file.

    `call` and `digest` name the call, and `urls` the cluster. `time` is when the intention was
    written, in seconds since 1970; `before` what the cluster showed then. `is_reported` is True
    once a task has reported the work as its change. `result` is that of the end. `is_found` is
    True if the work was found on the cluster, and no answer names it as that of the call.
    """

    phase: str
    call: str
    digest: str
    salt: str
    urls: tuple[str, ...]
    time: float
    database: str | None = None
    task_id: str | None = None
    before: Mapping[str, Any] | None = None
    ref: str | None = None
    outcome: str | None = None
    is_reported: bool = False
    result: Mapping[str, Any] | None = None
    is_found: bool = False


class StateFile:
    """State file, locked against other tasks from the first look until `close`.

    Raises `StateFileError` if another task has locked it, or if it is no state file.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._lock: int | None = None
        self.state: State | None = None
        try:
            self._open()
            if self._lock is not None:
                self.state = _parse(self.path, _read(self._lock))
        except OSError as error:
            raise self._problem(error) from error

    def close(self) -> None:
        """Unlock the file."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def unreadable(self) -> StateFileError:
        """The error of a file whose content is no state of a task."""
        return _unreadable(self.path)

    def write(self, state: State) -> None:
        """Replace the content. Raises `StateFileError`."""
        try:
            self._replace(json.dumps({"v": VERSION, **state._asdict()}, sort_keys=True, indent=1))
        except OSError as error:
            raise self._problem(error) from error
        self.state = state

    def clear(self) -> None:
        """Remove the file: the call was not executed. Raises `StateFileError`."""
        try:
            self.path.unlink()
            _sync(self.path.parent)
        except OSError as error:
            raise self._problem(error) from error
        self.close()
        self.state = None

    def _open(self) -> None:
        """Open and lock the file, if there is one; a task that ends may just replace it."""
        while True:
            if self.path.is_symlink():
                raise StateFileError(f"state_file {self.path} is a symbolic link: give the file")
            try:
                lock = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            except FileNotFoundError:
                if not self.path.parent.is_dir():
                    raise
                return
            if not stat.S_ISREG(os.fstat(lock).st_mode):
                os.close(lock)
                raise StateFileError(f"state_file {self.path} is not a file")
            self._take(lock)
            try:
                if self.path.stat().st_ino == os.fstat(lock).st_ino:
                    self._lock = lock
                    return
            except FileNotFoundError:
                pass
            os.close(lock)

    def _take(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise self._in_use() from None

    def _in_use(self) -> StateFileError:
        return StateFileError(
            f"state_file {self.path} is in use: another task, or one that outlived its playbook, "
            "makes this call at the moment",
            started="unknown",
        )

    def _replace(self, text: str) -> None:
        lock, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _write_all(lock, text.encode())
            os.fsync(lock)
            if self._lock is None:
                os.link(name, self.path)  # fails if there is a file by now
                Path(name).unlink()
            else:
                Path(name).replace(self.path)
            _sync(self.path.parent)
        except OSError as error:
            os.close(lock)
            Path(name).unlink(missing_ok=True)
            if isinstance(error, FileExistsError):
                raise self._in_use() from None
            raise
        self.close()
        self._lock = lock

    def _problem(self, error: OSError) -> StateFileError:
        return StateFileError(f"state_file {self.path} cannot be used: {error.strerror or error}")


def new_salt() -> str:
    """Return a new salt for `digest_of`."""
    return secrets.token_hex(16)


def digest_of(call: object, salt: str) -> str:
    """Return a digest of a call, whose body may hold a password: it is made to be slow."""
    text = json.dumps(call, sort_keys=True, default=str).encode()
    return hashlib.scrypt(text, salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()


def _read(lock: int) -> bytes:
    size = os.fstat(lock).st_size
    return os.read(lock, _LARGEST) if size <= _LARGEST else b""


def _write_all(file: int, content: bytes) -> None:
    """Write all of a content; `os.write` may write less than it is given."""
    while content:
        content = content[os.write(file, content) :]


def _sync(folder: Path) -> None:
    """Let the name of a file reach the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(path: Path) -> StateFileError:
    return StateFileError(
        f"state_file {path} cannot be read: it is not the state of a task. Whether its call was "
        "executed is not known: look at the cluster, then delete the file",
        started="unknown",
    )


def _is_valid(state: State) -> bool:
    """Return True for the types that `write` writes. May raise `ValueError` or `TypeError`."""
    bytes.fromhex(state.salt)
    required: list[tuple[object, type]] = [
        (state.call, str),
        (state.digest, str),
        (state.urls, list),
        (state.time, float),
    ]
    required += [(state.is_reported, bool), (state.is_found, bool)]
    optional: list[tuple[object, type]] = [
        (state.database, str),
        (state.task_id, str),
        (state.ref, str),
    ]
    optional += [(state.outcome, str), (state.before, dict), (state.result, dict)]
    result = state.result or {}
    return (
        state.phase in _PHASES
        and all(isinstance(value, kind) for value, kind in required)
        and all(value is None or isinstance(value, kind) for value, kind in optional)
        and all(isinstance(each, str) for each in state.urls)
        and math.isfinite(state.time)
        and abs(state.time) < _LATEST
        and (state.database is None or state.database.isdecimal())
        and (state.phase != ENDED or state.outcome is not None)
        and isinstance(result.get("msg", ""), str)
        and (state.before is None or _is_look(state.before))
    )


def _is_look(before: Mapping[str, Any]) -> bool:
    """Return True for the state of the cluster before a call; see `looks.look_before`."""
    if before.keys() == {"databases"}:
        return all(type(each) is int for each in before["databases"])
    if before.keys() == {"actions"}:
        return all(isinstance(each, str) for each in before["actions"])
    return before.keys() >= {"found", "running", "task_id", "status", "began"}


def _parse(path: Path, body: bytes) -> State:
    """Return the state in a file. Raises `StateFileError` for anything else."""
    try:
        fields = json.loads(body)
        version = fields.pop("v")
        if version != VERSION:
            raise StateFileError(
                f"state_file {path} is of version {version!r:.20}, and this module reads {VERSION}",
                started="unknown",
            )
        state = State(**fields)
        valid = _is_valid(state)
    except (ValueError, TypeError, KeyError, AttributeError):
        valid = False
    if not valid:
        raise _unreadable(path)
    return state._replace(urls=tuple(state.urls))
