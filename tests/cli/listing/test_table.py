"""Tests of `_cli.listing.table`, at usual widths of terminals."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions import Action, Kind, Phase
from redis_enterprise_actions._cli.listing.table import (
    GAP,
    RenderContext,
    display_width,
    fit_widths,
    progress_bar,
    reference_of,
    render_list,
    render_watch,
    tab_separated,
    truncate,
)
from redis_enterprise_actions._model.action import phase_of
from tests.conftest import ACTIVE


NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
UUID = "2d81d873-0b12-4636-90d2-ff4dd1ed3b8"


def action(number: int, name: str, status: str, **more: object) -> Action:
    """Return an action with a uid like those of clusters."""
    begun = NOW - timedelta(seconds=int(more.pop("age", 60)))  # type: ignore[call-overload]
    phase = phase_of(status)
    return Action(
        uid=f"{UUID}{number}", name=name, kind=Kind.TASK, status=status, phase=phase,
        creation_time=begun, **more,  # type: ignore[arg-type]
    )  # fmt: skip


THREE = [
    action(1, "SMUpdateBDB", "active", age=12, object_type="bdb", object_uid="1",
           progress=14.29, state="provision"),
    action(2, "maintenance_on", "completed", age=7300, node_uid="2", progress=100.0),
    action(3, "retry_bdb", "failed", age=200000, node_uid="1", progress=33.3,
           error_code="internal_error", error="node 1 is full"),
]  # fmt: skip

AT_40 = """\
2d81d873-0b12-4636-90d2-ff4dd1ed3b81
  SMUpdateBDB on bdb:1
  active  14 %  provision  12s
2d81d873-0b12-4636-90d2-ff4dd1ed3b82
  maintenance_on on node:2
  completed  100 %  2h
2d81d873-0b12-4636-90d2-ff4dd1ed3b83
  retry_bdb on node:1
  failed  33 %  internal_error: node…  2d"""

AT_80 = """\
UID                                   WHAT                  STATUS     DONE  AGE
2d81d873-0b12-4636-90d2-ff4dd1ed3b81  SMUpdateBDB on bdb:1  active      14 %  12s
2d81d873-0b12-4636-90d2-ff4dd1ed3b82  maintenan… on node:2  completed  100 %   2h
2d81d873-0b12-4636-90d2-ff4dd1ed3b83  retry_bdb on node:1   failed      33 %   2d"""

AT_140 = """\
UID                                   WHAT                      STATUS     DONE  STATE                           AGE
2d81d873-0b12-4636-90d2-ff4dd1ed3b81  SMUpdateBDB on bdb:1      active      14 %  provision                       12s
2d81d873-0b12-4636-90d2-ff4dd1ed3b82  maintenance_on on node:2  completed  100 %                                   2h
2d81d873-0b12-4636-90d2-ff4dd1ed3b83  retry_bdb on node:1       failed      33 %  internal_error: node 1 is full   2d"""  # noqa: E501

WATCHED_AT_40 = """\
WHAT                     STATUS     DONE
SMUpdateBDB on bdb:1     active      14 %
maintenance_… on node:2  completed  100 %
retry_bdb on node:1      failed      33 %"""

WATCHED_AT_80 = """\
WHAT                      STATUS                 DONE  STATE                 AGE
SMUpdateBDB on bdb:1      active     ━─────────   14 %  provision             12s
maintenance_on on node:2  completed              100 %                         2h
retry_bdb on node:1       failed                  33 %  internal_error: nod…   2d"""


def on(width: int, **more: object) -> RenderContext:
    """Return a context of this width."""
    return msgspec.structs.replace(RenderContext(width=width, now=NOW), **more)


@pytest.mark.parametrize(
    ("width", "expected"), [(40, AT_40), (80, AT_80), (140, AT_140)], ids=["40", "80", "140"]
)
def test_listed(width: int, expected: str) -> None:
    """The table fits the width, and the uids are complete at any width."""
    assert "\n".join(render_list(THREE, on(width))) == expected


@pytest.mark.parametrize(("width", "expected"), [(40, WATCHED_AT_40), (80, WATCHED_AT_80)])
def test_watched(width: int, expected: str) -> None:
    """The bar and the uid shrink first, the name and the object last."""
    assert "\n".join(render_watch(THREE, on(width))) == expected


def test_watched_wide() -> None:
    """A wide table has all columns."""
    headings, first, *_ = render_watch(THREE, on(160))

    assert headings.split() == ["WHAT", "STATUS", "DONE", "STATE", "AGE", "UID"]
    assert first.endswith(f"{UUID}1")


def test_watched_narrow() -> None:
    """In a very narrow table the name takes one half, and the status the other."""
    assert render_watch(THREE[:1], on(18)) == ["WHAT      STATUS", "SMUpdat…  active"]


LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60)


@given(st.integers(30, 200), LINES, LINES, LINES)
def test_any_width(width: int, name: str, status: str, state: str) -> None:
    """No line is wider than the terminal, but for a line with a uid alone."""
    odd = msgspec.structs.replace(THREE[0], name=name, status=status, state=state)
    for line in render_watch([odd, *THREE], on(width)):
        assert display_width(line) <= width
    uids = {odd.uid, *(each.uid for each in THREE)}
    for line in render_list([odd, *THREE], on(width)):
        assert display_width(line) <= width or line in uids


def test_fields() -> None:
    """The fields for programs have tabs between them, no units, and are complete."""
    unknown = msgspec.structs.replace(ACTIVE, kind=Kind.CRDB_TASK, name="a\tb")

    assert tab_separated([*THREE[:2], unknown], NOW) == [
        f"{UUID}1\tSMUpdateBDB on bdb:1\tactive\t14.29\tprovision\t12",
        f"{UUID}2\tmaintenance_on on node:2\tcompleted\t100\t-\t7300",
        "crdb:a1\ta b\tactive\t-\t-\t-",
    ]


def test_reference() -> None:
    """The reference is what `wait` takes."""
    node = msgspec.structs.replace(ACTIVE, uid="node:1/remove", kind=Kind.NODE_ACTION)

    assert reference_of(node) == "node:1/remove"
    assert reference_of(msgspec.structs.replace(ACTIVE, kind=Kind.CRDB_TASK)) == "crdb:a1"


def test_clocks_differ() -> None:
    """An action that began in our future has the age 0."""
    assert tab_separated([action(1, "x", "queued", age=-60)], NOW)[0].endswith("\t0")


class TestColour:
    """Colours in tables."""

    def test_status(self) -> None:
        """Only headings and statuses are coloured, and the columns stay aligned."""
        plain = render_list(THREE, on(140))
        coloured = render_list(THREE, on(140, colour=True))

        assert [re.sub(r"\x1b\[\d*m", "", line) for line in coloured] == plain
        assert "\x1b[31mfailed\x1b[0m " in coloured[3]

    @pytest.mark.parametrize("phase", Phase)
    def test_every_phase(self, phase: Phase) -> None:
        """Every phase has a colour."""
        drawn = render_list([msgspec.structs.replace(ACTIVE, phase=phase)], on(80, colour=True))

        assert re.search(r"\x1b\[\d+mactive\x1b\[0m", drawn[1])


class TestBar:
    """Progress bars."""

    @pytest.mark.parametrize(
        ("progress", "unicode", "drawn"),
        [
            (0.0, True, "──────────"),
            (45.0, True, "━━━━──────"),
            (100.0, True, "━━━━━━━━━━"),
            (45.0, False, "####------"),
        ],
    )
    def test_progress(self, progress: float, drawn: str, *, unicode: bool) -> None:
        """The bar is filled in proportion to the progress."""
        action = msgspec.structs.replace(ACTIVE, progress=progress)

        assert progress_bar(action, 10, on(80, unicode=unicode)) == drawn

    def test_unknown(self) -> None:
        """Without a known progress the bar is animated."""
        drawn = [progress_bar(ACTIVE, 4, on(80, frame=frame)) for frame in range(5)]

        assert drawn == ["━───", "─━──", "──━─", "───━", "━───"]

    @pytest.mark.parametrize("phase", [Phase.PENDING, Phase.FAILED, Phase.COMPLETED])
    def test_none(self, phase: Phase) -> None:
        """Only running actions have a bar."""
        assert progress_bar(msgspec.structs.replace(ACTIVE, phase=phase), 10, on(80)) == ""


@pytest.mark.parametrize(
    ("text", "width", "unicode", "shown"),
    [
        ("abc", 3, True, "abc"),
        ("abcd", 3, True, "ab…"),
        ("abcd", 3, False, "ab~"),
        ("日本語", 4, True, "日…"),
        ("abcd", 0, True, "…"),
    ],
)
def test_cut(text: str, width: int, shown: str, *, unicode: bool) -> None:
    """Truncated text has a mark, and wide characters count for two."""
    assert truncate(text, width, on(80, unicode=unicode)) == shown


def test_strange_words() -> None:
    """Text of the cluster cannot move the cursor or colour the terminal."""
    odd = msgspec.structs.replace(THREE[0], status="\x1b[2J\t", state="a\nb", error="\x07")

    for lines in (
        render_list([odd], on(140)),
        render_watch([odd], on(80)),
        render_list([odd], on(40)),
    ):
        assert not re.search(r"[\x00-\x1f]", "".join(lines))
    (line,) = tab_separated([odd], NOW)
    assert len(line.split("\t")) == 6
    assert line.replace("\t", "").isprintable()


NATURAL = {"uid": 36, "what": 20, "state": 30}
SHRINK_ORDER = (("state", 8), ("state", 0), ("what", 16))


@pytest.mark.parametrize(
    ("width", "widths"),
    [
        (200, NATURAL),
        (90, NATURAL),
        (89, NATURAL | {"state": 29}),
        (68, NATURAL | {"state": 8}),
        (67, {"uid": 36, "what": 20}),
        (57, {"uid": 36, "what": 19}),
        (54, {"uid": 36, "what": 16}),
        (53, None),
    ],
)
def test_fit_widths(width: int, widths: dict[str, int] | None) -> None:
    """Columns shrink in order, and no more than is needed."""
    assert fit_widths(NATURAL, SHRINK_ORDER, width) == widths


def test_space_goes_back() -> None:
    """The space of a removed column goes back to the columns that shrank before."""
    shrink_order = (("what", 5), ("uid", 0))

    assert fit_widths({"what": 20, "uid": 36}, shrink_order, 30) == {"what": 20}
    assert fit_widths({"what": 20, "uid": 36}, shrink_order, 15) == {"what": 15}


def test_absent_column() -> None:
    """A column that is not in the table cannot shrink."""
    assert fit_widths({"uid": 5}, SHRINK_ORDER, 4) is None
    assert fit_widths({}, SHRINK_ORDER, 0) == {}


COLUMNS = st.sampled_from("abcde")


@given(
    st.dictionaries(COLUMNS, st.integers(1, 50)),
    st.lists(st.tuples(COLUMNS, st.integers(0, 20))),
    st.integers(0, 120),
)
def test_fit_any_widths(
    natural: dict[str, int], shrink_order: list[tuple[str, int]], width: int
) -> None:
    """All columns fit, none is wider than its content, and no space is left that one could use."""
    widths = fit_widths(natural, shrink_order, width)
    if widths is None:
        return

    used = sum(widths.values()) + len(GAP) * max(0, len(widths) - 1)
    assert used <= max(width, 0)
    assert all(0 < each <= natural[column] for column, each in widths.items())
    assert used == width or all(each == natural[column] for column, each in widths.items())
