"""Facts about estimates: when there is ground for one, what it says, and when it is silent."""

from __future__ import annotations

import pytest

from redis_enterprise_actions._cli.wait.progress import (
    RemainingTimeEstimator,
    format_clock,
    format_remaining,
)


@pytest.mark.parametrize(
    ("seen", "now", "left"),
    [
        ([], 10, None),
        ([(0, None)], 10, None),
        ([(0, 40)], 10, None),
        ([(0, 0), (10, 50)], 10, None),
        ([(0, 0), (10, 20), (20, 40)], 20, 30),
        ([(0, 0), (10, 20), (20, 40)], 35, 15),
        ([(0, 0), (10, 20), (20, 40)], 50, None),
        ([(0, 0), (10, 20), (20, 40), (25, 40)], 25, 25),
        ([(0, 0), (10, 20), (20, 40), (30, 50)], 30, 100 / 3),
        ([(0, 0), (10, 20), (20, 40), (30, 10)], 30, None),
        ([(0, 0), (10, 20), (20, 40), (30, None)], 30, None),
        ([(0, 50), (10, 10), (20, 20), (30, 30)], 30, 70),
        ([(0, 0), (10, 20), (10, 40)], 10, None),
        ([(0, 0), (10, 90), (20, 100)], 20, None),
    ],
    ids=[
        *("nothing", "no-progress", "one", "one-rise", "two-rises", "later", "too-late", "still"),
        *("slower", "fell", "lost", "fell-first", "at-once", "complete"),
    ],
)
def test_left(seen: list[tuple[float, float | None]], now: float, left: float | None) -> None:
    """Two rises are ground for an estimate, until progress falls or its end is overdue."""
    estimate = RemainingTimeEstimator()
    for at, progress in seen:
        estimate.add(at, progress)

    assert estimate.remaining(now) == (None if left is None else pytest.approx(left))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.1, "about 5 s left"),
        (42, "about 40 s left"),
        (54.9, "about 55 s left"),
        (55, "about 1 min left"),
        (91, "about 2 min left"),
        (3569, "about 59 min left"),
        (3570, "about 1 h left"),
        (5400, "about 1.5 h left"),
        (360_000, "about 100 h left"),
    ],
)
def test_about(seconds: float, said: str) -> None:
    """A guess is said no finer than it is good."""
    assert format_remaining(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0:00:00"), (59.99, "0:00:59"), (125, "0:02:05"), (36_061, "10:01:01")],
)
def test_clock(seconds: float, said: str) -> None:
    """A time that has passed is hours, minutes and seconds."""
    assert format_clock(seconds) == said
