"""Facts about `_secret_files`: which files may hold a secret."""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._client.config.secrets import FileSafety, file_safety, read_secret
from redis_enterprise_actions._client.http.auth import Secret


SECRET = "hunter2-hunter2"

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


def file_of(folder: Path, mode: int) -> Path:
    """Return a file that holds a secret."""
    file = folder / "a secret"
    file.write_text(SECRET + "\n")
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    ("mode", "ours", "fixed", "judged"),
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
        (0o666, True, True, FileSafety.READ_BY_ALL),  # which nobody can change
        (0o440, True, True, FileSafety.PRIVATE),
    ],
)
def test_verdict(mode: int, *, ours: bool, fixed: bool, judged: FileSafety) -> None:
    """Ours is closed to others; what somebody else put there is as open as it was meant to be."""
    assert file_safety(stat.S_IFREG | mode, ours=ours, fixed=fixed) is judged


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_no_file(kind: int) -> None:
    """What is no file, such as what a shell pipes in, is not judged."""
    assert file_safety(kind | 0o666, ours=True, fixed=False) is FileSafety.PRIVATE


def test_closed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is closed to others is read, without a word; the end of its line is no secret."""
    assert read_secret(file_of(tmp_path, 0o600), "it") == Secret(SECRET)
    assert caplog.messages == []


@posix
@pytest.mark.parametrize(
    ("mode", "may"), [(0o644, "read"), (0o640, "read"), (0o622, "change"), (0o666, "change")]
)
def test_open(tmp_path: Path, mode: int, may: str) -> None:
    """A file of ours that others may read or change is refused, with what to do about it."""
    file = file_of(tmp_path, mode)

    with pytest.raises(UsageError) as caught:
        read_secret(file, "--password-file")
    assert str(caught.value) == (
        f"--password-file: other users may {may} the file: chmod 600 '{file}'"
    )


@posix
def test_somebody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that somebody else has put there for everybody is read, with a warning."""
    file = file_of(tmp_path, 0o444)
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
    """A pipe is read, as a shell's `<(command)` is one."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(SECRET,))
    writer.start()

    assert read_secret(tmp_path / "pipe", "it") == Secret(SECRET)
    writer.join(10)


def test_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no such modes, as on Windows, none is looked at."""
    file = file_of(tmp_path, 0o666)
    monkeypatch.setattr("redis_enterprise_actions._client.config.secrets._HAS_MODES", False)

    assert read_secret(file, "it") == Secret(SECRET)


def test_no_such_name() -> None:
    """A name that no file can have is told of as any other that cannot be read."""
    with pytest.raises(UsageError, match=r"--token-file cannot be read: .*null"):
        read_secret(Path("a\0b"), "--token-file")
