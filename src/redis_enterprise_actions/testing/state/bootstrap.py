"""Bootstraps of the fake cluster's nodes, by which installed machines become a cluster.

Vendor pages: requests/bootstrap, objects/bootstrap. A fake is one cluster at most, and its node N
has the uid N, whatever the order of the joins. These are guesses: the types in `error_details`,
all messages, the name of the license's violation, and that a recovered cluster has the credentials
of the request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from redis_enterprise_actions.testing.tasks import Tasks

from .actions import check_choice


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.server.nodes import NodeServers
    from redis_enterprise_actions.testing.settings import ClusterSettings

BootstrapAction: TypeAlias = Literal["create_cluster", "join_cluster", "recover_cluster"]
BootstrapState: TypeAlias = Literal[
    "idle",
    "initiated",
    "creating_cluster",
    "joining_cluster",
    "recovering_cluster",
    "completed",
    "error",
]
Downtime: TypeAlias = tuple[float, float] | tuple[float, float, Literal[502, 503]]

_WORKING: Final[Mapping[BootstrapAction, BootstrapState]] = {
    "create_cluster": "creating_cluster",
    "join_cluster": "joining_cluster",
    "recover_cluster": "recovering_cluster",
}
_ENDED: Final = frozenset({"completed", "error"})
_INITIATED: Final = 0.1  # share of the duration until the work shows

# `error_details` of the documented codes; fields beside `message` are those of their descriptions.
_DETAILS: Final[Mapping[str, Mapping[str, object]]] = {
    "config_error": {"message": "the bootstrap configuration is wrong"},
    "connect_error": {"message": "failed to connect to the cluster"},
    "access_denied": {"message": "invalid credentials"},
    "invalid_license": {"message": "the license is invalid", "violation": "license_expired"},
    "repair_required": {
        "message": "the cluster accepts replacement nodes only",
        "failed_nodes": [{"uid": 2, "rack_id": "rack-2"}, {"uid": 3}],
        "replace_candidate": 2,
    },
    "insufficient_node_memory": {
        "message": "the node has too little memory",
        "required_memory": 32 * 1024**3,
    },
    "insufficient_node_flash": {
        "message": "the node has too little flash",
        "required_flash": 512 * 1024**3,
    },
}
_OTHER_DETAILS: Final = {"message": "the bootstrap failed"}


@dataclass(frozen=True, kw_only=True, slots=True)
class BootstrapPlan:
    """Course and outcome of one bootstrap; the arguments of `FakeCluster.plan_bootstrap`.

    Raises `ValueError` for times that are negative or infinite and for unknown words.
    """

    duration: float = 20.0
    error_code: str | None = None
    error_details: Mapping[str, object] | None = None
    downtime: Sequence[Downtime] = ()
    demands_credentials_at: float = 0.5
    stays: BootstrapState | None = None
    settles: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.duration < inf and 0 <= self.settles < inf):
            raise ValueError("duration and settles are in seconds, 0 or more")
        if not 0 <= self.demands_credentials_at <= 1:
            raise ValueError("demands_credentials_at is a fraction of the duration, 0 to 1")
        if any(not (isfinite(fraction) and fraction >= 0) for fraction, *_ in self.downtime):
            raise ValueError("a downtime begins at a fraction of the duration, 0 or more")
        if any(not 0 <= seconds < inf for _, seconds, *_ in self.downtime):
            raise ValueError("a downtime is in seconds, 0 or more")
        if any(
            status not in {502, 503} for _, _, *statuses in self.downtime for status in statuses
        ):
            raise ValueError("a gateway answers a downtime with 502 or 503")
        if self.stays is not None:
            check_choice(BootstrapState, "stays", self.stays)
        if self.stays in _ENDED:
            raise ValueError(f"stays={self.stays!r} is an end")
        if self.error_details is not None and self.error_code is None:
            raise ValueError("error_details are those of an error_code")

    @property
    def error(self) -> BootstrapError | None:
        """The planned error, with the details that its code is documented with by default."""
        if self.error_code is None:
            return None
        details = self.error_details
        if details is None:
            details = _DETAILS.get(self.error_code, _OTHER_DETAILS)
        return BootstrapError(code=self.error_code, details=details)


@dataclass(frozen=True, kw_only=True, slots=True)
class BootstrapError:
    """Reason why a bootstrap ended in state `error`."""

    code: str
    details: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class BootstrapRequest:
    """A bootstrap as it was requested; `cluster` names the nodes or the cluster to join."""

    action: BootstrapAction
    name: str | None
    cluster: frozenset[str]
    username: str
    password: str = field(repr=False)


@dataclass(kw_only=True, slots=True)
class BootstrapRun:
    """One bootstrap of a node, in the time of the cluster's clock."""

    request: BootstrapRequest
    plan: BootstrapPlan
    began_at: float
    ended_at: float | None = None
    error: BootstrapError | None = None
    demands_credentials: bool = False

    def state(self, now: float) -> BootstrapState:
        """Return the state at `now`; a bootstrap has ended when its task has ended it."""
        if self.plan.stays in {"idle", "initiated"}:
            return self.plan.stays
        if self.ended_at is not None:
            return "completed" if self.error is None else "error"
        if now < self.began_at + _INITIATED * self.plan.duration:
            return "initiated"
        return _WORKING[self.request.action]

    def gateway_status(self, now: float) -> int | None:
        """Return the status of the gateway if a downtime that has one is under way."""
        for fraction, seconds, *statuses in self.plan.downtime:
            at = self.began_at + fraction * self.plan.duration
            if at <= now < at + seconds:
                return next(iter(statuses), None)
        return None


class Bootstraps:
    """The last bootstrap of each node; tasks of the loop make its changes."""

    def __init__(
        self,
        settings: ClusterSettings,
        clock: Clock,
        nodes: NodeServers,
        *,
        bootstrapped: bool,
        report: Callable[[Exception], None],
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._nodes = nodes
        self._plans: dict[int, list[BootstrapPlan]] = {}  # by node, the oldest first
        self._runs: dict[int, BootstrapRun] = {}  # by node
        self._settles_until = -inf
        self._tasks = Tasks(clock, report)
        if not bootstrapped:
            nodes.outside.update(range(1, len(nodes) + 1))
            nodes.primary = None

    def find(self, node: int) -> BootstrapRun | None:
        """Return the last bootstrap of a node, or None if there was none."""
        return self._runs.get(node)

    def state(self, node: int) -> BootstrapState:
        """Return the state of a node; nodes of a cluster that was there before are completed."""
        run = self.find(node)
        if run is None:
            return "idle" if node in self._nodes.outside else "completed"
        return run.state(self._clock.now())

    def plan(self, node: int, plan: BootstrapPlan) -> None:
        """Plan the next bootstrap of a node that has no plan yet.

        Raises `ValueError` if there is no such node, or it is in the cluster.
        """
        self._nodes.check(node)
        if node not in self._nodes.outside:
            raise ValueError(f"node {node} is in the cluster already")
        self._plans.setdefault(node, []).append(plan)

    def start(self, node: int, request: BootstrapRequest) -> None:
        """Start a bootstrap, which goes as planned."""
        plans = self._plans.get(node)
        plan = plans.pop(0) if plans else BootstrapPlan()
        run = BootstrapRun(request=request, plan=plan, began_at=self._clock.now())
        self._runs[node] = run
        self._tasks.start(self._run(node, run))
        for fraction, seconds, *statuses in plan.downtime:
            if not statuses:
                at = run.began_at + fraction * plan.duration
                self._tasks.start(self._restart(node, at, seconds))

    def demands_credentials(self, node: int) -> bool:
        """Return True if a node is in an active cluster, or about to be."""
        run = self._runs.get(node)
        is_about_to = run is not None and run.demands_credentials
        return is_about_to or node not in self._nodes.outside

    def gateway_status(self, node: int) -> int | None:
        """Return the status that the gateway of a node answers while its services restart."""
        run = self._runs.get(node)
        return None if run is None else run.gateway_status(self._clock.now())

    def is_settling(self) -> bool:
        """Return True if a bootstrap has completed so recently that databases are refused."""
        return self._clock.now() < self._settles_until

    async def close(self) -> None:
        """Cancel all bootstraps and downtimes."""
        await self._tasks.close()

    async def _run(self, node: int, run: BootstrapRun) -> None:
        plan = run.plan
        if plan.stays in {"idle", "initiated"}:
            return
        demanded_at = run.began_at + plan.demands_credentials_at * plan.duration
        await self._clock.sleep_until(demanded_at)
        error = plan.error or self._find_error(node, run.request)
        if error is None:
            run.demands_credentials = True
            if run.request.action != "join_cluster":
                self._settings.username = run.request.username
                self._settings.password = run.request.password
        if plan.stays is not None:
            return
        await self._clock.sleep_until(run.began_at + plan.duration)
        run.error, run.ended_at = error, self._clock.now()
        if error is None:
            self._complete(node, run)

    def _complete(self, node: int, run: BootstrapRun) -> None:
        self._nodes.outside.discard(node)
        self._settles_until = max(self._settles_until, self._clock.now() + run.plan.settles)
        if run.request.action != "join_cluster":
            self._nodes.primary = node
            self._settings.name = run.request.name or self._settings.name

    def _find_error(self, node: int, request: BootstrapRequest) -> BootstrapError | None:
        """Return why a request cannot succeed now, or None."""
        if request.action != "join_cluster":
            others = set(range(1, len(self._nodes) + 1)) - {node}
            if not any(map(self.demands_credentials, others)):
                return None
            return _error("config_error", "a fake has one cluster, and other nodes are in it")
        members = self._nodes.running_members
        reached = any(self._nodes.addresses_of(each) & request.cluster for each in members)
        if not (reached or (members and request.name == self._settings.name)):
            return _error("connect_error")
        expected = self._settings.username, self._settings.password
        return None if (request.username, request.password) == expected else _error("access_denied")

    async def _restart(self, node: int, at: float, seconds: float) -> None:
        """Stop a node's server for a while, unless it is stopped already."""
        await self._clock.sleep_until(at)
        async with self._nodes.lock:
            if node not in self._nodes.running:
                return
            await self._nodes.stop(node)
        await self._clock.sleep(seconds)
        async with self._nodes.lock:
            if node not in self._nodes.running:
                await self._nodes.start(node)


def _error(code: str, message: str | None = None) -> BootstrapError:
    details = _DETAILS[code] if message is None else {"message": message}
    return BootstrapError(code=code, details=details)
