"""Tests of `_cli.reference_cache`."""

from __future__ import annotations

import json
import os
import stat
import time
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.reference_cache import remember, remembered


if TYPE_CHECKING:
    from pathlib import Path

URL = "https://cluster.example.com:9443"
OTHER = "https://other.example.com:9443"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the cache file, in a folder that does not exist yet."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache" / "redis-actions" / "references.json"


@pytest.mark.parametrize("version", [{}, {"v": 2}])
def test_other_version(file: Path, version: dict[str, int]) -> None:
    """A file of another version of the format counts as empty, and is replaced."""
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({**version, "urls": [URL], "seen": {"a": time.time()}}))

    assert remembered([URL]) == []
    remember([URL], ["b"])
    assert remembered([URL]) == ["b"]


def test_remembered(file: Path) -> None:
    """The references of all commands are remembered, those of the latest command first."""
    remember([URL], ["action:a", "node:1/remove"])
    remember([URL], ["crdb:c", "a", "action:d@bdb:1"])

    assert remembered([URL]) == ["crdb:c", "a", "action:d@bdb:1", "node:1/remove"]
    assert [each.name for each in file.parent.iterdir()] == [file.name]


@pytest.mark.skipif(os.name != "posix", reason="there are no such modes")
def test_mode(file: Path) -> None:
    """Only the user can read the file and its folder."""
    remember([URL], ["a"])

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("urls", "known"),
    [
        ([URL], True),
        (["https://CLUSTER.example.com:9443/"], True),
        ([OTHER, f" {URL}"], True),
        ([OTHER], False),
        ([], False),
    ],
)
@pytest.mark.usefixtures("file")
def test_cluster(urls: list[str], known: bool) -> None:
    """References of one cluster are not offered for another."""
    remember([URL], ["a"])

    assert remembered(urls) == (["a"] if known else [])


@pytest.mark.usefixtures("file")
def test_other_cluster() -> None:
    """The references of another cluster take the place of those in the file."""
    remember([URL], ["a"])
    remember([OTHER], ["b"])

    assert (remembered([URL]), remembered([OTHER])) == ([], ["b"])


@pytest.mark.parametrize(("age", "known"), [(3590, True), (3610, False), (-60, False)])
def test_age(file: Path, age: float, known: bool) -> None:
    """References are forgotten after an hour, and if the clock was set back."""
    file.parent.mkdir(parents=True)
    seen = {"a": time.time() - age}
    file.write_text(json.dumps({"v": 1, "urls": [URL], "seen": seen}))

    assert remembered([URL]) == (["a"] if known else [])


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"5", b'{"v": 1, "urls": 5}', b"\xff", b"[" * 100_000),
        b'{"v": 1, "urls": ["x"], "seen": [1]}',
        b'{"v": 1, "urls": [5], "seen": {}}',
        b'{"v": 1, "urls": [], "seen": {"a": "b"}}',
    ],
)
def test_damaged(file: Path, content: bytes) -> None:
    """A damaged file counts as empty, and is replaced."""
    file.parent.mkdir(parents=True)
    file.write_bytes(content)

    assert remembered([URL]) == []
    remember([URL], ["a"])
    assert remembered([URL]) == ["a"]


def test_unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be made is no error."""
    (tmp_path / "file").touch()
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "file"))

    remember([URL], ["a"])
    assert remembered([URL]) == []


def test_stale_draft(file: Path) -> None:
    """What a killed command left does not keep the next ones from writing."""
    file.parent.mkdir(parents=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.touch()

    remember([URL], ["a"])
    assert not draft.exists()
    remember([URL], ["a"])
    assert remembered([URL]) == ["a"]


@pytest.mark.usefixtures("file")
def test_bounds() -> None:
    """The file holds 500 references, and none that a terminal could misunderstand."""
    remember([URL], [f"action:{number}" for number in range(600)])
    remember([URL], ["action:\x1b[2J", "action:good"])

    found = remembered([URL])
    assert len(found) == 500
    assert found[:2] == ["good", "0"]


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home directory nothing is remembered."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)

    def home() -> Path:
        raise RuntimeError

    monkeypatch.setattr("pathlib.Path.home", home)
    remember([URL], ["a"])
    assert remembered([URL]) == []
