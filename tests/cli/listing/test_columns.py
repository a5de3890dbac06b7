"""Facts about `_columns`: which column gives way, and how much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions._cli.listing.table import GAP, fit_widths


NATURAL = {"uid": 36, "what": 20, "state": 30}
SQUEEZE = (("state", 8), ("state", 0), ("what", 16))


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
def test_order(width: int, widths: dict[str, int] | None) -> None:
    """Each gives way in its turn, and no more than is needed."""
    assert fit_widths(NATURAL, SQUEEZE, width) == widths


def test_given_back() -> None:
    """What is left over when a column is left out goes back to those that gave way before it."""
    squeeze = (("what", 5), ("uid", 0))

    assert fit_widths({"what": 20, "uid": 36}, squeeze, 30) == {"what": 20}
    assert fit_widths({"what": 20, "uid": 36}, squeeze, 15) == {"what": 15}


def test_absent() -> None:
    """A column that is not there cannot give way."""
    assert fit_widths({"uid": 5}, SQUEEZE, 4) is None
    assert fit_widths({}, SQUEEZE, 0) == {}


COLUMNS = st.sampled_from("abcde")


@given(
    st.dictionaries(COLUMNS, st.integers(1, 50)),
    st.lists(st.tuples(COLUMNS, st.integers(0, 20))),
    st.integers(0, 120),
)
def test_any(natural: dict[str, int], squeeze: list[tuple[str, int]], width: int) -> None:
    """Whatever gives way, all fits, nothing is wider than it would be, and little room is lost."""
    widths = fit_widths(natural, squeeze, width)
    if widths is None:
        return

    used = sum(widths.values()) + len(GAP) * max(0, len(widths) - 1)
    assert used <= max(width, 0)
    assert all(0 < each <= natural[column] for column, each in widths.items())
    assert used == width or all(each == natural[column] for column, each in widths.items())
