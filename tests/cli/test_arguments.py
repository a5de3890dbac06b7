"""Facts about the command line: what it takes, and what it says of what it does not take."""

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
from redis_enterprise_actions._cli.arguments import name_and_value, parse_arguments, read_data
from redis_enterprise_actions._client.http.auth import Secret
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
    """Return a standard input, in an encoding that JSON is not in."""
    return io.TextIOWrapper(io.BytesIO(data), "ascii")


class TestData:
    """What `--data` gives."""

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
        """It is JSON; without it there is nothing."""
        assert read_data(text if text is None else Secret(text)) == expected

    def test_file(self, tmp_path: Path) -> None:
        """Or it names a file, in UTF-8 whatever the machine prefers."""
        (tmp_path / "changes.json").write_text('{"name": "日本"}', "utf-8")

        assert read_data(Secret(f"@{tmp_path / 'changes.json'}")) == {"name": "日本"}

    def test_stdin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Or it is standard input."""
        monkeypatch.setattr(sys, "stdin", stdin_of('{"name": "日本"}'.encode()))

        assert read_data(Secret("@-")) == {"name": "日本"}

    def test_no_stdin(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A process without standard input is told so, even if there is a file of that name."""
        (tmp_path / "-").write_text("{}")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "stdin", None)

        with pytest.raises(UsageError) as caught:
            read_data(Secret("@-"))
        assert str(caught.value) == "--data @- cannot be read: there is no standard input"

    @pytest.mark.parametrize("path", ["missing.json", ".", "a\0b"])
    def test_no_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str) -> None:
        """A file that cannot be read is wrong usage, by name, with why."""
        monkeypatch.chdir(tmp_path)

        with pytest.raises(UsageError) as caught:
            read_data(Secret(f"@{path}"))
        said, _, why = str(caught.value).partition(": ")
        assert said == f"--data @{path} cannot be read"
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
        """Nor is a word shown of a file that holds no JSON, or no text at all."""
        (tmp_path / "changes.json").write_bytes(content)
        with pytest.raises(UsageError) as caught:
            read_data(Secret(f"@{tmp_path / 'changes.json'}"))

        assert str(caught.value) == "--data is not JSON"
        assert leaks_of(caught.value) == []

    @settings(max_examples=examples(50))
    @given(JSON)
    def test_any_json(self, value: object) -> None:
        """Every JSON value is read as it is meant."""
        assert read_data(Secret(json.dumps(value))) == value

    @settings(max_examples=examples(100))
    @given(st.text().filter(lambda text: not text.startswith("@")))
    def test_any_text(self, text: str) -> None:
        """Any other text is wrong usage, and nothing worse."""
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
    """A name and its value, which may be empty, or hold an equals sign."""
    assert name_and_value(text) == expected


@pytest.mark.parametrize("text", ["", "=", f"={SECRET}", f"Authorization: {SECRET}", SECRET])
def test_no_pair(text: str) -> None:
    """Anything else is refused, and not repeated, as curl's way to give a header holds secrets."""
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        name_and_value(text)

    assert str(caught.value) == "give it as NAME=VALUE"


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
        """Wrong usage is 2, and shows no value that may be a secret."""
        with pytest.raises(SystemExit) as caught:
            parse_arguments(line)

        said = capsys.readouterr().err
        assert caught.value.code == 2
        assert said.startswith("usage: redis-actions ")
        assert SECRET not in said

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ([f'{{"password": "{SECRET}"}}'], "..."),
            (["--force"], "--force"),
            ([f"--pass={SECRET}", "-p" + SECRET, f"--{SECRET}", "x"], "--pass ... ... ..."),
        ],
    )
    def test_too_much(self, more: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Of what no command takes, only the names of options are repeated."""
        with pytest.raises(SystemExit) as caught:
            parse_arguments(["submit", "POST", "/v1/bdbs", *more])

        *_, last = capsys.readouterr().err.splitlines()
        assert caught.value.code == 2
        assert last == f"redis-actions: error: unrecognized arguments: {said}"

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ([], "wait for what? Give REF, or filters such as --status running or --bdb 3"),
            (["x", "--name", "SM*"], "wait takes REF or filters, not both"),
        ],
    )
    def test_nothing_to_wait_for(
        self, line: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A wait is for references, or for what filters match: one of these has to be given."""
        with pytest.raises(SystemExit) as caught:
            parse_arguments(["wait", *line])

        assert caught.value.code == 2
        assert capsys.readouterr().err.endswith(f"redis-actions: error: {said}\n")

    @pytest.mark.parametrize(
        ("line", "refs"),
        [
            (["a", "b", "--any"], ["a", "b"]),
            (["--timeout", "5", "a"], ["a"]),
            (["--json", "--interval", "5", "a", "b", "--allow-empty"], ["a", "b"]),
            (["--bdb", "1", "--timeout", "5"], []),
        ],
        ids=" ".join,
    )
    def test_wait(self, line: list[str], refs: list[str]) -> None:
        """References may stand before and after the options."""
        args = parse_arguments(["wait", *line])

        assert args.ref == refs
        assert args.allow_empty is ("--allow-empty" in line)

    def test_submit(self) -> None:
        """A call is a method and a path, and nothing besides unless it is given."""
        args = parse_arguments(["submit", "POST", "/v1/bdbs"])

        assert (args.method, args.path, args.data) == ("POST", "/v1/bdbs", None)
        assert (args.param, args.header, args.busy_timeout) == ([], [], 0)
        assert (args.wait, args.output) == (False, "auto")

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
        """Two command lines do not share what they collect."""
        parse_arguments(["submit", "POST", "/v1/bdbs", "--param", "a=b"])

        assert parse_arguments(["submit", "POST", "/v1/bdbs"]).param == []

    @pytest.mark.parametrize("command", ["wait", "submit", "cancel"])
    def test_help(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        """The help of each command about references is there."""
        with pytest.raises(SystemExit) as caught:
            parse_arguments([command, "--help"])

        assert caught.value.code == 0
        assert "reference" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "shape",
        [
            *("action:UID", "node:UID/ACTION", "cluster:ACTION", "crdb:ID", "export:BDB"),
            *("import:BDB", "backup:BDB", "bdb:UID", "bdb:UID@gone"),
        ],
    )
    def test_references(self, shape: str, capsys: pytest.CaptureFixture[str]) -> None:
        """The help of `wait` lists every kind of reference."""
        with pytest.raises(SystemExit):
            parse_arguments(["wait", "--help"])

        assert shape in capsys.readouterr().out
