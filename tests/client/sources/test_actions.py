"""Tests of `_client.sources.actions`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import (
    Action,
    Kind,
    RequestRejected,
    UnreadableReply,
    UsageError,
)
from redis_enterprise_actions._client.sources.actions import ActionsApi
from redis_enterprise_actions._model.reference import Reference, ReferenceKind
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of
from tests.scripted import ref_of


if TYPE_CHECKING:
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import ListResult
    from redis_enterprise_actions.testing import Version

pytestmark = pytest.mark.core


def transport_to(cluster: FakeCluster) -> Transport:
    """Return a transport to the fake."""
    return client_of(cluster)._transport


def asked(cluster: FakeCluster) -> list[str]:
    """Return the paths that the cluster was asked for since last time."""
    paths = [request.path for request in cluster.requests]
    cluster.requests.clear()
    return paths


class TestFind:
    """One action by its uid."""

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("version", ["7.4", "7.8", "7.22", "8.0"])
    @pytest.mark.parametrize("name", ["retry_bdb", "SMUpdateBDB"])
    async def test_v1(self, version: Version, name: str) -> None:
        """An action that v1 knows costs one request, on every version."""
        async with FakeCluster(version=version) as cluster:
            transport = transport_to(cluster)
            uid = cluster.add_action(name)
            found = await ActionsApi(transport).find_action(uid)
            await transport.close()

            assert found is not None
            assert (found.uid, found.name) == (uid, name)
            assert asked(cluster) == [f"/v1/actions/{uid}"]

    async def test_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action that only v2 knows is found there; the list of v2 is requested once."""
        first, second = cluster.add_action("export"), cluster.add_action("import")

        found = await actions_api.find_action(first)
        assert found is not None
        assert (found.uid, found.kind) == (first, Kind.OTHER)
        assert asked(cluster) == [f"/v1/actions/{first}", "/v2/actions"]

        assert await actions_api.find_action(second)
        assert asked(cluster) == [f"/v1/actions/{second}", f"/v2/actions/{second}"]

        assert await actions_api.find_action(first, found)
        assert asked(cluster) == [f"/v2/actions/{first}"]

    async def test_unknown(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action that neither version knows is not found."""
        assert await actions_api.find_action("x") is None
        assert asked(cluster) == ["/v1/actions/x", "/v2/actions", "/v2/actions/x"]

        assert await actions_api.find_action("x") is None
        assert asked(cluster) == ["/v1/actions/x", "/v2/actions/x"]

    async def test_gone_from_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action that v2 no longer knows is looked up in v1 as well."""
        uid = cluster.add_action("export")
        found = await actions_api.find_action(uid)
        cluster.forget(uid)
        asked(cluster)

        assert await actions_api.find_action(uid, found) is None
        assert asked(cluster) == [f"/v2/actions/{uid}", f"/v1/actions/{uid}"]

    @pytest.mark.parametrize("body", [b"", b"404: Not Found", b"<html>no such page</html>"])
    async def test_missing_route(
        self, cluster: FakeCluster, actions_api: ActionsApi, body: bytes
    ) -> None:
        """A 404 without the API's words is no missing action, if the list is missing, too."""
        cluster.inject(times=None, status=404, body=body)

        with pytest.raises(UnreadableReply, match="port 9443"):
            await actions_api.find_action("x")

    async def test_odd_404(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A 404 without the API's words is looked into with the list."""
        uid = cluster.add_action()
        cluster.inject(status=404)
        found = await actions_api.find_action(uid)
        assert found is not None
        assert found.uid == uid
        assert asked(cluster) == [f"/v1/actions/{uid}", "/v1/actions"]

        cluster.inject(status=404)
        assert await actions_api.find_action("x") is None

    async def test_odd_404_on_an_empty_cluster(
        self, cluster: FakeCluster, actions_api: ActionsApi
    ) -> None:
        """A 404 of the API's for the list means that there are no actions."""
        cluster.inject(status=404)
        cluster.inject(status=404, body='{"error_code": "action_not_found"}')

        assert await actions_api.find_action("x") is None

    @pytest.mark.parametrize(
        ("uid", "path"),
        [
            ("a/../b", "/v1/actions/a%2F..%2Fb"),
            ("a b?c#d%", "/v1/actions/a%20b%3Fc%23d%25"),
            ("é", "/v1/actions/%C3%A9"),
            ("...", "/v1/actions/..."),
        ],
    )
    async def test_quoting(
        self, cluster: FakeCluster, actions_api: ActionsApi, uid: str, path: str
    ) -> None:
        """A uid that needs quoting is quoted, and cannot ask for anything else."""
        cluster.add_action(uid=uid)
        found = await actions_api.find_action(uid)

        assert found is not None
        assert found.uid == uid
        assert asked(cluster) == [path]


@pytest.mark.enable_socket
class TestList:
    """All actions, or those on one database."""

    async def test_both_versions(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """The list has the actions of v1, and then those that only v2 shows."""
        machine, task = cluster.add_action("SMUpdateBDB"), cluster.add_action("retry_bdb")
        other = cluster.add_action("backup")

        assert [action.uid for action in await actions_api.list_actions(None)] == [
            task,
            machine,
            other,
        ]
        assert asked(cluster) == ["/v1/actions", "/v2/actions"]

    async def test_database(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """The list of a database has its state machines, and its imports and exports."""
        mine, other = cluster.add_action(bdb_uid=2), cluster.add_action("export", bdb_uid=2)
        cluster.add_action(bdb_uid=3)
        cluster.add_action("export", bdb_uid=3)
        cluster.add_action("retry_bdb")

        assert [action.uid for action in await actions_api.list_actions(2)] == [mine, other]
        assert asked(cluster) == ["/v1/actions/bdb/2", "/v2/actions"]

    async def test_without_v2(self) -> None:
        """Without v2 the list has the actions of v1."""
        async with FakeCluster(version="7.4") as cluster:
            transport = transport_to(cluster)
            uid = cluster.add_action()
            actions_api = ActionsApi(transport)
            lists = [await actions_api.list_actions(None) for _ in range(2)]
            await transport.close()

            assert [[action.uid for action in actions] for actions in lists] == [[uid], [uid]]
            assert asked(cluster) == ["/v1/actions", "/v2/actions", "/v1/actions"]

    @pytest.mark.parametrize(
        "body", [b'{"error_code": "action_not_found"}', b'{"title": "Not Found", "status": 404}']
    )
    async def test_empty(self, cluster: FakeCluster, actions_api: ActionsApi, body: bytes) -> None:
        """A 404 of the API's own on a list is an empty list."""
        cluster.inject(status=404, body=body)

        assert await actions_api.list_actions(None) == []

    async def test_unknown_database(self, actions_api: ActionsApi) -> None:
        """A database that is not there has no actions."""
        assert await actions_api.list_actions(99) == []

    @pytest.mark.parametrize(
        "body", [b"<html>no such page</html>", b"", b"{}", b'{"message": "none"}']
    )
    async def test_wrong_server(
        self, cluster: FakeCluster, actions_api: ActionsApi, body: bytes
    ) -> None:
        """A 404 that is not the API's, such as a gateway's, is not an empty list."""
        cluster.inject(status=404, body=body)

        with pytest.raises(UnreadableReply, match="port 9443"):
            await actions_api.list_actions(None)

    @pytest.mark.parametrize("bdb_uid", [-1, "1", 1.0, True])
    async def test_no_database(self, actions_api: ActionsApi, bdb_uid: int) -> None:
        """A database's uid is a number."""
        with pytest.raises(UsageError, match="not the uid of a database"):
            await actions_api.list_actions(bdb_uid)


async def find_many(actions_api: ActionsApi, wanted: dict[str, Action | None]) -> ListResult:
    """Look several actions up."""
    return await actions_api.fetch_many({ref_of(uid): last for uid, last in wanted.items()})


def uids_of(found: ListResult) -> set[str]:
    """Return the uids in a list result."""
    return {ref.uid for ref in found.actions}


class TestFindMany:
    """Looking several actions up."""

    async def test_v1(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """The list of v1 is requested for actions that v1 has shown or that are not seen yet."""
        uids = [cluster.add_action(), cluster.add_action("retry_bdb")]
        found = await find_many(actions_api, {uids[0]: None, uids[1]: None, "x": None})

        assert asked(cluster) == ["/v1/actions"]
        assert uids_of(found) == set(uids)
        assert found.cost == 1

    async def test_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action that only v2 has shown is looked for there; v1 is requested only if needed."""
        export, update = cluster.add_action("export"), cluster.add_action()
        other = await actions_api.find_action(export)
        asked(cluster)

        found = await find_many(actions_api, {export: other, update: None})
        assert asked(cluster) == ["/v1/actions", "/v2/actions"]
        assert uids_of(found) == {export, update}
        assert found.cost == 2

        found = await find_many(actions_api, {export: other})
        assert asked(cluster) == ["/v2/actions"]
        assert uids_of(found) == {export}

    async def test_v2_for_all(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A list of v2 that is requested for one action serves all missing ones."""
        export, fresh = cluster.add_action("export"), cluster.add_action("export")
        other = await actions_api.find_action(export)

        found = await find_many(actions_api, {export: other, fresh: None})
        assert uids_of(found) == {export, fresh}

    async def test_broken_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """The list of v1 is used alone if that of v2 has the known bug."""
        export, update = cluster.add_action("export"), cluster.add_action()
        other = await actions_api.find_action(export)
        cluster.inject(path="/v2/actions", status=406, body='{"error_code": "invalid_schema"}')

        found = await find_many(actions_api, {export: other, update: None})
        assert uids_of(found) == {update}

    async def test_refused_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A rejected list of v2 is ignored if v1 has answered, and raised otherwise."""
        export, update = cluster.add_action("export"), cluster.add_action()
        other = await actions_api.find_action(export)
        cluster.inject(path="/v2/actions", times=2, status=406)

        found = await find_many(actions_api, {export: other, update: None})
        assert uids_of(found) == {update}
        with pytest.raises(RequestRejected):
            await find_many(actions_api, {export: other})

    async def test_cost(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A long list costs more than a short one, by its size."""
        for _ in range(2000):
            cluster.add_action(plan=Plan(duration=0))

        found = await find_many(actions_api, {"x": None})
        assert 2000 * 100 / 2**15 < found.cost < 2000 * 600 / 2**15

    async def test_in_both(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action that v2 has shown and v1 lists is not looked for in v2 again."""
        update = cluster.add_action()
        seen = await actions_api.find_action(update)
        assert seen is not None
        other = msgspec.structs.replace(seen, kind=Kind.OTHER)
        asked(cluster)

        found = await find_many(actions_api, {update: other, cluster.add_action(): None})
        assert asked(cluster) == ["/v1/actions"]
        assert len(found.actions) == 2

    async def test_changed(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A list of v1 reports changes for each reference to an action."""
        first, second = (cluster.add_action(plan=Plan(duration=seconds)) for seconds in (5.0, 1e6))
        wanted = [ref_of(first), ref_of(second)]
        lists = [await actions_api.fetch_many(dict.fromkeys(wanted)) for _ in range(2)]
        await asyncio.sleep(6)
        lists.append(await actions_api.fetch_many(dict.fromkeys(wanted)))
        wanted.append(Reference(ReferenceKind.ACTION, first, "bdb:7"))
        lists.append(await actions_api.fetch_many(dict.fromkeys(wanted)))
        cluster.forget(first)
        lists.append(await actions_api.fetch_many(dict.fromkeys(wanted)))

        changed = [set(found.changed or ()) for found in lists]
        assert changed == [set(wanted[:2]), set(), {wanted[0]}, set(), {wanted[0], wanted[2]}]
        assert lists[-1].changed == {wanted[0]: None, wanted[2]: None}
        assert lists[-1].actions.keys() == {wanted[1]}

    async def test_changed_in_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A result with actions of v2 does not say what changed."""
        export = cluster.add_action("export")
        other = await actions_api.find_action(export)
        found = await find_many(actions_api, {export: other, cluster.add_action(): None})

        assert len(found.actions) == 2
        assert found.changed is None

    async def test_empty(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A 404 of the API's own on the list means that there is nothing."""
        cluster.inject(status=404, body='{"error_code": "action_not_found"}')

        assert (await find_many(actions_api, {"x": None})).actions == {}

    @pytest.mark.parametrize("body", ["<html>", "{}", '{"actions": 5}', "["])
    async def test_no_list(self, cluster: FakeCluster, actions_api: ActionsApi, body: str) -> None:
        """A body without a list is unreadable."""
        cluster.inject(status=200, body=body)

        with pytest.raises(UnreadableReply):
            await find_many(actions_api, {"x": None})

    async def test_together(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """One action may be waited for by two references."""
        uid = cluster.add_action("SMDeleteBDB", bdb_uid=7)
        refs = [Reference(ReferenceKind.ACTION, uid, "bdb:7"), Reference(ReferenceKind.ACTION, uid)]

        found = await actions_api.fetch_many(dict.fromkeys(refs))
        assert list(found.actions) == refs
