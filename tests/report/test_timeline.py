"""Facts about `_timeline`: where everything lies, and what it is called."""

from __future__ import annotations

import msgspec
import pytest

from redis_enterprise_actions import Outcome, Phase, Record, Transition
from redis_enterprise_actions._model.text import count_text
from redis_enterprise_actions._report.timeline import (
    heading,
    outage_text,
    outages_text,
    outcome_text,
    status_text,
    timeline,
    totals,
    transition_text,
)
from tests.flights import CASES, QUIET, TROUBLED, UNSEEN, flight, step
from tests.scripted import WALL


class TestPlaces:
    """Where everything lies, as fractions of the whole."""

    def test_rows(self) -> None:
        """Rows are sorted by their begin, and lie where they were in time."""
        line = timeline([TROUBLED, QUIET, UNSEEN])

        assert [row.record for row in line.rows] == [QUIET, UNSEEN, TROUBLED]
        assert [(row.begin, row.end) for row in line.rows] == [(0, 0.5), (0.25, 0.25), (0.5, 1)]
        assert (line.began, line.seconds) == (WALL, 200)

    def test_spans(self) -> None:
        """A phase lasts until the next change, the last one until the end."""
        spans = [(s.begin, s.end, s.phase, s.label) for s in timeline([QUIET]).rows[0].spans]
        troubled = timeline([TROUBLED]).rows[0].spans

        assert spans == [(0, 0.2, "pending", "pending"), (0.2, 1, "running", "provision")]
        assert [(s.begin, s.end) for s in troubled] == [(0.1, 0.3), (0.3, 0.5), (0.5, 1)]

    def test_gaps(self) -> None:
        """An outage lies where there was no answer, to the end if there was none any more."""
        gaps = timeline([TROUBLED]).rows[0].gaps

        assert [(gap.begin, gap.end) for gap in gaps] == [(0.2, 0.3), (0.6, 1)]

    def test_progress(self) -> None:
        """Progress is a fraction, too, however odd it is."""
        odd = flight(progress=((0.0, -5.0), (50.0, 50.0), (100.0, 1e9)))

        assert timeline([odd]).rows[0].progress == ((0, 0), (0.5, 0.5), (1, 1))

    def test_what_lies_outside(self) -> None:
        """Nothing lies outside of its row, whatever the record says."""
        odd = flight(transitions=(step(-5.0, Phase.RUNNING), step(500.0, Phase.UNKNOWN)))
        spans = timeline([odd]).rows[0].spans

        assert [(s.begin, s.end) for s in spans] == [(0, 1), (1, 1)]

    def test_none(self) -> None:
        """Nothing makes an empty timeline, and what took no time one that is nearly so."""
        assert timeline([]).rows == ()
        assert timeline([UNSEEN]).rows[0].end == 0


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.0, ["0 s", "0.001 s"]),
        (0.45, ["0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]),
        (7, ["0 s", "2 s", "4 s", "6 s"]),
        (59, ["0 s", "10 s", "20 s", "30 s", "40 s", "50 s"]),
        (60, ["0 s", "15 s", "30 s", "45 s", "60 s"]),
        (500, ["0 min", "2 min", "4 min", "6 min", "8 min"]),
        (6100, ["0 min", "30 min", "60 min", "90 min"]),
        (6 * 3600, ["0 h", "2 h", "4 h", "6 h"]),
        (4 * 86400, ["0 d", "1 d", "2 d", "3 d", "4 d"]),
        (1e9, ["0 d", "2000 d", "4000 d", "6000 d", "8000 d", "10000 d"]),
    ],
)
def test_ticks(seconds: float, labels: list[str]) -> None:
    """The axis has round times in one unit, and six of them at most."""
    ticks = timeline([flight(elapsed=seconds)]).ticks

    assert [tick.label for tick in ticks] == labels
    assert all(0 <= tick.at <= 1 for tick in ticks)
    assert len(ticks) <= 6


class TestWords:
    """What everything is called."""

    def test_ended(self) -> None:
        """How a wait ended is told with the time that it lasted, so far or in all."""
        under_way = flight(outcome=Outcome.UNDER_WAY)

        assert outcome_text(QUIET) == "completed after waiting 1 min 40 s"
        assert outcome_text(under_way) == "under way, waited 1 min 40 s"

    @pytest.mark.parametrize(
        ("outcome", "words"),
        [
            (Outcome.COMPLETED, "had already completed"),
            (Outcome.FAILED, "had already failed"),
            (Outcome.CANCELLED, "had already been cancelled"),
            (Outcome.ABORTED, "had already been aborted"),
        ],
    )
    def test_ended_before(self, outcome: Outcome, words: str) -> None:
        """What had ended when it was first seen is told without a time."""
        seen = flight(elapsed=0.1, outcome=outcome, transitions=(step(0.1, Phase(outcome.value)),))

        assert outcome_text(seen) == words

    def test_stands(self) -> None:
        """Status, state and progress are told as far as there are any."""
        bare = Transition(at=0.0, status="", phase=Phase.UNKNOWN)

        assert [status_text(each) for each in QUIET.transitions[:2]] == [
            "pending",
            "running, provision",
        ]
        assert transition_text(QUIET.transitions[1]) == "running, provision, 10 %"
        assert status_text(bare) == transition_text(bare) == "no status"

    def test_missing(self) -> None:
        """An outage is told with its length, its attempts and its reason."""
        assert [outage_text(outage, TROUBLED) for outage in TROUBLED.outages] == [
            "no answer for 10.0 s (1 attempt): it answered 503",
            "no answer for 40.0 s, to the end (9 attempts): refused",
        ]

    @pytest.mark.parametrize(
        ("record", "words"), [(QUIET, "none"), (TROUBLED, "2 outages, 50.0 s")]
    )
    def test_without_answers(self, record: Record, words: str) -> None:
        """The outages of one wait are counted and added up."""
        assert outages_text(record) == words

    @pytest.mark.parametrize(
        ("case", "words"),
        [
            ("none", "no waits"),
            ("one", "1 wait: 1 completed"),
            ("several", "3 waits: 1 completed, 1 unreachable, 1 interrupted"),
        ],
    )
    def test_heading(self, case: str, words: str) -> None:
        """The heading counts the waits by how they ended."""
        assert heading(timeline(CASES[case])) == words

    def test_totals(self) -> None:
        """The totals say from when to when, how often was asked, and what was missing."""
        assert totals(timeline([])) == []
        assert totals(timeline([QUIET]))[-2:] == [("polls", "7"), ("without answers", "0 outages")]
        assert totals(timeline([TROUBLED, QUIET])) == [
            ("began", "2026-03-01 12:00:00 UTC"),
            ("ended", "2026-03-01 12:03:20 UTC"),
            ("waited", "3 min 20 s"),
            ("polls", "14 (a shared one counts for each)"),
            ("without answers", "2 outages, 50.0 s"),
        ]

    def test_several(self) -> None:
        """One is one."""
        assert [count_text(n, "poll") for n in (0, 1, 2)] == ["0 polls", "1 poll", "2 polls"]


def test_every_outcome_can_be_drawn() -> None:
    """There is a word for each outcome, and a record with it has a row."""
    records = [msgspec.structs.replace(QUIET, outcome=each) for each in Outcome]

    assert len(timeline(records).rows) == len(Outcome)
    assert all(outcome_text(record).startswith(record.outcome) for record in records)
