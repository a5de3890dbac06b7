"""Stored captures: each is replayed, and gives the flight records that are stored beside it.

The files in `tests/captures` were made by `client.capture` when their version of the format was
new. They are a promise: THOSE OF VERSION 1 ARE NEVER MADE AGAIN AND NEVER CHANGED, only added to.
If a test here fails, the reader or the replay has broken the format, and is to be corrected; a
change of the client's pace may change records, and then the records alone are written anew.

`python -m tests.test_captures NAME` makes one that is not there yet, of a scene below.
"""

from __future__ import annotations

import asyncio
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from redis_enterprise_actions import ActionsClient, RequestRejected
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import virtual_loop
from tests.replays import Observed, approximate, fields_of, without_urls


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis_enterprise_actions import Record
    from redis_enterprise_actions.testing import ReplayedCluster

    Scene = Callable[[ActionsClient, FakeCluster | None], Awaitable[None]]

pytestmark = pytest.mark.enable_socket

FOLDER: Final = Path(__file__).parent / "captures"
UUID: Final = "{:08x}-0000-4000-8000-000000000000"


async def outage(client: ActionsClient, cluster: FakeCluster | None) -> None:
    """Three nodes and tokens: an update with an outage, a failure, and a delete that vanishes."""
    uids = [UUID.format(number) for number in (1, 2, 3)]
    if cluster is not None:
        uids = [
            cluster.add_action("SMUpdateBDB", Plan(duration=90, progress="linear"), bdb_uid=5),
            cluster.add_action("retry_bdb", Plan(duration=40, outcome="failed", error="no memory")),
            cluster.add_action("SMDeleteBDB", Plan(duration=60, outcome="vanishes"), bdb_uid=6),
        ]
    for uid in uids:  # in turn, as pseudonyms are numbered as values appear
        await client.get_action(uid)
    waiting = [asyncio.create_task(client.wait_for_action(uid)) for uid in uids]
    if cluster is not None:
        await asyncio.sleep(20)
        await cluster.stop_node(1)
        await asyncio.sleep(5)
        cluster.inject(status=503, times=6, retry_after=2)
        cluster.inject(drop=True, times=2)
        cluster.inject(truncate=True)
        await asyncio.sleep(20)
        await cluster.start_node(1)
        cluster.revoke_tokens()
    await asyncio.gather(*waiting, return_exceptions=True)


async def crdb(client: ActionsClient, cluster: FakeCluster | None) -> None:
    """A task of an Active-Active database that completes, and one that fails."""
    ids = [UUID.format(number) for number in (1, 3)]  # the second one is that of the database
    if cluster is not None:
        ids = [
            cluster.start_crdb_task("update_crdb", Plan(duration=30)),
            cluster.start_crdb_task("update_crdb", Plan(duration=50, outcome="failed", error="x")),
        ]
    waits = [client.operation(f"crdb:{each}") for each in ids]
    for wait in waits:
        await wait.get()
    await asyncio.gather(*(each.wait() for each in waits), return_exceptions=True)


async def calls(client: ActionsClient, cluster: FakeCluster | None) -> None:
    """Calls that start work: an upgrade, an export, maintenance of a node, and a refused one."""
    database, node, unknown = 1, 1, 4
    if cluster is not None:
        unknown = 999
        cluster.add_bdb(database)
        cluster.plan("POST", "/v1/bdbs/1/upgrade", Plan(duration=25))
        cluster.plan("POST", "/v1/bdbs/1/actions/export", Plan(duration=25))
        cluster.plan("POST", "/v1/nodes/1/actions", Plan(duration=15))
        cluster.inject(method="POST", path="/v1/nodes", status=429, retry_after=3)
    await (await client.databases.upgrade(database)).wait()
    place = {"type": "url", "url": "ftp://backup.example.com/x.rdb"}
    await (await client.databases.export(database, place)).wait()
    await (await client.nodes.maintenance_on(node)).wait()
    with suppress(RequestRejected):
        await client.submit("PUT", f"/v1/bdbs/{unknown}/flush")


# Names of the files, with the version of the format, the scene and the settings of the client.
SCENES: Final[dict[str, tuple[Scene, dict[str, Any]]]] = {
    "v1-outage": (outage, {"auth": "jwt"}),
    "v1-crdb": (crdb, {}),
    "v1-calls": (calls, {}),
}


async def run(
    name: str, cluster: FakeCluster | ReplayedCluster, capture: Path | None = None
) -> list[Record]:
    """Play a scene, and return the records of its waits in the order of their beginning."""
    scene, options = SCENES[name]
    observed = Observed()
    user = {"username": cluster.username, "password": cluster.password}
    async with ActionsClient(cluster.urls, **user, **options) as client:
        client.observe(observed.observe)
        if capture is None:
            await scene(client, None)
        else:
            async with client.capture(capture):
                await scene(client, cluster)
    return observed.records


async def replayed(path: Path) -> tuple[list[dict[str, Any]], ReplayedCluster]:
    """Replay a capture; return the records, and the cluster."""
    random.seed(1)
    async with FakeCluster.replay(path) as cluster:
        records = await run(path.stem, cluster)
        urls = cluster.urls
    return [fields_of(each, lambda text: without_urls(text, urls)) for each in records], cluster


def test_stored() -> None:
    """Every scene has a stored capture, with records beside it."""
    files = {path.name for path in FOLDER.iterdir()}

    assert files == {f"{name}{end}" for name in SCENES for end in (".json", ".records.json")}


@pytest.mark.parametrize("name", SCENES)
async def test_replay(name: str) -> None:
    """A capture of any version that was published is replayed, and gives the same records."""
    stored = msgspec.json.decode((FOLDER / f"{name}.records.json").read_bytes())
    records, cluster = await replayed(FOLDER / f"{name}.json")

    assert records == approximate(stored)
    assert cluster.unexpected == []
    assert cluster.unplayed == []


async def make(name: str) -> None:
    """Make a capture that is not there yet, and write the records of its replay."""
    path = FOLDER / f"{name}.json"
    random.seed(1)
    if not path.exists():
        async with FakeCluster(nodes=3 if name == "v1-outage" else 1, seed=1) as cluster:
            recorded = await run(name, cluster, path)
        path.chmod(0o644)
        print([(record.outcome, record.polls, record.elapsed) for record in recorded])
    records, cluster_ = await replayed(path)
    print([(record["outcome"], record["polls"], record["elapsed"]) for record in records])
    print("unplayed", len(cluster_.unplayed), "unexpected", cluster_.unexpected)
    text = msgspec.json.format(msgspec.json.encode(records))
    (FOLDER / f"{name}.records.json").write_bytes(text + b"\n")


if __name__ == "__main__":
    virtual_loop().run_until_complete(make(sys.argv[1]))
