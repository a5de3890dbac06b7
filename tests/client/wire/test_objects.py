"""Tests of `_client.wire.objects`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions import (
    Crdb,
    CrdbInstance,
    Database,
    Endpoint,
    Node,
    Secret,
    UnreadableReply,
)
from redis_enterprise_actions._client.wire.objects import (
    read_crdb,
    read_crdbs,
    read_database_names,
    read_database_object,
    read_database_objects,
    read_node,
    read_nodes,
)


if TYPE_CHECKING:
    from collections.abc import Callable

FULL = {
    "uid": 1,
    "name": "cache",
    "status": "active",
    "endpoints": [
        {"uid": "1:1", "addr": ["10.0.0.1"], "dns_name": "redis-1.local", "port": 12000},
        {"addr": "10.0.0.2", "port": "12001"},
        5,
        {},
    ],
    "port": 12000,
    "redis_version": "7.2",
    "version": "7.2.4",
    "shard_list": [1, "2", None, {}],
    "shards_count": 1,
    "memory_size": 1024,
    "crdt_guid": "g",
    "authentication_redis_pass": "hunter2-hunter2",
    "authentication_admin_pass": "another-secret",
}


def test_database() -> None:
    """A database has what its object says; what cannot be read of a list is left out."""
    assert read_database_object(json.dumps(FULL).encode(), "/v1/bdbs/1") == Database(
        uid=1,
        name="cache",
        status="active",
        endpoints=(
            Endpoint(dns_name="redis-1.local", addresses=("10.0.0.1",), port=12000),
            Endpoint(addresses=("10.0.0.2",), port=12001),
            Endpoint(),
        ),
        port=12000,
        redis_version="7.2",
        version="7.2.4",
        shards=("1", "2"),
        shards_count=1,
        memory_size=1024,
        crdb_guid="g",
        password=Secret("hunter2-hunter2"),
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        dict.fromkeys(FULL.keys() - {"uid"}),
        {key: {} for key in FULL.keys() - {"uid"}},
        {"port": 0, "crdt_guid": "", "authentication_redis_pass": "", "shard_list": []},
        {"port": -1, "shards_count": "many", "memory_size": 1.5, "endpoints": "no"},
    ],
)
def test_lenient(fields: dict[str, object]) -> None:
    """Numbers may be text; fields that are missing or of another type are empty."""
    body = json.dumps({"uid": "1"} | fields).encode()

    assert read_database_object(body, "/v1/bdbs/1") == Database(uid=1)


def test_node() -> None:
    """A node has what its object says."""
    fields = {
        "uid": "2",
        "status": "active",
        "addr": "10.0.0.2",
        "external_addr": ["1.2.3.4"],
        "shard_count": "3",
        "software_version": "8.0.20-68",
        "rack_id": "r1",
        "total_memory": 1024,
    }
    node = Node(
        uid=2,
        status="active",
        address="10.0.0.2",
        external_addresses=("1.2.3.4",),
        shard_count=3,
        software_version="8.0.20-68",
        rack_id="r1",
        total_memory=1024,
    )

    assert read_node(json.dumps(fields).encode(), "/v1/nodes/2") == node
    assert read_nodes(json.dumps([fields]).encode(), "/v1/nodes") == [node]
    assert read_node(b'{"uid": 2, "addr": 5}', "/v1/nodes/2") == Node(uid=2)


def test_crdb() -> None:
    """An Active-Active database has its instances; the local one's uid may be in another list."""
    fields = {
        "guid": "g",
        "name": "world",
        "instances": [
            {"id": 1, "cluster": {"name": "a.local", "credentials": {"password": "x"}}},
            {"id": "2", "cluster": {"name": "b.local"}, "db_uid": "7"},
            {"id": 3, "cluster": None},
            {"cluster": {"name": "c.local"}},
        ],
        "local_databases": [{"id": 1, "bdb_uid": "4"}],
    }
    crdb = Crdb(
        guid="g",
        name="world",
        instances=(
            CrdbInstance(id=1, cluster="a.local", db_uid=4),
            CrdbInstance(id=2, cluster="b.local", db_uid=7),
            CrdbInstance(id=3),
        ),
    )

    assert read_crdb(json.dumps(fields).encode(), "/v1/crdbs/g") == crdb
    assert read_crdbs(json.dumps({"crdbs": [fields]}).encode(), "/v1/crdbs") == [crdb]
    assert read_crdb(b'{"guid": "g"}', "/v1/crdbs/g") == Crdb(guid="g")


@pytest.mark.parametrize(
    "body",
    [
        [{"uid": 1, "name": "a"}, {"uid": "2"}, {"name": "c"}, 5, {"uid": "x"}],
        {"bdbs": [{"uid": 1, "name": "a"}, {"uid": 2, "name": 5}]},
    ],
)
def test_lists(body: object) -> None:
    """A list may be in an object; entries without a uid are left out."""
    text = json.dumps(body).encode()

    assert read_database_names(text, "/v1/bdbs") == {1: "a", 2: ""}
    assert read_database_objects(text, "/v1/bdbs") == [Database(uid=1, name="a"), Database(uid=2)]


LONE: list[Callable[[bytes, str], object]] = [read_database_object, read_node, read_crdb]
LISTS: list[Callable[[bytes, str], object]] = [
    *(read_database_objects, read_database_names, read_nodes, read_crdbs),
]


@pytest.mark.parametrize("read", LONE)
@pytest.mark.parametrize(
    "body", [b"", b"<html>hunter2</html>", b'["hunter2"]', b'{"name": "hunter2"}', b'"hunter2"']
)
def test_no_object(read: Callable[[bytes, str], object], body: bytes) -> None:
    """A body that is no such object is unreadable, and the error does not quote it."""
    with pytest.raises(UnreadableReply, match="not an object with a uid") as raised:
        read(body, "/v1/x")

    assert "hunter2" not in repr(raised.value)
    assert raised.value.__context__ is None


@pytest.mark.parametrize("read", LISTS)
@pytest.mark.parametrize(
    "body", [b"", b'{"hunter2": []}', b'{"bdbs": 5, "nodes": 5, "crdbs": 5}', b"5", b"[hunter2"]
)
def test_no_list(read: Callable[[bytes, str], object], body: bytes) -> None:
    """A body that is no list is unreadable, and the error does not quote it."""
    with pytest.raises(UnreadableReply, match="not a list of") as raised:
        read(body, "/v1/x")

    assert "hunter2" not in repr(raised.value)
    assert raised.value.__context__ is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_field(value: object) -> None:
    """Whatever a field holds, the database can be read, and is named by its uid."""
    for name in FULL.keys() - {"uid"}:
        body = json.dumps({"uid": 1, name: value}).encode()
        assert read_database_object(body, "/v1/bdbs/1").uid == 1
