"""The planner: the next request as a pure function of the registry, the outage and the time."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .wait_state import CLOSE_TO_LIMIT


if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis_enterprise_actions._client.pacing.rate_limit import RateLimiter

    from .outages import Outage
    from .waiters import ListEndpoint, TrackedAction, WaiterRegistry


class RequestKind(enum.Enum):
    """Kind of a request: one object, a list, or the database of a doubtful action."""

    SINGLE = enum.auto()
    LIST = enum.auto()
    VERIFY = enum.auto()


class PlannedRequest(NamedTuple):
    """Request to send at the time `when`. `tracked` is None for a list.

    An urgent request is made at the limit of a wait.
    """

    when: float
    kind: RequestKind
    endpoint: ListEndpoint
    tracked: TrackedAction | None
    is_urgent: bool = False


@dataclass(slots=True)
class PollingState:
    """The input of the planner: the waiters, the rate limit, and the outage if there is one."""

    registry: WaiterRegistry
    rate_limiter: RateLimiter
    outage: Outage | None = None  # of the cluster, from the first failure on
    next_limit: float = math.inf  # the earliest time at which a wait may reach a limit
    requests: int = 0
    last_was_verification: bool = False


def next_request(state: PollingState, now: float) -> PlannedRequest | None:
    """Return the next request, or None if no waiter needs one."""
    if state.registry.at_limit:
        return at_limit(state, now)
    poll = _next_poll(state, now)
    if not state.registry.unverified:
        return poll
    verification = _next_verification(state)
    # Verifications and polls alternate.
    is_turn = state.last_was_verification and poll is not None and poll.when <= verification.when
    return poll if is_turn else verification


def at_limit(state: PollingState, now: float) -> PlannedRequest:
    """Return the request for the waits that are at a limit. There must be one.

    Those that end there even without an answer go first, then those that came first.
    """
    waiters = state.registry.at_limit
    first = next((each for each in waiters if each.ends_at < math.inf), next(iter(waiters)))
    tracked, when = first.tracked, state.rate_limiter.urgent_from
    endpoint = tracked.endpoint
    if tracked.is_attached:
        others = {each.tracked for each in waiters if each.tracked.endpoint is endpoint}
        if endpoint.serves_limits(len([each for each in others if each.is_attached]), now):
            return PlannedRequest(when, RequestKind.LIST, endpoint, None, is_urgent=True)
    return PlannedRequest(when, RequestKind.SINGLE, endpoint, tracked, is_urgent=True)


def next_beside(
    state: PollingState, out: PlannedRequest, slow_at: float, now: float
) -> PlannedRequest | None:
    """Return the next request beside one that is out: for other work, or that of a list alone.

    Before `slow_at` there is none, except at a limit.
    """
    if state.registry.at_limit:
        return at_limit(state, now)
    busy = out.tracked
    endpoints = [each for each in state.registry.endpoints.values() if each.tracked]
    if state.outage is not None:
        every = [tracked for each in endpoints for tracked in each.tracked.values()]
        plan = _retry(state, [each for each in every if each is not busy], state.outage)
    else:
        plans = [
            _next_single(state, each.tracked.values(), now, busy)
            if each is out.endpoint and busy is None
            else _next_of_list(state, each, now, busy)
            for each in endpoints
        ]
        plan = min(filter(None, plans), key=lambda plan: plan.when, default=None)
    return None if plan is None else plan._replace(when=max(plan.when, slow_at))


def _next_verification(state: PollingState) -> PlannedRequest:
    tracked = next(iter(state.registry.unverified))
    when = state.rate_limiter.urgent_from
    if state.outage is not None:
        when = max(when, state.outage.retry_at)
    return PlannedRequest(when, RequestKind.VERIFY, tracked.endpoint, tracked)


def _next_poll(state: PollingState, now: float) -> PlannedRequest | None:
    endpoints = [each for each in state.registry.endpoints.values() if each.tracked]
    if state.outage is not None:
        # During an outage, poll one action at a time, another one each time.
        every = [tracked for each in endpoints for tracked in each.tracked.values()]
        return _retry(state, every, state.outage)
    plans = [plan for each in endpoints if (plan := _next_of_list(state, each, now)) is not None]
    # If several are due, the list that has waited longest is next.
    return min(plans, key=lambda plan: (plan.when, plan.endpoint.last_request), default=None)


def _retry(
    state: PollingState, every: Iterable[TrackedAction], outage: Outage
) -> PlannedRequest | None:
    """Return a request in an outage: the one last tried longest ago, failing actions last."""
    candidates = [each for each in every if each not in state.registry.unverified]
    if not candidates:
        return None
    first = min(candidates, key=lambda it: (it.outage is not None, outage.last_tried(it.ref)))
    when = max(outage.retry_at, state.rate_limiter.earliest)
    return PlannedRequest(when, RequestKind.SINGLE, first.endpoint, first)


def _next_of_list(
    state: PollingState, endpoint: ListEndpoint, now: float, busy: TrackedAction | None = None
) -> PlannedRequest | None:
    """Return the next request for the references of one list: the list, or a single one.

    `busy` is the reference that a request is out for.
    """
    due = _list_due(state, endpoint, now) if endpoint.is_usable(now) else None
    if due is None:
        return _next_single(state, endpoint.tracked.values(), now, busy)
    by_list = PlannedRequest(due, RequestKind.LIST, endpoint, None)
    if not endpoint.alone:
        return by_list
    single = _next_single(state, endpoint.alone, now, busy)
    if single is None:
        return by_list
    # List and single requests alternate.
    is_list_turn = due <= max(now, single.when) and not endpoint.last_was_list
    return single if single.when <= due and not is_list_turn else by_list


def _next_single(
    state: PollingState,
    every: Iterable[TrackedAction],
    now: float,
    busy: TrackedAction | None = None,
) -> PlannedRequest | None:
    """Return the next request for one of these references alone."""
    unverified = state.registry.unverified
    candidates = [each for each in every if each not in unverified and each is not busy]
    if not candidates:
        return None
    first = candidates[0]
    if len(candidates) > 1:
        first = min(candidates, key=lambda tracked: tracked.due)
    is_first = not first.polls and state.registry.count == len(first.waiters)
    if is_first or (first.poll_now and first.outage is None):
        when = max(now, state.rate_limiter.urgent_from)
    else:
        when = max(first.due, state.rate_limiter.earliest)
    return PlannedRequest(when, RequestKind.SINGLE, first.endpoint, first)


def _list_due(state: PollingState, endpoint: ListEndpoint, now: float) -> float | None:
    """Return the time of the next list request, or None if single requests are cheaper."""
    earliest = state.rate_limiter.earliest
    since = max(endpoint.asked_at, endpoint.single_asked_at, endpoint.newest)
    cost = endpoint.cost_at(now)
    schedule = endpoint.schedule(since, is_bound=lambda due: due <= earliest)
    if not schedule.is_cheaper(cost, len(endpoint.tracked) - len(endpoint.alone)):
        return None
    if endpoint.has_new:
        return max(now, earliest)
    due = min(schedule.due(since, cost), endpoint.heard_at + schedule.cap)
    if 0 <= state.next_limit - due < min(due - since, CLOSE_TO_LIMIT):
        due = state.next_limit
    return max(due, earliest)
