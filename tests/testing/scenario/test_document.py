"""Tests of `testing.scenario.document`: the reading of scenarios."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions.testing import Scenario, ScenarioError
from tests.conftest import examples


if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[3] / "examples" / "scenarios" / "upgrade.toml"


def test_example() -> None:
    """The example is a scenario: settings, and entries that each may depend on those before."""
    scenario = Scenario.read(EXAMPLE)

    assert scenario.settings() == {
        "version": "8.0",
        "nodes": 3,
        "speed": 60,
        "starts_at": datetime(2026, 1, 1, tzinfo=UTC),
        "seed": 7,
    }
    assert [place for place, _ in scenario.entries()] == [
        "$.databases[0]",
        "$.databases[1]",
        "$.plans[0]",
        "$.faults[0]",
        "$.actions[0]",
        "$.actions[1]",
        "$.restarts[0]",
    ]


def test_json() -> None:
    """JSON has the same fields, with times as text."""
    scenario = Scenario.read(EXAMPLE)
    text = msgspec.json.encode(scenario).decode()

    assert Scenario.parse(text) == scenario
    assert Scenario.parse(f"\n {text}\n") == scenario


def test_empty() -> None:
    """A scenario needs no more than its version."""
    scenario = Scenario.parse("v = 1")

    assert scenario.settings() == {}
    assert list(scenario.entries()) == []
    assert scenario == Scenario(v=1)


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("", "$.v", "missing"),
        ("v = 2", "$.v", "version 2 is newer than this package, which reads 1"),
        ("v = 2\nlater = 1", "$.v", "version 2 is newer"),
        ('{"v": 2, "later": 1}', "$.v", "version 2 is newer"),
        ("v = 0", "$.v", "version 0 is not one that this package reads, which is 1"),
        ("v = true", "$.v", "bool"),
        ("v = 1\nx = 1", "$.x", "unknown"),
        ("v = 1\nseed = -1", "$.seed", ">= 0"),
        ("v = 1\nseed = 1.5", "$.seed", "float"),
        ("v = 1\n[cluster]\nseed = 1", "$.cluster.seed", "unknown"),
        ("v = 1\n[cluster]\nnodes = 0", "$.cluster.nodes", ">= 1"),
        ("v = 1\n[cluster]\nnodes = 101", "$.cluster.nodes", "<= 100"),
        ("v = 1\n[cluster]\nport = 65536", "$.cluster.port", "<= 65535"),
        ("v = 1\n[cluster]\nversion = '6'", "$.cluster.version", "6"),
        ("v = 1\n[cluster]\nspeed = nan", "$.cluster.speed", ">= 0"),
        ("v = 1\n[cluster]\nspeed = inf", "$.cluster.speed", "<="),
        ("v = 1\n[cluster]\ntoken_ttl = 0", "$.cluster.token_ttl", "> 0"),
        ("v = 1\n[cluster]\nlateness = -0.1", "$.cluster.lateness", ">= 0"),
        ("v = 1\n[cluster]\nstarts_at = 2026-01-01", "$.cluster.starts_at", "date"),
        ("v = 1\n[cluster]\nstarts_at = 2026-01-01T00:00:00", "$.cluster.starts_at", "timezone"),
        ("v = 1\n[cluster]\nstarts_at = 'now'", "$.cluster.starts_at", "RFC3339"),
        ("v = 1\ndatabases = 1", "$.databases", "array"),
        ("v = 1\nchaos = []", "$.chaos", "array"),
        ("v = 1\n[[faults]]\ndelay = nan", "$.faults[0].delay", ">= 0"),
        ("v = 1\n[[faults]]\ndelay = inf", "$.faults[0].delay", "<="),
        ("v = 1\n[[restarts]]\nnode = 1\nat = -inf", "$.restarts[0].at", ">= 0"),
        ("v = 1\n[[restarts]]\nnode = 2", "$.restarts[0].node", "no node 2: the cluster has 1"),
        ("v = 1\n[[databases]]\nuid = 7\n[[databases]]\nuid = 7", "$.databases[1].uid", "7 is"),
        ("v = 1\n[[actions]]\nuid = 'a'\n[[actions]]\nuid = 'a'", "$.actions[1].uid", "a is"),
        ("v = 1\n[[crdbs]]\nguid = 'a'\n[[crdbs]]\nguid = 'a'", "$.crdbs[1].guid", "a is the guid"),
        ("v = 1\n[[crdb_tasks]]\nid = 'a'\n[[crdb_tasks]]\nid = 'a'", "$.crdb_tasks[1].id", "a is"),
        ("[]", None, "is not TOML"),
        ("v = 1\nv = 1", None, "is not TOML"),
        ("v = ", None, "is not TOML"),
        (f"v = {'9' * 5000}", None, "is not TOML"),
        (f"v = {'[' * 100_000}", None, "is not TOML"),
        ("{", None, "is not JSON"),
        ('{"v": NaN}', None, "is not JSON"),
        ('{"v": 1} 2', None, "is not JSON"),
        ('{"v": 1, "x": 2}', "$.x", "unknown"),
        ('{"v": 1, "seed": 1, "seed": 2}', "$.seed", "twice"),
        ('{"v": 1, "actions": [{}, {"uid": "a", "uid": "b"}]}', "$.actions[1].uid", "twice"),
        ('{"v": 1, "seed": 1e999}', "$.seed", "range"),
        ('{"v": 1, "bootstraps": [{"node": 1, "error_details": {"a":' + "[" * 9999, None, "JSON"),
    ],
)  # fmt: skip
def test_wrong_text(text: str, field: str | None, problem: str) -> None:
    """A text that is no scenario is refused with the field, and with the name of its source."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(text, source="a.toml")

    assert (caught.value.source, caught.value.field) == ("a.toml", field)
    assert problem in caught.value.problem
    assert str(caught.value).startswith("a.toml: ")


@pytest.mark.parametrize("text", ["v = 1", '{"v": 1}'])
def test_byte_order_mark(tmp_path: Path, text: str) -> None:
    """A file may begin with a byte order mark, as editors on Windows write one."""
    path = tmp_path / "a.toml"
    path.write_text(text, "utf-8-sig")

    assert Scenario.read(path) == Scenario(v=1)


DETAILS = """
v = 1
[[bootstraps]]
node = 1
error_code = "x"
error_details = {{a = "b", c = [1, 2.5, true, {{d = {0}}}]}}
"""


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("2026-01-01T00:00:00Z", "a datetime, which JSON does not have"),
        ("2026-01-01", "a date, "),
        ("07:32:00", "a time, "),
        ("nan", "nan, which is no number of JSON"),
        ("-inf", "-inf, "),
        (f"0x{'f' * 5000}", "too large"),
        ("[" * 20 + "]" * 20, "too deeply"),
    ],
)
def test_values_of_toml(value: str, problem: str) -> None:
    """Details of an error are in answers, so that they have values of JSON."""
    assert Scenario.parse(DETAILS.format("18446744073709551615"))
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(DETAILS.format(value))

    assert caught.value.field == "$.bootstraps[0].error_details"
    assert problem in caught.value.problem


def test_one_name_in_two_lists() -> None:
    """A name may stand in two lists, and in one list without a name."""
    assert Scenario.parse("v = 1\n[[actions]]\nuid = 'a'\n[[crdbs]]\nguid = 'a'\n[[crdb_tasks]]")
    assert Scenario.parse("v = 1\n[[actions]]\n[[actions]]")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "cannot be read"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.write_bytes(b"v = 1 # \xff"), "is not UTF-8"),
        (lambda path: path.write_bytes(b"#" * 10_000_001), "is longer than"),
    ],
    ids=["missing", "folder", "not UTF-8", "long"],
)
def test_wrong_file(tmp_path: Path, make: Callable[[Path], Any], problem: str) -> None:
    """A file that cannot be read, or is no text, is named."""
    path = tmp_path / "a.toml"
    make(path)
    with pytest.raises(ScenarioError, match=problem) as caught:
        Scenario.read(path)

    assert (caught.value.source, caught.value.field) == (str(path), None)


def test_wrong_path() -> None:
    """A path that no file can have is an error like others."""
    with pytest.raises(ScenarioError, match="cannot be read"):
        Scenario.read("\0")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="it needs a device without an end")
def test_endless_file() -> None:
    """A file without an end is refused after its limit."""
    with pytest.raises(ScenarioError, match="is longer than"):
        Scenario.read("/dev/zero")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=examples(200))
@given(st.dictionaries(st.sampled_from([*Scenario.__struct_fields__, "x"]), JSON))
def test_any_json(document: dict[str, object]) -> None:
    """Any JSON is a scenario, or refused as one."""
    text = msgspec.json.encode({"v": 1, **document}).decode()
    try:
        Scenario.parse(text)
    except ScenarioError as error:
        assert error.problem
