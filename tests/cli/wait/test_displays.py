"""Tests of `_cli.wait.displays`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli.wait.arguments import OUTPUTS
from redis_enterprise_actions._cli.wait.displays import (
    ReferenceDisplay,
    choose_output,
    create_display,
)
from redis_enterprise_actions._cli.wait.events import (
    ChangeEvent,
    SubmittedEvent,
    SummaryEvent,
    WaitsStartedEvent,
    WarningEvent,
)
from redis_enterprise_actions._cli.wait.progress import Progress
from tests.event_samples import COMPLETED, FAILED, REFS, UPDATE, end, show_events, time_at


GITHUB = {"GITHUB_ACTIONS": "true"}
GITLAB = {"GITLAB_CI": "true"}
DUMB = {"TERM": "dumb"}


@pytest.mark.parametrize(
    ("wanted", "environ", "terminal", "rich", "name", "warning"),
    [
        ("auto", {}, True, True, "rich", None),
        ("auto", {"TERM": "xterm"}, True, True, "rich", None),
        ("auto", {"NO_COLOR": "1"}, True, True, "rich", None),
        ("auto", {}, False, True, "plain", None),
        ("auto", DUMB, True, True, "plain", None),
        ("auto", {"TERM": "Unknown"}, True, True, "plain", None),
        ("auto", {}, True, False, "plain", "plain lines, as a live view needs rich"),
        ("auto", DUMB, True, False, "plain", None),
        ("auto", GITHUB, False, True, "github", None),
        ("auto", GITHUB, True, True, "github", None),
        ("auto", GITLAB, False, False, "gitlab", None),
        ("auto", GITHUB | GITLAB, False, False, "github", None),
        ("auto", {"GITHUB_ACTIONS": "false", "GITLAB_CI": ""}, False, True, "plain", None),
        ("rich", GITHUB, True, True, "rich", None),
        ("rich", {}, False, True, "plain", "plain lines, as the output is not a terminal"),
        ("rich", DUMB, True, True, "plain", "plain lines, as the output is not a terminal"),
        ("name", GITHUB, True, True, "rich", None),
        ("name", {}, False, True, "plain", None),
        *((wanted, GITHUB, True, True, wanted, None) for wanted in ("json", "github", "gitlab")),
        ("plain", GITLAB, True, True, "plain", None),
    ],
)
def test_choose_output(
    wanted: str,
    environ: dict[str, str],
    terminal: bool,
    rich: bool,
    name: str,
    warning: str | None,
) -> None:
    """`auto` is resolved by the environment; a warning explains any other output than wanted."""
    chosen, why = choose_output(wanted, environ, terminal=terminal, rich=rich)

    assert chosen == name
    assert (why or "").startswith(warning or "")
    assert (why is None) == (warning is None)


def test_no_rich() -> None:
    """`--output rich` without rich is wrong usage, and the error says what to install."""
    with pytest.raises(UsageError) as caught:
        choose_output("rich", {}, terminal=True, rich=False)

    assert "needs rich: pip install rich" in str(caught.value)


@pytest.mark.parametrize("missing", [True, False])
def test_finds_rich(monkeypatch: pytest.MonkeyPatch, missing: bool) -> None:
    """Rich is looked for without being imported, and a warning is printed once."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name in ("GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    if missing:
        monkeypatch.setitem(__import__("sys").modules, "rich", None)
    errors: list[str] = []
    display = create_display("auto", errors.append, "https://n1")

    assert type(display).__name__ == ("PlainDisplay" if missing else "LiveDisplay")
    assert len(errors) == missing


@pytest.mark.parametrize("wanted", OUTPUTS[1:])
def test_display(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    """There is a display for every name of an output."""
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    names = {
        "plain": "PlainDisplay",
        "rich": "LiveDisplay",
        "name": "LiveDisplay",
        "json": "JsonDisplay",
        "github": "GitHubDisplay",
        "gitlab": "GitLabDisplay",
    }

    assert type(create_display(wanted, print, "https://n1")).__name__ == names[wanted]


@pytest.mark.parametrize(
    ("wanted", "stdout", "out", "err"),
    [
        ("plain", True, ["a1", "active", "completed", "failed", "2 "], []),
        ("plain", False, ["a1", "completed", "failed", "2 "], ["active"]),
        ("name", True, ["a1"], ["active", "completed", "failed", "2 "]),
        ("name", False, ["a1"], ["active", "completed", "failed", "2 "]),
    ],
)
def test_streams(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wanted: str,
    stdout: bool,
    out: list[str],
    err: list[str],
) -> None:
    """Progress is on standard output only if that is a terminal; names are alone there."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: stdout, raising=False)
    display = create_display(wanted, print, "https://n1")
    show_events(
        display,
        [
            SubmittedEvent(**time_at(0), ref="action:a1"),
            WaitsStartedEvent(**time_at(0), refs=REFS[:2]),
            ChangeEvent(**time_at(0), ref=REFS[0], action=UPDATE),
            end(1, REFS[0], COMPLETED, "completed", 0, "x"),
            end(1, REFS[1], FAILED, "failed", 1, "x"),
            SummaryEvent(**time_at(1), exit_code=1, ended={"x": 2}, left=0, why=None),
        ],
    )
    printed = capsys.readouterr()

    for text, words in ((printed.out, out), (printed.err, err)):
        lines = text.splitlines()
        assert len(lines) == len(words)
        assert all(word in line for word, line in zip(words, lines, strict=True))


@pytest.mark.parametrize(
    ("wanted", "result"),
    [("rich", "✓ SMUpdateBDB on bdb:1  completed     1.0s\n"), ("name", "action:a1\n")],
)
def test_live_results(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wanted: str, result: str
) -> None:
    """With a terminal as standard error alone, the table is there, and the ends are results."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    display = create_display(wanted, print, "https://n1")
    events = [
        WaitsStartedEvent(**time_at(0), refs=REFS[:1]),
        ChangeEvent(**time_at(1), ref=REFS[0], action=UPDATE),
        end(1, REFS[0], COMPLETED, "completed", 0, "x"),
        SummaryEvent(**time_at(1), exit_code=0, ended={"completed": 1}, left=0, why=None),
    ]
    show_events(display, events)
    printed = capsys.readouterr()

    assert printed.out == result
    assert "https://n1" in printed.err


def test_reference_display() -> None:
    """The reference is written as one line; all other events are printed as errors."""
    lines: list[str] = []
    errors: list[str] = []
    display, progress = ReferenceDisplay(lines.append, errors.append), Progress()
    display.show(SubmittedEvent(**time_at(0), ref="crdb:a\nb"), progress)
    display.show(SubmittedEvent(**time_at(0), ref=None), progress)
    display.show(SubmittedEvent(**time_at(0), ref=None, problem="why"), progress)
    display.show(WaitsStartedEvent(**time_at(0), refs=()), progress)
    display.show(WarningEvent(**time_at(0), message="x"), progress)
    display.draw(1, progress)
    display.close(progress)

    assert lines == ["crdb:a b"]
    assert errors == [
        "the call was answered, and there is nothing to follow",
        "the call was answered, but cannot be followed: why",
        "warning: x",
    ]
