"""Meaning of a 404: the API's own, and confirmation by a list that an object is gone.

A proxy, or the wrong port, answers 404 as well. Only an error body of the API says that an object
does not exist, and it may be wrong for a moment; so an object is gone once the list does not have
it either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.wire.error_body import error_code_of, is_api_error
from redis_enterprise_actions._client.wire.replies import read_uids
from redis_enterprise_actions._model.action import Action, Ambiguity, AmbiguousAnswer
from redis_enterprise_actions._model.errors import RequestError, RequestRejected, UnreadableReply


if TYPE_CHECKING:
    from redis_enterprise_actions._client.http.transport import Reply, Transport

FOREIGN_404: Final = "a 404 that is not the REST API's; is the URL that of the API (port 9443)?"
FIELDS_UNSUPPORTED: Final = frozenset({400, 406})  # answers of some versions to `?fields=`


async def get(transport: Transport, path: str, *, permission: str) -> Reply:
    """GET `path`; a 404 is returned only if it is the API's own.

    Raises `UnreadableReply` for any other 404, and `RequestError`.
    """
    reply = await transport.get(path, permission=permission)
    if reply.status == 404 and not is_api_error(reply.body):
        raise UnreadableReply("GET", path, problem=FOREIGN_404)
    return reply


async def confirm_gone(
    transport: Transport, not_found: Reply, path: str, *, list_permission: str, gone: Action
) -> Action | AmbiguousAnswer | None:
    """Return `gone` if the list does not have the object, and None if it has.

    `not_found` is the API's 404 for the object at `path`. If the list gives no usable answer,
    `gone` is ambiguous, and a second 404 has to confirm it.
    """
    list_path, _, uid = path.rpartition("/")
    uids = await _listed_uids(transport, list_path, list_permission)
    if uids is None:
        return AmbiguousAnswer(
            Ambiguity.GONE, gone, discriminator=error_code_of(not_found.body) or ""
        )
    return None if int(uid) in uids else gone


async def _listed_uids(transport: Transport, path: str, permission: str) -> frozenset[int] | None:
    """Return the uids of all databases or nodes, or None if the list gives no usable answer."""
    for query in ("?fields=uid", ""):
        try:
            reply = await transport.get(path, permission=permission, query=query)
        except RequestError as error:
            if isinstance(error, RequestRejected) and error.status in FIELDS_UNSUPPORTED:
                continue
            return None
        return None if reply.status == 404 else read_uids(reply.body, path.rpartition("/")[2])
    return None
