"""State file of a task: its intention to make a call, then the reference of the work, then the end.

The file is JSON without secrets, for its owner only. It is replaced as a whole and synced to the
disk, so that a kill or a crash at any time leaves one of the three.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
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
    once a task has reported the work as its change. `result` is that of the end.
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
            try:
                lock = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            except FileNotFoundError:
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
            os.write(lock, text.encode())
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


def _sync(folder: Path) -> None:
    """Let the name of a file reach the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        bytes.fromhex(state.salt)
        int(state.database or 0)
        valid = state.phase in _PHASES and isinstance(state.time, (int, float))
        valid = (
            valid
            and isinstance(state.urls, list)
            and all(
                value is None or isinstance(value, kind)
                for value, kind in (
                    (state.ref, str),
                    (state.before, dict),
                    (state.result, dict),
                    (state.is_reported, bool),
                    (state.call, str),
                    (state.task_id, str),
                    (state.outcome, str),
                )
            )
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        valid = False
    if not valid:
        raise StateFileError(
            f"state_file {path} cannot be read: it is not the state of a task. Whether its call "
            "was executed is not known: look at the cluster, then delete the file",
            started="unknown",
        )
    return state._replace(urls=tuple(state.urls))
