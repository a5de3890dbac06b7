"""Tests of `_report.html`."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from redis_enterprise_actions import Outcome, Record
from redis_enterprise_actions._report.html import html_page
from tests.records import CASES, HOSTILE_RECORD, HOSTILE_TEXT, QUIET, TROUBLED, UNSEEN, make_record


class Tags(HTMLParser):
    """Parser that collects the elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def parse_page(records: list[Record]) -> ET.Element:
    """Return the page, parsed as XML."""
    return ET.fromstring(html_page(records).removeprefix("<!DOCTYPE html>\n"))


def table_cells(records: list[Record]) -> list[list[str]]:
    """Return the table with its head, without the rows of events."""
    rows = [row for row in parse_page(records).iter("tr") if row.get("class") != "more"]
    return [[" ".join("".join(cell.itertext()).split()) for cell in row] for row in rows]


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_well_formed(records: list[Record]) -> None:
    """The page is well-formed, declares language, charset and width, and has one heading."""
    root = parse_page(records)

    assert root.get("lang") == "en"
    assert [len(list(root.iter(kind))) for kind in ("h1", "body")] == [1, 1]
    assert next(root.iter("meta")).get("charset") == "utf-8"
    assert "width=device-width" in html_page(records)
    ids = re.findall(r'\bid="(.*?)"', html_page(records))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_loads_nothing(records: list[Record]) -> None:
    """The page has no script and no link, and forbids itself to load anything."""
    tags = Tags(html_page(records)).found
    names = {name for _, attributes in tags for name in attributes}

    assert {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "a", "object"} == set()
    assert not [name for name in names if name.startswith("on") or name in {"src", "href"}]
    assert "@import" not in html_page(records)
    policy = next(a["content"] for t, a in tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_colour_schemes() -> None:
    """Page and drawing follow the reader's choice of light or dark."""
    assert html_page([QUIET]).count("@media (prefers-color-scheme: dark)") == 2
    assert 'name="color-scheme" content="light dark"' in html_page([QUIET])


def test_table() -> None:
    """The table has a row of details for each wait."""
    head, quiet, unseen, troubled = table_cells([QUIET, TROUBLED, UNSEEN])

    assert head == [*("Action", "Result", "Began", "Polls", "Outages", "Source")]
    assert quiet == [
        "SMUpdateBDB on bdb:1",
        "✓ completed after 1m 40s",
        "2026-03-01 12:00:00 UTC",
        "7",
        "none",
        "the action itself",
    ]
    assert troubled[1] == "✗ unreachable after 1m 40s"
    assert troubled[4:] == ["2 (50s)", "not seen"]
    assert unseen[1] == "■ interrupted after 0.0s"


def test_event_list() -> None:
    """Transitions and outages are listed together in order, with the number of those left out."""
    root = parse_page([TROUBLED])
    (summary,) = root.iter("summary")
    items = ["".join(item.itertext()) for item in next(root.iter("details")).iter("li")]

    assert summary.text == "3 changes, 3 more left out"
    assert items == [
        "10s running, 0 %",
        "20s no answer for 10s (1 attempt): it answered 503",
        "30s cancelling, 0 %",
        "50s unknown, 0 %",
        "1m 00s no answer for 40s, to the end (9 attempts): refused",
    ]


def test_below_the_row() -> None:
    """The reference and the error of a wait stand below its row."""
    below = [
        [each.text for each in row.iter("p")]
        for row in parse_page([QUIET, TROUBLED, make_record(200.0, ref="")]).iter("tr")
        if row.get("class") == "more"
    ]

    assert below == [["action:a1"], ["node:1/remove", "no usable answer from the cluster"], []]


def test_headings() -> None:
    """The sections are the timeline, the outages of all waits if there are any, and the details."""
    root = parse_page([QUIET, TROUBLED])
    outages = next(root.iter("ul"))

    assert [each.text for each in root.iter("h2")] == ["Timeline", "Outages", "Details"]
    assert [each.text for each in parse_page([QUIET]).iter("h2")] == ["Timeline", "Details"]
    assert ["".join(item.itertext()) for item in outages] == [
        "2026-03-01 12:02:00 UTC no answer for 10s (1 of 2 waits): it answered 503",
        "2026-03-01 12:02:40 UTC no answer for 40s (1 of 2 waits): refused",
    ]


def test_no_records() -> None:
    """A page without records says so."""
    root = parse_page([])

    assert [each.text for each in root.iter("h1")] == ["no waits"]
    assert list(root.iter("table")) == []


def test_hostile_text() -> None:
    """Text of the cluster makes no element and no control character."""
    hostile, harmless = Tags(html_page([HOSTILE_RECORD])).found, Tags(html_page(CASES["one"])).found

    assert {tag for tag, _ in hostile} <= {tag for tag, _ in harmless}
    assert "<script>alert(1)</script>" in "".join(parse_page([HOSTILE_RECORD]).itertext())
    assert not set(html_page([HOSTILE_RECORD])) & {"\x00", "\x1b", "\u202e"}
    assert "alert(1)" in HOSTILE_TEXT


def test_narrow_window() -> None:
    """In a narrow window the table becomes a list with named items."""
    found = Tags(html_page([QUIET])).found
    named = {attributes.get("data-name") for tag, attributes in found if tag == "td"}

    assert named == {None, "Began", "Polls", "Outages", "Source"}
    assert "@media (max-width: 719px)" in html_page([QUIET])


def test_outcomes() -> None:
    """Every outcome is shown by its word."""
    for outcome in Outcome:
        shown = "".join(parse_page([make_record(outcome=outcome)]).itertext())
        assert f"{outcome} after 1m" in shown or f"{outcome}, waited 1m" in shown
