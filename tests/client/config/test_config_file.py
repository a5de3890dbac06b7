"""Tests of `_client.config.config_file`. More are in `test_profiles`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._client.config.config_file import profile_names, profile_urls


if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"[profiles.prod]\n[profiles.lab]\n", ["prod", "lab"]),
        (b"\xef\xbb\xbf[profiles.prod]\n", ["prod"]),
        (b'[profiles."a\\u001b[2J"]\n[profiles.b]\n', ["b"]),
        (b"", []),
        (b"profiles = 1\n", []),
        (b"profiles = [\n", []),
        (b"a = " + b"[" * 100_000, []),
        (b"\xff", []),
        (None, []),
    ],
    ids=["two", "mark", "escape", "empty", "number", "cut", "deep", "bytes", "no file"],
)
def test_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, names: list[str]
) -> None:
    """Completion gets the printable names of profiles, and none if the file cannot be read."""
    file = tmp_path / "config.toml"
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(file))
    if content is not None:
        file.write_bytes(content)

    assert profile_names() == names


@pytest.mark.parametrize(
    ("name", "variable", "urls"),
    [
        ("lab", None, ["https://lab"]),
        ("text", None, ["https://a", "https://b"]),
        ("prod", "lab", ["https://n1", "https://n2"]),
        (None, "lab", ["https://lab"]),
        (None, None, ["https://n1", "https://n2"]),
        ("none", None, []),
        ("bare", None, []),
        ("odd", None, []),
        ("mixed", None, ["https://m"]),
        ("number", None, []),
    ],
)
def test_urls(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
    variable: str | None,
    urls: list[str],
) -> None:
    """Completion gets the URLs of the named profile, or else those of the default one."""
    file = tmp_path / "config.toml"
    file.write_text(
        'default = "prod"\n[profiles]\nodd = 1\n'
        '[profiles.prod]\nurl = ["https://n1", "https://n2"]\n'
        '[profiles.lab]\nurl = "https://lab"\n[profiles.bare]\n'
        '[profiles.mixed]\nurl = [1, "https://m"]\n[profiles.number]\nurl = 1\n'
        '[profiles.text]\nurl = "https://a,https://b"\n'
    )
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(file))
    if variable is not None:
        monkeypatch.setenv("REDIS_ACTIONS_PROFILE", variable)

    assert profile_urls(name) == urls
