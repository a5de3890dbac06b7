"""What can befall the fake in the course of a test, drawn by lot from a seed."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar, get_args

from .faults import NO_ROUTE, Fault


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .nodes import Nodes


_T = TypeVar("_T")
TroubleKind: TypeAlias = Literal[
    "unavailable",
    "throttled",
    "dropped",
    "slow",
    "truncated",
    "empty",
    "garbage",
    "bad_entry",
    "nan",
    "restart",
    "failover",
    "election",
    "revoke",
    "no_route",
]
_PAGE: Final = b"<html><body>upstream connect error</body></html>"
_OF_ONE_NODE: Final = frozenset({"restart", "failover"})
_OF_NO_NODE: Final = frozenset({"election", "revoke"})
_LEAST_DELAY, _MOST_DELAY = 1.0, 20.0  # seconds
_MOST_RETRY_AFTER: Final = 30  # seconds

# The kinds that answers suffer from; the nodes suffer from the rest.
_FAULTS: Final[Mapping[TroubleKind, Fault]] = {
    "unavailable": Fault(status=503),
    "throttled": Fault(status=429),
    "dropped": Fault(drop=True),
    "slow": Fault(),
    "truncated": Fault(truncate=True),
    "empty": Fault(status=200),
    "garbage": Fault(status=200, body=_PAGE, headers={"Content-Type": "text/html"}),
    "bad_entry": Fault(bad_entry=True),
    "nan": Fault(nan=True),
    "no_route": Fault(status=404, body=NO_ROUTE, headers={"Content-Type": "application/json"}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """One episode of what `FakeCluster.trouble` has drawn.

    `begins` and `ends` are in seconds from when it was drawn. `node` is the one that has it, or
    None if all have.

    - "unavailable" answers 503; "throttled" 429, with `retry_after` in seconds; "slow" comes
      `delay` seconds late; "garbage" is a success in HTML; "dropped", "truncated", "empty",
      "bad_entry", "nan" and "no_route" are as in `FakeCluster.inject`.
    - "restart": the node is stopped at the beginning and started at the end, unless it is the
      only one that runs.
    - "failover": at the beginning, the primary moves to the node, or to the lowest other one that
      runs.
    - "election": there is no primary until the end; then the lowest node that runs is it.
    - "revoke": tokens are revoked at the beginning.
    """

    begins: float
    ends: float
    kind: TroubleKind
    node: int | None = None
    delay: float = 0.0
    retry_after: float | None = None


def draw_troubles(
    seed: int, *, nodes: int, horizon: float, episodes: int, longest: float
) -> list[Trouble]:
    """Return so many episodes, by their beginnings: the same for the same arguments.

    They begin from 0 on and before `horizon`, and last for more than 0 and up to `longest`
    seconds.
    """
    if not (isfinite(horizon) and horizon > 0 and isfinite(longest) and longest > 0):
        raise ValueError("horizon and longest are in seconds, more than 0")
    if episodes < 0:
        raise ValueError("there are no fewer than 0 episodes")
    # Of what it draws, only random() is promised to be the same in every version of Python.
    lots = random.Random(seed)  # noqa: S311 - nothing here is a secret
    drawn = [_draw(lots, nodes, horizon, longest) for _ in range(episodes)]
    return sorted(drawn, key=lambda trouble: trouble.begins)


def fault_of(troubles: Sequence[Trouble], node: int, now: float) -> Fault | None:
    """Return what the oldest trouble does to an answer of a node, if there is one at `now`."""
    for trouble in troubles:
        fault = _FAULTS.get(trouble.kind)
        if fault and trouble.begins <= now < trouble.ends and trouble.node in {None, node}:
            wait = trouble.retry_after
            headers = {} if wait is None else {"Retry-After": f"{wait:g}"}
            return replace(fault, delay=trouble.delay, headers=fault.headers | headers)
    return None


def _draw(lots: random.Random, nodes: int, horizon: float, longest: float) -> Trouble:
    # As many lots for every kind, so that a change to one leaves the others alone.
    begins = lots.random() * horizon
    ends = begins + (1 - lots.random()) * longest
    kind: TroubleKind = _pick(lots, get_args(TroubleKind))
    node = _pick(lots, range(1, nodes + 1))
    everywhere = lots.random() < 1 / (nodes + 1) and kind not in _OF_ONE_NODE
    delay = _LEAST_DELAY + lots.random() * (_MOST_DELAY - _LEAST_DELAY)
    retry_after = float(_pick(lots, range(1, _MOST_RETRY_AFTER + 1)))
    return Trouble(
        begins=begins,
        ends=ends,
        kind=kind,
        node=None if everywhere or kind in _OF_NO_NODE else node,
        delay=delay if kind == "slow" else 0.0,
        retry_after=retry_after if kind == "throttled" else None,
    )


def _pick(lots: random.Random, options: Sequence[_T]) -> _T:
    return options[int(lots.random() * len(options))]


class Player:
    """The troubles of one cluster: each schedule has a task, until `close`."""

    def __init__(self, nodes: Nodes, revoke: Callable[[], None]) -> None:
        self._nodes = nodes
        self._revoke = revoke
        self._troubles: list[Trouble] = []  # the oldest first, in the loop's time
        self._elections = 0  # under way
        self._tasks: list[asyncio.Task[None]] = []

    def play(self, troubles: Sequence[Trouble]) -> None:
        """Let troubles happen, whose times are counted from now."""
        now = _now()
        dated = [replace(each, begins=now + each.begins, ends=now + each.ends) for each in troubles]
        self._troubles = sorted([*self._troubles, *dated], key=lambda trouble: trouble.begins)
        self._tasks.append(asyncio.create_task(self._run(dated)))

    def fault(self, node: int) -> Fault | None:
        """Return what an answer of a node suffers from now."""
        return fault_of(self._troubles, node, _now())

    def end(self) -> None:
        """Call everything off; nodes that are stopped stay so."""
        self._troubles.clear()
        for task in self._tasks:
            task.cancel()
        if self._elections:
            self._elections = 0
            self._nodes.elect()

    async def close(self) -> None:
        """Call everything off and wait for it. Raises what went wrong while it was played."""
        self.end()
        tasks, self._tasks = self._tasks, []
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _run(self, troubles: Sequence[Trouble]) -> None:
        stopped: set[Trouble] = set()
        moments = [(each.begins, True, each) for each in troubles]
        moments += [(each.ends, False, each) for each in troubles]
        for at, begins, trouble in sorted(moments, key=lambda moment: moment[:2]):
            await asyncio.sleep(at - _now())
            if trouble.kind == "restart":
                await (self._stop if begins else self._start)(trouble, stopped)
            elif trouble.kind == "election":
                self._elect(begins=begins)
            elif trouble.kind == "failover" and begins:
                self._nodes.fail_over(trouble.node)
            elif trouble.kind == "revoke" and begins:
                self._revoke()

    async def _stop(self, trouble: Trouble, stopped: set[Trouble]) -> None:
        running = self._nodes.running
        if trouble.node in running and len(running) > 1:
            stopped.add(trouble)
            await self._nodes.stop(trouble.node)

    async def _start(self, trouble: Trouble, stopped: set[Trouble]) -> None:
        """Start what the same trouble has stopped, unless somebody else has, or it was removed."""
        if trouble.node is None or trouble not in stopped:
            return
        if trouble.node in {*self._nodes.running, *self._nodes.gone}:
            return
        await self._nodes.start(trouble.node)
        if self._elections:
            self._nodes.primary = None

    def _elect(self, *, begins: bool) -> None:
        self._elections += 1 if begins else -1
        if begins:
            self._nodes.primary = None
        elif not self._elections:
            self._nodes.elect()


def _now() -> float:
    return asyncio.get_running_loop().time()
