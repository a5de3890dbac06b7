"""Tests of `_cli.wait.command`, and of `cancel`, with every kind of work."""

from __future__ import annotations

import asyncio
import io
import json
import re
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionsClient, ClusterUnreachable
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._cli.wait.command import (
    EXIT_FOLLOW_UP_FAILED,
    ReportWriter,
    wait_options,
)
from redis_enterprise_actions._cli.wait.follow import StopCondition
from redis_enterprise_actions.testing import Plan
from tests.cli.wait import run_command
from tests.secrecy import secrets_in


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis_enterprise_actions.testing import FakeCluster
    from tests.threaded_cluster import ThreadedCluster

COMMAND = [sys.executable, "-W", "error", "-m", "redis_enterprise_actions"]
SECRET = "hunter2-hunter2"
UPGRADE = ["submit", "POST", "/v1/bdbs/1/upgrade"]
EXPORT = [
    *("submit", "POST", "/v1/bdbs/1/actions/export"),
    *("--data", '{"export_location": {"type": "ftp", "url": "ftp://there"}}'),
]
MAINTENANCE = ["submit", "POST", "/v1/nodes/1/actions/maintenance_on"]
CREATE = ["submit", "POST", "/v1/crdbs", "--data", "{}", "--header", "X-Task-ID=t1"]
FLUSH = ["submit", "PUT", "/v1/crdbs/g1/flush", "--header", "X-Task-ID=t1", "--yes"]
DELETE = ["submit", "DELETE", "/v1/bdbs/1", "--yes"]
CHANGE = ["submit", "PUT", "/v1/bdbs/1"]
POLICY = ["submit", "PUT", "/v1/cluster/policy"]


def prepare(cluster: FakeCluster) -> None:
    """Add a database, and an Active-Active one."""
    cluster.add_bdb(1)
    cluster.add_crdb("g1")


def plan(duration: float = 0, **options: object) -> Callable[[FakeCluster], None]:
    """Return a function that prepares a cluster, and plans all work on it."""

    def planned(cluster: FakeCluster) -> None:
        prepare(cluster)
        for method in ("POST", "PUT", "DELETE"):
            cluster.plan(method, "/", Plan(duration=duration, **options), times=None)  # type: ignore[arg-type]

    return planned


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


def calls(threaded: ThreadedCluster) -> list[tuple[str, str]]:
    """Return the requests other than GET."""
    seen = threaded.cluster.requests
    return [(each.method, each.path) for each in seen if each.method != "GET"]


class TestSubmit:
    """`redis-actions submit`."""

    @pytest.mark.parametrize(
        ("call", "ref"),
        [
            (UPGRADE, r"action:[0-9a-f-]{36}"),
            (EXPORT, r"export:1@idle,,\d+"),
            (MAINTENANCE, r"node:1/maintenance_on@[0-9a-f-]{36}"),
            (FLUSH, r"crdb:t1"),
            (DELETE, r"action:[0-9a-f-]{36}@bdb:1"),
            (["submit", "post", "/v1/crdbs"], r"crdb:[0-9a-f-]{36}"),
        ],
        ids=["upgrade", "export", "maintenance", "flush", "delete", "create"],
    )
    def test_plain(
        self,
        threaded: ThreadedCluster,
        capsys: pytest.CaptureFixture[str],
        call: list[str],
        ref: str,
    ) -> None:
        """With `--no-wait`, `submit` makes one call and prints the reference, nothing else."""
        threaded.do(plan(outcome="never"))

        assert main([*call, "--no-wait"]) == 0
        out, err = capsys.readouterr()
        assert re.fullmatch(ref + "\n", out)
        assert err == ""
        assert calls(threaded) == [(call[1].upper(), call[2])]

    @pytest.mark.parametrize(
        "call", [UPGRADE, EXPORT, MAINTENANCE, FLUSH], ids=lambda call: str(call[2])
    )
    def test_printed_reference(
        self, threaded: ThreadedCluster, lines: Callable[[], list[str]], call: list[str]
    ) -> None:
        """`wait` accepts the printed reference, also after the work has ended."""
        threaded.do(plan())
        assert main([*call, "--no-wait"]) == 0
        (ref,) = lines()

        assert main(["wait", ref]) == 0
        assert re.search("completed +had ended before$", lines()[-1])

    def test_json(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """With `--json` the reference is in an object."""
        threaded.do(plan())

        assert main([*FLUSH, "--json", "--no-wait"]) == 0
        (line,) = lines()
        event = json.loads(line)
        assert (event["event"], event["v"], event["ref"]) == ("submitted", 1, "crdb:t1")

    def test_wait(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """The reference is printed first, then the end as `wait` prints it."""
        threaded.do(plan(duration=0.3))
        threaded.hold(answers=2)

        assert main(UPGRADE) == 0
        ref, last = lines()
        assert re.fullmatch(r"action:[0-9a-f-]{36}", ref)
        assert re.fullmatch(r"✓ SMUpgradeBDB on bdb:1  completed +\d+\.\ds", last)

    def test_wait_json(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """With `--json` every line is an object; `--wait`, the default, is accepted."""
        threaded.do(plan(outcome="failed", error_code="e17", error="no room"))

        assert main([*MAINTENANCE, "--wait", "--json"]) == 1
        submitted, began, *changes, end, done = [json.loads(line) for line in lines()]
        assert [each["event"] for each in (submitted, began, done)] == [
            "submitted",
            "began",
            "done",
        ]
        assert {each["event"] for each in changes} == {"change"}
        assert (end["uid"], end["outcome"]) == ("node:1/maintenance_on", "failed")
        assert end["exit_code"] == 1
        assert submitted["ref"] == f"node:1/maintenance_on@{end['action']['task_id']}"
        assert "e17: no room" in end["message"]

    @pytest.mark.parametrize(
        ("call", "planned", "options", "code", "expected"),
        [
            (UPGRADE, {"outcome": "failed", "error": "no room"}, [], 1, "no room"),
            (EXPORT, {"outcome": "failed", "error": "ftp-error"}, [], 1, "ftp-error"),
            (MAINTENANCE, {"outcome": "cancelled"}, [], 1, "cancelled  "),
            (MAINTENANCE, {"outcome": "aborted"}, [], 1, "aborted  "),
            (FLUSH, {"outcome": "failed", "error": "split"}, [], 1, "cluster1.local: split; split"),
            (UPGRADE, {"outcome": "never"}, ["--timeout", "0"], 3, "timed out  "),
            (FLUSH, {"outcome": "never"}, ["--stall-timeout", "0.1"], 3, "nothing moved for 0.1s"),
            (FLUSH, {"outcome": "vanishes"}, ["--not-found-grace", "0"], 4, "not found  "),
            (DELETE, {"duration": 0.3}, [], 0, "completed  "),
        ],
        ids=[
            *("failed", "export-failed", "cancelled", "aborted", "crdb-failed", "timeout"),
            *("stalled", "not-found", "deleted"),
        ],
    )
    def test_ends(
        self,
        threaded: ThreadedCluster,
        lines: Callable[[], list[str]],
        call: list[str],
        planned: dict[str, object],
        options: list[str],
        code: int,
        expected: str,
    ) -> None:
        """Each outcome has its exit code, and a failure the reason that the cluster gives."""
        threaded.do(plan(**planned))

        assert main([*call, *options]) == code
        assert expected in lines()[-1]

    def test_dry_run(self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """A call that starts nothing says so on standard error."""
        threaded.do(plan(outcome="never"))

        assert main([*CHANGE, "--param", "dry_run=true", "--no-wait"]) == 0
        assert capsys.readouterr() == (
            "",
            "the call was answered, and there is nothing to follow\n",
        )

    def test_dry_run_wait(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A wait for a call that starts nothing says so on standard error."""
        threaded.do(plan(outcome="never"))

        assert main([*CHANGE, "--param", "dry_run=true", "--wait"]) == 0
        printed = capsys.readouterr()
        assert printed.err.endswith("  the call was answered, and there is nothing to follow\n")
        assert printed.out == "nothing to wait for (exit code 0)\n"

    def test_dry_run_json(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """In JSON the reference of a call that starts nothing is null."""
        threaded.do(plan(outcome="never"))

        assert main([*CHANGE, "--param", "dry_run=true", "--json"]) == 0
        events = [json.loads(line) for line in lines()]
        assert [each["event"] for each in events] == ["submitted", "began", "done"]
        assert events[0]["ref"] is None

    @pytest.mark.parametrize("report", [False, True])
    def test_not_followed(
        self,
        threaded: ThreadedCluster,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        report: bool,
    ) -> None:
        """An answer that names nothing to follow is exit code 8, and is in the report."""
        threaded.cluster.inject(path=POLICY[2], method="PUT", times=None, status=200, body="{}")
        file = tmp_path / "report.json"

        assert main([*POLICY, *(["--report", str(file)] if report else [])]) == 8
        out, err = capsys.readouterr()
        assert "cannot be followed: the answer names nothing to follow" in out
        assert err == ""
        if report:
            (record,) = json.loads(file.read_text("utf-8"))["records"]
            assert record["outcome"] == "not followed"

        assert main([*POLICY, "--no-wait"]) == 0
        out, err = capsys.readouterr()
        assert (out, "cannot be followed" in err) == ("", True)

    def test_not_followed_json(
        self, threaded: ThreadedCluster, lines: Callable[[], list[str]]
    ) -> None:
        """In JSON an unfollowed call has its outcome, its exit code and its reason."""
        threaded.cluster.inject(path=POLICY[2], method="PUT", status=200, body="{}")

        assert main([*POLICY, "--json"]) == 8
        submitted, end, done = [json.loads(line) for line in lines()]
        assert submitted["ref"] is None
        assert "names nothing" in submitted["problem"]
        assert (end["outcome"], end["exit_code"]) == ("not followed", 8)
        assert done["ended"] == {"not followed": 1}

    def test_accept_untracked(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With `--accept-untracked` an answer that names nothing to follow is a success."""
        threaded.cluster.inject(path=POLICY[2], method="PUT", status=200, body="{}")

        assert main([*POLICY, "--wait", "--accept-untracked"]) == 0
        err = capsys.readouterr().err
        assert err.endswith("  the call was answered, and there is nothing to follow\n")

    @pytest.mark.parametrize("name", ["dry_run", "only_failovers", "max_operations"])
    def test_wrong_place(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], name: str
    ) -> None:
        """A setting that the API does not read from the body is refused, with the right option."""
        call = ["submit", "PUT", "/v1/bdbs/1/actions/rebalance", "--data", f'{{"{name}": 1}}']

        assert main([*call, "--json"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert f"--param {name}=" in err
        assert threaded.cluster.requests == []

    @pytest.mark.parametrize("where", ["argument", "file", "stdin"])
    def test_data(
        self, threaded: ThreadedCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
    ) -> None:
        """The body is read from the argument, a file or standard input."""
        threaded.do(plan())
        body = '{"name": "Büro"}'
        (tmp_path / "body.json").write_text(body, "utf-8")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body.encode())))
        data = {"argument": body, "file": f"@{tmp_path / 'body.json'}", "stdin": "@-"}[where]

        assert main(["submit", "PUT", "/v1/bdbs/1", "--data", data]) == 0
        assert threaded.do(lambda cluster: cluster.bdbs[1].config(now()))["name"] == "Büro"

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            (["GET", "/v1/bdbs"], "'GET' does not start work: use DELETE, PATCH, POST or PUT"),
            (["GET", "/v1/bdbs", "--no-wait"], "'GET' does not start work: use DELETE, PATCH"),
            (["POST", "", "--no-wait"], "'' is not a path of the API"),
            (["POST", "v1/bdbs"], "'v1/bdbs' is not a path of the API"),
            (["POST", "/v1/bdbs?dry_run=1"], "such as /v1/bdbs/1: it may have no query"),
            (["POST", "/v1/bdbs/../users"], "is not a path of the API"),
            (["POST", "/v1/bdbs", "--data", SECRET], "--data is not JSON"),
            (["POST", "/v1/bdbs", "--data", "@nowhere.json"], "--data @nowhere.json cannot be"),
            (
                ["POST", "/v1/bdbs", "--header", f"Authorization={SECRET}"],
                "headers= cannot set the header Auth",
            ),
        ],
        ids=["method", "waits", "empty", "relative", "query", "dots", "data", "file", "header"],
    )
    def test_wrong_usage(
        self,
        threaded: ThreadedCluster,
        capsys: pytest.CaptureFixture[str],
        line: list[str],
        expected: str,
    ) -> None:
        """A call that cannot be sent is exit code 2, with one line that shows no secret."""
        assert main(["submit", *line]) == 2

        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("redis-actions: ")
        assert expected in err
        assert err.count("\n") == 1
        assert secrets_in(err) == []
        assert threaded.cluster.requests == []

    def test_interrupted_while_reading(
        self,
        threaded: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Ctrl-C works while the body is read, because no event loop runs yet."""

        def read() -> bytes:
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            raise KeyboardInterrupt

        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=read)))

        assert main([*UPGRADE, "--data", "@-"]) == 130
        assert capsys.readouterr() == ("", "interrupted\n")
        assert threaded.cluster.requests == []

    def test_refused(self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """A rejected call is exit code 5, with the cluster's reason, and is sent once."""
        assert main([*UPGRADE, "--no-wait"]) == 5
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("redis-actions: POST /v1/bdbs/1/upgrade: the cluster answered 404")
        assert "no such database" in err
        assert len(calls(threaded)) == 1

    def test_busy(self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """A 409 is exit code 5, unless `--busy-timeout` allows another try."""
        threaded.do(plan(duration=0.5))
        threaded.hold()
        assert main([*UPGRADE, "--no-wait"]) == 0

        assert main([*UPGRADE, "--no-wait"]) == 5
        assert "answered 409: db_busy" in capsys.readouterr().err
        threaded.go_on()
        assert main([*UPGRADE, "--no-wait", "--busy-timeout", "20s"]) == 0
        assert capsys.readouterr().out.startswith("action:")

    def test_lost_answer(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """Work that was started although its answer was lost is found and followed."""
        threaded.do(plan())
        threaded.cluster.inject(path="/v1/nodes", method="POST", lose=True)

        assert main(MAINTENANCE) == 0
        ref, *_, last = lines()
        assert ref.startswith("node:1/maintenance_on@")
        assert last.startswith("✓ maintenance_on on node:1  completed")
        assert len(calls(threaded)) == 1

    @pytest.mark.parametrize("options", [["--no-wait"], []], ids=str)
    def test_answer_lost_for_good(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], options: list[str]
    ) -> None:
        """A call with an unknown result is exit code 5, and the error says where to look."""
        threaded.do(plan(outcome="never"))
        threaded.cluster.inject(path="/v1/bdbs", method="POST", lose=True)

        assert main([*UPGRADE, *options]) == 5
        printed, other = capsys.readouterr()
        if options:
            printed, other = other, printed
        assert other == ""
        assert "The cluster may have executed it; to find out, run: redis-actions" in printed
        assert len(calls(threaded)) == 1

    @pytest.mark.parametrize(
        ("options", "most"), [(["--outage-timeout", "0"], 1), (["--outage-timeout", "1h"], 20)]
    )
    def test_outage(
        self,
        threaded: ThreadedCluster,
        lines: Callable[[], list[str]],
        options: list[str],
        most: int,
    ) -> None:
        """`--outage-timeout` limits how long the call is retried, too."""
        threaded.do(plan())
        threaded.cluster.inject(path="/v1/crdbs", status=503, times=2, retry_after=0)
        expected = 5 if most == 1 else 0

        assert main([*CREATE, *options]) == expected
        assert len(calls(threaded)) == (1 if most == 1 else 3)

    async def test_default_outage_timeout(self, cluster_in_environment: FakeCluster) -> None:
        """By default a call is retried for five minutes."""
        cluster_in_environment.inject(status=503, method="POST", times=None)
        began = now()

        with pytest.raises(ClusterUnreachable):
            await run_command(*CREATE, "--no-wait")
        assert now() - began == pytest.approx(300, abs=5)

    @pytest.mark.parametrize(
        ("options", "limit"), [([], 10), (["--outage-timeout", "300"], 300)], ids=str
    )
    async def test_never_reached(
        self, cluster_in_environment: FakeCluster, options: list[str], limit: float
    ) -> None:
        """Without `--outage-timeout` a cluster that was never reached is reported early."""
        await cluster_in_environment.stop_node(1)
        began = now()

        with pytest.raises(ClusterUnreachable):
            await run_command(*FLUSH, "--no-wait", *options)
        assert limit - 15 < now() - began <= limit + 1

    def test_secrets(self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """Secrets of the body and of the answer are not printed."""
        threaded.do(plan())
        body = json.dumps({"authentication_redis_pass": SECRET})
        call = ["submit", "PUT", "/v1/bdbs/1", "--data", body]
        assert main(call) == 0
        assert main([*call, "--json"]) == 0
        out, err = capsys.readouterr()

        assert secrets_in(out + err) == []

    def test_echoed_secret(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Secrets of the body that an error response repeats are not printed."""
        answer = '{"error_code": "weak", "description": "open-sesame is weak"}'
        threaded.cluster.inject(path="/v1/bdbs/1", method="PUT", status=406, body=answer)
        body = '{"authentication_redis_pass": "open-sesame"}'

        assert main(["submit", "PUT", "/v1/bdbs/1", "--data", body, "--no-wait"]) == 5
        assert "answered 406: weak: *** is weak" in capsys.readouterr().err

    def test_control_characters(
        self, threaded: ThreadedCluster, lines: Callable[[], list[str]]
    ) -> None:
        """Control characters of a uid are not printed."""
        body = json.dumps({"action_uid": "a\x1b[2J\nb"})
        threaded.cluster.inject(path="/v1/bdbs", method="POST", status=200, body=body)

        assert main([*UPGRADE, "--no-wait"]) == 0
        assert lines() == ["action:a [2J b"]

    @pytest.mark.parametrize(
        ("output", "expected"),
        [
            ("json", '"exit_code":143,"ended":{},"left":0,"why":"interrupted"}'),
            ("plain", "interrupted (exit code 143)"),
            ("github", "interrupted (exit code 143)"),
            ("gitlab", "redis-actions: interrupted (exit code 143)"),
        ],
    )
    async def test_interrupted_call(
        self,
        cluster_in_environment: FakeCluster,
        lines: Callable[[], list[str]],
        output: str,
        expected: str,
    ) -> None:
        """If the call itself is interrupted, the last line is the summary, on every display."""
        cluster_in_environment.inject(times=None, delay=60)
        calling = asyncio.create_task(run_command(*UPGRADE, "--output", output))
        await asyncio.sleep(1)
        calling.cancel(143)

        with pytest.raises(asyncio.CancelledError):
            await calling
        assert lines()[-1].endswith(expected)

    def test_unexpected_error(
        self,
        threaded: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        lines: Callable[[], list[str]],
    ) -> None:
        """After an unexpected error, too, the last line is the summary."""

        async def fail(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(ActionsClient, "submit", fail)

        assert main([*UPGRADE, "--json"]) == 70
        done = json.loads(lines()[-1])
        assert (done["event"], done["why"], done["exit_code"]) == ("done", "unexpected error", 70)

    def test_report_stays(self, threaded: ThreadedCluster, tmp_path: Path) -> None:
        """A call that cannot be sent leaves an earlier report as it is."""
        old = tmp_path / "old.json"
        old.write_text("{}")
        call = ["submit", "PUT", "/v1/bdbs/1/actions/rebalance", "--data", '{"dry_run": true}']

        assert main([*call, "--report", str(old)]) == 2
        assert old.read_text() == "{}"
        assert threaded.cluster.requests == []

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
    def test_interrupted(self, threaded: ThreadedCluster) -> None:
        """Ctrl-C ends the wait at once, after the reference, and cancels no work."""
        threaded.do(plan(outcome="never"))
        with subprocess.Popen(
            [*COMMAND, *MAINTENANCE],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            ref, change = process.stdout.readline(), process.stderr.readline()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)

        assert ref.startswith("node:1/maintenance_on@")
        assert "maintenance_on on node:1: " in change
        assert process.returncode == 130
        assert out.startswith("■ maintenance_on on node:1  left ")
        assert err == "interrupted; what runs on the cluster goes on running\n"
        assert calls(threaded) == [("POST", "/v1/nodes/1/actions/maintenance_on")]


class TestWait:
    """`redis-actions wait` and references."""

    @pytest.mark.parametrize(
        ("ref", "uid", "title"),
        [
            ("a1", "a1", "SMUpdateBDB on bdb:1"),
            ("action:a1", "a1", "SMUpdateBDB on bdb:1"),
            ("node:1/maintenance_on", "node:1/maintenance_on", "maintenance_on on node:1"),
            ("node:1/maintenance_on@t2", "node:1/maintenance_on", "maintenance_on on node:1"),
            ("cluster:change_master", "cluster:change_master", "change_master"),
            ("crdb:t1", "t1", "update_crdb on crdb:g1"),
            ("export:1@idle,,", "export:1", "export on bdb:1"),
            ("import:1@idle,,", "import:1", "import on bdb:1"),
            ("backup:1@idle,,", "backup:1", "backup on bdb:1"),
            ("bdb:1", "bdb:1", "database 1"),
            ("bdb:7@gone", "bdb:7", "database 7"),
        ],
    )
    def test_every_kind(
        self,
        threaded: ThreadedCluster,
        lines: Callable[[], list[str]],
        ref: str,
        uid: str,
        title: str,
    ) -> None:
        """`wait` follows every kind of reference to its end."""

        def begin(cluster: FakeCluster) -> None:
            cluster.add_action(plan=Plan(duration=0), uid="a1")
            cluster.start_node_action(1, "maintenance_on", Plan(duration=0), task_id="t2")
            cluster.start_cluster_action("change_master", Plan(duration=0), node_uid=1)
            cluster.start_crdb_task(plan=Plan(duration=0), id="t1", guid="g1")
            for transfer in ("export", "import", "backup"):
                cluster.start_transfer(1, transfer, Plan(duration=0))

        threaded.do(begin)

        assert main(["wait", ref, "--json", "--not-found-grace", "0"]) == 0
        end = json.loads(lines()[-2])
        assert (end["uid"], end["outcome"], end["action"]["uid"]) == (uid, "completed", uid)
        assert end["message"] == f"{title} [{uid}] had already completed"
        assert end["already_over"]

    def test_kinds_together(
        self, threaded: ThreadedCluster, lines: Callable[[], list[str]]
    ) -> None:
        """Several kinds are followed at once, and the worst exit code is returned."""

        def begin(cluster: FakeCluster) -> None:
            cluster.start_node_action(1, "maintenance_on", Plan(duration=0))
            cluster.start_crdb_task(plan=Plan(duration=0, outcome="failed", error="split"), id="t1")

        threaded.do(begin)
        refs = ["node:1/maintenance_on", "crdb:t1", "crdb:t2", "cluster:change_master"]

        assert main(["wait", *refs, "--json", "--not-found-grace", "0"]) == 1
        events = [json.loads(line) for line in lines()]
        ends = {each["uid"]: each["outcome"] for each in events if each["event"] == "end"}
        assert ends == {
            "node:1/maintenance_on": "completed",
            "t1": "failed",
            "t2": "not found",
            "cluster:change_master": "not found",
        }

    def test_two_runs(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """Two runs of one action are two waits; the same reference twice is one."""
        threaded.do(
            lambda cluster: cluster.start_node_action(
                1, "maintenance_on", Plan(duration=0), task_id="new"
            )
        )
        name = "node:1/maintenance_on"
        refs = [f"{name}@old", f"{name}@new", f"{name}@new"]

        assert main(["wait", *refs, "--json", "--not-found-grace", "0"]) == 4
        events = [json.loads(line) for line in lines()]
        ends = [(each["uid"], each["outcome"]) for each in events if each["event"] == "end"]
        assert sorted(ends) == [(name, "completed"), (name, "not found")]

    async def test_default_outage_timeout(self, cluster_in_environment: FakeCluster) -> None:
        """By default an outage may last five minutes, for every kind of reference."""
        cluster_in_environment.inject(status=503, times=None)
        began = now()

        assert await run_command("wait", "crdb:t1", "export:1") == 5
        assert now() - began == pytest.approx(300, abs=15)

    @pytest.mark.parametrize(
        ("options", "after"),
        [
            (["crdb:t1"], 10),
            (["export:1"], 60),
            (["crdb:t1", "--not-found-grace", "20"], 20),
            (["export:1", "--not-found-grace", "2m"], 120),
        ],
    )
    async def test_not_found_grace(
        self, cluster_in_environment: FakeCluster, options: list[str], after: float
    ) -> None:
        """An unknown action is waited for as long as `--not-found-grace`, or its default, says."""
        cluster_in_environment.add_bdb(1)
        began = now()

        assert await run_command("wait", *options) == 4
        assert now() - began == pytest.approx(after, abs=0.1)

    @pytest.mark.parametrize(
        "ref",
        [
            *("", "node:1", "node:x/maintenance_on", "node:1/maintenance on", "cluster:", "crdb:"),
            *("export:one", "bdb:1@going", "shard:3", "export:1@", "https://n1:9443"),
        ],
    )
    def test_invalid_reference(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], ref: str
    ) -> None:
        """An invalid reference is exit code 2, and no request is sent."""
        assert main(["wait", "crdb:t1", ref]) == 2

        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"redis-actions: {ref!r} is not a reference")
        assert "crdb:ID" in err
        assert threaded.cluster.requests == []


class TestCancel:
    """`redis-actions cancel`."""

    def test_node(self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """An action of a node is cancelled without output, and a wait then says so."""
        threaded.do(plan(outcome="never"))
        assert main([*MAINTENANCE, "--no-wait"]) == 0
        ref = capsys.readouterr().out.strip()

        assert main(["cancel", ref]) == 0
        assert capsys.readouterr() == ("", "")
        assert main(["wait", ref]) == 1
        assert "  cancelled  " in capsys.readouterr().out.splitlines()[-1]

    def test_committing(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Cancelling a task that is committing needs `--force`."""
        threaded.do(
            lambda cluster: cluster.start_crdb_task(
                plan=Plan(duration=1e-3, outcome="stuck"), id="t1"
            )
        )

        assert main(["cancel", "crdb:t1"]) == 5
        assert "answered 406" in capsys.readouterr().err
        assert main(["cancel", "crdb:t1", "--force"]) == 0
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize(
        ("line", "code", "expected"),
        [
            (
                ["a1"],
                2,
                "action:a1 cannot be cancelled: the API has no such call, and the work goes on",
            ),
            (["action:a2"], 4, "action a2 was not found"),
            (["export:1"], 4, "export of database 1 was not found"),
            (["bdb:1@gone"], 2, "bdb:1@gone cannot be cancelled"),
            (["node:1"], 2, "'node:1' is not a reference"),
            (["node:1/maintenance_on", "--force"], 2, "force= is for tasks of Active-Active"),
        ],
    )
    def test_not_supported(
        self,
        threaded: ThreadedCluster,
        capsys: pytest.CaptureFixture[str],
        line: list[str],
        code: int,
        expected: str,
    ) -> None:
        """Work that the API cannot cancel is exit code 2, or 4 if the cluster does not know it."""
        threaded.add(uid="a1", plan=Plan(outcome="never"))

        assert main(["cancel", *line]) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"redis-actions: {expected}")
        assert {request.method for request in threaded.cluster.requests} <= {"GET"}

    @pytest.mark.parametrize(
        ("ref", "code", "expected"),
        [
            ("node:1/maintenance_on", 4, "was not found: the cluster answered 404"),
            ("cluster:change_master", 4, "was not found: the cluster answered 404"),
            ("crdb:gone", 4, "was not found: the cluster answered 404"),
            ("crdb:t1", 5, "the cluster answered 409"),
        ],
    )
    def test_refused(
        self,
        threaded: ThreadedCluster,
        capsys: pytest.CaptureFixture[str],
        ref: str,
        code: int,
        expected: str,
    ) -> None:
        """Work that is unknown is exit code 4, and work that has ended 5, with the answer."""
        threaded.do(
            lambda cluster: cluster.start_crdb_task(
                plan=Plan(duration=0, outcome="failed"), id="t1"
            )
        )

        assert main(["cancel", ref]) == code
        assert expected in capsys.readouterr().err
        assert len(calls(threaded)) == 1


@pytest.mark.parametrize("path_state", ["gone", "taken"])
def test_report_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str], path_state: str) -> None:
    """A report that cannot be written is an error, and the next one is written."""
    file, other = tmp_path / "place" / "report.json", tmp_path / "report.md"
    if path_state == "taken":
        file.mkdir(parents=True)
    with ReportWriter([str(file), str(other)]) as reports:
        pass

    assert reports.exit_code == EXIT_FOLLOW_UP_FAILED
    assert capsys.readouterr().err.startswith(f"redis-actions: --report {file} cannot be written: ")
    assert other.exists()


def test_reports_after_exception(tmp_path: Path) -> None:
    """After an exception the reports are written, and the exception is raised."""
    file = tmp_path / "report.json"
    with pytest.raises(KeyboardInterrupt), ReportWriter([str(file)]) as reports:
        raise KeyboardInterrupt

    assert reports.exit_code == 0
    assert file.exists()


def test_default_options() -> None:
    """By default a wait has no limits, the output is `auto`, and all waits are followed."""
    args = parse_arguments(["wait", "x"])

    assert wait_options(args) == {"timeout": None, "stall_timeout": None, "until": None, "hold": 0}
    assert (args.output, args.keep_alive, args.stop) == ("auto", 60, StopCondition.ALL)
    assert (args.report, args.hook) == ([], None)


def test_options_of_limits() -> None:
    """Each limit becomes an option of the wait; the interval becomes its schedule."""
    args = parse_arguments([
        *("wait", "x", "--timeout", "1h", "--stall-timeout", "90", "--outage-timeout", "5m"),
        *("--not-found-grace", "2s", "--interval", "7s", "--until", "quiet", "--hold", "30s"),
    ])  # fmt: skip
    options = wait_options(args)

    assert options.pop("poll")(None) == 7  # type: ignore[misc, arg-type]
    assert options == {
        "timeout": 3600,
        "stall_timeout": 90,
        "outage_timeout": 300,
        "not_found_grace": 2,
        "until": "quiet",
        "hold": 30,
    }
