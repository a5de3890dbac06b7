"""Tests of `_client.capture.capture` and `_client.capture.target`."""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._client.capture import capture as capture_module
from redis_enterprise_actions._client.capture import format as format_module
from redis_enterprise_actions._client.capture.capture import Capture, give_up_all
from redis_enterprise_actions._client.capture.format import CaptureFile
from redis_enterprise_actions._client.capture.target import check_target

from .test_format import SEEN


if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis_enterprise_actions._client.capture.format import Seen

FULL = OSError(errno.ENOSPC, "No space left on device")


class FullFile(io.StringIO):
    """File on a disk that is full."""

    def write(self, _: str) -> int:
        raise FULL


def read(path: Path) -> CaptureFile:
    """Return a capture."""
    return msgspec.json.decode(path.read_bytes(), type=CaptureFile)


def drafts(folder: Path) -> list[Path]:
    """Return the drafts that are left in a folder."""
    return list(folder.glob(".capture-*"))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_file(tmp_path: Path, count: int) -> None:
    """The file has the exchanges in the order in which they ended, and only its owner may read it.

    Until the end there is a draft with the exchanges so far, which only its owner may read, too.
    """
    path = tmp_path / "answers.json"
    path.write_text("before")
    capture = Capture(path, [SEEN.node], 0.0)
    for number in range(count):
        capture.add(SEEN._replace(at=number))
    (draft,) = drafts(tmp_path)
    before = path.read_text()
    modes = {stat.S_IMODE(draft.stat().st_mode)}
    capture.finish().result(60)

    assert before == "before"
    assert [exchange.at for exchange in read(path).exchanges] == list(range(count))
    assert read(path).nodes == ["https://node-1.example:10001"]
    assert modes | {stat.S_IMODE(path.stat().st_mode)} == {0o600}
    assert drafts(tmp_path) == []
    assert "capture" not in {thread.name for thread in threading.enumerate()}


def test_draft_has_no_secrets(tmp_path: Path) -> None:
    """What is left of a process that was killed holds pseudonyms."""
    capture = Capture(tmp_path / "answers.json", [], 0.0)
    capture.add(SEEN._replace(body=b'{"name": "hunter2-hunter2"}'))
    (draft,) = drafts(tmp_path)
    while not (text := draft.read_text()):
        pass
    capture.finish().result(60)

    assert "name-1" in text
    assert "hunter2" not in text


def test_a_link_stays(tmp_path: Path) -> None:
    """The file that a link names is replaced."""
    (tmp_path / "link").symlink_to(tmp_path / "answers.json")
    Capture(tmp_path / "link", [SEEN.node], 0.0).finish().result(60)

    assert (tmp_path / "link").is_symlink()
    assert read(tmp_path / "answers.json").exchanges == []


@pytest.mark.parametrize("place", ["exchange", "whole", "replace"])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A file that cannot be written is an error at the end, and leaves the old file as it was."""
    path = tmp_path / "answers.json"
    path.write_text("before")
    made, make = [], capture_module.new_draft

    def new_draft(target: Path) -> tuple[object, Path]:
        made.append(target)
        draft, path = make(target)
        if len(made) == ["exchange", "whole", "replace"].index(place) + 1:
            draft.close()
            return FullFile(), path
        return draft, path

    def refuse(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(capture_module, "new_draft", new_draft)
    if place == "replace":
        monkeypatch.setattr(Path, "replace", refuse)
    capture = Capture(path, [], 0.0)
    capture.add(SEEN)
    capture.add(SEEN)

    assert capture.finish().exception(60) is FULL
    assert path.read_text() == "before"
    assert drafts(tmp_path) == []


def test_unexpected_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the replacement of values is an error at the end, and not in a wait."""
    problem = ValueError("odd")

    def fail(*_: object) -> str:
        raise problem

    monkeypatch.setattr(format_module.Writer, "exchange", fail)
    capture = Capture(tmp_path / "answers.json", [], 0.0)
    capture.add(SEEN)

    assert capture.finish().exception(60) is problem
    assert list(tmp_path.iterdir()) == []


def test_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that come faster than they can be written do not fill the memory."""
    entered, leave = threading.Event(), threading.Event()
    monkeypatch.setattr(capture_module, "_MAX_WAITING", 2 * len(SEEN.body))

    def wait(_: object, seen: Seen) -> str:
        entered.set()
        assert leave.wait(60)
        return "{}"

    monkeypatch.setattr(format_module.Writer, "exchange", wait)
    capture = Capture(tmp_path / "answers.json", [], 0.0)
    capture.add(SEEN)
    assert entered.wait(60)
    for _ in range(3):
        capture.add(SEEN)
    leave.set()
    problem = capture.finish().exception(60)

    assert isinstance(problem, OSError)
    assert problem.errno == errno.ENOBUFS
    assert list(tmp_path.iterdir()) == []


def test_bodies_of_requests_count(tmp_path: Path) -> None:
    """What waits to be written includes the bodies of requests."""
    seen = SEEN._replace(sent="x" * 100)

    assert seen.size == len(SEEN.body) + 100
    assert repr(seen) == f"<exchange with {seen.size} bytes>"


class Waiting:
    """Writing of an exchange that takes until `leave` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()
        monkeypatch.setattr(format_module.Writer, "exchange", self.exchange)

    def exchange(self, _: Seen) -> Iterator[str]:
        """Yield parts, as `Writer.exchange` does."""
        yield "{"
        self.entered.set()
        assert self.leave.wait(60)
        yield "}"


def test_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture that is given up ends at once, leaves no draft, and does not go on writing."""
    path = tmp_path / "answers.json"
    path.write_text("before")
    waiting = Waiting(monkeypatch)
    capture = Capture(path, [], 0.0)
    capture.add(SEEN)
    capture.add(SEEN)
    assert waiting.entered.wait(60)
    end = capture.finish()
    given_up = capture.give_up()
    problem, left = end.exception(0), drafts(tmp_path)
    again = capture.give_up()
    waiting.leave.set()
    while "capture" in {thread.name for thread in threading.enumerate()}:
        pass

    assert given_up
    assert not again
    assert str(problem).endswith("it was given up before the answers were written")
    assert left == []
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_given_up_at_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture that is given up while the file is made does not replace the old one."""
    path = tmp_path / "answers.json"
    copy = shutil.copyfileobj

    def give_up(*files: object) -> None:
        copy(*files)  # type: ignore[arg-type]
        assert capture.give_up()

    monkeypatch.setattr(shutil, "copyfileobj", give_up)
    capture = Capture(path, [], 0.0)

    assert isinstance(capture.finish().exception(60), OSError)
    while "capture" in {thread.name for thread in threading.enumerate()}:
        pass
    assert list(tmp_path.iterdir()) == []


def test_given_up_too_late(tmp_path: Path) -> None:
    """A file that is there already stays."""
    capture = Capture(tmp_path / "answers.json", [SEEN.node], 0.0)
    capture.finish().result(60)

    assert not capture.give_up()
    assert read(tmp_path / "answers.json").exchanges == []


def test_end_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a process removes its drafts, but not those of the process it was forked from."""
    path = tmp_path / "answers.json"
    capture = Capture(path, [], 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        of_a_fork = give_up_all()
    left = drafts(tmp_path)

    assert of_a_fork == []
    assert len(left) == 1
    assert give_up_all() == [str(path)]
    assert capture.finish().exception(60) is not None
    assert drafts(tmp_path) == []


def test_end_of_a_process_without_an_end_of_the_capture(tmp_path: Path) -> None:
    """A program that ends within a capture leaves nothing."""
    code = (
        "import sys; from redis_enterprise_actions._client.capture.capture import Capture; "
        "Capture(sys.argv[1], [], 0.0)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "answers.json")], check=True)

    assert list(tmp_path.iterdir()) == []


def test_one_file_for_one_capture(tmp_path: Path) -> None:
    """Two captures of a process cannot write to one file at the same time, also by a link."""
    (tmp_path / "link").symlink_to(tmp_path / "answers.json")
    capture = Capture(tmp_path / "answers.json", [], 0.0)
    with pytest.raises(UsageError, match="another capture of this process writes to"):
        Capture(tmp_path / "link", [SEEN.node], 0.0)
    capture.finish().result(60)
    Capture(tmp_path / "link", [SEEN.node], 0.0).finish().result(60)

    assert drafts(tmp_path) == []


def test_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the draft cannot be made, that is an error at once, and the target is free again."""

    def fail(*_: object) -> None:
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        with pytest.raises(UsageError, match="No space left on device"):
            Capture(tmp_path / "answers.json", [], 0.0)
    Capture(tmp_path / "answers.json", [], 0.0).finish().result(60)

    assert (tmp_path / "answers.json").exists()


def test_targets_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is refused if its directory is missing or read-only, or if it is no regular file."""
    os.mkfifo(tmp_path / "fifo")
    for path, problem in [
        (tmp_path / "no" / "x", "there is no such directory"),
        (tmp_path, "it is not a regular file"),
        (tmp_path / "fifo", "it is not a regular file"),
        ("/dev/null", "it is not a regular file"),
        (tmp_path / ("x" * 300), "File name too long"),
        ("a\0b", "embedded null"),
    ]:
        with pytest.raises(UsageError, match=rf"a capture cannot be written there: .*{problem}"):
            check_target(path)
    with pytest.raises(UsageError, match=r"^5 is not the path of a file$"):
        check_target(5)  # type: ignore[arg-type]
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="its directory is not writable"):
        check_target(tmp_path / "x")
