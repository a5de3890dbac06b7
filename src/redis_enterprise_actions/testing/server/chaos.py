"""Chaos: faults and changes of nodes at random times, derived from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar, get_args

from redis_enterprise_actions.testing.tasks import Tasks

from .faults import NO_ROUTE, Fault


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from redis_enterprise_actions.testing.clock import Clock

    from .nodes import NodeServers


_T = TypeVar("_T")
EpisodeKind: TypeAlias = Literal[
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
    "hanging_list",
    "refused_list",
    "inner_redirect",
]
# The routes whose answers list the work of a whole cluster.
LIST_ROUTES: Final = (
    "/v1/actions",
    "/v2/actions",
    "/v1/bdbs",
    "/v1/nodes/actions",
    "/v1/cluster/actions",
    "/v1/crdb_tasks",
)
_GATEWAY_PAGE: Final = b"<html><body>upstream connect error</body></html>"
_ON_ONE_NODE: Final = frozenset({"restart", "failover", "inner_redirect"})
_ON_NO_NODE: Final = frozenset({"election", "revoke"})
_MIN_DELAY, _MAX_DELAY = 1.0, 20.0  # seconds
_MAX_RETRY_AFTER: Final = 30  # seconds
_REFUSALS: Final = (403, 405, 406, 501)
_LISTS_ONLY: Final = frozenset({"hanging_list", "refused_list"})

# The kinds that spoil answers; the others change nodes.
_FAULTS: Final[Mapping[EpisodeKind, Fault]] = {
    "unavailable": Fault(status=503),
    "throttled": Fault(status=429),
    "dropped": Fault(drop=True),
    "slow": Fault(),
    "truncated": Fault(truncate=True),
    "empty": Fault(status=200),
    "garbage": Fault(status=200, body=_GATEWAY_PAGE, headers={"Content-Type": "text/html"}),
    "bad_entry": Fault(bad_entry=True),
    "nan": Fault(nan=True),
    "no_route": Fault(status=404, body=NO_ROUTE, headers={"Content-Type": "application/json"}),
    "hanging_list": Fault(method="GET", exact=True, hang=True),
    "refused_list": Fault(method="GET", exact=True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ChaosEpisode:
    """One fault, or one change of a node, of `FakeCluster.chaos`.

    `begins` and `ends` are in seconds since that call. `node` is the affected node, or None if
    all are.

    - "unavailable" answers 503; "throttled" 429, with `retry_after` in seconds; "slow" comes
      `delay` seconds late; "garbage" is a success in HTML; "dropped", "truncated", "empty",
      "bad_entry", "nan" and "no_route" are as in `FakeCluster.inject`.
    - "hanging_list": GET on the list route `path`, such as "/v1/actions", is never answered;
      single objects are. "refused_list": it answers `status`: 403, 405, 406 or 501.
    - "restart": the node is stopped at the beginning and started at the end, unless no other
      node runs.
    - "failover": at the beginning, the primary moves to the node, or to the lowest other running
      one.
    - "inner_redirect": a failover, and until the end the nodes that redirect name the address of
      the primary inside its network (https://10.0.0.1:9443 for node 1), where no server listens.
    - "election": there is no primary until the end; then the lowest running node becomes it.
    - "revoke": tokens are revoked at the beginning.
    """

    begins: float
    ends: float
    kind: EpisodeKind
    node: int | None = None
    delay: float = 0.0
    retry_after: float | None = None
    path: str | None = None
    status: int | None = None


def draw_episodes(
    seed: int, *, nodes: int, horizon: float, episodes: int, longest: float
) -> list[ChaosEpisode]:
    """Return random episodes in the order of their beginnings, the same for the same arguments.

    Each begins before `horizon` and lasts up to `longest` seconds. Raises `ValueError` for times
    that are not more than 0, and for a negative number of episodes.
    """
    if not (isfinite(horizon) and horizon > 0 and isfinite(longest) and longest > 0):
        raise ValueError("horizon and longest are in seconds, more than 0")
    if episodes < 0:
        raise ValueError("there are no fewer than 0 episodes")
    # Of the methods of Random, random() alone promises the same numbers in each Python.
    rng = random.Random(seed)  # noqa: S311 - nothing here is a secret
    drawn = [_draw(rng, nodes, horizon, longest) for _ in range(episodes)]
    return sorted(drawn, key=lambda episode: episode.begins)


def _draw(rng: random.Random, nodes: int, horizon: float, longest: float) -> ChaosEpisode:
    # Each kind draws the same number of values, so that a change to one kind changes no other.
    begins = rng.random() * horizon
    ends = begins + (1 - rng.random()) * longest
    kind: EpisodeKind = _pick(rng, get_args(EpisodeKind))
    node = _pick(rng, range(1, nodes + 1))
    everywhere = rng.random() < 1 / (nodes + 1) and kind not in _ON_ONE_NODE
    delay = _MIN_DELAY + rng.random() * (_MAX_DELAY - _MIN_DELAY)
    retry_after = float(_pick(rng, range(1, _MAX_RETRY_AFTER + 1)))
    path, status = _pick(rng, LIST_ROUTES), _pick(rng, _REFUSALS)
    return ChaosEpisode(
        begins=begins,
        ends=ends,
        kind=kind,
        node=None if everywhere or kind in _ON_NO_NODE else node,
        delay=delay if kind == "slow" else 0.0,
        retry_after=retry_after if kind == "throttled" else None,
        path=path if kind in _LISTS_ONLY else None,
        status=status if kind == "refused_list" else None,
    )


def _pick(rng: random.Random, options: Sequence[_T]) -> _T:
    return options[int(rng.random() * len(options))]


class ChaosRunner:
    """Episodes of one cluster; each call of `run` has a task, until `close`."""

    def __init__(
        self,
        clock: Clock,
        nodes: NodeServers,
        revoke_tokens: Callable[[], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._clock = clock
        self._nodes = nodes
        self._revoke_tokens = revoke_tokens
        self._episodes: list[ChaosEpisode] = []  # the oldest first, in the time of the clock
        self._elections = 0  # number of those that have not ended
        self._tasks = Tasks(clock, report)

    def run(self, episodes: Sequence[ChaosEpisode]) -> None:
        """Start episodes, whose times count from now."""
        now = self._clock.now()
        dated = [replace(each, begins=now + each.begins, ends=now + each.ends) for each in episodes]
        self._episodes = sorted([*self._episodes, *dated], key=lambda each: each.begins)
        self._tasks.start(self._change_nodes(dated))

    def fault(self, method: str, path: str, node: int) -> Fault | None:
        """Return the fault of the oldest episode that spoils the answer to a request now."""
        for episode in self._ongoing():
            fault = _FAULTS.get(episode.kind)
            if fault is None:
                continue
            headers = dict(fault.headers)
            if episode.retry_after is not None:
                headers["Retry-After"] = f"{episode.retry_after:g}"
            fault = replace(
                fault,
                node=episode.node,
                path=episode.path or fault.path,
                status=episode.status or fault.status,
                delay=episode.delay,
                headers=headers,
            )
            if fault.hits(method, path, node):
                return fault
        return None

    @property
    def redirects_inside(self) -> bool:
        """True while the nodes redirect to addresses inside the cluster's network."""
        return any(episode.kind == "inner_redirect" for episode in self._ongoing())

    def _ongoing(self) -> Iterator[ChaosEpisode]:
        now = self._clock.now()
        return (each for each in self._episodes if each.begins <= now < each.ends)

    def stop(self) -> None:
        """End all episodes; stopped nodes stay so."""
        self._episodes.clear()
        self._tasks.cancel()
        if self._elections:
            self._elections = 0
            self._nodes.elect()

    async def close(self) -> None:
        """End all episodes and await their tasks."""
        self.stop()
        await self._tasks.close()

    async def _change_nodes(self, episodes: Sequence[ChaosEpisode]) -> None:
        stopped: set[ChaosEpisode] = set()
        moments = [(each.begins, True, each) for each in episodes]
        moments += [(each.ends, False, each) for each in episodes]
        for at, begins, episode in sorted(moments, key=lambda moment: moment[:2]):
            await self._clock.sleep_until(at)
            if episode.kind == "restart" and begins:
                async with self._nodes.lock:
                    running = self._nodes.running
                    if episode.node in running and len(running) > 1:
                        stopped.add(episode)
                        await self._nodes.stop(episode.node)
            elif episode.kind == "restart" and episode in stopped:
                await self._start(episode)
            elif episode.kind == "election":
                self._elections += 1 if begins else -1
                if begins:
                    self._nodes.primary = None
                elif not self._elections:
                    self._nodes.elect()
            elif episode.kind in {"failover", "inner_redirect"} and begins:
                self._nodes.fail_over(episode.node)
            elif episode.kind == "revoke" and begins:
                self._revoke_tokens()

    async def _start(self, episode: ChaosEpisode) -> None:
        """Start the node that the same episode has stopped, if it is still stopped."""
        node = episode.node
        assert node is not None, "a restart is of one node"
        async with self._nodes.lock:
            if node in {*self._nodes.running, *self._nodes.gone}:
                return
            try:
                await self._nodes.start(node)
            except OSError as error:  # its port was taken; the other episodes go on
                self._tasks.report(error)
            self._nodes.primary = None if self._elections else self._nodes.primary
