"""Tests of `_cli.wait.displays`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli.wait.displays import (
    OUTPUTS,
    ReferenceDisplay,
    choose_output,
    create_display,
)
from redis_enterprise_actions._cli.wait.events import (
    SubmittedEvent,
    WaitsStartedEvent,
    WarningEvent,
)
from redis_enterprise_actions._cli.wait.progress import Progress
from tests.event_samples import time_at


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
        *((wanted, GITHUB, True, True, wanted, None) for wanted in OUTPUTS[3:]),
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
    display = create_display("auto", errors.append)

    assert type(display).__name__ == ("PlainDisplay" if missing else "BarsDisplay")
    assert len(errors) == missing


@pytest.mark.parametrize("wanted", OUTPUTS[1:])
def test_display(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    """There is a display for every name of an output."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    names = {
        "plain": "PlainDisplay",
        "rich": "BarsDisplay",
        "json": "JsonDisplay",
        "github": "GitHubDisplay",
        "gitlab": "GitLabDisplay",
    }

    assert type(create_display(wanted, print)).__name__ == names[wanted]


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
