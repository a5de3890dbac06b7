"""Tests of `_model.objects`."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions import Crdb, CrdbInstance, Database, Endpoint, Node, Secret


PASSWORD = "hunter2-hunter2"
ENDPOINT = Endpoint(dns_name="redis-1.local", addresses=("10.0.0.1",), port=12000)
DATABASE = Database(
    uid=1, name="cache", status="active", endpoints=(ENDPOINT,), password=Secret(PASSWORD)
)
NODE = Node(uid=2, address="10.0.0.2", status="active", shard_count=3)
CRDB = Crdb(guid="g", name="world", instances=(CrdbInstance(id=1, cluster="a.local", db_uid=4),))


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (ENDPOINT, "redis-1.local:12000"),
        (Endpoint(addresses=("10.0.0.1", "10.0.0.2"), port=1), "10.0.0.1:1"),
        (Endpoint(addresses=("fd00::1",), port=1), "[fd00::1]:1"),
        (Endpoint(dns_name="a"), "a"),
        (Endpoint(), ""),
    ],
)
def test_endpoint(endpoint: Endpoint, text: str) -> None:
    """An endpoint is `host:port` as text."""
    assert str(endpoint) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (DATABASE, "<Database bdb:1 cache>"),
        (NODE, "<Node node:2 10.0.0.2>"),
        (Node(uid=3), "<Node node:3>"),
        (CRDB, "<Crdb crdb g world>"),
        (Database(uid=1, name="a\x1b[2J\nb"), "<Database bdb:1 a [2J b>"),
    ],
)
def test_repr(found: Database | Node | Crdb, text: str) -> None:
    """The `repr` of an object is one printable line that names it."""
    assert repr(found) == str(found) == text


@pytest.mark.parametrize("found", [NODE, CRDB, Database(uid=1, endpoints=(ENDPOINT,))])
def test_value(found: Database | Node | Crdb) -> None:
    """Objects can be compared, hashed and pickled, and cannot be changed."""
    twin = pickle.loads(pickle.dumps(found))

    assert twin == found
    assert len({twin, found}) == 1
    with pytest.raises(AttributeError):
        found.name = "x"  # type: ignore[union-attr, misc]


def test_json() -> None:
    """JSON has all fields."""
    assert CRDB.to_dict() == {
        "v": 1,
        "guid": "g",
        "name": "world",
        "instances": [{"id": 1, "cluster": "a.local", "db_uid": 4}],
    }
    assert json.loads(NODE.to_json()) == NODE.to_dict()
    assert DATABASE.to_dict()["password"] == "***"
    assert Database(uid=1).to_dict()["password"] is None


@given(st.text(min_size=8).filter(lambda text: "***" not in text))
def test_password(password: str) -> None:
    """Nothing that an object is written to shows the password."""
    database = Database(uid=1, name="cache", password=Secret(password))
    written = [repr(database), str(database), f"{database}", str([database]), database.to_json()]
    written += [str(database.to_dict()), str(list(database.__rich_repr__()))]

    plain = [repr(twin := Database(uid=1, name="cache", password=Secret(""))), str(twin)]
    plain += [f"{twin}", str([twin]), twin.to_json(), str(twin.to_dict())]
    plain += [str(list(twin.__rich_repr__()))]
    assert written == plain
    assert pickle.dumps(database) == pickle.dumps(twin)
    assert database.password is not None
    assert database.password.reveal() == password
