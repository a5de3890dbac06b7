"""Tests of `_cli.wait.ci`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import Evidence
from redis_enterprise_actions._cli.wait.ci import GitHubDisplay, GitLabDisplay, job_summary
from redis_enterprise_actions._cli.wait.events import (
    ChangeEvent,
    SummaryEvent,
    WaitEndEvent,
    WaitsStartedEvent,
    WarningEvent,
)
from redis_enterprise_actions._cli.wait.progress import Progress
from tests.event_samples import (
    COMPLETED,
    ENDED_BEFORE,
    REFS,
    REJECTED_CALL,
    THREE_WAITS,
    UPDATE,
    end,
    golden_text,
    show_events,
    time_at,
)


if TYPE_CHECKING:
    from pathlib import Path

    from redis_enterprise_actions._cli.wait.events import AnyEvent

each_sample = pytest.mark.parametrize(
    ("name", "events"),
    [
        ("three-waits", THREE_WAITS),
        ("rejected-call", REJECTED_CALL),
        ("ended-before", ENDED_BEFORE),
    ],
)


class TestGitHub:
    """`--output github`."""

    @each_sample
    def test_golden(self, tmp_path: Path, name: str, events: list[AnyEvent]) -> None:
        """Each sample is printed as the golden file has it, and so is its job summary."""
        lines: list[str] = []
        show_events(GitHubDisplay(lines.append, str(tmp_path / "summary.md")), events)
        text = "".join(f"{line}\n" for line in lines)
        summary = (tmp_path / "summary.md").read_text("utf-8")

        assert text == golden_text(f"github-{name}.txt", text)
        assert summary == golden_text(f"github-{name}.md", summary)
        assert text.isascii()
        assert text.replace("\n", "").isprintable()

    @each_sample
    def test_groups(self, name: str, events: list[AnyEvent]) -> None:
        """Groups neither nest nor stay open, and no end of a wait is folded into one."""
        lines: list[str] = []
        show_events(GitHubDisplay(lines.append, None), events)
        is_open = False
        for line in lines:
            if line.startswith("::group::"):
                assert not is_open
                is_open = True
            elif line == "::endgroup::":
                assert is_open
                is_open = False
            elif line.startswith(("::error", "::notice")):
                assert not is_open
        assert not is_open

    def test_escapes(self) -> None:
        """Text of the cluster neither ends nor begins a workflow command."""
        lines: list[str] = []
        display, progress = GitHubDisplay(lines.append, None), Progress()
        bad = "::warning::x##[add-mask]100%,:"
        display.show(WarningEvent(**time_at(0), message=bad), progress)
        display.show(end(1, "action:a1", UPDATE, "failed", 1, bad), progress)
        for _ in range(10):
            display.show(WarningEvent(**time_at(0), message=bad), progress)

        escaped = r"::warning::x#\#[add-mask]100%25,:"
        assert lines[1] == f"::warning title=redis-actions::warning: {escaped}"
        assert lines[3] == f"::error title=SMUpdateBDB on bdb%3A1%3A failed::\\{escaped}"
        plain = lines[-1]
        assert plain.startswith("2026-")
        assert "##[" not in plain

    def test_annotation_limit(self) -> None:
        """After ten annotations of a level, which is GitHub's limit, there are plain lines."""
        lines: list[str] = []
        display, progress = GitHubDisplay(lines.append, None), Progress()
        for number in range(12):
            message = f"a{number} failed"
            display.show(end(1, f"action:a{number}", UPDATE, "failed", 1, message), progress)

        assert [line.startswith("::error") for line in lines] == [True] * 10 + [False] * 2
        assert lines[-1] == "2026-03-01T04:59:59Z    1.0s  a11 failed"

    def test_interrupted(self) -> None:
        """No group stays open when the display is closed early."""
        lines: list[str] = []
        display, progress = GitHubDisplay(lines.append, None), Progress()
        display.show(WarningEvent(**time_at(0), message="x"), progress)
        display.draw(1, progress)
        display.close(progress)

        assert lines[-1] == "::endgroup::"

    @pytest.mark.parametrize("place", [".", "a\0b", "no/such/place"])
    def test_no_summary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
        """A job summary that cannot be written is a warning."""
        monkeypatch.chdir(tmp_path)
        lines: list[str] = []
        show_events(GitHubDisplay(lines.append, place), THREE_WAITS)

        assert lines[-1].startswith("::warning title=redis-actions::the job summary cannot be")


def test_job_summary_limit() -> None:
    """The table of a job summary has 200 rows at most, and a line counts the others."""
    refs = tuple(f"action:a{number}" for number in range(203))
    progress = Progress()
    progress.apply(WaitsStartedEvent(**time_at(0), refs=refs))
    for ref in refs:
        progress.apply(end(1, ref, UPDATE, "failed", 1, "x" * 400))
    done = SummaryEvent(**time_at(1), exit_code=1, ended={"failed": 203}, left=0, why=None)
    text = job_summary(progress, done)

    assert text.count(f"| {'x' * 299}… |") == 200
    assert text.endswith("|\n\n+3 more\n\n")


def test_job_summary_without_waits() -> None:
    """A job summary without waits has no table."""
    done = SummaryEvent(**time_at(1), exit_code=0, ended={}, left=0, why=None)

    assert job_summary(Progress(), done) == "### redis-actions: nothing to wait for\n\n"


class TestGitLab:
    """`--output gitlab`."""

    @each_sample
    def test_golden(self, name: str, events: list[AnyEvent]) -> None:
        """Each sample is printed as the golden file has it, with a summary at the end."""
        lines: list[str] = []
        show_events(GitLabDisplay(lines.append), events)
        text = "".join(f"{line}\n" for line in lines)

        assert text == golden_text(f"gitlab-{name}.txt", text)

    def test_sections(self) -> None:
        """Each section ends before the next begins, and has a name of its own."""
        lines: list[str] = []
        show_events(GitLabDisplay(lines.append), THREE_WAITS)
        found = re.findall(r"section_(start|end):(\d+):(\w+)", "\n".join(lines))

        begun, over = found[::2], found[1::2]
        assert [each[0] for each in begun] == ["start"] * len(begun)
        assert [each[0] for each in over] == ["end"] * len(begun)
        assert [each[2] for each in begun] == [each[2] for each in over]
        assert len({each[2] for each in begun}) == len(begun) > 1

    def test_interrupted(self) -> None:
        """No section stays open when the display is closed early."""
        lines: list[str] = []
        show_events(GitLabDisplay(lines.append), THREE_WAITS[:3])

        assert ["section_start" in line for line in lines].count(True) == 1
        assert re.fullmatch(r"\x1b\[0Ksection_end:\d+:redis_actions_1\r\x1b\[0K", lines[-1])

    def test_only_sections_have_controls(self) -> None:
        """Only the lines of sections have control characters."""
        lines: list[str] = []
        display = GitLabDisplay(lines.append)
        show_events(display, [*THREE_WAITS[:2], WarningEvent(**time_at(0), message="\x1b[2J\r\n")])
        display.draw(1, Progress())

        *_, line, _end = lines
        assert line.endswith("  warning:  [2J")
        assert line.isprintable()


@pytest.mark.parametrize("display", [GitHubDisplay, GitLabDisplay])
def test_last_change(display: type[GitHubDisplay | GitLabDisplay]) -> None:
    """The last change is not printed if the end of the wait says the same."""
    lines: list[str] = []
    made = (
        GitHubDisplay(lines.append, None)
        if display is GitHubDisplay
        else GitLabDisplay(lines.append)
    )
    made.show(ChangeEvent(**time_at(0), ref=REFS[0], action=COMPLETED), Progress())
    assert lines == []

    shown = msgspec.structs.replace(COMPLETED, evidence=Evidence.DATABASE)
    made.show(ChangeEvent(**time_at(0), ref=REFS[0], action=shown), Progress())
    assert lines[-1].endswith("SMUpdateBDB on bdb:1: completed, as its database shows [a1]")


def test_headings() -> None:
    """The heading of a group names the wait, or counts the waits."""
    lines: list[str] = []
    progress, display = Progress(), GitHubDisplay(lines.append, None)
    for event in (THREE_WAITS[1], ChangeEvent(**time_at(0), ref=REFS[0], action=UPDATE)):
        progress.apply(event)
        display.show(event, progress)
    for ref in REFS[1:]:
        gone = end(1, ref, UPDATE, "completed", 0, "x")
        progress.apply(gone)
        display.show(gone, progress)
    display.show(ChangeEvent(**time_at(2), ref=REFS[0], action=UPDATE), progress)

    headings = [line for line in lines if line.startswith("::group::")]
    assert headings == ["::group::Waiting for 3 of 3", "::group::Waiting for SMUpdateBDB on bdb:1"]


def test_unknown_action() -> None:
    """The title of an end without an action is the uid."""
    lines: list[str] = []
    event = WaitEndEvent(
        **time_at(1),
        ref="crdb:t2",
        uid="t2",
        outcome="not found",
        exit_code=4,
        message="action t2 was not found",
        action=None,
    )
    GitHubDisplay(lines.append, None).show(event, Progress())

    assert lines == ["::error title=t2%3A not found::action t2 was not found"]
