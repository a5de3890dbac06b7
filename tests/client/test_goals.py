"""Tests of `_client.goals`, and of waits with `until=`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions import (
    Action,
    ActionFailed,
    ActionsClient,
    Kind,
    Outcome,
    Phase,
    Recorder,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.goals import check_goal, condition_after, parse_until
from redis_enterprise_actions._client.operation import Operation
from redis_enterprise_actions._client.submit.subjects import NOTHING, Subject, SubjectKind
from redis_enterprise_actions._model.reference import Condition, parse_reference
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.scripted import now


if TYPE_CHECKING:
    from redis_enterprise_actions import Record

REF = parse_reference("action:a1")


def action_on(object_type: str | None, uid: str | None = "1", kind: Kind = Kind.TASK) -> Action:
    """Return a running action on an object."""
    return Action(
        uid="a1",
        name="SMUpdateBDB",
        kind=kind,
        status="running",
        phase=Phase.RUNNING,
        object_type=object_type,
        object_uid=uid,
    )


class TestParse:
    """Text and functions that are the end of a wait."""

    def test_none(self) -> None:
        """Without `until` the wait has no other end than the work."""
        assert parse_until(None, REF) is None

    def test_function(self) -> None:
        """A function is taken as it is."""
        goal = parse_until(bool, REF)

        assert goal is not None
        assert (goal.name, goal.is_reached, goal.next_reference, goal.check) == (
            *("", bool, None, None),
        )

    @pytest.mark.parametrize(
        ("until", "reached", "not_reached"),
        [
            ("state=undo_stuck_sm", [{"state": " Undo_Stuck_SM"}], [{"state": "x"}, {}]),
            (" state= running ", [{"status": "Running"}], [{"status": "queued"}]),
            ("progress=50", [{"progress": 50.0}, {"progress": 51}], [{"progress": 49.9}, {}]),
            ("progress=14.29", [{"progress": 14.29}], [{"progress": 14.2}]),
            ("progress=0", [{"progress": 0.0}], [{}]),
        ],
    )
    def test_early(
        self, until: str, reached: list[dict[str, object]], not_reached: list[dict[str, object]]
    ) -> None:
        """A state is compared in any case, and a progress may be passed."""
        goal = parse_until(until, REF)

        assert goal is not None
        assert goal.name == until.strip()
        assert goal.is_reached is not None
        for expected, cases in ((True, reached), (False, not_reached)):
            for fields in cases:
                given = {"status": "active", **fields}
                action = Action(uid="a", name="n", kind=Kind.TASK, phase=Phase.RUNNING, **given)  # type: ignore[arg-type]
                assert goal.is_reached(action) is expected

    @pytest.mark.parametrize(
        ("until", "action", "ref"),
        [
            ("available", action_on("bdb"), "bdb:1@available"),
            (" in-sync\n", action_on("bdb", "12"), "bdb:12@in-sync"),
            ("replicating", action_on("crdb", "g"), "crdb:g@replicating"),
            ("quiet", action_on("bdb"), "cluster@quiet"),
            ("healthy", action_on(None, None, Kind.NODE_ACTION), "cluster@healthy"),
        ],
    )
    def test_conditions(self, until: str, action: Action, ref: str) -> None:
        """A condition is that of the object of the work, or of the cluster."""
        goal = parse_until(until, REF)

        assert goal is not None
        assert (goal.name, goal.is_reached) == (until.strip(), None)
        assert goal.next_reference is not None
        assert str(goal.next_reference(action)) == ref
        if goal.check is not None:
            goal.check(action)

    @pytest.mark.parametrize(
        "until",
        [
            *("", "done", "idle", "state=", "state", "progress=", "progress=101", "progress=-1"),
            *("progress=half", "available=1", "Available", "progress=1e1", 5, ["available"]),
        ],
    )
    def test_wrong(self, until: object) -> None:
        """Anything else is a mistake of the caller."""
        with pytest.raises(UsageError, match=r"^until=.* is (none of available|neither text)"):
            parse_until(until, REF)  # type: ignore[arg-type]

    @pytest.mark.parametrize("until", ["available", bool])
    def test_condition_of_a_condition(self, until: object) -> None:
        """A condition is the end itself."""
        with pytest.raises(UsageError, match="until= is for work, and this is a condition"):
            parse_until(until, parse_reference("bdb:1@available"))  # type: ignore[arg-type]


@pytest.mark.parametrize("until", ["available", "replicating", "in-sync"])
def test_bootstrap(until: str) -> None:
    """A bootstrap has no database, so that its wait is refused before it begins."""
    with pytest.raises(UsageError, match=r"is for work on one .*, and this is bootstrap:n2"):
        parse_until(until, parse_reference("bootstrap:n2"))
    assert parse_until("healthy", parse_reference("bootstrap:n2")) is not None


@pytest.mark.parametrize(
    ("until", "action", "owner"),
    [
        ("available", action_on("node"), "database"),
        ("in-sync", action_on("crdb", "g"), "database"),
        ("replicating", action_on("bdb"), "Active-Active database"),
        ("available", action_on(None, None, Kind.CLUSTER_ACTION), "database"),
    ],
)
def test_other_object(until: str, action: Action, owner: str) -> None:
    """Work on something else has no such condition, which its first answer shows."""
    goal = parse_until(until, REF)
    assert goal is not None
    assert goal.check is not None
    message = f"until='{until}' is for work on one {owner}, and this is {action.title}"
    for call in (goal.check, goal.next_reference):
        with pytest.raises(UsageError) as caught:
            call(action)  # type: ignore[misc]
        assert str(caught.value) == message


def test_no_object_yet() -> None:
    """Work may name its object only in the end; if it does not then, there is no condition."""
    goal = parse_until("available", REF)
    assert goal is not None
    assert goal.check is not None
    goal.check(action_on(None, None))
    with pytest.raises(UsageError, match="is for work on one database"):
        condition_after(Condition.AVAILABLE, action_on(None, None))


pytestmark = [pytest.mark.enable_socket, pytest.mark.core]
UPDATE = Plan(duration=100)


async def test_available(cluster: FakeCluster, client: ActionsClient) -> None:
    """One wait is for the work and then for the database; the record has both moments."""
    cluster.availability_delay = 50.0
    uid = cluster.add_action("SMUpdateBDB", UPDATE, bdb_uid=1)
    records: list[Record] = []
    ended: list[Record] = []
    client.observe(lambda record: records.append(record) or ended.append)  # type: ignore[func-returns-value]
    recorder, seen = Recorder(), list[str]()
    operation = client.operation(uid)
    task = asyncio.create_task(
        operation.wait(
            until="available",
            recorder=recorder,
            on_progress=lambda action: seen.append(action.status),
        )
    )
    await asyncio.sleep(140)
    assert operation.done
    [record] = recorder.records()
    assert (record.outcome, record.title) == (
        *(Outcome.UNDER_WAY, "SMUpdateBDB on bdb:1, until available"),
    )
    finished = await task

    assert 150 <= now() <= 165
    assert (finished.uid, finished.status, finished.phase) == (uid, "completed", Phase.COMPLETED)
    words = [it.status for it in finished.record.transitions]
    assert words[-3:] == ["completed", "not available", "available"]
    assert seen[-3:] == words[-3:]
    assert seen[0] == words[0]
    assert seen.count("completed") == 1
    assert recorder.records() == ended == [finished.record]
    assert [record.ref for record in records] == [f"action:{uid}"]
    assert finished.record.ref == f"action:{uid}"


async def test_with_hold(cluster: FakeCluster, client: ActionsClient) -> None:
    """The condition after the work has to hold."""
    uid = cluster.add_action("SMUpdateBDB", UPDATE, bdb_uid=1)
    cluster.flap(1, up=3, down=2, until=200)
    finished = await client.wait_for_action(uid, until="available", hold=20)

    assert 218 <= now() <= 236
    assert finished.uid == uid


async def test_already_completed(cluster: FakeCluster, client: ActionsClient) -> None:
    """Work that has ended before is followed by its condition alike."""
    uid = cluster.add_action("SMUpdateBDB", Plan(duration=0), bdb_uid=1)
    for until in ("available", "state=never", "progress=99", lambda _: False):
        finished = await client.wait_for_action(uid, until=until)
        assert (finished.uid, finished.record.outcome) == (uid, Outcome.COMPLETED)


async def test_failed_before(cluster: FakeCluster, client: ActionsClient) -> None:
    """Work that fails ends the wait; nobody asks whether the database is available."""
    uid = cluster.add_action("SMUpdateBDB", Plan(duration=5, outcome="failed"), bdb_uid=1)
    for until in ("available", lambda action: action.phase.failed):
        with pytest.raises(ActionFailed):
            await client.wait_for_action(uid, until=until)

    assert not any("availability" in request.path for request in cluster.requests)


async def test_timeout_in_the_second_half(cluster: FakeCluster, client: ActionsClient) -> None:
    """The timeout covers both; its error is about the condition, and the work is done."""
    cluster.add_bdb(1)
    cluster.set_available(1, available=False)
    operation = client.operation(cluster.add_action("SMUpdateBDB", UPDATE, bdb_uid=1))
    with pytest.raises(WaitTimeout) as caught:
        await operation.wait(until="available", timeout=130)

    assert 130 <= now() <= 132
    assert caught.value.ref == "bdb:1@available"
    assert caught.value.record is not None
    assert caught.value.record.outcome is Outcome.TIMED_OUT
    assert str(caught.value) == (
        "bdb:1@available timed out after 2m 10s, last seen not available, bdb_endpoint_unavailable"
    )
    assert operation.done


async def test_cancelled_in_the_second_half(cluster: FakeCluster, client: ActionsClient) -> None:
    """A cancelled wait leaves nothing behind."""
    cluster.add_bdb(1)
    cluster.set_available(1, available=False)
    uid = cluster.add_action("SMUpdateBDB", Plan(duration=0), bdb_uid=1)
    recorder = Recorder()
    task = asyncio.create_task(client.wait_for_action(uid, until="available", recorder=recorder))
    await asyncio.sleep(30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [record] = recorder.records()
    assert record.outcome is Outcome.INTERRUPTED
    count = len(cluster.requests)
    await asyncio.sleep(60)

    assert len(cluster.requests) == count


async def test_beside_another_wait(cluster: FakeCluster, client: ActionsClient) -> None:
    """The condition may be waited for already; nothing is taken from before the work's end."""
    cluster.add_bdb(1)
    cluster.set_available(1, available=False)
    uid = cluster.add_action("SMUpdateBDB", Plan(duration=50), bdb_uid=1)
    other = asyncio.create_task(client.databases.wait_available(1))
    asyncio.get_running_loop().call_later(200, lambda: cluster.set_available(1, available=True))
    both = await client.wait_for_actions([uid, uid], until="available")
    await other

    assert 200 <= now() <= 215
    assert [each.uid for each in both] == [uid, uid]


async def test_wait_for(cluster: FakeCluster, client: ActionsClient) -> None:
    """`wait_for` takes it for all references, and settles failures alike."""
    cluster.availability_delay = 30.0
    uids = [cluster.add_action("SMUpdateBDB", UPDATE, bdb_uid=uid) for uid in (1, 2)]
    failing = cluster.add_action("SMUpdateBDB", Plan(duration=1, outcome="failed"), bdb_uid=3)
    ends = await client.wait_for(*uids, failing, until="available", settle=True)

    assert 130 <= now() <= 145
    assert [type(end).__name__ for end in ends] == [
        *("FinishedAction", "FinishedAction", "ActionFailed"),
    ]
    with pytest.raises(UsageError, match="until= is for work"):
        await client.wait_for(uids[0], "bdb:1@available", until="available")
    with pytest.raises(UsageError, match="a hold is for conditions"):
        await client.wait_for(uids[0], hold=5)


class TestEarly:
    """Waits that end before the work."""

    async def test_progress(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A progress that is passed ends the wait, with the unfinished action."""
        uid = cluster.add_action("SMUpdateBDB", UPDATE, bdb_uid=1)
        operation = client.operation(uid)
        finished = await operation.wait(until="progress=50")

        assert 50 <= now() <= 65
        assert finished.progress is not None
        assert finished.progress >= 50
        assert (finished.phase, finished.record.outcome) == (Phase.RUNNING, Outcome.REACHED)
        assert not operation.done
        assert (await operation.wait()).phase is Phase.COMPLETED

    @pytest.mark.parametrize("is_async", [False, True])
    async def test_function(
        self, cluster: FakeCluster, client: ActionsClient, *, is_async: bool
    ) -> None:
        """A function is called with each change, before the callback; it may be a coroutine's."""
        uid = cluster.add_action("SMUpdateBDB", UPDATE, bdb_uid=1)
        calls: list[tuple[str, float | None]] = []

        def is_half(action: Action) -> bool:
            calls.append(("until", action.progress))
            return (action.progress or 0) >= 50

        async def is_half_later(action: Action) -> bool:
            await asyncio.sleep(0)
            return is_half(action)

        finished = await client.wait_for_action(
            uid,
            until=is_half_later if is_async else is_half,
            on_progress=lambda action: calls.append(("callback", action.progress)),
        )

        assert finished.record.outcome is Outcome.REACHED
        assert [who for who, _ in calls] == ["until", "callback"] * (len(calls) // 2)
        assert [progress for _, progress in calls[::2]] == [progress for _, progress in calls[1::2]]
        assert calls[-1][1] == finished.progress
        assert all((progress or 0) < 50 for _, progress in calls[:-2])

    async def test_error(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An error of the function ends its wait only, and reaches its awaiter unchanged."""
        uid = cluster.add_action("SMUpdateBDB", UPDATE, bdb_uid=1)
        error = LookupError("mine")
        other = asyncio.create_task(client.wait_for_action(uid))

        def fail(_: Action) -> bool:
            raise error

        recorder = Recorder()
        with pytest.raises(LookupError) as caught:
            await client.wait_for_action(uid, until=fail, recorder=recorder)
        assert caught.value is error
        assert [record.outcome for record in recorder.records()] == [Outcome.INTERRUPTED]

        def stop(_: Action) -> bool:
            raise StopIteration

        with pytest.raises(RuntimeError, match=r"^until=.*stop raised StopIteration$"):
            await client.wait_for_action(uid, until=stop)
        assert (await other).phase is Phase.COMPLETED

    async def test_slow(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A function that awaits for ever is bounded by the timeout."""
        uid = cluster.add_action("SMUpdateBDB", UPDATE, bdb_uid=1)
        with pytest.raises(WaitTimeout):
            await client.wait_for_action(uid, until=lambda _: asyncio.sleep(1e6), timeout=20)

        assert 20 <= now() <= 22

    async def test_watch(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The iteration ends with the action that the goal was reached by."""
        uid = cluster.add_action("SMUpdateBDB", UPDATE, bdb_uid=1)
        seen = [action async for action in client.watch_action(uid, until="progress=50")]

        assert (seen[-1].progress or 0) >= 50
        assert all((action.progress or 0) < 50 for action in seen[:-1])

    async def test_watch_until_available(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The iteration has the end of the work, and then the condition up to its end."""
        cluster.availability_delay = 50.0
        uid = cluster.add_action("SMUpdateBDB", UPDATE, bdb_uid=1)
        seen = [action async for action in client.watch_action(uid, until="available")]

        assert [action.status for action in seen[-3:]] == [
            *("completed", "not available", "available"),
        ]
        assert [action.uid for action in seen[-3:]] == [uid, "bdb:1@available", "bdb:1@available"]
        assert seen[-1].record.outcome is Outcome.COMPLETED  # type: ignore[attr-defined]
        assert [type(action).__name__ for action in seen[-3:]] == [
            *("Action", "Action", "FinishedAction"),
        ]


async def test_wrong_object(cluster: FakeCluster, client: ActionsClient) -> None:
    """Work on no database ends the wait with its first answer."""
    cluster.start_node_action(1, "maintenance_on", Plan(duration=600))
    with pytest.raises(UsageError, match="until='available' is for work on one database"):
        await client.wait_for("node:1/maintenance_on", until="available")

    assert now() < 5


async def test_object_unknown(cluster: FakeCluster, client: ActionsClient) -> None:
    """Work that never names a database ends the wait once it is over, and all tell so."""
    uid = cluster.add_action("retry_bdb", Plan(duration=20))
    ended: list[Record] = []
    client.observe(lambda _: ended.append)  # type: ignore[func-returns-value]
    for on_progress in (None, seen := [].append):  # type: ignore[var-annotated]
        recorder = Recorder()
        operation = client.operation(uid)
        with pytest.raises(UsageError, match="is for work on one database, and this is") as caught:
            await operation.wait(until="available", on_progress=on_progress, recorder=recorder)

        assert operation.done
        [record] = recorder.records()
        assert (record.outcome, record.message) == (Outcome.WRONG_USAGE, str(caught.value))
        assert ended.pop() == record
    assert seen is not None
    watched = list[str]()
    with pytest.raises(UsageError, match="is for work on one database"):
        async for action in client.watch_action(uid, until="available"):
            watched.append(action.status)
    assert ended.pop().outcome is Outcome.WRONG_USAGE


async def test_object_of_the_call(cluster: FakeCluster, client: ActionsClient) -> None:
    """Where the work names no object, the condition is of that of the call."""
    cluster.add_bdb(3)
    uid = cluster.add_action("retry_bdb", Plan(duration=5))
    operation = Operation(
        client._parts, parse_reference(uid), subject=Subject(SubjectKind.DATABASE, "3")
    )
    finished = await operation.wait(until="available")

    assert finished.uid == uid
    assert cluster.requests[-1].path == "/v1/bdbs/3/availability"


@pytest.mark.parametrize(
    ("ref", "subject"),
    [
        ("node:1/maintenance_on", None),
        ("cluster:change_master", None),
        ("bootstrap", None),
        ("bdb:1@gone", None),
        ("action:a1@bdb:1", None),
        ("action:a1", NOTHING),
        ("action:a1", Subject(SubjectKind.NODE, "1")),
    ],
)
async def test_known_before(
    cluster: FakeCluster, client: ActionsClient, ref: str, subject: Subject | None
) -> None:
    """Work that leaves no database is refused before anything is sent."""
    operation = Operation(client._parts, parse_reference(ref), subject=subject)
    for until in ("available", "in-sync", "replicating"):
        with pytest.raises(UsageError, match=f"until='{until}' is for work on one "):
            await operation.wait(until=until)
        with pytest.raises(UsageError, match=f"until='{until}' is for work on one "):
            operation.watch(until=until)

    assert cluster.requests == []
    assert check_goal("quiet", 0, parse_reference(ref), subject) is not None


async def test_deletion(cluster: FakeCluster, client: ActionsClient) -> None:
    """An action that deletes its database shows that with its first answer."""
    uid = cluster.add_action("SMDeleteBDB", Plan(duration=100), bdb_uid=1)
    with pytest.raises(UsageError, match="is for work on one database, and this is SMDeleteBDB"):
        await client.wait_for_action(uid, until="available")

    assert now() < 5


async def test_slow_callback(cluster: FakeCluster, client: ActionsClient) -> None:
    """A callback for the completed work is bounded by the timeout, as the wait goes on."""
    cluster.add_bdb(1)
    uid = cluster.add_action("SMUpdateBDB", Plan(duration=0), bdb_uid=1)

    async def be_slow(action: Action) -> None:
        if action.status == "completed":
            await asyncio.sleep(1e6)

    await client.wait_for_action(uid, until="available", timeout=20, on_progress=be_slow)

    assert 20 <= now() <= 22


async def test_without_work(cluster: FakeCluster, client: ActionsClient) -> None:
    """A call that has left nothing to follow has ended, and has no condition."""
    cluster.add_bdb(1)
    operation = await client.databases.update(1, {"name": "db1"}, params={"dry_run": True})
    with pytest.raises(UsageError, match="until='available' needs work to follow, and the call"):
        await operation.wait(until="available")

    for until in ("progress=50", lambda _: False):
        assert (await operation.wait(until=until)).record.outcome is Outcome.COMPLETED


@pytest.mark.parametrize("hold", [float("inf"), None, -1, "soon"])
async def test_wrong_hold(client: ActionsClient, hold: object) -> None:
    """A time that cannot pass is a mistake of the caller."""
    with pytest.raises(UsageError, match=r"^hold"):
        await client.wait_for("bdb:1@available", hold=hold)  # type: ignore[call-overload]


@pytest.mark.parametrize("arguments", [{"hold": 5}, {"hold": 5, "until": "progress=50"}])
async def test_hold_without_condition(client: ActionsClient, arguments: dict[str, Any]) -> None:
    """Work does not hold."""
    with pytest.raises(UsageError, match=r"^a hold is for conditions, such as until='available'"):
        await client.wait_for_action("a1", **arguments)


async def test_hold_of_a_condition(cluster: FakeCluster, client: ActionsClient) -> None:
    """A flapping database is not taken for one that stays available, through each poll."""
    cluster.add_bdb(1)
    cluster.flap(1, up=8, down=2, until=100)
    action = await client.databases.wait_available(1, hold="10s")

    assert 110 <= now() <= 125
    assert action.status == "available"
    assert action.record.transitions[-1].phase is Phase.COMPLETED


async def test_hold_in_an_outage(cluster: FakeCluster, client: ActionsClient) -> None:
    """Time in which the cluster did not answer is no time for which it was seen to hold."""
    cluster.add_bdb(1)
    loop = asyncio.get_running_loop()
    loop.call_later(20, lambda: cluster.inject(status=500, times=None))
    loop.call_later(40, cluster.heal)
    await client.databases.wait_available(1, hold=30)

    assert 70 <= now() <= 100


async def test_timeout_in_the_hold(cluster: FakeCluster, client: ActionsClient) -> None:
    """A wait whose time is over within the hold has timed out."""
    cluster.add_bdb(1)
    with pytest.raises(WaitTimeout, match=r"last seen available, to hold for 30s$"):
        await client.databases.wait_available(1, hold=30, timeout=20)

    assert 20 <= now() <= 22
