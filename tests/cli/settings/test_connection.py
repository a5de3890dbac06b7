"""Facts about `_login`: what goes first, where a secret may go, and that none is shown.

More of them, against a cluster, are in `test_cli`.
"""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionsClient, UsageError
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.settings.connection import (
    account_from_args,
    client_from_args,
    read_new_password,
)
from redis_enterprise_actions._client.config.secrets import save_password
from redis_enterprise_actions._client.http.auth import Secret
from tests.secrecy import leaks_of


if TYPE_CHECKING:
    from pathlib import Path

    from tests.memory_keyring import MemoryKeyring

SECRET = "hunter2-hunter2"
OTHER = "wrong-password"
URL = "https://n1:9443"
PROFILE = f"""
[profiles.prod]
url = ["{URL}", "https://n2:9443"]
user = "ops"
password_file = "password"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of profiles and a secret, for a process without a terminal."""
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr(sys, "stdin", None)
    (tmp_path / "config.toml").write_text(PROFILE)
    for name, text in (("password", SECRET), ("other", OTHER), ("token", SECRET)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def sent(client: ActionsClient) -> str:
    """Return what proves who we are, as it is sent: `ops:password`, or a token."""
    scheme, _, proof = client._transport._authenticator.static_header.reveal().partition(" ")  # type: ignore[attr-defined]
    return base64.b64decode(proof).decode() if scheme == "Basic" else proof


def made(*options: str) -> ActionsClient:
    """Return the client of a command with such options."""
    return client_from_args(parse_arguments(["list", *options]))


class TestProfile:
    """What a profile adds to the options and the environment."""

    async def test_alone(self, folder: Path) -> None:
        """A profile is enough."""
        client = made("--profile", "prod")

        assert client.urls == (URL, "https://n2:9443")
        assert sent(client) == f"ops:{SECRET}"

    async def test_order(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The environment goes before it, and an option before both."""
        monkeypatch.setenv("REDIS_ACTIONS_PROFILE", "prod")
        monkeypatch.setenv("REDIS_ENTERPRISE_USER", "ops2")
        monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", OTHER)

        assert sent(made()) == f"ops2:{OTHER}"
        assert sent(made("--user", "ops3")) == f"ops3:{OTHER}"
        assert sent(made("--password-file", str(folder / "password"))) == f"ops2:{SECRET}"
        assert made("--url", "https://n3").urls == ("https://n3",)

    async def test_token(self, folder: Path) -> None:
        """It can have a token instead of a user."""
        (folder / "config.toml").write_text(f'[profiles.p]\nurl = "{URL}"\ntoken_file = "token"\n')

        assert sent(made("--profile", "p")) == SECRET

    @pytest.mark.parametrize("key", ["password_file", "token_file"])
    async def test_open_file(self, folder: Path, key: str) -> None:
        """A file of its that others may read is refused, by its key."""
        text = f'[profiles.p]\nurl = "{URL}"\nuser = "ops"\n{key} = "password"\n'
        (folder / "config.toml").write_text(text)
        (folder / "password").chmod(0o644)

        with pytest.raises(UsageError, match=f"^{key} of profile p: other users may read"):
            made("--profile", "p")

    @pytest.mark.parametrize("option", [True, False], ids=["option", "environment"])
    async def test_elsewhere(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, option: bool
    ) -> None:
        """Its password is for its own URLs, and not sent to a cluster that is given otherwise."""
        options = ("--url", "https://other") if option else ()
        monkeypatch.setenv("REDIS_ENTERPRISE_URL", "https://other")

        with pytest.raises(UsageError, match=r"^no password"):
            made("--profile", "prod", *options)
        for own in ("https://n2:9443", f"{URL}/"):
            assert sent(made("--profile", "prod", "--url", own)) == f"ops:{SECRET}"

    async def test_trust_elsewhere(self, folder: Path) -> None:
        """Nor is a cluster trusted as another one is: of that the profile says the user only."""
        text = f'default = "p"\n[profiles.p]\nurl = "{URL}"\nuser = "ops"\ninsecure = true\n'
        (folder / "config.toml").write_text(text)
        options = ("--password-file", str(folder / "password"), "--url")
        own, other = made(*options, URL), made(*options, "https://other")

        assert [each._transport._tls.verified for each in (own, other)] == [False, True]
        assert sent(other) == f"ops:{SECRET}"

    async def test_anywhere(self, folder: Path) -> None:
        """That of a profile without a URL is for any that is given."""
        (folder / "config.toml").write_text(PROFILE.replace("url = ", "# "))

        assert sent(made("--profile", "prod", "--url", URL)) == f"ops:{SECRET}"

    async def test_no_user(self, folder: Path) -> None:
        """A password file without a user's name is wrong usage, with a profile as without."""
        (folder / "config.toml").write_text(f'[profiles.p]\nurl = "{URL}"\n')

        with pytest.raises(UsageError, match="needs --user"):
            made("--profile", "p", "--password-file", str(folder / "password"))

    def test_secrecy(self, folder: Path) -> None:
        """What goes wrong late does not bring a secret before anybody's eyes."""
        with pytest.raises(UsageError) as caught:
            made("--profile", "prod", "--ca-cert", "nowhere.pem")

        assert "nowhere.pem" in str(caught.value)
        assert leaks_of(caught.value) == []


class TestKeyring:
    """Passwords in the system's keyring."""

    @pytest.fixture(autouse=True)
    def profile(self, folder: Path) -> None:
        """Write a profile whose password is in the keyring."""
        text = PROFILE.replace('password_file = "password"', "keyring = true")
        (folder / "config.toml").write_text(text)

    async def test_found(self, memory_keyring: MemoryKeyring) -> None:
        """It is that of the user at one of the hosts, whichever comes first."""
        save_password("ops@n2:9443", Secret(SECRET))
        assert sent(made("--profile", "prod")) == f"ops:{SECRET}"

        save_password("ops@n1:9443", Secret(OTHER))
        assert sent(made("--profile", "prod")) == f"ops:{OTHER}"

    async def test_elsewhere(self, memory_keyring: MemoryKeyring) -> None:
        """It is sent to no other host, and belongs to no other user."""
        save_password("ops@n1:9443", Secret(SECRET))

        for options in (("--url", "https://other"), ("--user", "ops2")):
            with pytest.raises(UsageError, match=r"^no password"):
                made("--profile", "prod", *options)

    @pytest.mark.parametrize(
        ("options", "account"),
        [
            (["--profile", "prod"], "ops@n1:9443"),
            (["--url", "https://Me:x@Other.example.com/v1", "--user", "u"], "u@other.example.com"),
            (["--profile", "prod", "--user", "u@example.com"], "u@example.com@n1:9443"),
        ],
        ids=["profile", "options", "both"],
    )
    def test_account(self, options: list[str], account: str) -> None:
        """What it is stored under comes from where the client's user and cluster come from."""
        assert account_from_args(parse_arguments(["login", *options])) == account

    def test_account_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Or from the environment."""
        monkeypatch.setenv("REDIS_ENTERPRISE_URL", f"{URL} https://n2")
        monkeypatch.setenv("REDIS_ENTERPRISE_USER", "u")

        assert account_from_args(parse_arguments(["login"])) == "u@n1:9443"

    def test_no_account(self) -> None:
        """Without a user or a cluster there is nothing to store it under."""
        with pytest.raises(UsageError, match="--user"):
            account_from_args(parse_arguments(["login", "--url", URL]))

    def test_new_password(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is to be stored comes from a file, or is asked for; never from the environment."""
        monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", OTHER)
        by_file = parse_arguments(["login", "--password-file", str(folder / "password")])

        assert read_new_password(by_file) == Secret(SECRET)
        with pytest.raises(UsageError, match=r"^no password"):
            read_new_password(parse_arguments(["login"]))


class TestWrongNames:
    """A wrong name of a setting is answered with the right one."""

    @pytest.mark.parametrize(
        ("wrong", "right"),
        [
            ("--ca-file", "--ca-cert"),
            ("--username", "--user"),
            ("--verify", "--insecure"),
            ("--trusted-hosts", "--trusted-host"),
            ("--profil", "--profile"),
        ],
    )
    def test_option(self, wrong: str, right: str, capsys: pytest.CaptureFixture[str]) -> None:
        """An option of another name is wrong usage."""
        with pytest.raises(SystemExit) as caught:
            parse_arguments(["list", f"{wrong}={SECRET}"])

        *_, last = capsys.readouterr().err.splitlines()
        assert caught.value.code == 2
        assert last == (
            f"redis-actions: error: unrecognized arguments: {wrong}; did you mean {right}?"
        )

    async def test_variable(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A variable of another name is logged as a warning."""
        monkeypatch.setenv("REDIS_ENTERPRISE_CA_FILE", "ca.pem")
        made("--profile", "prod")

        assert "did you mean REDIS_ENTERPRISE_CA_CERT?" in caplog.text
