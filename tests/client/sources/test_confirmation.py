"""Tests of `_client.sources.confirmation`, through `ActionsApi`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import (
    Action,
    ActionStalled,
    ActionVanished,
    ClusterUnreachable,
    Evidence,
    Kind,
    Phase,
    UnreadableReply,
    WaitError,
)
from redis_enterprise_actions._model.reference import Reference, ReferenceKind
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.client.sources.test_actions import asked
from tests.scripted import ref_of


if TYPE_CHECKING:
    from redis_enterprise_actions._client.sources.actions import ActionsApi


pytestmark = pytest.mark.core


A1 = ref_of("a1")
DENIED = "the cluster answered 403. The user's role needs the permission view_bdb_info"


def told(caplog: pytest.LogCaptureFixture) -> tuple[object, ...]:
    """Return the fields of the one record about a database that could not be asked."""
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
    """A delete whose action was never seen."""

    REF = Reference(ReferenceKind.ACTION, "a1", "bdb:7")

    async def test_not_a_deletion(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """No database is asked about an action that is not known to delete one."""
        assert await actions_api.fetch(A1, None) is None
        assert "/v1/bdbs" not in "".join(asked(cluster))

    async def test_gone(self, actions_api: ActionsApi) -> None:
        """It has completed if the database is gone."""
        action = await actions_api.fetch(self.REF, None)

        assert isinstance(action, Action)
        said = "completed, as the list does not hold what it removed"
        assert str(action) == f"SMDeleteBDB on bdb:7: {said} [a1]"
        assert action.evidence is Evidence.LIST

    @pytest.mark.parametrize(("status", "goes_on"), [("Delete-Pending", True), ("active", False)])
    async def test_record_goes_first(
        self, cluster: FakeCluster, actions_api: ActionsApi, status: str, goes_on: bool
    ) -> None:
        """A record that goes before its database leaves a delete that goes on."""
        cluster.inject(path="/v1/bdbs/7", status=200, body=f'{{"status": "{status}"}}')
        begun = machine("SMDeleteBDB", object_uid="7")

        assert await actions_api.fetch(self.REF, begun) is (begun if goes_on else None)

    async def test_there(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """As long as the database is there, nothing is known."""
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
        assert told(caplog) == ("database cannot tell", str(self.REF), DENIED)


class TestFinished:
    """Verification of a stalled or vanished action by its database."""

    async def test_deleted(self, actions_api: ActionsApi) -> None:
        """A delete that is listed as running, but whose database is gone, has completed."""
        ended = await actions_api.verify(A1, stalled(machine("SMDeleteBDB")))

        assert ended is not None
        assert (ended.phase, ended.evidence) == (Phase.COMPLETED, Evidence.LIST)

    async def test_not_deleted(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A delete whose database is there has not."""
        cluster.add_action(plan=Plan(duration=0))

        assert await actions_api.verify(A1, stalled(machine("SMDeleteBDB"))) is None

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
                await actions_api.verify(A1, stalled(action))
            assert caught.value.excerpt == ""

    async def test_stuck(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A machine that is listed as running, on a database that is idle, has completed."""
        cluster.add_action(plan=Plan(duration=0, outcome="stuck"))
        ended = await actions_api.verify(A1, stalled(machine()))

        assert ended is not None
        assert (ended.phase, ended.evidence) == (Phase.COMPLETED, Evidence.DATABASE)

    async def test_busy(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A database with a running action does not say that it ended."""
        cluster.add_action(plan=Plan(outcome="never"))

        assert await actions_api.verify(A1, stalled(machine())) is None

    @pytest.mark.parametrize(
        "phase", [Phase.PENDING, Phase.UNKNOWN, Phase.CANCELLING], ids=lambda phase: phase.value
    )
    async def test_never_ran(
        self, cluster: FakeCluster, actions_api: ActionsApi, phase: Phase
    ) -> None:
        """An action that was not seen running has not ended, although its database is idle."""
        cluster.add_action(plan=Plan(duration=0, outcome="stuck"))

        assert await actions_api.verify(A1, stalled(machine(phase=phase))) is None

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

        assert await actions_api.verify(A1, stalled(machine())) is None

    @pytest.mark.parametrize(
        "doubt",
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
    async def test_not_asked(
        self, cluster: FakeCluster, actions_api: ActionsApi, doubt: WaitError
    ) -> None:
        """No database is requested if it could not confirm an end."""
        assert await actions_api.verify(A1, doubt) is None
        assert asked(cluster) == []

    async def test_database_is_gone(self, actions_api: ActionsApi) -> None:
        """That the database is gone says nothing about a change to it."""
        assert await actions_api.verify(A1, stalled(machine())) is None

    async def test_may_not_ask(
        self, cluster: FakeCluster, actions_api: ActionsApi, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A user who may not see databases is told why it stays in doubt."""
        cluster.inject(path="/v1/bdbs", status=403)

        assert await actions_api.verify(A1, stalled(machine())) is None
        assert told(caplog) == ("database cannot tell", str(A1), DENIED)
        assert DENIED in caplog.text

    async def test_outage(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An outage is for the wait to deal with."""
        cluster.inject(path="/v1/bdbs", status=503)

        with pytest.raises(ClusterUnreachable):
            await actions_api.verify(A1, stalled(machine("SMDeleteBDB")))
