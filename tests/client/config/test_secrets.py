"""Tests of `_client.config.secrets`."""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
from pathlib import Path

import keyring
import keyring.backends.fail
import keyring.backends.null
import keyring.errors
import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._client.config.secrets import (
    FileSafety,
    check_keyring,
    check_owner,
    delete_password,
    file_safety,
    load_password,
    problem_with_owner,
    read_secret,
    run_password_command,
    save_password,
)
from redis_enterprise_actions._model.secret import Secret
from tests.memory_keyring import MemoryKeyring
from tests.secrecy import leaks_of


SECRET = "hunter2-hunter2"
ACCOUNT = "ops@n1:9443"

prints_password = pytest.mark.prints_password  # the user's command does
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


def secret_file(folder: Path, mode: int) -> Path:
    """Write a secret to a file; return its path."""
    file = folder / "a secret"
    file.write_text(SECRET + "\n")
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    ("mode", "owned", "read_only", "expected"),
    [
        (0o600, True, False, FileSafety.PRIVATE),
        (0o400, True, False, FileSafety.PRIVATE),
        (0o640, True, False, FileSafety.UNSAFE),
        (0o604, True, False, FileSafety.UNSAFE),
        (0o620, True, False, FileSafety.UNSAFE),
        (0o602, True, False, FileSafety.UNSAFE),
        (0o640, False, False, FileSafety.PRIVATE),  # root's, for our group
        (0o444, False, False, FileSafety.READ_BY_ALL),  # a container's secret
        (0o666, False, False, FileSafety.UNSAFE),
        (0o660, False, False, FileSafety.UNSAFE),
        (0o444, True, True, FileSafety.READ_BY_ALL),  # likewise, and we are root
        (0o666, True, True, FileSafety.READ_BY_ALL),  # on a read-only file system
        (0o440, True, True, FileSafety.PRIVATE),
    ],
)
def test_file_safety(mode: int, *, owned: bool, read_only: bool, expected: FileSafety) -> None:
    """The user's own file must be closed to others; another user's must not be writable."""
    assert file_safety(stat.S_IFREG | mode, owned=owned, read_only=read_only) is expected


@pytest.mark.parametrize(
    ("mode", "owner", "user", "sudo", "read_only", "expected"),
    [
        (0o644, 1000, 1000, "", False, None),
        (0o644, 0, 1000, "", False, None),
        (0o600, 0, 0, "", False, None),
        (0o664, 1000, 1000, "", False, "other users"),
        (0o646, 0, 1000, "", False, "other users"),
        (0o644, 1001, 1000, "", False, "the user"),
        (0o644, 1001, 1000, "1001", False, "the user"),
        (0o644, 1000, 0, "", False, "the user"),
        (0o644, 1000, 0, "1001", False, "the user"),
        (0o644, 1000, 0, "1000", False, None),
        (0o664, 1000, 0, "1000", False, "other users"),
        (0o666, 1001, 1000, "", True, None),
    ],
)
def test_owner(
    mode: int, owner: int, user: int, sudo: str, *, read_only: bool, expected: str | None
) -> None:
    """The owner has to be root, the user, or who became root by sudo; others may not write."""
    regular = problem_with_owner(
        stat.S_IFREG | mode, owner, user=user, sudo=sudo, read_only=read_only
    )
    pipe = problem_with_owner(stat.S_IFIFO | mode, owner, user=user, sudo=sudo, read_only=False)

    assert (expected or "") in (regular or "")
    assert (regular is None, pipe) == (expected is None, None)


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_not_regular(kind: int) -> None:
    """A pipe or a device, such as a shell's `<(command)`, is private."""
    assert file_safety(kind | 0o666, owned=True, read_only=False) is FileSafety.PRIVATE


def test_private(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A private file is read without a warning, and without the end of its line."""
    assert read_secret(secret_file(tmp_path, 0o600), "it") == Secret(SECRET)
    assert caplog.messages == []


@posix
@pytest.mark.parametrize(
    ("mode", "may"), [(0o644, "read"), (0o640, "read"), (0o622, "change"), (0o666, "change")]
)
def test_unsafe(tmp_path: Path, mode: int, may: str) -> None:
    """A user's own file that others may read or change is wrong usage, with the remedy."""
    file = secret_file(tmp_path, mode)

    with pytest.raises(UsageError) as caught:
        read_secret(file, "--password-file")
    assert str(caught.value) == (
        f"--password-file: other users may {may} the file: chmod 600 '{file}'"
    )


@posix
def test_readable_by_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another user's file that all may read is read, with a warning."""
    file = secret_file(tmp_path, 0o444)
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)

    assert read_secret(file, "--token-file") == Secret(SECRET)
    assert caplog.record_tuples == [
        (
            "redis_enterprise_actions._client.config.secrets",
            logging.WARNING,
            f"--token-file: every user of this machine may read {file}",
        )
    ]
    (record,) = caplog.records
    assert vars(record)["event"] == "secret readable by all"
    assert vars(record)["file"] == str(file)


@posix
def test_pipe(tmp_path: Path) -> None:
    """A pipe is read, such as a shell's `<(command)`."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(SECRET,))
    writer.start()

    assert read_secret(tmp_path / "pipe", "it") == Secret(SECRET)
    writer.join(60)


def test_no_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a platform without such modes, as Windows, they are not checked."""
    file = secret_file(tmp_path, 0o666)
    monkeypatch.setattr("redis_enterprise_actions._client.config.secrets._HAS_MODES", False)

    assert read_secret(file, "it") == Secret(SECRET)
    with file.open("rb") as stream:
        assert check_owner(stream) is None


def test_impossible_name() -> None:
    """A name that no file can have is an error like that of an unreadable file."""
    with pytest.raises(UsageError, match=r"--token-file cannot be read: .*null"):
        read_secret(Path("a\0b"), "--token-file")


@pytest.mark.enable_socket
def test_keyring(memory_keyring: MemoryKeyring) -> None:
    """A stored password is found by its account until it is deleted."""
    save_password(ACCOUNT, Secret(SECRET))
    assert memory_keyring.passwords == {("redis-actions", ACCOUNT): SECRET}
    assert load_password(ACCOUNT) == Secret(SECRET)
    assert load_password("ops@n2:9443") is None
    assert delete_password(ACCOUNT)

    assert load_password(ACCOUNT) is None
    assert not delete_password(ACCOUNT)


class Locked(MemoryKeyring):
    """Keyring that cannot be opened."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.KeyringLocked(password)

    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.NoKeyringError


def test_unusable_keyring(memory_keyring: MemoryKeyring) -> None:
    """A keyring that does not work is wrong usage, and the error has no password."""
    keyring.set_keyring(Locked())
    with pytest.raises(UsageError) as caught:
        save_password(ACCOUNT, Secret(SECRET))

    assert str(caught.value) == "the system's keyring cannot be used: KeyringLocked"
    assert leaks_of(caught.value) == []
    with pytest.raises(UsageError, match="cannot be used: NoKeyringError"):
        load_password(ACCOUNT)


def test_no_keyring_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library, the error says what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(UsageError) as caught:
        load_password(ACCOUNT)
    assert str(caught.value) == "the keyring needs a library: pip install keyring"


def test_no_backend(memory_keyring: MemoryKeyring) -> None:
    """A keyring that forgets passwords, or is a placeholder, is wrong usage."""
    for backend in (keyring.backends.null.Keyring(), keyring.backends.fail.Keyring()):
        keyring.set_keyring(backend)
        with pytest.raises(UsageError, match="this machine has no keyring that can be used"):
            check_keyring(ACCOUNT)
    keyring.set_keyring(Locked())
    with pytest.raises(UsageError, match="cannot be used: NoKeyringError"):
        check_keyring(ACCOUNT)


@prints_password
@pytest.mark.parametrize(
    "output", [SECRET, f"{SECRET}\n", f"{SECRET}\r\nurl: x\n", f"{SECRET}\n\xff"], ids=repr
)
def test_command(output: str) -> None:
    """The password is the first line that the command prints."""
    words = [sys.executable, "-c", f"import os; os.write(1, {output.encode('latin-1')!r})"]

    assert run_password_command(words, "it") == Secret(SECRET)


FAILING = f"print('{SECRET}'); raise SystemExit(3)"
KILLED = f"import os; print('{SECRET}', flush=True); os.kill(os.getpid(), 9)"


@prints_password
@posix
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([sys.executable, "-c", FAILING], f"failed: {sys.executable} exited with 3"),
        ([sys.executable, "-c", KILLED], f"was ended by signal 9: {sys.executable}"),
        (["/nowhere/pass", "x"], "cannot be run: /nowhere/pass: No such file or directory"),
        (["true"], "gave no password: the first line of its output is empty"),
        (["printf", f"\\n{SECRET}"], "gave no password: the first line of its output is empty"),
        (
            ["printf", f"\\377{SECRET}"],
            "cannot be used: a NUL is in it, or its output is not UTF-8",
        ),
        (["tr\0ue"], "cannot be used: a NUL is in it, or its output is not UTF-8"),
    ],
    ids=["exit code", "signal", "not found", "nothing", "empty line", "bytes", "NUL"],
)
def test_failing_command(words: list[str], problem: str) -> None:
    """A command that fails is wrong usage; the error says how it ended, and not what it printed."""
    with pytest.raises(UsageError) as caught:
        run_password_command(words, "password_command of profile p")

    assert str(caught.value) == f"password_command of profile p {problem}"
    assert leaks_of(caught.value) == []


@prints_password
def test_slow_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that takes too long is ended, and the error has nothing of its output."""
    monkeypatch.setattr("redis_enterprise_actions._client.config.secrets._COMMAND_TIMEOUT", 0.2)
    words = [
        sys.executable, "-c",
        f"import time; print('{SECRET}', flush=True); time.sleep(600)",
    ]  # fmt: skip

    with pytest.raises(UsageError) as caught:
        run_password_command(words, "it")
    assert str(caught.value) == f"it took more than 0.2 s: {sys.executable}"
    assert leaks_of(caught.value) == []
