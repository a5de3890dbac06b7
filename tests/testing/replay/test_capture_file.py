"""Tests of `testing.replay.capture_file`: what is a capture, and the error of what is none."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions.testing import CaptureError, FakeCluster
from redis_enterprise_actions.testing.replay.capture_file import read_capture
from tests.capture_files import PATH, action, capture, exchange, write


if TYPE_CHECKING:
    from pathlib import Path

ONE = exchange(0.0, **action("queued"))


def test_read(tmp_path: Path) -> None:
    """A capture has what its file says, and its requests are in the order of their times."""
    content = capture(exchange(2.5, None, failure="reset"), ONE, unknown={"status": ["odd"]})
    read = read_capture(write(tmp_path, content))

    assert [each.at for each in read.exchanges] == [0.0, 2.5]
    assert [each.failure for each in read.exchanges] == [None, "reset"]
    assert (read.exchanges[0].method, read.exchanges[0].path) == ("GET", PATH)
    assert (read.unknown, read.made_with) == ({"status": ["odd"]}, content["made_with"])
    assert read.seconds == 2.5


def test_no_exchange(tmp_path: Path) -> None:
    """A capture need not have any exchange."""
    assert read_capture(write(tmp_path, capture())).seconds == 0


def test_fields_may_be_added(tmp_path: Path) -> None:
    """Within a version, fields may be added: a reader ignores those that it does not know."""
    content = capture({**ONE, "later": [1]}, later={"x": None})
    ONE["headers"]["X-Later"] = "\u00e4"

    assert len(read_capture(write(tmp_path, content)).exchanges) == 1


def test_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark, which some editors add, is no fault."""
    path = write(tmp_path, capture(ONE))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert len(read_capture(path).exchanges) == 1


def test_newer(tmp_path: Path) -> None:
    """The error of a newer version says that it is one, whatever else the file has."""
    path = write(tmp_path, {"v": 2, "exchanges": 7})

    with pytest.raises(CaptureError) as caught:
        FakeCluster.replay(path)
    newer = "version 2 is newer than this package, which reads 1"
    assert str(caught.value) == f"{path}: $.v: {newer}"
    assert (caught.value.path, caught.value.field) == (str(path), "$.v")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"v": 0}, "$.v", "version 0 is not one that this package reads"),
        ({"v": True}, "$.v", "Expected `int`, got `bool`"),
        ({"v": None}, "$.v", "Expected `int`, got `null`"),
        ({"nodes": []}, "$.nodes", "length >= 1"),
        ({"nodes": [f"http://n{n}" for n in range(101)]}, "$.nodes", "length <= 100"),
        ({"nodes": ["ftp://node-1.example"]}, "$.nodes[0]", "is not the URL of a node"),
        ({"nodes": ["https://n:x"]}, "$.nodes[0]", "is not the URL of a node"),
        ({"nodes": ["https://n:0"]}, "$.nodes[0]", "is not the URL of a node"),
        ({"nodes": ["https://a@n"]}, "$.nodes[0]", "is not the URL of a node"),
        ({"nodes": ["https://n/"]}, "$.nodes[0]", "is not the URL of a node"),
        ({"nodes": ["https://n\n"]}, "$.nodes[0]", "is not the URL of a node"),
        ({"nodes": ["https://n", "https://n"]}, "$.nodes[1]", "https://n is there twice"),
        ({"exchanges": {}}, "$.exchanges", "Expected `array`, got `object`"),
        ({"unknown": []}, "$.unknown", "Expected `object`, got `array`"),
    ],
    ids=str,
)
def test_fault_of_a_capture(
    tmp_path: Path, change: dict[str, Any], field: str, problem: str
) -> None:
    """The error of a bad capture names the file and the field."""
    path = write(tmp_path, {**capture(ONE), **change})

    with pytest.raises(CaptureError) as caught:
        read_capture(path)
    assert (caught.value.path, caught.value.field) == (str(path), field)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"at": -1}, ".at", "Expected `float` >= 0"),
        ({"took": "0"}, ".took", "Expected `float`, got `str`"),
        ({"took": 1e10}, ".took", "<= 1000000000.0"),
        ({"node": 0}, ".node", "Expected `int` >= 1"),
        ({"node": 2}, ".node", "2 is more than the number of nodes, 1"),
        ({"method": "get"}, ".method", "matching regex"),
        ({"path": "v1"}, ".path", "matching regex"),
        ({"path": "/a b"}, ".path", "matching regex"),
        ({"path": "/a\n"}, ".path", "matching regex"),
        ({"status": 100}, ".status", "Expected `int` >= 200"),
        ({"status": None}, ".status", "and this has neither"),
        ({"failure": "reset"}, ".status", "and this has both"),
        ({"failure": "odd"}, ".status", "and this has both"),
        ({"status": None, "failure": "reset"}, ".failure", "an exchange with a body has none"),
        ({"headers": {"Location": "a\r\nb"}}, ".headers.Location", "printable ASCII"),
        ({"headers": {"Location": 5}}, ".headers[...]", "Expected `str`, got `int`"),
        ({"text": "x"}, ".json", "there is text, too"),
        ({"sent": {}, "sent_text": "x"}, ".sent", "there is sent_text, too"),
        ({"sent_text": 5}, ".sent_text", "Expected `str`, got `int`"),
    ],
    ids=str,
)
def test_fault_of_an_exchange(
    tmp_path: Path, change: dict[str, Any], field: str, problem: str
) -> None:
    """The error of a bad exchange names its place in the file and the field."""
    path = write(tmp_path, capture(ONE, {**ONE, **change}))

    with pytest.raises(CaptureError) as caught:
        read_capture(path)
    assert caught.value.field == f"$.exchanges[1]{field}"
    assert problem in str(caught.value)


@pytest.mark.parametrize("field", ["at", "took", "node", "method", "path", "auth"])
def test_missing(tmp_path: Path, field: str) -> None:
    """A field that is missing is named."""
    content = capture({name: value for name, value in ONE.items() if name != field})

    with pytest.raises(CaptureError, match=rf"\$\.exchanges\[0\]: .*`{field}`"):
        read_capture(write(tmp_path, content))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"{'v': 1}", "it is not JSON"),
        (b'{"x": ' + b"[" * 100_000, "it is nested too deeply"),
        (b'{"v": 1, "nodes": ["\xff"]}', "it is not UTF-8: byte 20"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `v`"),
    ],
)
def test_no_json(tmp_path: Path, data: bytes, problem: str) -> None:
    """A file that is no JSON is an error that says so."""
    path = tmp_path / "x.json"
    path.write_bytes(data)

    with pytest.raises(CaptureError) as caught:
        read_capture(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)


@pytest.mark.parametrize("name", ["missing.json", "", "a\0b"])
def test_no_file(tmp_path: Path, name: str) -> None:
    """A file that cannot be read is an error of the same kind."""
    with pytest.raises(CaptureError, match="it cannot be read"):
        read_capture(tmp_path / name)


def test_deep_body(tmp_path: Path) -> None:
    """A body that is too deep for the reader is an error, and no crash."""
    text = json.dumps(capture(ONE)).replace('"queued"', "[" * 100_000 + "]" * 100_000)
    (tmp_path / "x.json").write_text(text, "utf-8")

    with pytest.raises(CaptureError, match=r"it is nested too deeply$"):
        read_capture(tmp_path / "x.json")


def test_later_words(tmp_path: Path) -> None:
    """Words that a later package adds within the version are read: a failure as another one."""
    path = write(tmp_path, capture(exchange(2.5, None, failure="quantum", auth="passkey"), ONE))

    assert [each.failure for each in read_capture(path).exchanges] == [None, "other"]
