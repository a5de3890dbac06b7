"""Tests of `_cli.main`: output and exit codes of the command."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.request import Request, urlopen

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli import main as _main
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.connection import client_from_args
from redis_enterprise_actions._cli.demo import demonstrate
from redis_enterprise_actions._cli.execution import Execution
from redis_enterprise_actions._cli.listing import command as _listing
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions.testing import Plan
from tests.event_samples import conforms
from tests.secrecy import leaks_of


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis_enterprise_actions.testing import FakeCluster
    from tests.threaded_cluster import ThreadedCluster

SECRET = "hunter2-hunter2"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  "
COMMAND = [sys.executable, "-W", "error", "-m", "redis_enterprise_actions"]


def exit_code_of(*arguments: str) -> object:
    """Run the command and return its exit code, also if it exits by itself."""
    try:
        return main(arguments)
    except SystemExit as error:
        return error.code


class TestWait:
    """`redis-actions wait`."""

    def test_completed(self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """`wait` prints the end on standard output, and each change before on standard error."""
        threaded.hold(answers=1)
        uid = threaded.add("SMCreateBDB", Plan(duration=0.5), bdb_uid=4)
        began = time.monotonic()

        assert main(["wait", uid]) == 0
        spent = time.monotonic() - began
        printed = capsys.readouterr()
        first, *_ = printed.err.splitlines()
        assert re.fullmatch(rf"{STAMP}SMCreateBDB on bdb:4: active, 0 %, init \[{uid}\]", first)
        assert ": completed" not in printed.err
        end = re.fullmatch(r"✓ SMCreateBDB on bdb:4  completed +(\d+\.\d)s\n", printed.out)
        assert end is not None
        assert 0.5 <= float(end[1]) <= round(spent, 1)

    @pytest.mark.parametrize(
        ("outcome", "options", "code", "expected"),
        [
            ("failed", [], 1, r"^✗ retry_bdb  failed +\d\.\ds  internal_error: "),
            ("cancelled", [], 1, "^✗ retry_bdb  cancelled  "),
            ("aborted", [], 1, "^✗ retry_bdb  aborted  "),
            ("never", ["--timeout", "0.4"], 3, "^… retry_bdb  timed out +0.4s  at "),
            ("never", ["--stall-timeout", "0.5s"], 3, "nothing moved for 0.5s"),
            ("vanishes", [], 4, "^✗ retry_bdb  vanished  "),
        ],
    )
    def test_otherwise(
        self,
        threaded: ThreadedCluster,
        lines: Callable[[], list[str]],
        outcome: str,
        options: list[str],
        code: int,
        expected: str,
    ) -> None:
        """Each other outcome has its own row and exit code."""
        threaded.hold(answers=1)
        uid = threaded.add("retry_bdb", Plan(duration=0.3, outcome=outcome))

        assert main(["wait", uid, *options]) == code
        assert any(re.search(expected, line) for line in lines())

    def test_unknown(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """The exit code for an unknown action is 4."""
        assert main(["wait", "x", "--not-found-grace", "0"]) == 4
        (line,) = lines()
        assert re.fullmatch(r"✗ x  not found +\d+\.\ds  unknown to the cluster", line)

    def test_outage(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """The exit code for an unreachable cluster is 5."""
        threaded.cluster.inject(times=None, status=503)

        assert main(["wait", "x", "--outage-timeout", "0"]) == 5
        assert "  it answered 503" in lines()[-1]

    def test_several(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """Each action is followed to its end; the exit code is that of the worst outcome."""
        good = threaded.add(plan=Plan(duration=2))
        bad = threaded.add("retry_bdb", Plan(duration=0.2, outcome="failed"))

        assert main(["wait", good, "x", bad, good, "--not-found-grace", "0"]) == 1
        missing, failed, completed, summary = lines()
        assert re.match("✗ x +not found ", missing)
        assert re.match("✗ retry_bdb +failed ", failed)
        assert "  completed  " in completed
        assert summary == "1 completed, 1 not found, 1 failed (exit code 1)"

    def test_json(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """With `--json` each line is a JSON object with the same content."""
        threaded.hold(answers=1)
        uid = threaded.add("retry_bdb", Plan(duration=0.3, outcome="failed", error="disk full"))

        assert main(["wait", uid, "--json"]) == 1
        began, *changes, end, done = [json.loads(line) for line in lines()]
        assert (began["event"], began["refs"]) == ("began", [f"action:{uid}"])
        assert (done["event"], done["exit_code"]) == ("done", 1)
        assert {change["event"] for change in changes} == {"change"}
        assert changes[0]["action"]["phase"] == "running"
        assert end["event"] == "end"
        assert (end["uid"], end["outcome"], end["exit_code"]) == (uid, "failed", 1)
        assert end["action"]["error"] == "disk full"
        assert "disk full" in end["message"]

    def test_json_completed(
        self, threaded: ThreadedCluster, lines: Callable[[], list[str]]
    ) -> None:
        """The end event of a completed action contains the action."""
        uid = threaded.add(plan=Plan(duration=0))

        assert main(["wait", uid, "--json"]) == 0
        end = json.loads(lines()[-2])
        assert (end["outcome"], end["action"]["uid"]) == ("completed", uid)


@pytest.fixture
def busy(threaded: ThreadedCluster) -> ThreadedCluster:
    """Serve a cluster with running work of all kinds, and two ended actions."""

    def start_work(cluster: FakeCluster) -> None:
        cluster.add_bdb(1)
        cluster.add_bdb(2)
        cluster.plan("POST", "/v1/nodes/", Plan(duration=0.6), times=None)

    threaded.do(start_work)
    threaded.add("SMUpdateBDB", Plan(duration=0.6), uid="u1", bdb_uid=1)
    threaded.add("SMUpdateBDB", Plan(duration=0.6), uid="u2", bdb_uid=2)
    threaded.add("SMUpdateBDB", Plan(duration=0), uid="done", bdb_uid=1)
    threaded.add("retry_bdb", Plan(duration=0, outcome="failed"), uid="bad")
    threaded.do(lambda cluster: cluster.start_crdb_task(plan=Plan(duration=0.6), id="t1"))
    return threaded


class TestWaitWithFilters:
    """`redis-actions wait` with filters instead of references."""

    def events(self, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str], str]:
        """Return the references, the outcomes, and standard error."""
        out, err = capsys.readouterr()
        assert all(map(conforms, out.splitlines()))
        began, *messages, done = map(json.loads, out.splitlines())
        assert done["event"] == "done"
        ends = [f"{each['ref']} {each['outcome']}" for each in messages if each["event"] == "end"]
        return sorted(began["refs"]), sorted(ends), err

    @pytest.mark.parametrize(
        ("filters", "refs", "ended"),
        [
            (["--status", "running"], ["action:u1", "action:u2", "crdb:t1"], 0),
            (["--status", "active"], ["action:u1", "action:u2"], 0),
            (["--name", "*"], ["action:u1", "action:u2", "crdb:t1"], 2),
            (["--name", "sm*"], ["action:u1", "action:u2"], 1),
            (["--bdb", "1"], ["action:u1"], 1),
            (["--bdb", "1", "--status", "completed,running"], ["action:done", "action:u1"], 0),
            (["--status", "running", "--bdb", "2", "--name", "SM*"], ["action:u2"], 0),
        ],
        ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else str(value),
    )
    def test_filters(
        self,
        busy: ThreadedCluster,
        capsys: pytest.CaptureFixture[str],
        filters: list[str],
        refs: list[str],
        ended: int,
    ) -> None:
        """`wait` follows what `list` shows; ended work only if `--status` names its status."""
        busy.hold(answers=5)  # a list of each kind

        assert main(["wait", *filters, "--json"]) == 0
        began, ends, err = self.events(capsys)
        assert began == refs
        assert ends == [f"{ref} completed" for ref in refs]
        output = {1: "1 entry had already ended and is left out\n", 0: ""}
        assert err == output.get(ended, f"{ended} entries had already ended and are left out\n")

    def test_failed(self, busy: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """Ended work that `--status` selects is reported with its outcome."""
        assert main(["wait", "--status", "failed", "--json"]) == 1
        assert self.events(capsys) == (["action:bad"], ["action:bad failed"], "")

    @pytest.mark.parametrize("run", ["", "@t9"])
    def test_run(self, busy: ThreadedCluster, capsys: pytest.CaptureFixture[str], run: str) -> None:
        """`wait` follows the listed run of a node's action, if the list names the run."""
        listed = {"name": "maintenance_on", "node_uid": "1", "status": "running", "progress": 5}
        if run:
            body = json.dumps({"actions": [{**listed, "task_id": "t9"}]}).encode()
            busy.cluster.inject(path="/v1/nodes/1/actions", times=1, status=200, body=body)
        busy.do(
            lambda cluster: cluster.start_node_action(
                1, "maintenance_on", Plan(duration=0.6), task_id="t9"
            )
        )
        busy.hold(answers=4)
        ref = f"node:1/maintenance_on{run}"

        assert main(["wait", "--node", "1", "--name", "maint*", "--json"]) == 0
        assert self.events(capsys) == ([ref], [f"{ref} completed"], "")

    def test_refused(self, busy: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """A refused list is named as in `list`; `wait` follows the other kinds."""
        busy.cluster.inject(path="/v1/crdb_tasks", times=None, status=403)
        assert main(["list"]) == 0
        listed = capsys.readouterr().err
        busy.hold(answers=5)

        assert main(["wait", "--status", "running", "--json"]) == 0
        began, _, err = self.events(capsys)
        assert began == ["action:u1", "action:u2"]
        assert err == listed
        assert err.startswith("tasks of Active-Active databases are not listed: ")

    def test_failing_list(self, busy: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """A list that fails may hold what the filters match, so nothing is waited for."""
        busy.cluster.inject(path="/v1/crdb_tasks", times=None, status=500)

        assert main(["wait", "--status", "running", "--json"]) == 5
        assert '"outcome":"unreachable"' in capsys.readouterr().out

    def test_missing_list(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`--allow-empty` does not apply if a list could not be read."""
        threaded.cluster.inject(path="/v1/crdb_tasks", times=None, status=403)

        assert main(["wait", "--status", "running", "--allow-empty"]) == 2
        assert (
            "not all lists could be read, so there may be something to wait for"
            in capsys.readouterr().err
        )

    @pytest.mark.parametrize("path", ["/v1/actions", "/v2/actions"])
    @pytest.mark.parametrize("body", ["<html>", '{"status": "error", "id": "r1"}'])
    def test_unreadable_list(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], path: str, body: str
    ) -> None:
        """Nothing to wait for is no success if a part of the actions could not be read."""
        threaded.cluster.inject(path=path, times=None, status=200, body=body)
        line = ["--status", "running", "--allow-empty", "--outage-timeout", "1"]

        assert main(["wait", *line]) == 5
        assert "cannot be read" in "".join(capsys.readouterr())

    def test_invalid_reference(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A running action without a valid reference is an error; it is not skipped."""
        odd = {"name": "Maintenance2", "node_uid": "1", "status": "running"}
        body = json.dumps({"actions": [odd]})
        threaded.cluster.inject(path="/v1/nodes/actions", status=200, body=body)

        assert main(["wait", "--name", "*", "--allow-empty"]) == 2
        assert "'node:1/Maintenance2' is not a reference" in capsys.readouterr().err

    def test_unreachable(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """A failed list request ends as a failed call: with an event, a report and the hook."""
        threaded.cluster.inject(times=None, status=401)
        report, hooked = tmp_path / "report.json", tmp_path / "hooked"
        line = ["wait", "--bdb", "1", "--json", "--report", str(report)]

        assert main([*line, "--hook", f"echo $REDIS_ACTIONS_OUTCOME > '{hooked}'"]) == 5
        out = capsys.readouterr().out
        assert all(map(conforms, out.splitlines()))
        end, done = map(json.loads, out.splitlines())
        assert (end["event"], end["ref"], end["outcome"]) == ("end", None, "rejected")
        assert (done["exit_code"], done["ended"]) == (5, {"rejected": 1})
        assert json.loads(report.read_text())["records"] == []
        assert hooked.read_text() == "rejected\n"


NOTHING = [
    (["--status", "running"], None),
    (["--bdb", "7"], None),
    (["-"], b""),
    (["-"], b" \n\n"),
    (["-"], b"# crdb:t1\n#\n"),
    (["-"], b"null\n"),
    (["-"], b"[]"),
    (["-"], b'{"actions": [], "state-machines": []}'),
    (["-", "-"], b'[{"action_uid": "a", "status": "completed"}]'),
]


class TestNothingToWaitFor:
    """Nothing to wait for is an error, unless `--allow-empty` is given."""

    @pytest.mark.parametrize(("line", "data"), NOTHING)
    @pytest.mark.parametrize("output", ["plain", "json", "github", "gitlab"])
    def test_wrong(
        self,
        threaded: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        line: list[str],
        data: bytes | None,
        output: str,
    ) -> None:
        """The exit code is 2, with a message, and the display shows no wait."""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data or b"")))

        assert main(["wait", *line, "--output", output]) == 2
        out, err = capsys.readouterr()
        *before, last = err.splitlines()
        assert out == ""
        assert last == (
            "redis-actions: there is nothing to wait for; with --allow-empty that is a success"
        )
        messages = ["1 entry had already ended and is left out"]
        assert before == (messages if data and b"completed" in data else [])

    @pytest.mark.parametrize(("line", "data"), NOTHING)
    @pytest.mark.parametrize("until", ["--all", "--any", "--fail-fast"])
    def test_allowed(
        self,
        threaded: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        line: list[str],
        data: bytes | None,
        until: str,
    ) -> None:
        """With `--allow-empty` the exit code is 0, also in the events."""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data or b"")))

        assert main(["wait", *line, "--allow-empty", "--json", until]) == 0
        out = capsys.readouterr().out
        assert all(map(conforms, out.splitlines()))
        began, done = map(json.loads, out.splitlines())
        assert (began["event"], began["refs"]) == ("began", [])
        assert (done["event"], done["exit_code"], done["ended"]) == ("done", 0, {})
        assert (done["left"], done["why"]) == (0, None)


SECRETS_IN_STDIN = [
    {"uid": 1, "authentication_redis_pass": "hunter2-not-real"},
    [{"uid": 1, "authentication_redis_pass": "hunter2-not-real"}],
    {"actions": [{"authentication_redis_pass": "hunter2-not-real"}]},
    ["crdb:t1", {"ref": None, "x": "hunter2-not-real"}, {"ref": 1, "x": "hunter2-not-real"}],
]


@pytest.mark.parametrize("document", SECRETS_IN_STDIN, ids=json.dumps)
@pytest.mark.parametrize("cut", [0, 1])
def test_stdin_is_not_printed(
    threaded: ThreadedCluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    document: object,
    cut: int,
) -> None:
    """`wait -` quotes nothing of unusable input, JSON or not."""
    text = json.dumps(document)[cut:]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    assert main(["wait", "-"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("redis-actions: standard input, line 1")
    assert "hunter2" not in err
    assert threaded.cluster.requests == []


class TestListAndGet:
    """`redis-actions list` and `get`."""

    def test_nothing(self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """An empty list is reported on standard error."""
        assert main(["list"]) == 0
        assert capsys.readouterr() == ("", "no actions\n")

    def test_list(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """`list` prints a line for each action, or for those on one database."""
        task, machine = threaded.add("retry_bdb"), threaded.add(bdb_uid=2)

        assert main(["list"]) == 0
        assert [line.partition("\t")[0] for line in lines()] == [machine, task]
        assert main(["list", "--bdb", "2", "--json"]) == 0
        (line,) = lines()
        assert json.loads(line)["uid"] == machine

    def test_get(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """`get` prints one action and exits with 0, whatever its status."""
        uid = threaded.add("retry_bdb", Plan(duration=0, outcome="failed"))

        assert main(["get", uid]) == 0
        (line,) = lines()
        assert line.startswith("retry_bdb: failed")
        assert main(["get", uid, "--json"]) == 0
        assert json.loads(lines()[0])["phase"] == "failed"

    def test_get_unknown(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The exit code for an unknown action is 4, with an error on standard error."""
        assert main(["get", "x"]) == 4
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("redis-actions: action x was not found")

    def test_wrong_password(
        self,
        threaded: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """The exit code for refused credentials is 5; the error has advice, but no password."""
        monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", "hunter2-hunter2")

        assert main(["list"]) == 5
        output = capsys.readouterr().err
        assert "Check the user name and the password" in output
        assert "hunter2" not in output


class TestConnection:
    """Sources of the connection settings."""

    def test_options(
        self,
        threaded: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        lines: Callable[[], list[str]],
    ) -> None:
        """Options override the environment, and a file can hold the password."""
        for name in ("URL", "USER", "PASSWORD"):
            monkeypatch.setenv(f"REDIS_ENTERPRISE_{name}", "https://wrong")
        (tmp_path / "password").write_text(threaded.cluster.password + "\n")
        (tmp_path / "password").chmod(0o600)
        uid = threaded.add()

        options = [
            *("--url", threaded.cluster.url, "--user", threaded.cluster.username),
            *("--password-file", str(tmp_path / "password"), "--insecure"),
        ]
        assert main(["list", *options]) == 0
        assert uid in lines()[0]

    def test_prompt(
        self,
        threaded: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        lines: Callable[[], list[str]],
    ) -> None:
        """On a terminal the command asks for a missing password."""
        monkeypatch.delenv("REDIS_ENTERPRISE_PASSWORD")
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("getpass.getpass", lambda _: threaded.cluster.password)

        assert main(["list"]) == 0

    def test_no_prompt(
        self,
        threaded: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Without a terminal a missing password is wrong usage."""
        monkeypatch.delenv("REDIS_ENTERPRISE_PASSWORD")
        monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)

        assert main(["list"]) == 2
        assert "REDIS_ENTERPRISE_PASSWORD" in capsys.readouterr().err

        monkeypatch.setattr(sys, "stdin", None)
        assert main(["list"]) == 2

    def test_prompt_left(
        self,
        threaded: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Ctrl-D at the prompt is wrong usage, and Ctrl-C interrupts the command."""
        for error, code in ((EOFError, 2), (KeyboardInterrupt, 130)):

            def leave(_: str, error: type[BaseException] = error) -> str:
                raise error

            monkeypatch.delenv("REDIS_ENTERPRISE_PASSWORD", raising=False)
            monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
            monkeypatch.setattr("getpass.getpass", leave)
            assert main(["list"]) == code
        assert capsys.readouterr().err == "redis-actions: no password was given\ninterrupted\n"

    def test_file_without_user(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A password file without a user's name is wrong usage."""
        (tmp_path / "password").write_text(SECRET)
        (tmp_path / "password").chmod(0o600)
        options = ["--url", "https://n1", "--password-file", str(tmp_path / "password")]

        assert main(["list", *options]) == 2
        assert "no user is named: give --user" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("content", "expected"),
        [(None, "cannot be read"), (b"\xff\xfe\xff", "cannot be read"), (b"\n", "is empty")],
    )
    def test_bad_password_file(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        content: bytes | None,
        expected: str,
    ) -> None:
        """A password file that cannot be read is wrong usage; the error names the option."""
        if content is not None:
            (tmp_path / "password").write_bytes(content)
            (tmp_path / "password").chmod(0o600)

        options = ["--user", "ops", "--password-file", str(tmp_path / "password")]
        assert main(["list", *options]) == 2
        assert f"--password-file {expected}" in capsys.readouterr().err

    def test_secret_of_another_encoding(self, tmp_path: Path) -> None:
        """The error for a file that is not UTF-8 has no part of the secret, nor have its causes."""
        (tmp_path / "token").write_bytes(b"hunter2-hunter2\xff")
        (tmp_path / "token").chmod(0o600)
        args = parse_arguments(["list", "--token-file", str(tmp_path / "token")])

        with pytest.raises(UsageError) as caught:
            client_from_args(args, Execution())
        assert str(caught.value) == "--token-file cannot be read: it is not UTF-8"
        assert leaks_of(caught.value) == []

    def token(self, threaded: ThreadedCluster) -> str:
        """Return a token that the cluster grants."""
        url = f"{threaded.cluster.url}/v1/users/authorize"
        account = {"username": threaded.cluster.username, "password": threaded.cluster.password}
        body = json.dumps(account).encode()
        request = Request(url, data=body, headers={"Content-Type": "application/json"})
        with urlopen(request) as response:
            return str(json.load(response)["access_token"])

    @pytest.mark.parametrize("where", ["file", "environment"])
    def test_token(
        self,
        threaded: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        where: str,
    ) -> None:
        """A token comes from a file or the environment, and overrides a user."""
        token = self.token(threaded)
        threaded.cluster.requests.clear()
        monkeypatch.delenv("REDIS_ENTERPRISE_PASSWORD")
        options = []
        if where == "file":
            (tmp_path / "token").write_text(token + "\n")
            (tmp_path / "token").chmod(0o600)
            options = ["--token-file", str(tmp_path / "token")]
        else:
            monkeypatch.delenv("REDIS_ENTERPRISE_USER")
            monkeypatch.setenv("REDIS_ENTERPRISE_TOKEN", token)

        assert main(["list", *options]) == 0
        assert {seen.method for seen in threaded.cluster.requests} == {"GET"}

    def test_user_goes_before_token(
        self, threaded: ThreadedCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A user given as an option overrides a token in the environment."""
        monkeypatch.setenv("REDIS_ENTERPRISE_TOKEN", "not-a-good-one")

        assert main(["list", "--user", threaded.cluster.username]) == 0

    def test_granted(self, threaded: ThreadedCluster) -> None:
        """With `--auth jwt` the password is sent to get a token only."""
        assert main(["list", "--auth", "jwt"]) == 0
        assert threaded.cluster.requests[0].path == "/v1/users/authorize"

    def test_several_nodes(self, threaded: ThreadedCluster, unused_tcp_port: int) -> None:
        """`--url` can be repeated, and the environment can hold several."""
        down = f"http://127.0.0.1:{unused_tcp_port}"

        assert main(["list", "--url", down, "--url", threaded.cluster.url]) == 0
        assert main(["list", "--url", down, "--trusted-host", "10.0.0.7"]) == 5

    def test_no_cluster(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without a URL the error names the variable to set."""
        assert main(["list"]) == 2
        assert "give --url (REDIS_ENTERPRISE_URL) and --user" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "arguments",
        [
            ["dance"],
            ["wait"],
            ["wait", "x", "--timeout", "soon"],
            ["wait", "x", "--timeout", "-5"],
            ["wait", "x", "--json", "--output", "plain"],
            ["wait", "x", "--output", "braille"],
            ["wait", "x", "--any", "--fail-fast"],
            ["wait", "x", "--interval", "0"],
            ["wait", "x", "--password", "hunter2"],
            ["wait", "x", "--password=hunter2"],
            ["wait", "x", "--password"],
            ["wait", "x", "--token", "hunter2"],
            ["wait", "x", "--auth", "digest"],
            ["wait", "x", "--time", "5"],
            ["list", "--bdb", "one"],
        ],
    )
    def test_wrong_usage(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """The exit code for wrong usage is 2."""
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        output = capsys.readouterr().err
        assert output.count("\n") == 2
        assert "redis-actions help" in output
        assert "hunter2" not in output

    @pytest.mark.parametrize("line", ["--version", "version"])
    def test_version(self, lines: Callable[[], list[str]], line: str) -> None:
        """`--version` and `version` print the version of the package."""
        assert exit_code_of(line) == 0
        assert lines() == [version("redis-enterprise-actions")]

    @pytest.mark.parametrize("line", ["", "--help", "-h", "help"])
    def test_help(self, capsys: pytest.CaptureFixture[str], line: str) -> None:
        """The command alone shows the help, on standard output, with success."""
        assert exit_code_of(*line.split()) == 0
        out, err = capsys.readouterr()
        assert out.startswith("Start long-running operations")
        assert err == ""

    @pytest.mark.parametrize("line", ["wait --help", "wait -h", "help wait"])
    def test_help_of_a_command(self, capsys: pytest.CaptureFixture[str], line: str) -> None:
        """The help of a command points to the connection options and to the exit codes."""
        assert exit_code_of(*line.split()) == 0
        out = capsys.readouterr().out
        assert "redis-actions help connection" in out
        assert "3 timed out" in out


def test_unencodable_text(
    threaded: ThreadedCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A character that the terminal cannot encode does not end a wait."""
    uid = threaded.add("retry_bdb", Plan(duration=0, outcome="failed", error="Knoten wäscht 日本"))
    run = subprocess.run(
        [*COMMAND, "wait", uid],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert b"Knoten w\\xe4scht \\u65e5\\u672c" in run.stdout


@pytest.fixture(scope="module")
def fake() -> Iterator[dict[str, str]]:
    """Run `fake-cluster`; yield the environment that it prints, and uids by their note."""
    with subprocess.Popen([*COMMAND, "fake-cluster"], stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        found: dict[str, str] = {}
        note = ""
        for line in it.stdout:
            words = line.split()
            if line.startswith("export "):
                name, _, value = words[1].partition("=")
                found[name] = value
            if line.startswith("redis-actions wait "):
                found[note] = words[2]
            assert line.startswith("#") or "#" not in line  # zsh knows no comments behind commands
            note = words[1] if line.startswith("# ") else ""
            if line.startswith("redis-actions submit "):
                found["submit"] = " ".join(words[2:4])
                break
        yield found
        it.send_signal(signal.SIGINT)
        assert it.wait(60) == 130


def test_captured_output(monkeypatch: pytest.MonkeyPatch, threaded: ThreadedCluster) -> None:
    """Standard output may be any object with a `write` method."""
    uid = threaded.add()
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    assert main(["get", uid]) == 0
    assert uid in sys.stdout.getvalue()  # type: ignore[attr-defined]


@pytest.mark.enable_socket
class TestProcesses:
    """Two terminals: a fake cluster in one, the command in another."""

    def run(self, fake: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command against that cluster."""
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**os.environ, **fake},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_list(self, fake: dict[str, str]) -> None:
        """`list` prints the running actions."""
        run = self.run(fake, "list")

        assert (run.returncode, run.stderr) == (0, "")
        assert len(run.stdout.splitlines()) >= 5  # and those of `submit`

    def test_submit(self, fake: dict[str, str]) -> None:
        """The printed call of `submit` works, more than once, and what it starts can be seen."""
        run = self.run(fake, "submit", *fake["submit"].split(), "--wait", "--timeout", "0.1")

        assert run.returncode == 3
        assert "SMUpgradeBDB on bdb:3" in self.run(fake, "list").stdout

    def test_timeout(self, fake: dict[str, str]) -> None:
        """The exit code for a timeout is 3."""
        run = self.run(fake, "wait", fake["never"], "--timeout", "1")

        assert run.returncode == 3
        assert re.search(r"  timed out +\d+(\.\d)?s  ", run.stdout.splitlines()[0])
        assert "Traceback" not in run.stderr

    def test_unknown(self, fake: dict[str, str]) -> None:
        """The exit code for an unknown action is 4."""
        assert self.run(fake, "wait", "x", "--not-found-grace", "1").returncode == 4

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
    def test_interrupted(self, fake: dict[str, str]) -> None:
        """Ctrl-C ends the command at once, with 130, one line and no traceback."""
        with subprocess.Popen(
            [*COMMAND, "wait", fake["never"]],
            env={**os.environ, **fake},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            process.stderr.readline()
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            _, output = process.communicate(timeout=60)

        assert process.returncode == 130
        assert output.splitlines()[-1] == "interrupted; what runs on the cluster goes on running"

    def test_closed_pipe(self, fake: dict[str, str]) -> None:
        """A reader that closes the pipe, as `head` does, ends the command without an error."""
        with subprocess.Popen(
            [*COMMAND, "wait", *(fake[name] for name in ("completes", "fails", "deletes"))],
            env={**os.environ, **fake},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.wait(60) == 141
            assert "redis-actions:" not in process.stderr.read()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
    @pytest.mark.parametrize("line", ["list", "--help", "wait --help", "help wait", "--version"])
    def test_unwritable_output(self, fake: dict[str, str], line: str) -> None:
        """Output that cannot be written has its own exit code, and no traceback."""
        with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
            run = subprocess.run(
                [*COMMAND, *line.split()],
                env={**os.environ, **fake},
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
                check=False,
            )
        assert run.returncode == 74
        assert run.stderr.startswith("redis-actions: the output cannot be written")
        assert run.stderr.count("\n") == 1

    def test_port_taken(self, fake: dict[str, str]) -> None:
        """A port that cannot be used is wrong usage."""
        port = fake["REDIS_ENTERPRISE_URL"].rpartition(":")[2]

        for wrong in (port, "99999"):
            run = self.run(fake, "fake-cluster", "--port", wrong)
            assert run.returncode == 2
            assert f"--port {wrong} cannot be used" in run.stderr


class TestUnexpectedErrors:
    """Unexpected errors: exit code 70, and one line without secrets."""

    INTERNAL_ERROR = re.compile(
        r"redis-actions: unexpected error: (\w+) in "
        r"redis_enterprise_actions\.([\w.]+), "
        r"line \d+; REDIS_ACTIONS_TRACEBACK=1 prints the traceback, which may contain secrets\n"
    )

    @pytest.mark.parametrize(
        "error",
        [
            RuntimeError("hunter2-hunter2"),
            MemoryError(),
            RecursionError(),
            ZeroDivisionError(),
            FileNotFoundError(2, "no such file", "hunter2-hunter2"),
            BrokenPipeError(),
            ExceptionGroup("several", [ValueError("hunter2-hunter2")]),
        ],
        ids=lambda error: type(error).__name__,
    )
    @pytest.mark.parametrize("where", ["parse_arguments", "settings", "command", "loop"])
    def test_any(
        self,
        threaded: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        error: Exception,
        where: str,
    ) -> None:
        """Any exception type, raised at any place, ends the command like this."""

        def fail(*_: object) -> NoReturn:
            raise error.with_traceback(None)

        async def fail_later(*_: object) -> NoReturn:
            fail()

        if where == "parse_arguments":
            monkeypatch.setattr(_main, where, fail)
        elif where == "settings":
            monkeypatch.setattr(_listing, "client_from_args", fail)
        else:
            monkeypatch.setattr(_listing, "run_list", fail if where == "command" else fail_later)

        assert main(["list"]) == 70
        out, err = capsys.readouterr()
        match = self.INTERNAL_ERROR.fullmatch(err)
        assert match is not None
        places = {"loop": "_cli.signals", "settings": "_cli.listing.command"}
        assert match.groups() == (type(error).__name__, places.get(where, "_cli.main"))
        assert out == ""

    def test_deepest_body(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A body with the greatest allowed depth is sent."""
        data = '{"a":' * 50 + "[" * 50 + "1" + "]" * 50 + "}" * 50

        assert main(["submit", "POST", "/v1/bdbs/99/upgrade", "--no-wait", "--data", data]) == 5
        assert "answered 404" in capsys.readouterr().err

    def test_traceback(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With REDIS_ACTIONS_TRACEBACK the traceback is printed; no line of it is a CI command."""

        def fail(*_: object) -> NoReturn:
            raise ValueError("a\n::error::b") from KeyError("c")

        monkeypatch.setattr(_main, "parse_arguments", fail)
        monkeypatch.setenv("REDIS_ACTIONS_TRACEBACK", "1")

        assert main(["list"]) == 70
        first, *more, last = capsys.readouterr().err.splitlines()
        assert first == "KeyError: 'c'"
        assert "Traceback (most recent call last):" in more
        assert more[-2:] == ["ValueError: a", r"\::error::b"]
        assert self.INTERNAL_ERROR.fullmatch(f"{last}\n")

    def test_interrupted_early(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Ctrl-C before the signal handlers are installed has the same exit code."""

        def fail(*_: object) -> NoReturn:
            raise KeyboardInterrupt

        monkeypatch.setattr(_main, "parse_arguments", fail)

        assert main(["list"]) == 130
        assert capsys.readouterr().err == "interrupted\n"

    @pytest.mark.parametrize("depth", [101, 500, 900, 990, 1500, 5000, 100_000])
    @pytest.mark.parametrize("closed", [True, False])
    def test_nesting(
        self,
        threaded: ThreadedCluster,
        capsys: pytest.CaptureFixture[str],
        depth: int,
        closed: bool,
    ) -> None:
        """A body that is nested too deep is wrong usage, at any depth."""
        data = "[" * depth + "1" + "]" * depth * closed

        assert main(["submit", "POST", "/v1/x", "--data", data]) == 2
        assert capsys.readouterr().err in {
            "redis-actions: --data is not JSON\n",
            "redis-actions: --data is nested more than 100 levels deep\n",
        }
        assert threaded.cluster.requests == []

    @pytest.mark.parametrize("program", ["module", "script"])
    def test_program(self, tmp_path: Path, program: str) -> None:
        """The process exits with 70, as a module and as a script."""
        start = "from redis_enterprise_actions._cli import main\nmain.parse_arguments = None\n"
        if program == "module":
            start += (
                "import runpy\nrunpy.run_module('redis_enterprise_actions', run_name='__main__')"
            )
        else:
            start += "import sys\nsys.exit(EntryPoint('x', SCRIPT, 'x').load()())"
            found = entry_points(group="console_scripts", name="redis-actions")
            script = {entry.value for entry in found}
            start = f"from importlib.metadata import EntryPoint\nSCRIPT = {script.pop()!r}\n{start}"
        ran = subprocess.run(
            [sys.executable, "-c", start], capture_output=True, text=True, timeout=60, check=False
        )

        assert ran.returncode == 70
        assert self.INTERNAL_ERROR.fullmatch(ran.stderr)


@pytest.mark.parametrize("make", ["loop", "directory", "nowhere", "long"])
def test_report_is_checked_first(
    threaded: ThreadedCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], make: str
) -> None:
    """A report that cannot be written is wrong usage, before a request is sent."""
    names = {"nowhere": "no/r.json", "long": f"{'r' * 300}.json"}
    file = tmp_path / names.get(make, "r.json")
    if make == "loop":
        file.symlink_to(file)
    if make == "directory":
        file.mkdir()

    with pytest.raises(SystemExit) as caught:
        main(["wait", "x", "--report", str(file)])
    assert caught.value.code == 2
    assert "a report cannot be written there" in capsys.readouterr().err
    assert threaded.cluster.requests == []


def test_usage_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The error about an argument of several lines is one line."""
    with pytest.raises(SystemExit):
        main(["wait", "x", "--report", "a\n::error::b\x85##[c]"])

    first, _ = capsys.readouterr().err.splitlines()
    assert first.startswith("redis-actions wait: --report: ")
    assert first.endswith(r"a ::error::b #\#[c]")


@pytest.mark.enable_socket
def test_demo(lines: Callable[[], list[str]]) -> None:
    """`demo` waits for several actions at once, one of which fails, and exits with 0."""
    assert main(["demo"]) == 0
    assert lines()[-1].startswith("4 completed, 1 failed (as planned), in ")


@pytest.mark.enable_socket
@pytest.mark.parametrize("name", ["GITHUB_ACTIONS", "GITLAB_CI"])
async def test_demo_in_ci(
    lines: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """In a CI job, too, `demo` says that the failure is planned, and annotates nothing."""
    monkeypatch.setenv(name, "true")

    assert await demonstrate() == 0
    printed = lines()
    assert printed[-1].startswith("4 completed, 1 failed (as planned), in ")
    assert not any("::" in line or "section_" in line for line in printed)


@pytest.mark.enable_socket
async def test_demo_interrupted(lines: Callable[[], list[str]]) -> None:
    """An interrupted `demo` offers nothing to resume, as its cluster ends with it."""
    demo = asyncio.ensure_future(demonstrate())
    await asyncio.sleep(1)
    demo.cancel()

    with pytest.raises(asyncio.CancelledError):
        await demo
    assert lines()[-1] == "interrupted: 5 no longer waited for (exit code 130)"
