"""Tests of `testing.scenario.errors`."""

from __future__ import annotations

import pickle

import msgspec
import pytest

from redis_enterprise_actions.testing import ScenarioError
from redis_enterprise_actions.testing.scenario.errors import field_of, place_of
from redis_enterprise_actions.testing.wrong_argument import WrongArgument


@pytest.mark.parametrize("field", ["$.seed", None])
def test_error(field: str | None) -> None:
    """An error is a `ValueError`, has its parts as attributes, and survives a pickle."""
    error = ScenarioError("a.toml", field, "is wrong")
    copy = pickle.loads(pickle.dumps(error))

    assert isinstance(error, ValueError)
    assert str(error) == ("a.toml: $.seed: is wrong" if field else "a.toml: is wrong")
    for each in (error, copy):
        assert (each.source, each.field, each.problem) == ("a.toml", field, "is wrong")
    assert str(copy) == str(error)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("Expected `int`, got `str` - at `$.a[0].b`", "$.a[0].b"),
        ("Expected `int`, got `str`", "$"),
        ("Object contains unknown field `x y` - at `$.a`", "$.a.x y"),
        ("Object contains unknown field `x`", "$.x"),
        ("Object missing required field `x` - at `$[...]`", "$[...].x"),
        ("Expected `str` matching regex '`' - at `key` in `$.a`", "$.a"),
        ("two\nlines - at `$.a`", "$.a"),
    ],
)
def test_place(message: str, field: str) -> None:
    """An error of msgspec says where it is, but for unknown and missing fields."""
    assert place_of(msgspec.ValidationError(message))[0] == field


def test_wrong_argument() -> None:
    """An error about an argument keeps its message, survives a pickle, and says where it is."""
    error = WrongArgument("plan.outcome", "node is no outcome")
    copy = pickle.loads(pickle.dumps(error))
    wrapped = msgspec.ValidationError("node is no outcome - at `$.actions[3]`")
    wrapped.__cause__ = error

    assert isinstance(error, ValueError)
    for each in (error, copy):
        assert (each.argument, str(each)) == ("plan.outcome", "node is no outcome")
    assert place_of(wrapped) == ("$.actions[3].plan.outcome", "node is no outcome")
    assert field_of(error, ["plan", "node"]) == "plan.outcome"
    assert field_of(error, ["node"]) is None


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("token_ttl is in seconds, more than 0", "token_ttl"),
        ("token_ttl=5 is too much", "token_ttl"),
        ("there is no node 7: the cluster has 3", "node_uid"),
        ("tokens are no fields", None),
        ("5 is too much", None),
    ],
)
def test_field(message: str, field: str | None) -> None:
    """A message of the cluster begins with the field, or is about the node."""
    assert field_of(ValueError(message), ["token_ttl", "node_uid"]) == field
    assert field_of(ValueError(message), []) is None
