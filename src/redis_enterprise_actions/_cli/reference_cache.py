"""Cache file with the references that commands have seen, for Tab.

The file is `redis-actions/references.json` in the user's cache directory, readable by the user
alone. It holds the references of one cluster, each for an hour. A file that cannot be read or
written is no error: Tab then offers nothing. Tab loads this module, which therefore imports little.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAX_AGE: Final = 3600.0  # seconds
_MAX_REFERENCES: Final = 500


def remember(urls: Sequence[str], refs: Iterable[str]) -> None:
    """Add references of the cluster at `urls` to the cache; those to actions as bare uids."""
    path, now = _path(), time.time()
    if path is None:
        return
    short = [ref if "@" in ref else ref.removeprefix("action:") for ref in refs]
    seen = {ref: now for ref in short if ref.isprintable()}
    seen = {**seen, **{ref: at for ref, at in _fresh(path, urls, now).items() if ref not in seen}}
    newest = dict(list(seen.items())[:_MAX_REFERENCES])
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write_private(draft, json.dumps({"v": 1, "urls": list(urls), "seen": newest}))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def remembered(urls: Iterable[str]) -> list[str]:
    """Return the references of the cluster at `urls` that were seen within the last hour."""
    path = _path()
    return [] if path is None else list(_fresh(path, urls, time.time()))


def _fresh(path: Path, urls: Iterable[str], now: float) -> dict[str, float]:
    """Return when each reference in the file was seen, the latest first, if it is still known.

    The times are in seconds since the epoch.
    """
    try:
        cache = json.loads(path.read_bytes())
        if cache["v"] != 1:
            return {}
        cached = set(map(_plain, cache["urls"]))
        fresh = {ref: at for ref, at in cache["seen"].items() if 0 <= now - at <= _MAX_AGE}
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}
    return fresh if cached & set(map(_plain, urls)) else {}


def _plain(url: str) -> str:
    return url.strip().rstrip("/").casefold()


def _write_private(path: Path, text: str) -> None:
    """Write a new file that only the user may read."""
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        file.write(text)


def _path() -> Path | None:
    """Return the path of the file, which need not exist; None without a home directory."""
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    try:
        folder = os.environ.get(variable) or Path.home() / ".cache"
    except RuntimeError:  # HOME is not set, and the system does not know the user
        return None
    return Path(folder, "redis-actions", "references.json")
