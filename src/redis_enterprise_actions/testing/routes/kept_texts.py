"""`KeptTexts`: JSON texts of the entries of long lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from aiohttp import web


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable


class Source(Protocol):
    """Object from which an entry is made. Each change of the object raises `revision`."""

    @property
    def revision(self) -> int:
        """Number of changes so far."""
        ...

    def steady_until(self, now: float) -> float:
        """Return the time of the next change that time brings, or `now` if that is always."""
        ...


class KeptTexts:
    """JSON texts of entries by key, each made anew only when its source has changed.

    Without them, a list of 10,000 entries takes a fake cluster half a second.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[Source, int, float, str]] = {}

    def text(
        self, key: Hashable, source: Source, now: float, make: Callable[[], dict[str, object]]
    ) -> str:
        """Return the JSON of an entry at `now`, which `make` returns as an object."""
        kept = self._kept.get(key)
        if kept is not None:
            kept_source, revision, until, text = kept
            if kept_source is source and revision == source.revision and now < until:
                return text
        text = json.dumps(make())
        self._kept[key] = source, source.revision, source.steady_until(now), text
        return text


def json_array(texts: Iterable[str]) -> str:
    """Return a JSON array of entries that are JSON already."""
    return f"[{', '.join(texts)}]"


def text_response(text: str) -> web.Response:
    """Return an answer whose body is JSON already."""
    return web.Response(text=text, content_type="application/json")
