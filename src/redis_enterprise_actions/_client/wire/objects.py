"""JSON bodies of databases, nodes and Active-Active databases, decoded into those objects.

Bodies hold secrets: no error or log record quotes them. Vendor pages: objects/bdb, objects/node,
objects/crdb.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from redis_enterprise_actions._model.errors import UnreadableReply
from redis_enterprise_actions._model.objects import Crdb, CrdbInstance, Database, Endpoint, Node
from redis_enterprise_actions._model.secret import Secret

from .lenient_json import TextOrInt, as_text, decode, decode_or_default, decode_struct
from .replies import decode_each, entries_of


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NUMBER: Final = re.compile(r"\d{1,18}", re.ASCII)
_W = TypeVar("_W", bound=msgspec.Struct)
_T = TypeVar("_T")


class WireDatabaseObject(msgspec.Struct):
    """The fields of a database that `Database` shows."""

    uid: TextOrInt = None
    name: str | None = None
    status: str | None = None
    endpoints: msgspec.Raw = msgspec.Raw()
    port: TextOrInt = None
    redis_version: str | None = None
    version: str | None = None
    shard_list: msgspec.Raw = msgspec.Raw()
    shards_count: TextOrInt = None
    memory_size: TextOrInt = None
    crdt_guid: str | None = None
    authentication_redis_pass: str | None = None


class WireName(msgspec.Struct):
    """The fields that name a database."""

    uid: TextOrInt = None
    name: str | None = None


class WireEndpoint(msgspec.Struct):
    """An entry of `endpoints`."""

    dns_name: str | None = None
    addr: msgspec.Raw = msgspec.Raw()
    port: TextOrInt = None


class WireNode(msgspec.Struct):
    """The fields of a node that `Node` shows."""

    uid: TextOrInt = None
    status: str | None = None
    addr: str | None = None
    external_addr: msgspec.Raw = msgspec.Raw()
    shard_count: TextOrInt = None
    software_version: str | None = None
    rack_id: str | None = None
    total_memory: TextOrInt = None


class WireCrdb(msgspec.Struct):
    """The fields of an Active-Active database that `Crdb` shows."""

    guid: str | None = None
    name: str | None = None
    instances: msgspec.Raw = msgspec.Raw()
    local_databases: msgspec.Raw = msgspec.Raw()


class WireCrdbInstance(msgspec.Struct):
    """An entry of `instances`."""

    id: TextOrInt = None
    cluster: msgspec.Raw = msgspec.Raw()
    db_uid: TextOrInt = None


class WireCrdbCluster(msgspec.Struct):
    """The `cluster` of an instance."""

    name: str | None = None


class WireLocalDatabase(msgspec.Struct):
    """An entry of `local_databases`."""

    id: TextOrInt = None
    bdb_uid: TextOrInt = None


DATABASE_OBJECT_FIELDS: Final = ",".join(
    field.name for field in msgspec.structs.fields(WireDatabaseObject)
)
NAME_FIELDS: Final = "uid,name"


def read_database_object(body: bytes, path: str) -> Database:
    """Decode the answer of GET /v1/bdbs/{uid}. Raises `UnreadableReply`."""
    return _read_one(body, path, WireDatabaseObject, _database)


def read_database_objects(body: bytes, path: str) -> list[Database]:
    """Decode the list of /v1/bdbs. Raises `UnreadableReply`."""
    return _read_list(body, path, "bdbs", WireDatabaseObject, _database)


def read_database_names(body: bytes, path: str) -> dict[int, str]:
    """Decode the list of /v1/bdbs; return the names by uid. Raises `UnreadableReply`."""
    return dict(_read_list(body, path, "bdbs", WireName, _named))


def read_node(body: bytes, path: str) -> Node:
    """Decode the answer of GET /v1/nodes/{uid}. Raises `UnreadableReply`."""
    return _read_one(body, path, WireNode, _node)


def read_nodes(body: bytes, path: str) -> list[Node]:
    """Decode the list of /v1/nodes. Raises `UnreadableReply`."""
    return _read_list(body, path, "nodes", WireNode, _node)


def read_crdb(body: bytes, path: str) -> Crdb:
    """Decode the answer of GET /v1/crdbs/{guid}. Raises `UnreadableReply`."""
    return _read_one(body, path, WireCrdb, _crdb)


def read_crdbs(body: bytes, path: str) -> list[Crdb]:
    """Decode the list of /v1/crdbs. Raises `UnreadableReply`."""
    return _read_list(body, path, "crdbs", WireCrdb, _crdb)


def _read_one(body: bytes, path: str, shape: type[_W], convert: Callable[[_W], _T | None]) -> _T:
    try:
        found = convert(decode_struct(body, shape))
    except ValueError:
        found = None
    if found is None:  # raised here, so that the error has no context that quotes the body
        raise UnreadableReply("GET", path, problem="not an object with a uid")
    return found


def _read_list(
    body: bytes, path: str, key: str, shape: type[_W], convert: Callable[[_W], _T | None]
) -> list[_T]:
    """Return the objects of a list, without entries that cannot be read or have no uid."""
    try:
        raws = entries_of(body, key)
    except ValueError:
        raws = None
    if raws is None:
        raise UnreadableReply("GET", path, problem=f"not a list of {key}")
    found = [convert(wire) for _, wire in decode_each(raws, shape)]
    return [each for each in found if each is not None]


def _database(wire: WireDatabaseObject) -> Database | None:
    uid = _number(wire.uid)
    if uid is None:
        return None
    password = wire.authentication_redis_pass
    endpoints = [each for _, each in decode_each(_array(wire.endpoints), WireEndpoint)]
    return Database(
        uid=uid,
        name=wire.name or "",
        status=wire.status or "",
        endpoints=tuple(map(_endpoint, endpoints)),
        port=_number(wire.port) or None,
        redis_version=wire.redis_version or None,
        version=wire.version or None,
        shards=_texts(wire.shard_list),
        shards_count=_number(wire.shards_count),
        memory_size=_number(wire.memory_size),
        crdb_guid=wire.crdt_guid or None,
        password=Secret(password) if password else None,
    )


def _endpoint(wire: WireEndpoint) -> Endpoint:
    addresses = _texts(wire.addr)
    return Endpoint(
        dns_name=wire.dns_name or None, addresses=addresses, port=_number(wire.port) or None
    )


def _named(wire: WireName) -> tuple[int, str] | None:
    uid = _number(wire.uid)
    return None if uid is None else (uid, wire.name or "")


def _node(wire: WireNode) -> Node | None:
    uid = _number(wire.uid)
    if uid is None:
        return None
    return Node(
        uid=uid,
        status=wire.status or "",
        address=wire.addr or None,
        external_addresses=_texts(wire.external_addr),
        shard_count=_number(wire.shard_count),
        software_version=wire.software_version or None,
        rack_id=wire.rack_id or None,
        total_memory=_number(wire.total_memory),
    )


def _crdb(wire: WireCrdb) -> Crdb | None:
    guid = as_text(wire.guid)
    if guid is None:
        return None
    local = {
        _number(each.id): _number(each.bdb_uid)
        for _, each in decode_each(_array(wire.local_databases), WireLocalDatabase)
    }
    instances = [
        CrdbInstance(
            id=number,
            cluster=decode_or_default(each.cluster, WireCrdbCluster).name or "",
            db_uid=_number(each.db_uid) or local.get(number),
        )
        for _, each in decode_each(_array(wire.instances), WireCrdbInstance)
        if (number := _number(each.id)) is not None
    ]
    return Crdb(guid=guid, name=wire.name or "", instances=tuple(instances))


def _number(value: TextOrInt) -> int | None:
    """Return a whole number, 0 or more, that the cluster may give as text, or None."""
    text = as_text(value) or ""
    return int(text) if _NUMBER.fullmatch(text) else None


def _array(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """Return the entries of a list, or none if there is no list."""
    try:
        return decode(raw, list[msgspec.Raw])
    except ValueError:
        return []


def _texts(raw: msgspec.Raw) -> tuple[str, ...]:
    """Return the texts and numbers of a list, or the only one, as texts."""
    entries: Iterable[msgspec.Raw] = _array(raw) or [raw]
    texts: list[str | None] = []
    for each in entries:
        try:
            texts.append(as_text(decode(each, str | int)))  # type: ignore[arg-type]  # a union
        except ValueError:
            continue
    return tuple(filter(None, texts))
