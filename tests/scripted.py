"""A cluster without a wire: what a hub may ask, answered from a table, and what it did ask."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions import Action, ActionVanished, ClusterUnreachable
from redis_enterprise_actions._client.polling.poller import Poller
from redis_enterprise_actions._client.polling.wait_state import Limits, WaitState
from redis_enterprise_actions._client.polling.watch import watch
from redis_enterprise_actions._client.protocols import ListResult
from redis_enterprise_actions._model.action import completed
from redis_enterprise_actions._model.record import without_record
from redis_enterprise_actions._model.reference import Reference, ReferenceKind
from tests.conftest import at


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions import RedisActionsError, WaitError

WALL: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)  # when waits begin, to the outer world


def ref_of(uid: str) -> Reference:
    """Return the reference to an action."""
    return Reference(ReferenceKind.ACTION, uid)


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


@dataclass
class Work:
    """An action of the scripted cluster: it is known from `begins` on and ends at `ends`.

    From `rests` on nothing is seen to move.
    """

    ends: float
    begins: float = 0.0
    status: str = "completed"
    listed: bool = True
    settled: bool = False  # the database shows that it has ended well
    rests: float = math.inf

    def seen(self, when: float) -> Action | None:
        """Return what the cluster says of it."""
        if when < self.begins or (when >= self.ends and self.status == "vanishes"):
            return None
        if when >= self.ends:
            return at(100.0, self.status)
        moved = min(when, self.rests) - self.begins
        return at(round(100 * moved / max(self.ends - self.begins, 1.0)))


@dataclass
class ScriptedCluster:
    """Answers a hub, `latency` seconds late, and keeps what it was asked."""

    work: dict[str, Work] = field(default_factory=dict)
    latency: float = 0.0
    list_cost: float = 1.0
    error: RedisActionsError | None = None
    list_error: RedisActionsError | None = None
    asked: list[tuple[str, float, float]] = field(default_factory=list)
    said: dict[Action, Action] = field(default_factory=dict)
    shown: dict[Reference, Action] = field(default_factory=dict)
    tells_changes: bool = True  # whether a list says what has changed since the last one
    under_way: int = 0
    most_under_way: int = 0

    def __post_init__(self) -> None:
        """Make the hub that asks this cluster."""
        self.poller = Poller(self, requests_sent=lambda: len(self.asked))

    def add(self, uid: str, ends: float, **more: object) -> str:
        """Add an action; return its uid."""
        self.work[uid] = Work(ends, **more)  # type: ignore[arg-type]
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
        return without_record(wait.result(now()))

    @property
    def lists(self) -> list[float]:
        """When the list was asked for."""
        return [began for what, began, _ in self.asked if what == "list"]

    def singles(self, uid: str) -> list[float]:
        """When an action was asked for alone."""
        return [began for what, began, _ in self.asked if what == uid]

    # --- what a hub asks ------------------------------------------------------------------------

    async def fetch(self, ref: Reference, _: Action | None) -> Action | None:
        """Answer for one action."""
        await self._answer(ref.uid, self.error)
        return self._seen(ref.uid)

    async def fetch_many(self, wanted: Mapping[Reference, Action | None]) -> ListResult:
        """Answer with a list."""
        await self._answer("list", self.error or self.list_error)
        seen = {ref: self._seen(ref.uid) for ref in wanted if ref.uid in self.work}
        shown = {
            ref: action for ref, action in seen.items() if action and self.work[ref.uid].listed
        }
        before, self.shown = self.shown, shown
        if not self.tells_changes:
            return ListResult(shown, cost=self.list_cost)
        changed = {ref: shown.get(ref) for ref in [*shown, *before]}
        changed = {ref: it for ref, it in changed.items() if it is not before.get(ref)}
        return ListResult(shown, self.list_cost, changed)

    async def verify(self, _: Reference, doubt: WaitError) -> Action | None:
        """Answer for a database."""
        await self._answer("database", self.error)
        assert doubt.action is not None
        if not self.work[doubt.uid].settled:
            return None
        return completed(doubt.action) if isinstance(doubt, ActionVanished) else None

    def _seen(self, uid: str) -> Action | None:
        work = self.work.get(uid)
        action = work.seen(now()) if work else None
        if action is None:
            return None
        action = msgspec.structs.replace(action, uid=uid)
        # As from bytes that are what they were, the same action comes of what says the same.
        return self.said.setdefault(action, action)

    async def _answer(self, what: str, error: RedisActionsError | None) -> None:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        began = now()
        entry = len(self.asked)
        self.asked.append((what, began, math.inf))
        try:
            await asyncio.sleep(self.latency)
        finally:
            self.under_way -= 1
            self.asked[entry] = (what, began, now())
        if error is not None:
            raise error


def unreachable() -> ClusterUnreachable:
    """Return the lack of an answer."""
    return ClusterUnreachable("GET", "/v1/actions", reason="refused")
