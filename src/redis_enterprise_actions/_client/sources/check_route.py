"""`CheckRoute`: whether a release has the check of availability of databases.

The 404 of a proxy looks like that of a release without the route. So it is the release of the
nodes that decides; vendor page: requests/nodes.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.wire.error_body import foreign_404
from redis_enterprise_actions._client.wire.objects import read_nodes
from redis_enterprise_actions._model.errors import RequestRejected


if TYPE_CHECKING:
    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate

_NODES: Final = "/v1/nodes"
_VIEW_NODES: Final = "view_all_nodes_info"
_SINCE: Final = (7, 8)
_VERSION: Final = re.compile(r"(\d{1,9})\.(\d{1,9})", re.ASCII)
_UNAUTHORIZED: Final = 401
_BELIEVED: Final = 180.0  # seconds; a cluster may be upgraded meanwhile
_MISSES: Final = 3  # answers without the route that count where the release cannot be read,
_MISSING_FOR: Final = 5.0  # if they are from so many seconds or more


class CheckRoute:
    """Knowledge about one cluster: whether it has the route."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._exists = False  # the cluster has shown that; no upgrade takes it away
        self._missing_until = 0.0
        self._misses = 0
        self._missed_at = 0.0

    @property
    def is_missing(self) -> bool:
        """True for some minutes after the release turned out to lack the route."""
        return asyncio.get_running_loop().time() < self._missing_until

    def on_answer(self) -> None:
        """Record an answer of the route itself."""
        self._exists = True

    async def confirm_missing(self, gate: Gate | None) -> bool:
        """Return True if a 404 that is not about the database is that of a release without it.

        Where the release cannot be read, several such answers have to agree.
        """
        if self._exists:
            return False
        now = asyncio.get_running_loop().time()
        if not self._misses:
            self._missed_at = now
        self._misses += 1
        lacks = await self._read_release(gate)
        if lacks is None:
            lacks = self._misses >= _MISSES and now - self._missed_at >= _MISSING_FOR
        elif not lacks:
            self._exists = True
        if lacks:
            self._missing_until = asyncio.get_running_loop().time() + _BELIEVED
        return lacks

    async def _read_release(self, gate: Gate | None) -> bool | None:
        """Return whether a node has a release without the route; None if that cannot be read."""
        try:
            releases = await self._transport.get(
                _NODES, permission=_VIEW_NODES, decode=_decode_releases, gate=gate
            )
        except RequestRejected as error:
            if error.status == _UNAUTHORIZED:
                raise
            return None
        if any(each < _SINCE for each in releases if each is not None):
            return True
        return None if not releases or None in releases else False


def _decode_releases(reply: Reply) -> list[tuple[int, int] | None]:
    """Return the release of each node, or None for one that is not told."""
    if reply.status == 404:
        raise foreign_404(_NODES, reply.body)
    texts = [node.software_version or "" for node in read_nodes(reply.body, _NODES)]
    matches = [_VERSION.match(text) for text in texts]
    return [(int(each[1]), int(each[2])) if each else None for each in matches]
