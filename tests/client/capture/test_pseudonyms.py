"""Tests of `_client.capture.pseudonyms`."""

from __future__ import annotations

import ast
import base64
import importlib
import json
import pkgutil
import re
from contextlib import suppress
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import redis_enterprise_actions
from redis_enterprise_actions._client import wire
from redis_enterprise_actions._client.capture.pseudonyms import Pseudonyms
from redis_enterprise_actions._client.capture.words import (
    KNOWN,
    KNOWN_FIELDS,
    ROUTE_WORDS,
    TIME_FIELDS,
    is_uid_field,
)
from redis_enterprise_actions._client.wire.lenient_json import Numeric, TextOrInt
from tests.planting import PLANTS, found_in


PACKAGE = Path(redis_enterprise_actions.__file__).parent
UUID = "7B9D3C1E-77aa-4bcd-8fed-0123456789ab"
CLAIMS = base64.urlsafe_b64encode(b'{"iat": 100, "exp": 400.5, "sub": "ops"}').decode().rstrip("=")
TEXTS = st.one_of(
    st.text(),
    st.from_regex(r"[a-z0-9_.:@/-]{1,30}", fullmatch=True),
    st.from_regex(r"\d{1,12}(\.\d{1,2})?", fullmatch=True),
    st.from_regex(r"[0-9a-f]{8,12}|[0-9A-F]{8,12}", fullmatch=True),
    st.from_regex(r"(bdb|node):\d{1,3}|\d{1,3}:\d{1,3}", fullmatch=True),
    st.from_regex(r"[a-z]{1,3}\.(com|org)(:\d{1,4})?", fullmatch=True),
    st.datetimes().map(lambda time: time.isoformat() + "Z"),
    st.uuids().map(str),
    st.ip_addresses().map(str),
    st.emails(),
    st.sampled_from([each for each in PLANTS if isinstance(each, str)]),
)


@pytest.mark.parametrize(
    ("value", "pseudonym"),
    [
        (UUID.lower(), "00000001-0000-4000-8000-000000000000"),
        (UUID.upper(), "00000001-0000-4000-8000-000000000000"),
        ("ops@example.org", "user-1@example.com"),
        ("db.internal", "host-1.example"),
        ("DB.INTERNAL", "HOST-1.EXAMPLE"),
        ("db.internal:9443", "host-1.example:1"),
        ("db:9443", "host-1.example:1"),
        ("10.0.0.7", "198.18.0.1"),
        ("10.0.0.7:9443", "198.18.0.1:1"),
        ("fe80::1", "2001:db8::1"),
        ("[fe80::1]:9443", "[2001:db8::1]:1"),
        ("https://db.internal/v1/bdbs/7", "https://host-1.example/v1/bdbs/1"),
        ("sftp://ops:pw@db.internal/a", "sftp://name-1:name-2@host-1.example/name-3"),
        ("s3:///bucket#part", "s3:///name-1#name-2"),
        ("2026-12-01T11:22:33.5+02:00", "2000-01-01T00:00:33.5+02:00"),
        ("2026-12-01 11:22", "2000-01-01 00:00"),
        ("2026-13-01T11:22:33Z", "name-1"),
        ("abcdef0123", "a000000001"),
        ("ABCDEF0123", "A000000001"),
        ("77", "1"),
        ("-77", "-1"),
        ("0", "0"),
        ("77.0", "1.0"),
        ("77.25", "1.5"),
        ("0077", "0001"),
        ("bdb:77", "bdb:1"),
        ("77:78", "1:2"),
        ("crdb_worker:77:0", "crdb_worker:1:0"),
        ("1:007", "1:001"),
        ("password:77", "host-1.example:1"),
        ("hunter2", "name-1"),
        ("hunter2!", "name-1"),
        ("two words", "text 1"),
        (" hunter2\n", " name-1\n"),
        ("", ""),
        (" \t", " \t"),
        ("a\ud800", "name-1"),
        ("x" * 10**6, "name-1"),
        ("a.b.c", "host-1.example"),
        ("gopher://db.internal", "name-1"),
        ("https://db.internal:port/", "name-1"),
        ("https://]/", "name-1"),
    ],
)  # fmt: skip
def test_forms(value: str, pseudonym: str) -> None:
    """A pseudonym has the form of the value."""
    assert Pseudonyms().text(value) == pseudonym


def test_token() -> None:
    """The pseudonym of a token has the lifetime by which the client renews it, and no date."""
    header, claims, number = Pseudonyms().text(f"abc.{CLAIMS}.def").split(".")

    assert (header, number) == ("token", "1")
    assert json.loads(base64.urlsafe_b64decode(claims + "==")) == {"iat": 0, "exp": 300.5}


def test_token_that_ends_at_a_date() -> None:
    """A token that is issued at 0 does not show when it ends."""
    claims = base64.urlsafe_b64encode(b'{"iat": 0, "exp": 1796124155}').decode().rstrip("=")
    _, shown, _ = Pseudonyms().text(f"abc.{claims}.def").split(".")

    assert json.loads(base64.urlsafe_b64decode(shown + "==")) == {"iat": 0, "exp": 1e9}


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("status", "running"),
        ("status", "Active "),
        ("status", "brand-new_word2"),
        ("name", "SMDeleteBDB"),
        ("export_status", "succeeded"),
        ("object_type", "bdb"),
        ("software_version", "7.22.0-216"),
        ("redis_version", "7.2"),
        ("version", "12"),
        ("progress", "14.29"),
        ("export_progress", "5"),
        ("status_code", "404"),
        ("error_code", "404"),
        ("memory_size", "107374182400"),
    ],
)
def test_words_that_pass(field: str, word: str) -> None:
    """What the client interprets passes in the fields where it does so, and versions do."""
    assert Pseudonyms().text(word, field) == word


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("status", "Brand New"),
        ("status", "a" * 42),
        ("status", UUID.lower().replace("7", "a", 1)),
        ("status", "name-1"),
        ("error_code", "fade77fade77"),
        ("name", "running"),
        ("export_status", "brand-new"),
        ("version", "10.0.0.7"),
        ("version", "8877665"),
        ("anything", "7.22.0-216"),
        ("anything", "10.77.66-55"),
        ("progress", "step"),
        ("progress", "1234"),
        ("status_code", "8877665"),
        ("memory", "12"),
        ("creation_time", "1234"),
        ("password", "running"),
    ],
)
def test_words_that_do_not_pass(field: str, word: str) -> None:
    """Anything else is replaced, also in these fields: a uid, for one, is no word."""
    names = Pseudonyms()

    assert names.text(word, field) != word or word == "name-1"
    assert not names.unknown


def test_times() -> None:
    """All times of a capture are shifted by the same minutes: ISO times, Unix times and dates."""
    names = Pseudonyms()
    iso = names.text("2026-12-01T11:22:33Z")

    assert iso == "2000-01-01T00:00:33Z"
    assert names.http_date("Tue, 01 Dec 2026 11:22:34 GMT") == "Sat, 01 Jan 2000 00:00:34 GMT"
    assert names.number("1796124155", "heartbeat") == "946684835"
    assert names.text("1796124155.5", "creation_time") == "946684835.5"
    assert names.number("1796124155", "memory_size") == "1796124155"
    assert names.number("42", "heartbeat") == "42"


@pytest.mark.parametrize("header", ["", "yesterday", "Tue, 01 Dec 99999 11:22:34 GMT"])
def test_no_date(header: str) -> None:
    """A header that is no date has no pseudonym."""
    assert Pseudonyms().http_date(header) is None


@pytest.mark.parametrize(
    ("time", "pseudonym"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-01T00:01:00Z"),
        ("1970-01-01T00:00:59Z", "0001-01-01T00:01:59Z"),
        ("9999-12-31T23:59:59.9+02:00", "9000-01-01T00:01:59.9+02:00"),
        ("2300-01-01 00:00", "9000-01-01 00:01"),
    ],
)
def test_times_far_away(time: str, pseudonym: str) -> None:
    """A time such as "never" stays one that is far away, and does not move the others."""
    names = Pseudonyms()

    assert names.text(time) == pseudonym
    assert names.text("2026-12-01T11:22:33Z") == "2000-01-01T00:00:33Z"
    assert names.number("1796124155", "heartbeat") == "946684835"
    assert names.text(time) == pseudonym


@given(
    st.lists(
        st.datetimes()
        | st.datetimes(datetime(1970, 1, 1), datetime(2300, 1, 1))  # noqa: DTZ001
        | st.integers(10**8, 10**10 - 1),
        min_size=1,
        max_size=8,
    )
)
def test_times_in_any_order(times: list[datetime | int]) -> None:
    """Whatever comes first, a time stays one of the same form, and two never become the same."""
    names = Pseudonyms()
    shown: dict[str, str] = {}
    for time in times:
        if isinstance(time, int):
            shown[str(time)] = names.number(str(time), "heartbeat")
            assert re.fullmatch(r"[1-9]\d{8,9}", shown[str(time)])
        else:
            text = f"{time:%Y-%m-%dT%H:%M:%S}.25Z".rjust(23, "0")
            shown[text] = names.text(text)
            assert shown[text][19:] == ".25Z"
            datetime.fromisoformat(shown[text][:19])
        header = names.http_date("Tue, 01 Dec 2026 11:22:34 GMT")
        assert header is not None
        assert header.endswith(":34 GMT")

    assert len(set(shown.values())) == len(shown)


def test_differences_stay() -> None:
    """A time in the past of the first one keeps its distance; one at the end begins anew."""
    names = Pseudonyms()

    assert names.text("2099-01-01T00:00:00Z") == "2000-01-01T00:00:00Z"
    assert names.text("2089-01-01T00:00:00Z") == "1990-01-01T00:00:00Z"
    assert names.number("1796124155", "heartbeat") > "8000000000"


def test_secret_fields() -> None:
    """Nothing passes in the field of a secret, neither a known word nor a number."""
    names = Pseudonyms()

    assert names.text("running", "status", is_secret=True) == "name-1"
    assert names.number("12345", "status", is_secret=True) == "1"


def test_unknown_words() -> None:
    """Words that pass although the client does not know them are listed by field."""
    names = Pseudonyms()
    for field, word in [("status", "new"), ("status", "active"), ("state", "new"), ("x", "new")]:
        names.text(word, field)

    assert names.unknown == {"status": {"new"}, "state": {"new"}}


@pytest.mark.parametrize(
    "field",
    [
        *("uid", "bdb_uid", "shard_uids", "id", "db_id", "port", "UID", "nodeId", "bdb-uid"),
        *("node", "nodes", "shards", "source_node", "shard_list", "nodeList", "port_range"),
    ],
)
def test_uids(field: str) -> None:
    """Numbers of uids and ports are renumbered, in one table with texts."""
    names = Pseudonyms()
    numbers = ["77", "-77", "0", "-0", "77.0", "7e1", "78"]

    assert [names.number(each, field) for each in numbers] == [
        "1", "-1", "0", "-0", "1.0", "2.5", "3",
    ]  # fmt: skip
    assert names.text("77") == "1"
    assert names.number("77", "memory_size") == "77"


@pytest.mark.parametrize("field", ["grid", "support", "node_count", "shards_count", "nodes_up"])
def test_numbers_of_other_fields(field: str) -> None:
    """A number stays under the name of any other field."""
    assert Pseudonyms().number("77", field) == "77"


@pytest.mark.parametrize(
    "texts",
    [
        ["fd00:77::55", "FD00:77::55", "fd00:0077::0055", "fd00:77:0:0:0:0:0:55"],
        ["[fd00:77::55]:9443", "[fd00:0077::0055]:9443"],
        ["Prod-East", "prod-east", "PROD-EAST"],
        ["In sync", "in sync"],
    ],
)
def test_spellings(texts: list[str]) -> None:
    """Several spellings of an address, or of a name that the client compares, are one value."""
    names = Pseudonyms()

    assert len({names.text(text) for text in texts}) == 1
    assert names.text("other") not in {names.text(text) for text in texts}


def test_node_with_an_address() -> None:
    """A node that is asked by an address is the same by another spelling of it."""
    names = Pseudonyms()
    names.node("https://[fd00:77::55]:9443")

    assert names.text("https://[FD00:0077::55]:9443/v1") == "https://node-1.example:10001/v1"


def test_long_texts() -> None:
    """The form of a long text is not looked at, as that takes time and memory."""
    names = Pseudonyms()
    long = "x." * 3000

    assert names.text(f" {long}\n") == " name-1\n"
    assert names.text(long + "x y") == "text 1"
    assert names.text("9" * 5000, "progress") == "name-2"


def _wire_fields() -> dict[str, object]:
    """Return the types of the fields that the client reads, by name."""
    found: dict[str, object] = {}
    for module in pkgutil.iter_modules(wire.__path__, f"{wire.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if not (isinstance(value, type) and issubclass(value, msgspec.Struct)):
                continue
            if value.__module__.startswith(wire.__name__):
                for field in msgspec.structs.fields(value):
                    if field.type in {Numeric, TextOrInt} or field.encode_name not in found:
                        found[field.encode_name] = field.type
    return found


def test_fields_of_the_client() -> None:
    """Every field that the client reads is known."""
    assert len(_wire_fields()) > 90
    assert _wire_fields().keys() <= KNOWN_FIELDS


def test_numbers_as_text() -> None:
    """Where the client reads a quantity, it reads the same from a capture, also from text."""
    fields = [name for name, kind in _wire_fields().items() if kind in {Numeric, TextOrInt}]
    quantities = [name for name in fields if not is_uid_field(name) and name not in TIME_FIELDS]
    names = Pseudonyms()

    assert len(quantities) > 8
    assert {name for name in quantities if names.text("42", name) != "42"} == set()
    assert {name for name in quantities if names.number("42", name) != "42"} == set()
    assert set(TIME_FIELDS) - {"end_time"} <= set(fields)


def test_unknown_fields() -> None:
    """Names of fields that pass although the client does not know them are listed."""
    names = Pseudonyms()
    for key in ["status", "acme", "Acme", "77", "fade77fade77"]:
        names.key(key)

    assert names.unknown_fields == {"acme"}


@pytest.mark.parametrize(
    ("key", "replaced"),
    [
        ("state-machines", "state-machines"),
        ("authentication_admin_pass", "authentication_admin_pass"),
        ("Name", "name-1"),
        ("77", "1"),
        ("z" * 42, "name-1"),
        ("ab9d3c1e-77aa-4bcd-8fed-0123456789ab", "00000001-0000-4000-8000-000000000000"),
        ("fade77fade77", "a00000000001"),
        ("name-7", "name-1"),
        ("10.0.0.7", "198.18.0.1"),
        ("", ""),
    ],
)
def test_keys(key: str, replaced: str) -> None:
    """Names of fields pass as keys; uids, hosts and other texts are replaced."""
    assert Pseudonyms().key(key) == replaced


@pytest.mark.parametrize(
    ("path", "replaced"),
    [
        ("/v1/bdbs/77/actions/export", "/v1/bdbs/1/actions/export"),
        (f"/v1/actions/{UUID}", "/v1/actions/00000001-0000-4000-8000-000000000000"),
        ("/v1/actions/a%2Fb%20c", "/v1/actions/text%201"),
        ("/v1/actions/bdb%3A7", "/v1/actions/bdb%3A1"),
        ("/v1/actions/%ff", "/v1/actions/name-1"),
        ("/v9/secret//", "/name-1/name-2//"),
    ],
)
def test_paths(path: str, replaced: str) -> None:
    """Words of the API's routes pass in a path; other segments are replaced, and stay quoted."""
    assert Pseudonyms().path(path) == replaced


@pytest.mark.parametrize(
    ("query", "replaced"),
    [
        ("", ""),
        ("?fields=uid,name", "?fields=uid,name"),
        ("?fields=uid,Na%20me", "?fields=text%201"),
        ("?dry_run=true&max_operations=77", "?dry_run=true&max_operations=77"),
        ("?bdb_uid=77&x=hunter2", "?bdb_uid=1&x=name-1"),
        ("?extend_check=lag", "?extend_check=lag"),
        ("?Sec%20ret&password=77", "?text%201&password=1"),
    ],
)
def test_queries(query: str, replaced: str) -> None:
    """Of a query, names, numbers, truth values and names of fields pass."""
    assert Pseudonyms().query(query) == replaced


def test_nodes() -> None:
    """A node keeps its pseudonym in redirects and bodies; another port is another node."""
    names = Pseudonyms()
    urls = ["https://10.0.0.7:9443", "https://10.0.0.7:9444/gateway", "https://10.0.0.7:9443"]

    assert [names.node(url) for url in urls] == [1, 2, 1]
    assert list(names.nodes) == [
        "https://node-1.example:10001", "https://node-2.example:10002/name-1",
    ]  # fmt: skip
    assert names.location("https://10.0.0.7:9443/v1/bdbs?x=1") == (
        "https://node-1.example:10001/v1/bdbs?x=1"
    )
    assert names.text("10.0.0.7:9444") == "node-2.example:10002"
    assert names.location("/v1/bdbs/77?a=b") == "/v1/bdbs/1?a=name-2"
    assert names.location("https://10.0.0.8:9443") == "https://198.18.0.1:2"


def test_node_of_a_redirect() -> None:
    """A host that was seen before it is asked keeps its pseudonym, so that URLs agree."""
    names = Pseudonyms()
    before = names.location("https://db.internal/v1/bdbs")
    later = names.location("https://db.internal:9443")

    assert names.node("https://db.internal:9443") == 1
    assert list(names.nodes) == [later]
    assert before == "https://host-1.example/v1/bdbs"


def test_no_node() -> None:
    """A base URL without a host that can be read is replaced like any text."""
    assert Pseudonyms().node("http://[odd") == 1
    assert Pseudonyms().node("odd") == 1


def test_default_port() -> None:
    """The port of the scheme may be left out of a URL."""
    names = Pseudonyms()
    names.node("https://db.internal")

    assert names.text("https://db.internal:443/") == "https://node-1.example:10001/"


@pytest.mark.parametrize("length", [1, 99, 100, 5000, 10**6])
@pytest.mark.parametrize("begin", ["", " <html>"])
def test_bodies(begin: str, length: int) -> None:
    """A body that is no JSON is replaced by text, or HTML, of about the same length."""
    body = begin + "x" * length
    replaced = Pseudonyms().body(body)

    assert "xx" not in replaced
    assert replaced.startswith("<html>" if begin else "text 1")
    assert length < 100 or len(replaced) == 10**5 or len(body) / 10 < len(replaced) <= len(body)


def test_body_of_a_gateway() -> None:
    """A text of gateways that the client looks for passes."""
    said = "The plain HTTP request was sent to HTTPS port"

    assert said[4:] in Pseudonyms().body(f"<html><center>{said}</center> secret</html>")
    assert Pseudonyms().body(" \n") == " \n"


def _as_one(text: str) -> str:
    """Return the text that stands for all that count as the same."""
    with suppress(ValueError):
        return str(ip_address(text.strip()))
    return text.strip().casefold()


@given(st.lists(TEXTS, max_size=30), st.sampled_from(["", "uid", "status", "name"]))
def test_injective_and_stable(values: list[str], field: str) -> None:
    """Two values have two pseudonyms, and the same value always has the same one."""
    names = Pseudonyms()
    first = [names.text(value, field) for value in values]
    passed = [a == b for a, b in zip(values, first, strict=True)]
    replaced = {
        _as_one(value): _as_one(text)
        for value, text, is_same in zip(values, first, passed, strict=True)
        if not is_same
    }

    assert [names.text(value, field) for value in values] == first
    assert len(set(replaced.values())) == len(replaced)


@given(st.lists(TEXTS, max_size=30))
def test_again(values: list[str]) -> None:
    """Pseudonyms that are replaced in the same order stay as they are."""
    names, again = Pseudonyms(), Pseudonyms()
    first = [names.text(value) for value in values]

    assert [again.text(text) for text in first] == first


@given(
    st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Zs"]), min_size=3),
    st.sampled_from([*KNOWN, "uid", "x", "progress", "version", "creation_time", "password"]),
)
def test_nothing_else_passes(secret: str, field: str) -> None:
    """A text that does not have the form of a word never passes, in whatever field."""
    text = f"Zq{secret}"

    assert text not in Pseudonyms().text(text, field)


@pytest.mark.parametrize("plant", PLANTS)
def test_plants(plant: str | int) -> None:
    """No value of a known form passes in any field or place."""
    names = Pseudonyms()
    fields = [*KNOWN, "uid", "x", "progress", "version", "creation_time", "password"]
    shown = [names.text(str(plant), field) for field in fields]
    shown += [names.key(str(plant)), names.body(str(plant)), names.number("887766554433", "uid")]

    assert found_in(json.dumps(shown)) == []


def _literals() -> set[str]:
    """Return the words of all paths in the package, such as `bdbs`."""
    found: set[str] = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for path in re.findall(r"^/v\d/[a-z_/-]+$", node.value):
                    found |= set(path.split("/"))
    return found - {""}


def test_route_words() -> None:
    """Every word of a path in the client and in the fake passes."""
    assert len(_literals()) > 20
    assert _literals() <= ROUTE_WORDS
