"""Tests of `_report.write`."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import (
    Evidence,
    Outcome,
    Phase,
    UsageError,
    check_report,
    write_report,
)
from redis_enterprise_actions._report import write as _write
from redis_enterprise_actions._report.write import ReportDocument
from tests.records import CASES, QUIET, TROUBLED


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis_enterprise_actions import Record

HOSTILE = "::error::evil ##[error]x ##vso[task.x] \x9b31m \u202e \x85 \u2066 \x1b[0m \x7f"
posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and FIFOs are of POSIX")
SCHEMA = Path(__file__).parents[2] / "docs" / "flight-record.schema.json"


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("r.html", "<!DOCTYPE html>"),
        ("r.HTML", "<!DOCTYPE html>"),
        ("r.svg", "<svg "),
        ("r.md", "### 2 waits"),
        ("r.json", "{\n"),
    ],
)
def test_formats(tmp_path: Path, name: str, begin: str) -> None:
    """The suffix of the name selects the format."""
    check_report(str(tmp_path / name))
    write_report(str(tmp_path / name), [QUIET, TROUBLED])
    written = (tmp_path / name).read_text("utf-8")

    assert written.startswith(begin)
    assert written.endswith("\n")
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["report", "report.pdf", "report.json.gz", ".html", "no/r.html"])
def test_refused_paths(tmp_path: Path, name: str) -> None:
    """An unknown format, and a directory that does not exist, are refused by both functions."""
    for attempt in (check_report, lambda path: write_report(path, [])):
        with pytest.raises(UsageError, match="a report"):
            attempt(tmp_path / name)


def link_to_itself(place: Path) -> Path:
    """Make a link to itself; return its path."""
    (place / "r.md").symlink_to(place / "r.md")
    return place / "r.md"


def links_in_a_circle(place: Path) -> Path:
    """Make one of two links to each other; return its path."""
    (place / "r.md").symlink_to(place / "s.md")
    (place / "s.md").symlink_to(place / "r.md")
    return place / "r.md"


def link_to_nowhere(place: Path) -> Path:
    """Make a link into a directory that is not there; return its path."""
    (place / "r.md").symlink_to(place / "no" / "r.md")
    return place / "r.md"


def through_a_circle(place: Path) -> Path:
    """Return the path of a file in a link to itself."""
    (place / "r").symlink_to(place / "r")
    return place / "r" / "r.md"


def through_a_file(place: Path) -> Path:
    """Return the path of a file in a file."""
    (place / "r").touch()
    return place / "r" / "r.md"


def directory(place: Path) -> Path:
    """Make a directory; return its path."""
    (place / "r.md").mkdir()
    return place / "r.md"


def link_to_a_directory(place: Path) -> Path:
    """Make a link to a directory; return its path."""
    (place / "r.md").symlink_to(place)
    return place / "r.md"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
@pytest.mark.parametrize(
    ("made", "why"),
    [
        (link_to_itself, "symbolic links"),
        (links_in_a_circle, "symbolic links"),
        (through_a_circle, "symbolic links"),
        (link_to_nowhere, "there is no such directory"),
        (lambda place: place / "no" / "r.md", "there is no such directory"),
        (lambda _: Path("~nosuchuser") / "r.md", "there is no such directory"),
        (through_a_file, "Not a directory"),
        (directory, "it is a directory"),
        (link_to_a_directory, "it is a directory"),
        (lambda place: place / f"{'r' * 300}.md", "too long"),
        (lambda place: place / "a\0b.md", "null"),
        (lambda place: place / "\ud800.md", "surrogates"),
    ],
)
def test_unwritable_target(tmp_path: Path, made: Callable[[Path], Path], why: str) -> None:
    """A path that cannot be written is refused with the reason, and nothing is created."""
    path = made(tmp_path)
    before = sorted(tmp_path.iterdir())

    for attempt in (check_report, lambda path: write_report(path, [])):
        with pytest.raises(UsageError, match=f"cannot be written there: .*{why}"):
            attempt(path)
    assert sorted(tmp_path.iterdir()) == before


def test_unwritable_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that is not writable is refused by the check."""
    # As root, who runs tests in containers, may write anywhere.
    monkeypatch.setattr(os, "access", lambda place, _: place != tmp_path)

    with pytest.raises(UsageError, match="its directory is not writable"):
        check_report(tmp_path / "r.md")


def test_check_writes_nothing(tmp_path: Path) -> None:
    """An existing report stays as it is until it is replaced."""
    (tmp_path / "r.md").write_text("before", "utf-8")
    check_report(tmp_path / "r.md")
    check_report(tmp_path / "s.md")

    assert [each.name for each in tmp_path.iterdir()] == ["r.md"]
    assert (tmp_path / "r.md").read_text("utf-8") == "before"


def test_longest_name(tmp_path: Path) -> None:
    """A name may have the greatest length that the system allows."""
    path = tmp_path / f"{'r' * 252}.md"
    check_report(path)
    write_report(path, [QUIET])

    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_failed_replacement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If writing fails, the existing file stays, and no draft is left."""
    path = tmp_path / "r.md"
    path.write_text("before", "utf-8")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(path, [QUIET])

    assert path.read_text("utf-8") == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["r.md"]


def test_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the draft cannot be written, its error is raised."""

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "open", fail)

    with pytest.raises(OSError, match="disk full"):
        write_report(tmp_path / "r.md", [QUIET])


def test_link(tmp_path: Path) -> None:
    """A link stays one, and its target is written."""
    (tmp_path / "there").mkdir()
    link = tmp_path / "r.md"
    link.symlink_to(tmp_path / "there" / "real.md")
    write_report(link, [QUIET])

    assert link.is_symlink()
    assert (tmp_path / "there" / "real.md").read_text("utf-8").startswith("### 1 wait")


def test_permissions(tmp_path: Path) -> None:
    """A report has the permissions of any new file."""
    (tmp_path / "any").touch()
    write_report(tmp_path / "r.md", [QUIET])

    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("any", "r.md")}
    assert len(modes) == 1


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
@pytest.mark.parametrize("mode", [None, 0o600, 0o640, 0o664, 0o4755])
def test_modes(tmp_path: Path, mode: int | None, umask: int) -> None:
    """A new report has the mode that the umask leaves; an existing one keeps its mode."""
    path = tmp_path / "r.md"
    if mode is not None:
        path.touch()
        path.chmod(mode)
    before = os.umask(umask)
    try:
        write_report(path, [QUIET])
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == (0o666 & ~umask if mode is None else mode)


@posix
@pytest.mark.parametrize(
    ("group", "mode"), [(0, 0o664), (12345, 0o604)], ids=["its group", "another group"]
)
@pytest.mark.parametrize("number", [errno.EPERM, errno.EINVAL])
def test_foreign_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int, mode: int, number: int
) -> None:
    """Permissions for a group that the new file cannot be given are left out."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    draft = tmp_path / "draft"
    draft.touch()
    monkeypatch.setattr(os, "chown", refuse)
    status = draft.stat()
    values = list(status)
    values[stat.ST_MODE], values[stat.ST_GID] = stat.S_IFREG | 0o664, status.st_gid + group
    _write._copy_permissions(os.stat_result(values), draft)

    assert stat.S_IMODE(draft.stat().st_mode) == mode


@posix
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root gives files")
def test_foreign_owner(tmp_path: Path) -> None:
    """A report that root writes stays the user's whose file it replaces."""
    path = tmp_path / "r.md"
    path.touch()
    os.chown(path, 12345, 23456)
    write_report(path, [QUIET])

    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


@posix
@pytest.mark.parametrize("linked", [False, True])
def test_fifo(tmp_path: Path, linked: bool) -> None:
    """A FIFO stays one, and its reader gets the report; so it is for a link to a FIFO."""
    fifo = tmp_path / "f.md"
    os.mkfifo(fifo)
    path = tmp_path / "r.md" if linked else fifo
    if linked:
        path.symlink_to(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_report(path)
        write_report(path, [QUIET])
        assert os.read(reading, 1 << 16).startswith(b"### 1 wait")
    finally:
        os.close(reading)

    assert stat.S_ISFIFO(fifo.lstat().st_mode)
    assert path.is_symlink() is linked


@posix
@pytest.mark.parametrize(
    ("number", "problem"),
    [(errno.ENXIO, "no process reads the FIFO"), (errno.EACCES, "Permission denied")],
)
def test_fifo_that_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, problem: str
) -> None:
    """A FIFO without a reader is an error: the report does not wait for one."""
    os.mkfifo(tmp_path / "f.md")
    if number != errno.ENXIO:

        def refuse(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(OSError, match=problem):
        write_report(tmp_path / "f.md", [QUIET])


@posix
def test_not_writable_in_the_end(tmp_path: Path) -> None:
    """The check finds a descriptor that is closed or open for reading, and a socket."""
    reading, writing = os.pipe()
    os.close(writing)
    problems = {reading: "it is open for reading only", writing: "Bad file descriptor"}
    for number, problem in problems.items():
        path = tmp_path / f"{number}.md"
        path.symlink_to(f"/dev/fd/{number}")
        with pytest.raises(UsageError, match=problem):
            check_report(path)
    os.close(reading)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.md"))
        with pytest.raises(UsageError, match="it is a socket"):
            check_report(tmp_path / "s.md")


@posix
def test_no_descriptor(tmp_path: Path) -> None:
    """A name in the folder of open files that is no number is no open file."""
    (tmp_path / "r.md").symlink_to("/dev/fd/x.md")
    with pytest.raises(OSError, match=r"x\.md|report"):
        write_report(tmp_path / "r.md", [QUIET])


@posix
def test_device(tmp_path: Path) -> None:
    """A device stays one; so it is for a link to a device."""
    (tmp_path / "r.md").symlink_to(os.devnull)
    check_report(tmp_path / "r.md")
    write_report(tmp_path / "r.md", [QUIET])

    assert (tmp_path / "r.md").is_symlink()
    assert Path(os.devnull).is_char_device()


@posix
def test_unwritable_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A FIFO or a device that is not writable is refused by the check."""
    os.mkfifo(tmp_path / "r.md")
    monkeypatch.setattr(os, "access", lambda *_: False)

    with pytest.raises(UsageError, match="it is not writable"):
        check_report(tmp_path / "r.md")


@posix
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("to_file", [True, False], ids=["file", "pipe"])
def test_standard_output(tmp_path: Path, name: str, to_file: bool) -> None:
    """A link to standard output is written to as that is, between what stands around it."""
    if not Path(name).exists():
        pytest.skip("Linux only")
    link, file = tmp_path / "r.md", tmp_path / "output"
    link.symlink_to(name)
    code = (
        "import sys; from redis_enterprise_actions import write_report\n"
        "print('before', flush=True); write_report(sys.argv[1], []); print('after')"
    )
    with file.open("wb") as output:
        ran = subprocess.run(
            [sys.executable, "-c", code, link],
            stdout=output if to_file else subprocess.PIPE,
            check=True,
        )
    lines = (file.read_bytes() if to_file else ran.stdout).decode().splitlines()

    assert (lines[0], lines[1][:3], lines[-1]) == ("before", "###", "after")
    assert str(link.readlink()) == name
    assert {each.name for each in tmp_path.iterdir()} == {"r.md", "output"}


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_json(tmp_path: Path, records: Sequence[Record]) -> None:
    """A JSON report has a version, and the records as given."""
    write_report(tmp_path / "r.json", records)
    written = (tmp_path / "r.json").read_bytes()

    assert json.loads(written)["v"] == 1
    assert msgspec.json.decode(written, type=ReportDocument).records == tuple(records)


def test_schema() -> None:
    """The documented schema is that of the code, however docstrings are broken into lines.

    From 3.13 on, Python takes the indentation away from them.
    """
    schema = json.dumps(msgspec.json.schema(ReportDocument))
    documented, coded = (
        json.loads(re.sub(r"(\\n| )+", " ", json.dumps(json.loads(text))))
        for text in (SCHEMA.read_text("utf-8"), schema)
    )

    assert documented == coded


@pytest.mark.parametrize("words", [Outcome, Evidence, Phase])
def test_words_are_documented(words: type[Outcome | Evidence | Phase]) -> None:
    """The page about reports names every word of the JSON."""
    page = (SCHEMA.parent / "reports.md").read_text("utf-8")

    assert [word for word in words if f"`{word}`" not in page] == []


def test_unknown_format() -> None:
    """The error for an unknown format names every format."""
    with pytest.raises(UsageError) as caught:
        check_report("r.pdf")

    assert all(suffix in str(caught.value) for suffix in _write._FORMATS)


@pytest.mark.parametrize("suffix", _write._FORMATS)
def test_hostile_text(tmp_path: Path, suffix: str) -> None:
    """No report has control characters, or marks that change the direction of text."""
    record = msgspec.structs.replace(QUIET, title=HOSTILE, message=HOSTILE, ref=HOSTILE)
    write_report(tmp_path / f"r{suffix}", [record])
    written = (tmp_path / f"r{suffix}").read_text("utf-8")

    strange = {char for char in written if not char.isprintable()}
    assert strange <= {"\n", "\u00a0"}
    assert "evil" in written


def test_hostile_json(tmp_path: Path) -> None:
    """JSON escapes commands of CI systems, and its values are the same."""
    record = msgspec.structs.replace(QUIET, title=HOSTILE)
    write_report(tmp_path / "r.json", [record])
    written = (tmp_path / "r.json").read_text("utf-8")

    assert "##" not in written
    assert json.loads(written)["records"][0]["title"] == HOSTILE
