"""Path of the file of profiles, and the names in it, in a module that Tab loads quickly."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any, Final, cast


NO_HOME: Final = "no home directory is known, and REDIS_ACTIONS_CONFIG is not set"


def config_path() -> Path | None:
    """Return the path of the file, which need not exist; None without a home directory."""
    path = os.environ.get("REDIS_ACTIONS_CONFIG")
    if path:
        return Path(path)
    variable = "APPDATA" if sys.platform == "win32" else "XDG_CONFIG_HOME"
    try:
        folder = os.environ.get(variable) or Path.home() / ".config"
    except RuntimeError:  # HOME is not set, and the system does not know the user
        return None
    return Path(folder, "redis-actions", "config.toml")


def words_of(text: str) -> list[str]:
    """Return the words of a setting that is a list, with blanks or commas between them."""
    return re.findall(r"[^\s,]+", text)


def profile_names() -> list[str]:
    """Return the names of the profiles, for completion; none if the file cannot be read."""
    return [name for name in _profiles(_read()) if name.isprintable()]  # a shell shows them


def profile_urls(name: str | None) -> list[str]:
    """Return the URLs of the profile that a command would use, for completion; none if unknown."""
    table = _read()
    wanted = name or os.environ.get("REDIS_ACTIONS_PROFILE") or table.get("default")
    profile = _profiles(table).get(cast("str", wanted))
    url = cast("dict[str, object]", profile).get("url") if isinstance(profile, dict) else None
    several = words_of(url) if isinstance(url, str) else url
    urls = cast("list[object]", several) if isinstance(several, list) else []
    return [each for each in urls if isinstance(each, str)]


def _profiles(table: dict[str, Any]) -> dict[str, Any]:
    profiles = table.get("profiles")
    return cast("dict[str, Any]", profiles) if isinstance(profiles, dict) else {}


def _read() -> dict[str, Any]:
    """Return the contents of the file; nothing if it cannot be read. They are not checked."""
    file = config_path()
    try:
        return {} if file is None else tomllib.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
