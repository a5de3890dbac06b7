"""Secrets in files, which other users must not be able to read, in the keyring, and of commands."""

from __future__ import annotations

import enum
import logging
import os
import shlex
import stat
import subprocess
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions._client.http.redaction import as_secret
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.secret import Secret


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from io import BufferedReader
    from pathlib import Path
    from types import ModuleType


_log = logging.getLogger(__name__)
_OTHERS_WRITE: Final = 0o022  # the group, or all users
_OTHERS_READ: Final = 0o044
_ALL_READ: Final = 0o004
_HAS_MODES = os.name == "posix"
_T = TypeVar("_T")
_SERVICE: Final = "redis-actions"
_COMMAND_TIMEOUT: Final = 30.0  # seconds; the command may ask the user for a passphrase


class FileSafety(enum.Enum):
    """Verdict on a file that is to hold a secret."""

    PRIVATE = enum.auto()
    READ_BY_ALL = enum.auto()  # its owner wants it so: a warning
    UNSAFE = enum.auto()  # the user of the command can change that: an error


def file_safety(mode: int, *, owned: bool, read_only: bool) -> FileSafety:
    """Judge a file by its mode, whether the user owns it, and whether its file system is read-only.

    A file that is not a regular one, such as `/dev/fd/3`, counts as private. A file of the user's
    own must be closed to others. Another user's, or one on a read-only file system, such as a
    secret in a container (0444, root's), is as open as its owner wants it; but others must not be
    able to change it.
    """
    if not stat.S_ISREG(mode):
        return FileSafety.PRIVATE
    if not read_only and mode & (_OTHERS_WRITE | _OTHERS_READ if owned else _OTHERS_WRITE):
        return FileSafety.UNSAFE
    return FileSafety.READ_BY_ALL if mode & _ALL_READ else FileSafety.PRIVATE


def problem_with_owner(
    mode: int, owner: int, *, user: int, sudo: str, read_only: bool
) -> str | None:
    """Return why a file without secrets may be changed by others than the user, or None.

    `owner` and `user` are uids, and `sudo` is that of the user who became root by sudo, or empty.
    """
    if file_safety(mode, owned=False, read_only=read_only) is FileSafety.UNSAFE:
        return "other users may change it, and divert passwords: run chmod go-w on it"
    is_trusted = owner in {0, user} or (user == 0 and str(owner) == sudo)
    if is_trusted or read_only or not stat.S_ISREG(mode):
        return None
    return (
        f"it belongs to the user {owner}, who may change it, and divert passwords: use a copy, or "
        "mount it read-only"
    )


def check_owner(stream: BufferedReader) -> str | None:
    """Return why others may change an open file without secrets, or None."""
    if not _HAS_MODES:
        return None
    status = os.fstat(stream.fileno())
    return problem_with_owner(
        status.st_mode,
        status.st_uid,
        user=os.geteuid(),
        sudo=os.environ.get("SUDO_UID", ""),
        read_only=_is_read_only(stream),
    )


def _is_read_only(stream: BufferedReader) -> bool:
    return bool(os.fstatvfs(stream.fileno()).f_flag & os.ST_RDONLY)


def read_secret(file: Path, what: str) -> Secret:
    """Return the secret that a file holds, without the end of its line.

    `what` names the setting for messages, such as `--password-file`. Raises `UsageError` if the
    file cannot be read, or is not safe.
    """
    try:
        with file.open("rb") as stream:
            _check_safety(stream, file, what)
            secret = Secret(stream.read().decode("utf-8").rstrip("\r\n"))
    except UsageError:
        raise
    except UnicodeError:  # it holds the secret
        secret = None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UsageError(f"{what} cannot be read: {error}") from error
    if secret is None:
        raise UsageError(f"{what} cannot be read: it is not UTF-8")
    if not secret.reveal():
        raise UsageError(f"{what} is empty")
    return secret


def _check_safety(stream: BufferedReader, file: Path, what: str) -> None:
    if not _HAS_MODES:
        return
    status = os.fstat(stream.fileno())
    is_owned = status.st_uid == os.geteuid()
    safety = file_safety(status.st_mode, owned=is_owned, read_only=_is_read_only(stream))
    if safety is FileSafety.UNSAFE:
        may = "change" if status.st_mode & _OTHERS_WRITE else "read"
        remedy = f"chmod 600 {shlex.quote(str(file))}"
        raise UsageError(f"{what}: other users may {may} the file: {remedy}")
    if safety is FileSafety.READ_BY_ALL:
        fields = {"event": "secret readable by all", "file": str(file)}
        _log.warning("%s: every user of this machine may read %s", what, file, extra=fields)


def run_password_command(words: Sequence[str], what: str) -> Secret:
    """Return the first line that a command prints. The command runs without a shell.

    `what` names the setting for messages. The command may ask the user on the terminal. Raises
    `UsageError` if the command fails, or takes more than 30 s; the error has nothing of its output.
    """
    problem = "gave no password: the first line of its output is empty"
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command
            words, stdout=subprocess.PIPE, timeout=_COMMAND_TIMEOUT, check=False
        )
        first = done.stdout.split(b"\n", 1)[0].rstrip(b"\r").decode()
    except OSError as error:
        problem = f"cannot be run: {words[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:  # it holds the output
        problem = f"took more than {_COMMAND_TIMEOUT:g} s: {words[0]}"
    except ValueError:  # an UnicodeError, which holds the password, or a NUL in the command
        problem = "cannot be used: a NUL is in it, or its output is not UTF-8"
    else:
        if done.returncode < 0:
            problem = f"was ended by signal {-done.returncode}: {words[0]}"
        elif done.returncode:
            problem = f"failed: {words[0]} exited with {done.returncode}"
        elif first:
            return Secret(first)
    raise UsageError(f"{what} {problem}")


def check_keyring(account: str) -> None:
    """Raise `UsageError` if the keyring cannot keep passwords."""
    _use_keyring(lambda keyring: keyring.get_password(_SERVICE, account))


def load_password(account: str) -> Secret | None:
    """Return the password of an account, or None if the keyring does not have it."""
    return _use_keyring(lambda keyring: as_secret(keyring.get_password(_SERVICE, account)))


def save_password(account: str, password: Secret) -> None:
    """Store the password of an account in the keyring; it replaces a former one."""
    _use_keyring(lambda keyring: keyring.set_password(_SERVICE, account, password.reveal()))


def delete_password(account: str) -> bool:
    """Remove the password of an account from the keyring. Return True if there was one."""
    if load_password(account) is None:
        return False
    _use_keyring(lambda keyring: keyring.delete_password(_SERVICE, account))
    return True


def _use_keyring(call: Callable[[ModuleType], _T]) -> _T:
    try:
        import keyring  # noqa: PLC0415 - an extra, needed only here
        import keyring.errors  # noqa: PLC0415 - ditto
    except ImportError:
        raise UsageError("the keyring needs a library: pip install keyring") from None
    try:
        if keyring.get_keyring().priority > 0:  # that of a backend which keeps nothing is -1 or 0
            return call(keyring)
        problem = "this machine has no keyring that can be used"
    except (keyring.errors.KeyringError, OSError) as error:
        problem = f"the system's keyring cannot be used: {type(error).__name__}"
    raise UsageError(problem)  # without a cause, whose message may hold the password
