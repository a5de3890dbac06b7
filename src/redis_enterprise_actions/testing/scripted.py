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
    def from_scenario(
        cls,
        scenario: Scenario | str | os.PathLike[str],
        *,
        source: str | None = None,
        **settings: object,
    ) -> Self:
        """Return a cluster that follows a scenario, or the scenario in a file, inside `async with`.

        `settings` are arguments of the class, which win over those of the scenario. `source` is the
        name of the scenario in errors, by default that of the file.

        What is due at the start has happened before the first request is answered. An entry that is
        due later, and that the cluster refuses then, is logged as an error, is in `problems`, and
        is raised at the end of `async with`, unless that raises already. `reset` lets the scenario
        begin again.

        Raises `ScenarioError` for a file that is none and, also at the beginning of `async with`,
        for an entry that the cluster refuses; `ValueError` for a wrong argument.
        """
        if isinstance(scenario, Scenario):
            source = source or "scenario"
        else:
            source = source or str(scenario)
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
        """Errors of later entries of the scenario, of later calls of the control API, and of tasks.

        A task of `chaos` or of a bootstrap fails if a node cannot be started again, as its port was
        taken. Each error is logged, too. `reset` forgets them.
        """
        return self._timeline.problems
