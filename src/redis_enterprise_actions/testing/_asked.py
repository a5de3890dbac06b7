"""What a call asks of the fake: its body, its `dry_run`; and whether it is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web


if TYPE_CHECKING:
    from collections.abc import Mapping

_REFUSALS: Final[Mapping[int, type[web.HTTPException]]] = {
    400: web.HTTPBadRequest,
    404: web.HTTPNotFound,
    406: web.HTTPNotAcceptable,
    409: web.HTTPConflict,
}
_OFF: Final = frozenset({"false", "False", "0"})


def refusal(status: int, code: str, description: str) -> web.HTTPException:
    """Return what a route raises to answer that status, with an error object."""
    said = json.dumps({"error_code": code, "description": description})
    return _REFUSALS[status](text=said, content_type="application/json")


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


async def body_of(request: web.Request, *, needed: bool = False) -> dict[str, object]:
    """Return the JSON object that was sent, or an empty one if nothing was and none is needed.

    Anything else is answered 400.
    """
    if not needed and not await request.read():
        return {}
    asked = await object_of(request)
    if asked is None:
        raise refusal(400, "invalid_request", "a JSON object is required, and to be called so")
    return asked


def is_dry(request: web.Request, body: dict[str, object]) -> bool:
    """Whether nothing is to be started, as the query or the body says, and drop it from the latter.

    In a query the bare word is enough, and that "false" takes it back is a guess.
    """
    in_body = body.pop("dry_run", False) is True
    return in_body or request.query.get("dry_run", "false") not in _OFF


def at_least(version: str, since: str) -> bool:
    """Whether a version has what there is since another one."""
    return [int(part) for part in version.split(".")] >= [int(part) for part in since.split(".")]
