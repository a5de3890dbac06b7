"""Tests of `_cli.connection`. More, with a cluster, are in `tests.cli.test_main`."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionsClient, UsageError
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.connection import ask_password, client_from_args
from redis_enterprise_actions._cli.execution import Execution
from redis_enterprise_actions._client.config.secrets import save_password
from redis_enterprise_actions._model.secret import Secret
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
    """Write profiles and secrets to a folder, for a process without a terminal; return its path."""
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr(sys, "stdin", None)
    (tmp_path / "config.toml").write_text(PROFILE)
    for name, text in (("password", SECRET), ("other", OTHER), ("token", SECRET)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def credentials_of(client: ActionsClient) -> str:
    """Return the credentials that the client sends: `ops:password`, or a token."""
    scheme, _, credentials = client._transport.authenticator.static_header.reveal().partition(" ")  # type: ignore[attr-defined]
    return base64.b64decode(credentials).decode() if scheme == "Basic" else credentials


def client_with(*options: str) -> ActionsClient:
    """Return the client of a command with these options."""
    return client_from_args(parse_arguments(["list", *options]), Execution())


class TestProfile:
    """Settings of a profile, beside options and the environment."""

    async def test_alone(self, folder: Path) -> None:
        """A profile is enough."""
        client = client_with("--profile", "prod")

        assert client.urls == (URL, "https://n2:9443")
        assert credentials_of(client) == f"ops:{SECRET}"

    async def test_order(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The environment goes before the profile, and an option before both."""
        monkeypatch.setenv("REDIS_ACTIONS_PROFILE", "prod")
        monkeypatch.setenv("REDIS_ENTERPRISE_USER", "ops2")
        monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", OTHER)

        assert credentials_of(client_with()) == f"ops2:{OTHER}"
        assert credentials_of(client_with("--user", "ops3")) == f"ops3:{OTHER}"
        assert (
            credentials_of(client_with("--password-file", str(folder / "password")))
            == f"ops2:{SECRET}"
        )
        assert client_with("--url", "https://n3").urls == ("https://n3",)
        assert client_with("--url", "https://n3,https://n4").urls == ("https://n3", "https://n4")

    async def test_token(self, folder: Path) -> None:
        """A profile can have a token instead of a user."""
        (folder / "config.toml").write_text(f'[profiles.p]\nurl = "{URL}"\ntoken_file = "token"\n')

        assert credentials_of(client_with("--profile", "p")) == SECRET

    @pytest.mark.parametrize("key", ["password_file", "token_file"])
    async def test_unsafe_file(self, folder: Path, key: str) -> None:
        """A secret file that others may read is wrong usage, by its key."""
        text = f'[profiles.p]\nurl = "{URL}"\nuser = "ops"\n{key} = "password"\n'
        (folder / "config.toml").write_text(text)
        (folder / "password").chmod(0o644)

        with pytest.raises(UsageError, match=f"^{key} of profile p: other users may read"):
            client_with("--profile", "p")

    @pytest.mark.parametrize("option", [True, False], ids=["option", "environment"])
    async def test_other_cluster(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, option: bool
    ) -> None:
        """The profile's password is for its own URLs, and is not sent to another cluster."""
        options = ("--url", "https://other") if option else ()
        monkeypatch.setenv("REDIS_ENTERPRISE_URL", "https://other")

        with pytest.raises(UsageError, match=r"^no password of ops2? is known"):
            client_with("--profile", "prod", *options)
        for own in ("https://n2:9443", f"{URL}/"):
            assert credentials_of(client_with("--profile", "prod", "--url", own)) == f"ops:{SECRET}"

    async def test_trust_of_other_cluster(self, folder: Path) -> None:
        """The profile's trust is for its own URLs; for another cluster it gives the user only."""
        text = f'default = "p"\n[profiles.p]\nurl = "{URL}"\nuser = "ops"\ninsecure = true\n'
        (folder / "config.toml").write_text(text)
        options = ("--password-file", str(folder / "password"), "--url")
        own, other = client_with(*options, URL), client_with(*options, "https://other")

        assert [each._transport._tls.verified for each in (own, other)] == [False, True]
        assert credentials_of(other) == f"ops:{SECRET}"

    async def test_profile_without_url(self, folder: Path) -> None:
        """The password of a profile without a URL is for any cluster."""
        (folder / "config.toml").write_text(PROFILE.replace("url = ", "# "))

        assert credentials_of(client_with("--profile", "prod", "--url", URL)) == f"ops:{SECRET}"

    async def test_no_user(self, folder: Path) -> None:
        """A password file without a user is wrong usage, also with a profile."""
        (folder / "config.toml").write_text(f'[profiles.p]\nurl = "{URL}"\n')

        with pytest.raises(UsageError, match=r"^no user is named: give --user"):
            client_with("--profile", "p", "--password-file", str(folder / "password"))

    def test_secrecy(self, folder: Path) -> None:
        """An error of a later setting does not show the secret."""
        with pytest.raises(UsageError) as caught:
            client_with("--profile", "prod", "--ca-cert", "nowhere.pem")

        assert "nowhere.pem" in str(caught.value)
        assert leaks_of(caught.value) == []


@pytest.mark.parametrize(
    ("options", "variable", "line", "expected"),
    [
        ((), "", "", 30),
        ((), "", "request_timeout = 45", 45),
        ((), "", 'request_timeout = "1.5m"', 90),
        ((), "2m", "request_timeout = 45", 120),
        (("--request-timeout", "20m"), "2m", "request_timeout = 45", 1200),
    ],
)
async def test_request_timeout(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    variable: str,
    line: str,
    expected: float,
) -> None:
    """The limit of one request is an option, a variable or a setting of a profile, in this order.

    Without any of them it is 30 s.
    """
    monkeypatch.setenv("REDIS_ENTERPRISE_REQUEST_TIMEOUT", variable)
    (folder / "config.toml").write_text(f"{PROFILE}{line}\n")
    client = client_with("--profile", "prod", *options)

    assert client._parts.submitter.request_timeout == expected


class TestKeyring:
    """Passwords in the system's keyring."""

    @pytest.fixture(autouse=True)
    def profile(self, folder: Path) -> None:
        """Write a profile whose password is in the keyring."""
        text = PROFILE.replace('password_file = "password"', "keyring = true")
        (folder / "config.toml").write_text(text)

    async def test_found(self, memory_keyring: MemoryKeyring) -> None:
        """The password is one for all URLs of the profile, whichever of them are used."""
        save_password("ops@n1:9443,n2:9443", Secret(SECRET))

        for options in ((), ("--url", "https://n2:9443")):
            client = client_with("--profile", "prod", *options)
            assert credentials_of(client) == f"ops:{SECRET}"

    async def test_other_cluster(self, memory_keyring: MemoryKeyring) -> None:
        """The password is not sent to another host, nor used for another user."""
        save_password("ops@n1:9443,n2:9443", Secret(SECRET))

        for options in (("--url", "https://other"), ("--user", "ops2")):
            with pytest.raises(UsageError, match=r"^no password of ops2? is known"):
                client_with("--profile", "prod", *options)


@pytest.mark.parametrize(
    ("urls", "prompt"),
    [
        (["https://cluster.example.com:9443"], "cluster.example.com:9443"),
        (["https://Me:x@n1:9443/v1", "https://n2:9443/"], "n1:9443, n2:9443"),
        (["n1"], "n1"),
    ],
)
def test_prompt(monkeypatch: pytest.MonkeyPatch, urls: list[str], prompt: str) -> None:
    """The prompt names the user and the hosts, on one line, and an empty answer is an error."""
    prompts: list[str] = []
    answers = [SECRET, ""]

    def answer(text: str) -> str:
        prompts.append(text)
        return answers.pop(0)

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", answer)

    assert ask_password("ops\n@example.com", urls) == Secret(SECRET)
    assert prompts == [f"Password for ops @example.com at {prompt}: "]
    with pytest.raises(UsageError, match=r"^no password was given$"):
        ask_password("ops", urls)


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

        first, _ = capsys.readouterr().err.splitlines()
        assert caught.value.code == 2
        assert first == f"redis-actions list: unknown option {wrong}; did you mean {right}?"

    async def test_variable(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A variable of another name is logged as a warning."""
        monkeypatch.setenv("REDIS_ENTERPRISE_CA_FILE", "ca.pem")
        client_with("--profile", "prod")

        assert "did you mean REDIS_ENTERPRISE_CA_CERT?" in caplog.text
