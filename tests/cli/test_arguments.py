"""Tests of `_cli.arguments`."""

from __future__ import annotations

import argparse
import io
import json
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli.arguments import build_parser, parse_arguments
from redis_enterprise_actions._cli.calls.arguments import name_and_value
from redis_enterprise_actions._cli.calls.body import read_data
from redis_enterprise_actions._cli.listing.arguments import PHASES, parse_statuses
from redis_enterprise_actions._cli.parser import CommandParser
from redis_enterprise_actions._cli.wait.follow import StopCondition
from redis_enterprise_actions._model.action import Phase
from redis_enterprise_actions._model.secret import Secret
from redis_enterprise_actions._model.text import one_line
from tests.conftest import examples
from tests.secrecy import leaks_of


if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-hunter2"

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def stdin_of(data: bytes) -> io.TextIOWrapper:
    """Return a standard input with an encoding other than UTF-8."""
    return io.TextIOWrapper(io.BytesIO(data), "ascii")


class TestData:
    """The value of `--data`."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (None, None),
            ("null", None),
            ("{}", {}),
            (' {"memory_size": 2147483648} ', {"memory_size": 2**31}),
            ("[1, 2.5, true]", [1, 2.5, True]),
            ('"@file"', "@file"),
            ('{"name": "日本"}', {"name": "日本"}),
        ],
        ids=str,
    )
    def test_text(self, text: str | None, expected: object) -> None:
        """The value is JSON; without the option the body is None."""
        assert read_data(text if text is None else Secret(text)) == expected

    def test_file(self, tmp_path: Path) -> None:
        """`@FILE` reads a file as UTF-8, whatever the locale."""
        (tmp_path / "changes.json").write_text('{"name": "日本"}', "utf-8")

        assert read_data(Secret(f"@{tmp_path / 'changes.json'}")) == {"name": "日本"}

    def test_stdin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`@-` reads standard input."""
        monkeypatch.setattr(sys, "stdin", stdin_of('{"name": "日本"}'.encode()))

        assert read_data(Secret("@-")) == {"name": "日本"}

    def test_no_stdin(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """`@-` without standard input is wrong usage, even if there is a file of that name."""
        (tmp_path / "-").write_text("{}")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "stdin", None)

        with pytest.raises(UsageError) as caught:
            read_data(Secret("@-"))
        assert str(caught.value) == "--data @- cannot be read: there is no standard input"

    @pytest.mark.parametrize("path", ["missing.json", ".", "a\0b"])
    def test_no_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str) -> None:
        """A file that cannot be read is wrong usage; the error has its name and the reason."""
        monkeypatch.chdir(tmp_path)

        with pytest.raises(UsageError) as caught:
            read_data(Secret(f"@{path}"))
        message, _, why = str(caught.value).partition(": ")
        assert message == f"--data @{one_line(path)} cannot be read"
        assert why

    @pytest.mark.parametrize(
        "text",
        [
            "",
            SECRET,
            f'{{"password": "{SECRET}"',
            f"{{'password': '{SECRET}'}}",
            f'{{"password": "{SECRET}"}} x',
            f'{{"password": "{SECRET}", "memory_size": NaN}}',
            f'{{"password": "{SECRET}", "memory_size": 1e999}}',
            f'{{"password": "{SECRET}\udcff"}}',
            f'["{SECRET}", ' + "[" * 100_000,
        ],
        ids=["empty", "word", "cut", "quotes", "more", "nan", "infinite", "bytes", "deep"],
    )
    def test_no_json(self, text: str) -> None:
        """Text that is not JSON is wrong usage, and the error does not show it."""
        with pytest.raises(UsageError) as caught:
            read_data(Secret(text))

        assert str(caught.value) == "--data is not JSON"
        assert leaks_of(caught.value) == []

    @pytest.mark.parametrize("content", [b"\xff" + SECRET.encode(), SECRET.encode()])
    def test_no_json_in_a_file(self, tmp_path: Path, content: bytes) -> None:
        """The error does not show the content of a file that is not JSON, or not text."""
        (tmp_path / "changes.json").write_bytes(content)
        with pytest.raises(UsageError) as caught:
            read_data(Secret(f"@{tmp_path / 'changes.json'}"))

        assert str(caught.value) == "--data is not JSON"
        assert leaks_of(caught.value) == []

    @settings(max_examples=examples(50))
    @given(JSON)
    def test_any_json(self, value: object) -> None:
        """Every JSON value is decoded."""
        assert read_data(Secret(json.dumps(value))) == value

    @settings(max_examples=examples(100))
    @given(st.text().filter(lambda text: not text.startswith("@")))
    def test_any_text(self, text: str) -> None:
        """Any other text is wrong usage, and raises no other error."""
        try:
            read = read_data(Secret(text))
        except UsageError:
            return
        assert json.loads(text) == read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dry_run=true", ("dry_run", "true")),
        ("name=", ("name", "")),
        ("X-Result-TTL=60", ("X-Result-TTL", "60")),
        ("where=a=b", ("where", "a=b")),
    ],
)
def test_pair(text: str, expected: tuple[str, str]) -> None:
    """The value may be empty, or contain an equals sign."""
    assert name_and_value(text) == expected


@pytest.mark.parametrize("text", ["", "=", f"={SECRET}", f"Authorization: {SECRET}", SECRET])
def test_no_pair(text: str) -> None:
    """Other text is refused, and not quoted: a header as curl takes it may hold a secret."""
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        name_and_value(text)

    assert str(caught.value) == "expected NAME=VALUE"


class TestParser:
    """The commands and their options."""

    @pytest.mark.parametrize(
        "line",
        [
            ["submit"],
            ["submit", "POST"],
            ["submit", "POST", "/v1/bdbs", "{}"],
            ["submit", "POST", "/v1/bdbs", "--data"],
            ["submit", "POST", "/v1/bdbs", "--busy-timeout", "soon"],
            ["submit", "POST", "/v1/bdbs", "--wait", "--timeout", "soon"],
            ["submit", "POST", "/v1/bdbs", "--param", SECRET],
            ["submit", "POST", "/v1/bdbs", "--header", f"Authorization: {SECRET}"],
            ["submit", "POST", "/v1/bdbs", "--header=" + SECRET],
            ["submit", "POST", "/v1/bdbs", "--json", "--output", "rich"],
            ["submit", "POST", "/v1/bdbs", "--busy", "5"],
            ["wait"],
            ["wait", "--allow-empty"],
            ["wait", "--status", ""],
            ["wait", "x", "--status", "running"],
            ["wait", "-", "--bdb", "1"],
            ["wait", "--name", "*", "--node", "1", "x"],
            ["cancel"],
            ["cancel", "crdb:1", "crdb:2"],
            ["cancel", "crdb:1", "--json"],
            ["get", "x", "y"],
            ["wait", "x", "--force"],
        ],
        ids=" ".join,
    )
    def test_wrong_usage(self, line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """The exit code for wrong usage is 2; the error has two lines, and shows no value."""
        with pytest.raises(SystemExit) as caught:
            parse_arguments(line)

        first, second = capsys.readouterr().err.splitlines()
        assert caught.value.code == 2
        assert first.startswith(f"redis-actions {line[0]}: ")
        assert second == f"redis-actions help {line[0]} shows the options"
        assert SECRET not in first

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ([f'{{"password": "{SECRET}"}}'], "1 argument too many"),
            ([SECRET, f"{SECRET}=x"], "2 arguments too many"),
            (["--force", SECRET], "unknown option --force"),
            ([f"--pass={SECRET}", "-p" + SECRET], "unknown option --pass"),
            (["-p" + SECRET], "unknown option -p"),
            (["--force2=" + SECRET], "unknown option --force2"),
            (["--", "--x", SECRET], "2 arguments too many"),
        ],
    )
    def test_too_much(
        self, more: list[str], expected: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The error for superfluous arguments shows only the name of an option."""
        with pytest.raises(SystemExit) as caught:
            parse_arguments(["submit", "POST", "/v1/bdbs", *more])

        first, _ = capsys.readouterr().err.splitlines()
        assert caught.value.code == 2
        assert first.partition(";")[0] == f"redis-actions submit: {expected}"

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            (["wiat", "x"], ": unknown command wiat; did you mean wait?"),
            (["doc"], ": unknown command doc; did you mean doctor?"),
            (["dance"], ": unknown command dance"),
            (["--profil", "prod", "list"], ": unknown option --profil; did you mean --profile?"),
            (["--timeout", "5", "wait", "x"], ": unknown option --timeout"),
            (["--profile", "prod"], ": missing COMMAND"),
            (
                ["wait", "x", "--tiemout", "5"],
                " wait: unknown option --tiemout; did you mean --timeout?",
            ),
            (
                ["wait", "x", "--stall", "5"],
                " wait: unknown option --stall; did you mean --stall-timeout?",
            ),
            (["wait", "x", "--zzz", "5"], " wait: unknown option --zzz"),
            (["wait", "x", "-z"], " wait: unknown option -z"),
            (["submit", "--dat", "{}"], " submit: unknown option --dat; did you mean --data?"),
            (["wait", "x", "--timeout"], " wait: --timeout needs a value"),
            (["wait", "x", "-o"], " wait: --output needs a value"),
            (
                ["wait", "x", "--timeout", "soon"],
                " wait: --timeout: 'soon' is not a duration such as 90, 500ms, 30s, 15m, 1h30m or "
                "1d",
            ),
            (["wait", "x", "--json=yes"], " wait: --json takes no value"),
            (
                ["wait", "x", "--json", "-o", "rich"],
                " wait: --output and --json exclude each other",
            ),
            (["wait", "x", "-o", "jsno"], " wait: --output jsno is unknown; did you mean json?"),
            (["list", "--auth", "x"], " list: --auth x is unknown; there are basic, jwt"),
            (["list", "--node", "one"], " list: --node: 'one' is not a whole number"),
            (["submit"], " submit: missing METHOD, PATH"),
            (["completion"], " completion: missing SHELL"),
            (["completion", "fsh"], " completion: SHELL fsh is unknown; did you mean fish?"),
            (["wait", "--", "--x", "--status"], None),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_first_line(
        self, line: list[str], expected: str | None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The first line has the problem in plain words, and what may have been meant."""
        if expected is None:
            assert parse_arguments(line).ref == ["--x", "--status"]
            return
        with pytest.raises(SystemExit):
            parse_arguments(line)

        first, second = capsys.readouterr().err.splitlines()
        assert first == f"redis-actions{expected}"
        command = expected.partition(":")[0]
        more = f"help{command} shows the options" if command else "help shows the commands"
        assert second == f"redis-actions {more}"

    def test_group(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A parser of subcommands points to them."""
        group = CommandParser(prog="redis-actions things")
        group.add_commands([])
        with pytest.raises(SystemExit):
            group.parse_known_args([])

        assert capsys.readouterr().err.splitlines() == [
            "redis-actions things: missing COMMAND",
            "redis-actions help things shows the commands",
        ]

    def test_new_message(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A message that argparse may have in a later version is shown as it is."""
        with pytest.raises(SystemExit):
            build_parser([]).error("an odd one")

        assert capsys.readouterr().err.startswith("redis-actions: an odd one\n")

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            (["--profile", "prod", "list"], "prod"),
            (["list", "--profile", "prod"], "prod"),
            (["--profile", "lab", "list", "--profile", "prod"], "prod"),
            (["list"], None),
        ],
        ids=str,
    )
    def test_options_before_the_command(self, line: list[str], expected: str | None) -> None:
        """Connection options may stand in front of the command; those behind it override them."""
        args = parse_arguments(line)

        assert (args.run, args.profile) == ("list", expected)
        assert (args.url, args.insecure) == (None, None)

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ([], "wait needs REF, or filters such as --status running or --bdb 3"),
            (["x", "--name", "SM*"], "wait takes REF or filters, not both"),
        ],
    )
    def test_nothing_to_wait_for(
        self, line: list[str], expected: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`wait` takes either references or filters."""
        with pytest.raises(SystemExit) as caught:
            parse_arguments(["wait", *line])

        assert caught.value.code == 2
        assert capsys.readouterr().err.startswith(f"redis-actions wait: {expected}\n")

    @pytest.mark.parametrize(
        ("line", "refs"),
        [
            (["a", "b", "--any"], ["a", "b"]),
            (["--timeout", "5", "a"], ["a"]),
            (["--json", "--interval", "5", "a", "b", "--allow-empty"], ["a", "b"]),
            (["--bdb", "1", "--timeout", "5"], []),
            (["a", "--timeout", "5", "b", "--any", "-", "c"], ["a", "b", "-", "c"]),
        ],
        ids=" ".join,
    )
    def test_wait(self, line: list[str], refs: list[str]) -> None:
        """References may stand before and after the options."""
        args = parse_arguments(["wait", *line])

        assert args.ref == refs
        assert args.allow_empty is ("--allow-empty" in line)

    def test_submit(self) -> None:
        """A call is a method and a path; everything else is optional."""
        args = parse_arguments(["submit", "POST", "/v1/bdbs"])

        assert (args.method, args.path, args.data) == ("POST", "/v1/bdbs", None)
        assert (args.param, args.header, args.busy_timeout) == ([], [], 0)
        assert (args.wait, args.output) == (True, "auto")

    def test_submit_with_everything(self) -> None:
        """Parameters and headers may be repeated, and durations have units."""
        args = parse_arguments([
            *("submit", "PUT", "/v1/bdbs/1", "--data", "@-", "--busy-timeout", "10m"),
            *("--param", "dry_run=true", "--param", "a=b", "--header", "X-Task-ID=t"),
            *("--wait", "--timeout", "1h", "--stall-timeout", "90", "--outage-timeout", "5m"),
            *("--not-found-grace", "2s"),
        ])  # fmt: skip

        assert (args.data.reveal(), args.busy_timeout) == ("@-", 600)
        assert "@-" not in repr(args)
        assert args.param == [("dry_run", "true"), ("a", "b")]
        assert args.header == [("X-Task-ID", Secret("t"))]
        assert (args.wait, args.timeout, args.stall_timeout) == (True, 3600, 90)
        assert (args.outage_timeout, args.not_found_grace) == (300, 2)

    def test_repeated(self) -> None:
        """Two command lines do not share the lists of repeated options."""
        parse_arguments(["submit", "POST", "/v1/bdbs", "--param", "a=b"])

        assert parse_arguments(["submit", "POST", "/v1/bdbs"]).param == []

    @pytest.mark.parametrize("command", ["wait", "submit", "cancel"])
    def test_help(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        """The help of these commands mentions references."""
        with pytest.raises(SystemExit) as caught:
            parse_arguments([command, "--help"])

        assert caught.value.code == 0
        assert "reference" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("running", {"running"}),
        ("Running, FAILED", {"running", "failed"}),
        (" a odd word ,,", {"a odd word"}),
        ("delete-pending,queued", {"delete-pending", "queued"}),
        ("", set()),
    ],
)
def test_statuses(text: str, words: set[str]) -> None:
    """Statuses are separated by commas; case does not matter."""
    assert parse_statuses(text) == words


@pytest.mark.parametrize("command", ["list", "watch"])
def test_no_filters(command: str) -> None:
    """Without filters these commands select everything."""
    args = parse_arguments([command])
    assert (args.bdb, args.node, args.status, args.name) == (None, None, frozenset(), None)


@pytest.mark.parametrize("command", ["list", "watch", "wait"])
def test_filters(command: str) -> None:
    """These commands take the same filters."""
    args = parse_arguments([command, "--bdb", "1", "--node", "2", "--status", "x", "--name", "SM*"])
    assert (args.bdb, args.node, args.status, args.name) == (1, 2, {"x"}, "SM*")


def test_interval() -> None:
    """The default interval of `watch` is five seconds."""
    assert parse_arguments(["watch"]).interval == 5
    assert parse_arguments(["watch", "--interval", "1m"]).interval == 60


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["watch", "--interval", "0.5s"], "the shortest interval is 1s"),
        (["watch", "--interval", "0"], "the shortest interval is 1s"),
        (["watch", "--interval", "soon"], "'soon' is not a duration"),
        (["watch", "--json"], "unknown option --json"),
        (["list", "--node", "one"], "is not a whole number"),
        (["list", "--status", "failed,runing"], "runing is unknown; did you mean running?"),
        (["wait", "--status", "complete"], "complete is unknown; did you mean completed?"),
        (["doctor", "--timeout", "0"], "--timeout: the duration must be longer than 0"),
        (["list", "--insecure", "--ca-cert", "f"], "--ca-cert and --insecure exclude each other"),
        (["login", "--fingerprint", "f", "--insecure"], "and --fingerprint exclude each other"),
        (["-V"], "unknown option -V"),
        (["-x", "list"], "unknown option -x"),
        (["databases", "-x"], "unknown option -x"),
        (["list", "--once"], "unknown option --once"),
        (["profiles", "--profile", "p"], "unknown option --profile"),
        (["login", "--password", "hunter2-hunter2"], "a secret must not be an argument"),
        (["completion"], "missing SHELL"),
    ],
    ids=" ".join,
)
def test_wrong_usage_of_other_commands(
    line: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code for wrong usage is 2, and the error shows no secret."""
    with pytest.raises(SystemExit) as caught:
        parse_arguments(line)

    complaint = capsys.readouterr().err
    assert caught.value.code == 2
    assert expected in complaint
    assert "hunter2" not in complaint


@pytest.mark.parametrize(
    ("line", "refs"),
    [(["--", "a", "b"], ["a", "b"]), (["a", "--"], ["a"]), (["a", "--any", "--", "b"], ["a", "b"])],
    ids=" ".join,
)
def test_end_of_options(line: list[str], refs: list[str]) -> None:
    """`--` ends the options, and is no argument."""
    assert parse_arguments(["wait", *line]).ref == refs
    assert parse_arguments(["list", "--"]).run == "list"


@pytest.mark.parametrize("stop", list(StopCondition))
def test_stop_conditions(stop: StopCondition) -> None:
    """Each stop condition has an option."""
    assert parse_arguments(["wait", "x", f"--{stop}"]).stop == stop


@pytest.mark.parametrize("command", [["wait", "x"], ["submit", "POST", "/v1/bdbs"]])
def test_json(command: list[str]) -> None:
    """`--json` is short for `--output json`."""
    assert parse_arguments([*command, "--json"]).output == "json"
    assert parse_arguments([*command, "--output", "json"]).output == "json"
    assert parse_arguments([*command, "-o", "json"]).output == "json"


def test_phases() -> None:
    """The words that Tab completes for `--status` are the phases."""
    assert tuple(Phase) == PHASES
