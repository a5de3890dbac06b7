"""Tests of `_client.config.profile_writer`."""

from __future__ import annotations

import os
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._client.config.profile_writer import (
    new_profile,
    save_profile,
    with_profile,
    write_private,
)


TABLE = {"url": ["https://n1", "https://n2"], "user": "ops", "keyring": True}
LINES = 'url = ["https://n1", "https://n2"]\nuser = "ops"\nkeyring = true\n'
FILE = """\
# Clusters of the team
default = "a"

[profiles.a]  # the old one
# ask Ann
url = [
  "https://old",  # its only node
]
request_timeout = 45

# The new one
[profiles.b]
url = "https://b"
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the file, which is not there yet, nor is its directory."""
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "new" / "config.toml"))
    return tmp_path / "new" / "config.toml"


class TestText:
    """`with_profile`: the text of the file."""

    @pytest.mark.parametrize(
        ("text", "name", "default", "expected"),
        [
            ("", "p", "p", f'default = "p"\n\n[profiles.p]\n{LINES}'),
            ("# mine\n", "p", None, f"# mine\n\n[profiles.p]\n{LINES}"),
            (FILE, "c d", "a", f'{FILE}\n[profiles."c d"]\n{LINES}'),
            (FILE.rstrip("\n"), "c", "a", f"{FILE}\n[profiles.c]\n{LINES}"),
            (
                FILE,
                "a",
                "a",
                f'# Clusters of the team\ndefault = "a"\n\n[profiles.a]  # the old one\n# ask Ann\n'
                f'{LINES}\n# The new one\n[profiles.b]\nurl = "https://b"\n',
            ),
            (FILE, "b", "a", FILE.replace('url = "https://b"\n', LINES)),
            (
                '[profiles.p]\nkeyring = true  # hers\n# the user\nuser = "x"  # old',
                "p",
                None,
                "[profiles.p]\nkeyring = true  # hers\n# the user\n"
                'url = ["https://n1", "https://n2"]\nuser = "ops"\n',
            ),
            (
                '[profiles.p]\nurl = "x"\nuser = "ops"  # Ann',
                "p",
                None,
                '[profiles.p]\nuser = "ops"  # Ann\nurl = ["https://n1", "https://n2"]\n'
                "keyring = true\n",
            ),
            (
                '[profiles]\nx = {user = "u"}\n',
                "p",
                None,
                f'[profiles]\nx = {{user = "u"}}\n\n[profiles.p]\n{LINES}',
            ),
            (
                "[profiles.x]\nurl = [\n[\n]]\n",
                "p",
                None,
                f"[profiles.x]\nurl = [\n[\n]]\n\n[profiles.p]\n{LINES}",
            ),
            (
                '[profiles."p"]\r\nuser = "u"\r\n',
                "p",
                None,
                f'[profiles."p"]\n{LINES}'.replace("\n", "\r\n"),
            ),
        ],
        ids=[
            "empty",
            "comment",
            "append",
            "no end of line",
            "replace",
            "last",
            "equal settings",
            "equal setting without an end of line",
            "inline",
            "bracket",
            "CRLF",
        ],
    )
    def test_change(self, text: str, name: str, default: str | None, expected: str) -> None:
        """A profile is inserted or replaced; comments, equal settings and other profiles stay."""
        assert with_profile(text, name, TABLE, default) == expected

    def test_no_change(self) -> None:
        """A file that has the profile stays as it is, whatever its form."""
        text = 'default="p" \n profiles = {p = {user="u"}}'

        assert with_profile(text, "p", {"user": "u"}, "p") == text

    @pytest.mark.parametrize(
        "text",
        [
            'profiles.p.user = "u"\n',
            'profiles = {p = {user = "u"}}\n',
            '[profiles]\np = {user = "u"}\n',
            "[profiles]\n[profiles.p]\nuser = '''\n[profiles.p]\n'''\n",
        ],
        ids=["dotted", "inline", "table", "text of several lines"],
    )
    def test_unclear(self, text: str) -> None:
        """A profile of another form than a table is not replaced."""
        assert with_profile(text, "p", TABLE, None) is None

    @given(
        name=st.text(st.characters(codec="utf-8"), min_size=1),
        table=st.dictionaries(
            st.sampled_from(["url", "user", "request_timeout", "insecure"]),
            st.text(st.characters(codec="utf-8"))
            | st.lists(st.text(st.characters(codec="utf-8")))
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False),
        ),
    )
    def test_any_text(self, name: str, table: dict[str, Any]) -> None:
        """Every text is written so that TOML reads it as it was, twice."""
        once = with_profile(FILE, name, table, "a")
        assert once is not None
        assert tomllib.loads(once)["profiles"][name] == table

        twice = with_profile(once, name, TABLE, "a")
        assert twice is not None
        assert tomllib.loads(twice)["profiles"] == {**tomllib.loads(FILE)["profiles"], name: TABLE}


class TestSave:
    """`save_profile`: the file."""

    @posix
    def test_new_file(self, file: Path) -> None:
        """The file and its directory are made for the user alone; the first profile is default."""
        assert save_profile(new_profile("p", TABLE))
        assert file.read_text() == f'default = "p"\n\n[profiles.p]\n{LINES}'
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert not save_profile(new_profile("q", TABLE))
        assert tomllib.loads(file.read_text())["default"] == "p"
        assert [each.name for each in file.parent.iterdir()] == ["config.toml"]

    @posix
    def test_present_file(self, file: Path, tmp_path: Path) -> None:
        """A file keeps its mode, a link stays one, and a byte order mark is left out."""
        target = tmp_path / "target.toml"
        target.write_bytes(b"\xef\xbb\xbf# mine\n")
        target.chmod(0o640)
        file.parent.mkdir()
        file.symlink_to(target)

        assert save_profile(new_profile("p", TABLE))
        assert file.is_symlink()
        assert target.read_text() == f'default = "p"\n\n# mine\n\n[profiles.p]\n{LINES}'
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        before = target.stat().st_ino
        assert save_profile(new_profile("p", TABLE))
        assert target.stat().st_ino == before  # nothing was to be written

    def test_no_default(self, file: Path) -> None:
        """Where there are profiles without a default, the user wants none."""
        file.parent.mkdir()
        file.write_text("[profiles.a]\n")

        assert not save_profile(new_profile("p", TABLE))
        assert "default" not in file.read_text()

    def test_unclear(self, file: Path) -> None:
        """A file of another form is left alone, and the error has the table to write."""
        file.parent.mkdir()
        file.write_text('profiles.p.user = "u"\n')

        with pytest.raises(UsageError) as caught:
            save_profile(new_profile("p", TABLE))
        assert str(caught.value) == (
            f"{file} has an unusual form, and stays as it is: write there yourself: [profiles.p]; "
            'url = ["https://n1", "https://n2"]; user = "ops"; keyring = true'
        )
        assert file.read_text() == 'profiles.p.user = "u"\n'

    def test_not_text(self, file: Path) -> None:
        """A setting that is not UTF-8, as an argument may be, is an error, and no file is left."""
        with pytest.raises(UsageError, match=r"^profile 'p' has a setting that is not UTF-8$"):
            save_profile(new_profile("p", {"ca_cert": "\udcff"}))
        assert list(file.parent.iterdir()) == []

    def test_unwritable(self, file: Path) -> None:
        """A file that cannot be written is an error with the reason."""
        file.parent.write_text("not a directory")

        with pytest.raises(UsageError) as caught:
            save_profile(new_profile("p", TABLE))
        assert str(caught.value).startswith(f"{file}: it cannot be read: Not a directory")

    def test_unwritable_directory(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """If a file cannot be replaced, the reason is shown, and nothing else is left there."""

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "replace", refuse)
        with pytest.raises(UsageError) as caught:
            save_profile(new_profile("p", TABLE))

        assert str(caught.value) == f"{file} cannot be written: Permission denied"
        assert list(file.parent.iterdir()) == []

    def test_no_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a home directory there is no place for a profile."""
        monkeypatch.setattr(
            "redis_enterprise_actions._client.config.profile_writer.config_path", lambda: None
        )
        with pytest.raises(UsageError, match="profile p cannot be written: no home directory"):
            new_profile("p", {})

    def test_invalid(self, file: Path) -> None:
        """A profile that could not be read is not written."""
        with pytest.raises(UsageError, match="profile p cannot be written: url is not a URL"):
            new_profile("p", {"url": "https://a:b@n1"})


@posix
def test_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file keeps its owner, unless that may not be set."""
    asked: list[tuple[int, int]] = []

    def refuse(_: str, user: int, group: int, **options: object) -> None:
        del options  # of newer versions of shutil
        asked.append((user, group))
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    (tmp_path / "f").write_text("old")
    write_private(tmp_path / "f", "new")
    status = (tmp_path / "f").stat()

    assert (tmp_path / "f").read_text() == "new"
    assert asked == [(status.st_uid, status.st_gid)]
