"""Tests of `testing.scenario.entries`: each has the arguments of a method, and refuses others."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec
import pytest
from msgspec import UNSET

from redis_enterprise_actions.testing import FakeCluster, Plan, Scenario, ScenarioError
from redis_enterprise_actions.testing.control.messages import CALLS
from redis_enterprise_actions.testing.scenario.document import ClusterTable
from redis_enterprise_actions.testing.scenario.entries import PlanTable, RestartEntry
from tests.testing.scenario.minimal import MINIMAL, as_field, place


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.scenario.entries import Entry


def parse(name: str, entry: dict[str, Any]) -> Entry:
    """Return an entry of a scenario."""
    text = json.dumps({"v": 1, "cluster": {"nodes": 3}, name: as_field(name, entry)})
    ((_, parsed),) = Scenario.parse(text).entries()
    return parsed


def refusal(name: str, entry: dict[str, Any]) -> ScenarioError:
    """Return the error about an entry."""
    with pytest.raises(ScenarioError) as caught:
        parse(name, entry)
    return caught.value


def arguments_of(function: Any) -> set[str]:  # noqa: ANN401 - any function
    """Return the names of a function's arguments."""
    return set(inspect.signature(function).parameters) - {"self"}


STUCK = {"plan": {"outcome": "stuck"}}
FIELDS = [
    (name, field)
    for name, entry in MINIMAL.items()
    for field in type(parse(name, entry)).__struct_fields__
]


@pytest.mark.parametrize("kind", CALLS.values(), ids=CALLS)
def test_arguments(kind: type[Entry]) -> None:
    """An entry has the arguments of its method, and a time."""
    method = getattr(FakeCluster, kind.METHOD)

    assert set(kind.__struct_fields__) == {"at", *arguments_of(method)}
    assert kind.SUBJECT in kind.__struct_fields__


def test_arguments_of_tables() -> None:
    """The table of the cluster has the arguments of `FakeCluster`, and a plan those of `Plan`."""
    assert {"seed", *ClusterTable.__struct_fields__} == arguments_of(FakeCluster.__init__)
    assert set(PlanTable.__struct_fields__) == arguments_of(Plan)


def test_defaults() -> None:
    """What is not given is left to the method; the default of a downtime is that of the method."""
    assert {name: parse(name, entry).arguments() for name, entry in MINIMAL.items()} == {
        **MINIMAL,
        "plans": {**MINIMAL["plans"], "plan": Plan()},
        "restarts": {"node": 1, "downtime": 30},
    }
    default = inspect.signature(FakeCluster.restart_node).parameters["downtime"].default
    assert RestartEntry(node=1).downtime == default


def test_values() -> None:
    """Values become those of the method."""
    plan = {"duration": 5, "outcome": "failed", "error": "no memory"}
    planned = parse("plans", {**MINIMAL["plans"], "plan": plan, "times": "always"})
    assert planned.arguments()["plan"] == Plan(duration=5, outcome="failed", error="no memory")
    assert planned.arguments()["times"] is None
    assert parse("databases", {"name": "always"}).arguments() == {"name": "always"}
    downtime = [[0.5, 10], [1.5, 20, 503]]
    bootstrap = parse("bootstraps", {"node": 2, "downtime": downtime, "at": 7})
    assert bootstrap.arguments() == {"node": 2, "downtime": ((0.5, 10), (1.5, 20, 503))}
    assert (bootstrap.due, parse("restarts", {"node": 1}).due) == (7, 0)
    assert parse("faults", {"retry_after": 5}).arguments() == {"retry_after": 5}
    assert str(parse("faults", {"retry_after": 5}).arguments()["retry_after"]) == "5"
    assert parse("faults", {"retry_after": "Mon, 23 Nov 2026 10:00:30 GMT"})


@pytest.mark.parametrize(("name", "field"), FIELDS)
@pytest.mark.parametrize("value", [None, [[["x"]]]], ids=["null", "lists"])
def test_wrong_type(name: str, field: str, value: object) -> None:
    """A wrong type is refused, and the message names the field."""
    error = refusal(name, {**MINIMAL[name], field: value})

    assert error.field is not None
    assert error.field.startswith(f"{place(name)}.{field}")
    assert str(error) == f"scenario: {error.field}: {error.problem}"


def is_number(kind: object) -> bool:
    """Return True if numbers are among the values of a type."""
    return "int" in str(kind) or "float" in str(kind)


NUMBERS = [
    (name, field)
    for name, field in FIELDS
    if field != "seed" and is_number(get_type_hints(type(parse(name, MINIMAL[name])))[field])
]


@pytest.mark.parametrize(("name", "field"), NUMBERS)
@pytest.mark.parametrize("value", [-1, 10**18, 1e300, 10**400, True], ids=str)
def test_wrong_number(name: str, field: str, value: object) -> None:
    """A number that is negative, too large or none is refused, and the message names the field."""
    given = {**MINIMAL[name], field: value}

    assert refusal(name, given).field in {f"{place(name)}.{field}", f"{place(name)}.{field}.x"}


@pytest.mark.parametrize("name", MINIMAL)
def test_unknown_field(name: str) -> None:
    """An unknown field is refused by its name."""
    assert refusal(name, {**MINIMAL[name], "x-y": 1}).field == f"{place(name)}.x-y"


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name, entry in MINIMAL.items() for field in entry]
)
def test_missing_field(name: str, field: str) -> None:
    """A field that is needed is missed by its name."""
    left = {key: value for key, value in MINIMAL[name].items() if key != field}
    error = refusal(name, left)

    if name == "faults":
        assert (error.field, error.problem) == ("$.faults[0]", "no fault is given")
    else:
        assert error.field == f"{place(name)}.{field}"


@pytest.mark.parametrize(
    ("name", "entry", "field", "problem"),
    [
        ("actions", {"plan": {"outcome": "cancelled"}}, ".plan.outcome", "cannot be cancelled"),
        ("actions", {"name": "a b"}, ".name", "regex"),
        ("actions", {"uid": "a\n"}, ".uid", "regex"),
        ("actions", {"plan": {"dur": 1}}, ".plan.dur", "unknown field"),
        ("actions", {"plan": {"outcome": "done"}}, ".plan.outcome", "done"),
        ("actions", {"node_uid": 4}, ".node_uid", "there is no node 4: the cluster has 3"),
        ("restarts", {"node": 4}, ".node", "there is no node 4: the cluster has 3"),
        ("transfers", MINIMAL["transfers"] | STUCK, ".plan.outcome", "none of"),
        ("faults", {"status": 503, "empty": True}, "", "an empty answer"),
        ("faults", {"status": 503, "no_route": True}, "", "a gateway"),
        ("faults", {"empty": True, "no_route": True}, "", "an empty answer"),
        ("faults", {"status": 503, "headers": {"a b": "x"}}, ".headers", "regex"),
        ("faults", {"status": 503, "headers": {"Transfer-Encoding": "x"}}, ".headers", "sets"),
        ("faults", {"delay": 1, "headers": {"a": "x"}}, ".headers", "headers has no effect"),
        ("faults", {"delay": 1, "body": "x"}, ".body", "body has no effect without a status"),
        ("faults", {"delay": 1, "hang": True}, ".delay", "delay has no effect with hang"),
        ("faults", {"drop": True, "hang": True}, ".drop", "drop has no effect with hang"),
        ("faults", {"drop": True, "retry_after": 0}, ".retry_after", "no effect with drop"),
        ("faults", {"lose": True, "truncate": True}, ".truncate", "no effect with lose"),
        ("faults", {"lose": True, "status": 500}, ".status", "no effect with lose"),
        ("faults", {"no_route": True, "nan": True}, ".nan", "no effect with no_route"),
        ("faults", {"retry_after": 1, "bad_entry": True}, ".bad_entry", "with retry_after"),
        ("faults", {"status": 500, "retry_after": 1, "nan": True}, ".nan", "with status"),
        ("faults", {"status": 503, "headers": {"a": "x\r\ny"}}, ".headers[...]", "regex"),
        ("faults", {"status": 503, "path": "v1"}, ".path", "regex"),
        ("faults", {"status": 100}, ".status", "200"),
        ("faults", {"status": 503, "times": "ever"}, ".times", "ever"),
        ("faults", {"status": 503, "times": 0}, ".times", "1"),
        ("plans", {**MINIMAL["plans"], "method": "post"}, ".method", "regex"),
        ("bootstraps", {"node": 1, "stays": "completed"}, ".stays", "is an end"),
        ("bootstraps", {"node": 1, "error_details": {}}, ".error_details", "error_code"),
        ("bootstraps", {"node": 1, "downtime": [[0.5, 1, 500]]}, ".downtime", "502 or 503"),
        ("bootstraps", {"node": 1, "downtime": [[0.5]]}, ".downtime[0]", "length"),
        ("bootstraps", {"node": 1, "downtime": [[0.5, 1, 502, 1]]}, ".downtime[0]", "length"),
    ],
)  # fmt: skip
def test_refused(name: str, entry: dict[str, Any], field: str, problem: str) -> None:
    """What the cluster would refuse is refused before it is there."""
    error = refusal(name, entry)

    assert error.field == f"{place(name)}{field}"
    assert problem in error.problem


def test_deep_details() -> None:
    """Details that are nested too deeply for answers are refused."""
    details: object = "x"
    for _ in range(19):
        details = [details]
    assert parse("bootstraps", {"node": 1, "error_code": "x", "error_details": {"a": details}})
    error = refusal("bootstraps", {"node": 1, "error_code": "x", "error_details": {"a": [details]}})
    assert error.problem == "error_details are nested too deeply"


def test_frozen() -> None:
    """A scenario does not change, so that a reset finds what there was."""
    entry = parse("actions", {"name": "retry_bdb"})
    with pytest.raises(AttributeError):
        entry.at = 5
    assert msgspec.structs.asdict(entry)["at"] is UNSET
