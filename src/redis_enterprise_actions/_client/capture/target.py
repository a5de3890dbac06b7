"""Target of a capture: the file that it replaces at its end, and the drafts beside it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Generator

_taken: Final[set[Path]] = set()  # targets of the captures of this process that run
_lock: Final = threading.Lock()


def check_target(path: str | os.PathLike[str]) -> Path:
    """Return the file that a capture replaces, with links followed. Nothing is written.

    Raises `UsageError` if its directory does not exist or is not writable, or if there is something
    else than a regular file.
    """
    problem: str | None = None
    try:
        target = Path(os.path.realpath(Path(path)))
        if not target.parent.is_dir():
            problem = "there is no such directory"
        elif not os.access(target.parent, os.W_OK | os.X_OK):
            problem = "its directory is not writable"
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(target.stat().st_mode):
                problem = "it is not a regular file"
    except TypeError:
        raise UsageError(f"{path!r:.100} is not the path of a file") from None
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"a capture cannot be written there: {path}: {problem}") from None
    if problem is not None:
        raise UsageError(f"a capture cannot be written there: {path}: {problem}")
    return target


def take(target: Path) -> None:
    """Mark a file as the target of a capture that runs. Raises `UsageError` if it is one."""
    with _lock:
        if target in _taken:
            raise UsageError(f"another capture of this process writes to {target}")
        _taken.add(target)


def give_back(target: Path) -> None:
    """Undo `take`."""
    with _lock:
        _taken.discard(target)


def new_draft(target: Path) -> tuple[TextIO, Path]:
    """Open a new file beside a target, which its owner alone may read. Raises `OSError`."""
    path = target.with_name(f".capture-{secrets.token_hex(8)}")  # short, as names have a limit
    opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(opened, "w+", encoding="utf-8", newline="\n"), path


@contextlib.contextmanager
def removing(path: Path) -> Generator[None]:
    """Remove a draft at the end, if it is still there."""
    try:
        yield
    finally:
        remove(path)


def remove(path: Path) -> None:
    """Remove a draft if it is still there, and can be removed."""
    with contextlib.suppress(OSError):
        path.unlink()
