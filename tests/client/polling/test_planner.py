"""Tests of `_client.polling.planner`: the next request as a function of state and time."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import ActionStalled
from redis_enterprise_actions._client.polling.planner import PollPlanner, RequestKind
from redis_enterprise_actions._client.polling.wait_state import Limits, WaitState
from redis_enterprise_actions._client.polling.waiters import Waiter, WaiterRegistry
from redis_enterprise_actions._model.reference import ListKind, parse_reference
from tests.conftest import at
from tests.scripted import WALL, unreachable


def planner_of(*refs: str, requested_at: float | None = 0.0) -> tuple[PollPlanner, list[Waiter]]:
    """Return a planner for waiters of these references, which have seen their actions run."""
    registry, waiters = WaiterRegistry(), []
    for ref in refs:
        state = WaitState(parse_reference(ref), limits=Limits(), now=0.0, wall=WALL)
        if requested_at is not None:
            state.on_request(requested_at)
            state.on_answer(at(), requested_at)
        waiters.append(Waiter(state, every_update=True))
        registry.add(waiters[-1])
    return PollPlanner(registry), waiters


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
def test_kind(refs: list[str], kind: RequestKind) -> None:
    """One action is requested alone, and several that one list shows are requested by the list."""
    planner, _ = planner_of(*refs)

    assert planner.next_request(0.0).kind is kind


def test_new_wait_is_first() -> None:
    """A wait for which nothing was requested yet is due at once."""
    planner, (waiter,) = planner_of("a", requested_at=None)

    assert planner.next_request(5.0) == (5.0, RequestKind.SINGLE, waiter)


def test_other_lists_take_turns() -> None:
    """Of two lists that are due, the one that was requested longer ago is next."""
    planner, _ = planner_of("a", "b", "bdb:1", "bdb:2")
    first = planner.next_request(1000.0)
    planner.record_request(first)
    second = planner.next_request(1000.0)

    assert {first.waiter.list_kind, second.waiter.list_kind} == {ListKind.ACTIONS, ListKind.BDBS}


def test_missing_in_list_is_requested_alone() -> None:
    """An action that the list did not show is requested alone, at once."""
    planner, (missing, _) = planner_of("a", "b")
    missing.on_missing_in_list(1.0)
    request = planner.next_request(1.0)

    assert (request.kind, request.waiter) == (RequestKind.SINGLE, missing)


def test_verification_and_polls_alternate() -> None:
    """A verification is next, unless the last request was one and a poll is due."""
    planner, (stalled, other) = planner_of("a", "b")
    error = ActionStalled("a", action=None, elapsed=1.0, polls=1, stall_timeout=1.0)
    planner.require_verification(stalled, error)
    first = planner.next_request(1000.0)
    planner.record_request(first)
    for _ in range(3):  # as many as one second may have
        planner.rate_limiter.record(1000.0, 1000.0, 1)
    second = planner.next_request(1000.0)

    assert (first.kind, first.waiter) == (RequestKind.VERIFY, stalled)
    assert (second.kind, second.waiter) == (RequestKind.SINGLE, other)


def test_list_that_fails_is_avoided() -> None:
    """After two failures in a row while other requests are answered, a list is not requested."""
    planner, _ = planner_of("a", "b")
    endpoint = planner.list_endpoint(ListKind.ACTIONS)
    for _ in range(2):
        endpoint.record_failure(10.0)

    assert planner.next_request(11.0).kind is RequestKind.SINGLE
    assert planner.next_request(71.0).kind is RequestKind.LIST


def test_outage() -> None:
    """During an outage one action at a time is requested, and each time another one."""
    planner, (first, second) = planner_of("a", "b")
    assert planner.record_failure(unreachable(), [first, second], 1.0) is None
    assert planner.record_failure(unreachable(), [first], 2.0) == 0.0
    request = planner.next_request(2.0)

    assert (request.kind, request.waiter) == (RequestKind.SINGLE, second)
    assert request.when > 2.0
    planner.record_answer(3.0)
    assert planner.next_request(3.0).kind is RequestKind.LIST
