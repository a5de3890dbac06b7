"""Path of the file of profiles, and the names in it, in a module that Tab loads quickly."""

from __future__ import annotations

import os
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


def profile_names() -> list[str]:
    """Return the names of the profiles, for completion; none if the file cannot be read."""
    file = config_path()
    try:
        table = {} if file is None else tomllib.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return []
    profiles = table.get("profiles")
    names = list(cast("dict[str, Any]", profiles)) if isinstance(profiles, dict) else []
    return [name for name in names if name.isprintable()]  # a shell shows them
