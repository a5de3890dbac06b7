"""`ScriptedCluster`: a status source for pollers that answers from a table, without HTTP."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions import Action, ActionVanished, ClusterUnreachable
from redis_enterprise_actions._client.polling.limits import Limits
from redis_enterprise_actions._client.polling.poller import Poller
from redis_enterprise_actions._client.polling.wait_state import WaitState
from redis_enterprise_actions._client.polling.watch import watch
from redis_enterprise_actions._client.protocols import ListResult
from redis_enterprise_actions._model.action import completed
from redis_enterprise_actions._model.record import without_record
from redis_enterprise_actions._model.reference import ListKind, Reference, ReferenceKind
from tests.conftest import at


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions import Phase, RedisActionsError, WaitError
    from redis_enterprise_actions._client.protocols import Gate, Wanted

WALL: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)  # wall clock at the beginning of waits


def ref_of(uid: str) -> Reference:
    """Return the reference to an action."""
    return Reference(ReferenceKind.ACTION, uid)


def now() -> float:
    """Return the time of the event loop."""
    return asyncio.get_running_loop().time()


@dataclass
class ScriptedAction:
    """Action that the cluster knows from `begins` on, and that ends at `ends`.

    From `stalls_at` on nothing moves.
    """

    ends: float
    begins: float = 0.0
    status: str = "completed"
    listed: bool = True
    untold: bool = False  # the list tells nothing about it
    verified: bool = False  # the database shows that it has completed
    stalls_at: float = math.inf

    def state_at(self, when: float) -> Action | None:
        """Return the action at a time, or None if the cluster does not know it."""
        if when < self.begins or (when >= self.ends and self.status == "vanishes"):
            return None
        if when >= self.ends:
            return at(100.0, self.status)
        moved = min(when, self.stalls_at) - self.begins
        return at(round(100 * moved / max(self.ends - self.begins, 1.0)))


@dataclass
class ScriptedEntry:
    """Entry of a list that is not read, as `UnreadEntry`. `reads` counts how often it was."""

    action: Action
    reads: int = 0

    @property
    def phase(self) -> Phase:
        """Return the phase of the action."""
        return self.action.phase

    def read(self) -> Action:
        """Return the action."""
        self.reads += 1
        return self.action


@dataclass
class ScriptedCluster:
    """Status source that answers after `latency` seconds, and keeps the requests.

    A list `reports` unread entries of what has changed, the changed actions, or everything.
    """

    work: dict[str, ScriptedAction] = field(default_factory=dict)
    latency: float = 0.0
    list_latency: float | None = None  # of lists, if it is another one
    list_cost: float = 1.0
    error: RedisActionsError | None = None
    list_error: RedisActionsError | None = None
    requests: list[tuple[str, float, float]] = field(default_factory=list)
    known_actions: dict[Action, Action] = field(default_factory=dict)
    last_list: dict[Reference, Action] = field(default_factory=dict)
    reports: Literal["entries", "actions", "everything"] = "entries"
    has_answered: bool = True
    in_flight: int = 0
    most_in_flight: int = 0

    def __post_init__(self) -> None:
        """Make the poller that uses this source."""
        self.poller = Poller(dict.fromkeys(ListKind, self), self)

    def add(self, uid: str, ends: float, **more: object) -> str:
        """Add an action; return its uid."""
        self.work[uid] = ScriptedAction(ends, **more)  # type: ignore[arg-type]
        return uid

    async def wait(
        self,
        uid: str,
        *,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        every: bool = False,
        **limits: float,
    ) -> Action:
        """Wait for an action as a client does."""
        wait = WaitState(ref_of(uid), limits=Limits(**limits), poll=poll, now=now(), wall=WALL)
        async for _ in watch(self.poller, wait, on_progress=on_progress, every_update=every):
            pass
        return without_record(wait.close(now()))

    @property
    def list_times(self) -> list[float]:
        """Return the times of the list requests."""
        return [began for what, began, _ in self.requests if what == "list"]

    def single_times(self, uid: str) -> list[float]:
        """Return the times of the single requests for an action."""
        return [began for what, began, _ in self.requests if what == uid]

    # --- `StatusSource` -------------------------------------------------------------------------

    def path(self, ref: Reference) -> str:
        """Return the path of an action."""
        return f"/v1/actions/{ref.uid}"

    async def fetch(self, ref: Reference, _: Action | None, gate: Gate | None) -> Action | None:
        """Return the state of one action."""
        await self._respond(ref.uid, self.error, gate)
        return self._state_of(ref.uid)

    async def fetch_many(self, wanted: Wanted, gate: Gate | None) -> ListResult:
        """Return the states that the list shows."""
        await self._respond("list", self.error or self.list_error, gate)
        seen = {ref: self._state_of(ref.uid) for ref in wanted if ref.uid in self.work}
        shown = {
            ref: action for ref, action in seen.items() if action and self.work[ref.uid].listed
        }
        before, self.last_list = self.last_list, shown
        untold = {ref for ref in seen if self.work[ref.uid].untold} - set(shown)
        if self.reports == "everything":
            return ListResult(shown, cost=self.list_cost, untold=untold)
        changed = {ref: shown.get(ref) for ref in [*shown, *before]}
        changed = {ref: it for ref, it in changed.items() if it is not before.get(ref)}
        if self.reports == "actions":
            return ListResult(changed, self.list_cost, shown.get, untold)
        entries = {ref: it and ScriptedEntry(it) for ref, it in changed.items()}
        return ListResult(entries, self.list_cost, shown.get, untold)

    async def verify(self, _: Reference, unverified: WaitError, gate: Gate | None) -> Action | None:
        """Return an action as completed if its database shows that."""
        await self._respond("database", self.error, gate)
        assert unverified.action is not None
        if not self.work[unverified.uid].verified:
            return None
        return completed(unverified.action) if isinstance(unverified, ActionVanished) else None

    def _state_of(self, uid: str) -> Action | None:
        work = self.work.get(uid)
        action = work.state_at(now()) if work else None
        if action is None:
            return None
        action = msgspec.structs.replace(action, uid=uid)
        # Equal states are the same object, as for a list whose bytes have not changed.
        return self.known_actions.setdefault(action, action)

    async def _respond(self, what: str, error: RedisActionsError | None, gate: Gate | None) -> None:
        if gate is not None:
            await gate.admit()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        began = now()
        entry = len(self.requests)
        self.requests.append((what, began, math.inf))
        try:
            latency = self.list_latency if what == "list" else None
            await asyncio.sleep(self.latency if latency is None else latency)
        finally:
            self.in_flight -= 1
            self.requests[entry] = (what, began, now())
        if error is not None:
            raise error


def unreachable() -> ClusterUnreachable:
    """Return the error of a failed request."""
    return ClusterUnreachable("GET", "/v1/actions", reason="refused")
