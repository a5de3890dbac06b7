"""Meaning of a 404: the API's own, and confirmation by a list that an object is gone.

A proxy, or the wrong port, answers 404 as well. Only an error body of the API says that an object
does not exist, and it may be wrong for a moment; so an object is gone once the list does not have
it either.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions._client.wire.error_body import (
    error_code_of,
    foreign_404,
    is_api_error,
)
from redis_enterprise_actions._client.wire.replies import read_uids
from redis_enterprise_actions._model.action import Action, Ambiguity, AmbiguousAnswer
from redis_enterprise_actions._model.errors import RequestError, RequestRejected


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate

_T = TypeVar("_T")
FIELDS_UNSUPPORTED: Final = frozenset({400, 406})  # answers of some versions to `?fields=`


def is_missing(reply: Reply, path: str) -> bool:
    """Return True for the API's own 404. Raises `UnreadableReply` for any other 404."""
    if reply.status != 404:
        return False
    if not is_api_error(reply.body):
        raise foreign_404(path)
    return True


def object_decoder(path: str, read: Callable[[bytes], _T]) -> Callable[[Reply], _T | Reply]:
    """Return a decoder that reads the object at `path`, and returns the API's 404 unchanged."""
    return partial(_decode_object, path, read)


def _decode_object(path: str, read: Callable[[bytes], _T], reply: Reply) -> _T | Reply:
    return reply if is_missing(reply, path) else read(reply.body)


async def confirm_gone(
    transport: Transport,
    not_found: Reply,
    path: str,
    *,
    list_permission: str,
    gone: Action,
    gate: Gate | None,
) -> Action | AmbiguousAnswer | None:
    """Return `gone` if the list does not have the object, and None if it has.

    `not_found` is the API's 404 for the object at `path`. If the list gives no usable answer,
    `gone` is ambiguous, and a second 404 has to confirm it.
    """
    list_path, _, uid = path.rpartition("/")
    uids = await _listed_uids(transport, list_path, list_permission, gate)
    if uids is None:
        return AmbiguousAnswer(
            Ambiguity.GONE, gone, discriminator=error_code_of(not_found.body) or ""
        )
    return None if int(uid) in uids else gone


async def _listed_uids(
    transport: Transport, path: str, permission: str, gate: Gate | None
) -> frozenset[int] | None:
    """Return the uids of all databases or nodes, or None if the list gives no usable answer."""

    def decode(reply: Reply) -> frozenset[int] | None:
        return None if reply.status == 404 else read_uids(reply.body, path.rpartition("/")[2])

    for query in ("?fields=uid", ""):
        try:
            return await transport.get(
                path, permission=permission, decode=decode, query=query, gate=gate
            )
        except RequestError as error:
            if not isinstance(error, RequestRejected) or error.status not in FIELDS_UNSUPPORTED:
                return None
    return None
