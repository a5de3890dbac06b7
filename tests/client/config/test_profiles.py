"""Tests of `_client.config.profiles`."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._client.config import profiles as _profiles
from redis_enterprise_actions._client.config.config_file import config_path, profile_names
from redis_enterprise_actions._client.config.profiles import (
    load_profile,
    load_profiles,
)
from tests.secrecy import leaks_of


if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[[str], Path]

SECRET = "hunter2-hunter2"
TWO = """
default = "prod"

[profiles.prod]
url = ["https://n1:9443", "https://n2:9443"]
user = "ops@example.com"
auth = "jwt"
ca_cert = "ca.pem"
trusted_hosts = ["n3:9443"]
password_file = "~/secret"
insecure = false

[profiles.lab]
url = "https://lab:9443"
insecure = true
keyring = true
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes the file of profiles, in its own folder."""
    folder = tmp_path / "conf"
    folder.mkdir()
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(folder / "config.toml"))

    def written(text: str) -> Path:
        file = folder / "config.toml"
        file.write_text(text, "utf-8")
        return file

    return written


class TestProfile:
    """Settings of a profile."""

    def test_settings(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """Settings have the form of the environment's; paths start from the file's folder."""
        folder = write(TWO).parent
        monkeypatch.setenv("HOME", "/home/ops")
        prod = load_profile("prod")
        assert prod is not None
        settings = ("url", "user", "auth", "ca_cert", "trusted_hosts", "insecure", "fingerprint")

        assert [prod.setting(name) for name in settings] == [
            "https://n1:9443 https://n2:9443",
            *("ops@example.com", "jwt", str(folder / "ca.pem"), "n3:9443", "false", ""),
        ]
        assert prod.setting("client_cert") == prod.setting("password") == ""
        assert prod.path("password_file") == Path("/home/ops/secret")
        assert prod.urls == ["https://n1:9443", "https://n2:9443"]
        assert not prod.keyring

    def test_switches(self, write: Write) -> None:
        """Switches are booleans, and a single URL needs no list."""
        write(TWO)
        lab = load_profile("lab")
        assert lab is not None

        assert (lab.setting("insecure"), lab.keyring) == ("true", True)
        assert lab.urls == ["https://lab:9443"]

    @pytest.mark.parametrize("text", ["https://n1 https://n2", "https://n1,https://n2"])
    def test_urls_in_a_text(self, write: Write, text: str) -> None:
        """A text may have several URLs, as in the environment; other texts stay as they are."""
        write(f'[profiles.p]\nurl = "{text}"\nuser = "J,  Doe"\n')
        profile = load_profile("p")
        assert profile is not None

        assert profile.urls == ["https://n1", "https://n2"]
        assert profile.setting("user") == "J,  Doe"

    def test_repr(self, write: Write) -> None:
        """The `repr` shows no setting."""
        write('[profiles.prod]\nuser = "u"\nurl = "https://n1"\n')

        assert repr(load_profile("prod")) == "Profile(name='prod')"


class TestChoice:
    """Choice of the profile."""

    def test_order(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """The given name goes before the environment, and that before the file's default."""
        write(TWO)
        name = load_profile("lab")
        by_default = load_profile(None)
        monkeypatch.setenv("REDIS_ACTIONS_PROFILE", "lab")
        by_variable = load_profile(None)

        assert [each and each.name for each in (name, by_default, by_variable)] == [
            *("lab", "prod", "lab")
        ]

    def test_none(self, write: Write) -> None:
        """Without a default there is no profile."""
        write("[profiles.lab]\n")

        assert load_profile(None) is None

    @pytest.mark.parametrize(
        ("text", "name", "expected"),
        [
            (TWO, "dev", "there is no profile 'dev' in {file}: there are prod, lab"),
            ("", "dev", "there is no profile 'dev' in {file}: there are none"),
            ('default = "dev"', None, "there is no profile 'dev' in {file}: there are none"),
        ],
    )
    def test_unknown(self, write: Write, text: str, name: str | None, expected: str) -> None:
        """An unknown profile is wrong usage, and the known ones are named."""
        file = write(text)

        with pytest.raises(UsageError) as caught:
            load_profile(name)
        assert str(caught.value) == expected.format(file=file)

    def test_all(self, write: Write) -> None:
        """All profiles can be listed, and their names also if one of them is invalid."""
        write(TWO)
        found, default = load_profiles()
        assert ([each.name for each in found], default) == (["prod", "lab"], "prod")

        write("[profiles.a]\n[profiles.b]\ncolour = 5\n")
        assert profile_names() == ["a", "b"]

        write("[profiles")
        assert profile_names() == []


class TestPath:
    """Path of the file."""

    @pytest.mark.parametrize(
        ("platform", "variables", "path"),
        [
            ("linux", {"REDIS_ACTIONS_CONFIG": "/x/y.toml", "XDG_CONFIG_HOME": "/c"}, "/x/y.toml"),
            ("linux", {"XDG_CONFIG_HOME": "/c"}, "/c/redis-actions/config.toml"),
            ("linux", {"APPDATA": "/a"}, "/home/ops/.config/redis-actions/config.toml"),
            ("win32", {"APPDATA": "/a", "XDG_CONFIG_HOME": "/c"}, "/a/redis-actions/config.toml"),
        ],
        ids=["named", "xdg", "home", "windows"],
    )
    def test_path(
        self,
        monkeypatch: pytest.MonkeyPatch,
        platform: str,
        variables: dict[str, str],
        path: str,
    ) -> None:
        """The file is in the platform's folder, or where the environment says."""
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setenv("HOME", "/home/ops")
        for name in ("REDIS_ACTIONS_CONFIG", "XDG_CONFIG_HOME", "APPDATA"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

        assert config_path() == Path(path)

    def test_no_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """The file need not exist, unless the environment names it."""
        monkeypatch.delenv("REDIS_ACTIONS_CONFIG", raising=False)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        assert load_profile(None) is None

        monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "none.toml"))
        with pytest.raises(UsageError, match="no such file, but REDIS_ACTIONS_CONFIG names it"):
            load_profile(None)


class TestNoHome:
    """Processes without a home directory, such as a container's unknown user."""

    @pytest.fixture(autouse=True)
    def no_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Hide the home directory from variables and from the system."""
        for name in ("REDIS_ACTIONS_CONFIG", "XDG_CONFIG_HOME", "APPDATA", "HOME", "USERPROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(sys, "platform", "linux")

        def unknown(path: str) -> str:
            return path

        monkeypatch.setattr(os.path, "expanduser", unknown)

    def test_none(self) -> None:
        """Without a home directory there is no file, and none is needed."""
        assert config_path() is None
        assert load_profile(None) is None
        assert load_profiles() == ([], None)
        assert profile_names() == []

    def test_profile(self) -> None:
        """A profile that is named is unknown, with the reason."""
        with pytest.raises(UsageError) as caught:
            load_profile("prod")
        assert str(caught.value) == (
            "there is no profile 'prod': no home directory is known, and REDIS_ACTIONS_CONFIG is "
            "not set"
        )

    def test_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The command `profiles` gives the reason, too."""
        assert main(["profiles"]) == 2
        assert capsys.readouterr().err == (
            "redis-actions: there are no profiles in any file: no home directory is known, and "
            "REDIS_ACTIONS_CONFIG is not set\n"
        )


KEYS_OF_FILES = ["client_cert", "client_key", "ca_cert", "password_file", "token_file"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes up homes for any name")
@pytest.mark.parametrize("key", KEYS_OF_FILES)
def test_no_such_home(write: Write, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that begins with `~` and an unknown user is wrong usage, and is not quoted."""
    write(f'[profiles.p]\nurl = "https://n1"\nuser = "u"\n{key} = "~nosuchuser/{SECRET}"\n')
    expected = f"{key} of profile p begins with ~, and there is no such home directory"

    assert main(["list", "--profile", "p"]) == 2
    assert capsys.readouterr().err == f"redis-actions: {expected}\n"


def test_table_has_all_paths() -> None:
    """Each setting that is a path has a row in the table above."""
    assert set(KEYS_OF_FILES) == _profiles._FILES


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("\"pass show 'a b'\"", ["pass", "show", "a b"]),
        ('["op", "read", "op://a b"]', ["op", "read", "op://a b"]),
    ],
    ids=["text", "words"],
)
def test_password_command(write: Write, value: str, words: list[str]) -> None:
    """A command is a text that is split as a shell does, or its words."""
    write(f"[profiles.p]\npassword_command = {value}\n")
    profile = load_profile("p")

    assert profile is not None
    assert profile.password_command == words


def test_may_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that REDIS_ACTIONS_CONFIG names may be missing for who is about to write it."""
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "none.toml"))

    assert load_profiles(may_be_missing=True) == ([], None)
    with pytest.raises(UsageError, match="there is no such file"):
        load_profiles()


class TestInvalid:
    """Errors about a file name its keys, and quote no value."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (f"x = {SECRET}", "it is not TOML: see line 1, column 5"),
            (f'x = "{SECRET}', "it is not TOML: see end of document"),
            ("x = " + "[" * 10_000, "it is not TOML: see its brackets"),
            (f'colour = "{SECRET}"', "colour is unknown; there are default, profiles"),
            ("default = 5", "default is not a text"),
            ("profiles = 5", "profiles is not a table of tables, such as [profiles.prod]"),
            (f'profiles.p = "{SECRET}"', "profiles is not a table of tables"),
            (f'password = "{SECRET}"', "password: a secret is not kept in this file"),
        ],
        ids=["toml", "cut", "deep", "unknown", "default", "profiles", "profile", "password"],
    )
    def test_file(self, write: Write, text: str, expected: str) -> None:
        """An error outside of the profiles."""
        self.check(write, text, expected)

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            (f'password = "{SECRET}"', "password: a secret is not kept in this file, but in the k"),
            (f'token = "{SECRET}"', "token: a secret is not kept in this file"),
            (f'pass = "{SECRET}"', "pass is unknown; there are url, user, password_file"),
            (f'ca_file = "{SECRET}"', "ca_file is unknown; did you mean ca_cert?"),
            (f'username = "{SECRET}"', "username is unknown; did you mean user?"),
            ("verify = false", "verify is unknown; did you mean insecure?"),
            (f'trusted_host = "{SECRET}"', "trusted_host is unknown; did you mean trusted_hosts?"),
            ("user = 5", "user is not a text"),
            ('user = ""', "user is not a text"),
            *(
                (f"request_timeout = {value}", "request_timeout is not a duration such as 90")
                for value in ("0", "-1", "inf", "true", '"0s"', '"soon"', "[90]")
            ),
            ("url = []", "url is not a URL or a list of them"),
            ("url = [5]", "url is not a URL or a list of them"),
            (f'url = "https://ops:{SECRET}@n1"', "url is not a URL or a list of them, without a"),
            ("trusted_hosts = [[]]", "trusted_hosts is not a text or a list of texts"),
            (f'keyring = "{SECRET}"', "keyring is not true or false"),
            ("password_command = 5", "password_command is not a command, such as"),
            ('password_command = " "', "password_command is not a command, such as"),
            ('password_command = ["pass", ""]', "password_command is not a command, such as"),
            ('password_command = "pass \'"', "password_command is not a command, such as"),
            (
                'password_file = "f"\npassword_command = "pass"',
                "password_command: there is a password_file, too",
            ),
            (f'auth = "{SECRET}"', 'auth is not "basic" or "jwt"'),
            ("auth = []", 'auth is not "basic" or "jwt"'),
        ],
        ids=lambda text: text.partition(" ")[0] if " = " in text else "",
    )
    def test_profile(self, write: Write, line: str, expected: str) -> None:
        """An error within a profile."""
        self.check(write, f"[profiles.p]\n{line}\n", f"profiles.p.{expected}")

    def check(self, write: Write, text: str, expected: str) -> None:
        """Check the error of a file, and that it shows no secret."""
        file = write(text)
        with pytest.raises(UsageError) as caught:
            load_profile("p")

        assert str(caught.value).startswith(f"{file}: {expected}")
        assert leaks_of(caught.value) == []

    def test_other_profile(self, write: Write) -> None:
        """An invalid profile does not affect the others."""
        write("[profiles.a]\ncolour = 5\n[profiles.b]\n")

        assert load_profile("b") is not None

    def test_not_utf8(self, write: Write) -> None:
        """A file that is not UTF-8 is an error that shows none of it."""
        file = write("")
        file.write_bytes(b"\xff" + SECRET.encode())
        with pytest.raises(UsageError) as caught:
            load_profile("p")

        assert str(caught.value) == f"{file}: it is not UTF-8"
        assert leaks_of(caught.value) == []

    def test_unreadable(self, write: Write) -> None:
        """A file that cannot be read is an error with the reason."""
        file = write("")
        file.unlink()
        file.mkdir()

        with pytest.raises(UsageError) as caught:
            load_profile("p")
        assert str(caught.value) == f"{file}: it cannot be read: Is a directory"

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
    @pytest.mark.parametrize("mode", [0o646, 0o664, 0o622, 0o777])
    def test_writable_by_others(self, write: Write, mode: int) -> None:
        """A file that other users may change is an error, as it could divert passwords."""
        file = write(TWO)
        file.chmod(mode)

        with pytest.raises(UsageError, match=r"divert passwords: run chmod go-w on it$"):
            load_profile(None)
        file.chmod(0o644)
        assert load_profile(None) is not None

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
    @pytest.mark.parametrize(
        ("user", "sudo", "accepted"),
        [(1, "", False), (1, "0", False), (0, "", False), (0, "2", False), (0, "0", True)],
        ids=["another", "no root", "root", "another's sudo", "sudo"],
    )
    def test_of_another_user(
        self, write: Write, monkeypatch: pytest.MonkeyPatch, user: int, sudo: str, accepted: bool
    ) -> None:
        """A file of another user is an error, unless it is that of the user who runs sudo."""
        file = write(TWO)
        owner = file.stat().st_uid + 1000
        status = list(file.stat())
        status[stat.ST_UID] = owner
        monkeypatch.setattr(os, "fstat", lambda _: os.stat_result(status))
        monkeypatch.setattr(os, "geteuid", lambda: user)
        monkeypatch.setenv("SUDO_UID", sudo and str(owner + int(sudo)))
        if accepted:
            assert load_profile(None) is not None
            return
        with pytest.raises(UsageError, match=rf"it belongs to the user {owner}, who may change it"):
            load_profile(None)

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
    def test_read_only(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a read-only file system, such as a container's mount, no user can change a file."""
        write(TWO).chmod(0o666)
        status = list(os.statvfs("."))
        status[8] |= os.ST_RDONLY
        monkeypatch.setattr(os, "fstatvfs", lambda _: os.statvfs_result(status))

        assert load_profile(None) is not None

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such device")
    def test_device(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that is not a regular one, such as /dev/null, has no modes to look at."""
        monkeypatch.setenv("REDIS_ACTIONS_CONFIG", os.devnull)

        assert load_profiles() == ([], None)
