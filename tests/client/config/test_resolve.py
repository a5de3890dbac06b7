"""Tests of `_client.config.resolve`. Tests of the command's options are in `tests/cli/settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionsClient, UsageError
from redis_enterprise_actions._client.config.profiles import load_profile
from redis_enterprise_actions._client.config.resolve import (
    account_of,
    profile_options,
    resolve_options,
)
from redis_enterprise_actions._client.config.secrets import save_password
from redis_enterprise_actions._model.secret import Secret
from tests.secrecy import secrets_in


if TYPE_CHECKING:
    from pathlib import Path

    from tests.memory_keyring import MemoryKeyring

SECRET = "hunter2-hunter2"
URLS = ["https://n1:9443", "https://n2:9443"]
PROFILES = f"""
[profiles.file]
url = {URLS}
user = "ops"
password_file = "password"
auth = "jwt"
ca_cert = "ca.pem"
trusted_hosts = "n3"
request_timeout = 45

[profiles.token]
url = "{URLS[0]}"
token_file = "password"
insecure = true

[profiles.command]
url = {URLS}
user = "ops"
password_command = ["printf", "{SECRET}\\nmore"]

[profiles.keyring]
url = {URLS}
user = "ops"
keyring = true

[profiles.user]
user = "ops"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write profiles and a secret to a folder; return its path."""
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text(PROFILES)
    (tmp_path / "password").write_text(SECRET)
    (tmp_path / "password").chmod(0o600)
    return tmp_path


class TestProfileOptions:
    """Options of a client from a profile, for `ActionsClient.from_profile`."""

    def test_files(self, folder: Path) -> None:
        """A profile gives all options, and secrets come from its files."""
        assert profile_options("file") == {
            "url": URLS,
            "trusted_hosts": ["n3"],
            "username": "ops",
            "password": SECRET,
            "auth": "jwt",
            "ca_cert": str(folder / "ca.pem"),
            "request_timeout": 45,
        }
        assert profile_options("token") == {"url": URLS[:1], "token": SECRET, "verify": False}

    @pytest.mark.prints_password
    def test_command(self) -> None:
        """The password is what the profile's command prints, and only for the profile's URLs."""
        assert profile_options("command") == {"url": URLS, "username": "ops", "password": SECRET}
        with pytest.raises(UsageError, match="no password of ops is known"):
            resolve_options({"url": ["https://other"]}, "command")

    def test_command_is_not_needed(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The command does not run if another source has the password."""
        text = PROFILES.replace('["printf"', f'["touch", "{folder}/ran"')
        (folder / "config.toml").write_text(text)
        monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", SECRET)

        assert profile_options("command")["password"] == SECRET
        assert not (folder / "ran").exists()

    async def test_client(self) -> None:
        """A client can be made of the options as they are."""
        async with ActionsClient(**profile_options("token")) as client:
            assert client.urls == (URLS[0],)
        async with ActionsClient.from_profile("token", request_timeout="1m") as client:
            assert client.urls == (URLS[0],)
            assert client._parts.submitter.request_timeout == 60
        with pytest.raises(UsageError, match="there is no profile 'dev'"):
            ActionsClient.from_profile("dev")

    def test_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The environment goes before the profile, as for the command."""
        monkeypatch.setenv("REDIS_ENTERPRISE_AUTH", "basic")

        assert profile_options("file")["auth"] == "basic"

    def test_other_cluster(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For another cluster, a profile gives neither its secrets nor its trust."""
        monkeypatch.setenv("REDIS_ENTERPRISE_URL", "https://other")
        monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", "wrong-password")

        assert profile_options("file") == {
            "url": ["https://other"],
            "username": "ops",
            "password": "wrong-password",
            "auth": "jwt",
        }

    @pytest.mark.enable_socket
    def test_keyring(self, memory_keyring: MemoryKeyring) -> None:
        """A password in the keyring is found; without one there is no prompt, but an error."""
        with pytest.raises(UsageError) as caught:
            profile_options("keyring")
        assert str(caught.value) == (
            "no password of ops is known: set REDIS_ENTERPRISE_PASSWORD, give --password-file, or "
            "run `redis-actions login --profile keyring`"
        )
        save_password("ops@n1:9443,n2:9443", Secret(SECRET))

        assert profile_options("keyring")["password"] == SECRET

    def test_unknown(self) -> None:
        """An unknown profile is wrong usage."""
        with pytest.raises(UsageError, match="there is no profile 'dev'"):
            profile_options("dev")


@pytest.mark.enable_socket
def test_origins(monkeypatch: pytest.MonkeyPatch, memory_keyring: MemoryKeyring) -> None:
    """Each option has its origin, and no `repr` shows a secret."""
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", "ops2")
    arguments = {"ca_cert": "mine.pem", "verify": None}
    resolved = resolve_options(arguments, "keyring", lambda *_: Secret(SECRET))

    assert resolved.origins == {
        "ca_cert": "an option",
        "username": "the environment",
        "url": "profile keyring",
        "password": "the keyring, or a prompt",
    }
    assert resolved.options["password"] == SECRET
    assert secrets_in(repr(resolved)) == []


MISSING = "give --url (REDIS_ENTERPRISE_URL) and --user (REDIS_ENTERPRISE_USER)"
START = "or run `redis-actions login`; `redis-actions demo` needs no cluster"


@pytest.mark.parametrize(
    ("arguments", "profile", "config", "expected"),
    [
        ({}, None, "", f"no cluster is named: {MISSING}, {START}"),
        (
            {},
            None,
            "[profiles.a]\n[profiles.b]\n",
            f"no cluster is named: {MISSING}, or --profile (a, b), {START}",
        ),
        (
            {},
            "user",
            PROFILES,
            "no cluster is named: give --url (REDIS_ENTERPRISE_URL), or add a url to profile user, "
            f"{START}",
        ),
        (
            {"token": "t"},
            None,
            "",
            f"no cluster is named: give --url (REDIS_ENTERPRISE_URL), {START}",
        ),
        (
            {"url": URLS},
            None,
            "",
            "no user is named: give --user (REDIS_ENTERPRISE_USER), --token-file "
            "(REDIS_ENTERPRISE_TOKEN) or --client-cert (REDIS_ENTERPRISE_CLIENT_CERT), or run "
            "`redis-actions login`",
        ),
        (
            {"url": URLS, "username": "u"},
            None,
            "",
            "no password of u is known: set REDIS_ENTERPRISE_PASSWORD, give --password-file, or "
            "run `redis-actions login` with the same URL and user",
        ),
        (
            {"url": ["https://other"], "username": "u"},
            "p",
            '[profiles.p]\nurl = "https://n1"\nuser = "u"\n',
            "no password of u is known: set REDIS_ENTERPRISE_PASSWORD, give --password-file, or "
            "run `redis-actions login` with the same URL and user",
        ),
    ],
    ids=["nothing", "profiles", "profile without url", "token", "url", "no password", "other url"],
)
def test_missing(
    folder: Path, arguments: dict[str, object], profile: str | None, config: str, expected: str
) -> None:
    """What is missing is named at once, by option and variable, with where to start."""
    (folder / "config.toml").write_text(config)

    with pytest.raises(UsageError) as caught:
        resolve_options(arguments, profile)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("urls", "profile", "account"),
    [
        (["https://Me:x@Other.example.com/v1"], None, "u@other.example.com"),
        (["https://n2", "https://n1/", "https://n2/"], None, "u@n1,n2"),
        (URLS[1:], "keyring", "u@n1:9443,n2:9443"),
        ([], "keyring", "u@n1:9443,n2:9443"),
        (["https://other"], "keyring", "u@other"),
        (["https://other"], "user", "u@other"),
    ],
)
def test_account(urls: list[str], profile: str | None, account: str) -> None:
    """A profile's URLs have one account, and another cluster has its own, without secrets."""
    found = None if profile is None else load_profile(profile)

    assert account_of("u", urls, found) == account
