"""Bodies and queries of calls of the control API, and the refusal of a call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import msgspec
from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from redis_enterprise_actions.testing.scenario.errors import place_of
from redis_enterprise_actions.testing.scenario.repeated import repeated_name

from .messages import ErrorAnswer


if TYPE_CHECKING:
    from collections.abc import Collection

_Call = TypeVar("_Call", bound=Struct)

_LONGEST: Final = 30.0  # seconds until a body has come
_MAX_DIGITS: Final = 18  # of a number in a query


class _Versioned(Struct):
    v: Literal[1] | UnsetType = UNSET


class Refused(Exception):
    """A call is refused: the status of the answer, the field that is wrong, and the reason."""

    def __init__(self, status: int, field: str | None, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.answer = ErrorAnswer(error=error, field=field)


async def read_call(request: web.Request, kind: type[_Call]) -> _Call:
    """Return the body of a call; an empty one is that of an object without fields."""
    if "Content-Encoding" in request.headers:
        raise Refused(415, None, "a body must have no Content-Encoding")
    data = (await _read(request)).strip() or b"{}"
    try:
        call = msgspec.json.decode(_without_version(data), type=kind)
        repeated = repeated_name(data)
    except msgspec.ValidationError as error:
        raise Refused(400, *place_of(error)) from error
    except (ValueError, RecursionError) as error:
        raise Refused(400, "$", f"the body is no JSON: {error}") from error
    if repeated is not None:
        raise Refused(400, repeated, "the field is given twice")
    return call


def _without_version(data: bytes) -> bytes:
    """Return the body of a call without its `v`, which it need not have, and which must be 1."""
    if msgspec.json.decode(data, type=_Versioned).v is UNSET:
        return data
    fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    del fields["v"]
    return msgspec.json.encode(fields)


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_LONGEST):
            return await request.read()
    except TimeoutError as error:
        raise Refused(408, None, f"the body did not come within {_LONGEST:g} s") from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise Refused(400, "$", "the body has no end") from error


def check_query(request: web.Request, known: Collection[str]) -> None:
    """Refuse a call with a parameter in its query that is not known, or is given twice."""
    for name in request.query:
        if name not in known:
            raise Refused(400, name, f"{request.path} has no parameter {name}")
        if len(request.query.getall(name)) > 1:
            raise Refused(400, name, f"{name} is given twice")


def query_number(request: web.Request, name: str) -> int:
    """Return a number of the query, 0 by default."""
    text = request.query.get(name, "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise Refused(400, name, f"{name} is the number of a request, 0 or more")
    return int(text)
