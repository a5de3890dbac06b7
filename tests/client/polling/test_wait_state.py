"""Tests of `_client.polling.wait_state`: the rules of one wait, without a clock."""

from __future__ import annotations

import math

import pytest
from tenacity import wait_exponential, wait_fixed

from redis_enterprise_actions import (
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionStalled,
    ActionVanished,
    AimedWait,
    AuthenticationError,
    ClientClosed,
    ClusterUnreachable,
    Outcome,
    Phase,
    UnreadableReply,
    WaitError,
    WaitTimeout,
)
from redis_enterprise_actions._client.polling.limits import Goal
from redis_enterprise_actions._client.polling.outages import Outage
from redis_enterprise_actions._client.polling.wait_state import Verdict
from redis_enterprise_actions._client.wire.conditions import condition_action
from redis_enterprise_actions._model.record import without_record
from redis_enterprise_actions._model.reference import parse_reference
from tests.client.polling.polled_wait import PolledWait
from tests.conftest import at


def new_wait(pause: float = 5.0, **limits: float) -> PolledWait:
    """Return a wait that began at 1000 and polls every `pause` seconds."""
    return PolledWait(poll=wait_fixed(pause), **limits)


def refused(**more: object) -> ClusterUnreachable:
    """Return the error of a failed request."""
    return ClusterUnreachable("GET", "/v1/actions/a1", reason="refused", **more)  # type: ignore[arg-type]


class TestUpdates:
    """Updates for the user."""

    def test_only_changes(self) -> None:
        """The first answer is an update, and then each change; the end ends the wait."""
        wait = new_wait()
        answers = [at(1), at(1), at(2), at(2), at(2, "completed")]

        assert [wait.answer(answer, 1000.0) for answer in answers] == [
            *(Verdict.UPDATE, Verdict.NOTHING, Verdict.UPDATE, Verdict.NOTHING, Verdict.DONE)
        ]

    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "aborted"])
    def test_terminal_status(self, status: str) -> None:
        """A terminal status ends the wait, and nothing else does."""
        wait = new_wait()
        wait.answer(at(1), 1000.0)
        assert not wait.state.is_done
        assert not wait.state.is_over

        assert wait.answer(at(1, status), 1001.0) is Verdict.DONE
        assert wait.state.is_done
        assert wait.state.is_over

    def test_unknown_status(self, caplog: pytest.LogCaptureFixture) -> None:
        """An unknown status is shown, logged once, and ends nothing."""
        wait = new_wait()

        assert [wait.answer(at(status="odd"), 1000.0) for _ in range(3)] == [
            *(Verdict.UPDATE, Verdict.NOTHING, Verdict.NOTHING)
        ]
        assert not wait.state.is_done
        (record,) = caplog.records
        assert "unknown status" in record.getMessage()
        assert "odd" in record.getMessage()
        fields = (vars(record)[name] for name in ("event", "ref", "status"))
        assert tuple(fields) == ("unknown status", "action:a1", "odd")

    def test_long_unknown_status(self, caplog: pytest.LogCaptureFixture) -> None:
        """Of an unknown status only the beginning is logged, and words that differ are shown."""
        wait = new_wait()
        for n in range(3):
            wait.answer(at(status="x" * 200_000 + str(n)), 1000.0)
            wait.answer(at(status=f"{n}" + "x" * 200_000), 1000.0)

        assert len(caplog.records) == 4
        assert max(len(record.getMessage()) for record in caplog.records) < 1100
        assert {len(vars(record)["status"]) for record in caplog.records} == {200}

    def test_change_that_was_no_update(self) -> None:
        """What another reader has seen is the last state, once the wait itself has seen one."""
        wait = new_wait()
        wait.state.on_seen(at(5))
        assert wait.state.last_action is None

        wait.answer(at(1), 1000.0)
        wait.state.on_seen(at(7))
        assert wait.state.action == at(7)

    def test_refresh_before_the_action_is_read(self) -> None:
        """If the list shows a change that no wait needed, it is read before the action is shown."""
        wait = new_wait()
        wait.polls.is_stale = True
        assert wait.state.last_action is None
        assert wait.polls.refreshed == 0
        for _ in range(2):
            assert wait.state.action is None
            assert wait.polls.refreshed == 1
        wait.state.leave()
        wait.polls.is_stale = True

        assert wait.state.action is None
        assert wait.polls.refreshed == 1


class TestPolls:
    """Polls are counted for all waits of a reference together."""

    def test_before_and_after(self) -> None:
        """Only polls while the wait is polled for are its own."""
        wait = PolledWait()
        wait.state.leave()
        wait.polls.polls, wait.polls.asked_at = 17, 1003.0
        wait.state.join(wait.polls)
        assert (wait.state.polls, wait.state.asked_at) == (0, 1000.0)

        wait.polls.polls, wait.polls.asked_at = 19, 1008.0
        assert (wait.state.polls, wait.state.asked_at) == (2, 1008.0)
        wait.state.leave()
        wait.polls.polls, wait.polls.asked_at = 40, 1100.0
        assert (wait.state.polls, wait.state.asked_at) == (2, 1008.0)
        wait.state.join(wait.polls)
        wait.polls.polls, wait.polls.asked_at = 41, 1200.0
        assert (wait.state.polls, wait.state.asked_at) == (3, 1200.0)

    def test_due(self) -> None:
        """A wait is due as it begins, and then by its schedule."""
        wait = new_wait()
        assert wait.state.due(-math.inf, -math.inf) == 1000.0
        assert wait.state.due(998.0, 999.0) == 1000.0
        assert wait.state.due(999.0, 1001.0) == 1000.0  # which was asked for other waits
        assert wait.state.due(1002.0, 999.0) == 1000.0

        wait.answer(at(1), 1002.0, took=0.5)
        assert wait.state.due(1002.0, 1002.5) == 1007.5

    @pytest.mark.parametrize(
        ("wait", "found", "is_steady"),
        [
            (PolledWait(), None, False),
            (PolledWait(), at(1), True),
            (PolledWait(poll=wait_fixed(5)), at(1), False),
            (PolledWait("bdb:1"), at(1), False),
        ],
        ids=["nothing was seen", "steady", "own strategy", "history"],
    )
    def test_steady(self, wait: PolledWait, found: object, is_steady: bool) -> None:
        """Unchanged answers mean nothing for a wait that has seen its action, without outages."""
        wait.answer(found, 1000.0)  # type: ignore[arg-type]
        assert wait.state.is_steady is is_steady

        wait.state.join_outage(Outage(1001.0))
        assert not wait.state.is_steady

    def test_not_steady_before_a_verification(self) -> None:
        """While the database has to confirm an error, each answer means something."""
        wait = PolledWait()
        wait.answer(at(1), 1000.0)
        wait.answer(None, 1001.0)

        assert not wait.state.is_steady

    def test_shared_answer(self) -> None:
        """A request that was made for another wait does not count for the schedule of this one."""
        shared, own = PolledWait(), PolledWait()
        for wait in (shared, own):
            for n in range(80):
                when = 1000.0 + n / 4
                wait.state.on_answer(at(99 + n / 1000), when, when, shared=wait is shared)

        # By then its polls are more than the promised number, so it rests longer.
        assert own.state.due(1020.0, 1020.0) - 1020.0 > 2
        assert shared.state.due(1020.0, 1020.0) - 1020.0 < 1


class TestEnds:
    """Ends of a wait."""

    def test_completed(self) -> None:
        """A completed action is the result."""
        wait = new_wait()
        wait.answer(at(100, "completed"), 1000.0)
        finished = wait.state.close(1001.0)

        assert without_record(finished) == at(100, "completed")
        assert finished.record.outcome is Outcome.COMPLETED
        assert wait.state.finished_action(1002.0) is finished

    @pytest.mark.parametrize(
        ("status", "error"),
        [("failed", ActionFailed), ("cancelled", ActionCancelled), ("aborted", ActionAborted)],
    )
    def test_other_ends(self, status: str, error: type[WaitError]) -> None:
        """Each other end has its own error, with the facts of the wait."""
        wait = new_wait()
        wait.answer(at(50), 1000.0)
        wait.answer(at(50, status), 1005.0)

        with pytest.raises(error) as caught:
            wait.state.close(1006.5)

        assert type(caught.value) is error
        assert caught.value.action == at(50, status)
        assert (caught.value.uid, caught.value.elapsed, caught.value.polls) == ("a1", 6.5, 2)
        assert caught.value.ref == "action:a1"
        assert caught.value.record == wait.state.final_record(1009.0)

    def test_lag_bound(self) -> None:
        """The end is at most as old as the request of the answer before it, changed or not."""
        wait, running = new_wait(), at(50)
        for requested_at, found in (
            (1000.0, running),
            (1005.0, running),
            (1010.0, at(100, "completed")),
        ):
            wait.answer(found, requested_at, took=0.5)

        assert wait.state.final_record(1011.0).lag_bound == 5.5

    def test_unchanged_answer(self) -> None:
        """A list that shows the action unchanged has shown that it still ran."""
        wait = new_wait()
        wait.answer(at(1), 1000.0)
        wait.polls.shown_at = 1003.0
        wait.answer(at(1, "completed"), 1005.0, took=0.5)

        assert wait.state.final_record(1006.0).lag_bound == 2.5

    def test_lag_bound_of_a_wait_that_was_away(self) -> None:
        """What the list has shown before the wait left counts, and later lists do not."""
        wait = new_wait()
        wait.answer(at(1), 1000.0)
        wait.polls.shown_at = 1003.0
        wait.state.leave()
        wait.polls.shown_at = 1004.0
        wait.state.on_answer(at(1, "completed"), 1005.0, 1005.5)

        assert wait.state.final_record(1006.0).lag_bound == 2.5

    def test_first_answer_is_the_end(self) -> None:
        """Of an action that was never seen running nobody knows when it ended."""
        wait = new_wait()
        wait.answer(at(100, "completed"), 1000.0)

        assert wait.state.final_record(1000.0).lag_bound is None

    def test_not_done(self) -> None:
        """There is no result before the end."""
        wait = new_wait()
        with pytest.raises(AssertionError, match="not over"):
            wait.state.close(1000.0)
        wait.answer(at(1), 1000.0)
        with pytest.raises(AssertionError, match="not over"):
            wait.state.finished_action(1000.0)

    def test_records(self) -> None:
        """A wait that is left before its end was interrupted; until then it is under way."""
        wait = new_wait()
        wait.answer(at(1), 1000.0)

        assert wait.state.current_record(1001.0).outcome is Outcome.UNDER_WAY
        record = wait.state.final_record(1002.0)
        assert (record.outcome, record.elapsed, record.polls) == (Outcome.INTERRUPTED, 2.0, 1)
        assert wait.state.final_record(1003.0) is record
        assert wait.state.current_record(1003.0) is record

    def test_refusal(self) -> None:
        """A refused request ends the wait at once, with the facts of the wait."""
        wait, cause = new_wait(), ValueError("x")
        wait.answer(at(10), 1000.0)
        wait.ask(1005.0)
        refusal = AuthenticationError("GET", "/v1/actions/a1", status=403)
        refusal.__cause__ = cause
        wait.state.fail(refusal, 1005.0)

        assert wait.state.is_over
        with pytest.raises(AuthenticationError) as caught:
            wait.state.close(1005.0)
        error = caught.value
        assert (error.action, error.elapsed, error.polls) == (at(10), 5.0, 2)
        assert (error.ref, error.uid, error.__cause__) == ("action:a1", "a1", cause)
        assert error.record is not None
        assert error.record.outcome is Outcome.REJECTED
        assert (refusal.action, refusal.elapsed) == (None, None)  # each wait has a copy

    def test_any_other_error(self) -> None:
        """Any other error is raised unchanged, and the record says that the wait was left."""
        wait, error = new_wait(), ClientClosed()
        wait.state.fail(error, 1005.0)

        with pytest.raises(ClientClosed) as caught:
            wait.state.close(1005.0)
        assert caught.value is error
        assert wait.state.final_record(1005.0).outcome is Outcome.INTERRUPTED


class TestDeadline:
    """`timeout` covers everything."""

    def test_last_sleep_is_clipped(self) -> None:
        """The last sleep ends at the deadline, where one more poll is made."""
        wait = new_wait(timeout=7)
        wait.answer(at(1), 1000.0)
        assert wait.rest(1000.0) == 5.0
        wait.answer(at(1), 1005.0)
        assert wait.rest(1005.0) == 2.0
        assert wait.state.next_limit == wait.state.hard_limit == 1007.0
        wait.answer(at(2), 1007.0)
        error = wait.state.check(1007.1)

        assert isinstance(error, WaitTimeout)
        assert (error.timeout, error.action, error.polls) == (7, at(2), 3)
        assert error.elapsed == pytest.approx(7.1)
        assert error.__cause__ is None

    @pytest.mark.parametrize(("timeout", "pause"), [(5.3, 5.3), (5.6, 5.0)])
    def test_no_poll_just_before(self, timeout: float, pause: float) -> None:
        """A poll that is due just before the deadline is made at the deadline."""
        wait = new_wait(timeout=timeout)
        wait.answer(at(1), 1000.0)

        assert wait.state.due(1000.0, 1000.0) - 1000.0 == pytest.approx(pause)

    def test_no_limit(self) -> None:
        """A wait without limits has none."""
        wait = new_wait()
        wait.answer(at(1), 1000.0)

        assert (wait.state.next_limit, wait.state.hard_limit) == (math.inf, math.inf)
        assert not wait.state.has_stall_limit
        assert wait.state.check(1e9, forced=True) is None

    def test_zero(self) -> None:
        """A timeout of zero polls once and then ends."""
        wait = new_wait(timeout=0)
        assert wait.state.next_limit == 1000.0
        wait.answer(at(1), 1000.0)

        assert isinstance(wait.state.check(1000.0), WaitTimeout)

    def test_asked_a_tick_early(self) -> None:
        """A poll a moment before the deadline was made at it."""
        wait = new_wait(timeout=7)
        wait.answer(at(1), 1006.9)
        assert wait.state.check(1007.0) is None

        wait.answer(at(1), 1006.9999)
        assert isinstance(wait.state.check(1006.9999), WaitTimeout)

    def test_no_answer_at_the_deadline(self) -> None:
        """A wait that got no answer at its deadline ends there only if it is forced to."""
        wait = new_wait(timeout=7)
        wait.answer(at(1), 1005.0)
        assert wait.state.check(1060.0) is None  # a process that stood still asks once more
        error = wait.state.check(1009.0, forced=True)

        assert isinstance(error, WaitTimeout)
        assert (error.action, error.polls, error.elapsed) == (at(1), 1, 9.0)

    def test_during_an_outage(self) -> None:
        """A deadline within an outage is a timeout with the outage as its cause."""
        wait, error = new_wait(timeout=7), refused()
        wait.fail(error, 1000.0)
        assert wait.state.check(1000.0) is None
        wait.fail(error, 1007.0)
        timed_out = wait.state.check(1007.0)

        assert isinstance(timed_out, WaitTimeout)
        assert timed_out.__cause__ is error
        assert timed_out.action is None


class TestNotFound:
    """A uid that the cluster does not know, before and after it was seen."""

    def test_grace(self) -> None:
        """An action that was never seen is not found once the grace period is over."""
        wait = new_wait(pause=6, not_found_grace=10)
        for when, pause in ((1000.0, 6.0), (1006.0, 4.0)):
            assert wait.answer(None, when) is Verdict.NOTHING
            assert wait.rest(when) == pause
        assert wait.state.hard_limit == math.inf
        wait.answer(None, 1010.0)
        error = wait.state.check(1010.0)

        assert isinstance(error, ActionNotFound)
        assert (error.action, error.polls) == (None, 3)

    def test_grace_from_the_first_answer(self) -> None:
        """The grace period begins with the first answer "not found"."""
        wait = new_wait(not_found_grace=10, timeout=60)
        assert wait.state.next_limit == 1060.0
        wait.answer(None, 1004.0)

        assert wait.state.next_limit == 1014.0
        wait.answer(None, 1013.9)
        assert wait.state.check(1013.9) is None

    def test_deadline_within_the_grace(self) -> None:
        """A deadline within the grace period is a timeout."""
        wait = new_wait(not_found_grace=10, timeout=4)
        wait.answer(None, 1000.0)
        assert wait.state.next_limit == 1004.0
        wait.answer(None, 1004.0)

        assert isinstance(wait.state.check(1004.0), WaitTimeout)

    def test_no_grace(self) -> None:
        """Without a grace period the first "not found" ends the wait."""
        wait = new_wait(not_found_grace=0)
        wait.answer(None, 1000.0)

        assert isinstance(wait.state.check(1000.0), ActionNotFound)

    def test_appears(self) -> None:
        """An action that appears within the grace period is waited for like any other."""
        wait = new_wait(not_found_grace=10)
        wait.answer(None, 1000.0)

        assert wait.answer(at(1), 1005.0) is Verdict.UPDATE
        wait.answer(at(1), 1050.0)
        assert wait.rest(1050.0) == 5.0

    def test_outage_within_the_grace(self) -> None:
        """While the cluster does not answer, the grace period ends nothing."""
        wait = new_wait(not_found_grace=10)
        wait.answer(None, 1000.0)
        wait.fail(refused(), 1005.0)
        wait.fail(refused(), 1050.0)

        assert wait.rest(1050.0) > 0

    def test_vanished(self) -> None:
        """An action that was seen, and then is not found, has vanished unless it is verified."""
        wait = new_wait()
        wait.answer(at(40), 1000.0)

        assert wait.answer(None, 1005.0) is Verdict.VERIFY
        error = wait.state.unverified
        assert isinstance(error, ActionVanished)
        assert (error.action, error.elapsed, error.polls) == (at(40), 5.0, 2)
        assert wait.state.next_limit == math.inf  # until it is verified

    def test_second_not_found(self) -> None:
        """If nothing tells the end of an action that is gone, a second answer has to confirm it."""
        wait = new_wait()
        wait.answer(at(40), 1000.0)
        wait.answer(None, 1001.0)
        assert not wait.state.on_unverified(1001.1)
        assert (wait.state.unverified, wait.state.is_steady) == (None, False)
        assert (wait.state.next_limit, wait.state.due(1001.0, 1001.1)) == (math.inf, 1006.0)

        assert wait.answer(None, 1003.0) is Verdict.VERIFY  # too early
        assert not wait.state.on_unverified(1003.1)
        assert wait.answer(None, 1006.0) is Verdict.VERIFY
        assert wait.state.on_unverified(1006.1)
        assert isinstance(wait.state.error, ActionVanished)

    def test_not_found_after_an_outage(self) -> None:
        """The first answer "not found" ends an outage, too, if nothing tells the end."""
        wait = new_wait(outage_timeout=30)
        wait.answer(at(40), 1000.0)
        wait.fail(refused(), 1005.0)
        assert wait.answer(None, 1020.0) is Verdict.VERIFY
        assert wait.state.hard_limit == 1035.0

        assert not wait.state.on_unverified(1020.1)
        assert (wait.state.hard_limit, wait.state.due(1020.0, 1020.1)) == (math.inf, 1025.0)

    def test_failures_after_not_found(self) -> None:
        """After a failed second look the pauses of the outage apply."""
        wait = new_wait()
        wait.answer(at(40), 1000.0)
        wait.answer(None, 1001.0)
        assert not wait.state.on_unverified(1001.1)
        wait.fail(refused(), 1006.0)

        assert wait.rest(1006.0) == 5.0

    def test_not_found_once(self) -> None:
        """An action that is found again after one answer "not found" goes on as before."""
        wait = new_wait()
        for moment in (1000.0, 1010.0):
            wait.answer(at(40), moment)
            wait.answer(None, moment + 1)
            assert not wait.state.on_unverified(moment + 1.1)
        wait.answer(at(41), 1015.0)

        assert wait.state.next_limit == math.inf
        assert wait.rest(1015.0) == 5.0

    def test_stalled_after_not_found(self) -> None:
        """One answer "not found" puts off no stall limit, nor the polls after it."""
        wait = new_wait(stall_timeout=20)
        wait.answer(at(40), 1000.0)
        wait.answer(None, 1015.0)
        assert not wait.state.on_unverified(1015.1)

        assert wait.answer(at(40), 1020.0) is Verdict.VERIFY
        assert isinstance(wait.state.unverified, ActionStalled)
        assert wait.state.on_unverified(1020.1)
        assert isinstance(wait.state.error, ActionStalled)

    def test_not_found_at_the_deadline(self) -> None:
        """At the deadline there is no second answer, so that the wait has timed out."""
        wait = new_wait(timeout=20)
        wait.answer(at(40), 1000.0)
        wait.answer(None, 1018.0)
        assert not wait.state.on_unverified(1018.0)
        assert wait.state.due(1018.0, 1018.0) == 1020.0

        wait.answer(None, 1020.0)
        assert not wait.state.on_unverified(1020.0)
        assert isinstance(wait.state.check(1020.0), WaitTimeout)

    def test_is_there_again(self) -> None:
        """An action that is found again before its verification has not vanished."""
        wait = new_wait()
        wait.answer(at(40), 1000.0)
        wait.answer(None, 1005.0)

        assert wait.answer(at(41), 1006.0) is Verdict.UPDATE
        assert wait.state.unverified is None


class TestStall:
    """`stall_timeout`: nothing moved for that long."""

    def test_stalled(self) -> None:
        """A wait without movement polls at the limit, and is then verified."""
        wait = new_wait(stall_timeout=12)
        assert wait.state.has_stall_limit
        for when, pause in ((1000.0, 5.0), (1005.0, 5.0), (1010.0, 2.0)):
            wait.answer(at(10), when)
            assert wait.rest(when) == pause

        assert wait.answer(at(10), 1012.0) is Verdict.VERIFY
        error = wait.state.unverified
        assert isinstance(error, ActionStalled)
        assert error.stall_timeout == 12
        assert wait.state.action == at(10)

    def test_slow_progress(self) -> None:
        """An action that moves is not stalled, however slowly."""
        wait = new_wait(stall_timeout=12)
        verdicts = {wait.answer(at(n), 1000.0 + 11 * n) for n in range(20)}

        assert verdicts == {Verdict.UPDATE}

    def test_end_at_the_limit(self) -> None:
        """An end that comes at the limit is an end."""
        wait = new_wait(stall_timeout=5)
        wait.answer(at(10), 1000.0)

        assert wait.answer(at(10, "completed"), 1005.0) is Verdict.DONE

    def test_not_without_an_answer(self) -> None:
        """At the limit the wait goes on until the cluster has answered there."""
        wait = new_wait(stall_timeout=5)
        wait.answer(at(10), 1000.0)

        assert wait.rest(1005.0) == 0.0
        assert wait.state.check(1007.0, forced=True) is None
        assert wait.state.hard_limit == math.inf

    def test_limit_moves_from_the_request(self) -> None:
        """An answer counts from the time at which it was requested."""
        wait = new_wait(stall_timeout=5)
        wait.answer(at(10), 1000.0)
        wait.answer(at(11), 1003.0, took=1.5)

        assert wait.state.next_limit == 1008.0

    def test_zero(self) -> None:
        """A limit of zero lets the first answer through."""
        wait = new_wait(stall_timeout=0)
        assert wait.answer(at(10), 1000.0) is Verdict.UPDATE

        assert wait.answer(at(10), 1001.0) is Verdict.VERIFY


class TestOutage:
    """`outage_timeout`: no usable answer for that long."""

    def test_survived(self) -> None:
        """An outage within the budget ends nothing, and the record shows it."""
        wait = new_wait(outage_timeout=60)
        wait.answer(at(10), 1000.0)
        for when in (1005.0, 1010.0, 1030.0):
            wait.fail(refused(), when)
            assert wait.rest(when) > 0

        assert wait.answer(at(10), 1040.0) is Verdict.NOTHING
        assert wait.rest(1040.0) == 5.0
        assert wait.state.outages == ()
        [outage] = wait.state.current_record(1041.0).outages
        assert (outage.began, outage.ended, outage.attempts) == (5.0, 40.0, 3)

    def test_not_survived(self) -> None:
        """At the end of the budget the wait ends, with the cause and the attempts."""
        wait = new_wait(outage_timeout=60)
        wait.answer(at(10), 1000.0)
        wait.fail(refused(nodes=["n1"]), 1005.0)
        wait.fail(refused(nodes=["n2"]), 1030.0)
        assert wait.state.next_limit == wait.state.hard_limit == 1065.0
        assert wait.state.check(1030.0) is None
        last = refused(status=503, error_code="busy", retry_after=50.0)
        wait.fail(last, 1065.0)
        error = wait.state.check(1065.0)

        assert isinstance(error, ClusterUnreachable)
        assert error.__cause__ is last
        assert (error.attempts, error.status, error.error_code) == (3, 503, "busy")
        assert (error.nodes, error.retry_after, error.hint) == (("n1", "n2"), 50.0, None)
        assert (error.uid, error.action, error.elapsed, error.polls) == ("a1", at(10), 65.0, 4)

    def test_forced(self) -> None:
        """If no request at the end of the budget is over, the wait ends nevertheless."""
        wait = new_wait(outage_timeout=60)
        wait.fail(refused(), 1005.0)

        assert isinstance(wait.state.check(1067.0, forced=True), ClusterUnreachable)

    def test_unreadable(self) -> None:
        """Unreadable answers are an outage, too."""
        wait = new_wait(outage_timeout=0)
        wait.fail(UnreadableReply("GET", "/v1/actions/a1", problem="not JSON"), 1000.0)
        error = wait.state.check(1000.0)

        assert isinstance(error, ClusterUnreachable)
        assert "cannot be read: not JSON" in str(error)
        assert (error.status, error.error_code) == (None, None)

    def test_each_outage_has_its_own_budget(self) -> None:
        """The budget is the time since the last good answer, not the sum of all outages."""
        wait = new_wait(outage_timeout=60)
        for n in range(10):
            wait.fail(refused(), 1000.0 + 100 * n)
            wait.answer(at(10), 1050.0 + 100 * n)

        assert wait.rest(1950.0) == 5.0

    def test_began_before_the_wait(self) -> None:
        """Of an outage that the wait has joined late, its own time counts."""
        wait, outage = new_wait(outage_timeout=60), Outage(700.0)
        outage.record_failure(refused(), 999.0)
        wait.state.join_outage(outage)

        assert wait.state.hard_limit == 1060.0
        assert wait.state.current_record(1001.0).outages[0].began == 0.0

    def test_two_outages(self) -> None:
        """An outage of the action goes on after that of the cluster, with a budget of its own."""
        wait, cluster = new_wait(outage_timeout=60), Outage(1010.0)
        wait.fail(refused(), 1000.0)
        cluster.record_failure(refused(), 1010.0)
        wait.state.join_outage(cluster)
        assert wait.state.hard_limit == 1060.0
        wait.state.leave_outage(cluster, 1020.0)
        wait.state.leave_outage(cluster, 1021.0)

        assert wait.state.hard_limit == 1060.0
        assert wait.state.outages == (wait.outage,)

    def test_both_outages_are_counted(self) -> None:
        """The error of a wait with two outages counts the attempts of both."""
        wait, cluster = new_wait(outage_timeout=60), Outage(1010.0)
        wait.fail(refused(nodes=["n1"]), 1000.0)
        cluster.record_failure(refused(nodes=["n2"]), 1070.0)
        wait.state.join_outage(cluster)
        wait.state.join_outage(cluster)
        error = wait.state.check(1070.0)

        assert isinstance(error, ClusterUnreachable)
        assert (error.attempts, error.nodes) == (2, ("n1", "n2"))

    def test_part_of_a_later_outage_of_the_cluster(self) -> None:
        """The first failures of a cluster are no outages of the actions that were asked for."""
        wait, before = new_wait(), Outage(1000.0)
        wait.state.join_outage(before)
        own, cluster = Outage(1005.0), Outage(1005.0)
        wait.state.join_outage(own)
        wait.state.join_cluster_outage(cluster)

        assert wait.state.outages == (before, cluster)

    def test_vanished_in_an_outage(self) -> None:
        """While an error is not verified, the outage lasts on."""
        wait = new_wait(outage_timeout=60)
        wait.answer(at(10), 1000.0)
        wait.fail(refused(), 1005.0)
        wait.state.on_answer(None, 1010.0, 1010.0)

        assert wait.state.outages == (wait.outage,)
        assert wait.state.next_limit == 1065.0

    @pytest.mark.parametrize(
        ("ends_early", "is_unreached", "end"),
        [(True, True, 1010.0), (True, False, 1300.0), (False, True, 1300.0)],
    )
    def test_never_reached(self, ends_early: bool, is_unreached: bool, end: float) -> None:
        """With the default budget, a cluster that was never reached ends the wait after 10 s."""
        wait = new_wait(ends_early=ends_early)
        wait.fail(refused(advice="look at the port"), 1000.0, is_unreached=is_unreached)
        assert wait.state.hard_limit == end
        error = wait.state.check(end, forced=True)

        assert isinstance(error, ClusterUnreachable)
        assert error.hint == ("look at the port" if is_unreached else None)
        assert error.advice == "look at the port"


AVAILABLE = parse_reference("bdb:1@available")
TRUE = condition_action(AVAILABLE, [])
FALSE = condition_action(AVAILABLE, ["no_quorum"])


class TestHold:
    """A condition that has to stay true for a time."""

    def test_held(self) -> None:
        """The wait ends at the first poll that is `hold` after the answer that was true first."""
        wait = PolledWait("bdb:1@available", hold=30)

        assert wait.answer(FALSE, 1000.0) is Verdict.UPDATE
        assert wait.answer(TRUE, 1010.0, took=0.5) is Verdict.UPDATE
        assert str(wait.state.action) == "bdb:1@available: available, to hold for 30s"
        assert wait.state.next_limit == 1040.5
        assert wait.rest(1010.5) == 3.0
        for when in (1013.5, 1020.0, 1040.0):
            assert wait.answer(TRUE, when) is Verdict.NOTHING
            assert not wait.state.is_over
        assert wait.rest(1040.0) == 0.5
        assert wait.answer(TRUE, 1040.5) is Verdict.DONE
        assert wait.state.action == TRUE
        record = wait.state.close(1040.5).record
        assert [(it.at, it.status, it.phase) for it in record.transitions] == [
            (0.0, "not available", Phase.PENDING),
            (10.5, "available", Phase.RUNNING),
            (40.5, "available", Phase.COMPLETED),
        ]

    def test_without_hold(self) -> None:
        """Without `hold` the first answer that is true ends the wait."""
        wait = PolledWait("bdb:1@available")
        wait.answer(FALSE, 1000.0)

        assert wait.answer(TRUE, 1001.0) is Verdict.DONE

    def test_other_work(self) -> None:
        """`hold` is for conditions: work that has completed does not come back."""
        assert PolledWait(hold=30).answer(at(100, "completed"), 1000.0) is Verdict.DONE

    @pytest.mark.parametrize("interruption", [FALSE, None], ids=["not true", "not found"])
    def test_flapping(self, interruption: object) -> None:
        """The time begins anew with the first true answer after another one."""
        wait = PolledWait("bdb:1@available", hold=10)
        wait.answer(TRUE, 1000.0)
        wait.answer(TRUE, 1009.0)
        wait.answer(interruption, 1009.5)  # type: ignore[arg-type]

        assert wait.answer(TRUE, 1010.0) is not Verdict.DONE
        assert wait.answer(TRUE, 1019.9) is not Verdict.DONE
        assert wait.answer(TRUE, 1020.0) is Verdict.DONE

    def test_outage(self) -> None:
        """The time begins anew after an outage, in which the state is unknown."""
        wait = PolledWait("bdb:1@available", hold=10)
        wait.answer(TRUE, 1000.0)
        wait.fail(refused(), 1005.0)
        assert wait.state.next_limit == 1305.0

        assert wait.answer(TRUE, 1011.0) is Verdict.NOTHING
        assert wait.answer(TRUE, 1021.0) is Verdict.DONE

    def test_outage_of_the_cluster(self) -> None:
        """An outage of the cluster counts alike."""
        wait = PolledWait("bdb:1@available", hold=10)
        wait.answer(TRUE, 1000.0)
        outage = Outage(1005.0)
        outage.record_failure(refused(), 1005.0)
        wait.state.join_cluster_outage(outage)

        assert wait.answer(TRUE, 1011.0) is Verdict.NOTHING

    @pytest.mark.parametrize(
        ("hold", "poll", "pauses"),
        [
            (2.0, None, [1.0, 1.0]),
            (30.0, None, [3.0, 3.0]),
            (30.0, AimedWait(), [3.0, 3.0]),
            (3600.0, None, [15.0, 15.0]),
            (30.0, wait_fixed(2), [2.0, 2.0]),
            (30.0, wait_fixed(7), [3.0, 3.0]),
            (2.0, wait_fixed(7), [1.0, 1.0]),
            (3600.0, wait_fixed(60), [60.0, 60.0]),
            (600.0, wait_fixed(61), [60.0, 60.0]),
            (30.0, wait_exponential(), [1.0, 2.0]),
            (0.5, None, [0.5]),
        ],
    )
    def test_pauses(self, hold: float, poll: object, pauses: list[float]) -> None:
        """It is asked for ten times meanwhile, or more often if `poll`, begun anew, says so."""
        wait = PolledWait("bdb:1@available", hold=hold, poll=poll)  # type: ignore[arg-type]
        for when in range(1000, 1050, 10):
            wait.answer(FALSE, when)
        seen, now = [], 1100.0
        for _ in pauses:
            wait.answer(TRUE, now)
            seen.append(wait.rest(now))
            now += seen[-1]

        assert seen == pauses

    def test_schedule_afterwards(self) -> None:
        """After an interruption the schedule of the wait goes on."""
        wait = PolledWait("bdb:1@available", hold=30, poll=wait_fixed(5))
        wait.answer(FALSE, 1000.0)
        wait.answer(TRUE, 1005.0)
        wait.answer(FALSE, 1010.0)

        assert wait.rest(1010.0) == 5.0

    def test_timeout_within(self) -> None:
        """A wait whose time ends within the hold has timed out, and says how it stood."""
        wait = PolledWait("bdb:1@available", hold=30, timeout=20)
        wait.answer(TRUE, 1000.0)
        assert wait.state.next_limit == 1020.0
        wait.answer(TRUE, 1020.0)
        error = wait.state.check(1020.0)

        assert isinstance(error, WaitTimeout)
        assert str(error) == (
            "bdb:1@available timed out after 20s, last seen available, to hold for 30s"
        )

    def test_stall(self) -> None:
        """A condition that holds is not stalled; one that stays untrue is."""
        wait = PolledWait("bdb:1@available", hold=30, stall_timeout=5)
        wait.answer(TRUE, 1000.0)

        assert wait.answer(TRUE, 1010.0) is Verdict.NOTHING
        wait.answer(FALSE, 1011.0)
        assert wait.answer(FALSE, 1016.0) is Verdict.VERIFY

    @pytest.mark.parametrize(("back_at", "verdict"), [(1003.9, "DONE"), (1004.1, "NOTHING")])
    def test_busy_callback(self, back_at: float, verdict: str) -> None:
        """Time in which no poll was made, as the waiter was away, does not count."""
        wait = PolledWait("bdb:1@available", hold=30)
        wait.answer(TRUE, 1000.0)
        wait.state.leave()
        wait.state.join(wait.polls)
        wait.answer(TRUE, back_at)
        wait.answer(TRUE, 1010.0)

        assert wait.answer(TRUE, 1030.0) is Verdict[verdict]


def next_after(_: object) -> Goal:
    """Return a goal whose condition is that a database is available."""
    return Goal("available", next_reference=lambda _: AVAILABLE)


class TestNext:
    """Waits that go on for a condition once the work has completed."""

    def completed_wait(self, **limits: float) -> PolledWait:
        """Return a wait whose work has completed at 1050, and that goes on at 1051."""
        wait = PolledWait(goal=next_after(self), **limits)
        wait.answer(at(50), 1000.0)
        assert wait.answer(at(100, "completed"), 1050.0) is Verdict.DONE
        wait.state.leave()
        assert wait.state.begin_next(1051.0)
        wait.state.join(wait.polls)
        wait.heard_at = -math.inf
        return wait

    def test_both(self) -> None:
        """The result is the work; its record has both moments, and all polls."""
        wait = self.completed_wait()
        assert (wait.state.ref, wait.state.last_action) == (AVAILABLE, None)
        assert not wait.state.is_over
        assert wait.state.has_work_ended
        assert wait.state.due(1040.0, 1040.0) == 1051.0
        wait.answer(FALSE, 1051.0)
        assert wait.answer(TRUE, 1060.0) is Verdict.DONE
        finished = wait.state.close(1060.0)

        assert without_record(finished) == at(100, "completed")
        assert not wait.state.begin_next(1060.0)
        record = finished.record
        assert (record.ref, record.title, record.outcome, record.polls, record.elapsed) == (
            *("action:a1", "SMUpdateBDB, until available", Outcome.COMPLETED, 4, 60.0),
        )
        assert [(it.at, it.status) for it in record.transitions] == [
            (0.0, "active"),
            (50.0, "completed"),
            (51.0, "not available"),
            (60.0, "available"),
        ]
        assert not record.already_over

    def test_asked_by_another_wait(self) -> None:
        """What another wait has asked for before is no answer; it is asked for at once."""
        wait = self.completed_wait()

        assert wait.state.due(1050.9, 1050.9) == 1051.0
        assert wait.state.asks_from == 1051.0

    def test_limits(self) -> None:
        """The timeout is that of both; grace and stall begin with the condition."""
        wait = self.completed_wait(timeout=60, stall_timeout=5)
        assert wait.answer(None, 1051.0) is Verdict.NOTHING
        assert wait.state.next_limit == 1060.0
        wait.answer(None, 1060.0)
        error = wait.state.check(1060.0)

        assert isinstance(error, WaitTimeout)
        assert (error.ref, error.uid, error.elapsed) == ("bdb:1@available", "bdb:1@available", 60.0)

    def test_not_found(self) -> None:
        """A database that does not exist ends the wait after the grace, as a wait for it would."""
        wait = self.completed_wait()
        wait.answer(None, 1051.0)
        wait.answer(None, 1061.0)
        error = wait.state.check(1061.0)

        assert isinstance(error, ActionNotFound)
        assert str(error) == (
            "bdb:1@available was not found after 1m 01s: it does not exist, or it is hidden from "
            "the user"
        )

    def test_hold(self) -> None:
        """The condition has to hold; the work has not."""
        wait = self.completed_wait(hold=5)

        assert wait.answer(TRUE, 1051.0) is Verdict.UPDATE
        assert wait.answer(TRUE, 1056.0) is Verdict.DONE

    @pytest.mark.parametrize("status", ["failed", "cancelled", "aborted"])
    def test_failed_work(self, status: str) -> None:
        """Work that has failed has no condition after it."""
        wait = PolledWait(goal=next_after(self))
        wait.answer(at(5, status), 1000.0)
        wait.state.leave()

        assert not wait.state.begin_next(1001.0)
        with pytest.raises(WaitError, match=status if status != "aborted" else "given up|aborted"):
            wait.state.close(1001.0)

    def test_not_before_the_end(self) -> None:
        """There is nothing to go on with before the work has ended, or without a goal."""
        wait = PolledWait(goal=next_after(self))
        assert not wait.state.begin_next(1000.0)
        wait.answer(at(5), 1000.0)
        assert not wait.state.begin_next(1000.0)
        other = PolledWait(goal=Goal(is_reached=bool))
        other.answer(at(5, "completed"), 1000.0)

        assert not other.state.begin_next(1000.0)

    def test_check(self) -> None:
        """Work that has no such condition is an error with its first answer."""

        def check(_: object) -> None:
            raise ValueError("no database")

        wait = PolledWait(goal=Goal("available", next_reference=lambda _: AVAILABLE, check=check))
        with pytest.raises(ValueError, match="no database"):
            wait.answer(at(5), 1000.0)

    def test_vanished(self) -> None:
        """A database that is gone while it is waited for has vanished."""
        wait = PolledWait("bdb:1@available")
        wait.answer(FALSE, 1000.0)
        assert wait.answer(None, 1001.0) is Verdict.VERIFY

        assert str(wait.state.unverified) == (
            "bdb:1@available vanished after 1.0s, last seen not available, no_quorum; the database "
            "does not exist any more"
        )


class TestEarlyEnd:
    """Goals that are reached before the work ends."""

    def test_reached(self) -> None:
        """The wait returns the unfinished action, and its record says that it was to."""
        wait = PolledWait(goal=Goal("progress=50", is_reached=bool))
        assert wait.state.early_end is bool
        wait.answer(at(60), 1000.0)
        wait.state.end_early()
        finished = wait.state.close(1000.0)

        assert without_record(finished) == at(60)
        assert wait.state.early_end is None
        assert (finished.record.outcome, finished.record.title) == (
            *(Outcome.REACHED, "SMUpdateBDB, until progress=50"),
        )
        assert not wait.state.has_work_ended

    def test_end_of_the_work(self) -> None:
        """Work that has ended is asked nothing."""
        wait = PolledWait(goal=Goal(is_reached=bool))
        wait.answer(at(100, "completed"), 1000.0)

        assert wait.state.early_end is None
        assert wait.state.close(1000.0).record.outcome is Outcome.COMPLETED
        assert PolledWait().state.early_end is None
