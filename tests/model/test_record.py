"""Tests of `_model.record`, without a cluster and with one."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import tracemalloc
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import (
    Action,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    ActionVanished,
    AuthenticationError,
    ClientClosed,
    ClusterUnreachable,
    Evidence,
    FinishedAction,
    Outcome,
    Phase,
    Record,
    Recorder,
    RequestError,
    Transition,
    UsageError,
    WaitError,
    WaitTimeout,
)
from redis_enterprise_actions._model.record import (
    MAX_ENTRIES,
    MAX_POINTS,
    OutageSpan,
    RecordBuilder,
    age_at_end,
    already_ended_text,
    immediate_record,
    with_message,
    with_record,
    without_record,
)
from redis_enterprise_actions.testing import Plan
from tests.conftest import at
from tests.records import HOSTILE_RECORD
from tests.scripted import WALL, now


if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis_enterprise_actions.testing import FakeCluster


def builder_with(
    *answers: tuple[float, Action], outages: Iterable[OutageSpan] = ()
) -> RecordBuilder:
    """Return a builder that began at 1000, with answers at times since then."""
    builder = RecordBuilder(1000.0, WALL)
    for when, action in answers:
        builder.add_answer(action, 1000.0 + when)
    for outage in outages:
        builder.add_outage(outage)
    return builder


def record_of(
    builder: RecordBuilder, elapsed: float = 60.0, action: Action | None = None, **more: object
) -> Record:
    """Return the record of a builder."""
    outcome = Outcome.COMPLETED
    return builder.record(
        1000.0 + elapsed,
        **{"ref": "action:a1", "action": action, "polls": 3, "outcome": outcome, **more},  # type: ignore[arg-type]
    )


class TestTransitions:
    """Transitions of a builder."""

    def test_changes(self) -> None:
        """Each change of status, phase or state is a transition; progress alone is none."""
        step = msgspec.structs.replace(at(30), state="provision")
        builder = builder_with(
            (0, at(10)), (1, at(20)), (2.5, step), (3, step), (60, at(100, "completed"))
        )

        assert record_of(builder).transitions == (
            Transition(at=0, status="active", phase=Phase.RUNNING, progress=10),
            Transition(
                at=2.5, status="active", phase=Phase.RUNNING, state="provision", progress=30
            ),
            Transition(at=60, status="completed", phase=Phase.COMPLETED, progress=100),
        )

    def test_bounded(self) -> None:
        """Of many transitions the first and the last are kept, and the others are counted."""
        builder = builder_with(*((n, at(1, f"odd{n}")) for n in range(1000)))
        record = record_of(builder)
        times = [transition.at for transition in record.transitions]

        assert times == [*range(MAX_ENTRIES // 2), *range(1000 - MAX_ENTRIES // 2, 1000)]
        assert record.omitted == 1000 - MAX_ENTRIES

    @pytest.mark.parametrize("char", ["x", "\u20ac", "\x1b", "\U0001f512"])
    def test_long_texts(self, char: str) -> None:
        """Long words of the cluster are cut off, so that a record is bounded in bytes, too."""
        long = char * 20_000
        actions = [
            msgspec.structs.replace(at(1, f"odd{n} {long}"), state=long, name=long)
            for n in range(300)
        ]
        outages = [OutageSpan(2 * n, 2 * n + 1, 1, long) for n in range(300)]
        record = record_of(
            builder_with(*enumerate(actions), outages=outages), action=actions[-1], message=long
        )
        first = record.transitions[0]

        assert len(record.transitions) == MAX_ENTRIES
        assert (first.status, first.state) == (f"odd0 {char * 194}…", f"{char * 199}…")
        assert record.message == with_message(long, record).message == f"{char * 3999}…"
        assert len(record.title) == len(record.outages[0].reason) == 200
        assert len(msgspec.json.encode(record)) < 300_000

    def test_texts_of_ordinary_length(self) -> None:
        """A text of up to 200 characters stays as it is."""
        action = msgspec.structs.replace(at(1, "s" * 200), state="t" * 200)
        (transition,) = record_of(builder_with((0, action))).transitions

        assert (transition.status, transition.state) == (action.status, action.state)

    def test_times_are_milliseconds(self) -> None:
        """Times are rounded to milliseconds."""
        builder = builder_with((0.1 + 0.2, at(1)))

        assert record_of(builder).transitions[0].at == 0.3


class TestProgress:
    """Progress of a builder."""

    def test_each_change(self) -> None:
        """Each change is a point; a missing progress is none."""
        builder = builder_with((0, at(None)), (1, at(5)), (2, at(5)), (3, at(3)), (4, at(None)))

        assert record_of(builder).progress == ((1, 5), (3, 3))

    @pytest.mark.parametrize("count", [MAX_POINTS, MAX_POINTS + 1, 5000])
    def test_thinned(self, count: int) -> None:
        """The number of points is bounded; they are evenly spaced, from first to last."""
        builder = builder_with(*((n, at(100 * n / count)) for n in range(count)))
        points = record_of(builder).progress
        gaps = [b - a for (a, _), (b, _) in itertools.pairwise(points[:-1])]

        assert MAX_POINTS / 2 <= len(points) <= MAX_POINTS
        assert (points[0], points[-1][0]) == ((0, 0), count - 1)
        assert max(gaps) <= 2 * min(gaps) + 1
        assert all(value == pytest.approx(100 * when / count) for when, value in points)


class TestOutages:
    """Outages of a builder."""

    def test_in_order(self) -> None:
        """Outages that are over and outages that last are listed together, by their begin."""
        over = [OutageSpan(1005, 1020, 9, "refused"), OutageSpan(1020, 1040, 2, "reset\nby peer")]
        record = record_of(
            builder_with(outages=over), open_outages=[OutageSpan(1050, None, 1, "it answered 503")]
        )

        assert [(each.began, each.ended, each.attempts) for each in record.outages] == [
            (5, 20, 9),
            (20, 40, 2),
            (50, None, 1),
        ]
        assert record.outages[1].reason == "reset by peer"

    @pytest.mark.parametrize("open_", [False, True])
    def test_overlap(self, open_: bool) -> None:
        """An outage of the action and one of the cluster are one where they overlap."""
        ended = None if open_ else 1040
        per_action, cluster_wide = (
            OutageSpan(1005, ended, 1, "refused"),
            OutageSpan(1006, ended, 8, "reset"),
        )
        over = [OutageSpan(1001, 1002, 1, "503"), *([] if open_ else [per_action, cluster_wide])]
        record = record_of(
            builder_with(outages=over), open_outages=[per_action, cluster_wide] if open_ else []
        )

        assert [each.reason for each in record.outages] == ["503", "reset"]
        assert (record.outages[1].began, record.outages[1].attempts) == (5, 9)
        assert record.outages[1].ended == (None if open_ else 40)

    def test_bounded(self) -> None:
        """The number of outages is bounded, as is the length of their reasons."""
        builder = builder_with(
            outages=(OutageSpan(1000 + n, 1001 + n, 1, "x" * 999) for n in range(300))
        )
        record = record_of(builder)

        assert (len(record.outages), record.omitted) == (MAX_ENTRIES, 300 - MAX_ENTRIES)
        assert {len(outage.reason) for outage in record.outages} == {200}


class TestRecord:
    """Records as a whole, and their texts."""

    def test_evidence(self) -> None:
        """The evidence of the end is there if the end was seen, and not otherwise."""
        gone = msgspec.structs.replace(at(None, "completed"), evidence=Evidence.DATABASE)

        assert record_of(builder_with(), action=gone).evidence is Evidence.DATABASE
        assert record_of(builder_with(), action=at(50)).evidence is None
        assert record_of(builder_with()).evidence is None

    def test_title(self) -> None:
        """The title is that of the action, or the reference if no action was seen."""
        assert record_of(builder_with(), action=at(1)).title == at(1).title
        assert record_of(builder_with()).title == "action:a1"

    def test_json_and_pickle(self) -> None:
        """A record survives JSON and pickling, and is hashable, alone and on its action."""
        builder = builder_with(
            (0, at(1)), (9, at(2, "completed")), outages=[OutageSpan(1001, None, 2, "x")]
        )
        record = record_of(builder, action=at(2, "completed"))
        action = with_record(at(2, "completed"), record)

        for value in (record, action):
            kind = type(value)
            assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value
            assert pickle.loads(pickle.dumps(value)) == value
            assert len({value, pickle.loads(pickle.dumps(value))}) == 1
        assert record.began.tzinfo is not None

    def test_immediate_record(self) -> None:
        """A call that left nothing to wait for has a record without duration."""
        record = immediate_record(at(None, "completed"), WALL, Outcome.NOT_FOLLOWED, "why")

        assert (record.elapsed, record.polls, record.outcome) == (0, 0, "not followed")
        assert record.message == "why"
        assert [transition.status for transition in record.transitions] == ["completed"]

    def test_html(self) -> None:
        """In a notebook, a finished action is the timeline of its wait, hostile text included."""
        action = with_record(at(2, "completed"), HOSTILE_RECORD)
        svg = ET.fromstring(action._repr_html_())

        assert svg.tag == "svg"
        assert not list(svg.iter("script"))
        assert "<script>alert(1)</script>" in "".join(svg.itertext())
        assert "✗ failed after 1m 40s" in list(svg.itertext())

    def test_repr(self) -> None:
        """The `repr` of a finished action is as short as that of an action."""
        action = with_record(at(2, "completed"), record_of(builder_with()))

        assert repr(action) == "<FinishedAction 'a1' SMUpdateBDB completed 2 %>"
        assert set(action.to_dict()) == {"v", *Action.__struct_fields__, "record"}

    @pytest.mark.parametrize(
        ("answers", "outcome", "over", "text"),
        [
            ([], "interrupted", False, None),
            ([(0.1, "active"), (60, "completed")], "completed", False, None),
            ([(0.1, "completed")], "completed", True, "had already completed"),
            ([(0.1, "failed")], "failed", True, "had already failed"),
            ([(0.1, "cancelled")], "cancelled", True, "had already been cancelled"),
            ([(0.1, "aborted")], "aborted", True, "had already been aborted"),
            (
                [(70.04, "failed")],
                "failed",
                True,
                "had already failed when first seen, after 1m 10s",
            ),
            ([(0.1, "completed")], "interrupted", True, None),  # a callback failed at the end
        ],
    )
    def test_already_over(
        self, answers: list[tuple[float, str]], outcome: str, over: bool, text: str | None
    ) -> None:
        """A record says that the action had ended when first seen, and its text says so."""
        builder = builder_with(*((when, at(None, status)) for when, status in answers))
        record = record_of(builder, outcome=Outcome(outcome))

        assert (record.already_over, already_ended_text(record)) == (over, text)

    @pytest.mark.parametrize(
        ("created", "lag_bound", "age"),
        [
            (-63.0, 2.0, 123.0),  # before the wait, which lasted 60 s
            (-5.5, 2.0, 65.5),
            (-5.0, 2.0, None),  # about as old as the wait
            (3600.0, 2.0, None),  # the clocks differ
            (-63.0, None, None),  # no answer showed it before its end
            (None, 2.0, None),
        ],
    )
    def test_age(self, created: float | None, lag_bound: float | None, age: float | None) -> None:
        """The age of an action at its end is returned where it is known, and never negative."""
        when = None if created is None else WALL + timedelta(seconds=created)
        action = msgspec.structs.replace(at(None, "completed"), creation_time=when)

        assert age_at_end(action, record_of(builder_with(), lag_bound=lag_bound)) == age

    def test_without_record(self) -> None:
        """An action without its record equals the original."""
        action = at(2, "completed")

        assert (
            without_record(with_record(action, record_of(builder_with())))
            == without_record(action)
            == action
        )
        assert without_record(action) is action

    def test_memory(self) -> None:
        """A builder takes about a kilobyte with few changes, and a bounded size with many."""

        def cost(changes: int) -> float:
            actions = [at(n % 7, f"odd{n % 2}") for n in range(changes)]
            tracemalloc.start()
            builders = [
                builder_with(*((n, each) for n, each in enumerate(actions))) for _ in range(20)
            ]
            size, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return size / len(builders)

        assert cost(3) < 1200
        assert cost(10_000) < 24_000


class TestWaits:
    """The records of waits on a cluster."""

    async def test_completed(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A wait that completed has a record of its answers and requests."""
        uid = cluster.add_action("SMCreateBDB", Plan(duration=70))
        began, wall = now(), datetime.now(UTC)
        action = await client.wait_for_action(uid, poll=wait_fixed(1))
        record = action.record

        assert isinstance(action, FinishedAction)
        assert (record.ref, record.title) == (f"action:{uid}", action.title)
        assert (record.outcome, record.evidence, record.message) == ("completed", "action", None)
        assert record.elapsed == pytest.approx(now() - began, abs=0.01)
        assert abs(record.began - wall) < timedelta(minutes=1)
        assert record.polls == len(cluster.requests)
        assert record.transitions[0].state == "init"
        assert record.transitions[-1].status == "completed"
        assert len(record.progress) > 5
        assert record.outages == ()
        assert record.lag_bound == pytest.approx(1, abs=0.1)

    async def test_failed(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The error of a wait that failed has the record, also after a pickle."""
        uid = cluster.add_action(plan=Plan(duration=5, outcome="failed", error="no room"))
        with pytest.raises(ActionFailed) as caught:
            await client.wait_for_action(uid)
        record = caught.value.record

        assert record is not None
        assert (record.outcome, record.evidence) == ("failed", "action")
        assert record.message == str(caught.value)
        assert record.elapsed == pytest.approx(caught.value.elapsed, abs=0.01)
        assert pickle.loads(pickle.dumps(caught.value)).record == record

    @pytest.mark.parametrize("outcome", ["failed", "cancelled", "aborted"])
    async def test_ended_before(
        self, cluster: FakeCluster, client: ActionsClient, outcome: Outcome
    ) -> None:
        """The error for an action that had ended before says so, as does its record."""
        uid = cluster.add_action("retry_bdb", Plan(duration=0, outcome=outcome))  # type: ignore[arg-type]
        with pytest.raises(WaitError, match="had already") as caught:
            await client.wait_for_action(uid)
        record = caught.value.record

        assert record is not None
        assert record.already_over
        assert record.message == str(caught.value) == str(pickle.loads(pickle.dumps(caught.value)))

    async def test_watch(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The last action of a watch has the record; earlier ones and those of callbacks do not."""
        uid = cluster.add_action(plan=Plan(duration=5, outcome="failed"))
        updates: list[Action] = []
        *before, last = [
            each async for each in client.watch_action(uid, on_progress=updates.append)
        ]

        assert {type(each) for each in (*before, *updates)} == {Action}
        assert isinstance(last, FinishedAction)
        assert last.record.outcome is Outcome.FAILED
        assert "failed after" in (last.record.message or "")

    async def test_outage(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An outage lasts from the first request without an answer to the next good answer."""
        uid = cluster.add_action(plan=Plan(duration=100))
        waiting = asyncio.create_task(client.wait_for_action(uid, poll=wait_fixed(1)))
        await asyncio.sleep(20.5)
        cluster.inject(times=4, status=503)
        record = (await waiting).record
        (outage,) = record.outages

        assert 20 <= outage.began <= 22
        assert outage.ended is not None
        assert outage.ended > outage.began
        assert outage.attempts == 4
        assert "503" in outage.reason

    async def test_cluster_outage(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An outage of the cluster is in the record of each wait."""
        uids = [cluster.add_action(plan=Plan(duration=100)) for _ in range(3)]
        waiting = asyncio.create_task(client.wait_for_actions(uids, poll=wait_fixed(1)))
        await asyncio.sleep(20.5)
        cluster.inject(times=4, status=503)
        records = [action.record for action in await waiting]

        assert [len(record.outages) for record in records] == [1, 1, 1]
        assert len({round(record.outages[0].began) for record in records}) == 1
        assert None not in {record.outages[0].ended for record in records}

    async def test_unreachable(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An outage that ends a wait lasts to the end."""
        uid = cluster.add_action(plan=Plan(duration=100))
        cluster.inject(times=None, status=503)
        with pytest.raises(ClusterUnreachable) as caught:
            await client.wait_for_action(uid, outage_timeout=30)
        record = caught.value.record

        assert record is not None
        assert (record.outcome, record.evidence) == ("unreachable", None)
        assert [outage.ended for outage in record.outages] == [None]
        assert record.outages[0].attempts == caught.value.attempts
        assert record.title == record.ref

    async def test_rejected(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A rejected request that ends a wait has the record."""
        uid = cluster.add_action(plan=Plan(duration=100))
        cluster.inject(times=None, status=403)
        with pytest.raises(AuthenticationError) as caught:
            await client.wait_for_action(uid)

        assert caught.value.record is not None
        assert caught.value.record.outcome is Outcome.REJECTED
        assert caught.value.record.ref == caught.value.ref == f"action:{uid}"
        assert caught.value.record.message == str(caught.value)

    @pytest.mark.parametrize(
        ("plan", "options", "error", "outcome"),
        [
            (Plan(outcome="never", progress="none"), {"timeout": 20}, WaitTimeout, "timed out"),
            (Plan(outcome="never", progress="none"), {"stall_timeout": 20}, WaitError, "stalled"),
            (Plan(outcome="vanishes", duration=9, progress="none"), {}, ActionVanished, "vanished"),
            (Plan(outcome="cancelled", duration=9, progress="none"), {}, WaitError, "cancelled"),
            (Plan(outcome="aborted", duration=9, progress="none"), {}, WaitError, "aborted"),
        ],
    )
    async def test_other_outcomes(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        plan: Plan,
        options: dict[str, float],
        error: type[WaitError],
        outcome: str,
    ) -> None:
        """Each end has its outcome."""
        uid = cluster.add_action("retry_bdb", plan)
        with pytest.raises(error) as caught:
            await client.wait_for_action(uid, **options)  # type: ignore[arg-type]

        assert caught.value.record is not None
        assert caught.value.record.outcome == outcome == caught.value.outcome
        assert caught.value.record.ref == caught.value.ref == f"action:{uid}"
        assert 0 <= caught.value.record.polls - caught.value.polls <= 1  # a look at the database

    async def test_not_found(self, client: ActionsClient) -> None:
        """A wait for an unknown action has a record without transitions; a single look has none."""
        with pytest.raises(ActionNotFound) as caught:
            await client.wait_for_action("x", not_found_grace=5)
        with pytest.raises(ActionNotFound) as looked:
            await client.get_action("x")

        assert caught.value.record is not None
        assert (caught.value.record.outcome, caught.value.record.transitions) == ("not found", ())
        assert looked.value.record is None

    async def test_settled(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Each of several waits has a record of its own."""
        uids = [
            cluster.add_action(plan=Plan(duration=5, outcome=o)) for o in ("completed", "failed")
        ]
        results = await client.wait_for_actions(uids, settle=True)

        assert [each.record.ref for each in results if each.record] == [f"action:{u}" for u in uids]

    async def test_lag_bound(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The end lies between the last answer that showed the work going on and the next one."""
        uid, began = cluster.add_action(plan=Plan(duration=100, progress="none")), now()
        record = (await client.wait_for_action(uid)).record

        assert record.lag_bound is not None
        assert 0 < began + record.elapsed - cluster.actions[uid].ends_at < record.lag_bound

    async def test_no_lag_bound(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """There is no lag bound where the action had ended before, or ended by other evidence."""
        over = await client.wait_for_action(cluster.add_action(plan=Plan(duration=0)))
        stuck = cluster.add_action(plan=Plan(duration=30, outcome="stuck"))
        settled = await client.wait_for_action(stuck, stall_timeout=60)

        assert over.record.lag_bound is None
        assert (settled.record.evidence, settled.record.lag_bound) == ("database", None)


class TestRecorder:
    """Recorders, which have the records that no call returns."""

    async def test_under_way(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A recorder has the records of waits that are under way, with an outage that lasts."""
        recorder = Recorder()
        uids = [cluster.add_action(plan=Plan(duration=100)) for _ in range(2)]
        waiting = asyncio.create_task(client.wait_for_actions(uids, recorder=recorder))
        await asyncio.sleep(20)
        cluster.inject(times=None, status=503)
        await asyncio.sleep(30)
        first, second = recorder.records()

        assert first.outcome is second.outcome is Outcome.UNDER_WAY
        assert first.elapsed == pytest.approx(50, abs=0.1)
        assert first.outages[-1].ended is None
        assert [first.ref, second.ref] == [f"action:{uid}" for uid in uids]

        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async def test_interrupted(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The record of a cancelled wait does not change any more."""
        recorder = Recorder()
        uid = cluster.add_action(plan=Plan(duration=100))
        waiting = asyncio.create_task(client.wait_for_action(uid, recorder=recorder))
        await asyncio.sleep(20)
        waiting.cancel()
        await asyncio.sleep(20)
        (record,) = recorder.records()

        assert (record.outcome, record.message, record.evidence) == ("interrupted", None, None)
        assert record.elapsed == pytest.approx(20, abs=0.1)

    async def test_other_interruptions(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A callback that fails, a watch that is left or a closed client interrupts a wait."""
        recorder = Recorder()
        uid = cluster.add_action(plan=Plan(duration=100))
        with pytest.raises(ZeroDivisionError):
            await client.wait_for_action(uid, recorder=recorder, on_progress=lambda _: 1 // 0)
        watch = client.operation(uid).watch(recorder=recorder)
        await anext(watch)
        await watch.aclose()
        waiting = asyncio.create_task(client.wait_for_action(uid, recorder=recorder))
        await asyncio.sleep(5)
        await client.aclose()
        with pytest.raises(ClientClosed):
            await waiting

        assert [record.outcome for record in recorder.records()] == ["interrupted"] * 3

    async def test_callback_fails_at_the_end(
        self, cluster: FakeCluster, client: ActionsClient
    ) -> None:
        """The outcome of a wait is that of its action, also if the last callback fails."""

        def fail(action: Action) -> None:
            if action.phase.terminal:
                raise OSError("no terminal")

        recorder = Recorder()
        uid = cluster.add_action(plan=Plan(duration=5))
        with pytest.raises(OSError, match="no terminal"):
            await client.wait_for_action(uid, recorder=recorder, on_progress=fail)

        assert [record.outcome for record in recorder.records()] == ["completed"]

    async def test_error_of_another_wait(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The error of a wait in a callback keeps the record of that wait."""
        uid = cluster.add_action(plan=Plan(duration=100))

        async def wait_for_unknown(_: Action) -> None:
            await client.wait_for_action("x", not_found_grace=1)

        with pytest.raises(ActionNotFound) as caught:
            await client.wait_for_action(uid, on_progress=wait_for_unknown)

        assert caught.value.record is not None
        assert caught.value.record.ref == "action:x"

    async def test_finished_waits(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A recorder has the records that are returned and raised, too."""
        recorder = Recorder()
        uids = [
            cluster.add_action(plan=Plan(duration=5, outcome=o)) for o in ("completed", "failed")
        ]
        results = await client.wait_for_actions(uids, settle=True, recorder=recorder)

        assert recorder.records() == [each.record for each in results]
        assert isinstance(results[1], (WaitError, RequestError))

    def test_not_a_recorder(self, client: ActionsClient) -> None:
        """Any other type is refused before anything is sent."""
        with pytest.raises(UsageError, match="is not a Recorder"):
            client.watch_action("x", recorder=[])  # type: ignore[arg-type]
