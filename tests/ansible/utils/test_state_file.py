"""Tests of the state file."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from ansible_collections.redis_enterprise.actions.plugins.module_utils.state_file import (
    INTENDED,
    STARTED,
    State,
    StateFile,
    StateFileError,
    digest_of,
    new_salt,
)


if TYPE_CHECKING:
    from pathlib import Path

STATE = State(
    INTENDED, "POST /v1/bdbs", "d", new_salt(), ("https://a:9443",), 1.5, before={"databases": [1]}
)


def files_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return [each.name for each in folder.iterdir()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a state file that is not there yet."""
    return tmp_path / "state.json"


def test_round_trip(path: Path) -> None:
    """A state is read as it was written; the file is for its owner only."""
    file = StateFile(str(path))
    assert file.state is None

    file.write(STATE)
    file.write(STATE._replace(phase=STARTED, ref="action:a"))
    file.close()

    assert StateFile(str(path)).state == STATE._replace(phase=STARTED, ref="action:a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text("utf-8"))["v"] == 1
    assert files_in(path.parent) == ["state.json"]


def test_clear(path: Path) -> None:
    """A file that is cleared is gone, and can be written again."""
    file = StateFile(str(path))
    file.write(STATE)

    file.clear()

    assert files_in(path.parent) == []
    file.write(STATE)
    file.close()
    assert StateFile(str(path)).state == STATE


def test_locked(path: Path) -> None:
    """A file that a task uses is locked from its first state on, and after each replacement."""
    file = StateFile(str(path))
    other = StateFile(str(path))
    file.write(STATE)

    with pytest.raises(StateFileError, match="is in use"):
        other.write(STATE)
    for _ in range(2):
        with pytest.raises(StateFileError, match="is in use"):
            StateFile(str(path))
        file.write(STATE)
    file.close()

    StateFile(str(path)).close()


def test_killed(path: Path) -> None:
    """The lock of a process that was killed is gone."""
    module = sys.modules[StateFile.__module__]
    code = (
        "import importlib.util, os, signal, sys\n"
        f"spec = importlib.util.spec_from_file_location('s', {module.__file__!r})\n"
        "s = importlib.util.module_from_spec(spec); spec.loader.exec_module(s)\n"
        "file = s.StateFile(sys.argv[1])\n"
        "file.write(s.State('intended', 'c', 'd', 'ab', ('u',), 1.0))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)

    state = StateFile(str(path)).state
    assert state is not None
    assert state.phase == INTENDED


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"\xff", b'{"v": 1}', b'{"phase": "ended"}'),
        json.dumps({"v": 1, **STATE._asdict(), "more": 1}).encode(),
        json.dumps({"v": 1, **STATE._asdict(), "phase": "x"}).encode(),
        json.dumps({"v": 1, **STATE._asdict(), "salt": "x"}).encode(),
        json.dumps({"v": 1, **STATE._asdict(), "ref": 1}).encode(),
        json.dumps({"v": 1, **STATE._asdict(), "database": "x"}).encode(),
        json.dumps({"v": 1, **STATE._asdict(), "time": "x"}).encode(),
        json.dumps({"v": 1, **STATE._asdict(), "urls": "x"}).encode(),
        *(
            json.dumps({"v": 1, **STATE._asdict(), **fields}).encode()
            for fields in (
                *({"database": 1}, {"time": 1e30}, {"time": float("nan")}, {"urls": [1]}),
                *({"before": {}}, {"before": {"databases": ["a"]}}, {"before": {"actions": [1]}}),
                *({"before": {"actions": 1}}, {"result": {"msg": 1}}, {"digest": None}),
                *({"phase": "ended"}, {"is_found": None}, {"call": 1}, {"salt": 1}),
            )
        ),
        b" " * 2_000_000,
    ],
)
def test_unreadable(path: Path, content: bytes) -> None:
    """What is no state of a task is an error, and stays as it is."""
    path.write_bytes(content)

    with pytest.raises(StateFileError, match="cannot be read: it is not the state of a task"):
        StateFile(str(path))

    assert path.read_bytes() == content


def test_version(path: Path) -> None:
    """A file of a later version is an error of its own."""
    path.write_text(json.dumps({"v": 2, **STATE._asdict()}), "utf-8")

    with pytest.raises(StateFileError, match="is of version 2, and this module reads 1"):
        StateFile(str(path))


def test_no_file(tmp_path: Path) -> None:
    """A folder, a link, a device and a missing folder are errors."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(StateFileError, match="cannot be used"):
        StateFile(str(tmp_path))
    with pytest.raises(StateFileError, match="link is a symbolic link: give the file"):
        StateFile(str(tmp_path / "link"))
    with pytest.raises(StateFileError, match="is not a file"):
        StateFile("/dev/null")
    with pytest.raises(StateFileError, match="cannot be used: No such file"):
        StateFile(str(tmp_path / "none" / "file"))


def test_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves the state before it, and no other file."""
    file = StateFile(str(path))
    file.write(STATE)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StateFileError, match="No space left on device"):
            file.write(STATE._replace(phase=STARTED))
    file.close()

    assert StateFile(str(path)).state == STATE
    assert files_in(path.parent) == ["state.json"]


def test_short_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has all of a state, also if the system writes it in parts."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:7]))
    file = StateFile(str(path))
    file.write(STATE)
    file.close()

    assert StateFile(str(path)).state == STATE


def test_digests() -> None:
    """A digest tells calls apart, and depends on the salt."""
    salt = new_salt()

    assert digest_of({"a": 1, "b": 2}, salt) == digest_of({"b": 2, "a": 1}, salt)
    assert digest_of({"a": 1}, salt) != digest_of({"a": 2}, salt)
    assert digest_of({"a": 1}, salt) != digest_of({"a": 1}, new_salt())
