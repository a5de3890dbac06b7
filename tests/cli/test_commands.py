"""Facts about `_commands`: what `list`, `watch` and what sets up take."""

from __future__ import annotations

import pytest

from redis_enterprise_actions._cli.arguments import parse_arguments, parse_statuses


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("running", {"running"}),
        ("Running, FAILED", {"running", "failed"}),
        (" a odd word ,,", {"a odd word"}),
        ("", set()),
    ],
)
def test_statuses(text: str, words: set[str]) -> None:
    """Words have commas between them, and any case."""
    assert parse_statuses(text) == words


@pytest.mark.parametrize("command", ["list", "watch"])
def test_no_filters(command: str) -> None:
    """Without filters these commands show all."""
    args = parse_arguments([command])
    assert (args.bdb, args.node, args.status, args.name) == (None, None, frozenset(), None)


@pytest.mark.parametrize("command", ["list", "watch", "wait"])
def test_filters(command: str) -> None:
    """These commands have the same filters."""
    args = parse_arguments([command, "--bdb", "1", "--node", "2", "--status", "x", "--name", "SM*"])
    assert (args.bdb, args.node, args.status, args.name) == (1, 2, {"x"}, "SM*")


def test_interval() -> None:
    """Looks are five seconds apart unless told otherwise."""
    assert parse_arguments(["watch"]).interval == 5
    assert parse_arguments(["watch", "--interval", "1m"]).interval == 60


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["watch", "--interval", "0.5s"], "look every 1s at most"),
        (["watch", "--interval", "0"], "look every 1s at most"),
        (["watch", "--interval", "soon"], "'soon' is not a duration"),
        (["watch", "--json"], "unrecognized arguments: --json"),
        (["list", "--node", "one"], "invalid int value"),
        (["list", "--once"], "unrecognized arguments: --once"),
        (["profiles", "--profile", "p"], "unrecognized arguments: --profile"),
        (["login", "--password", "hunter2-hunter2"], "a secret is no argument"),
        (["completion"], "required: shell"),
    ],
    ids=" ".join,
)
def test_wrong_usage(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot work is wrong usage, and no cluster is asked more often than once a second."""
    with pytest.raises(SystemExit) as caught:
        parse_arguments(line)

    complaint = capsys.readouterr().err
    assert caught.value.code == 2
    assert said in complaint
    assert "hunter2" not in complaint
