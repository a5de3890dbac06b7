"""`PolledWait`: a `WaitState` whose polls a test makes by hand, without a poller."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from redis_enterprise_actions._client.polling.limits import Limits
from redis_enterprise_actions._client.polling.outages import Outage
from redis_enterprise_actions._client.polling.wait_state import WaitState
from redis_enterprise_actions._model.reference import parse_reference
from tests.scripted import WALL


if TYPE_CHECKING:
    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions import Action, RequestError
    from redis_enterprise_actions._client.polling.limits import Goal
    from redis_enterprise_actions._client.polling.wait_state import Verdict
    from redis_enterprise_actions._model.action import AmbiguousAnswer


class Polls:
    """Polls of one reference, as `PollCounts`."""

    def __init__(self) -> None:
        self.polls = 0
        self.asked_at = -math.inf
        self.shown_at = -math.inf
        self.is_stale = False
        self.refreshed = 0

    def refresh(self) -> None:
        """Count the calls."""
        self.refreshed += 1
        self.is_stale = False


class PolledWait:
    """A wait that began at 1000, its polls, and the outage that concerns it, if there is one."""

    def __init__(
        self,
        ref: str = "action:a1",
        *,
        poll: WaitBaseT | None = None,
        goal: Goal | None = None,
        **limits: float,
    ) -> None:
        self.state = WaitState(
            parse_reference(ref),
            limits=Limits(**limits),
            poll=poll,
            now=1000.0,
            wall=WALL,
            goal=goal,
        )
        self.polls = Polls()
        self.state.join(self.polls)
        self.heard_at = -math.inf
        self.outage: Outage | None = None

    def ask(self, when: float) -> None:
        """Send a request."""
        self.polls.polls += 1
        self.polls.asked_at = when

    def answer(
        self, found: Action | AmbiguousAnswer | None, when: float, *, took: float = 0.0
    ) -> Verdict:
        """Send a request, and pass its answer."""
        self.ask(when)
        self.heard_at, self.outage = when + took, None
        return self.state.on_answer(found, when, self.heard_at)

    def fail(self, error: RequestError, when: float, *, is_unreached: bool = False) -> None:
        """Send a request that fails."""
        self.ask(when)
        self.heard_at = when
        self.outage = self.outage or Outage(when)
        self.outage.record_failure(error, when, is_unreached=is_unreached)
        self.state.join_outage(self.outage)
        self.state.schedule.on_no_answer(when)

    def rest(self, now: float) -> float:
        """Return the seconds until the next poll or the next limit; the wait has not ended."""
        assert self.state.check(now) is None
        return min(self.state.due(self.polls.asked_at, self.heard_at), self.state.next_limit) - now
