"""Facts about `_page`: a page that is whole, reads as HTML and as XML, and asks for nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from redis_enterprise_actions import Outcome, Record
from redis_enterprise_actions._report.html import html_page
from tests.flights import CASES, ENEMY, HOSTILE, QUIET, TROUBLED, UNSEEN, flight


class Tags(HTMLParser):
    """Collects the elements of a page, as a browser would."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def parsed(records: list[Record]) -> ET.Element:
    """Return the page, parsed as XML."""
    return ET.fromstring(html_page(records).removeprefix("<!DOCTYPE html>\n"))


def cells(records: list[Record]) -> list[list[str]]:
    """Return the table, its head included, without what is unfolded below each row."""
    rows = [row for row in parsed(records).iter("tr") if row.get("class") != "more"]
    return [[" ".join("".join(cell.itertext()).split()) for cell in row] for row in rows]


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_whole(records: list[Record]) -> None:
    """The page is well-formed, names its language, letters and width, and has one heading."""
    root = parsed(records)

    assert root.get("lang") == "en"
    assert [len(list(root.iter(kind))) for kind in ("h1", "body")] == [1, 1]
    assert next(root.iter("meta")).get("charset") == "utf-8"
    assert "width=device-width" in html_page(records)
    ids = re.findall(r'\bid="(.*?)"', html_page(records))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_needs_nothing(records: list[Record]) -> None:
    """The page has no script and no link, and forbids itself to load anything."""
    tags = Tags(html_page(records)).found
    names = {name for _, attributes in tags for name in attributes}

    assert {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "a", "object"} == set()
    assert not [name for name in names if name.startswith("on") or name in {"src", "href"}]
    assert "@import" not in html_page(records)
    policy = next(a["content"] for t, a in tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_light_and_dark() -> None:
    """Page and drawing follow the reader's choice of light or dark."""
    assert html_page([QUIET]).count("@media (prefers-color-scheme: dark)") == 2
    assert 'name="color-scheme" content="light dark"' in html_page([QUIET])


def test_table() -> None:
    """The table tells of each wait what the drawing cannot."""
    head, quiet, unseen, troubled = cells([QUIET, TROUBLED, UNSEEN])

    assert head == [*("action", "how it ended", "began", "polls", "without answers", "end told by")]
    assert quiet == [
        "SMUpdateBDB on bdb:1action:a1",
        "✓ completed after waiting 1 min 40 s",
        "2026-03-01 12:00:00 UTC",
        "7",
        "none",
        "the action itself",
    ]
    assert troubled[1] == "✗ unreachable after waiting 1 min 40 sno usable answer from the cluster"
    assert troubled[4:] == ["2 outages, 50.0 s", "nothing"]
    assert unseen[1] == "■ interrupted after waiting 0.0 s"


def test_story() -> None:
    """What happened is told in order, changes and outages together, and what is left out."""
    root = parsed([TROUBLED])
    (summary,) = root.iter("summary")
    items = ["".join(item.itertext()) for item in root.iter("li")]

    assert summary.text == "3 changes, 3 more left out"
    assert items == [
        "10.0 s running, 0 %",
        "20.0 s no answer for 10.0 s (1 attempt): it answered 503",
        "30.0 s cancelling, 0 %",
        "50.0 s unknown, 0 %",
        "1 min no answer for 40.0 s, to the end (9 attempts): refused",
    ]


def test_nothing() -> None:
    """A page about nothing says so."""
    root = parsed([])

    assert [each.text for each in root.iter("h1")] == ["no waits"]
    assert list(root.iter("table")) == []


def test_hostile_words() -> None:
    """Words of the cluster make no element, however they read, and no control character."""
    hostile, harmless = Tags(html_page([ENEMY])).found, Tags(html_page(CASES["one"])).found

    assert {tag for tag, _ in hostile} <= {tag for tag, _ in harmless} | {"p"}
    assert "<script>alert(1)</script>" in "".join(parsed([ENEMY]).itertext())
    assert not set(html_page([ENEMY])) & {"\x00", "\x1b", "\u202e"}
    assert "alert(1)" in HOSTILE


def test_wider_than_a_telephone() -> None:
    """In a narrow window the table becomes a list, whose items say what they are."""
    found = Tags(html_page([QUIET])).found
    named = {attributes.get("data-name") for tag, attributes in found if tag == "td"}

    assert named == {None, "began", "polls", "without answers", "end told by"}
    assert "@media (max-width: 719px)" in html_page([QUIET])


def test_outcomes() -> None:
    """Every outcome is called by its word."""
    for outcome in Outcome:
        shown = "".join(parsed([flight(outcome=outcome)]).itertext())
        assert f"{outcome} after waiting 1 min" in shown or f"{outcome}, waited 1 min" in shown
