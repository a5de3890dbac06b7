"""What a call asks of the fake: its body and its query; and whether it is refused."""

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
# What the API reads from the query, so that it means nothing in a body.
_OF_QUERIES: Final = frozenset({"dry_run", "only_failovers", "max_operations"})


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


def switch(request: web.Request, name: str) -> bool:
    """Whether the query switches a parameter on.

    The bare word is enough, as pages that document a parameter without a type have it, and
    anything but "false" and "0" is on, which is a guess.
    """
    return request.query.get(name, "false") not in _OFF


def is_dry(request: web.Request) -> bool:
    """Whether the query says that nothing is to be started; no body but that of shards can."""
    return switch(request, "dry_run")


def number(request: web.Request, name: str) -> int | None:
    """Return a number of the query, or None if it has none; answer 400 if that is no number."""
    given = request.query.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal()):
        raise refusal(400, "invalid_request", f"{name} is an integer, 0 or more")
    return int(given)


def settings_of(body: dict[str, object]) -> dict[str, object]:
    """Return what a body sets: all but what the API reads from the query only."""
    return {name: value for name, value in body.items() if name not in _OF_QUERIES}


def at_least(version: str, since: str) -> bool:
    """Whether a version has what there is since another one."""
    return [int(part) for part in version.split(".")] >= [int(part) for part in since.split(".")]
