"""Whether a file may hold a secret, and which it holds.

Knows who can read a file, on POSIX. Refuses to let a secret into an error.
"""

from __future__ import annotations

import enum
import logging
import os
import shlex
import stat
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions._client.http.auth import Secret, as_secret
from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedReader
    from pathlib import Path
    from types import ModuleType


_log = logging.getLogger(__name__)
_OTHERS_WRITE: Final = 0o022  # of the group, or of everybody
_OTHERS_READ: Final = 0o044
_EVERYBODY_READS: Final = 0o004
_HAS_MODES = os.name == "posix"
_T = TypeVar("_T")
_SERVICE: Final = "redis-actions"


class FileSafety(enum.Enum):
    """Whether a file may hold a secret."""

    PRIVATE = enum.auto()
    READ_BY_ALL = enum.auto()  # as whoever put it there wants it: worth a word
    UNSAFE = enum.auto()  # and who runs the command can close it


def file_safety(mode: int, *, ours: bool, fixed: bool) -> FileSafety:
    """Judge a file by its mode, whether it is ours, and whether its file system is read-only.

    What is no regular file, as `/dev/fd/3`, is for us alone. A file of ours has to be closed to
    others. Somebody else's, or one that nobody can change, such as a secret that is mounted into a
    container (0444, root's), is as open as it was meant to be.
    """
    if not stat.S_ISREG(mode):
        return FileSafety.PRIVATE
    if not fixed and mode & (_OTHERS_WRITE | _OTHERS_READ if ours else _OTHERS_WRITE):
        return FileSafety.UNSAFE
    return FileSafety.READ_BY_ALL if mode & _EVERYBODY_READS else FileSafety.PRIVATE


def read_secret(file: Path, what: str) -> Secret:
    """Return the secret that a file holds, without the end of its line.

    `what` is what the file is given by, such as `--password-file`. Raises `UsageError` where it
    cannot be read, or others can read it.
    """
    try:
        with file.open("rb") as it:
            _check_safety(it, file, what)
            secret = Secret(it.read().decode("utf-8").rstrip("\r\n"))
    except UsageError:
        raise
    except UnicodeError:  # which holds the secret
        secret = None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UsageError(f"{what} cannot be read: {error}") from error
    if secret is None:
        raise UsageError(f"{what} cannot be read: it is not UTF-8")
    if not secret.reveal():
        raise UsageError(f"{what} is empty")
    return secret


def _check_safety(it: BufferedReader, file: Path, what: str) -> None:
    if not _HAS_MODES:
        return
    status = os.fstat(it.fileno())
    fixed = bool(os.fstatvfs(it.fileno()).f_flag & os.ST_RDONLY)
    judged = file_safety(status.st_mode, ours=status.st_uid == os.geteuid(), fixed=fixed)
    if judged is FileSafety.UNSAFE:
        may = "change" if status.st_mode & _OTHERS_WRITE else "read"
        close = f"chmod 600 {shlex.quote(str(file))}"
        raise UsageError(f"{what}: other users may {may} the file: {close}")
    if judged is FileSafety.READ_BY_ALL:
        fields = {"event": "secret readable by all", "file": str(file)}
        _log.warning("%s: every user of this machine may read %s", what, file, extra=fields)


def load_password(account: str) -> Secret | None:
    """Return the password of an account, or None if the keyring has none."""
    return _use_keyring(lambda keyring: as_secret(keyring.get_password(_SERVICE, account)))


def save_password(account: str, password: Secret) -> None:
    """Store the password of an account, instead of any that there is."""
    _use_keyring(lambda keyring: keyring.set_password(_SERVICE, account, password.reveal()))


def delete_password(account: str) -> bool:
    """Remove the password of an account; return whether there was one."""
    if load_password(account) is None:
        return False
    _use_keyring(lambda keyring: keyring.delete_password(_SERVICE, account))
    return True


def _use_keyring(question: Callable[[ModuleType], _T]) -> _T:
    try:
        import keyring  # noqa: PLC0415 - an extra, wanted only here
        import keyring.errors  # noqa: PLC0415 - ditto
    except ImportError:
        raise UsageError(
            "the keyring needs a library: pip install 'redis-enterprise-actions[keyring]'"
        ) from None
    try:
        return question(keyring)
    except (keyring.errors.KeyringError, OSError) as error:
        problem = f"the system's keyring cannot be used: {type(error).__name__}"
    raise UsageError(problem)  # without that error, whose frames may show the password
