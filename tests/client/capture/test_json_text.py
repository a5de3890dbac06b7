"""Tests of `_client.capture.json_text`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions._client.capture import json_text
from redis_enterprise_actions._client.capture.json_text import MAX_DEPTH, JsonReplacer
from redis_enterprise_actions._client.capture.pseudonyms import Pseudonyms
from tests.planting import PLANTS, found_in, planted


KEYS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["status", "uid", "name", "password", "state", "shard_list", "77", "x"]),
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(PLANTS),
)
TEXTS = [each for each in PLANTS if isinstance(each, str)]
PLANTED = st.recursive(
    st.sampled_from(TEXTS),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS | st.sampled_from(TEXTS), inner),
    max_leaves=20,
)
BODIES = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


def replaced(text: str) -> object:
    """Return strict JSON with its values replaced, decoded."""
    found = JsonReplacer(Pseudonyms()).replace(text, 0)
    assert found is not None
    assert found.is_strict
    return json.loads(found.text)


def shape(value: object) -> object:
    """Return the types of the values of decoded JSON, without keys."""
    if isinstance(value, dict):
        return {"object": [shape(each) for each in value.values()]}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__


def test_layout() -> None:
    """Strict JSON is indented, and empty objects and lists stay on one line."""
    text = '{"b":[1, {}],"a" :{"c":[ ],"d":null}}\n'
    found = JsonReplacer(Pseudonyms()).replace(text, 1)

    assert found is not None
    assert found.text.splitlines() == [
        "{",
        '    "b": [',
        "      1,",
        "      {}",
        "    ],",
        '    "a": {',
        '      "c": [],',
        '      "d": null',
        "    }",
        "  }",
    ]


def test_fields() -> None:
    """The field of a value decides about it, also in a list; a secret covers what is within."""
    body = {
        "uid": 77,
        "shard_list": [77, 78],
        "memory": [77],
        "status": "running",
        "name": ["running"],
        "77": {"state": "new-word"},
        "password": {"status": "running", "numbers": [123]},
        "after": {"status": "running", "number": 123},
    }

    assert replaced(json.dumps(body)) == {
        "uid": 1,
        "shard_list": [1, 2],
        "memory": [77],
        "status": "running",
        "name": ["name-1"],
        "1": {"state": "new-word"},
        "password": {"status": "name-1", "numbers": [3]},
        "after": {"status": "running", "number": 123},
    }


def test_after_a_list_of_objects() -> None:
    """The entries after an object belong to the field of the list."""
    body = {"uids": [{"memory": 5}, 6, [7]], "x": [{"uid": 6}, 6]}

    assert replaced(json.dumps(body)) == {
        "uids": [{"memory": 5}, 1, [2]],
        "x": [{"uid": 1}, 6],
    }


def test_numbers_stay_as_they_are_written() -> None:
    """Neither huge integers nor the digits of a float change."""
    numbers = ["12345678901234567890123", "1.10", "1E5", "-0", "0.1e-7"]
    found = JsonReplacer(Pseudonyms()).replace(f"[{','.join(numbers)}]", 0)

    assert found is not None
    assert "".join(found.text.split()) == f"[{','.join(numbers)}]"


def test_duplicate_keys() -> None:
    """A key that comes twice stays twice."""
    found = JsonReplacer(Pseudonyms()).replace('{"A": 1, "A": 2}', 0)

    assert found is not None
    assert found.text.count('"name-1"') == 2


@pytest.mark.parametrize(
    "text",
    [
        "[NaN, 1]", "[Infinity]", '{"a": -Infinity}', "[1e999]", f"[{'1' * 5000}]",
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), '{"a":' * 1000 + "1" + "}" * 1000,
    ],
    ids=["nan", "infinity", "minus", "float", "digits", "deep", "deeper"],
)  # fmt: skip
def test_almost_json(text: str) -> None:
    """What not every reader takes for JSON keeps its shape, but is not written as JSON."""
    found = JsonReplacer(Pseudonyms()).replace(text, 0)

    assert found is not None
    assert not found.is_strict
    assert "".join(found.text.split()) == "".join(text.split())


def test_deepest() -> None:
    """A body of the greatest depth is written as JSON."""
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH

    assert replaced(text) == json.loads(text)


def test_too_deep() -> None:
    """A body of more than 1,000 levels is none, and is not read any further."""
    names = Pseudonyms()

    assert JsonReplacer(names).replace("[" * 1001 + '"a"' + "]" * 1001, 0) is None
    assert names.text("b") == "name-1"


def test_times() -> None:
    """Times as numbers are shifted under the names of times alone."""
    body = {"creation_time": 1796124155, "heartbeat": [1796124156], "memory": 1796124155}

    assert replaced(json.dumps(body)) == {
        "creation_time": 946684835,
        "heartbeat": [946684836],
        "memory": 1796124155,
    }


def test_long_name_of_a_field() -> None:
    """A name that no field has is that of a secret."""
    assert replaced(json.dumps({"x" * 2000: [77, "running"]})) == {"name-1": [1, "name-2"]}


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", '{"a"}',
        '{"a":}', '{"a":1,}', '{"a" 1}', "{1: 2}", "{a: 1}", '{"a":1', '{"a":1]', "1 2", ",",
        ":", '"a', '"\t"', r'"\x"', "01", "1.", ".5", "+1", "tru", "nul", "'a'", "// a", "[]]",
        "<html>", "[1]x", '{,"a":1}', '{"a"::1}', '{"a":1 "b":2}',
    ],
)  # fmt: skip
def test_no_json(text: str) -> None:
    """Any other text is none."""
    assert JsonReplacer(Pseudonyms()).replace(text, 0) is None


@given(BODIES)
def test_shape(body: object) -> None:
    """Lists keep their length, objects the number and the order of their fields, values their type.

    A number stays a number, and an integer stays one.
    """
    found = replaced(json.dumps(body))

    assert shape(found) == shape(body) or _has_equal_keys(body)


def _has_equal_keys(body: object) -> bool:
    """Return True if keys of one object differ in a way that a capture does not keep.

    These are the case of hosts and UUIDs.
    """
    if isinstance(body, dict):
        folded = {key.casefold() for key in body}
        return len(folded) < len(body) or any(map(_has_equal_keys, body.values()))
    return isinstance(body, list) and any(map(_has_equal_keys, body))


@given(st.text() | st.text('[]{},:"\\ 1ea.-truefalsn', max_size=12))
def test_agrees_with_python(text: str) -> None:
    """A text is JSON for a capture if it is for Python."""
    try:
        json.loads(text)
        is_json = True
    except ValueError:
        is_json = False

    assert (JsonReplacer(Pseudonyms()).replace(text, 0) is not None) is is_json


@given(BODIES)
def test_again(body: object) -> None:
    """A body whose values are replaced already stays as it is."""
    first = JsonReplacer(Pseudonyms()).replace(json.dumps(body), 0)
    assert first is not None

    assert JsonReplacer(Pseudonyms()).replace(first.text, 0) == first


@given(PLANTED)
def test_plants(body: object) -> None:
    """No value that is planted in any field, list or key of a body is in the replaced one."""
    found = JsonReplacer(Pseudonyms()).replace(json.dumps(planted({"body": body})), 0)

    assert found is not None
    assert found_in(found.text) == []


def test_large_body() -> None:
    """A large body comes in parts, none of which is large."""
    body = [[number, {}] for number in range(10_000)]
    found = JsonReplacer(Pseudonyms()).replace(json.dumps(body), 0)

    assert found is not None
    assert len(found.parts) > 5
    assert max(map(len, found.parts)) < 10**5
    assert json.loads(found.text) == body


def test_stopped() -> None:
    """A large body that another thread has stopped counts as none."""
    replacer = JsonReplacer(Pseudonyms())
    replacer.is_stopped = True

    assert replacer.replace(json.dumps(list(range(10_000))), 0) is None


def test_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replacements stay the same when the cache is full."""
    monkeypatch.setattr(json_text, "_MAX_CACHED", 2)
    texts = ["a!", "b!", "c!", "a!", "x" * 200, "x" * 200]
    replacer = JsonReplacer(Pseudonyms())
    found = replacer.replace(json.dumps(texts), 0)

    assert found is not None
    assert json.loads(found.text) == ["name-1", "name-2", "name-3", "name-1", "name-4", "name-4"]
    assert len(replacer._cache) <= 2


def test_surrogates() -> None:
    """A lone surrogate is a value like any other."""
    assert replaced('["\\ud800", {"\\udfff": 1}]') == ["name-1", {"name-2": 1}]
