"""Facts about `_svg`: what is drawn, read as XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from redis_enterprise_actions import Outcome, Phase, Record
from redis_enterprise_actions._report.svg import css_class, svg_element, svg_file
from redis_enterprise_actions._report.timeline import timeline
from tests.flights import CASES, ENEMY, QUIET, TROUBLED, UNSEEN, flight, step


SVG = "{http://www.w3.org/2000/svg}"


def drawn(records: list[Record]) -> ET.Element:
    """Return the drawing, parsed."""
    return ET.fromstring(svg_file(timeline(records)))


def texts(root: ET.Element) -> list[str]:
    """Return what can be read."""
    return ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]


def classes(root: ET.Element, kind: str) -> list[str]:
    """Return the classes of the elements of a kind."""
    return [each.get("class", "") for each in root.iter(SVG + kind)]


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_well_formed(records: list[Record]) -> None:
    """The drawing is XML, holds drawing only, and refers to nothing but itself."""
    root = drawn(records)
    kinds = {each.tag.removeprefix(SVG) for each in root.iter()}

    assert kinds <= {
        *("svg", "style", "defs", "pattern", "rect", "circle", "path", "line", "text", "title")
    }
    assert set(re.findall(r"url\((.*?)\)", svg_file(timeline(records)))) == {
        *("#pending", "#cancelling", "#outage")
    }
    assert not any(name.startswith(("on", "href")) for each in root.iter() for name in each.attrib)


def test_rows() -> None:
    """Each wait has a bar with its title, its phases, and how it ended, in words and a sign."""
    root = drawn([QUIET, TROUBLED, UNSEEN])

    assert {"SMUpdateBDB on bdb:1", "remove on node:1"} <= set(texts(root))
    assert {
        "✓ completed after waiting 1 min 40 s",
        "✗ unreachable after waiting 1 min 40 s",
        "■ interrupted after waiting 0.0 s",
    } <= set(texts(root))
    fills = [each for each in classes(root, "rect") if each in {*Phase, "other"}]
    assert fills[:5] == ["pending", "running", "other", "cancelling", "unknown"]


def test_outages() -> None:
    """Outages are hatched, and say what they were."""
    root = drawn([TROUBLED])
    bars = [each for each in root.iter(f"{SVG}rect") if each.get("class") == "outage"]

    said = [title.text or "" for bar in bars for title in bar]
    assert said == [
        "no answer for 10.0 s (1 attempt): it answered 503",
        "no answer for 40.0 s, to the end (9 attempts): refused",
    ]


def test_progress() -> None:
    """Progress is a line of steps: level until the next look, then up."""
    root = drawn([QUIET])
    lines = [each.get("d") for each in root.iter(f"{SVG}path") if each.get("class") == "progress"]

    assert lines[0] == "M200.0 90H600.0V50H1000.0"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.5, "label"), (0.15, "label tablet"), (0.09, "label desk"), (0.01, None)],
)
def test_labels(share: float, shown: str | None) -> None:
    """A label is shown where it has room, and its words can be had everywhere."""
    steps = (step(0.0, Phase.RUNNING, "provision"), step(100 * share, Phase.COMPLETED))
    root = drawn([flight(transitions=steps)])
    labels = [each for each in classes(root, "text") if each.startswith("label")]

    assert labels == ([shown] if shown else [])
    assert "running, provision" in [each.text for each in root.iter(f"{SVG}title")]


def test_legend() -> None:
    """What is drawn is explained, and nothing else."""
    names = {*Phase, "not seen", "no answer", "progress"}

    assert [each for each in texts(drawn([QUIET])) if each in names and each != "pending"] == [
        *("running", "progress")
    ]
    assert set(texts(drawn([TROUBLED]))) & names == {
        *("running", "cancelling", "unknown", "not seen", "no answer")
    }


def test_axis() -> None:
    """Many rows have an axis below them, too."""

    def zeros(records: list[Record]) -> int:
        return texts(drawn(records)).count("0 s") + texts(drawn(records)).count("0 min")

    root = drawn(CASES["two hundred"])
    labels = [int(each.get("y", "")) for each in root if each.text == "0 min"]
    legend = [int(each.get("y", "")) for each in root if each.get("width") == "33%"]

    assert zeros([QUIET]) == 1
    assert len(labels) == 2
    assert max(labels) < min(legend)


def test_nothing_is_lost_below() -> None:
    """The drawing is as high as what it holds."""
    for records in CASES.values():
        root = drawn(records)
        rows = [each for each in root if each.tag == f"{SVG}svg"]
        lowest = max([int(each.get("y", "")) + int(each.get("height", "")) for each in rows] or [0])
        assert lowest <= int(root.get("height", "0"))


def test_inside() -> None:
    """Inside a page it is as wide as that, and has no heading of its own."""
    inside = svg_element(timeline([QUIET]))

    assert 'width="100%"' in inside.splitlines()[0]
    assert "since" not in inside
    assert "since 2026-03-01" in svg_file(timeline([QUIET]))


def test_hostile_words() -> None:
    """Words of the cluster stay words."""
    root = drawn([ENEMY])

    assert any("<script>alert(1)</script>" in each for each in texts(root))
    assert "<script" not in svg_file(timeline([ENEMY]))


def test_css_classes() -> None:
    """Each outcome is good, bad or open."""
    classes = {outcome: css_class(outcome) for outcome in Outcome}

    assert classes[Outcome.COMPLETED] == "good"
    assert {classes[each] for each in (Outcome.INTERRUPTED, Outcome.UNDER_WAY)} == {"open"}
    assert list(classes.values()).count("bad") == len(Outcome) - 3
