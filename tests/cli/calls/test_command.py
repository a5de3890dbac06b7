"""Tests of `_cli.calls.command`: `get`, dry runs of `submit`, and the references for Tab."""

from __future__ import annotations

import gc
import json
import sys
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._cli.reference_cache import remembered
from redis_enterprise_actions.testing import Plan
from tests.secrecy import secrets_in


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis_enterprise_actions.testing import FakeCluster
    from tests.threaded_cluster import ThreadedCluster

SECRET = "hunter2-hunter2"
KINDS = [
    ("a1", "a1"),
    ("action:a1", "a1"),
    ("node:1/maintenance_on", "node:1/maintenance_on@t1"),
    ("cluster:change_master", "cluster:change_master"),
    ("crdb:t1", "crdb:t1"),
    ("export:1", "export:1"),
    ("bdb:1", "bdb:1"),
    ("a:odd uid", "a:odd uid"),
]


def prepare(cluster: FakeCluster) -> None:
    """Start work of every kind."""
    cluster.add_action(plan=Plan(duration=1000), uid="a1")
    cluster.add_action(plan=Plan(duration=1000), uid="a:odd uid")
    cluster.start_node_action(1, "maintenance_on", Plan(duration=1000), task_id="t1")
    cluster.start_cluster_action("change_master", Plan(duration=1000), node_uid=1)
    cluster.start_crdb_task(plan=Plan(duration=1000), id="t1", guid="g1")
    cluster.start_transfer(1, "export", Plan(duration=1000))


class TestGet:
    """`redis-actions get`."""

    @pytest.mark.parametrize(("ref", "name"), KINDS)
    def test_every_kind(
        self, threaded: ThreadedCluster, lines: Callable[[], list[str]], ref: str, name: str
    ) -> None:
        """`get` takes every reference, and prints a line, JSON, or the reference."""
        threaded.do(prepare)

        for options in ([], ["-o", "table"], ["-o", "json"], ["--json"], ["--output", "name"]):
            assert main(["get", ref, *options]) == 0
        line, table, as_json, short, as_name = lines()
        assert line == table
        assert line.endswith("]")
        assert json.loads(as_json)["name"] == json.loads(short)["name"]
        assert as_name == name

    def test_listed(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """`get` takes the references that `list` prints."""
        threaded.do(prepare)
        assert main(["list", "-o", "name"]) == 0
        listed = lines()

        assert len(listed) >= 4
        for ref in listed:
            assert main(["get", ref, "-o", "name"]) == 0
        shown = [ref.replace("maintenance_on@t1", "maintenance_on") for ref in lines()]
        assert shown == listed  # the list lacks the task of the node's action

    @pytest.mark.parametrize("ref", ["a2", "node:1/remove", "crdb:t2", "bdb:9"])
    def test_unknown(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], ref: str
    ) -> None:
        """Unknown work is exit code 4."""
        assert main(["get", ref]) == 4
        out, err = capsys.readouterr()
        assert out == ""
        assert "was not found" in err

    def test_invalid(self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """What is no reference is exit code 2, and nothing is sent."""
        assert main(["get", "node:1"]) == 2
        assert "'node:1' is not a reference" in capsys.readouterr().err
        assert threaded.cluster.requests == []


class TestList:
    """The options of `list` for the output."""

    def test_limit(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """`--limit` keeps the newest actions."""
        uids = [threaded.add(plan=Plan(outcome="never")) for _ in range(3)]

        for options in (["--limit", "2"], ["--limit", "5"], []):
            assert main(["list", "-o", "name", *options]) == 0
        assert [line in uids for line in lines()] == [True] * (2 + 3 + 3)

    @pytest.mark.parametrize("limit", ["0", "-1", "x"])
    def test_wrong_limit(self, capsys: pytest.CaptureFixture[str], limit: str) -> None:
        """A limit is a number, 1 or more."""
        with pytest.raises(SystemExit) as ended:
            main(["list", f"--limit={limit}"])
        assert ended.value.code == 2
        assert "--limit" in capsys.readouterr().err

    def test_json(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """`-o json` prints an object a line, as `--json` does."""
        uid = threaded.add(plan=Plan(outcome="never"))

        assert main(["list", "-o", "json"]) == 0
        assert main(["list", "--json"]) == 0
        assert [json.loads(line)["uid"] for line in lines()] == [uid, uid]


class TestDryRun:
    """`redis-actions submit --dry-run`."""

    @pytest.mark.parametrize(
        ("call", "sent"),
        [
            (["PUT", "/v1/bdbs/1", "--data", '{"name": "new"}'], "/v1/bdbs/1?dry_run=true"),
            (["PUT", "/v1/bdbs/1/actions/rebalance"], "/v1/bdbs/1/actions/rebalance?dry_run=true"),
            (
                ["POST", "/v1/shards/actions/failover", "--data", '{"shard_uids": ["1"]}'],
                "/v1/shards/actions/failover",
            ),
        ],
    )
    def test_started_nothing(
        self,
        threaded: ThreadedCluster,
        capsys: pytest.CaptureFixture[str],
        call: list[str],
        sent: str,
    ) -> None:
        """A dry run is asked for where the API reads it, and starts nothing."""
        threaded.do(lambda cluster: cluster.add_bdb(1))

        assert main(["submit", *call, "--dry-run"]) == 0
        assert "nothing was started" in capsys.readouterr().err
        assert threaded.cluster.requests[-1].path == sent
        assert threaded.do(lambda cluster: list(cluster.actions)) == []

    def test_crdb(self, threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """The dry run of an Active-Active database is a task, which is followed."""
        threaded.cluster.plan("POST", "/", Plan(duration=0), times=None)

        assert main(["submit", "POST", "/v1/crdbs", "--data", "{}", "--dry-run", "--json"]) == 0
        assert json.loads(lines()[-2])["outcome"] == "completed"

    @pytest.mark.parametrize(
        "call",
        [
            ["POST", "/v1/bdbs/1/upgrade"],
            ["DELETE", "/v1/bdbs/1"],
            ["POST", "/v1/shards/actions/migrate", "--data", "[]"],
        ],
    )
    def test_none(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], call: list[str]
    ) -> None:
        """A call without a dry run is not made."""
        assert main(["submit", *call, "--dry-run"]) == 2
        assert "was not made, as the API has no dry run of it" in capsys.readouterr().err
        assert threaded.cluster.requests == []

    def test_answer(self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """The answer is printed as JSON, without its secrets."""
        body = json.dumps({"name": "new", "authentication_redis_pass": SECRET, "more": SECRET})
        threaded.cluster.inject(path="/v1/bdbs/1", method="PUT", status=200, body=body)

        assert main(["submit", "PUT", "/v1/bdbs/1", "--dry-run"]) == 0
        out, _ = capsys.readouterr()
        assert json.loads(out) == {
            "name": "new",
            "authentication_redis_pass": "***",
            "more": "***",
        }
        assert secrets_in(out) == []


class TestDisplay:
    """The display of a call."""

    @pytest.mark.parametrize(
        "line",
        ["submit POST /v1/bdbs/1/upgrade", "submit DELETE /v1/bdbs/1", "databases delete 1"],
    )
    def test_missing(
        self, threaded: ThreadedCluster, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str], line: str,
    ) -> None:  # fmt: skip
        """A display that is not installed is an error before anything is asked or sent."""
        for stream in ("stdin", "stdout", "stderr"):
            monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setitem(sys.modules, "rich", None)

        assert main([*line.split(), "--output", "rich"]) == 2
        gc.collect()  # warns of a coroutine that was never awaited
        err = capsys.readouterr().err
        assert err == "redis-actions: --output rich needs rich: pip install rich\n"
        assert threaded.cluster.requests == []


class TestRemembered:
    """References that commands write for Tab."""

    @pytest.fixture(autouse=True)
    def _cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.setenv(name, str(tmp_path))

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("list", "crdb:t1"),
            ("list --json", "node:1/maintenance_on"),
            ("wait crdb:t1 a1 --timeout 0", "a1"),
            ("submit POST /v1/nodes/1/actions/maintenance_off --no-wait", "node:1/maintenance_off"),
            ("nodes maintenance-off 1 --timeout 0", "node:1/maintenance_off"),
        ],
    )
    def test_written(self, threaded: ThreadedCluster, line: str, expected: str) -> None:
        """`list`, `wait`, `submit` and the named calls remember the references that they saw."""
        threaded.do(prepare)
        main(line.split())

        found = remembered([threaded.cluster.url])
        assert expected in [ref.partition("@")[0] for ref in found]
        assert remembered(["https://other:9443"]) == []
