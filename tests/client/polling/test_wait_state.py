"""Tests of `_client.polling.wait_state`: the rules of one wait, without a clock."""

from __future__ import annotations

import math

import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import (
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionStalled,
    ActionVanished,
    AuthenticationError,
    ClusterUnreachable,
    UnreadableReply,
    WaitError,
    WaitTimeout,
)
from redis_enterprise_actions._client.polling.wait_state import LAST_POLL_TIMEOUT, Limits, WaitState
from redis_enterprise_actions._model.record import without_record
from tests.conftest import at
from tests.scripted import WALL, ref_of


def new_wait(poll: float = 5.0, **limits: float) -> WaitState:
    """Return a wait that began at 1000 and polls every `poll` seconds."""
    return WaitState(
        ref_of("a1"), limits=Limits(**limits), poll=wait_fixed(poll), now=1000.0, wall=WALL
    )


def rest(wait: WaitState, now: float) -> float:
    """Return the time until the next poll, or raise what ends the wait."""
    wait.check_limits(now)
    return max(0.0, wait.due - now)


def outage(**more: object) -> ClusterUnreachable:
    """Return the error of a failed request."""
    return ClusterUnreachable("GET", "/v1/actions/a1", reason="refused", **more)  # type: ignore[arg-type]


class TestUpdates:
    """Updates for the user."""

    def test_only_changes(self) -> None:
        """The first answer is an update, and then each change."""
        wait = new_wait()
        answers = [at(1), at(1), at(2), at(2), at(2, "completed")]

        assert [wait.on_answer(answer, 1000.0) for answer in answers] == [1, 0, 1, 0, 1]

    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "aborted"])
    def test_terminal_status(self, status: str) -> None:
        """A terminal status ends the wait, and nothing else does."""
        wait = new_wait()
        wait.on_answer(at(1), 1000.0)
        assert not wait.is_done

        wait.on_answer(at(1, status), 1001.0)
        assert wait.is_done

    def test_unknown_status(self, caplog: pytest.LogCaptureFixture) -> None:
        """An unknown status is shown, logged once, and ends nothing."""
        wait = new_wait()

        assert [wait.on_answer(at(status="odd"), 1000.0) for _ in range(3)] == [True, False, False]
        assert not wait.is_done
        (record,) = caplog.records
        assert "unknown status" in record.getMessage()
        assert "odd" in record.getMessage()
        fields = (vars(record)[name] for name in ("event", "ref", "status"))
        assert tuple(fields) == ("unknown status", "action:a1", "odd")


class TestResult:
    """Ends of a wait."""

    def test_completed(self) -> None:
        """A completed action is the result."""
        wait = new_wait()
        wait.on_answer(at(100, "completed"), 1000.0)

        assert without_record(wait.result(1001.0)) == at(100, "completed")

    @pytest.mark.parametrize(
        ("status", "error"),
        [("failed", ActionFailed), ("cancelled", ActionCancelled), ("aborted", ActionAborted)],
    )
    def test_other_ends(self, status: str, error: type[WaitError]) -> None:
        """Each other end has its own error, with the facts of the wait."""
        wait = new_wait()
        wait.on_request(1000.0)
        wait.on_answer(at(50), 1000.0)
        wait.on_request(1005.0)
        wait.on_answer(at(50, status), 1005.0)

        with pytest.raises(error) as caught:
            wait.result(1006.5)

        assert type(caught.value) is error
        assert caught.value.action == at(50, status)
        assert (caught.value.uid, caught.value.elapsed, caught.value.polls) == ("a1", 6.5, 2)

    def test_lag_bound(self) -> None:
        """The end is at most as old as the request of the answer before it, changed or not."""
        wait, running = new_wait(), at(50)
        for requested_at, found in (
            (1000.0, running),
            (1005.0, running),
            (1010.0, at(100, "completed")),
        ):
            wait.on_request(requested_at)
            wait.on_answer(found, requested_at + 0.5)

        assert wait.final_record(1011.0).lag_bound == 5.5

    def test_unchanged_answer(self) -> None:
        """An unchanged answer shows that the action still ran."""
        wait = new_wait()
        wait.on_request(1000.0)
        wait.on_answer(at(1), 1000.0)
        wait.on_request(1003.0)
        assert wait.hears_no_more(1003.0)
        wait.on_request(1005.0)
        assert not wait.hears_no_more(1005.0)  # the strategy is due
        wait.on_answer(at(1, "completed"), 1005.5)

        assert wait.final_record(1006.0).lag_bound == 2.5

    def test_not_done(self) -> None:
        """There is no result before the end."""
        with pytest.raises(AssertionError):
            new_wait().result(1000.0)


class TestDeadline:
    """`timeout` covers everything."""

    def test_request_is_cut(self) -> None:
        """A request may take the time that is left."""
        assert new_wait(timeout=10).on_request(1004.0) == 1010.0
        assert new_wait().on_request(1004.0) == math.inf

    def test_last_sleep_is_clipped(self) -> None:
        """The last sleep ends at the deadline, where one more poll is made."""
        wait = new_wait(timeout=7)
        wait.on_request(1000.0)
        wait.on_answer(at(1), 1000.0)
        assert rest(wait, 1000.0) == 5.0

        wait.on_request(1005.0)
        wait.on_answer(at(1), 1005.0)
        assert rest(wait, 1005.0) == 2.0

        assert wait.on_request(1007.0) == 1007.0 + LAST_POLL_TIMEOUT
        wait.on_answer(at(2), 1007.1)
        with pytest.raises(WaitTimeout) as caught:
            rest(wait, 1007.1)

        assert caught.value.timeout == 7
        assert caught.value.action == at(2)
        assert caught.value.polls == 3
        assert caught.value.elapsed == pytest.approx(7.1)

    @pytest.mark.parametrize(("timeout", "pause"), [(5.3, 5.3), (5.6, 5.0)])
    def test_no_poll_just_before(self, timeout: float, pause: float) -> None:
        """A poll that is due just before the deadline is made at the deadline."""
        wait = new_wait(timeout=timeout)
        wait.on_request(1000.0)
        wait.on_answer(at(1), 1000.0)

        assert rest(wait, 1000.0) == pytest.approx(pause)

    def test_zero(self) -> None:
        """A timeout of zero polls once and then ends."""
        wait = new_wait(timeout=0)

        assert wait.on_request(1000.0) == 1000.0 + LAST_POLL_TIMEOUT
        wait.on_answer(at(1), 1000.0)
        with pytest.raises(WaitTimeout):
            rest(wait, 1000.0)

    def test_woken_a_tick_early(self) -> None:
        """A loop that wakes a moment before the deadline has woken at it."""
        wait = new_wait(timeout=7)

        assert wait.on_request(1006.9999) == 1006.9999 + LAST_POLL_TIMEOUT

    def test_cut_request(self) -> None:
        """A request that was cut at the deadline was the last."""
        wait = new_wait(timeout=7)
        wait.on_request(1000.0)
        wait.on_answer(at(1), 1000.0)
        wait.on_request(1005.0)
        wait.on_timeout(1007.0)

        with pytest.raises(WaitTimeout) as caught:
            rest(wait, 1007.0)
        assert caught.value.action == at(1)

    def test_slept_late(self) -> None:
        """A wait that slept past its deadline polls once more before it ends."""
        wait = new_wait(timeout=7)
        wait.on_request(1000.0)
        wait.on_answer(at(1), 1000.0)

        assert rest(wait, 1060.0) == 0.0

    def test_during_an_outage(self) -> None:
        """A deadline within an outage is a timeout with the outage as its cause."""
        wait = new_wait(timeout=7)
        wait.on_request(1000.0)
        error = outage()
        wait.on_error(error, 1000.0)
        wait.on_request(1007.0)
        wait.on_error(error, 1007.0)

        with pytest.raises(WaitTimeout) as caught:
            rest(wait, 1007.0)
        assert caught.value.__cause__ is error
        assert caught.value.action is None


class TestNotFound:
    """A uid that the cluster does not know, before and after it was seen."""

    def test_grace(self) -> None:
        """An action that was never seen is not found once the grace period is over."""
        wait = new_wait(poll=6, not_found_grace=10)
        for now, pause in ((1000.0, 6.0), (1006.0, 4.0)):
            wait.on_request(now)
            assert wait.on_answer(None, now) is False
            assert rest(wait, now) == pause
        wait.on_request(1010.0)
        wait.on_answer(None, 1010.0)

        with pytest.raises(ActionNotFound) as caught:
            rest(wait, 1010.0)
        assert (caught.value.action, caught.value.polls) == (None, 3)

    def test_no_grace(self) -> None:
        """Without a grace period the first "not found" ends the wait."""
        wait = new_wait(not_found_grace=0)
        wait.on_request(1000.0)
        wait.on_answer(None, 1000.0)

        with pytest.raises(ActionNotFound):
            rest(wait, 1000.0)

    def test_appears(self) -> None:
        """An action that appears within the grace period is waited for like any other."""
        wait = new_wait(not_found_grace=10)
        wait.on_request(1000.0)
        wait.on_answer(None, 1000.0)
        wait.on_request(1005.0)

        assert wait.on_answer(at(1), 1005.0) is True
        wait.on_request(1050.0)
        wait.on_answer(at(1), 1050.0)
        assert rest(wait, 1050.0) == 5.0

    def test_outage_within_the_grace(self) -> None:
        """While the cluster does not answer, the grace period ends nothing."""
        wait = new_wait(not_found_grace=10)
        wait.on_request(1000.0)
        wait.on_answer(None, 1000.0)
        wait.on_request(1005.0)
        wait.on_error(outage(), 1005.0)
        wait.on_request(1050.0)
        wait.on_error(outage(), 1050.0)

        assert rest(wait, 1050.0) > 0

    def test_vanished(self) -> None:
        """An action that was seen, and then is not found, has vanished."""
        wait = new_wait()
        wait.on_request(1000.0)
        wait.on_answer(at(40), 1000.0)
        wait.on_request(1005.0)

        with pytest.raises(ActionVanished) as caught:
            wait.on_answer(None, 1005.0)
        assert caught.value.action == at(40)


class TestStall:
    """`stall_timeout`: nothing moved for that long."""

    def test_stalled(self) -> None:
        """A wait without movement polls at the limit, and then ends."""
        wait = new_wait(stall_timeout=12)
        for now, pause in ((1000.0, 5.0), (1005.0, 5.0), (1010.0, 2.0)):
            wait.on_request(now)
            wait.on_answer(at(10), now)
            assert rest(wait, now) == pause
        wait.on_request(1012.0)

        with pytest.raises(ActionStalled) as caught:
            wait.on_answer(at(10), 1012.0)
        assert caught.value.stall_timeout == 12

    def test_slow_progress(self) -> None:
        """An action that moves is not stalled, however slowly."""
        wait = new_wait(stall_timeout=12)
        for n in range(20):
            now = 1000.0 + 11 * n
            wait.on_request(now)
            assert wait.on_answer(at(n), now) is True

    def test_end_at_the_limit(self) -> None:
        """An end that comes at the limit is an end."""
        wait = new_wait(stall_timeout=5)
        wait.on_request(1000.0)
        wait.on_answer(at(10), 1000.0)
        wait.on_request(1005.0)

        assert wait.on_answer(at(10, "completed"), 1005.0) is True

    def test_not_without_an_answer(self) -> None:
        """At the limit the wait goes on until the cluster has answered there."""
        wait = new_wait(stall_timeout=5)
        wait.on_request(1000.0)
        wait.on_answer(at(10), 1000.0)
        wait.on_timeout(1005.0)

        assert rest(wait, 1005.0) == 0.0

    def test_zero(self) -> None:
        """A limit of zero lets the first answer through."""
        wait = new_wait(stall_timeout=0)
        wait.on_request(1000.0)
        assert wait.on_answer(at(10), 1000.0) is True

        wait.on_request(1001.0)
        with pytest.raises(ActionStalled):
            wait.on_answer(at(10), 1001.0)


class TestOutage:
    """`outage_timeout`: no usable answer for that long."""

    def test_survived(self) -> None:
        """An outage within the budget ends nothing."""
        wait = new_wait(outage_timeout=60)
        wait.on_request(1000.0)
        wait.on_answer(at(10), 1000.0)
        for now in (1005.0, 1010.0, 1030.0):
            wait.on_request(now)
            wait.on_error(outage(), now)
            assert rest(wait, now) > 0
        wait.on_request(1040.0)

        assert wait.on_answer(at(10), 1040.0) is False
        assert rest(wait, 1040.0) == 5.0

    def test_not_survived(self) -> None:
        """At the end of the budget the wait ends, with the cause and the attempts."""
        wait = new_wait(outage_timeout=60)
        wait.on_request(1000.0)
        wait.on_answer(at(10), 1000.0)
        for now in (1005.0, 1030.0):
            wait.on_request(now)
            wait.on_error(outage(retry_after=50.0), now)
        assert wait.soft_limit == 1065.0  # not 1080: the last attempt is at the end of the budget
        assert wait.on_request(1065.0) == 1065.0 + LAST_POLL_TIMEOUT
        last = outage(status=503, error_code="busy")
        wait.on_error(last, 1065.0)

        with pytest.raises(ClusterUnreachable) as caught:
            rest(wait, 1065.0)
        error = caught.value
        assert error.__cause__ is last
        assert (error.attempts, error.status, error.error_code) == (3, 503, "busy")
        assert (error.uid, error.action, error.elapsed, error.polls) == ("a1", at(10), 65.0, 4)

    def test_unreadable(self) -> None:
        """Unreadable answers are an outage, too."""
        wait = new_wait(outage_timeout=0)
        wait.on_request(1000.0)
        wait.on_error(UnreadableReply("GET", "/v1/actions/a1", problem="not JSON"), 1000.0)

        with pytest.raises(ClusterUnreachable, match="cannot be read: not JSON"):
            rest(wait, 1000.0)

    def test_each_outage_has_its_own_budget(self) -> None:
        """The budget is the time since the last good answer, not the sum of all outages."""
        wait = new_wait(outage_timeout=60)
        for n in range(10):
            wait.on_request(1000.0 + 100 * n)
            wait.on_error(outage(), 1000.0 + 100 * n)
            wait.on_request(1050.0 + 100 * n)
            wait.on_answer(at(10), 1050.0 + 100 * n)

        assert rest(wait, 1950.0) == 5.0

    @pytest.mark.parametrize("own", [True, False])
    def test_when_the_cluster_answers_others(self, own: bool) -> None:
        """An answer to others ends a cluster-wide outage, but not one of this action."""
        wait = new_wait(outage_timeout=60)
        wait.on_request(1000.0)
        wait.on_error(outage(), 1000.0, per_action=own)
        wait.on_cluster_answered(1006.0)
        wait.on_request(1050.0)
        wait.on_error(outage(), 1050.0)

        assert wait.hard_limit == (1060.0 if own else 1110.0)

    def test_when_there_is_no_outage(self) -> None:
        """An answer to others changes nothing without an outage."""
        wait = new_wait()
        wait.on_cluster_answered(1006.0)

        assert rest(wait, 1000.0) == 0

    def test_another_node(self) -> None:
        """Each node is tried once before a limit counts, and a hanging one is cut short."""
        wait = new_wait(outage_timeout=0)
        for node in ("n1", "n2", "n1"):
            error = outage()
            error.nodes, error.has_alternative = (node,), True
            wait.on_request(1000.0)
            wait.on_error(error, 1000.0)
            if node == "n2":
                wait.check_limits(1000.0)

        with pytest.raises(ClusterUnreachable, match="3 attempts at n1, n2"):
            wait.check_limits(1000.0)

    def test_cut_at_another_node(self) -> None:
        """A request to another node that hangs is cut short, and that ends the wait."""
        wait = new_wait(outage_timeout=10)
        error = outage()
        error.nodes, error.has_alternative = ("n1",), True
        wait.on_request(1000.0)
        wait.on_error(error, 1000.0)
        wait.on_timeout(1012.0)

        with pytest.raises(ClusterUnreachable):
            wait.check_limits(1012.0)

    def test_requests_are_cut_at_the_budget(self) -> None:
        """During an outage a request may take the rest of the budget."""
        wait = new_wait(outage_timeout=60)
        assert wait.on_request(1000.0) == math.inf
        wait.on_error(outage(), 1030.0)

        assert wait.on_request(1031.0) == 1060.0
        wait.on_timeout(1060.0)
        with pytest.raises(ClusterUnreachable):
            rest(wait, 1060.0)

    def test_fatal(self) -> None:
        """A refusal ends the wait at once, with the facts of the wait."""
        wait = new_wait()
        wait.on_request(1000.0)
        wait.on_answer(at(10), 1000.0)
        wait.on_request(1005.0)

        with pytest.raises(AuthenticationError) as caught:
            wait.on_error(AuthenticationError("GET", "/v1/actions/a1", status=403), 1005.0)
        assert (caught.value.action, caught.value.elapsed, caught.value.polls) == (at(10), 5.0, 2)
