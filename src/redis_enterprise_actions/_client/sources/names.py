"""Names of databases and Active-Active databases, and addresses of nodes.

Vendor pages: requests/bdbs, requests/crdbs, requests/nodes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from redis_enterprise_actions._client.wire.lenient_json import decode_struct
from redis_enterprise_actions._client.wire.reasons import read_reason
from redis_enterprise_actions._model.errors import RequestRejected, UnreadableReply

from .not_found import object_decoder


if TYPE_CHECKING:
    from redis_enterprise_actions._client.http.transport import Transport


class WireNamed(msgspec.Struct):
    """The fields that name an object."""

    name: str | None = None
    addr: str | None = None


class NamesApi:
    """Names of the objects of one cluster."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def fetch(self, path: str, permission: str) -> str:
        """Return the name, or else the address, of the object at a path; empty without either.

        Raises `RequestError`: `RequestRejected` if there is no such object.
        """
        decode = object_decoder(path, partial(_read_names, path))
        found = await self._transport.get(path, permission=permission, decode=decode)
        if isinstance(found, WireNamed):
            return found.name or found.addr or ""
        code, description = read_reason(found.body)
        raise RequestRejected(
            "GET", path, status=found.status, error_code=code, description=description
        )


def _read_names(path: str, body: bytes) -> WireNamed:
    """Decode an object; the error for any other body does not quote it, as it may hold secrets."""
    try:
        return decode_struct(body, WireNamed)
    except ValueError:
        raise UnreadableReply("GET", path, problem="not an object") from None
