"""Tests of `_client.config.config_file`. More are in `test_profiles`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._client.config.config_file import profile_names


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
