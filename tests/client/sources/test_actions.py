"""Tests of `_client.sources.actions`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import (
    Action,
    ActionStalled,
    ActionVanished,
    ClusterUnreachable,
    Evidence,
    Kind,
    Phase,
    RequestRejected,
    UnreadableReply,
    UsageError,
    WaitError,
)
from redis_enterprise_actions._client.protocols import NO_LIST, ListResult, Wanted
from redis_enterprise_actions._client.sources.actions import ActionsApi
from redis_enterprise_actions._model.action import AmbiguousAnswer
from redis_enterprise_actions._model.reference import Reference, ReferenceKind
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of
from tests.scripted import ref_of


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions.testing import Version

pytestmark = pytest.mark.core


def transport_to(cluster: FakeCluster) -> Transport:
    """Return a transport to the fake."""
    return client_of(cluster)._transport


def take_paths(cluster: FakeCluster) -> list[str]:
    """Return the paths of the requests since the last call, and clear the list."""
    paths = [request.path for request in cluster.requests]
    cluster.requests.clear()
    return paths


async def find(actions_api: ActionsApi, uid: str, last: Action | None = None) -> Action | None:
    """Look one action up."""
    found = await actions_api.fetch(ref_of(uid), last)
    assert not isinstance(found, AmbiguousAnswer)
    return found


class TestFind:
    """Single actions, by uid."""

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("version", ["7.4", "7.8", "7.22", "8.0", "8.2"])
    @pytest.mark.parametrize("name", ["retry_bdb", "SMUpdateBDB"])
    async def test_v1(self, version: Version, name: str) -> None:
        """An action that v1 knows costs one request, on every version."""
        async with FakeCluster(version=version) as cluster:
            transport = transport_to(cluster)
            uid = cluster.add_action(name)
            found = await ActionsApi(transport).fetch(ref_of(uid), None)
            await transport.close()

            assert found is not None
            assert (found.uid, found.name) == (uid, name)
            assert take_paths(cluster) == [f"/v1/actions/{uid}"]

    async def test_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action that only v2 knows is found there; the list of v2 is requested once."""
        first, second = cluster.add_action("export"), cluster.add_action("import")

        found = await find(actions_api, first)
        assert found is not None
        assert (found.uid, found.kind) == (first, Kind.OTHER)
        assert take_paths(cluster) == [f"/v1/actions/{first}", "/v2/actions"]

        assert await find(actions_api, second)
        assert take_paths(cluster) == [f"/v1/actions/{second}", f"/v2/actions/{second}"]

        assert await find(actions_api, first, found)
        assert take_paths(cluster) == [f"/v2/actions/{first}"]

    async def test_unknown(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action that neither version knows is not found."""
        assert await find(actions_api, "x") is None
        assert take_paths(cluster) == ["/v1/actions/x", "/v2/actions", "/v2/actions/x"]

        assert await find(actions_api, "x") is None
        assert take_paths(cluster) == ["/v1/actions/x", "/v2/actions/x"]

    async def test_gone_from_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action that v2 no longer knows is looked up in v1 as well."""
        uid = cluster.add_action("export")
        found = await find(actions_api, uid)
        cluster.forget(uid)
        take_paths(cluster)

        assert await find(actions_api, uid, found) is None
        assert take_paths(cluster) == [f"/v2/actions/{uid}", f"/v1/actions/{uid}"]

    @pytest.mark.parametrize("body", [b"", b"404: Not Found", b"<html>no such page</html>"])
    async def test_missing_route(
        self, cluster: FakeCluster, actions_api: ActionsApi, body: bytes
    ) -> None:
        """A 404 without the API's words is unreadable if the list is missing, too."""
        cluster.inject(times=None, status=404, body=body)

        with pytest.raises(UnreadableReply, match="404 that is not the REST API's"):
            await find(actions_api, "x")

    async def test_odd_404(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """After a 404 without the API's words, the list is searched for the action."""
        uid = cluster.add_action()
        cluster.inject(status=404)
        found = await find(actions_api, uid)
        assert found is not None
        assert found.uid == uid
        assert take_paths(cluster) == [f"/v1/actions/{uid}", "/v1/actions"]

        cluster.inject(status=404)
        assert await find(actions_api, "x") is None

    @pytest.mark.parametrize(
        ("status", "error"),
        [(403, UnreadableReply), (405, UnreadableReply), (401, RequestRejected)],
    )
    async def test_odd_404_and_refused_list(
        self, cluster: FakeCluster, actions_api: ActionsApi, status: int, error: type[Exception]
    ) -> None:
        """If the list is refused then, the 404 is unreadable: it does not refuse the action."""
        cluster.inject(status=404)
        cluster.inject(status=status)

        with pytest.raises(error):
            await find(actions_api, "u")

    async def test_odd_404_on_an_empty_cluster(
        self, cluster: FakeCluster, actions_api: ActionsApi
    ) -> None:
        """A 404 of the API's for the list means that there are no actions."""
        cluster.inject(status=404)
        cluster.inject(status=404, body='{"error_code": "action_not_found"}')

        assert await find(actions_api, "x") is None

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
        """A uid is quoted, and cannot change the path of the request."""
        cluster.add_action(uid=uid)
        found = await find(actions_api, uid)

        assert found is not None
        assert found.uid == uid
        assert take_paths(cluster) == [path]


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
        assert take_paths(cluster) == ["/v1/actions", "/v2/actions"]

    async def test_database(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """The list of a database has its state machines, and its imports and exports."""
        mine, other = cluster.add_action(bdb_uid=2), cluster.add_action("export", bdb_uid=2)
        cluster.add_action(bdb_uid=3)
        cluster.add_action("export", bdb_uid=3)
        cluster.add_action("retry_bdb")

        assert [action.uid for action in await actions_api.list_actions(2)] == [mine, other]
        assert take_paths(cluster) == ["/v1/actions/bdb/2", "/v2/actions"]

    async def test_without_v2(self) -> None:
        """Without v2 the list has the actions of v1."""
        async with FakeCluster(version="7.4") as cluster:
            transport = transport_to(cluster)
            uid = cluster.add_action()
            actions_api = ActionsApi(transport)
            lists = [await actions_api.list_actions(None) for _ in range(2)]
            await transport.close()

            assert [[action.uid for action in actions] for actions in lists] == [[uid], [uid]]
            assert take_paths(cluster) == ["/v1/actions", "/v2/actions", "/v1/actions"]

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
        cluster.inject(status=404, body=body, times=None)

        with pytest.raises(UnreadableReply, match="404 that is not the REST API's"):
            await actions_api.list_actions(None)

    @pytest.mark.parametrize("path", ["/v1/actions", "/v2/actions"])
    @pytest.mark.parametrize("body", [b"<html>ok</html>", b'{"rows": []}', b"[", b"5"])
    async def test_one_unreadable_list(
        self,
        cluster: FakeCluster,
        actions_api: ActionsApi,
        path: str,
        body: bytes,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A list that cannot be read does not take the other's actions along; a warning says so."""
        uid = cluster.add_action()
        cluster.inject(path=path, status=200, body=body, times=2)

        with pytest.raises(UnreadableReply):
            await actions_api.list_actions(None)
        listed = await actions_api.list_actions(None, allow_partial=True)
        assert [action.uid for action in listed] == [uid]
        (record,) = [each for each in caplog.records if each.levelname == "WARNING"]
        assert record.getMessage().startswith(f"GET {path}: the answer cannot be read")

    @pytest.mark.parametrize("version", ["7.4", "8.0"])
    async def test_no_readable_list(self, version: Version) -> None:
        """Without any list that can be read there is an error."""
        async with FakeCluster(version=version) as cluster:
            cluster.inject(path="/v1/actions", status=200, body=b"<html>")
            if version == "8.0":
                cluster.inject(path="/v2/actions", status=200, body=b"<html>")
            transport = transport_to(cluster)

            with pytest.raises(UnreadableReply):
                await ActionsApi(transport).list_actions(None, allow_partial=True)
            await transport.close()

    @pytest.mark.parametrize("bdb_uid", [-1, "1", 1.0, True])
    async def test_no_database(self, actions_api: ActionsApi, bdb_uid: int) -> None:
        """A database's uid is a number."""
        with pytest.raises(UsageError, match="not the uid of a database"):
            await actions_api.list_actions(bdb_uid)


async def find_many(actions_api: ActionsApi, wanted: dict[str, Action | None]) -> ListResult:
    """Look several actions up."""
    return await actions_api.fetch_many(wanted_of(wanted), None)


def wanted_of(wanted: Mapping[str, Action | None]) -> Wanted:
    """Return a registry of wanted actions, with the action as last seen, by uid."""
    found = Wanted()
    found.update({ref_of(uid): last for uid, last in wanted.items()})
    found.version = len(wanted)
    return found


def uids_of(found: ListResult) -> set[str]:
    """Return the uids that a list shows and that are new or have changed."""
    return {ref.uid for ref, entry in found.changed.items() if entry is not None}


class TestFindMany:
    """Looking several actions up."""

    async def test_v1(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """The list of v1 is requested for actions that v1 has shown or that are not seen yet."""
        uids = [cluster.add_action(), cluster.add_action("retry_bdb")]
        found = await find_many(actions_api, {uids[0]: None, uids[1]: None, "x": None})

        assert take_paths(cluster) == ["/v1/actions"]
        assert found.changed.keys() == set(map(ref_of, uids))
        assert found.cost == 1

    async def test_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action that only v2 has shown is looked for there; v1 is requested only if needed."""
        export, update = cluster.add_action("export"), cluster.add_action()
        other = await find(actions_api, export)
        take_paths(cluster)

        found = await find_many(actions_api, {export: other, update: None})
        assert take_paths(cluster) == ["/v1/actions", "/v2/actions"]
        assert uids_of(found) == {export, update}
        assert found.cost == 2

        found = await find_many(actions_api, {export: other})
        assert take_paths(cluster) == ["/v2/actions"]
        assert uids_of(found) == {export}
        assert found.read is None

    async def test_nothing(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """No list is requested for nothing."""
        assert await find_many(actions_api, {}) == ListResult({}, 0)
        assert take_paths(cluster) == []

    async def test_v2_for_all(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A list of v2 that is requested for one action serves all missing ones."""
        export, fresh = cluster.add_action("export"), cluster.add_action("export")
        other = await find(actions_api, export)

        found = await find_many(actions_api, {export: other, fresh: None, "x": None})
        assert uids_of(found) == {export, fresh}
        assert ref_of("x") not in found.changed

    async def test_broken_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """The list of v1 is used alone if that of v2 has the known bug."""
        export, update = cluster.add_action("export"), cluster.add_action()
        other = await find(actions_api, export)
        cluster.inject(path="/v2/actions", status=406, body='{"error_code": "invalid_schema"}')

        found = await find_many(actions_api, {export: other, update: None})
        assert uids_of(found) == {update}
        assert found.changed[ref_of(export)] is None

    async def test_refused_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A refused list of v2 is not used; without v1 there is no list then."""
        export, update = cluster.add_action("export"), cluster.add_action()
        other = await find(actions_api, export)
        cluster.inject(path="/v2/actions", times=2, status=406)

        found = await find_many(actions_api, {export: other, update: None})
        assert uids_of(found) == {update}
        assert found.changed[ref_of(export)] is None
        assert await find_many(actions_api, {export: other}) is NO_LIST

    async def test_cost(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A long list costs more than a short one, by its size."""
        for _ in range(2000):
            cluster.add_action(plan=Plan(duration=0))

        found = await find_many(actions_api, {"x": None})
        assert 2000 * 100 / 2**15 < found.cost < 2000 * 600 / 2**15

    async def test_in_both(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action that v2 has shown and v1 lists is not looked for in v2 again."""
        update = cluster.add_action()
        seen = await find(actions_api, update)
        assert seen is not None
        other = msgspec.structs.replace(seen, kind=Kind.OTHER)
        take_paths(cluster)

        found = await find_many(actions_api, {update: other, cluster.add_action(): None})
        assert take_paths(cluster) == ["/v1/actions"]
        assert len(uids_of(found)) == 2

    async def test_changed(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A list reports what changed, each reference to it, and reads what did not."""
        first, second = (cluster.add_action(plan=Plan(duration=seconds)) for seconds in (5.0, 1e6))
        wanted = wanted_of({first: None, second: None})
        refs = list(wanted)
        lists = [await actions_api.fetch_many(wanted, None) for _ in range(2)]
        await asyncio.sleep(6)
        lists.append(await actions_api.fetch_many(wanted, None))
        deletion = Reference(ReferenceKind.ACTION, first, "bdb:7")
        wanted[deletion] = None
        wanted.version += 1
        lists.append(await actions_api.fetch_many(wanted, None))
        cluster.forget(first)
        lists.append(await actions_api.fetch_many(wanted, None))

        changed = [set(found.changed) for found in lists]
        assert changed == [set(refs), set(), {refs[0]}, {deletion}, {refs[0], deletion}]
        assert lists[-1].changed == {refs[0]: None, deletion: None}
        read = lists[-1].read
        assert read is not None
        assert [action and action.uid for action in map(read, wanted)] == [None, second, None]

    async def test_changed_in_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action that only v2 shows is reported by each list, and that it is gone, too."""
        export, update = cluster.add_action("export"), cluster.add_action()
        wanted = wanted_of({export: await find(actions_api, export), update: None})
        lists = [await actions_api.fetch_many(wanted, None) for _ in range(2)]
        action, read = lists[1].changed[ref_of(export)], lists[1].read
        assert isinstance(action, Action)
        assert read is not None
        assert read(ref_of(export)) is action
        cluster.forget(export)
        lists += [await actions_api.fetch_many(wanted, None) for _ in range(2)]

        assert [uids_of(found) for found in lists] == [{export, update}, {export}, set(), set()]
        assert [found.changed.get(ref_of(export)) is None for found in lists] == [
            False,
            False,
            True,
            True,
        ]
        assert all(ref_of(export) in found.changed for found in lists)

    async def test_no_longer_in_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """What v2 has shown is reported as gone, once, when v1 is asked alone and lacks it."""
        export, fresh = cluster.add_action("export"), cluster.add_action("export")
        wanted = wanted_of({export: await find(actions_api, export), fresh: None})
        wanted |= wanted_of({cluster.add_action(): None})
        first = await actions_api.fetch_many(wanted, None)
        del wanted[ref_of(export)]
        wanted.version += 1
        lists = [await actions_api.fetch_many(wanted, None) for _ in range(2)]

        assert ref_of(fresh) in first.changed
        assert [found.changed for found in lists] == [{ref_of(fresh): None}, {}]
        assert lists[1].read is not None
        assert lists[1].read(ref_of(fresh)) is None

    async def test_v1_after_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """The list of v1 reports all that it shows if the last one was that of v2."""
        export, update = cluster.add_action("export"), cluster.add_action()
        seen = await find(actions_api, export)
        wanted = wanted_of({update: None})
        await actions_api.fetch_many(wanted, None)
        assert seen is not None
        wanted[ref_of(update)] = msgspec.structs.replace(seen, uid=update)
        in_v2 = await actions_api.fetch_many(wanted, None)
        wanted |= wanted_of({"x": None})
        wanted.version += 1
        lists = [await actions_api.fetch_many(wanted, None) for _ in range(2)]

        assert uids_of(in_v2) == {update}
        assert [uids_of(found) for found in lists] == [{update}, set()]

    async def test_gone_after_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """What v2 alone was asked for, and showed, is reported as gone by a list of v1."""
        export = cluster.add_action("export")
        seen = await find(actions_api, export)
        wanted = wanted_of({export: seen})
        in_v2 = await actions_api.fetch_many(wanted, None)
        assert seen is not None
        wanted[ref_of(export)] = msgspec.structs.replace(seen, kind=Kind.TASK)

        assert uids_of(in_v2) == {export}
        assert (await actions_api.fetch_many(wanted, None)).changed == {ref_of(export): None}

    async def test_twice_in_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """Of two entries with one uid in the list of v2 the first counts."""
        export = cluster.add_action("export")
        wanted = wanted_of({export: await find(actions_api, export)})
        entries = [{"action_uid": export, "status": word} for word in ("completed", "running")]
        cluster.inject(status=200, body=msgspec.json.encode(entries))

        found = (await actions_api.fetch_many(wanted, None)).changed[ref_of(export)]
        assert isinstance(found, Action)
        assert found.phase is Phase.COMPLETED

    @pytest.mark.parametrize("ahead", [False, True], ids=["cut short", "another list between"])
    async def test_waiting_for_v2(
        self, cluster: FakeCluster, actions_api: ActionsApi, ahead: bool
    ) -> None:
        """What v1 reported while v2 is asked is not lost: the first list to come reports it."""
        export, update = cluster.add_action("export"), cluster.add_action(plan=Plan(duration=5))
        other = await find(actions_api, export)
        wanted = wanted_of({export: other, update: None})
        await actions_api.fetch_many(wanted, None)
        await asyncio.sleep(6)
        cluster.inject(path="/v2/actions", delay=3)
        slow = asyncio.ensure_future(actions_api.fetch_many(wanted, None))
        await asyncio.sleep(1)
        if not ahead:
            slow.cancel()
            await asyncio.wait([slow])

        assert uids_of(await actions_api.fetch_many(wanted, None)) == {export, update}
        if ahead:
            assert uids_of(await slow) == {export}

    async def test_leaving_during_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """What left while v2 was asked is not reported; what joined comes with the next list."""
        uids = [cluster.add_action("export") for _ in range(2)]
        update, fresh = cluster.add_action(), cluster.add_action()
        wanted = wanted_of({uid: await find(actions_api, uid) for uid in uids})
        wanted |= wanted_of({update: None})
        cluster.inject(path="/v2/actions", delay=3)
        slow = asyncio.ensure_future(actions_api.fetch_many(wanted, None))
        await asyncio.sleep(1)
        for uid in (uids[0], update):
            del wanted[ref_of(uid)]
        wanted |= wanted_of({fresh: None})
        wanted.version += 3

        assert uids_of(await slow) == {uids[1]}
        assert uids_of(await actions_api.fetch_many(wanted, None)) == {uids[1], fresh}

    async def test_empty(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A 404 of the API's own on the list means that there is nothing."""
        wanted = wanted_of({cluster.add_action(): None, "x": None})
        await actions_api.fetch_many(wanted, None)
        cluster.inject(status=404, body='{"error_code": "action_not_found"}')

        found = await actions_api.fetch_many(wanted, None)
        assert found.changed == {next(iter(wanted)): None}

    @pytest.mark.parametrize("body", ["<html>", "{}", '{"actions": 5}', "["])
    async def test_no_list(self, cluster: FakeCluster, actions_api: ActionsApi, body: str) -> None:
        """A body without a list is unreadable, and the next list is compared with the last one."""
        first, second = cluster.add_action(plan=Plan(duration=5)), cluster.add_action()
        wanted = wanted_of({first: None, second: None})
        await actions_api.fetch_many(wanted, None)
        await asyncio.sleep(6)
        cluster.forget(second)
        cluster.inject(status=200, body=body)

        with pytest.raises(UnreadableReply):
            await actions_api.fetch_many(wanted, None)
        found = await actions_api.fetch_many(wanted, None)
        assert uids_of(found) == {first}
        assert found.changed[ref_of(second)] is None

    async def test_together(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An action is found for each of two references to it."""
        uid = cluster.add_action("SMDeleteBDB", bdb_uid=7)
        wanted = wanted_of({uid: None})
        wanted[Reference(ReferenceKind.ACTION, uid, "bdb:7")] = None

        found = await actions_api.fetch_many(wanted, None)
        assert found.changed.keys() == wanted.keys()


A1 = ref_of("a1")
DENIED = "the cluster answered 403. The user's role needs the permission view_bdb_info"


def logged_problem(caplog: pytest.LogCaptureFixture) -> tuple[object, ...]:
    """Return the fields of the only log record."""
    (record,) = caplog.records
    return tuple(vars(record)[name] for name in ("event", "ref", "reason"))


def machine(name: str = "SMUpdateBDB", **more: object) -> Action:
    """Return a state machine on database 1."""
    fields: dict[str, object] = {
        "uid": "a1",
        "name": name,
        "kind": Kind.STATE_MACHINE,
        "status": "active",
        "phase": Phase.RUNNING,
        "object_type": "bdb",
        "object_uid": "1",
    }
    return Action(**(fields | more))  # type: ignore[arg-type]


def vanished(action: Action | None) -> WaitError:
    """Return the doubt about an action that is gone."""
    return ActionVanished("a1", action=action, elapsed=1, polls=1)


def stalled(action: Action) -> WaitError:
    """Return the doubt about an action that does not move."""
    return ActionStalled("a1", action=action, elapsed=1, polls=1, stall_timeout=1)


class TestDeleted:
    """Deletes whose action was never seen."""

    REF = Reference(ReferenceKind.ACTION, "a1", "bdb:7")

    async def test_not_a_deletion(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """No database is requested for an action that is not known to delete one."""
        assert await actions_api.fetch(A1, None) is None
        assert "/v1/bdbs" not in "".join(take_paths(cluster))

    async def test_gone(self, actions_api: ActionsApi) -> None:
        """The delete has completed if the database is gone."""
        action = await actions_api.fetch(self.REF, None)

        assert isinstance(action, Action)
        outcome = "completed, as the list does not hold what it removed"
        assert str(action) == f"SMDeleteBDB on bdb:7: {outcome} [a1]"
        assert action.evidence is Evidence.LIST

    @pytest.mark.parametrize(("status", "goes_on"), [("Delete-Pending", True), ("active", False)])
    async def test_record_goes_first(
        self, cluster: FakeCluster, actions_api: ActionsApi, status: str, goes_on: bool
    ) -> None:
        """If the record goes first, a delete goes on while its database is being deleted."""
        cluster.inject(path="/v1/bdbs/7", status=200, body=f'{{"status": "{status}"}}')
        begun = machine("SMDeleteBDB", object_uid="7")

        assert await actions_api.fetch(self.REF, begun) is (begun if goes_on else None)

    async def test_there(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """While the database is there, the action is not found."""
        cluster.add_bdb(7)

        assert await actions_api.fetch(self.REF, None) is None

    async def test_seen(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """The record of a deletion counts first, and then the status of the database."""
        uid = cluster.add_action("SMDeleteBDB", bdb_uid=7)
        ref = Reference(ReferenceKind.ACTION, uid, "bdb:7")
        seen = await actions_api.fetch(ref, None)
        cluster.forget(uid)

        assert isinstance(seen, Action)
        assert seen.phase is Phase.RUNNING
        assert await actions_api.fetch(ref, seen) is seen

    async def test_may_not_ask(
        self, cluster: FakeCluster, actions_api: ActionsApi, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A deletion is not confirmed if the user may not see the database, which is logged."""
        cluster.inject(path="/v1/bdbs", status=403)

        assert await actions_api.fetch(self.REF, None) is None
        assert logged_problem(caplog) == ("database cannot tell", str(self.REF), DENIED)


class TestFinished:
    """Verification of a stalled or vanished action by its database."""

    async def test_deleted(self, actions_api: ActionsApi) -> None:
        """A delete that is listed as running, but whose database is gone, has completed."""
        ended = await actions_api.verify(A1, stalled(machine("SMDeleteBDB")), None)

        assert ended is not None
        assert (ended.phase, ended.evidence) == (Phase.COMPLETED, Evidence.LIST)

    async def test_not_deleted(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A delete whose database is still there has not completed."""
        cluster.add_action(plan=Plan(duration=0))

        assert await actions_api.verify(A1, stalled(machine("SMDeleteBDB")), None) is None

    @pytest.mark.parametrize(
        "body", [b"", b"<html>no such page</html>", b'{"message": "no Route matched"}', b"{}"]
    )
    async def test_missing_route(
        self, cluster: FakeCluster, actions_api: ActionsApi, body: bytes
    ) -> None:
        """A 404 without the API's words does not say that the database is gone."""
        for action in (machine("SMDeleteBDB"), machine()):
            cluster.inject(path="/v1/bdbs", status=404, body=body)
            with pytest.raises(UnreadableReply) as caught:
                await actions_api.verify(A1, stalled(action), None)
            assert caught.value.excerpt == ""

    async def test_stuck(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A machine that is listed as running, on a database that is idle, has completed."""
        cluster.add_action(plan=Plan(duration=0, outcome="stuck"))
        ended = await actions_api.verify(A1, stalled(machine()), None)

        assert ended is not None
        assert (ended.phase, ended.evidence) == (Phase.COMPLETED, Evidence.DATABASE)

    async def test_busy(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A database with a running action does not say that it ended."""
        cluster.add_action(plan=Plan(outcome="never"))

        assert await actions_api.verify(A1, stalled(machine()), None) is None

    @pytest.mark.parametrize(
        "phase", [Phase.PENDING, Phase.UNKNOWN, Phase.CANCELLING], ids=lambda phase: phase.value
    )
    async def test_never_ran(
        self, cluster: FakeCluster, actions_api: ActionsApi, phase: Phase
    ) -> None:
        """An action that was not seen running has not ended, although its database is idle."""
        cluster.add_action(plan=Plan(duration=0, outcome="stuck"))

        assert await actions_api.verify(A1, stalled(machine(phase=phase)), None) is None

    @pytest.mark.parametrize(
        "body",
        [
            '{"status": "active-change-pending"}',
            '{"status": "active", "action_uid": "a2"}',
            '{"status": "active", "background_op": [{"name": "SMUpgradeBDB", "status": "active"}]}',
            '{"status": "active", "background_op": [{"status": "idle"}, {"status": "pending"}]}',
            '{"status": "active", "background_op": [{"name": "x", "status": "failed"}]}',
        ],
    )
    async def test_other_database_status(
        self, cluster: FakeCluster, actions_api: ActionsApi, body: str
    ) -> None:
        """A database that waits for a change, or is changed, does not say that it ended well."""
        cluster.inject(status=200, body=body)

        assert await actions_api.verify(A1, stalled(machine()), None) is None

    @pytest.mark.parametrize(
        "unverified",
        [
            vanished(machine()),
            vanished(None),
            stalled(machine(kind=Kind.TASK)),
            stalled(machine(kind=Kind.OTHER)),
            stalled(machine(object_type="crdb")),
            stalled(machine(object_uid=None)),
            stalled(machine(object_uid="..")),
        ],
    )
    async def test_no_request(
        self, cluster: FakeCluster, actions_api: ActionsApi, unverified: WaitError
    ) -> None:
        """No database is requested if it could not confirm an end."""
        assert await actions_api.verify(A1, unverified, None) is None
        assert take_paths(cluster) == []

    async def test_database_is_gone(self, actions_api: ActionsApi) -> None:
        """A missing database says nothing about a change to it."""
        assert await actions_api.verify(A1, stalled(machine()), None) is None

    async def test_may_not_ask(
        self, cluster: FakeCluster, actions_api: ActionsApi, caplog: pytest.LogCaptureFixture
    ) -> None:
        """For a user who may not see databases the log has the reason."""
        cluster.inject(path="/v1/bdbs", status=403)

        assert await actions_api.verify(A1, stalled(machine()), None) is None
        assert logged_problem(caplog) == ("database cannot tell", str(A1), DENIED)
        assert DENIED in caplog.text

    async def test_outage(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An outage during the verification is raised."""
        cluster.inject(path="/v1/bdbs", status=503)

        with pytest.raises(ClusterUnreachable):
            await actions_api.verify(A1, stalled(machine("SMDeleteBDB")), None)
