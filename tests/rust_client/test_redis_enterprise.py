"""`redis-enterprise` decodes what the fake cluster answers, on each version.

Its types were written after real clusters, and know nothing of this package.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

import pytest
from redis_enterprise import EnterpriseClient

from redis_enterprise_actions.testing import Version
from tests.threaded_cluster import ThreadedCluster


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.enable_socket

VERSIONS: Final = get_args(Version)
TRANSPORTS: Final = (None, "self-signed", "own-ca")


class Answers(NamedTuple):
    """Answers of the typed calls, and those of raw requests, by path."""

    databases: list[dict[str, Any]]
    database: dict[str, Any]
    nodes: list[dict[str, Any]]
    node: dict[str, Any]
    cluster: dict[str, Any]
    license: dict[str, Any]
    raw: dict[str, Any]


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> Version:
    """Return a version of the cluster."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=TRANSPORTS, ids=str)
def serving(version: Version, request: pytest.FixtureRequest) -> Iterator[ThreadedCluster]:
    """Serve a cluster of that version: an update of database 2 runs, and database 1 is idle."""
    threaded = ThreadedCluster(version=version, tls=request.param, nodes=2)
    threaded.start()
    threaded.do(lambda cluster: cluster.add_bdb(1, name="cache"))
    threaded.add(bdb_uid=2, uid="a1")
    yield threaded
    threaded.stop()


@pytest.fixture
def answers(serving: ThreadedCluster) -> Answers:
    """Return what the client makes of the cluster's answers; it does not verify certificates."""
    cluster = serving.cluster
    client = EnterpriseClient(
        cluster.url, cluster.username, cluster.password, insecure=True, timeout_secs=10
    )

    async def ask() -> Answers:
        paths = ("/v1/bdbs", "/v1/nodes", "/v1/cluster")
        return Answers(
            await client.databases(),
            await client.database(2),
            await client.nodes(),
            await client.node(2),
            await client.cluster_info(),
            await client.license(),
            {path: await client.get(path) for path in paths},
        )

    return asyncio.run(ask())


def given(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON without the fields that are null, and without the uptime, which goes on."""
    if isinstance(value, list):
        return [given(each) for each in value]
    if isinstance(value, dict):
        return {name: given(v) for name, v in value.items() if name != "uptime" and v is not None}
    return value


def test_nothing_lost(answers: Answers) -> None:
    """Each field that the cluster sends is in the client's types, with the same value."""
    typed = answers.databases, answers.nodes, answers.cluster
    sent = (answers.raw[path] for path in ("/v1/bdbs", "/v1/nodes", "/v1/cluster"))

    assert given(list(typed)) == given(list(sent))


def test_databases(answers: Answers) -> None:
    """Databases have their names, statuses, sizes, shards and endpoints."""
    cache, busy = answers.databases

    assert (cache["uid"], cache["name"], cache["status"]) == (1, "cache", "active")
    assert (cache["action_uid"], busy["action_uid"]) == (None, "a1")
    assert (busy["uid"], busy["status"]) == (2, "active-change-pending")
    assert (cache["memory_size"], cache["shards_count"]) == (1024**3, 1)
    assert (cache["shard_list"], busy["shard_list"]) == ([1, 2], [3, 4])
    assert (cache["type"], cache["redis_version"], cache["replication"]) == ("redis", "7.2", True)
    assert (cache["data_persistence"], cache["port"]) == ("disabled", 0)
    assert cache["created_time"] == answers.cluster["created_time"]
    [endpoint] = busy["endpoints"]
    assert (endpoint["uid"], endpoint["port"], endpoint["proxy_policy"]) == ("2:1", 10002, "single")
    assert endpoint["dns_name"] == f"redis-10002.{answers.cluster['name']}"
    assert answers.database == busy


def test_nodes(answers: Answers, version: Version) -> None:
    """Nodes have their addresses, shards and hardware."""
    first, second = answers.nodes

    assert [(node["uid"], node["status"], node["addr"]) for node in answers.nodes] == [
        (1, "active", "10.0.0.1"),
        (2, "active", "10.0.0.2"),
    ]
    assert (first["shard_list"], second["shard_list"]) == ([1, 3], [2, 4])
    assert (first["shard_count"], first["cores"], first["total_memory"]) == (2, 4, 16 * 1024**3)
    assert first["software_version"].startswith((f"{version}.", f"{version}-"))
    assert (first["external_addr"], first["rack_id"]) == ([], "")
    assert given(answers.node) == given(second)
    assert first["uptime"] in range(60)


def test_cluster(answers: Answers) -> None:
    """The cluster has a name, ports and settings, and its license a limit."""
    assert (answers.cluster["name"], answers.cluster["cnm_https_port"]) == ("cluster1.local", 9443)
    assert answers.cluster["handle_redirects"] is False
    assert (answers.license["expired"], answers.license["shards_limit"]) == (False, 100)
