"""Objects of a cluster that work makes or changes: databases, nodes, Active-Active databases.

Vendor pages: objects/bdb, objects/node, objects/crdb.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from .secret import Secret
from .text import json_text, one_line


class ClusterObject(msgspec.Struct, frozen=True, kw_only=True, tag_field="v", tag=1):
    """Base of the objects of a cluster, as last read.

    Immutable, hashable and picklable; `to_dict` and `to_json` make JSON of it, with `"v": 1`.
    """

    @property
    def title(self) -> str:
        """The kind of object and its uid, in one line."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, object]:
        """Return `"v": 1` and the fields as JSON has them; a secret is `***`."""
        return msgspec.json.decode(
            msgspec.json.encode(self, enc_hook=_hidden), type=dict[str, object]
        )

    def to_json(self) -> str:
        """Return the object as JSON in one line; a secret is `***`."""
        return json_text(self.to_dict())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {one_line(self.title)}>"


def _hidden(secret: object) -> str:
    return repr(secret)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Endpoint of a database, to which clients connect: `host:port` as text.

    `host` is the DNS name, or else the first of the IP `addresses`.

    Source: objects/bdb, `endpoints`.
    """

    dns_name: str | None = None
    addresses: tuple[str, ...] = ()
    port: int | None = None

    @property
    def host(self) -> str:
        """The DNS name, or else the first address; empty without either."""
        return self.dns_name or next(iter(self.addresses), "")

    def __str__(self) -> str:
        host = one_line(self.host)
        host = f"[{host}]" if ":" in host else host
        return host if self.port is None else f"{host}:{self.port}"


class Database(ClusterObject, frozen=True, kw_only=True):
    """Database of a cluster, as last read.

    `status` is the cluster's own word, such as `active`. `port` is the configured one, and None
    where the cluster has chosen it: `endpoints` have the port in any case. `redis_version` is that
    of the Redis processes, and `version` the full one. `shards` are the uids of the shards,
    replicas included, and `shards_count` is the number of primary ones. `memory_size` is the limit
    in bytes, 0 for none. `crdb_guid` is that of the Active-Active database that this is an instance
    of. `password` is that of the default user: None where there is none, or where the user of the
    API may not see it. A field that the cluster does not give is None, or empty.

    Source: objects/bdb.
    """

    uid: int
    name: str = ""
    status: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    port: int | None = None
    redis_version: str | None = None
    version: str | None = None
    shards: tuple[str, ...] = ()
    shards_count: int | None = None
    memory_size: int | None = None
    crdb_guid: str | None = None
    password: Secret | None = None

    @property
    def title(self) -> str:
        """The uid and the name, in one line: `bdb:1 cache`."""
        return one_line(f"bdb:{self.uid} {self.name}")


class Node(ClusterObject, frozen=True, kw_only=True):
    """Node of a cluster, as last read.

    `status` is the cluster's own word, such as `active` or `down`. `address` is the one inside the
    cluster's network. `shard_count` is the number of shards on the node, `software_version` that of
    Redis Software, `rack_id` the rack, and `total_memory` the memory in bytes. A field that the
    cluster does not give is None, or empty.

    Source: objects/node.
    """

    uid: int
    status: str = ""
    address: str | None = None
    external_addresses: tuple[str, ...] = ()
    shard_count: int | None = None
    software_version: str | None = None
    rack_id: str | None = None
    total_memory: int | None = None

    @property
    def title(self) -> str:
        """The uid and the address, in one line: `node:1 10.0.0.1`."""
        return one_line(f"node:{self.uid} {self.address or ''}")


class CrdbInstance(msgspec.Struct, frozen=True, kw_only=True):
    """Instance of an Active-Active database on one of its clusters.

    `cluster` is the name of that cluster (its FQDN). `db_uid` is the uid of the database there;
    most clusters tell it of their own instance only, so that it is None for others.

    Source: objects/crdb, `instances` and `local_databases`.
    """

    id: int
    cluster: str = ""
    db_uid: int | None = None


class Crdb(ClusterObject, frozen=True, kw_only=True):
    """Active-Active database, as last read from one of its clusters.

    Source: objects/crdb.
    """

    guid: str
    name: str = ""
    instances: tuple[CrdbInstance, ...] = ()

    @property
    def title(self) -> str:
        """The GUID and the name, in one line."""
        return one_line(f"crdb {self.guid} {self.name}")


OperationResult: TypeAlias = Database | Node | Crdb | None
"""Object that work has made or changed; None where none is left, or none is known."""
