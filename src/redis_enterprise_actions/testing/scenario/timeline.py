"""`Timeline`: the entries of a scenario and of the control API, each at its time."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import UNSET

from .document import Scenario
from .entries import Entry, RestartEntry, Stage
from .errors import ScenarioError, field_of


if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from redis_enterprise_actions.testing.clock import Clock

_log = logging.getLogger(__name__)
# What a cluster raises for an entry that it refuses.
REFUSALS: Final = (ValueError, OSError, RuntimeError)
_NOTHING: Final = Scenario(v=1)
_CONTROL: Final = "control API"


class Nodes(Protocol):
    """The methods of `FakeCluster` that stop and start nodes."""

    async def stop_node(self, node: int) -> None:
        """Stop a node."""
        ...

    async def start_node(self, node: int) -> None:
        """Start a stopped node."""
        ...


class Timeline:
    """Entries of a scenario and later ones, which call the methods of a cluster.

    `problems` has an error for each entry that the cluster refused when its time had come, and for
    each error of a task of the cluster.
    While `is_deferred`, only settings take effect, and all else waits for `start`.
    """

    def __init__(self, cluster: Nodes, clock: Clock) -> None:
        self.problems: list[ScenarioError] = []
        self.is_deferred = False
        self.has_scenario_begun = False
        self._cluster = cluster
        self._clock = clock
        self._scenario = _NOTHING
        self._source = ""
        self._tasks: set[asyncio.Task[None]] = set()

    def load(self, scenario: Scenario, source: str) -> None:
        """Take the entries of a scenario, which errors name as `source`."""
        self._scenario, self._source = scenario, source

    async def open(self, *stages: Stage) -> None:
        """Let entries of these stages take effect that are due at the start.

        Raises `ScenarioError` if the cluster refuses one.
        """
        for place, entry in self._scenario.entries():
            self.has_scenario_begun = True
            if entry.STAGE in stages and not entry.due:
                try:
                    await self.call(entry)
                except REFUSALS as error:
                    raise _refused(self._source, place, entry, error) from error

    async def start(self) -> None:
        """Let all but the settings take effect that is due at the start, which is now."""
        self.is_deferred = False
        self._clock.start()
        await self.open(Stage.WORK)
        await self.open(Stage.NODES)
        self.begin()

    def begin(self) -> None:
        """Start to wait for the entries that are due later."""
        later = [(place, entry) for place, entry in self._scenario.entries() if entry.due]
        if later:
            later.sort(key=lambda each: each[1].due)
            self._start_task(self._run(self._source, later))

    def elapsed(self, at: float) -> float:
        """Return the seconds from the start until a time of the clock, to the millisecond."""
        return round(at - self._clock.started_at, 3)

    async def call(self, entry: Entry) -> object:
        """Call the method of an entry now, and return its result. Raises as the method does."""
        if isinstance(entry, RestartEntry):
            await self._cluster.stop_node(entry.node)
            self._start_task(self._start_later(entry))
            return None
        result: Any = getattr(self._cluster, entry.METHOD)(**entry.arguments())
        return await result if asyncio.iscoroutine(result) else result

    async def take(self, entry: Entry) -> object:
        """Call the method of an entry now or, if it has an `at`, then.

        Return the result, or None if the time is still to come. Raises as the method does, and
        `ValueError` for an `at` that has passed.
        """
        if entry.at is UNSET:
            return await self.call(entry)
        if self._clock.started_at + entry.due < self._clock.now():
            raise ValueError("at is over; it is in seconds after the start of the cluster")
        self._start_task(self._run(_CONTROL, [("$", entry)]))
        return None

    async def close(self) -> None:
        """Forget the entries that are still to come, and the problems."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.problems = []

    async def _run(self, source: str, entries: Iterable[tuple[str, Entry]]) -> None:
        """Call the methods of entries, each when its time has come."""
        for place, entry in entries:
            await self._clock.sleep_until(self._clock.started_at + entry.due)
            try:
                await self.call(entry)
            except REFUSALS as error:
                self._note(_refused(source, place, entry, error))

    async def _start_later(self, entry: RestartEntry) -> None:
        await self._clock.sleep(entry.downtime)
        try:
            await self._cluster.start_node(entry.node)
        except REFUSALS as error:
            self._note(ScenarioError("restart", None, str(error)))

    def report(self, source: str, error: Exception) -> None:
        """Note the error of a task of the cluster; `source` names what the task does."""
        problem = ScenarioError(source, None, str(error))
        problem.__cause__ = error
        self._note(problem)

    def _note(self, problem: ScenarioError) -> None:
        _log.error("%s", problem, extra={"event": "entry refused", "field": problem.field})
        self.problems.append(problem)

    def _start_task(self, work: Coroutine[object, object, None]) -> None:
        task = self._clock.start_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _refused(source: str, place: str, entry: Entry, error: Exception) -> ScenarioError:
    """Return the error about an entry that the cluster refused."""
    field = field_of(error, entry.__struct_fields__) or entry.SUBJECT
    return ScenarioError(source, f"{place}.{field}", str(error))
