"""Objects of one cluster: databases, nodes and Active-Active databases.

Vendor pages: requests/bdbs, requests/nodes, requests/crdbs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from redis_enterprise_actions._client.http.messages import Reply
from redis_enterprise_actions._client.wire.error_body import foreign_404
from redis_enterprise_actions._client.wire.objects import (
    DATABASE_OBJECT_FIELDS,
    NAME_FIELDS,
    read_crdb,
    read_crdbs,
    read_database_names,
    read_database_object,
    read_database_objects,
    read_node,
    read_nodes,
)
from redis_enterprise_actions._client.wire.reasons import read_reason
from redis_enterprise_actions._model.errors import RequestRejected

from .databases import DATABASES, VIEW_DATABASE, VIEW_DATABASES
from .not_found import FIELDS_UNSUPPORTED, object_decoder


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._model.objects import Crdb, Database, Node

_T = TypeVar("_T")


class ObjectsApi:
    """Objects of one cluster. Each coroutine raises a `RequestError`.

    Those of one object raise `RequestRejected` (404) if there is none.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._has_fields = True  # False once the cluster has refused `?fields=`

    async def database(self, uid: int) -> Database:
        """Return a database."""
        return await self._one(f"{DATABASES}/{uid}", VIEW_DATABASE, read_database_object)

    async def databases(self) -> list[Database]:
        """Return all databases."""
        return await self._databases(DATABASE_OBJECT_FIELDS, read_database_objects)

    async def database_names(self) -> dict[int, str]:
        """Return the names of all databases, by uid."""
        return await self._databases(NAME_FIELDS, read_database_names)

    async def node(self, uid: int) -> Node:
        """Return a node."""
        return await self._one(f"/v1/nodes/{uid}", "view_node_info", read_node)

    async def nodes(self) -> list[Node]:
        """Return all nodes."""
        return await self._list("/v1/nodes", "view_all_nodes_info", read_nodes)

    async def crdb(self, guid: str) -> Crdb:
        """Return an Active-Active database."""
        return await self._one(f"/v1/crdbs/{guid}", "view_crdb", read_crdb)

    async def crdbs(self) -> list[Crdb]:
        """Return all Active-Active databases."""
        return await self._list("/v1/crdbs", "view_crdb_list", read_crdbs)

    async def _one(self, path: str, permission: str, read: Callable[[bytes, str], _T]) -> _T:
        decode = object_decoder(path, lambda body: read(body, path))
        found = await self._transport.get(path, permission=permission, decode=decode)
        if not isinstance(found, Reply):
            return found
        code, description = read_reason(found.body)
        raise RequestRejected(
            "GET", path, status=found.status, error_code=code, description=description
        )

    async def _databases(self, fields: str, read: Callable[[bytes, str], _T]) -> _T:
        """Return the list of databases with the wanted fields, or with all where it has to be."""
        if self._has_fields:
            try:
                return await self._list(DATABASES, VIEW_DATABASES, read, f"?fields={fields}")
            except RequestRejected as error:
                if error.status not in FIELDS_UNSUPPORTED:
                    raise
            self._has_fields = False
        return await self._list(DATABASES, VIEW_DATABASES, read)

    async def _list(
        self, path: str, permission: str, read: Callable[[bytes, str], _T], query: str = ""
    ) -> _T:
        decode = partial(_decode_list, path, read)
        return await self._transport.get(path, permission=permission, decode=decode, query=query)


def _decode_list(path: str, read: Callable[[bytes, str], _T], reply: Reply) -> _T:
    if reply.status == 404:
        raise foreign_404(path)
    return read(reply.body, path)
