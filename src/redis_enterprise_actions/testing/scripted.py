"""`Scripted`: the methods of `FakeCluster` about scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .scenario.document import Scenario
from .scenario.errors import ScenarioError, field_of


if TYPE_CHECKING:
    import os
    from typing import Self

    from .scenario.timeline import Timeline


class Scripted:
    """The methods of `FakeCluster` about scenarios."""

    _timeline: Timeline

    @classmethod
    def from_scenario(cls, scenario: Scenario | str | os.PathLike[str], **settings: object) -> Self:
        """Return a cluster that follows a scenario, or the scenario in a file, inside `async with`.

        Arguments of the class win over those of the scenario. What is due at the start has happened
        before the first request is answered. An entry that is due later, and that the cluster
        refuses then, is logged as an error, is in `problems`, and is raised at the end of
        `async with`, unless that raises already. `reset` lets the scenario begin again.

        Raises `ScenarioError` for a file that is none and, also at the beginning of `async with`,
        for an entry that the cluster refuses; `ValueError` for a wrong argument.
        """
        source = "scenario"
        if not isinstance(scenario, Scenario):
            source = str(scenario)
            scenario = Scenario.read(scenario)
        arguments: dict[str, Any] = scenario.settings() | settings
        try:
            cluster = cls(**arguments)
        except ValueError as error:
            field = field_of(error, arguments)
            if field in settings:
                raise
            place = ".".join(filter(None, ["$.cluster", field]))
            raise ScenarioError(source, place, str(error)) from error
        scenario.check(source, nodes=cast("int | None", arguments.get("nodes")))
        cluster._timeline.load(scenario, source)
        return cluster

    @property
    def problems(self) -> list[ScenarioError]:
        """Errors of later entries of the scenario, and of later calls of the control API."""
        return self._timeline.problems
