"""Tests of `testing.control.schema`: the schema in docs/ is that of the Structs."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from redis_enterprise_actions.testing import Scenario
from redis_enterprise_actions.testing.control.messages import CALLS, Answer
from redis_enterprise_actions.testing.control.schema import json_schema
from tests.cli.wait.test_events import without_descriptions
from tests.testing.scenario.test_document import EXAMPLE


SCHEMA_FILE = Path(__file__).parents[3] / "docs" / "fake-cluster.schema.json"


def test_schema_is_up_to_date() -> None:
    """The file is current; `python -m tests.testing.control.test_schema` writes it."""
    current = json.loads(json.dumps(json_schema()))
    written = json.loads(SCHEMA_FILE.read_text("utf-8"))

    assert without_descriptions(current) == without_descriptions(written)


def test_references() -> None:
    """Each reference leads to a definition, and each definition is used."""
    text = json.dumps(json_schema())
    schema = json.loads(text)
    names = schema["$defs"]

    assert all(f'"#/$defs/{name}"' in text for name in names)
    assert text.count("$ref") == sum(text.count(f'"#/$defs/{name}"') for name in names)
    assert schema["$ref"] == "#/$defs/Scenario"


def test_strict() -> None:
    """Scenarios and calls have no other fields; answers may get more within a version."""
    names = json_schema()["$defs"]
    assert isinstance(names, dict)
    answers = {each.__name__ for each in Answer.__subclasses__()} | {"RequestItem", "ChaosEpisode"}

    assert {name for name, each in names.items() if "additionalProperties" not in each} == answers
    assert {each.__name__ for each in CALLS.values()} < names.keys()


def test_example_conforms() -> None:
    """The example is as the schema has it."""
    jsonschema = pytest.importorskip("jsonschema")
    scenario = json.loads(msgspec.json.encode(Scenario.read(EXAMPLE)))
    validator = jsonschema.Draft202012Validator(json_schema())

    assert list(validator.iter_errors(scenario)) == []
    assert [error.validator for error in validator.iter_errors({**scenario, "x": 1})]


if __name__ == "__main__":
    SCHEMA_FILE.write_text(f"{json.dumps(json_schema(), indent=1)}\n", "utf-8")
