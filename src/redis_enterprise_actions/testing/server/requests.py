"""Bodies and queries of requests to the fake cluster, and error responses."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from aiohttp import BodyPartReader, web


if TYPE_CHECKING:
    from collections.abc import Mapping

_ERRORS: Final[Mapping[int, type[web.HTTPException]]] = {
    400: web.HTTPBadRequest,
    403: web.HTTPForbidden,
    404: web.HTTPNotFound,
    406: web.HTTPNotAcceptable,
    409: web.HTTPConflict,
    503: web.HTTPServiceUnavailable,
}
# The API reads these from the query alone; in a body they mean nothing.
_QUERY_PARAMETERS: Final = frozenset({"dry_run", "only_failovers", "max_operations"})
_MAX_DIGITS: Final = 18  # of a uid
MAX_UID: Final = 10**_MAX_DIGITS - 1


def error_response(status: int, code: str, description: str) -> web.HTTPException:
    """Return an answer with a status and an error object, as an exception to raise."""
    text = json.dumps({"error_code": code, "description": description})
    return _ERRORS[status](text=text, content_type="application/json")


def parse_uid(text: str) -> int | None:
    """Return the uid in a path or a body, or None if it is no number, or a very long one."""
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else None


async def read_object(request: web.Request) -> dict[str, object] | None:
    """Return the JSON object of a body, or None if it is no such object, or not declared as JSON.

    The API requires a Content-Type for all bodies of POST, PUT and PATCH, and accepts only JSON.
    """
    if request.content_type != "application/json":
        return None
    try:
        body: object = json.loads(await request.read())
    except ValueError:
        return None
    return cast("dict[str, object]", body) if isinstance(body, dict) else None


async def read_body(request: web.Request, *, required: bool = False) -> dict[str, object]:
    """Return the JSON object of a body; an empty one if the body is empty and not `required`.

    Answer 400 to any other body.
    """
    if not required and not await request.read():
        return {}
    body = await read_object(request)
    if body is None:
        problem = "the body must be a JSON object, sent with Content-Type: application/json"
        raise error_response(400, "invalid_request", problem)
    return body


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """Name, size and SHA-256 of a file that was uploaded; its content is not kept."""

    file_name: str
    size: int
    sha256: str


async def read_upload(request: web.Request, field: str) -> Upload | None:
    """Return the file of a field of a form, or None if the body has none, or is no form."""
    if request.content_type != "multipart/form-data":
        return None
    try:
        reader = await request.multipart()
        async for part in reader:
            if isinstance(part, BodyPartReader) and part.name == field and part.filename:
                return await _read_file(part, part.filename)
    except ValueError:
        return None
    return None


async def _read_file(part: BodyPartReader, file_name: str) -> Upload:
    # By chunks, as aiohttp limits the size of what is read at once.
    size, digest = 0, hashlib.sha256()
    while chunk := await part.read_chunk():
        size += len(chunk)
        digest.update(chunk)
    return Upload(file_name=file_name, size=size, sha256=digest.hexdigest())


def query_flag(request: web.Request, name: str) -> bool:
    """Return True if the query switches a parameter on.

    The name alone is enough, as some vendor pages document a parameter without a type. Any value
    but "false" and "0" switches it on, which is a guess.
    """
    return request.query.get(name, "false") not in {"false", "False", "0"}


def is_dry_run(request: web.Request) -> bool:
    """Return True if the query asks for a dry run; only calls on shards ask in their body."""
    return query_flag(request, "dry_run")


def query_number(request: web.Request, name: str) -> int | None:
    """Return a number of the query, or None if it is missing; answer 400 to anything else."""
    value = request.query.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal()):
        raise error_response(400, "invalid_request", f"{name} is an integer, 0 or more")
    return int(value)


def without_query_parameters(body: dict[str, object]) -> dict[str, object]:
    """Return a body without the names that the API reads from the query alone."""
    return {name: value for name, value in body.items() if name not in _QUERY_PARAMETERS}
