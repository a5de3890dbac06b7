"""What calls that start work say, and how they are refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast


if TYPE_CHECKING:
    from aiohttp import web


async def object_of(request: web.Request) -> dict[str, object] | None:
    """Return the JSON object that was sent as such, or None if there is none.

    A Content-Type is required by all that is sent with POST, PUT and PATCH, and JSON is the only
    one there is.
    """
    if request.content_type != "application/json":
        return None
    try:
        body: object = json.loads(await request.read())
    except ValueError:
        return None
    return cast("dict[str, object]", body) if isinstance(body, dict) else None


def refuse(error: type[web.HTTPError], code: str, description: str) -> web.HTTPError:
    """Return what to raise, with the body that most errors of clusters have."""
    text = json.dumps({"error_code": code, "description": description})
    return error(text=text, content_type="application/json")
