"""Facts about `_chores`: what the command does without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.main import main


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.memory_keyring import MemoryKeyring

SECRET = "hunter2-hunter2"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of profiles, and a password."""
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text(
        'default = "b"\n[profiles.a]\nkeyring = true\n'
        '[profiles.b]\nurl = ["https://n1", "https://n2"]\nuser = "ops"\nkeyring = true\n'
    )
    (tmp_path / "password").write_text(SECRET)
    (tmp_path / "password").chmod(0o600)
    return tmp_path


def test_profiles(folder: Path, lines: Callable[[], list[str]]) -> None:
    """The profiles, each with its cluster, its user, and whether it is the default."""
    assert main(["profiles"]) == 0
    assert lines() == ["a\t-\t-\t-", "b\thttps://n1 https://n2\tops\tdefault"]


def test_no_profiles(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there are none, it says where they would be."""
    (folder / "config.toml").write_text("")

    assert main(["profiles"]) == 2
    assert capsys.readouterr().err == (
        f"redis-actions: there are no profiles in {folder / 'config.toml'}\n"
    )


@pytest.mark.enable_socket
def test_login(folder: Path, memory_keyring: MemoryKeyring, lines: Callable[[], list[str]]) -> None:
    """A password is stored, under user and host, and removed; it is never printed."""
    assert main(["login", "--password-file", str(folder / "password")]) == 0
    assert memory_keyring.passwords == {("redis-actions", "ops@n1"): SECRET}
    assert main(["logout"]) == 0
    assert memory_keyring.passwords == {}
    assert lines() == [
        "the keyring has the password of ops@n1, for profiles with keyring = true",
        "the keyring has no password of ops@n1 any more",
    ]


def test_logout_of_nothing(
    folder: Path, memory_keyring: MemoryKeyring, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not there cannot be removed."""
    assert main(["logout"]) == 2
    assert "the keyring has no password of ops@n1" in capsys.readouterr().err


def test_prompt(
    folder: Path,
    memory_keyring: MemoryKeyring,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On a terminal the password is asked for, and Ctrl-C leaves all as it was."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: SECRET)
    assert main(["login"]) == 0
    assert memory_keyring.passwords == {("redis-actions", "ops@n1"): SECRET}
    memory_keyring.passwords.clear()

    def leave(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("getpass.getpass", leave)
    assert main(["login"]) == 130
    assert memory_keyring.passwords == {}
    assert SECRET not in "".join(capsys.readouterr())
