"""Tests of `_report.timeline`."""

from __future__ import annotations

import msgspec
import pytest

from redis_enterprise_actions import Outage, Outcome, Phase, Record, Transition
from redis_enterprise_actions._model.text import count_text
from redis_enterprise_actions._report.timeline import (
    SharedOutage,
    heading,
    outage_text,
    outages_text,
    outcome_text,
    shared_outage_text,
    status_text,
    timeline,
    totals,
    transition_text,
)
from tests.records import CASES, QUIET, TROUBLED, UNSEEN, make_record, transition
from tests.scripted import WALL


class TestPlaces:
    """Positions, as fractions of the timeline."""

    def test_rows(self) -> None:
        """Rows are sorted by their begin, and lie at their time."""
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
        """An outage lies at its time; one that did not end lasts to the end of the row."""
        gaps = timeline([TROUBLED]).rows[0].gaps

        assert [(gap.begin, gap.end) for gap in gaps] == [(0.2, 0.3), (0.6, 1)]

    def test_progress(self) -> None:
        """Progress is a fraction from 0 to 1, also where the record holds another value."""
        odd = make_record(progress=((0.0, -5.0), (50.0, 50.0), (100.0, 1e9)))

        assert timeline([odd]).rows[0].progress == ((0, 0), (0.5, 0.5), (1, 1))

    def test_out_of_range(self) -> None:
        """Nothing lies outside of its row, also where the record holds odd times."""
        odd = make_record(
            transitions=(transition(-5.0, Phase.RUNNING), transition(500.0, Phase.UNKNOWN))
        )
        spans = timeline([odd]).rows[0].spans

        assert [(s.begin, s.end) for s in spans] == [(0, 1), (1, 1)]

    def test_no_records(self) -> None:
        """No record makes an empty timeline; a wait without duration makes a very short one."""
        assert timeline([]).rows == ()
        assert timeline([UNSEEN]).rows[0].end == 0


def outage(began: float, ended: float | None, reason: str = "refused") -> Outage:
    """Return an outage."""
    return Outage(began=began, ended=ended, attempts=1, reason=reason)


class TestSharedOutages:
    """Outages of all waits together."""

    def test_shared(self) -> None:
        """Outages of several waits that overlap are one, with the number of the waits."""
        first = make_record(outages=(outage(10, 20), outage(60, 70)))
        second = make_record(5, outages=(outage(8, 25, "reset"), outage(80, None, "reset")))

        assert timeline([second, first]).outages == (
            SharedOutage(10, 30, frozenset({0, 1}), ("refused", "reset")),
            SharedOutage(60, 70, frozenset({0}), ("refused",)),
            SharedOutage(85, 105, frozenset({1}), ("reset",)),
        )

    def test_longest(self) -> None:
        """An outage within another one does not shorten that."""
        records = [make_record(outages=(outage(10, 90),)), make_record(outages=(outage(20, 30),))]

        (shared,) = timeline(records).outages
        assert (shared.began, shared.ended) == (10, 90)

    def test_reasons(self) -> None:
        """Of many reasons, the first three are kept."""
        records = [make_record(outages=(outage(n, 50, f"r{n}"),)) for n in range(5)]

        (shared,) = timeline(records).outages
        assert shared.reasons == ("r0", "r1", "r2")

    def test_text(self) -> None:
        """The text has begin, duration, the share of the waits where there are several, reasons."""
        several = timeline([make_record(outages=(outage(10, 20),)), make_record(200.0)])
        single = timeline([make_record(outages=(outage(10, 20, "a\nb"),))])

        assert shared_outage_text(several.outages[0], several) == (
            "2026-03-01 12:00:10 UTC",
            "no answer for 10s (1 of 2 waits): refused",
        )
        assert shared_outage_text(single.outages[0], single)[1] == "no answer for 10s: a b"


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.0, ["0s", "0.001s"]),
        (0.45, ["0s", "0.1s", "0.2s", "0.3s", "0.4s"]),
        (7, ["0s", "2s", "4s", "6s"]),
        (59, ["0s", "10s", "20s", "30s", "40s", "50s"]),
        (60, ["0s", "15s", "30s", "45s", "60s"]),
        (500, ["0m", "2m", "4m", "6m", "8m"]),
        (6100, ["0m", "30m", "60m", "90m"]),
        (6 * 3600, ["0h", "2h", "4h", "6h"]),
        (4 * 86400, ["0d", "1d", "2d", "3d", "4d"]),
        (1e9, ["0d", "2000d", "4000d", "6000d", "8000d", "10000d"]),
    ],
)
def test_ticks(seconds: float, labels: list[str]) -> None:
    """The axis has round times in one unit, and six of them at most."""
    ticks = timeline([make_record(elapsed=seconds)]).ticks

    assert [tick.label for tick in ticks] == labels
    assert all(0 <= tick.at <= 1 for tick in ticks)
    assert len(ticks) <= 6


class TestTexts:
    """Texts beside the drawing."""

    def test_outcome_text(self) -> None:
        """The outcome of a wait is shown with its duration, so far or in all."""
        under_way = make_record(outcome=Outcome.UNDER_WAY)

        assert outcome_text(QUIET) == "completed after 1m 40s"
        assert outcome_text(under_way) == "under way, waited 1m 40s"

    @pytest.mark.parametrize(
        ("outcome", "text"),
        [
            (Outcome.COMPLETED, "had already completed"),
            (Outcome.FAILED, "had already failed"),
            (Outcome.CANCELLED, "had already been cancelled"),
            (Outcome.ABORTED, "had already been aborted"),
        ],
    )
    def test_already_ended(self, outcome: Outcome, text: str) -> None:
        """The end of an action that had ended when first seen is shown without a time."""
        seen = make_record(
            elapsed=0.1, outcome=outcome, transitions=(transition(0.1, Phase(outcome.value)),)
        )

        assert outcome_text(seen) == text

    def test_status_text(self) -> None:
        """Status, state and progress are shown where there are any."""
        bare = Transition(at=0.0, status="", phase=Phase.UNKNOWN)

        assert [status_text(each) for each in QUIET.transitions[:2]] == [
            "pending",
            "running, provision",
        ]
        assert transition_text(QUIET.transitions[1]) == "running, provision, 10 %"
        assert status_text(bare) == transition_text(bare) == "no status"

    def test_outage_text(self) -> None:
        """An outage is shown with its duration, its attempts and its reason."""
        assert [outage_text(outage, TROUBLED) for outage in TROUBLED.outages] == [
            "no answer for 10s (1 attempt): it answered 503",
            "no answer for 40s, to the end (9 attempts): refused",
        ]

    @pytest.mark.parametrize(("record", "text"), [(QUIET, "none"), (TROUBLED, "2 (50s)")])
    def test_outages_text(self, record: Record, text: str) -> None:
        """The outages of one wait are counted and added up."""
        assert outages_text(record) == text

    @pytest.mark.parametrize(
        ("case", "text"),
        [
            ("none", "no waits"),
            ("one", "1 wait: 1 completed"),
            ("several", "3 waits: 1 completed, 1 unreachable, 1 interrupted"),
        ],
    )
    def test_heading(self, case: str, text: str) -> None:
        """The heading counts the waits by outcome."""
        assert heading(timeline(CASES[case])) == text

    def test_totals(self) -> None:
        """The totals have begin, end, duration, polls and outages."""
        assert totals(timeline([])) == []
        assert totals(timeline([QUIET]))[-2:] == [("polls", "7"), ("outages", "none")]
        assert totals(timeline([TROUBLED, QUIET])) == [
            ("began", "2026-03-01 12:00:00 UTC"),
            ("ended", "2026-03-01 12:03:20 UTC"),
            ("waited", "3m 20s"),
            ("polls", "14 (a shared one counts for each)"),
            ("outages", "2 (50s)"),
        ]

    def test_singular(self) -> None:
        """A single wait is in the singular."""
        assert [count_text(n, "poll") for n in (0, 1, 2)] == ["0 polls", "1 poll", "2 polls"]


def test_every_outcome() -> None:
    """A record with any outcome has a row and a text."""
    records = [msgspec.structs.replace(QUIET, outcome=each) for each in Outcome]

    assert len(timeline(records).rows) == len(Outcome)
    assert all(outcome_text(record).startswith(record.outcome) for record in records)
