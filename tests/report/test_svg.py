"""Tests of `_report.svg`, which read the drawing as XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from redis_enterprise_actions import Outage, Outcome, Phase, Record
from redis_enterprise_actions._report.svg import css_class, svg_element, svg_file
from redis_enterprise_actions._report.timeline import timeline
from tests.records import CASES, HOSTILE_RECORD, QUIET, TROUBLED, UNSEEN, make_record, transition


SVG = "{http://www.w3.org/2000/svg}"


def parse_svg(records: list[Record]) -> ET.Element:
    """Return the drawing, parsed."""
    return ET.fromstring(svg_file(timeline(records)))


def texts(root: ET.Element) -> list[str]:
    """Return the texts of a drawing."""
    return ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]


def classes(root: ET.Element, kind: str) -> list[str]:
    """Return the classes of the elements of a kind."""
    return [each.get("class", "") for each in root.iter(SVG + kind)]


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_well_formed(records: list[Record]) -> None:
    """The drawing is XML, holds SVG elements only, and refers to nothing but itself."""
    root = parse_svg(records)
    kinds = {each.tag.removeprefix(SVG) for each in root.iter()}

    assert kinds <= {
        *("svg", "style", "defs", "pattern", "rect", "circle", "path", "line", "text", "title")
    }
    assert set(re.findall(r"url\((.*?)\)", svg_file(timeline(records)))) == {
        *("#pending", "#cancelling", "#outage")
    }
    assert not any(name.startswith(("on", "href")) for each in root.iter() for name in each.attrib)


def test_rows() -> None:
    """Each wait has a bar with its title, its phases, and its outcome with a mark."""
    root = parse_svg([QUIET, TROUBLED, UNSEEN])

    assert {"SMUpdateBDB on bdb:1", "remove on node:1"} <= set(texts(root))
    assert {
        "✓ completed after 1m 40s",
        "✗ unreachable after 1m 40s",
        "■ interrupted after 0.0s",
    } <= set(texts(root))
    fills = [each for each in classes(root, "rect") if each in {*Phase, "other"}]
    assert fills[:5] == ["pending", "running", "other", "cancelling", "unknown"]


def test_outages() -> None:
    """Outages are hatched, and have a text."""
    root = parse_svg([TROUBLED])
    bars = [each for each in root.iter(f"{SVG}rect") if each.get("class") == "outage"]

    titles = [title.text or "" for bar in bars for title in bar]
    assert titles == [
        "no answer for 10s (1 attempt): it answered 503",
        "no answer for 40s, to the end (9 attempts): refused",
    ]


def test_progress() -> None:
    """Progress is a line of steps: level until the next answer, then up."""
    root = parse_svg([QUIET])
    lines = [each.get("d") for each in root.iter(f"{SVG}path") if each.get("class") == "progress"]

    assert lines[0] == "M200.0 90H600.0V50H1000.0"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.5, "label"), (0.15, "label tablet"), (0.09, "label desk"), (0.01, None)],
)
def test_labels(share: float, shown: str | None) -> None:
    """A label is shown where it has room; its text is always there as a title."""
    steps = (transition(0.0, Phase.RUNNING, "provision"), transition(100 * share, Phase.COMPLETED))
    root = parse_svg([make_record(transitions=steps)])
    labels = [each for each in classes(root, "text") if each.startswith("label")]

    assert labels == ([shown] if shown else [])
    assert "running, provision" in [each.text for each in root.iter(f"{SVG}title")]


def test_legend() -> None:
    """The legend explains the signs that are drawn, and no others."""
    names = {*Phase, "not seen", "outage", "progress"}

    assert [each for each in texts(parse_svg([QUIET])) if each in names and each != "pending"] == [
        *("running", "progress")
    ]
    assert set(texts(parse_svg([TROUBLED]))) & names == {
        *("running", "cancelling", "unknown", "not seen", "outage")
    }


def test_axis() -> None:
    """Many rows have an axis below them, too."""

    def zeros(records: list[Record]) -> int:
        return texts(parse_svg(records)).count("0s") + texts(parse_svg(records)).count("0m")

    root = parse_svg(CASES["two hundred"])
    labels = [int(each.get("y", "")) for each in root if each.text == "0m"]
    legend = [int(each.get("y", "")) for each in root if each.get("width") == "33%"]

    assert zeros([QUIET]) == 1
    assert len(labels) == 2
    assert max(labels) < min(legend)


def test_height() -> None:
    """The drawing is as high as its content."""
    for records in CASES.values():
        root = parse_svg(records)
        rows = [each for each in root if each.tag == f"{SVG}svg"]
        lowest = max([int(each.get("y", "")) + int(each.get("height", "")) for each in rows] or [0])
        assert lowest <= int(root.get("height", "0"))


def test_element() -> None:
    """The element for a page has the page's width, and no heading of its own."""
    inside = svg_element(timeline([QUIET]))

    assert 'width="100%"' in inside.splitlines()[0]
    assert "since" not in inside
    assert "since 2026-03-01" in svg_file(timeline([QUIET]))


def test_hostile_text() -> None:
    """Text of the cluster stays text."""
    root = parse_svg([HOSTILE_RECORD])

    assert any("<script>alert(1)</script>" in each for each in texts(root))
    assert "<script" not in svg_file(timeline([HOSTILE_RECORD]))


def test_css_classes() -> None:
    """Each outcome is good, bad or open; it is open if the work may go on."""
    classes = {outcome: css_class(outcome) for outcome in Outcome}

    assert classes[Outcome.COMPLETED] == classes[Outcome.REACHED] == "good"
    assert {outcome for outcome, css in classes.items() if css == "open"} == {
        *(Outcome.INTERRUPTED, Outcome.UNDER_WAY, Outcome.TIMED_OUT, Outcome.STALLED)
    }
    assert list(classes.values()).count("bad") == len(Outcome) - 6


def test_label_before_outage() -> None:
    """A label that does not fit before the first outage in its part is left out."""

    def labels(began: float, ended: float) -> list[str]:
        outage = Outage(began=began, ended=ended, attempts=1, reason="refused")
        return [
            each.text or ""
            for each in parse_svg([make_record(outages=(outage,))]).iter(f"{SVG}text")
            if (each.get("class") or "").startswith("label")
        ]

    assert labels(90, 95) == ["pending", "provision"]
    assert labels(21, 22) == ["pending"]
    assert labels(10, 50) == ["pending"]
