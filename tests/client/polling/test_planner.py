"""Tests of `_client.polling.planner`: the next request as a function of state and time."""

from __future__ import annotations

import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import ActionStalled
from redis_enterprise_actions._client.pacing.rate_limit import PollGate, RateLimiter
from redis_enterprise_actions._client.polling.limits import Limits
from redis_enterprise_actions._client.polling.outages import Outage
from redis_enterprise_actions._client.polling.planner import (
    PlannedRequest,
    PollingState,
    RequestKind,
    at_limit,
    next_beside,
    next_request,
)
from redis_enterprise_actions._client.polling.wait_state import WaitState
from redis_enterprise_actions._client.polling.waiters import (
    ListEndpoint,
    TrackedAction,
    Waiter,
    WaiterRegistry,
)
from redis_enterprise_actions._model.reference import ListKind, parse_reference
from tests.conftest import at
from tests.scripted import WALL, ScriptedCluster, unreachable


class Planned:
    """State that the planner reads: waiters that have begun at 0, and have seen their action."""

    def __init__(self, *refs: str, seen: bool = True, pause: float | None = None) -> None:
        self.registry = WaiterRegistry(dict.fromkeys(ListKind, ScriptedCluster()))
        self.state = PollingState(self.registry, RateLimiter())
        self.waiters = [self.join(ref, 0.0, pause=pause) for ref in refs]
        if seen:
            for endpoint in self.registry.endpoints.values():
                self.list_answered(endpoint, 0.0)

    def join(self, ref: str, now: float, *, pause: float | None = None) -> Waiter:
        """Add a waiter for which nothing was asked yet."""
        poll = None if pause is None else wait_fixed(pause)
        state = WaitState(parse_reference(ref), limits=Limits(), poll=poll, now=now, wall=WALL)
        waiter = Waiter(state, every_update=False)
        self.registry.add(waiter, now)
        return waiter

    def list_answered(self, endpoint: ListEndpoint, when: float, cost: float = 1.0) -> None:
        """Have a list answered that shows each action active."""
        endpoint.on_asked(when)
        for tracked in endpoint.tracked.values():
            for waiter in tracked.waiters:
                waiter.state.on_answer(at(), when, when)
        endpoint.on_heard(when, when, cost, 0.0)

    def tracked(self, number: int) -> TrackedAction:
        """Return the action of a waiter."""
        return self.waiters[number].tracked

    @property
    def actions(self) -> ListEndpoint:
        """Return the list of actions."""
        return self.registry.endpoint(ListKind.ACTIONS)

    def poll(self, when: float, took: float = 0.0) -> None:
        """Use the rate limit for one poll."""
        gate = PollGate(self.state.rate_limiter, when)
        self.state.rate_limiter.record_start(when)
        self.state.rate_limiter.record_end(gate, when + took, took, is_answered=True)

    def next(self, now: float) -> PlannedRequest:
        """Return the next request."""
        request = next_request(self.state, now)
        assert request is not None
        return request

    def beside(self, out: PlannedRequest, slow_at: float, now: float) -> PlannedRequest:
        """Return the next request beside one that is out."""
        request = next_beside(self.state, out, slow_at, now)
        assert request is not None
        return request


def failed(*refs: str, began: float = 0.0) -> Outage:
    """Return an outage of the cluster in which these references were asked for."""
    outage = Outage(began)
    for number, ref in enumerate(refs):
        outage.record_failure(unreachable(), began + number, ref=parse_reference(ref))
    return outage


class TestNextRequest:
    """The request that is due."""

    @pytest.mark.parametrize(
        ("refs", "kind"),
        [
            (["a"], RequestKind.SINGLE),
            (["a", "a"], RequestKind.SINGLE),
            (["a", "b"], RequestKind.LIST),
            (["bdb:1", "bdb:2", "bdb:3"], RequestKind.LIST),
        ],
        ids=["one wait", "two waits for one action", "two actions", "three databases"],
    )
    @pytest.mark.parametrize("seen", [True, False])
    def test_kind(self, refs: list[str], kind: RequestKind, seen: bool) -> None:
        """One action is requested alone, and several that one list shows are requested by it."""
        request = Planned(*refs, seen=seen).next(0.0)

        assert (request.kind, request.is_urgent) == (kind, False)
        assert (request.tracked is None) is (kind is RequestKind.LIST)

    def test_nothing(self) -> None:
        """Without waiters there is no request."""
        assert next_request(Planned().state, 0.0) is None

    def test_changes_nothing(self) -> None:
        """The same state and time give the same request."""
        planned = Planned("a", "b", "bdb:1", "node:1/x")

        assert planned.next(3.0) == planned.next(3.0)

    def test_first_wait(self) -> None:
        """The first wait of a client is polled at once, even in a rest."""
        planned = Planned("a", seen=False)
        planned.poll(4.0, took=1.0)

        assert planned.next(5.0)[:2] == (5.0, RequestKind.SINGLE)

    def test_second_wait(self) -> None:
        """Another wait is polled at once, but for the rest, and for all that the list serves."""
        planned = Planned("a")
        planned.join("b", 5.0)
        assert planned.next(5.0)[:2] == (5.0, RequestKind.LIST)

        planned.poll(5.0, took=1.0)
        assert planned.next(6.0).when == 15.0

    def test_due(self) -> None:
        """A lone wait is polled by its schedule."""
        assert Planned("a", pause=7.0).next(0.0).when == 7.0

    @pytest.mark.parametrize("counter", ["asked_at", "single_asked_at", "newest"])
    def test_list_is_due_after(self, counter: str) -> None:
        """A list is due after the last request for it or its actions, and after the newest wait."""
        planned = Planned("a", "b")
        first = planned.next(20.0).when
        setattr(planned.actions, counter, 10.0)

        assert planned.next(20.0).when - 10.0 > first

    def test_cap(self) -> None:
        """A list is requested again no later than the cap after its last answer."""
        planned = Planned("a", "b")
        planned.actions.asked_at = 10_000.0
        planned.actions.heard_at = 10_001.0
        assert planned.next(10_001.0).when == 10_016.0

        planned.actions.heard_at = 10_000.0
        assert planned.next(10_000.0).when == 10_015.0

    @pytest.mark.parametrize(("limit", "when"), [(5.3, 5.3), (5.6, 5.0), (4.9, 5.0)])
    def test_list_just_before_a_limit(self, limit: float, when: float) -> None:
        """A list that is due just before a limit is requested at the limit."""
        planned = Planned("a", "b", pause=5.0)
        planned.state.next_limit = limit

        assert planned.next(0.0).when == when

    def test_costly_list(self) -> None:
        """A list that costs more than single requests is not used, until its cost has expired."""
        planned = Planned("a", "b")
        planned.list_answered(planned.actions, 0.0, cost=200.0)
        assert planned.next(10.0).kind is RequestKind.SINGLE
        assert planned.next(299.0).kind is RequestKind.SINGLE

        assert planned.next(300.0).kind is RequestKind.LIST

    def test_lists_take_turns(self) -> None:
        """Of two lists that are due, the one that was requested longer ago is next."""
        planned = Planned("a", "b", "bdb:1", "bdb:2", seen=False)
        turns = []
        for number in range(1, 5):
            request = planned.next(1000.0)
            request.endpoint.last_request = number
            turns.append(request.endpoint.kind)

        assert turns == [ListKind.ACTIONS, ListKind.BDBS] * 2

    def test_earlier_list_first(self) -> None:
        """Of two lists the one that is due earlier is next."""
        planned = Planned("a", "b", "bdb:1", "bdb:2")
        planned.list_answered(planned.registry.endpoint(ListKind.ACTIONS), 3.0)

        assert planned.next(0.0).endpoint.kind is ListKind.BDBS

    def test_missing_in_list_is_requested_alone(self) -> None:
        """An action that the list did not show is requested alone, at once."""
        planned = Planned("a", "b", "c")
        planned.tracked(0).on_missing()
        planned.poll(0.9, took=1.0)  # a rest does not count
        request = planned.next(1.0)

        assert request[:2] == (1.0, RequestKind.SINGLE)
        assert request.tracked is planned.tracked(0)

    def test_list_and_singles_alternate(self) -> None:
        """If a list and a single request are due, they alternate."""
        planned = Planned("a", "b", "c")
        planned.tracked(0).on_missing()
        planned.tracked(0).poll_now = False
        planned.poll(1000.0)
        kinds = []
        for _ in range(4):
            request = planned.next(1000.0)
            planned.actions.last_was_list = request.kind is RequestKind.LIST
            kinds.append(request.kind)

        assert kinds == [RequestKind.LIST, RequestKind.SINGLE] * 2

    def test_single_is_later(self) -> None:
        """A single request that is due later does not keep the list from its turn."""
        planned = Planned("a", "b", "c")
        planned.waiters[0].state.schedule = Planned("a", pause=500.0).waiters[0].state.schedule
        planned.tracked(0).on_missing()
        planned.tracked(0).poll_now = False

        planned.actions.last_was_list = True
        assert planned.next(20.0).kind is RequestKind.LIST

    def test_earliest_single(self) -> None:
        """Of several actions that are requested alone, the one that is due first is next."""
        planned = Planned()
        waiters = [planned.join(ref, 0.0, pause=pause) for ref, pause in (("a", 9.0), ("b", 4.0))]
        planned.list_answered(planned.actions, 0.0)
        planned.actions.refuse(0.0)
        request = planned.next(0.0)

        assert request[:2] == (4.0, RequestKind.SINGLE)
        assert request.tracked is waiters[1].tracked

    def test_list_that_fails(self) -> None:
        """After two failures in a row a list is not requested for a minute."""
        planned = Planned("a", "b")
        for _ in range(2):
            planned.actions.on_failed(10.0, alone=False)

        assert planned.next(11.0).kind is RequestKind.SINGLE
        assert planned.next(69.0).kind is RequestKind.SINGLE
        assert planned.next(70.0).kind is RequestKind.LIST


class TestVerification:
    """Requests for the database of a doubtful action."""

    def planned(self) -> Planned:
        """Return two waits, of which the first has stalled."""
        planned = Planned("a", "b")
        stalled = ActionStalled("a", action=None, elapsed=1.0, polls=1, stall_timeout=1.0)
        planned.waiters[0].state.unverified = stalled
        planned.registry.unverified[planned.tracked(0)] = None
        return planned

    def test_first(self) -> None:
        """A verification is next, at once, even in a rest."""
        planned = self.planned()
        planned.poll(0.0, took=5.0)
        request = planned.next(1.0)

        assert request.when <= 1.0
        assert (request.kind, request.tracked) == (RequestKind.VERIFY, planned.tracked(0))

    def test_alternate(self) -> None:
        """A poll that is due is next after a verification; one that is not due is not."""
        planned = self.planned()
        planned.state.last_was_verification = True
        assert planned.next(0.0).kind is RequestKind.VERIFY

        for _ in range(3):  # as many as one second may have
            planned.state.rate_limiter.record_start(1000.0)
        assert planned.next(1000.0).kind is RequestKind.LIST

    def test_not_polled(self) -> None:
        """What is to be verified is not requested alone meanwhile."""
        planned = self.planned()
        planned.actions.refuse(1000.0)
        planned.state.last_was_verification = True
        for _ in range(3):
            planned.state.rate_limiter.record_start(1000.0)
        assert planned.next(1000.0).tracked is planned.tracked(1)

        planned.registry.remove(planned.waiters[1])
        assert planned.next(1000.0).kind is RequestKind.VERIFY

    def test_in_an_outage(self) -> None:
        """In an outage a verification waits like any other request."""
        planned = self.planned()
        planned.state.outage = failed("b")
        request = planned.next(0.0)

        assert request.kind is RequestKind.VERIFY
        assert request.when == planned.state.outage.retry_at
        planned.registry.remove(planned.waiters[1])
        assert planned.next(0.0) == request


class TestOutage:
    """Requests while the cluster does not answer."""

    def test_turns(self) -> None:
        """One action at a time is requested, the one that was tried longest ago."""
        planned = Planned("a", "b", "bdb:1")
        planned.state.outage = failed("a", "b")
        request = planned.next(0.0)

        assert (request.kind, request.tracked) == (RequestKind.SINGLE, planned.tracked(2))
        assert request.when == planned.state.outage.retry_at
        planned.state.outage = failed("b", "bdb:1", "a")
        assert planned.next(0.0).tracked is planned.tracked(1)

    def test_failing_actions_last(self) -> None:
        """An action that fails while others are answered tells nothing about the cluster."""
        planned = Planned("a", "b")
        planned.state.outage = failed("b")
        planned.tracked(0).outage = failed("a")

        assert planned.next(0.0).tracked is planned.tracked(1)

    def test_rest(self) -> None:
        """A rest counts in an outage, too."""
        planned = Planned("a")
        planned.state.outage = failed("a")
        planned.poll(0.0, took=5.0)

        assert planned.next(0.0).when == 50.0


class TestAtLimit:
    """Urgent requests, at the limits of waits."""

    def planned(self, *refs: str) -> Planned:
        """Return waits of which each is at its limit, in a rest."""
        planned = Planned(*refs)
        planned.registry.at_limit = dict.fromkeys(planned.waiters)
        planned.poll(0.0, took=5.0)
        return planned

    def test_none(self) -> None:
        """Without waiters at a limit there is no urgent request."""
        assert not Planned("a", "b").next(0.0).is_urgent

    def test_hard_limits_first(self) -> None:
        """A wait that ends even without an answer goes before those that do not."""
        planned = Planned("a", "bdb:1")
        planned.registry.at_limit = dict.fromkeys(planned.waiters)
        assert planned.next(1.0).tracked is planned.tracked(0)

        planned.waiters[1].ends_at = 3.0
        assert planned.next(1.0).tracked is planned.tracked(1)

    def test_one(self) -> None:
        """One wait at its limit is asked for alone, before all others, and in a rest."""
        planned = self.planned("a", "b", "c")
        planned.registry.at_limit = {planned.waiters[1]: None}
        planned.registry.unverified[planned.tracked(2)] = None
        request = planned.next(1.0)

        assert request == at_limit(planned.state, 1.0)
        assert (request.kind, request.tracked) == (RequestKind.SINGLE, planned.tracked(1))
        assert request.is_urgent
        assert request.when <= 1.0

    def test_three_a_second(self) -> None:
        """An urgent request is never the fourth in a second."""
        planned = self.planned("a")
        for when in (1.0, 1.1, 1.2):
            planned.state.rate_limiter.record_start(when)

        assert planned.next(1.3).when == pytest.approx(2.05)

    def test_several(self) -> None:
        """The list serves several actions at their limits; two waits for one action need none."""
        request = self.planned("a", "b").next(1.0)
        assert (request.kind, request.tracked) == (RequestKind.LIST, None)
        assert request.is_urgent

        assert self.planned("a", "a").next(1.0).kind is RequestKind.SINGLE

    @pytest.mark.parametrize(
        "trouble", ["slow", "hangs", "failed", "refused", "first unlisted", "others unlisted"]
    )
    def test_list_is_of_no_use(self, trouble: str) -> None:
        """A list that may not answer in time, or that does not show them, is not asked for."""
        planned = self.planned("a", "b", "c")
        endpoint = planned.actions
        if trouble == "slow":
            endpoint.on_heard(0.0, 0.0, 1.0, 2.1)
        elif trouble == "hangs":
            endpoint.out_since = -1.1
        elif trouble == "failed":
            endpoint.on_failed(0.0, alone=False)
        elif trouble == "refused":
            endpoint.refuse(0.0)
        elif trouble == "first unlisted":
            planned.tracked(0).on_missing()
        else:
            planned.tracked(1).on_missing()
            planned.tracked(2).on_missing()
        request = planned.next(1.0)

        assert (request.kind, request.tracked) == (RequestKind.SINGLE, planned.tracked(0))

    def test_of_another_list(self) -> None:
        """A wait at its limit on another list is not served by this one."""
        planned = Planned("a", "b", "bdb:1", "bdb:2")
        planned.registry.at_limit = {planned.waiters[0]: None, planned.waiters[2]: None}

        assert planned.next(1.0).tracked is planned.tracked(0)


class TestBeside:
    """Requests beside one that is out."""

    def test_at_a_limit(self) -> None:
        """A request at a limit is made beside any other at once."""
        planned = Planned("a", "b")
        out = planned.next(0.0)
        planned.registry.at_limit = {planned.waiters[0]: None}

        assert planned.beside(out, 100.0, 1.0) == at_limit(planned.state, 1.0)

    def test_not_before_it_is_slow(self) -> None:
        """Others are requested beside one that is out only once that is slow."""
        planned = Planned("a", "bdb:1", pause=7.0)
        out = planned.next(0.0)
        assert planned.beside(out, 5.0, 1.0).when == 7.0
        assert planned.beside(out, 9.0, 1.0).when == 9.0

        assert planned.beside(out, 5.0, 1.0).tracked is planned.tracked(1)

    def test_single_beside_a_list(self) -> None:
        """Beside a list that is slow, each of its actions is requested alone."""
        planned = Planned("a", "b", pause=7.0)
        out = planned.next(7.0)
        beside = planned.beside(out, 10.0, 8.0)

        assert out.kind is RequestKind.LIST
        assert (beside.when, beside.kind) == (10.0, RequestKind.SINGLE)

    def test_list_beside_a_single(self) -> None:
        """Beside a single request that is slow, the list is requested for the others."""
        planned = Planned("a", "b", "c", pause=7.0)
        out = PlannedRequest(0.0, RequestKind.SINGLE, planned.actions, planned.tracked(0))

        assert planned.beside(out, 10.0, 8.0)[:2] == (10.0, RequestKind.LIST)

    def test_not_the_same_again(self) -> None:
        """What a request is out for is not requested once more."""
        planned = Planned("a", pause=7.0)
        assert next_beside(planned.state, planned.next(0.0), 1.0, 2.0) is None

        planned = Planned("a", "b", pause=7.0)
        planned.actions.refuse(0.0)
        out = PlannedRequest(0.0, RequestKind.SINGLE, planned.actions, planned.tracked(0))
        assert planned.beside(out, 1.0, 2.0).tracked is planned.tracked(1)

    def test_unlisted_beside_a_single(self) -> None:
        """If the only unlisted action is the one that is out, the list is next."""
        planned = Planned("a", "b", "c", pause=7.0)
        planned.tracked(0).on_missing()
        out = planned.next(0.0)

        assert out.tracked is planned.tracked(0)
        assert planned.beside(out, 1.0, 2.0).kind is RequestKind.LIST

    def test_in_an_outage(self) -> None:
        """In an outage another action is tried beside the one that is out."""
        planned = Planned("a", "b")
        planned.state.outage = failed("b")
        out = PlannedRequest(0.0, RequestKind.SINGLE, planned.actions, planned.tracked(0))
        beside = planned.beside(out, 100.0, 0.0)

        assert (beside.when, beside.tracked) == (100.0, planned.tracked(1))
        planned.registry.remove(planned.waiters[1])
        assert next_beside(planned.state, out, 100.0, 0.0) is None
