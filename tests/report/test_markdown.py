"""Tests of `_report.markdown`."""

from __future__ import annotations

import re

import pytest

from redis_enterprise_actions import Phase, Record
from redis_enterprise_actions._report.markdown import markdown_report
from tests.records import CASES, HOSTILE_RECORD, QUIET, TROUBLED, UNSEEN, make_record, transition


def bars(records: list[Record]) -> list[str]:
    """Return the bars of the table."""
    return [
        row.split("`")[1] for row in markdown_report(records).splitlines() if row.startswith("| **")
    ]


def test_whole_report() -> None:
    """A report has totals, a table with bars, a legend, outages, and the messages of errors."""
    assert markdown_report([QUIET, TROUBLED]).replace("\u00a0", " ") == (
        "### 2 waits: 1 completed, 1 unreachable\n"
        "\n"
        "Began 2026-03-01 12:00:00 UTC; ended 2026-03-01 12:03:20 UTC; waited 3m 20s; "
        "polls 14 (a shared one counts for each); outages 2 (50s).\n"
        "\n"
        "#### Timeline\n"
        "\n"
        "| Action | Timeline | Result | Polls | Outages | Source |\n"
        "|---|---|---|--:|---|---|\n"
        "| **SMUpdateBDB on bdb:1**<br>action:a1 | `░░████████          ` "
        "| ✓ completed after 1m 40s | 7 | none | the action itself |\n"
        "| **remove on node:1**<br>node:1/remove | `          ·XXX▓XXXXX` "
        "| ✗ unreachable after 1m 40s | 7 | 2 (50s) | not seen |\n"
        "\n"
        "`░` pending, `█` running, `▓` cancelling, `·` not seen, `X` outage\n"
        "\n"
        "#### Outages\n"
        "\n"
        "- 2026-03-01 12:02:00 UTC: no answer for 10s (1 of 2 waits): it answered 503\n"
        "- 2026-03-01 12:02:40 UTC: no answer for 40s (1 of 2 waits): refused\n"
        "\n"
        "#### Details\n"
        "\n"
        "- no usable answer from the cluster\n"
    )


def test_no_records() -> None:
    """A report without records says so."""
    assert markdown_report([]) == "### no waits\n"


def test_no_trouble() -> None:
    """A report of good ends without outages has no other section than the timeline."""
    headings = [line for line in markdown_report([QUIET]).splitlines() if line.startswith("####")]

    assert headings == ["#### Timeline"]


def test_no_reference() -> None:
    """A record without a reference has its title alone."""
    assert "| **PUT /v1/bdbs/1** |" in markdown_report(
        [make_record(ref="", title="PUT /v1/bdbs/1")]
    )


def test_short_waits() -> None:
    """A wait that is shorter than the time of a letter has one letter, at its place."""
    short = make_record(99.0, elapsed=0.1, transitions=(transition(0.0, Phase.RUNNING),))
    long_, unseen, brief = bars([QUIET, short, UNSEEN])

    assert brief.strip("\u00a0") == "█"
    assert brief.index("█") == 19
    assert unseen.index("·") == 10
    assert {len(bar) for bar in (long_, brief, unseen)} == {20}


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_table_shape(records: list[Record]) -> None:
    """Each wait has one row, of as many cells as the head has."""
    rows = [line for line in markdown_report(records).splitlines() if line.startswith("|")]
    cells = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}

    assert len(rows) == (len(records) + 2 if records else 0)
    assert cells <= {7}


def test_hostile_text() -> None:
    """Text of the cluster makes no element, link, mention, heading or row."""
    text = markdown_report([HOSTILE_RECORD])
    words = re.sub(r"`[^`]*`", "", text.replace("<br>", "")).replace("**", "")

    assert re.findall(r"<[^>]*>", words) == []
    for special in ("`", "*", "_", "[", "]", "@", "$", "~"):
        assert not re.search(rf"(?<!\\){re.escape(special)}", words.replace("https", "")), special
    assert "http://" not in text
    assert not re.search(r"\bwww\.", text)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings[1:] == ["#### Timeline", "#### Outages", "#### Details"]
    assert not set(text) & {"\x00", "\x1b", "\u202e"}
